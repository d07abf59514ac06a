//! Lanes: buffers that query threads fill and one thread empties, so that no query waits for a disk or a collector.
//!
//! Each worker has a lane of its own, which others lock only for as long as taking its buffer takes.

use crate::event::{Event, EventSink};
use crate::util::threads::keep_at;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

/// The most bytes in a lane.
pub(super) const CAPACITY: usize = 1 << 20;

/// The thread is woken when a lane has this many bytes, though what is in it may wait longer.
const WAKE_AT: usize = 1 << 16;

/// How long the end of the server waits for the thread.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(2);

/// The lanes, as the thread that empties them sees them.
#[derive(Debug)]
pub(super) struct Lanes<B> {
    lanes: Mutex<Vec<Arc<Mutex<B>>>>,
    stop: AtomicBool,
    /// Queries that were lost since the start.
    lost: AtomicU64,
}

impl<B> Default for Lanes<B> {
    fn default() -> Self {
        Self { lanes: Mutex::default(), stop: AtomicBool::default(), lost: AtomicU64::default() }
    }
}

impl<B> Lanes<B> {
    /// The buffers of all lanes.
    pub(super) fn all(&self) -> MutexGuard<'_, Vec<Arc<Mutex<B>>>> {
        lock(&self.lanes)
    }

    /// True when the thread must end.
    pub(super) fn must_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Counts queries that are lost.
    pub(super) fn lose(&self, queries: u64) {
        self.lost.fetch_add(queries, Ordering::Relaxed);
    }
}

/// The thread that empties the lanes.
#[derive(Debug)]
pub(super) struct LaneReader<B> {
    lanes: Arc<Lanes<B>>,
    thread: JoinHandle<()>,
}

impl<B: Default> LaneReader<B> {
    /// Starts the thread, which runs `work` until that returns.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub(super) fn start(
        lanes: &Arc<Lanes<B>>,
        name: &'static str,
        sink: &Arc<dyn EventSink>,
        work: impl FnMut() + Send + 'static,
    ) -> io::Result<Self> {
        let told = Event::thread_panicked(sink, name);
        let thread = thread::Builder::new().name(name.into()).spawn(move || keep_at(told, work))?;
        Ok(Self { lanes: Arc::clone(lanes), thread })
    }

    /// A lane for one worker.
    pub(super) fn lane(&self) -> Lane<B> {
        let buffer = Arc::default();
        self.lanes.all().push(Arc::clone(&buffer));
        Lane { buffer, thread: self.thread.thread().clone() }
    }

    /// The lanes, which the thread cannot empty meanwhile.
    #[cfg(test)]
    pub(super) fn lanes(&self) -> MutexGuard<'_, Vec<Arc<Mutex<B>>>> {
        self.lanes.all()
    }

    /// Has the thread look at its lanes now.
    pub(super) fn wake(&self) {
        self.thread.thread().unpark();
    }

    /// How many queries were lost since the start.
    pub(super) fn lost(&self) -> u64 {
        self.lanes.lost.load(Ordering::Relaxed)
    }

    /// Ends the thread; false if it takes too long.
    pub(super) fn stop(self) -> bool {
        self.lanes.stop.store(true, Ordering::Release);
        self.wake();
        let start = Instant::now();
        while !self.thread.is_finished() && start.elapsed() < STOP_GRACE {
            thread::sleep(Duration::from_millis(5));
        }
        self.thread.is_finished()
    }
}

/// The lane of one worker.
#[derive(Debug)]
pub(super) struct Lane<B> {
    buffer: Arc<Mutex<B>>,
    thread: Thread,
}

impl<B> Lane<B> {
    /// The buffer, for this thread alone.
    pub(super) fn lock(&self) -> MutexGuard<'_, B> {
        lock(&self.buffer)
    }

    /// Wakes the thread at once, or when the buffer, which had `before` bytes, has many.
    pub(super) fn filled(&self, before: usize, after: usize, at_once: bool) {
        if at_once || (before < WAKE_AT && after >= WAKE_AT) {
            self.thread.unpark();
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
