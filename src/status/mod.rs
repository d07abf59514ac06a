//! How the server, its zones and its datasets are: one plain value, of which texts for people and programs
//! are made. `docs/status.md` explains each field.

mod build;
mod confinement;
mod devices;
mod events;
mod facts;
mod feed;
mod json;
mod overrides;
mod sockets;
mod text;
mod traffic;
mod trouble;
mod watched;

pub(crate) use build::Sources;
pub use confinement::{ConfinementStatus, SandboxState};
pub use devices::{DeviceMode, DeviceStatus, LostFrames, QueueStatus};
pub use events::{EventStatus, Severity};
pub use feed::{FeedProblem, FeedStatus};
pub(crate) use json::count_or_none;
pub(crate) use overrides::{OverrideStatus, OverridesStatus};
pub(crate) use sockets::Sockets;
pub use sockets::{CertificateStatus, ConnectionStatus, ListenerStatus, Protocol};
pub use traffic::{MinutesStatus, TrafficStatus, ZoneTrafficStatus};
pub use trouble::Trouble;
pub use watched::{WatchedKey, WatchedListing, WatchedStatus};

use crate::util::time::Utc;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The version of the form of [`Status`]. It changes when a field is removed or changes its meaning; new
/// fields do not change it.
pub const SCHEMA: u32 = 1;

/// Everything that can be told of a running server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`] of the server that tells.
    pub schema: u32,
    /// When this was so.
    pub time: Time,
    /// The server.
    pub server: ServerStatus,
    /// Its zones, in the order of the settings.
    pub zones: Vec<ZoneStatus>,
    /// Its datasets, by name.
    pub datasets: Vec<DatasetStatus>,
    /// The feeds that `dnsbld sync` fetches, in the order of the settings.
    #[serde(default)]
    pub feeds: Vec<FeedStatus>,
    /// The networks and domains that are watched, in the order of the settings.
    #[serde(default)]
    pub watched: Vec<WatchedStatus>,
    /// Its newest events, the oldest first.
    #[serde(default)]
    pub events: Vec<EventStatus>,
}

/// The server as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServerStatus {
    /// The version of dnsbld.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// Where the settings come from.
    pub config: String,
    /// When it was started.
    #[serde(default)]
    pub since: Time,
    /// The addresses that it listens on.
    pub listening: Listening,
    /// The same, with what each serves.
    #[serde(default)]
    pub listeners: Vec<ListenerStatus>,
    /// The connections of each protocol that has some.
    #[serde(default)]
    pub connections: Vec<ConnectionStatus>,
    /// The network devices of `server.xdp`.
    #[serde(default)]
    pub xdp: Vec<DeviceStatus>,
    /// The TLS certificates in use.
    #[serde(default)]
    pub certificates: Vec<CertificateStatus>,
    /// Files are being read: at the start, after a change, or for a reload.
    pub loading: bool,
    /// What the logs of queries have lost since the start.
    #[serde(default)]
    pub lost: LostQueries,
    /// The rate limit; `None` if there is none.
    #[serde(default)]
    pub rate_limit: Option<RateLimitStatus>,
    /// The rights that it has kept; `None` under rbldnsd's name.
    #[serde(default)]
    pub confinement: Option<ConfinementStatus>,
}

/// How often clients may ask over UDP, and how many queries were beyond that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RateLimitStatus {
    /// The queries a second of each address.
    pub queries_per_second: u32,
    /// The queries at once of each address.
    pub burst: u32,
    /// Queries beyond the limit are counted alone.
    pub dry_run: bool,
    /// The queries for all zones since the start that were told to use TCP.
    pub limited: u64,
    /// Those that a dry run let pass.
    pub spared: u64,
}

/// Queries that the logs of queries have lost since the start, because they could not be written or sent, or not
/// fast enough; `None` for a log that is off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LostQueries {
    /// Lines of the query log.
    pub query_log: Option<u64>,
    /// Queries of dnstap.
    pub dnstap: Option<u64>,
}

/// Addresses of sockets.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Listening {
    /// Those for UDP and TCP; none before queries are answered.
    pub plain: Vec<SocketAddr>,
    /// Those for TLS.
    pub tls: Vec<SocketAddr>,
    /// Those for HTTPS.
    #[serde(default)]
    pub https: Vec<SocketAddr>,
    /// Those for HTTP, which gives metrics and health.
    #[serde(default)]
    pub http: Vec<SocketAddr>,
}

