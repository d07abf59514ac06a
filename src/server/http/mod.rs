//! A page for people, metrics, health and the status over HTTP/1.1: read-only.
//!
//! ```text
//! listener (caps, deadlines) -> routes (a table) -> page | metrics | health | api, made of one Observation
//!                                               `-> readers -> page | api, made of files, too
//! ```
//!
//! What is told is an [`Observation`], which the control loop makes when it is asked, at most ten times a second.
//! No query waits for it, and a client that is slow or does not read holds one of few places for a minute. What
//! needs files as well is answered by threads of a lower priority, few at once and for a short time (`readers`).

mod answer;
mod api;
mod exposition;
mod form;
mod health;
mod listener;
mod metrics;
mod page;
mod readers;
mod routes;

pub use listener::{HttpLimits, HttpService};

use super::shared_catalog::SharedCatalog;
use super::{ConnectionCounts, ServerCounters};
use crate::config::Settings;
use crate::event::EventFigures;
use crate::stats::top::TopReport;
use crate::stats::{Histogram, Traffic};
use crate::status::{OverridesStatus, Protocol, Status, TrafficStatus};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How the server is at one moment, and what it has counted until then.
#[derive(Debug)]
pub struct Observation {
    /// How it is.
    pub status: Status,
    /// What was asked and answered; nothing before queries are answered.
    pub traffic: Vec<Traffic>,
    /// The queries beyond each quota, by name.
    pub quotas: BTreeMap<String, u64>,
    /// How long answers took.
    pub times: Histogram,
    /// What went wrong between the network and the engine; `None` before queries are answered.
    pub faults: Option<Arc<ServerCounters>>,
    /// What happened.
    pub events: EventFigures,
    /// The connections of each protocol that is served over streams.
    pub connections: Vec<(Protocol, ConnectionCounts)>,
    /// How long ago the server was started, by a clock that nobody sets.
    pub uptime: Duration,
    /// What is asked most, and who asks most.
    pub top: TopReport,
    /// How much was asked in each minute of the last day.
    pub history: Arc<TrafficStatus>,
    /// What is answered from; `None` before queries are answered.
    pub catalog: Option<Arc<SharedCatalog>>,
    /// The settings that are served.
    pub settings: Arc<Settings>,
    /// The commonest senders that allow lists let in; `None` before queries are answered.
    pub(crate) overrides: Option<OverridesStatus>,
}

/// Asks for an [`Observation`]. The channel is closed without one if the server has too much to do, or stops.
pub type Observe = Arc<dyn Fn() -> oneshot::Receiver<Observation> + Send + Sync>;
