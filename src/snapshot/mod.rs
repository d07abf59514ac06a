//! Snapshots: compiled datasets on disk, used where they lie.
//!
//! A snapshot is what a dataset was compiled to, with what tells whether its sources are still the
//! same. It is mapped, not read: pages come from the cache, and processes share them. The byte map
//! is `docs/format.md`.
//!
//! - [`write()`] puts one in place, whole or not at all.
//! - [`open()`] checks and maps one. What is damaged, cut off or of another version is an error,
//!   never a dataset.
//! - [`Origin`] says what it was made from; whoever opens it decides if that is what is wanted.
//! - [`intake::Intake`] takes in a snapshot that somebody else may change, so that it can be mapped.
//! - [`folder::Folder`] is the place where a server keeps its own.
//! - [`verify()`] looks at every key.
//!
//! This is the only room that maps files. Only files that dnsbld itself has written, that have no
//! name by which others would write to them, or that are replaced but never changed, are mapped;
//! a file that is cut off while it is mapped would end the process.
//!
//! A checksum tells damage, not malice. Lookups are safe whatever the bytes are, so that a
//! snapshot made to do harm can lie, but not more.

mod bytes;
mod facts;
pub mod folder;
pub mod format;
pub mod intake;
mod map;
mod open;
mod origin;
mod verify;
mod write;

#[cfg(test)]
mod tests;

pub use open::{OpenError, Opened, open, open_bytes, open_file};
pub use origin::{Difference, Origin, Rules};
pub use verify::{Fault, Verified, verify, verify_bytes};
pub(crate) use write::{MODE, UNFINISHED, Unfinished};
pub use write::{Unfit, WriteError, id_if_fit, write};

use std::fmt;

/// What tells the data of a snapshot from any other: the XXH3 128-bit hash of its data part. Equal
/// data has equal bytes, on every machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Id(pub u128);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// True if a file that starts like this is meant to be a snapshot.
pub fn is_snapshot(start: &[u8]) -> bool {
    start.starts_with(&format::MAGIC)
}
