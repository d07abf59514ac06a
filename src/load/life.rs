//! The life of a dataset: never loaded, live, stale, quarantined. Pure; the caller tells it the
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
//! Data that was once accepted is only ever replaced by data that was accepted, and a
//! [`Candidate`] can only be had by passing [`Life::judge`]: a file that is empty, garbage or gone
//! leaves the old data answering, also that of [before the start](Life::recall). (Under rbldnsd's name, only a file that is gone: see
//! [`Life::trust`].)

use crate::event::{Doubt, Load, Refusal, Served};
use crate::source::{Cause, Problem, SourceFile as Source};
use std::time::{Duration, SystemTime};

/// How long a problem that stays the same is kept quiet about before it is told again.
const REMIND: Duration = Duration::from_secs(3600);

/// Data that may replace what is served: [`Life::judge`] let it pass, or [`Life::trust`] was asked to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct Candidate {
    sources: Vec<Source>,
}

/// The data that is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Good {
    /// When it was accepted.
    pub since: SystemTime,
    /// The files it was built from.
    pub sources: Vec<Source>,
}

impl Good {
    /// The number of entries.
    pub fn entries(&self) -> u64 {
        entries(&self.sources)
    }
}

/// What is wrong at present.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// When this problem was first met.
    pub since: SystemTime,
    /// The problem.
    pub problem: Problem,
    /// How often it was met.
    pub attempts: u32,
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
pub struct Failure {
    /// What to tell, unless that was told a short time ago.
    pub refusal: Option<Refusal>,
    /// Load again after this time, even if no file is seen to change. A change of any of the
    /// files should always be tried at once.
    pub retry: Duration,
}

/// When a failed load is tried again although no file was seen to change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// After the first failure; doubled with each that follows.
    pub first: Duration,
    /// The longest wait, and the only one for faults that do not pass without a change.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    /// From 5 seconds to 10 minutes.
    fn default() -> Self {
        Self { first: Duration::from_secs(5), longest: Duration::from_secs(600) }
    }
}

