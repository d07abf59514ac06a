//! Signals that would end the process before anybody listens to them.

use nix::sys::signal::{SigSet, Signal};

/// The signals that a server acts on. They wait until it listens.
const HELD: [Signal; 4] = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGALRM];

/// Blocks the signals of a server until [`release`], and SIGXFSZ (a file has reached the size limit of
/// setrlimit(2)) for ever: the writer of the file gets an error and reports it. Call this first, on the
/// first thread: the threads that it starts inherit the mask.
pub fn hold() {
    let held = SigSet::from_iter(HELD.into_iter().chain([Signal::SIGXFSZ]));
    // The only error is that there is no such signal.
    let _ = held.thread_block();
}

/// Unblocks the signals of a server on this thread.
pub fn release() {
    let _ = SigSet::from_iter(HELD).thread_unblock();
}
