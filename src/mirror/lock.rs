//! The lock of a mirror: two supervisors would fetch everything twice, into the same files.

use crate::state::feeds::{WORKSHOP, create_folder};
use rustix::fs::{FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_setfd};
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The right to fetch into a mirror, until this is dropped and all programs have ended that were started
/// meanwhile.
#[derive(Debug)]
pub(super) struct MirrorLock {
    _file: File,
}

impl MirrorLock {
    /// Takes the lock; `None` if another supervisor has it.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(super) fn take(mirror: &Path) -> io::Result<Option<Self>> {
        let workshop = mirror.join(WORKSHOP);
        create_folder(&workshop)?;
        let mut options = File::options();
        options.create(true).append(true).mode(0o644).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(workshop.join("lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // The programs inherit it: a transfer that outlives a supervisor that was killed still writes.
        fcntl_setfd(&file, FdFlags::empty())?;
        Ok(Some(Self { _file: file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn one_supervisor_and_what_it_has_started_holds_it() {
        let mirror = tempfile::tempdir().unwrap();
        let first = MirrorLock::take(mirror.path()).unwrap();
        assert!(first.is_some());
        assert!(MirrorLock::take(mirror.path()).unwrap().is_none());
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        drop(first);
        assert!(MirrorLock::take(mirror.path()).unwrap().is_none(), "its child goes on");
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(MirrorLock::take(mirror.path()).unwrap().is_some());
    }
}