/// One zone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ZoneStatus {
    /// The name.
    pub name: String,
    /// All its data is in order and within its limits, as `_health.ZONE` says.
    pub ready: bool,
    /// What is wrong with its data, even if it is ready.
    pub reason: Option<String>,
    /// What can be expected of it.
    pub state: Health,
    /// The serial of its SOA record; `None` before queries are answered.
    pub serial: Option<u32>,
    /// The datasets whose entries are listed.
    pub datasets: Vec<String>,
    /// The datasets whose entries are not listed.
    pub allow: Vec<String>,
    /// The datasets that say who may ask.
    pub acl: Vec<String>,
    /// The entries of the files of `datasets`.
    pub entries: u64,
    /// The listed addresses of both families, those of several datasets several times; `None` for a zone
    /// of names.
    #[serde(with = "json::count_or_none")]
    pub addresses: Option<u128>,
    /// The bytes that `datasets` take, in memory or mapped.
    pub bytes: u64,
    /// How long the last loads of `datasets` took together.
    #[serde(rename = "load_seconds", with = "json::seconds")]
    pub load_time: Duration,
    /// The queries since the start.
    pub queries: u64,
    /// The queries since the start that were answered with records.
    pub listed: u64,
    /// A hash of all that decides what it answers, in hexadecimal: equal on all servers that answer equally.
    /// `None` before queries are answered.
    pub content_id: Option<String>,
    /// What it does with data that is overdue: `serve`, `unlist` or `servfail`.
    #[serde(default)]
    pub stale: String,
    /// A question, as dig takes it, that a zone of this health answers.
    pub question: String,
}

/// What can be expected of a zone, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Health {
    /// It serves what its files hold.
    #[serde(rename = "live")]
    Whole,
    /// It serves data of some dataset whose files hold something else, or nothing that can be served.
    #[serde(rename = "kept")]
    Kept,
    /// It serves without some dataset.
    #[serde(rename = "partial")]
    Partial,
    /// It answers SERVFAIL: its data is out of policy.
    #[serde(rename = "withheld")]
    Withheld,
    /// It answers SERVFAIL: its data has expired.
    #[serde(rename = "expired")]
    Expired,
    /// It answers SERVFAIL: nothing of it was ever loaded.
    #[serde(rename = "never-loaded")]
    Unloaded,
}

/// One dataset. What is not known, because nothing was ever loaded or for another reason, is `None`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DatasetStatus {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The state of its data: `never-loaded`, `live`, `stale` or `quarantined`.
    pub state: String,
    /// The number of entries that are served.
    pub entries: Option<u64>,
    /// The listed addresses of both families; `None` for a dataset of names, too.
    #[serde(with = "json::count_or_none")]
    pub addresses: Option<u128>,
    /// The bytes that it takes, in memory or mapped.
    pub bytes: Option<u64>,
    /// Those of them that are mapped from its snapshot.
    pub mapped: Option<u64>,
    /// The files that what is served was made of.
    pub files: Vec<FileStatus>,
    /// When the feed of its files was last fetched; of other files, the newest change, by their publisher or here,
    /// when they were looked at last.
    pub fetched: Option<Time>,
    /// When what is served last changed.
    pub changed: Option<Time>,
    /// When what is served was accepted.
    pub accepted: Option<Time>,
    /// When the data expires by its own account.
    pub expires: Option<Time>,
    /// What the last change did.
    pub last_change: Option<ChangeStatus>,
    /// How long the load took.
    #[serde(rename = "load_seconds", with = "json::seconds_or_none")]
    pub load_time: Option<Duration>,
    /// A hash of what is served and of how it is read, in hexadecimal: equal on all servers that serve the
    /// same.
    pub content_id: Option<String>,
    /// It is older than `max-age` or `keep-bad-for` of its settings allow: its zones do with it as they say.
    #[serde(default)]
    pub overdue: bool,
    /// What is wrong with its files, or how old they are.
    pub problem: Option<ProblemStatus>,
}

/// A file as it was read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileStatus {
    /// The file, as the settings name it.
    pub path: String,
    /// The bytes it has on disk.
    pub size: u64,
    /// The time of its last change, as the file says it.
    pub modified: Time,
    /// The number of valid entries.
    pub entries: u64,
    /// The number of lines that cannot be used.
    pub bad_lines: u64,
}

/// What a change of a dataset did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangeStatus {
    /// Addresses or names that are listed since then.
    #[serde(with = "json::count")]
    pub added: u128,
    /// Addresses or names that are no longer listed.
    #[serde(with = "json::count")]
    pub removed: u128,
    /// Addresses or names that are listed with other values.
    #[serde(with = "json::count")]
    pub changed: u128,
}

/// Why the files of a dataset are not what is served.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProblemStatus {
    /// The file that is wrong.
    pub file: String,
    /// The rule of the guard that it breaks, if it is one (`docs/guards.md`).
    #[serde(default)]
    pub rule: Option<String>,
    /// What is wrong with it, with the figures.
    pub cause: String,
    /// The first lines or ranges that are wrong.
    #[serde(default)]
    pub shown: Vec<String>,
    /// What to do about it.
    pub remedy: String,
    /// When it was first met.
    pub since: Time,
    /// How often it was met in the files; 0 if these can be served, and are too old.
    pub attempts: u32,
}

