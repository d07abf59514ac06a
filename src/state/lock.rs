//! The lock of the state folder: servers that all wrote to one would take each other's lists for theirs.

use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
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
    fs::create_dir_all(folder)?;
    let path = folder.join(NAME);
    // Another user's lock can be read.
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            File::options().create(true).append(true).open(path)
        }
        file => file,
    }?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
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
}
