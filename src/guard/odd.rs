//! What is odd about data that is served all the same.

use super::empty::empty;
use super::{Baseline, Candidate, FEW, entries, sentinel};
use crate::config::Policy;
use crate::source::SourceFile;
use crate::zone::Dataset;
use std::path::PathBuf;

/// What is odd.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// An interrupted transfer has left this file, and there is no better data.
    Interrupted(PathBuf),
    /// It lists nothing.
    Empty,
    /// This file of several holds no bytes, and nothing was served before.
    EmptyFile(PathBuf),
    /// More lines are wrong, this many, than are right.
    MostlyBad(u64),
    /// It has fewer than half of the entries that it had.
    Shrunk,
    /// It lists what no list should, from the beginning.
    Sentinel {
        /// The address or name.
        sentinel: String,
        /// What it is.
        known_as: &'static str,
    },
}

/// What is odd about a candidate, beside what was accepted before, of whatever files, and its predecessor.
pub(super) fn odd(
    candidate: &Candidate<'_>,
    before: Option<&Baseline<'_>>,
    predecessor: Option<&Baseline<'_>>,
    policy: &Policy,
    is_own: bool,
) -> Option<Doubt> {
    let new = candidate.sources;
    let is_cut = |source: &&SourceFile| source.report.identity.is_interrupted_transfer();
    if let Some(cut) = new.iter().find(is_cut) {
        return Some(Doubt::Interrupted(cut.path.clone()));
    }
    let count = entries(new);
    if count == 0 {
        // A generic file may be there for its $SOA and $NS alone.
        let Dataset { records, soa, ns, .. } = candidate.dataset;
        let is_head = records.is_some() && (soa.is_some() || ns.is_some());
        return (!is_head).then_some(Doubt::Empty);
    }
    // Later, the rule for files that had entries judges it.
    let is_first = before.is_none() && !candidate.spec.accept_empty && !is_own;
    if let Some(empty) = new.iter().find(|source| is_first && empty(source).is_some()) {
        return Some(Doubt::EmptyFile(empty.path.clone()));
    }
    let bad_lines: u64 = new.iter().map(|source| source.bad_lines).sum();
    if bad_lines > count {
        return Some(Doubt::MostlyBad(bad_lines));
    }
    let had = before.map_or(0, |before| before.facts.entries);
    if !is_own && had >= FEW && count < had / 2 {
        return Some(Doubt::Shrunk);
    }
    let doubt = sentinel::doubt(candidate, predecessor).filter(|_| policy.sentinel && !is_own);
    doubt.map(|(sentinel, known_as)| Doubt::Sentinel { sentinel, known_as })
}
