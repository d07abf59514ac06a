//! What the server tells of its queries: statistics and the query log, in the formats of rbldnsd,
//! so that graphs and log parsers built on these go on.
//!
//! Workers count in [`crate::engine::Counters`], and the time that some queries take in [`Latency`];
//! [`Statistics`] reads both on the control thread. What is asked most is estimated in [`top`].
//! Each line of the query log goes into a buffer of its worker, and a thread writes what is in the
//! buffers.

mod latency;
pub mod query_log;
pub mod report;
mod statistics;
pub mod top;
mod workers;

pub use latency::{BUCKETS, Histogram, Latency, Sampler};
pub use statistics::{Statistics, Traffic};
pub use workers::Workers;

use crate::engine::{Outcome, Request, WorkerState};
use query_log::{Lane, QueryLog};
use std::time::Duration;
use top::{TopSampler, Tops};

/// Where one worker counts and logs what it answers.
#[derive(Debug, Default)]
pub struct Recorder {
    worker: usize,
    latency: Latency,
    tops: Tops,
    log: Option<Lane>,
}

impl Recorder {
    /// A fresh state for the worker.
    pub fn state(&self) -> WorkerState {
        WorkerState::new(self.worker)
    }

    /// What picks queries of the worker to see what is asked most.
    pub fn top_sampler(&self) -> TopSampler {
        self.tops.sampler(self.worker)
    }

    /// Counts the time that a query took which a [`Sampler`] picked.
    pub fn took(&self, time: Duration) {
        self.latency.count(self.worker, time);
    }

    /// Logs a query and what came of it, if there is a log. `out` starts with the answer.
    #[inline(always)]
    pub fn log(&self, request: &Request<'_>, outcome: Outcome, out: &[u8]) {
        if let Some(lane) = &self.log {
            log(lane, request, outcome, out);
        }
    }
}

/// Apart, so that without a log next to nothing is done.
#[inline(never)]
fn log(lane: &Lane, request: &Request<'_>, outcome: Outcome, out: &[u8]) {
    if let Some(answer) = outcome.bytes().and_then(|len| out.get(..len)) {
        lane.log(request, answer);
    }
}

/// Gives every worker a [`Recorder`] of its own.
#[derive(Default)]
pub struct Recorders<'a> {
    next: usize,
    latency: Latency,
    tops: Tops,
    log: Option<&'a QueryLog>,
}

impl<'a> Recorders<'a> {
    /// For a server with this query log, whose times and most frequent keys and clients are counted there.
    pub fn new(log: Option<&'a QueryLog>, latency: Latency, tops: Tops) -> Self {
        Self { next: 0, latency, tops, log }
    }

    /// The recorder of the next worker.
    pub fn take(&mut self) -> Recorder {
        let worker = self.next;
        self.next += 1;
        let (latency, tops) = (self.latency.clone(), self.tops.clone());
        Recorder { worker, latency, tops, log: self.log.map(QueryLog::lane) }
    }
}
