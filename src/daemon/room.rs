//! The room that a server needs of the system, made sure of before anything starts. A thread that cannot
//! be had half way through the start ends a library by a panic, and a descriptor that cannot be had later
//! leaves a server that reads no list.

use crate::config;
use crate::util::threads::cores;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io;
use std::sync::RwLock;
use std::thread;
use std::time::{Duration, Instant};

/// Threads beside those that load and those that answer: two `control`, `watch` and the one that takes events
/// for it, `keep`, `archive`, `udp-delay`, `query-log` and `report`.
const THREADS: usize = 9;

/// Threads that live for a moment; what cannot have one does its work itself.
const HELPERS: usize = 3;

/// Descriptors beside those of sockets and those that load: of the control threads, of signals, of events,
/// of the state folder, of logs, and of some connections.
const DESCRIPTORS: usize = 32;

/// How long the system may take to forget threads that have ended.
const PATIENCE: Duration = Duration::from_millis(100);

/// The system does not give what a server needs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoRoom {
    #[error(
        "the system does not give the {needed} threads that the server needs ({cause}); raise TasksMax= \
         and LimitNPROC= of a systemd unit, or the user's limit of processes (ulimit -u)"
    )]
    Threads { needed: usize, cause: io::Error },
    #[error(
        "the system does not give the {needed} open files that the server needs at the least ({cause}); \
         raise LimitNOFILE= of a systemd unit, or the limit of open files (ulimit -n)"
    )]
    Descriptors { needed: usize, cause: io::Error },
}

/// Makes sure that there is room for a server with these settings and nothing started yet.
pub(super) fn ensure(server: &config::Server) -> Result<(), NoRoom> {
    allow_descriptors();
    let addresses = server.listen.len().max(1);
    let workers = addresses * server.workers.map_or_else(cores, usize::from);
    let tls = server.tls.as_ref().map_or(0, |tls| tls.listen.len() + tls.https_listen.len());
    // Of each socket there is a second one, for a server that takes the place of this one.
    descriptors(2 * (workers + addresses + tls) + 2 * cores() + DESCRIPTORS)?;
    threads(workers + 2 * cores() + THREADS + HELPERS)
}

/// Takes all the descriptors this process may have: connections, above all those of TLS, must not
/// leave none for reading a changed file.
fn allow_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::debug!("the limit of open files stays at {current:?}: {error}");
    }
}

/// Has so many descriptors at one time.
fn descriptors(needed: usize) -> Result<(), NoRoom> {
    let all = io::pipe().and_then(|(reader, _writer)| {
        (2..needed).map(|_| reader.try_clone()).collect::<io::Result<Vec<_>>>()
    });
    all.map(drop).map_err(|cause| NoRoom::Descriptors { needed, cause })
}

/// Has so many threads at one time.
fn threads(needed: usize) -> Result<(), NoRoom> {
    let before = tasks();
    let gate = RwLock::new(());
    let closed = gate.write();
    let all = thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, || drop(gate.read())).map(drop);
        let all = (0..needed).try_for_each(start);
        drop(closed);
        all
    });
    // Those that have ended count until the system has cleared them away.
    let since = Instant::now();
    while tasks() > before && since.elapsed() < PATIENCE {
        thread::yield_now();
    }
    all.map_err(|cause| NoRoom::Threads { needed, cause })
}

/// The threads of this process; 0 if the system does not tell.
fn tasks() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_has_is_enough() {
        // What is not enough is tried with a process of its own: other tests need descriptors, too.
        ensure(&config::Server::default()).unwrap();
        threads(64).unwrap();
    }
}
