//! Verdicts on what was read: one file per rule. `docs/guards.md` lists them with their settings.
//!
//! [`judge`] decides whether a candidate may replace what is served. [`foreign()`], [`other_form()`], [`Zeros`]
//! and [`future()`] are asked earlier, while a file is read or a snapshot is opened. Which rules hold is a
//! [`Policy`]; the figures are those of [`Guard`](crate::config::Guard). `expansion` is one of the
//! [limits](crate::source::Limits) of reading, and A values outside 127/8 are refused line by line, by the
//! parser.
//!
//! Most rules are for feeds. Lists of one's own are taken as they were written: only what cannot be read
//! leaves the old data in place.

mod abuse_code;
mod all;
mod backwards;
mod bad_lines;
mod count;
mod delisting;
mod empty;
mod expired;
mod facts;
mod foreign;
mod future;
mod grew;
mod interrupted;
mod nothing_valid;
mod odd;
mod other_form;
mod sentinel;
mod shrank;
mod test_entry;
#[cfg(test)]
mod testing;
mod zeros;

pub use abuse_code::Abuse;
pub use all::{Judgement, judge_by_all};
pub use facts::{Facts, Names};
pub use foreign::foreign;
pub use future::future;
pub use odd::Doubt;
pub use other_form::other_form;
pub use sentinel::BUILT_IN as BUILT_IN_SENTINELS;
pub use zeros::Zeros;

use crate::config::{self, Policy};
use crate::source::{Cause, Finding, MAX_SHOWN, Problem, SourceFile};
use crate::zone::Dataset;
use crate::zonefile::Diagnostics;
use std::path::Path;

/// A list of fewer entries may shrink to less than half, or to nothing in one of several files, without
/// being remarked upon.
const FEW: u64 = 20;

/// A feed that had fewer entries may shrink, grow and lose its order.
const MANY: u64 = 100;

/// Data that was read and built, and may be served.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The settings of the dataset.
    pub spec: &'a config::Dataset,
    /// The files.
    pub sources: &'a [SourceFile],
    /// What would be served.
    pub dataset: &'a Dataset,
    /// The facts of that.
    pub facts: &'a Facts,
    /// What is wrong with single lines.
    pub diagnostics: &'a Diagnostics,
    /// The most entries that the list ever had, if any version of it was ever accepted.
    pub most_entries: Option<u64>,
    /// The time in seconds since 1970.
    pub now: u64,
}

/// What was accepted last of the dataset that a candidate is for: what is served, or what is remembered of it
/// after a start.
#[derive(Clone, Copy, Debug)]
pub struct Baseline<'a> {
    /// The files; none if only the facts are remembered.
    pub sources: &'a [SourceFile],
    /// The facts.
    pub facts: &'a Facts,
    /// The data, unless only the facts are remembered.
    pub dataset: Option<&'a Dataset>,
    /// False if it was read from other files, or by another type: the candidate is no newer version of it.
    pub is_predecessor: bool,
}

/// What becomes of a candidate.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Verdict {
    /// It is served.
    Accept,
    /// It is served, and this is odd about it.
    Warn(Doubt),
    /// It is not served.
    Quarantine(Problem),
}

/// Decides whether a candidate may be served.
///
/// A well-formed list without entries (comments, specials, defaults: RFC 6471, section 3.4, wants lists to be
/// shut down in the open) is served as empty at the first load, but does not replace data that lists something,
/// unless it is somebody's own. If one of several files that had entries comes back without one, the others do
/// not make up for it.
pub fn judge(candidate: &Candidate<'_>, before: Option<&Baseline<'_>>, policy: &Policy) -> Verdict {
    let is_own = candidate.spec.is_own(candidate.most_entries);
    if let Some((file, cause)) = fault(candidate, before, policy, is_own) {
        return Verdict::Quarantine(Problem { file: file.to_owned(), cause });
    }
    let predecessor = before.filter(|before| before.is_predecessor);
    if let Some((finding, shown)) = finding(candidate, predecessor, policy, is_own) {
        let file = first_file(candidate).to_owned();
        return Verdict::Quarantine(Problem { file, cause: Cause::Guard { finding, shown } });
    }
    match odd::odd(candidate, before, predecessor, policy, is_own) {
        None => Verdict::Accept,
        Some(doubt) => Verdict::Warn(doubt),
    }
}

