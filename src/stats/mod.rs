//! What the server tells of its queries: statistics and the query log, in the formats of rbldnsd,
//! so that graphs and log parsers built on these go on, and dnstap.
//!
//! Workers count in [`crate::engine::Counters`], and the time that some queries take in [`Latency`];
//! [`Statistics`] reads both on the control thread. What is asked most is estimated in [`top`].
//! What goes to the query log and to dnstap goes into buffers of the worker, and threads write what is in the
//! buffers ([`Taps`]).

pub mod dnstap;
mod lanes;
mod latency;
pub mod query_log;
pub mod report;
mod statistics;
mod taps;
pub mod top;
mod workers;

pub use latency::{BUCKETS, Histogram, Latency, Sampler};
pub use statistics::{Statistics, Traffic};
pub use taps::Taps;
pub use workers::Workers;

use crate::engine::{Catalog, Outcome, Request, WorkerState};
use dnstap::Ends;
use std::time::Duration;
use taps::Tap;
use top::{TopSampler, Tops};

/// Where one worker counts and logs what it answers.
#[derive(Debug, Default)]
pub struct Recorder {
    worker: usize,
    latency: Latency,
    tops: Tops,
    tap: Option<Box<Tap>>,
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

    /// Logs a query and what came of it, if that is on. `out` starts with the answer; `ends` tells where the
    /// query came from.
    #[inline(always)]
    pub fn log(
        &self,
        catalog: &Catalog,
        request: &Request<'_>,
        outcome: Outcome,
        out: &[u8],
        ends: impl FnOnce() -> Ends,
    ) {
        if let Some(tap) = &self.tap {
            log(tap, catalog, request, outcome, out, ends);
        }
    }
}

/// Apart, so that without a log next to nothing is done.
#[inline(never)]
fn log(
    tap: &Tap,
    catalog: &Catalog,
    request: &Request<'_>,
    outcome: Outcome,
    out: &[u8],
    ends: impl FnOnce() -> Ends,
) {
    if let Some(answer) = outcome.bytes().and_then(|len| out.get(..len)) {
        tap.take(catalog, request, answer, ends);
    }
}

/// Gives every worker a [`Recorder`] of its own.
#[derive(Default)]
pub struct Recorders<'a> {
    next: usize,
    latency: Latency,
    tops: Tops,
    taps: Option<&'a Taps>,
}

impl<'a> Recorders<'a> {
    /// For a server that logs queries there, and whose times and most frequent keys and clients are counted there.
    pub fn new(taps: &'a Taps, latency: Latency, tops: Tops) -> Self {
        Self { next: 0, latency, tops, taps: Some(taps) }
    }

    /// The recorder of the next worker.
    pub fn take(&mut self) -> Recorder {
        let worker = self.next;
        self.next += 1;
        let (latency, tops) = (self.latency.clone(), self.tops.clone());
        Recorder { worker, latency, tops, tap: self.taps.and_then(Taps::tap) }
    }
}
