//! Signals that would end the process before anybody listens to them.

use nix::sys::signal::{SigSet, Signal};

/// What a server does something for: until it listens, they wait.
const HELD: [Signal; 4] = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGALRM];

/// Call it first, on the first thread: those it starts do the same. The signals of a server wait until
/// [`release`] is called. One that says that a file has reached its greatest size (setrlimit(2)) waits for
/// ever: who writes the file gets an error and can tell it.
pub fn hold() {
    let held = SigSet::from_iter(HELD.into_iter().chain([Signal::SIGXFSZ]));
    // An error says that there is no such signal.
    let _ = held.thread_block();
}

/// From now on, the signals of a server take their effect on this thread.
pub fn release() {
    let _ = SigSet::from_iter(HELD).thread_unblock();
}
