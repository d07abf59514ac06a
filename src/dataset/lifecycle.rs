//! The lifecycle of a dataset: never loaded, live, stale, quarantined. Pure; the caller tells it the
//! time and what happened, and does what it says.
//!
//! ```text
//!                     accept                    refuse: the source is away
//!   never loaded ---------------> live ------------------------------------> stale
//!    (SERVFAIL)                    ^ \                                         |
//!                                  |  `---- refuse: the new data is wrong -> quarantined
//!                                  |                                           |
//!                                  `----------- accept, confirm ---------------'
//! ```
//!
//! Data that was once accepted is only replaced by data that was accepted: a file that is empty, garbage
//! or gone leaves the old data answering, also that of [before the start](Lifecycle::recall).

use super::served::Served;
use crate::event::{self, Load, Refusal};
use crate::guard::{Baseline, Doubt};
use crate::source::{Problem, SourceFile};
use std::fmt;
use std::time::{Duration, SystemTime};

/// How long a problem that stays the same is kept quiet about before it is told again.
const REMIND: Duration = Duration::from_secs(3600);

/// What is wrong at present.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    /// When this problem was first met.
    pub(crate) since: SystemTime,
    /// The problem.
    pub(crate) problem: Problem,
    /// How often it was met.
    pub(crate) attempts: u32,
    /// When it was last told.
    told: SystemTime,
}

/// The state in one word, for the status and the metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Nothing was ever accepted: zones that have nothing else answer SERVFAIL.
    NeverLoaded,
    /// What is served is what the files hold, as far as is known.
    Live,
    /// The files are away (vanished, unreadable, being written); the last good data is served.
    Stale,
    /// The files hold something wrong; the last good data is served.
    Quarantined,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverLoaded => "never-loaded",
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Quarantined => "quarantined",
        })
    }
}

/// A load failed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) struct RefusedLoad {
    /// What to tell, unless that was told a short time ago.
    pub(crate) refusal: Option<Refusal>,
    /// Load again after this time, even if no file is seen to change. A change of any of the
    /// files should always be tried at once.
    pub(crate) retry: Duration,
}

/// When a failed load is tried again although no file was seen to change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RetryPolicy {
    /// After the first failure; doubled with each that follows.
    pub(crate) first: Duration,
    /// The longest wait, and the only one for faults that do not pass without a change.
    pub(crate) longest: Duration,
}

impl Default for RetryPolicy {
    /// From 5 seconds to 10 minutes.
    fn default() -> Self {
        Self { first: Duration::from_secs(5), longest: Duration::from_secs(600) }
    }
}

impl RetryPolicy {
    fn wait(&self, failure: &Failure) -> Duration {
        if !failure.problem.cause.may_pass_by_itself() {
            return self.longest;
        }
        let doublings = failure.attempts.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// The lifecycle of one dataset. It owns what is served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lifecycle {
    policy: RetryPolicy,
    served: Option<Served>,
    failure: Option<Failure>,
    /// Since when the files have not been good, whatever was wrong with them meanwhile.
    bad_since: Option<BadSince>,
}

/// Since when files have not been good.
#[derive(Clone, Copy, Debug)]
struct BadSince {
    time: SystemTime,
    /// That was before the start.
    is_remembered: bool,
}

impl Lifecycle {
    /// The state in one word.
    pub(crate) fn state(&self) -> State {
        match (&self.served, &self.failure) {
            (None, _) => State::NeverLoaded,
            (Some(_), None) => State::Live,
            (Some(_), Some(failure)) if failure.problem.cause.is_absence() => State::Stale,
            (Some(_), Some(_)) => State::Quarantined,
        }
    }

    /// What is served, if anything was ever loaded.
    pub(crate) fn served(&self) -> Option<&Served> {
        self.served.as_ref()
    }

    /// What is served, to be renamed.
    pub(super) fn served_mut(&mut self) -> Option<&mut Served> {
        self.served.as_mut()
    }

    /// What is wrong at present.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Since when the files have not been good, if something is wrong at present.
    pub(crate) fn bad_since(&self) -> Option<SystemTime> {
        self.failure.as_ref().and(self.bad_since).map(|since| since.time)
    }