impl ProblemStatus {
    /// The rule, if it is one, and what is wrong.
    pub fn fault(&self) -> String {
        match &self.rule {
            Some(rule) => format!("guard {rule}: {}", self.cause),
            None => self.cause.clone(),
        }
    }
}

/// A time in seconds since 1970, as `2026-11-30T08:30:00Z` (RFC 3339) in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub i64);

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_secs() as i64,
            Err(before) => -(before.duration().as_secs() as i64),
        })
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Utc::from_unix(self.0).rfc3339())
    }
}

impl FromStr for Time {
    type Err = NotATime;

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let parts = text.strip_suffix('Z').and_then(|text| text.split_once('T'));
        let (date, clock) = parts.ok_or(NotATime)?;
        let (year, rest) = date.split_at_checked(date.len().saturating_sub(6)).ok_or(NotATime)?;
        let number = |text: &str| text.parse::<u8>().map_err(|_| NotATime);
        let date: Vec<&str> = rest.split('-').collect();
        let clock: Vec<&str> = clock.split(':').collect();
        let (["", month, day], [hour, minute, second]) = (&date[..], &clock[..]) else {
            return Err(NotATime);
        };
        let time = Utc {
            year: year.parse().map_err(|_| NotATime)?,
            month: number(month)?,
            day: number(day)?,
            hour: number(hour)?,
            minute: number(minute)?,
            second: number(second)?,
        };
        time.to_unix().map(Self).filter(|time| time.to_string() == text).ok_or(NotATime)
    }
}

/// The text is no time of RFC 3339 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is no time such as 2026-11-30T08:30:00Z")]
pub struct NotATime;

impl Status {
    /// True if all zones are ready and serve what their files hold, all feeds are fetched, and no certificate
    /// expires soon.
    pub fn is_well(&self) -> bool {
        if !self.server.certificates.iter().all(|certificate| certificate.is_well(self.time)) {
            return false;
        }
        let zones = self.zones.iter().all(|zone| zone.ready && zone.state == Health::Whole);
        zones
            && self.datasets.iter().all(DatasetStatus::is_well)
            && self.feeds.iter().all(FeedStatus::is_well)
    }

    /// The zones, datasets and feeds of this name: a zone brings its datasets, a dataset its zones, both the
    /// feeds of the datasets. `None` if there are none.
    pub fn of(&self, name: &str) -> Option<Self> {
        let apex = name.strip_suffix('.').unwrap_or(name).to_lowercase();
        let zone = self.zones.iter().find(|zone| zone.name == apex);
        let (zones, names) = match zone {
            Some(zone) => {
                let names = zone.datasets.iter().chain(&zone.allow).chain(&zone.acl);
                (vec![zone.clone()], names.map(String::as_str).collect())
            }
            None => {
                (self.zones.iter().filter(|zone| zone.uses(name)).cloned().collect(), vec![name])
            }
        };
        let datasets: Vec<_> = self
            .datasets
            .iter()
            .filter(|dataset| names.contains(&dataset.name.as_str()))
            .cloned()
            .collect();
        let is_used = |feed: &&FeedStatus| {
            let mut used = feed.datasets.iter();
            feed.name == name || used.any(|name| datasets.iter().any(|set| set.name == *name))
        };
        let feeds: Vec<_> = self.feeds.iter().filter(is_used).cloned().collect();
        let is_known = zone.is_some() || !datasets.is_empty() || !feeds.is_empty();
        is_known.then(|| {
            let is_told = |event: &&EventStatus| {
                let zone = event.zone.as_ref();
                event.dataset.as_ref().is_some_and(|name| names.contains(&name.as_str()))
                    || zone.is_some_and(|name| zones.iter().any(|zone| zone.name == *name))
            };
            let events = self.events.iter().filter(is_told).cloned().collect();
            // Whether that part is well is no matter of certificates.
            let server = ServerStatus { certificates: Vec::new(), ..self.server.clone() };
            Self { zones, datasets, feeds, watched: Vec::new(), events, server, ..*self }
        })
    }
}

impl ZoneStatus {
    fn uses(&self, dataset: &str) -> bool {
        self.datasets.iter().chain(&self.allow).chain(&self.acl).any(|name| name == dataset)
    }
}

impl DatasetStatus {
    /// True if what is served is what the files hold, and not too old.
    pub fn is_well(&self) -> bool {
        self.state == "live" && self.problem.is_none()
    }
}

#[cfg(test)]
mod tests;
