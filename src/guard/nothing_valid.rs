//! Files of which no line is valid.

use crate::source::{Cause, SourceFile};

/// A file with bad lines and no entry is garbage.
pub(super) fn nothing_valid(file: &SourceFile) -> Option<Cause> {
    (file.entries == 0 && file.bad_lines > 0)
        .then(|| Cause::NothingValid { bad_lines: file.bad_lines, first: file.first_bad.clone() })
}
