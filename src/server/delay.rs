//! Answers that are sent later: one thread holds them so that no worker has to wait.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::ServerCounters;
use super::mmsg::{self, Route};
use crate::event::{Event, EventSink};
use crate::util::threads::keep_at;

/// Answers that may wait at a time.
const MAX_PENDING: usize = 10_000;

/// Bytes of all waiting answers together.
const MAX_BYTES: usize = 4 << 20;

/// The delayed UDP answers of all workers, and the thread that sends them. Dropping it ends the
/// thread; what still waits is not sent.
#[derive(Debug)]
pub struct DelayQueue {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A worker's way into the queue.
#[derive(Clone, Debug)]
pub(super) struct DelaySender(Arc<Shared>);

impl DelayQueue {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn start(counters: Arc<ServerCounters>, sink: &Arc<dyn EventSink>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            pending: Mutex::new(Pending::default()),
            changed: Condvar::new(),
            counters,
        });
        let told = Event::thread_panicked(sink, "udp-delay");
        let thread = thread::Builder::new().name("udp-delay".into()).spawn({
            let shared = Arc::clone(&shared);
            move || keep_at(told, || shared.run())
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(super) fn sender(&self) -> DelaySender {
        DelaySender(Arc::clone(&self.shared))
    }
}

impl Drop for DelayQueue {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // Its panics were printed by the panic hook.
            let _ = thread.join();
        }
    }
}

impl DelaySender {
    /// Keeps a copy of `answer` and sends it from `socket` after `wait`. Does not, counts that and
    /// gives false when too many are waiting: a flood of queries that are answered late must not
    /// leave others without an answer.
    pub(super) fn push(
        &self,
        wait: Duration,
        socket: &Arc<Socket>,
        route: Route,
        answer: &[u8],
    ) -> bool {
        let Some(due) = Instant::now().checked_add(wait) else { return false };
        let mut pending = self.0.lock();
        if pending.heap.len() >= MAX_PENDING || pending.bytes + answer.len() > MAX_BYTES {
            drop(pending);
            ServerCounters::add(&self.0.counters.delay_overflow, 1);
            return false;
        }
        pending.bytes += answer.len();
        pending.pushed += 1;
        let first = pending.heap.peek().is_none_or(|Reverse(first)| due < first.due);
        let delayed = Delayed {
            due,
            number: pending.pushed,
            socket: Arc::downgrade(socket),
            route,
            answer: answer.into(),
        };
        pending.heap.push(Reverse(delayed));
        drop(pending);
        if first {
            self.0.changed.notify_one();
        }
        true
    }
}

#[derive(Debug)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Condvar,
    counters: Arc<ServerCounters>,
}

impl Shared {
    fn run(&self) {
        let mut pending = self.lock();
        while !pending.stopped {
            let now = Instant::now();
            let wait =
                pending.heap.peek().map(|Reverse(first)| first.due.saturating_duration_since(now));
            match wait {
                Some(Duration::ZERO) => {
                    let due = pending.pop();
                    drop(pending);
                    due.iter().for_each(|delayed| self.send(delayed));
                    pending = self.lock();
                }
                Some(wait) => {
                    (pending, _) = self
                        .changed
                        .wait_timeout(pending, wait)
                        .unwrap_or_else(PoisonError::into_inner);
                }
                None => {
                    pending = self.changed.wait(pending).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn send(&self, delayed: &Delayed) {
        // A listener that was stopped takes its delayed answers with it.
        let Some(socket) = delayed.socket.upgrade() else { return };
        if mmsg::send_one(socket.as_fd(), &delayed.route, &delayed.answer).is_err() {
            ServerCounters::add(&self.counters.udp_unsent, 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Pending {
    heap: BinaryHeap<Reverse<Delayed>>,
    bytes: usize,
    pushed: u64,
    stopped: bool,
}

impl Pending {
    fn pop(&mut self) -> Option<Delayed> {
        let Reverse(delayed) = self.heap.pop()?;
        self.bytes -= delayed.answer.len();
        Some(delayed)
    }
}

struct Delayed {
    due: Instant,
    /// Keeps answers due at the same time in order.
    number: u64,
    /// Weak: a socket kept open here after its workers ended would still be given queries.
    socket: Weak<Socket>,
    route: Route,
    answer: Box<[u8]>,
}

impl std::fmt::Debug for Delayed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delayed").field("due", &self.due).finish_non_exhaustive()
    }
}

impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Delayed {}
