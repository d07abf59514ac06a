//! Lists of one's own: entries that a command adds and removes, in files that people edit, too.
//!
//! `Editor` changes the bytes of a file by its lines, `file` reads and writes the file, and `choice` finds the
//! list in the settings.

mod choice;
mod editor;
mod file;

pub(crate) use choice::{OwnRole, choose, lists};
pub(crate) use editor::{Added, Editor, Note, OwnEntry, Removed};
pub(crate) use file::{change, read};

/// The length of the widest prefix of IPv4 that one entry may have without more ado.
pub(crate) const WIDEST_IP4: u8 = 8;

/// The length of the widest prefix of IPv6 that one entry may have without more ado.
pub(crate) const WIDEST_IP6: u8 = 32;
