//! The lock of the state folder: servers that all wrote to one would take each other's lists for theirs.

use crate::snapshot::MODE;
use crate::snapshot::folder::create_folder;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use tracing::trace;

/// The file in the state folder that is locked as long as a server uses it.
const NAME: &str = "lock";

/// The right to write to the state folder, until this is dropped.
#[derive(Debug)]
pub struct StateLock(Option<File>);

impl StateLock {
    /// Locks the state folder. `None` if another server has it: a server of the same files maps its
    /// snapshots all the same.
    pub fn take(state_dir: &Path) -> Option<Self> {
        match lock(state_dir) {
            Ok(file) => Some(Self(Some(file))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            // No other server can lock it either. Those who write there report the error.
            Err(error) => {
                trace!("the state folder {} cannot be locked: {error}", state_dir.display());
                Some(Self(None))
            }
        }
    }

    /// True if the folder is locked.
    pub fn is_locked(&self) -> bool {
        self.0.is_some()
    }

    /// True if what is locked lies in the state folder still. If the folder, or the lock in it, was
    /// removed, another server could lock a new one.
    pub fn holds(&self, state_dir: &Path) -> bool {
        let place = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let Some(Ok(locked)) = self.0.as_ref().map(File::metadata) else { return false };
        match fs::metadata(state_dir.join(NAME)) {
            Ok(there) => place(there) == place(locked),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }
}

fn lock(folder: &Path) -> io::Result<File> {
    create_folder(folder)?;
    let path = folder.join(NAME);
    let file = match open(&path) {
        // A link leads to a file of somebody else.
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            fs::remove_file(&path)?;
            open(&path)
        }
        file => file,
    }?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

fn open(path: &Path) -> io::Result<File> {
    let options = || {
        let mut options = File::options();
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).mode(MODE);
        options
    };
    // Another user's lock can be read.
    match options().read(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            options().create(true).append(true).open(path)
        }
        file => file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_at_a_time_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let first = StateLock::take(&state);
        assert!(first.is_some());
        assert!(StateLock::take(&state).is_none());
        drop(first);
        assert!(StateLock::take(&state).is_some());
        // Regression: a folder that was removed and made again had two servers, without a word.
        let second = StateLock::take(&state).unwrap();
        assert!(second.holds(&state));
        fs::remove_dir_all(&state).unwrap();
        assert!(!second.holds(&state));
        let third = StateLock::take(&state).unwrap();
        assert!(!second.holds(&state) && third.holds(&state));
        // A folder that cannot be locked is no other server's either.
        let unlocked = StateLock::take(&state.join(NAME)).unwrap();
        assert!(!unlocked.is_locked() && !unlocked.holds(&state));
    }

    /// Regression: the file that a link led to was made or locked, and a pipe was waited for.
    #[test]
    fn a_link_or_a_pipe_in_the_place_of_the_lock_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (state, other) = (folder.path().join("state"), folder.path().join("other"));
        fs::create_dir(&state).unwrap();
        std::os::unix::fs::symlink(&other, state.join(NAME)).unwrap();
        assert!(StateLock::take(&state).unwrap().is_locked());
        assert!(!other.exists());
        fs::remove_file(state.join(NAME)).unwrap();
        let made = std::process::Command::new("mkfifo").arg(state.join(NAME)).status();
        assert!(made.unwrap().success());
        assert!(StateLock::take(&state).unwrap().is_locked());
    }

    /// Regression: they were as open as the umask let them be.
    #[test]
    fn the_folder_and_its_files_are_those_of_the_server_and_its_group() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("deep/state");
        let _lock = StateLock::take(&state).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let forbidden = |path: &Path| mode(path) & 0o027;
        assert_eq!((mode(&state) & 0o700, forbidden(&state)), (0o700, 0));
        assert_eq!((mode(&state.join(NAME)) & 0o600, forbidden(&state.join(NAME))), (0o600, 0));
    }
}
