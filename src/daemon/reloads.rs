//! The reloads whose clients wait for their end.

use super::reload_report::ReloadReport;
use super::request::{ControlAnswer, Reply};
use crate::config::{Changes, Errors};
use crate::status::Status;
use std::time::{Duration, Instant};

/// How often it is looked whether a reload is over, while somebody waits for that.
const LOOK: Duration = Duration::from_millis(20);

/// How long files that are being written are waited for.
const FILES: Duration = Duration::from_secs(60);

/// The reloads whose clients wait for their end.
#[derive(Default)]
pub(super) struct Reloads(Vec<Waiting>);

struct Waiting {
    since: Instant,
    before: Status,
    report: ReloadReport,
    reply: Reply,
}

impl Reloads {
    /// A reload has begun then, with this outcome for the settings.
    pub(super) fn begin(
        &mut self,
        since: Instant,
        before: Status,
        settings: &Result<Changes, Errors>,
        reply: Reply,
    ) {
        let report = ReloadReport::new(before.schema, settings);
        self.0.push(Waiting { since, before, report, reply });
    }

    /// When to look whether they are over.
    pub(super) fn look_at(&self) -> Option<Instant> {
        (!self.0.is_empty()).then(|| Instant::now() + LOOK)
    }

    /// True if somebody waits and need not wait longer: all is at rest, or a file never seems to be.
    pub(super) fn are_over(&self, is_at_rest: bool) -> bool {
        let longest = self.0.iter().map(|waiting| waiting.since.elapsed()).max();
        longest.is_some_and(|longest| is_at_rest || longest > FILES)
    }

    /// Answers all who wait.
    pub(super) fn finish(&mut self, now: &Status) {
        for Waiting { since, before, report, reply } in self.0.drain(..) {
            let report = report.finish(&before, now, since.elapsed());
            reply.send(ControlAnswer::Reload(Box::new(report)));
        }
    }
}
