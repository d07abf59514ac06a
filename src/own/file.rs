//! The file of a list: read whole, and replaced in one step.

use super::editor::Editor;
use crate::snapshot::Unfinished;
use crate::zonefile::Kind;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes: some millions of entries.
const MAX_SIZE: u64 = 256 << 20;

/// How often a file is read again that somebody else has changed meanwhile.
const TRIES: u32 = 5;

/// The mode of a file that there was none of.
const MODE: u32 = 0o644;

/// What kept a file from being read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    #[error("cannot read {}: {error}", file.display())]
    Unreadable { file: PathBuf, error: io::Error },
    #[error("{} is larger than {MAX_SIZE} bytes; change it by other means", .0.display())]
    TooLarge(PathBuf),
    #[error("{} is packed by gzip; unpack it to have entries written to it", .0.display())]
    Packed(PathBuf),
    #[error(
        "cannot write {}: {error}; nothing has changed; run the command as root or as the owner of the file",
        file.display()
    )]
    Unwritable { file: PathBuf, error: io::Error },
    #[error(
        "somebody else changes {} all the time; nothing has changed; try again when that has ended",
        .0.display()
    )]
    Contended(PathBuf),
}

/// Reads a list; one that is not there yet is empty.
///
/// # Errors
///
/// If it cannot be read, or if it is too large or packed.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, EditError> {
    let unreadable = |error| EditError::Unreadable { file: path.to_owned(), error };
    let mut text = Vec::new();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(text),
        Err(error) => return Err(unreadable(error)),
    };
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(ErrorKind::InvalidInput.into()));
    }
    file.take(MAX_SIZE + 1).read_to_end(&mut text).map_err(unreadable)?;
    match &text[..] {
        text if text.len() as u64 > MAX_SIZE => Err(EditError::TooLarge(path.to_owned())),
        [0x1f, 0x8b, ..] => Err(EditError::Packed(path.to_owned())),
        _ => Ok(text),
    }
}

/// Changes a list: reads it, and writes it if `edit` has changed it. Two programs that do so wait for each other. At
/// any time, also after a crash, the file is whole.
///
/// # Errors
///
/// If it cannot be read or written; then it is as it was.
pub(crate) fn change<T>(
    path: &Path,
    kind: Kind,
    mut edit: impl FnMut(&mut Editor<'_>) -> T,
) -> Result<T, EditError> {
    // A link stays, and what it leads to is changed.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let unwritable = |error| EditError::Unwritable { file: path.clone(), error };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(unwritable)?;
    // The system lets go of the lock with the file.
    flock(&folder, FlockOperation::LockExclusive).map_err(|error| unwritable(error.into()))?;
    for _ in 0..TRIES {
        let before = identity(path);
        let text = read(path)?;
        let mut editor = Editor::new(kind, &text);
        let told = edit(&mut editor);
        let new = editor.into_bytes();
        if new == text {
            return Ok(told);
        }
        if replace(path, &new, || identity(path) == before).map_err(unwritable)? {
            return Ok(told);
        }
    }
    Err(EditError::Contended(path.clone()))
}

/// What tells whether a file is still the same.
fn identity(path: &Path) -> Option<[i128; 4]> {
    let file = fs::metadata(path).ok()?;
    let changed = i128::from(file.ctime()) << 32 | i128::from(file.ctime_nsec());
    Some([file.dev().into(), file.ino().into(), file.size().into(), changed])
}

/// Replaces a file, with its owner and its mode, if it is still the same. False if it is not.
fn replace(path: &Path, text: &[u8], is_same: impl Fn() -> bool) -> io::Result<bool> {
    let mut new = Unfinished::create(path)?;
    let mode = match fs::metadata(path) {
        Ok(old) => {
            let own = new.file.metadata()?;
            if (old.uid(), old.gid()) != (own.uid(), own.gid()) {
                fchown(&new.file, Some(old.uid()), Some(old.gid()))?;
            }
            old.mode() & 0o7777
        }
        Err(error) if error.kind() == ErrorKind::NotFound => MODE,
        Err(error) => return Err(error),
    };
    new.file.set_permissions(Permissions::from_mode(mode))?;
    new.file.write_all(text)?;
    new.file.sync_all()?;
    if !is_same() {
        return Ok(false);
    }
    new.finish(path)?;
    Ok(true)
}
