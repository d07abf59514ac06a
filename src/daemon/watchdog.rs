//! Whether the threads that answer go on: what the manager of services is told, which restarts a server that
//! hangs (`WatchdogSec=`).

use crate::event::{Event, EventSink};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a thread may take for a round, which it ends at least once a second; a machine that is very busy, or was
/// asleep, gets more.
const PATIENCE: Duration = Duration::from_secs(5);

/// A thread that answers: its address, and its number there.
type Worker = (SocketAddr, usize);

/// What was seen of each thread.
#[derive(Default)]
pub(super) struct Watchdog {
    /// The manager of services wants to be told.
    is_asked: bool,
    workers: HashMap<Worker, Seen>,
}

struct Seen {
    rounds: u64,
    /// When they were first so many.
    since: Instant,
    is_told: bool,
}

impl Watchdog {
    /// Asked by the environment (`WATCHDOG_USEC`, sd_watchdog_enabled(3)) or not.
    pub(super) fn from_environment() -> Self {
        Self { is_asked: sd_notify::watchdog_enabled().is_some(), ..Self::default() }
    }

    /// Looks at the rounds that the threads have made until now: true if all go on and that is asked for.
    pub(super) fn is_to_be_told(
        &mut self,
        workers: impl Iterator<Item = (SocketAddr, usize, u64)>,
        now: Instant,
        sink: &dyn EventSink,
    ) -> bool {
        self.is_well(workers, now, sink) && self.is_asked
    }

    /// Looks at the rounds that the threads have made until now: whether all go on. Tells once of each that does
    /// not.
    fn is_well(
        &mut self,
        workers: impl Iterator<Item = (SocketAddr, usize, u64)>,
        now: Instant,
        sink: &dyn EventSink,
    ) -> bool {
        let mut is_well = true;
        for (address, number, rounds) in workers {
            let new = Seen { rounds, since: now, is_told: false };
            let seen = self.workers.entry((address, number)).or_insert(new);
            if seen.rounds != rounds {
                *seen = Seen { rounds, since: now, is_told: false };
            }
            let time = now.saturating_duration_since(seen.since);
            if time < PATIENCE {
                continue;
            }
            is_well = false;
            if !std::mem::replace(&mut seen.is_told, true) {
                sink.emit(&Event::WorkerHangs { address, number, time });
            }
        }
        is_well
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RecentEvents;

    #[test]
    fn one_thread_that_hangs_is_enough_and_is_told_once() {
        let (mut watchdog, events, start) =
            (Watchdog::default(), RecentEvents::default(), Instant::now());
        let address = SocketAddr::from(([127, 0, 0, 1], 53));
        let mut look = |seconds: u64, rounds: [u64; 2]| {
            let workers = rounds.into_iter().enumerate().map(|(at, it)| (address, at, it));
            watchdog.is_well(workers, start + Duration::from_secs(seconds), &events)
        };
        assert!(look(0, [1, 1]));
        assert!(look(4, [2, 1]));
        assert!(!look(5, [3, 1]));
        assert!(!look(6, [4, 1]));
        assert_eq!(events.last(9).len(), 1);
        // It goes on, and hangs again.
        assert!(look(7, [5, 2]));
        assert!(!look(12, [9, 2]));
        assert_eq!(events.last(9).len(), 2);
    }
}
