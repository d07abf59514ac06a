//! Verdicts on what was read: one file per rule.
//!
//! [`judge`] decides whether a candidate may replace what is served. [`foreign()`], [`other_form()`], [`Zeros`]
//! and [`future()`] are asked earlier, while a file is read or a snapshot is opened. Which rules hold is a
//! [`Policy`]; `expansion` is one of the [limits](crate::source::Limits) of reading, and A values outside
//! 127/8 are refused line by line, by the parser.

mod delisting;
mod empty;
mod expired;
mod facts;
mod foreign;
mod future;
mod interrupted;
mod nothing_valid;
mod odd;
mod other_form;
mod zeros;

pub use facts::Facts;
pub use foreign::foreign;
pub use future::future;
pub use odd::Doubt;
pub use other_form::other_form;
pub use zeros::Zeros;

use crate::config::Policy;
use crate::source::{Cause, Problem, SourceFile};
use crate::zone::Dataset;
use std::path::Path;

/// A list of fewer entries may shrink to less than half, or to nothing in one of several files, without
/// being remarked upon.
const FEW: u64 = 20;

/// Data that was read and built, and may be served.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The files.
    pub sources: &'a [SourceFile],
    /// What would be served.
    pub dataset: &'a Dataset,
    /// Files that are empty or well formed may empty the list.
    pub accept_empty: bool,
    /// The time in seconds since 1970.
    pub now: u64,
}

/// What is served of the dataset that a candidate is for.
#[derive(Clone, Copy, Debug)]
pub struct Baseline<'a> {
    /// The files.
    pub sources: &'a [SourceFile],
    /// The data.
    pub dataset: &'a Dataset,
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
/// shut down in the open) is served as empty at the first load, but does not replace data that lists something.
/// If one of several files that had entries comes back without one, the others do not make up for it.
pub fn judge(candidate: &Candidate<'_>, served: Option<&Baseline<'_>>, policy: &Policy) -> Verdict {
    if let Some((file, cause)) = fault(candidate, served, policy) {
        return Verdict::Quarantine(Problem { file: file.to_owned(), cause });
    }
    match odd::odd(candidate, served.map(|served| served.sources)) {
        None => Verdict::Accept,
        Some(doubt) => Verdict::Warn(doubt),
    }
}

/// The first rule that a candidate breaks, and the file that it is about.
fn fault<'a>(
    candidate: &Candidate<'a>,
    served: Option<&Baseline<'a>>,
    policy: &Policy,
) -> Option<(&'a Path, Cause)> {
    let Candidate { sources, accept_empty, .. } = *candidate;
    let first = sources.first().map_or(Path::new(""), |source| &source.path);
    let of = |source: &'a SourceFile, cause| (source.path.as_path(), cause);
    if let Some(cause) =
        served.filter(|_| policy.expired).and_then(|served| expired::expired(candidate, served))
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
    let judges_empty = !accept_empty;
    if entries(sources) == 0 {
        if policy.nothing_valid
            && let Some(found) = sources
                .iter()
                .find_map(|source| Some(of(source, nothing_valid::nothing_valid(source)?)))
        {
            return Some(found);
        }
        if policy.empty && judges_empty && sources.iter().all(|s| empty::empty(s).is_some()) {
            return Some((first, Cause::Empty));
        }
        let served = predecessor.map_or(0, |served| entries(served.sources));
        let cause = delisting::delisting(served, 1).filter(|_| policy.delisting && judges_empty);
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

/// The number of entries in all files.
fn entries(sources: &[SourceFile]) -> u64 {
    sources.iter().map(|source| source.entries).sum()
}
