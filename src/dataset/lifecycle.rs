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
use crate::event::{self, Doubt, Load, Refusal};
use crate::source::{Cause, Problem, SourceFile};
use crate::zone::Dataset;
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

/// A load failed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) struct Refused {
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
    /// What is served was read from other files, or by another type, than what comes next.
    is_unrelated: bool,
    failure: Option<Failure>,
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

    /// The next time the same is wrong, it is told again: somebody asks.
    pub(crate) fn tell_again(&mut self) {
        if let Some(failure) = &mut self.failure {
            failure.told = SystemTime::UNIX_EPOCH;
        }
    }

    /// New settings name other files or another type: what is served stays until these can be,
    /// but they are no newer version of it and are judged on their own.
    pub(crate) fn start_over(&mut self) {
        self.is_unrelated = true;
        self.failure = None;
    }

    /// The version that is served of what is judged.
    fn predecessor(&self) -> Option<&Served> {
        self.served.as_ref().filter(|_| !self.is_unrelated)
    }

    /// Decides whether files that were read and parsed may be served.
    ///
    /// - Files without a single byte, or with bad lines and no entry, are never served.
    /// - A well-formed list without entries (comments, specials, defaults: RFC 6471, section 3.4,
    ///   wants lists to be shut down in the open) is served as empty at the first load, but does
    ///   not replace data that lists something.
    /// - If a file that had entries comes back without one, the others of its dataset do not make up for
    ///   it, unless it had few and is well formed: somebody may have commented out the last one.
    /// - What an interrupted `rsync --partial` left does not replace a version that does not look
    ///   like that: a mirror that gives all its files the time 1970 still works.
    ///
    /// `accept_empty` lets lists be emptied by files that are empty or well formed, not by garbage.
    pub(crate) fn judge(&self, sources: &[SourceFile], accept_empty: bool) -> Result<(), Problem> {
        match self.fault(sources, accept_empty) {
            None => Ok(()),
            Some((source, cause)) => {
                let file = source.map(|source| source.path.clone()).unwrap_or_default();
                Err(Problem { file, cause })
            }
        }
    }

    fn fault<'a>(
        &self,
        sources: &'a [SourceFile],
        accept_empty: bool,
    ) -> Option<(Option<&'a SourceFile>, Cause)> {
        if let Some(cut) = sources.iter().find(|source| {
            source.report.identity.is_interrupted_transfer()
                && self.before(source).is_some_and(|b| !b.report.identity.is_interrupted_transfer())
        }) {
            return Some((Some(cut), Cause::Interrupted));
        }
        if entries(sources) == 0 {
            if let Some(garbage) = sources.iter().find(|source| source.bad_lines > 0) {
                return Some((Some(garbage), nothing_valid(garbage)));
            }
            if accept_empty {
                return None;
            }
            if sources.iter().all(|source| source.report.content == 0) {
                return Some((sources.first(), Cause::Empty));
            }
            return match self.predecessor().map_or(0, Served::entries) {
                0 => None,
                entries => Some((sources.first(), Cause::WouldDelistAll { entries })),
            };
        }
        sources.iter().filter(|source| source.entries == 0).find_map(|source| {
            let entries = self.before(source).map_or(0, |before| before.entries);
            let cause = if entries == 0 {
                return None;
            } else if source.bad_lines > 0 {
                nothing_valid(source)
            } else if accept_empty {
                return None;
            } else if source.report.content == 0 {
                Cause::Empty
            } else if entries >= FEW {
                Cause::WouldDelistAll { entries }
            } else {
                return None;
            };
            Some((Some(source), cause))
        })
    }

    /// The version of a file that is served.
    fn before(&self, source: &SourceFile) -> Option<&SourceFile> {
        self.predecessor()?.sources.iter().find(|before| before.path == source.path)
    }

    /// Serves this data from now on.
    pub(crate) fn accept(&mut self, now: SystemTime, new: Served) -> Load {
        let load = Load {
            entries: new.entries(),
            files: new.sources.len(),
            before: self.served.as_ref().map(Served::entries),
            failed_for: self.failure.take().map(|failure| since(now, failure.since)),
            doubt: doubt(&new, self.served.as_ref()),
        };
        self.served = Some(new);
        self.is_unrelated = false;
        load
    }

    /// Serves data that was accepted before the server was started, until the files bring better.
    pub(crate) fn recall(&mut self, former: Served) {
        self.served = Some(former);
    }

    /// The files hold, byte by byte, what is served: a fault has passed, or a file was only touched. Returns
    /// how long the fault lasted. Without good data this does nothing.
    pub(crate) fn confirm(
        &mut self,
        now: SystemTime,
        sources: Vec<SourceFile>,
    ) -> Option<Duration> {
        self.served.as_mut()?.sources = sources;
        self.is_unrelated = false;
        self.failure.take().map(|failure| since(now, failure.since))
    }

    /// Loading failed: a file could not be read, was rejected by the parser, by
    /// [`judge`](Self::judge) or by a later guard. What is served stays.
    pub(crate) fn refuse(&mut self, now: SystemTime, problem: Problem) -> Refused {
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
                served: self.served.as_ref().map(|served| event::Served {
                    entries: served.entries(),
                    age: since(now, served.since),
                }),
            }
        });
        Refused { refusal, retry: self.policy.wait(failure) }
    }
}

/// What is odd about data that is served all the same.
fn doubt(new: &Served, old: Option<&Served>) -> Option<Doubt> {
    let is_cut = |source: &&SourceFile| source.report.identity.is_interrupted_transfer();
    if let Some(cut) = new.sources.iter().find(is_cut) {
        return Some(Doubt::Interrupted(cut.path.clone()));
    }
    if new.entries() == 0 {
        // A generic file may be there for its $SOA and $NS alone.
        let Dataset { records, soa, ns, .. } = &*new.dataset;
        let is_head = records.is_some() && (soa.is_some() || ns.is_some());
        return (!is_head).then_some(Doubt::Empty);
    }
    let bad_lines: u64 = new.sources.iter().map(|source| source.bad_lines).sum();
    if bad_lines > new.entries() {
        return Some(Doubt::MostlyBad(bad_lines));
    }
    let shrunk = old.is_some_and(|old| old.entries() >= FEW && new.entries() < old.entries() / 2);
    shrunk.then_some(Doubt::Shrunk)
}

/// A list of fewer entries may shrink to less than half without being remarked upon.
const FEW: u64 = 20;

fn entries(sources: &[SourceFile]) -> u64 {
    sources.iter().map(|source| source.entries).sum()
}

fn nothing_valid(source: &SourceFile) -> Cause {
    Cause::NothingValid { bad_lines: source.bad_lines, first: source.first_bad.clone() }
}

/// The time between two moments; none if the clock was set back between them.
fn since(now: SystemTime, then: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

#[cfg(test)]
mod tests;
