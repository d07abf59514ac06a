//! dnstap (dnstap.info): each query and its answer as messages, over a unix socket on which a collector listens.
//!
//! A query thread only appends to a buffer of its own, its lane, which is bounded. A thread takes what is in
//! the lanes, makes messages of it (`message`) and sends them in frames (`frames`). When the collector is slow or
//! away, queries are lost to it and counted, and none waits.

mod frames;
mod message;
mod sender;
#[cfg(test)]
mod tests;

use crate::engine::{Request, Transport};
use crate::event::{Event, EventSink};
use crate::util::threads::keep_at;
use sender::Sender;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant, SystemTime};

/// The most bytes of messages in a lane.
const CAPACITY: usize = 1 << 20;

/// The sender is woken when a lane has this many bytes, though queries may wait longer.
const WAKE_AT: usize = 1 << 16;

/// How long the end of the server waits for the last frames to be sent.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// A running dnstap.
pub struct Dnstap {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    lanes: Mutex<Vec<Arc<Mutex<Exchanges>>>>,
    stop: AtomicBool,
    lost: AtomicU64,
}

/// What one worker has seen and nobody has sent yet.
#[derive(Debug, Default)]
struct Exchanges {
    list: Vec<Exchange>,
    /// Of each exchange the query, the answer and the apex of the zone, one after the other.
    bytes: Vec<u8>,
    /// Queries there was no room for.
    lost: u64,
}

/// A query that was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Exchange {
    ends: Ends,
    transport: Transport,
    time: SystemTime,
    /// The lengths of the query, the answer and the apex.
    lengths: [usize; 3],
}

/// Where a query came from and went to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// The client.
    pub client: SocketAddr,
    /// The address that the server listens on.
    pub server: SocketAddr,
}

impl Dnstap {
    /// Starts to send. A collector that is not there is told of and tried again.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn start(socket: PathBuf, identity: &str, sink: &Arc<dyn EventSink>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut sender =
            Sender::new(socket, identity.to_owned(), Arc::clone(&shared), Arc::clone(sink));
        let told = Event::thread_panicked(sink, "dnstap");
        let thread = std::thread::Builder::new()
            .name("dnstap".into())
            .spawn(move || keep_at(told, || sender.run()))?;
        Ok(Self { shared, thread })
    }

    /// A lane for one worker.
    pub(super) fn lane(&self) -> Lane {
        let exchanges = Arc::default();
        lock(&self.shared.lanes).push(Arc::clone(&exchanges));
        Lane { exchanges, sender: self.thread.thread().clone() }
    }

    /// How many queries were lost since the start.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Sends what is left, unless that takes too long.
    pub fn stop(self) {
        self.shared.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let start = Instant::now();
        while !self.thread.is_finished() && start.elapsed() < STOP_GRACE {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Where one worker puts what it has answered.
#[derive(Debug)]
pub(super) struct Lane {
    exchanges: Arc<Mutex<Exchanges>>,
    sender: Thread,
}

impl Lane {
    /// Takes a query, its answer and the apex of its zone, which is empty if there is none. The lane is locked by
    /// others only for as long as taking its buffer takes.
    pub(super) fn take(&self, request: &Request<'_>, answer: &[u8], ends: Ends, apex: &[u8]) {
        let mut exchanges = lock(&self.exchanges);
        let parts = [request.query, answer, apex];
        let before = exchanges.bytes.len();
        if before + parts.iter().map(|part| part.len()).sum::<usize>() > CAPACITY {
            exchanges.lost += 1;
            return;
        }
        parts.iter().for_each(|part| exchanges.bytes.extend_from_slice(part));
        exchanges.list.push(Exchange {
            ends,
            transport: request.transport,
            time: SystemTime::now(),
            lengths: parts.map(<[u8]>::len),
        });
        let after = exchanges.bytes.len();
        drop(exchanges);
        if before < WAKE_AT && after >= WAKE_AT {
            self.sender.unpark();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
