//! The thread that sends to the collector.

use super::frames::{self, Control};
use super::{Exchange, Exchanges, message};
use crate::event::{Event, EventSink};
use crate::stats::lanes::{Lanes, lock};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long a query waits at most before it is sent.
const PERIOD: Duration = Duration::from_secs(1);

/// How long the collector may take to answer in a handshake.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// How long a write waits for a collector that does not read, before the thread looks at its lanes again.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// The pauses between two tries to connect: the first, and the longest of those that double.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// How long the last frames are tried when the server stops.
const LAST_TRY: Duration = Duration::from_millis(500);

/// Losses are told at most this often.
const TELL_PERIOD: Duration = Duration::from_secs(60);

/// The connection to the collector, and what waits for it.
pub(super) struct Sender {
    socket: PathBuf,
    identity: String,
    lanes: Arc<Lanes<Exchanges>>,
    sink: Arc<dyn EventSink>,
    stream: Option<UnixStream>,
    /// When to connect again, and the pause after the next failure.
    retry: Instant,
    pause: Duration,
    /// That there is no collector was told.
    is_told: bool,
    /// Frames that are made and not sent yet, from a place in the first of them.
    pending: Vec<u8>,
    /// The queries in them.
    queries: u64,
    /// Buffers for the next lane that is emptied.
    spare: Exchanges,
    /// Losses that were not told, and when some were.
    untold: u64,
    told: Option<Instant>,
}

impl Sender {
    pub(super) fn new(
        socket: PathBuf,
        identity: String,
        lanes: Arc<Lanes<Exchanges>>,
        sink: Arc<dyn EventSink>,
    ) -> Self {
        Self {
            socket,
            identity,
            lanes,
            sink,
            stream: None,
            retry: Instant::now(),
            pause: PAUSES[0],
            is_told: false,
            pending: Vec::new(),
            queries: 0,
            spare: Exchanges::default(),
            untold: 0,
            told: None,
        }
    }

    pub(super) fn run(&mut self) {
        let mut stop_by = None;
        loop {
            // Asked first, so that all that was answered before is still sent.
            let stop = self.lanes.must_stop();
            if self.stream.is_none() && (stop || Instant::now() >= self.retry) {
                self.connect();
            }
            let took_all = self.take_lanes();
            self.send_pending();
            self.tell_lost(TELL_PERIOD);
            if stop {
                let stop_by = *stop_by.get_or_insert_with(|| Instant::now() + LAST_TRY);
                let is_done = took_all && self.pending.is_empty();
                if is_done || self.stream.is_none() || Instant::now() >= stop_by {
                    return self.finish();
                }
            } else if self.pending.is_empty() {
                thread::park_timeout(PERIOD);
            }
        }
    }

    /// Connects and shakes hands.
    fn connect(&mut self) {
        match self.open() {
            Ok(stream) => {
                self.stream = Some(stream);
                self.pause = PAUSES[0];
                self.is_told = false;
                self.sink.emit(&Event::DnstapConnected { socket: self.socket.clone() });
            }
            Err(error) => self.fail(error),
        }
    }

    fn open(&self) -> io::Result<UnixStream> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(HANDSHAKE))?;
        stream.set_write_timeout(Some(HANDSHAKE))?;
        stream.write_all(&frames::control(Control::Ready))?;
        frames::expect(&mut stream, Control::Accept)?;
        stream.write_all(&frames::control(Control::Start))?;
        stream.set_write_timeout(Some(FULL_PAUSE))?;
        Ok(stream)
    }

    /// The collector is gone. A frame that was sent in part is of no use to the next one.
    fn fail(&mut self, error: io::Error) {
        self.stream = None;
        self.retry = Instant::now() + self.pause;
        self.pause = (2 * self.pause).min(PAUSES[1]);
        self.lose_pending();
        if !std::mem::replace(&mut self.is_told, true) {
            self.sink.emit(&Event::DnstapFailed { socket: self.socket.clone(), error });
        }
    }

    fn lose_pending(&mut self) {
        let queries = std::mem::take(&mut self.queries);
        self.pending.clear();
        self.lose(queries);
    }

    fn lose(&mut self, queries: u64) {
        self.untold += queries;
        self.lanes.lose(queries);
    }

    /// Makes frames of what is in the lanes, unless some wait; false if they do. Without a collector, the lanes
    /// keep what they have room for.
    fn take_lanes(&mut self) -> bool {
        let take = self.pending.is_empty() && self.stream.is_some();
        let lanes: Vec<_> = self.lanes.all().clone();
        for lane in lanes {
            let mut exchanges = lock(&lane);
            let lost = std::mem::take(&mut exchanges.lost);
            let mut taken = None;
            if take && !exchanges.list.is_empty() {
                taken = Some(std::mem::replace(&mut *exchanges, std::mem::take(&mut self.spare)));
            }
            drop(exchanges);
            self.lose(lost);
            if let Some(mut taken) = taken {
                self.frame(&taken);
                taken.list.clear();
                taken.bytes.clear();
                self.spare = taken;
            }
        }
        take
    }

    fn frame(&mut self, exchanges: &Exchanges) {
        let mut rest = &exchanges.bytes[..];
        for exchange in &exchanges.list {
            let parts = exchange.lengths.map(|len| rest.split_off(..len).unwrap_or_default());
            self.frame_one(exchange, parts);
        }
    }

    fn frame_one(&mut self, exchange: &Exchange, parts: [&[u8]; 3]) {
        for message in message::of(exchange, parts, &self.identity) {
            frames::data(&mut self.pending, &message);
        }
        self.queries += 1;
    }

    /// Sends frames as far as the collector takes them.
    fn send_pending(&mut self) {
        let mut sent = 0;
        while let Some(stream) = &mut self.stream
            && sent < self.pending.len()
        {
            match stream.write(&self.pending[sent..]) {
                Ok(0) => return self.fail(ErrorKind::WriteZero.into()),
                Ok(len) => sent += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return self.fail(error),
            }
        }
        self.pending.drain(..sent);
        if self.pending.is_empty() {
            self.queries = 0;
        }
    }

    /// Ends the stream as the collector expects it. What could not be sent is lost.
    fn finish(&mut self) {
        let is_whole = self.pending.is_empty();
        self.lose_pending();
        let lanes: Vec<_> = self.lanes.all().clone();
        for lane in lanes {
            let left = std::mem::take(&mut *lock(&lane));
            self.lose(left.lost + left.list.len() as u64);
        }
        self.tell_lost(Duration::ZERO);
        if let Some(mut stream) = self.stream.take().filter(|_| is_whole) {
            // The end of the server waits for it.
            let _ = stream.set_read_timeout(Some(LAST_TRY));
            let stopped = stream.write_all(&frames::control(Control::Stop));
            let finished = stopped.and_then(|()| frames::expect(&mut stream, Control::Finish));
            if let Err(error) = finished {
                tracing::debug!("dnstap {}: not finished: {error}", self.socket.display());
            }
        }
    }

    fn tell_lost(&mut self, period: Duration) {
        if self.untold > 0 && self.told.is_none_or(|told| told.elapsed() >= period) {
            let (socket, queries) = (self.socket.clone(), std::mem::take(&mut self.untold));
            self.sink.emit(&Event::DnstapQueriesLost { socket, queries });
            self.told = Some(Instant::now());
        }
    }
}
