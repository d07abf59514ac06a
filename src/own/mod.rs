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
