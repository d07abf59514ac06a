//! Files with another number of entries than they say.

use super::Candidate;
use crate::source::Finding;

/// Spamhaus ends its JSON lines with their number (`records`); a file that was cut and mended, or put together
/// of two, has another. One of several files may say nothing, so that these may have more.
pub(super) fn count(candidate: &Candidate<'_>) -> Option<Finding> {
    let facts = candidate.facts;
    let stated = facts.records?;
    let found = facts.entries + facts.bad_lines;
    let differs = found < stated || candidate.sources.len() == 1 && found > stated;
    differs.then_some(Finding::CountDiffers { stated, found })
}
