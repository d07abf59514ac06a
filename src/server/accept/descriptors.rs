//! A reserve of descriptors that no connection may use, so that lists are read and logs are opened.

use crate::util::threads::cores;
use rustix::process::{Resource, getrlimit};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use tokio::net::TcpStream;

/// Descriptors for files, beside those of the threads that load: logs, the state folder, answers that need files.
const FILES: usize = 32;

/// The descriptors of this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::server) struct Reserve {
    /// The first number of the reserve.
    first: RawFd,
}

impl Reserve {
    /// As the system limits this process now: room for files, but no more than a quarter of all.
    pub(super) fn of_this_process() -> Self {
        let most = getrlimit(Resource::Nofile).current;
        Self::of(most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX))
    }

    fn of(most: usize) -> Self {
        let reserve = (2 * cores() + FILES).min(most / 4);
        Self { first: RawFd::try_from(most - reserve).unwrap_or(RawFd::MAX) }
    }

    /// True if the descriptor is one of the reserve. A new one is the lowest that is free (POSIX, 2.6), so none
    /// was free outside of the reserve then.
    pub(in crate::server) fn has(self, descriptor: &impl AsRawFd) -> bool {
        descriptor.as_raw_fd() >= self.first
    }

    /// The connection with the lowest descriptor that is free now.
    pub(super) fn leave(self, stream: TcpStream) -> io::Result<TcpStream> {
        let moved = stream.into_std()?.try_clone()?;
        TcpStream::from_std(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_descriptors_are_the_reserve() {
        assert_eq!(Reserve::of(40), Reserve { first: 30 });
        let files = RawFd::try_from(2 * cores() + FILES).unwrap();
        assert_eq!(Reserve::of(1 << 20), Reserve { first: (1 << 20) - files });
        assert_eq!(Reserve::of(usize::MAX), Reserve { first: RawFd::MAX });
        assert_eq!(Reserve::of(0), Reserve { first: 0 });
    }
}
