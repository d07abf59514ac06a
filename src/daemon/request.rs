//! What the control socket is asked, and what it answers: one line of JSON each way.

use super::reload_report::ReloadReport;
use crate::config::ConfigSource;
use crate::event::RecentEvents;
use crate::explain::advise::ZoneCodes;
use crate::explain::{Lookup, Oracle};
use crate::stats::report::StatsReport;
use crate::status::{EventStatus, OverridesStatus, SCHEMA, Status, TrafficStatus};
use crate::zone::{Zone, ZoneState};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use tokio::sync::oneshot;

/// A request, as `{"command":"status"}`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum ControlRequest {
    /// Tells how the server is.
    Status {},
    /// Reads the settings again and has all files looked at; answers when that is done.
    Reload {},
    /// Serves the files of a dataset that are refused; answers when that is done.
    Accept {
        /// The dataset.
        dataset: String,
    },
    /// Tells what all zones answer for keys: addresses, prefixes, names, mail addresses or query names.
    Lookup {
        /// At most [`MAX_KEYS`] of them.
        keys: Vec<String>,
    },
    /// Tells which values the zones have, and how much lists each.
    Codes {},
    /// Tells what was counted since the start, and what is asked most.
    Stats {},
    /// Tells how much was asked in each minute of the last day.
    Traffic {},
    /// Tells which senders allow lists let in although a list has them.
    Overrides {},
    /// Tells what has happened lately.
    Events {
        /// The most events to tell, the newest; all that are kept without it.
        #[serde(default)]
        last: Option<usize>,
        /// Goes on with each event that happens, a line of JSON each, until the client closes the connection
        /// or the server ends.
        #[serde(default)]
        follow: bool,
    },
    /// Hands the sockets to the server that asks, goes on answering, and ends when that is ready to answer.
    HandOver {
        /// The process id of that server.
        process: u32,
    },
}

/// The most keys of one request: as many as its line has room for.
pub(crate) const MAX_KEYS: usize = 1000;

/// A request as it is sent.
#[derive(Debug, Serialize)]
pub(crate) struct SentRequest<'a> {
    #[serde(flatten)]
    pub(crate) request: &'a ControlRequest,
    /// The configuration file of the server that is meant: another one refuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<String>,
}

/// A request as it comes.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct ReceivedRequest {
    pub(super) request: ControlRequest,
    /// The configuration file of the server that is meant.
    pub(super) config: Option<PathBuf>,
}

impl ReceivedRequest {
    /// Reads a line without its end.
    pub(super) fn read(line: &[u8]) -> serde_json::Result<Self> {
        let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(line)?;
        let config = fields.remove("config").map(serde_json::from_value).transpose()?;
        Ok(Self { request: serde_json::from_value(Value::Object(fields))?, config })
    }
}

impl ControlRequest {
    /// True if it changes anything: then only root and the server's own user may send it.
    pub(super) fn is_change(&self) -> bool {
        match self {
            Self::Status {}
            | Self::Lookup { .. }
            | Self::Codes {}
            | Self::Stats {}
            | Self::Traffic {}
            | Self::Overrides {}
            | Self::Events { .. } => false,
            Self::Reload {} | Self::Accept { .. } | Self::HandOver { .. } => true,
        }
    }
}

/// The answer to a request: the JSON object that was asked for, or one with `error`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ControlAnswer {
    /// To [`ControlRequest::Status`].
    Status(Box<Status>),
    /// To [`ControlRequest::Reload`].
    Reload(Box<ReloadReport>),
    /// To [`ControlRequest::Accept`].
    Accept(AcceptReport),
    /// To [`ControlRequest::Lookup`].
    Lookup(LookupReport),
    /// To [`ControlRequest::Codes`].
    Codes(CodesReport),
    /// To [`ControlRequest::Stats`].
    Stats(Box<StatsReport>),
    /// To [`ControlRequest::Traffic`].
    Traffic(TrafficStatus),
    /// To [`ControlRequest::Overrides`].
    Overrides(OverridesStatus),
    /// To [`ControlRequest::Events`].
    Events(EventsReport),
    /// To [`ControlRequest::HandOver`].
    HandOver(Handover),
    /// The request was not done.
    Refused(ControlRefusal),
}

