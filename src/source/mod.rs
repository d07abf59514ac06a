//! Reading the files of a dataset safely: whole or not at all, and never half of a change.
//!
//! - [`read()`] reads one file; [`read_ahead()`] does so on a thread of its own; [`read_appended`] reads a file
//!   that something keeps appending to.
//! - [`FileState`] and [`Identity`] tell one version of a file from another by one `stat`.
//! - [`Version`] is one version of a file, which can be read once more while it is there.
//! - [`Problem`] says which file cannot be used, why, and what to do about it.
//!
//! Nothing here knows how a file is parsed.

mod append;
mod error;
mod finding;
mod gzip;
mod identity;
mod read;
mod read_ahead;
#[cfg(test)]
mod tests;
mod version;

pub use append::read_appended;
pub use error::{Cause, Problem};
pub use finding::{Finding, MAX_SHOWN, Mark, Measure, Unaskable};
pub(crate) use identity::COARSE_TICK;
pub use identity::{FileState, Identity, Stable, Stamp};
pub use read::{Limits, ReadReport, read};
pub use read_ahead::read_ahead;
pub use version::Version;

use std::path::PathBuf;

/// One file of a dataset as it was read and parsed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFile {
    /// The file, as the configuration names it.
    pub path: PathBuf,
    /// What the reader saw.
    pub report: ReadReport,
    /// The number of valid entries.
    pub entries: u64,
    /// The number of lines that should be entries or specials and are invalid.
    pub bad_lines: u64,
    /// What is wrong with the first bad line.
    pub first_bad: Option<String>,
}
