//! Snapshots: compiled datasets on disk, used where they lie.
//!
//! A snapshot holds a compiled dataset and the identity of the files it was made from. The server maps
//! it and does not read it: pages come from the cache, and processes share them. `docs/format.md` has
//! the byte map.
//!
//! - [`write()`] puts a snapshot in place, whole or not at all.
//! - [`open()`] checks and maps a snapshot. A file that is damaged, cut off or of another version is an
//!   error, never a dataset.
//! - [`Origin`] names the files and rules that it was made from; the caller of [`open()`] compares them.
//! - [`intake::Intake`] copies a snapshot that somebody else may change, so that it can be mapped.
//! - [`folder::Folder`] is the folder of a server's own snapshots.
//! - [`verify()`] checks every key, answer and byte.
//!
//! This is the only room that maps files. It maps only files that dnsbld wrote itself, and that nobody
//! changes: they have no name, or are replaced and never written to again. A file that is cut off while it
//! is mapped would end the process.
//!
//! A checksum detects damage, not malice. Lookups are safe for any bytes: a forged snapshot can give wrong
//! answers, and can do no other harm.

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
pub use origin::{Origin, RuleDifference, Rules};
pub use verify::{Fault, Verified, verify, verify_bytes};
pub(crate) use write::{MODE, UNFINISHED, Unfinished};
pub use write::{Unfit, WriteError, id_if_fit, write};

use std::fmt;

/// The identity of the data of a snapshot: the XXH3 128-bit hash of its data part. Equal data has
/// equal bytes, on every machine.
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
