//! The query log: a line for each answer, in rbldnsd's format (its manual, `-l`) or in JSON.
//!
//! A query thread only appends to a buffer of its own, its lane, which is bounded. A thread of
//! the log takes what is in the lanes and writes it. When the disk, or the reader of a pipe, is
//! too slow, lines are lost and counted, and no query waits.

mod line;
mod writer;

pub(super) use line::question;

use crate::config;
use crate::engine::Request;
use crate::event::{Event, EventSink};
use crate::util::threads::keep_at;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};
use writer::Writer;

/// The most bytes in a lane.
const CAPACITY: usize = 1 << 20;

/// The writer is woken when a lane has this many bytes, though lines may wait longer.
const WAKE_AT: usize = 1 << 16;

/// How long the end of the server waits for the last lines to be written.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// The running query log.
pub struct QueryLog {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    settings: config::QueryLog,
    sink: Arc<dyn EventSink>,
}

#[derive(Debug, Default)]
struct Shared {
    lanes: Mutex<Vec<Arc<Mutex<Text>>>>,
    reopen: AtomicBool,
    stop: AtomicBool,
    /// Lines that were lost since the start.
    lost: AtomicU64,
}

/// What one worker has logged and nobody has written yet.
#[derive(Debug, Default)]
struct Text {
    lines: Vec<u8>,
    /// Lines there was no room for.
    lost: u64,
}

impl QueryLog {
    /// Opens the log and starts to write. A log that cannot be opened is told and tried again: it
    /// is no reason not to answer.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn start(settings: &config::QueryLog, sink: &Arc<dyn EventSink>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut writer = Writer::open(settings.clone(), Arc::clone(&shared), Arc::clone(sink));
        let told = Event::thread_panicked(sink, "query-log");
        let thread = std::thread::Builder::new()
            .name("query-log".into())
            .spawn(move || keep_at(told, || writer.run()))?;
        Ok(Self { shared, thread, settings: settings.clone(), sink: Arc::clone(sink) })
    }

    /// A lane for one worker.
    pub(super) fn lane(&self) -> Lane {
        let text = Arc::default();
        lock(&self.shared.lanes).push(Arc::clone(&text));
        let config::QueryLog { flush, format, .. } = self.settings;
        Lane { text, flush, format, writer: self.thread.thread().clone() }
    }

    /// Writes what was logged until now, and opens the file anew: it may have been renamed.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        self.thread.thread().unpark();
    }

    /// How many lines were lost since the start.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Writes what is left, unless that takes too long.
    pub fn stop(self) {
        self.shared.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let start = Instant::now();
        while !self.thread.is_finished() && start.elapsed() < STOP_GRACE {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !self.thread.is_finished() {
            self.sink.emit(&Event::QueryLogUnfinished { target: self.settings.target });
        }
    }
}

/// Where one worker logs.
#[derive(Debug)]
pub(super) struct Lane {
    text: Arc<Mutex<Text>>,
    flush: bool,
    format: config::QueryLogFormat,
    writer: Thread,
}

impl Lane {
    /// Logs an answer. The lane is locked by others only for as long as taking its buffer takes.
    pub(super) fn log(&self, request: &Request<'_>, answer: &[u8]) {
        let mut text = lock(&self.text);
        let before = text.lines.len();
        if before + line::MAX_LINE > CAPACITY {
            text.lost += 1;
            return;
        }
        line::write(&mut text.lines, self.format, request, answer);
        let after = text.lines.len();
        drop(text);
        if self.flush || (before < WAKE_AT && after >= WAKE_AT) {
            self.writer.unpark();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
