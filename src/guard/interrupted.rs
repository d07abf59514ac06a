//! What an interrupted `rsync --partial` left.

use crate::source::{Cause, SourceFile};

/// Such a file does not replace a version that does not look like that: a mirror that gives all its files
/// the time 1970 still works.
pub(super) fn interrupted(file: &SourceFile, before: Option<&SourceFile>) -> Option<Cause> {
    let is_cut = |file: &SourceFile| file.report.identity.is_interrupted_transfer();
    (is_cut(file) && before.is_some_and(|before| !is_cut(before))).then_some(Cause::Interrupted)
}
