//! Inputs as files, for what reads files.

use std::cell::RefCell;
use std::io::{Seek, Write};
use std::path::PathBuf;
use tempfile::NamedTempFile;

thread_local! {
    /// A file of this thread, removed when the thread ends.
    static FILE: RefCell<NamedTempFile> =
        RefCell::new(NamedTempFile::new().expect("a temporary file"));
}

/// A file with these bytes, until this thread asks for the next one.
pub(crate) fn with(bytes: &[u8]) -> PathBuf {
    FILE.with_borrow_mut(|file| {
        // A file made anew or cut to nothing each time would have to go to the disk each time.
        file.rewind().expect("a temporary file");
        file.write_all(bytes).expect("a temporary file");
        file.as_file().set_len(bytes.len() as u64).expect("a temporary file");
        file.path().to_owned()
    })
}
