//! Files without a byte.

use crate::source::{Cause, SourceFile};

/// An empty file is what a failed download leaves.
pub(super) fn empty(file: &SourceFile) -> Option<Cause> {
    (file.report.content == 0).then_some(Cause::Empty)
}