impl ControlAnswer {
    /// The answer to a request that is not done.
    pub(super) fn refused(error: impl fmt::Display) -> Self {
        Self::Refused(ControlRefusal { error: error.to_string(), other_server: false })
    }

    /// The answer to a request that is for another server than this one, which serves this configuration.
    pub(super) fn of_another(serves: &ConfigSource) -> Self {
        let error = format!("it serves another configuration: {serves}");
        Self::Refused(ControlRefusal { error, other_server: true })
    }
}

/// What came of the wish to serve files that are refused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct AcceptReport {
    /// [`SCHEMA`] of the server.
    pub(crate) schema: u32,
    /// The dataset.
    pub(crate) dataset: String,
    /// Its files are served now.
    pub(crate) served: bool,
    /// What happened, as a sentence.
    pub(crate) outcome: String,
}

/// What has happened lately.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct EventsReport {
    /// [`SCHEMA`] of the server.
    pub(crate) schema: u32,
    /// The events, the oldest first.
    pub(crate) events: Vec<EventStatus>,
}

impl EventsReport {
    /// The newest events, that many at most.
    pub(super) fn new(recent: &RecentEvents, last: Option<usize>) -> Self {
        let events = recent.last(last.unwrap_or(usize::MAX));
        Self { schema: SCHEMA, events: events.iter().map(|event| (&**event).into()).collect() }
    }
}

/// What all zones answer for keys.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct LookupReport {
    /// [`SCHEMA`] of the server.
    pub(crate) schema: u32,
    /// The answers for each key, in their order.
    pub(crate) lookups: Vec<Lookup>,
}

impl LookupReport {
    /// Looks the keys up; why that cannot be done, otherwise. It takes its time for prefixes.
    pub(super) fn new(oracle: &Oracle, keys: &[String]) -> Result<Self, String> {
        if keys.len() > MAX_KEYS {
            return Err(format!("too many keys: send at most {MAX_KEYS} in one request"));
        }
        let lookups = keys.iter().map(|key| oracle.lookup(key));
        let lookups = lookups.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        Ok(Self { schema: SCHEMA, lookups })
    }
}

/// Which values the zones have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct CodesReport {
    /// [`SCHEMA`] of the server.
    pub(crate) schema: u32,
    /// The zones, in the order of the configuration.
    pub(crate) zones: Vec<ZoneCodes>,
}

/// What a server hands over to the one that takes its place.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Handover {
    /// [`SCHEMA`] of the server.
    pub(super) schema: u32,
    /// Its process id.
    pub(super) process: u32,
    /// How many sockets there are.
    pub(super) sockets: usize,
    /// The zones that it answers.
    pub(super) zones: Vec<String>,
    /// The sockets, which are sent by themselves.
    #[serde(skip)]
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Handover {
    /// Of this process.
    pub(super) fn new(descriptors: Vec<OwnedFd>, zones: &[Zone]) -> Self {
        let answered = zones.iter().filter(|zone| zone.state != ZoneState::Unloaded);
        Self {
            schema: SCHEMA,
            process: std::process::id(),
            sockets: descriptors.len(),
            zones: answered.map(|zone| zone.apex.to_string()).collect(),
            descriptors,
        }
    }
}

/// Why a request was not done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct ControlRefusal {
    /// What is wrong, and what to do about it.
    pub(crate) error: String,
    /// The request is for another server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) other_server: bool,
}

/// A request that waits for its answer.
pub(super) struct Asked {
    pub(super) request: ControlRequest,
    pub(super) reply: Reply,
}

/// Where the answer goes.
pub(super) struct Reply(pub(super) oneshot::Sender<ControlAnswer>);

impl Reply {
    /// Answers, unless the client has gone.
    pub(super) fn send(self, answer: ControlAnswer) {
        let _ = self.0.send(answer);
    }
}
