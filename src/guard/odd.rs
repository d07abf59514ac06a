//! What is odd about data that is served all the same.

use super::empty::empty;
use super::{Candidate, FEW, entries};
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
}

/// What is odd about a candidate, beside the files that were `served` before.
pub(super) fn odd(candidate: &Candidate<'_>, served: Option<&[SourceFile]>) -> Option<Doubt> {
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
    let is_first = served.is_none() && !candidate.accept_empty;
    if let Some(empty) = new.iter().find(|source| is_first && empty(source).is_some()) {
        return Some(Doubt::EmptyFile(empty.path.clone()));
    }
    let bad_lines: u64 = new.iter().map(|source| source.bad_lines).sum();
    if bad_lines > count {
        return Some(Doubt::MostlyBad(bad_lines));
    }
    let before = served.map_or(0, entries);
    (before >= FEW && count < before / 2).then_some(Doubt::Shrunk)
}
