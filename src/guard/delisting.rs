//! Files that would delist everything that is served of them.

use crate::source::Cause;

/// A well-formed file without entries does not replace one of `entries`, if these are at least `fewest`:
/// of a short list, somebody may have commented out the last entry.
pub(super) fn delisting(entries: u64, fewest: u64) -> Option<Cause> {
    (entries >= fewest).then_some(Cause::WouldDelistAll { entries })
}
