//! Inputs as files, for what reads files.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::LazyLock;

/// A folder of this process, with a file for each of its threads.
static FOLDER: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

/// A file with these bytes, until this thread asks for the next one.
pub(crate) fn with(bytes: &[u8]) -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let path = FOLDER.path().join(thread.replace(['(', ')'], "-"));
    // A file made anew or cut to nothing each time would have to go to the disk each time.
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let mut file = file.expect("a temporary file");
    file.write_all(bytes).expect("a temporary file");
    file.set_len(bytes.len() as u64).expect("a temporary file");
    path
}