impl RetryPolicy {
    fn wait(&self, trouble: &Trouble) -> Duration {
        if !trouble.problem.cause.may_pass_by_itself() {
            return self.longest;
        }
        let doublings = trouble.attempts.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// The life of one dataset.
///
/// ```
/// # use dnsbld::load::{Life, State};
/// # use dnsbld::source::{Limits, SourceFile as Source, read};
/// # use std::time::SystemTime;
/// # fn source(path: &std::path::Path, entries: u64) -> Source {
/// #     let mut sink = |_: &[u8]| Ok::<(), String>(());
/// #     let report = read(path, &Limits::default(), &mut sink).unwrap();
/// #     Source { path: path.into(), report, entries, bad_lines: 0, first_bad: None }
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("list");
/// # std::fs::write(&path, "1.2.3.4\n").unwrap();
/// let mut life = Life::default();
/// let candidate = life.judge(vec![source(&path, 1)], false).unwrap();
/// let load = life.accept(SystemTime::now(), candidate);
/// assert_eq!((load.entries, load.before), (1, None));
///
/// let problem = life.judge(vec![source(&path, 0)], false).unwrap_err();
/// let failure = life.refuse(SystemTime::now(), problem);
/// assert_eq!(life.state(), State::Quarantined);
/// assert_eq!(life.good().unwrap().entries(), 1);
/// assert_eq!(failure.refusal.unwrap().served.unwrap().entries, 1);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Life {
    policy: RetryPolicy,
    good: Option<Good>,
    /// What is served was read from other files, or by another type, than what comes next.
    foreign: bool,
    trouble: Option<Trouble>,
}

impl Life {
    /// A dataset of which nothing was loaded yet, with its own retry policy.
    pub fn new(policy: RetryPolicy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// The state in one word.
    pub fn state(&self) -> State {
        match (&self.good, &self.trouble) {
            (None, _) => State::NeverLoaded,
            (Some(_), None) => State::Live,
            (Some(_), Some(trouble)) if trouble.problem.cause.is_absence() => State::Stale,
            (Some(_), Some(_)) => State::Quarantined,
        }
    }

    /// What is served, if anything was ever loaded.
    pub fn good(&self) -> Option<&Good> {
        self.good.as_ref()
    }

    /// What is wrong at present.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// The next time the same is wrong, it is told again: somebody asks.
    pub fn tell_again(&mut self) {
        if let Some(trouble) = &mut self.trouble {
            trouble.told = SystemTime::UNIX_EPOCH;
        }
    }

    /// New settings name other files or another type: what is served stays until these can be,
    /// but they are no newer version of it and are judged on their own.
    pub fn start_over(&mut self) {
        self.foreign = true;
        self.trouble = None;
    }

    /// The version that is served of what is judged.
    fn predecessor(&self) -> Option<&Good> {
        self.good.as_ref().filter(|_| !self.foreign)
    }

    /// True if the files hold, byte by byte, what is served: nothing has to be built, only
    /// [`confirm`](Self::confirm) called.
    pub fn holds(&self, sources: &[Source]) -> bool {
        self.predecessor().is_some_and(|good| {
            good.sources.len() == sources.len()
                && good.sources.iter().zip(sources).all(|(ours, theirs)| {
                    ours.path == theirs.path && ours.report.hash == theirs.report.hash
                })
        })
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
    pub fn judge(&self, sources: Vec<Source>, accept_empty: bool) -> Result<Candidate, Problem> {
        match self.fault(&sources, accept_empty) {
            None => Ok(Candidate { sources }),
            Some((source, cause)) => {
                let file = source.map(|source| source.path.clone()).unwrap_or_default();
                Err(Problem { file, cause })
            }
        }
    }

    /// Files that may be served whatever they hold: for those who want no guard.
    pub fn trust(&self, sources: Vec<Source>) -> Candidate {
        Candidate { sources }
    }

    fn fault<'a>(
        &self,
        sources: &'a [Source],
        accept_empty: bool,
    ) -> Option<(Option<&'a Source>, Cause)> {
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
            return match self.predecessor().map_or(0, Good::entries) {
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
    fn before(&self, source: &Source) -> Option<&Source> {
        self.predecessor()?.sources.iter().find(|before| before.path == source.path)
    }

    /// The candidate was built and published.
    pub fn accept(&mut self, now: SystemTime, candidate: Candidate) -> Load {
        let new = Good { since: now, sources: candidate.sources };
        let load = Load {
            entries: new.entries(),
            files: new.sources.len(),
            before: self.good.as_ref().map(Good::entries),
            failed_for: self.trouble.take().map(|trouble| since(now, trouble.since)),
            doubt: doubt(&new, self.good.as_ref()),
        };
        self.good = Some(new);
        self.foreign = false;
        load
    }

    /// What is served was read at this time, before the server was started.
    pub fn date(&mut self, since: SystemTime) {
        if let Some(good) = &mut self.good {
            good.since = since;
        }
    }

    /// Data that was accepted at this time, before the server was started, is served until the files
    /// bring better.
    pub fn recall(&mut self, since: SystemTime, sources: Vec<Source>) {
        self.good = Some(Good { since, sources });
    }

    /// The files were read and [`hold`](Self::holds) what is served: a fault has passed, or a
    /// file was only touched. Says how long the fault lasted. Without good data this does nothing.
    pub fn confirm(&mut self, now: SystemTime, sources: Vec<Source>) -> Option<Duration> {
        let good = self.good.as_mut()?;
        good.sources = sources;
        self.foreign = false;
        self.trouble.take().map(|trouble| since(now, trouble.since))
    }

    /// Loading failed: a file could not be read, was rejected by the parser, by
    /// [`judge`](Self::judge) or by a later guard. What is served stays.
    pub fn refuse(&mut self, now: SystemTime, problem: Problem) -> Failure {
        let trouble = match &mut self.trouble {
            Some(trouble) if trouble.problem == problem => {
                trouble.attempts = trouble.attempts.saturating_add(1);
                trouble
            }
            other => other.insert(Trouble { since: now, problem, attempts: 1, told: now }),
        };
        let new = trouble.attempts == 1;
        let remind = now.duration_since(trouble.told).is_ok_and(|quiet| quiet >= REMIND);
        let refusal = (new || remind).then(|| {
            trouble.told = now;
            Refusal {
                problem: trouble.problem.clone(),
                told_for: (!new).then(|| since(now, trouble.since)),
                served: self
                    .good
                    .as_ref()
                    .map(|good| Served { entries: good.entries(), age: since(now, good.since) }),
            }
        });
        Failure { refusal, retry: self.policy.wait(trouble) }
    }
}

/// What is odd about data that is served all the same.
fn doubt(new: &Good, old: Option<&Good>) -> Option<Doubt> {
    let is_cut = |source: &&Source| source.report.identity.is_interrupted_transfer();
    if let Some(cut) = new.sources.iter().find(is_cut) {
        return Some(Doubt::Interrupted(cut.path.clone()));
    }
    if new.entries() == 0 {
        return Some(Doubt::Empty);
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

fn entries(sources: &[Source]) -> u64 {
    sources.iter().map(|source| source.entries).sum()
}

fn nothing_valid(source: &Source) -> Cause {
    Cause::NothingValid { bad_lines: source.bad_lines, first: source.first_bad.clone() }
}

/// The time between two moments; none if the clock was set back between them.
fn since(now: SystemTime, then: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

#[cfg(test)]
mod tests;