/// The first rule about files that a candidate breaks, and the file that it is about.
fn fault<'a>(
    candidate: &Candidate<'a>,
    served: Option<&Baseline<'a>>,
    policy: &Policy,
    is_own: bool,
) -> Option<(&'a Path, Cause)> {
    let Candidate { sources, .. } = *candidate;
    let first = first_file(candidate);
    let of = |source: &'a SourceFile, cause| (source.path.as_path(), cause);
    if let Some(cause) = served
        .filter(|_| policy.expired && !is_own)
        .and_then(|served| expired::expired(candidate, served))
    {
        return Some((first, cause));
    }
    let predecessor = served.filter(|served| served.is_predecessor);
    let before =
        |source: &SourceFile| predecessor?.sources.iter().find(|before| before.path == source.path);
    if policy.interrupted
        && let Some(found) = sources
            .iter()
            .find_map(|source| Some(of(source, interrupted::interrupted(source, before(source))?)))
    {
        return Some(found);
    }
    let accept_empty = candidate.spec.accept_empty || is_own;
    if entries(sources) == 0 {
        if policy.nothing_valid
            && let Some(found) = sources
                .iter()
                .find_map(|source| Some(of(source, nothing_valid::nothing_valid(source)?)))
        {
            return Some(found);
        }
        if policy.empty && !accept_empty && sources.iter().all(|s| empty::empty(s).is_some()) {
            return Some((first, Cause::Empty));
        }
        let served = predecessor.map_or(0, |served| served.facts.entries);
        let cause = delisting::delisting(served, 1).filter(|_| policy.delisting && !accept_empty);
        return cause.map(|cause| (first, cause));
    }
    let without_entries = sources.iter().filter(|source| source.entries == 0);
    without_entries
        .filter_map(|source| Some((source, before(source)?.entries)).filter(|(_, had)| *had > 0))
        .find_map(|(source, had)| {
            let cause = match nothing_valid::nothing_valid(source) {
                Some(cause) => policy.nothing_valid.then_some(cause),
                None if accept_empty => None,
                None => match empty::empty(source) {
                    Some(cause) => policy.empty.then_some(cause),
                    None => delisting::delisting(had, FEW).filter(|_| policy.delisting),
                },
            };
            Some(of(source, cause?))
        })
}

/// The first rule about the data as a whole that a candidate breaks, with the first lines or networks that are
/// wrong.
fn finding(
    candidate: &Candidate<'_>,
    before: Option<&Baseline<'_>>,
    policy: &Policy,
    is_own: bool,
) -> Option<(Finding, Vec<String>)> {
    let Candidate { spec, facts, .. } = *candidate;
    if facts.entries == 0 {
        // Whether it may be empty was decided.
        return None;
    }
    let alone = |finding| (finding, Vec::new());
    let last = before.map(|before| before.facts).filter(|_| !is_own);
    let large = last.filter(|last| last.entries >= MANY);
    let guard = &spec.guard;
    let is_told = policy.abuse_code && spec.own != Some(true);
    let abuse = is_told.then(|| abuse_code::abuse_code(facts.abuse)).flatten();
    let count = (policy.count && !is_own).then(|| count::count(candidate, last)).flatten();
    let words =
        (policy.nothing_valid && !is_own).then(|| nothing_valid::unaskable(facts, last)).flatten();
    let shrank =
        large.filter(|_| policy.shrank).and_then(|last| shrank::shrank(facts, last, guard));
    abuse
        .or(count)
        .or(words)
        .or(shrank)
        .map(alone)
        .or_else(|| {
            let bad = large.filter(|_| policy.bad_lines)?;
            Some((bad_lines::bad_lines(facts, bad, guard)?, first_bad_lines(candidate.diagnostics)))
        })
        .or_else(|| {
            let large = large.filter(|_| policy.grew)?;
            let finding = grew::grew(facts, large, guard)?;
            Some((
                finding,
                grew::widest(candidate.dataset, before.and_then(|before| before.dataset)),
            ))
        })
        .or_else(|| {
            policy.sentinel.then(|| sentinel::sentinel(candidate, before, is_own)).flatten()
        })
        .or_else(|| {
            let last = last?;
            let test_entry = policy
                .test_entry
                .then(|| test_entry::test_entry(&facts.test_entries, &last.test_entries))
                .flatten();
            let backwards =
                || policy.backwards.then(|| backwards::backwards(facts, last)).flatten();
            test_entry.or_else(backwards).map(alone)
        })
}

/// The first lines that could not be used, for people.
fn first_bad_lines(diagnostics: &Diagnostics) -> Vec<String> {
    let bad = diagnostics.kept.iter().filter(|bad| !bad.is_used);
    bad.map(|bad| {
        let excerpt = bad.excerpt.as_deref().unwrap_or_default();
        format!("line {}: {}: `{excerpt}`", bad.line, bad.reason)
    })
    .take(MAX_SHOWN)
    .collect()
}

fn first_file<'a>(candidate: &Candidate<'a>) -> &'a Path {
    candidate.sources.first().map_or(Path::new(""), |source| &source.path)
}

/// The number of entries in all files.
fn entries(sources: &[SourceFile]) -> u64 {
    sources.iter().map(|source| source.entries).sum()
}

#[cfg(test)]
mod tests;
