//! Files with another number of entries than they say.

use super::{Candidate, Facts};
use crate::source::Finding;

/// Spamhaus ends its JSON lines with their number (`records`); a file that was cut and mended, or put together
/// of two, has another, and one whose end is missing has none. One of several files may say nothing, so that these
/// may have more.
pub(super) fn count(candidate: &Candidate<'_>, before: Option<&Facts>) -> Option<Finding> {
    let facts = candidate.facts;
    let Some(stated) = facts.records else {
        return Some(Finding::CountMissing { before: before?.records? });
    };
    let found = facts.entries + facts.bad_lines;
    let differs = found < stated || candidate.sources.len() == 1 && found > stated;
    differs.then_some(Finding::CountDiffers { stated, found })
}
