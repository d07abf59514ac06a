//! The machine's cores, and the priority of a thread.

use std::sync::LazyLock;
use std::thread;

/// What a thread that loads takes from its priority once queries are answered. Not more: at the lowest
/// priority a busy machine would never reload (docs/decisions/007).
const NICE: i32 = 5;

/// What takes any thread to the lowest priority.
const LOWEST: i32 = 19;

/// The number of cores this process could use when that was first asked: finding it takes a dozen
/// system calls.
pub fn cores() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));
    *CORES
}

/// Makes this thread give way to those that answer queries: on Linux, each thread has its own priority.
pub fn lower_priority() {
    // The work is done at the higher priority too.
    let _ = rustix::process::nice(NICE);
}

/// Makes this thread give way to all others: for work that nobody waits for.
pub fn lowest_priority() {
    let _ = rustix::process::nice(LOWEST);
}