    /// The clock was set by so many seconds: times that it gave before are moved with it. Those from before the
    /// start are of another clock.
    pub(crate) fn clock_was_set(&mut self, by: i64) {
        let step = Duration::from_secs(by.unsigned_abs());
        let moved = |time: SystemTime| {
            let moved = if by < 0 { time.checked_sub(step) } else { time.checked_add(step) };
            moved.unwrap_or(time)
        };
        if let Some(failure) = &mut self.failure {
            failure.since = moved(failure.since);
        }
        if let Some(since) = self.bad_since.as_mut().filter(|since| !since.is_remembered) {
            since.time = moved(since.time);
        }
    }

    /// The next time the same is wrong, it is told again: somebody asks.
    pub(crate) fn tell_again(&mut self) {
        if let Some(failure) = &mut self.failure {
            failure.told = SystemTime::UNIX_EPOCH;
        }
    }

    /// New settings name other files: what is served stays until these can be, and what is wrong with the old
    /// ones is of no matter.
    pub(crate) fn forget_failure(&mut self) {
        self.failure = None;
        self.bad_since = None;
    }

    /// What is served, for those who judge `new`.
    pub(crate) fn baseline(&self, new: &Served) -> Option<Baseline<'_>> {
        let served = self.served.as_ref()?;
        let Served { sources, dataset, facts, .. } = served;
        let (dataset, is_predecessor) =
            (Some(&**dataset), served.lineage().precedes(new.lineage()));
        Some(Baseline { sources, facts, dataset, is_predecessor })
    }

    /// Serves this data from now on.
    pub(crate) fn accept(&mut self, now: SystemTime, new: Served, doubt: Option<Doubt>) -> Load {
        let load = Load {
            entries: new.entries(),
            files: new.sources.len(),
            before: self.served.as_ref().map(Served::entries),
            failed_for: self.failure.take().map(|failure| since(now, failure.since)),
            doubt,
        };
        self.served = Some(new);
        self.bad_since = None;
        load
    }

    /// Serves data that was accepted before the server was started, until the files bring better. These have not
    /// been good since `bad_since`, as far as is remembered.
    pub(crate) fn recall(&mut self, former: Served, bad_since: Option<SystemTime>) {
        self.served = Some(former);
        self.bad_since = bad_since.map(|time| BadSince { time, is_remembered: true });
    }

    /// The files hold, byte by byte, what is served: a fault has passed, or a file was only touched. Returns
    /// how long the fault lasted. Without good data this does nothing.
    pub(crate) fn confirm(
        &mut self,
        now: SystemTime,
        sources: Vec<SourceFile>,
    ) -> Option<Duration> {
        self.served.as_mut()?.sources = sources;
        self.bad_since = None;
        self.failure.take().map(|failure| since(now, failure.since))
    }

    /// Loading failed: a file could not be read, was rejected by the parser, by
    /// the [guard](crate::guard::judge). What is served stays.
    pub(crate) fn refuse(&mut self, now: SystemTime, problem: Problem) -> RefusedLoad {
        self.bad_since.get_or_insert(BadSince { time: now, is_remembered: false });
        let failure = match &mut self.failure {
            Some(failure) if failure.problem == problem => {
                failure.attempts = failure.attempts.saturating_add(1);
                failure
            }
            other => other.insert(Failure { since: now, problem, attempts: 1, told: now }),
        };
        let new = failure.attempts == 1;
        let remind = now.duration_since(failure.told).is_ok_and(|quiet| quiet >= REMIND);
        let refusal = (new || remind).then(|| {
            failure.told = now;
            Refusal {
                problem: failure.problem.clone(),
                told_for: (!new).then(|| since(now, failure.since)),
                served: self.served.as_ref().map(|served| event::LastGood {
                    entries: served.entries(),
                    age: since(now, served.since),
                    is_overdue: false,
                }),
            }
        });
        RefusedLoad { refusal, retry: self.policy.wait(failure) }
    }
}

/// The time between two moments; none if the clock was set back between them.
fn since(now: SystemTime, then: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

#[cfg(test)]
mod tests;
