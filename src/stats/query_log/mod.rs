//! The query log: a line for each answer, in rbldnsd's format (its manual, `-l`) or in JSON.
//!
//! A query thread only appends to its lane, which is bounded. A thread of the log takes what is in the lanes and
//! writes it. When the disk, or the reader of a pipe, is too slow, lines are lost and counted, and no query waits.

mod line;
mod writer;

pub(super) use line::question;

use super::lanes::{self, CAPACITY, LaneReader};
use crate::config;
use crate::engine::Request;
use crate::event::{Event, EventSink};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use writer::{Shared, Writer};

/// The running query log.
pub struct QueryLog {
    reader: LaneReader<Text>,
    reopen: Arc<AtomicBool>,
    settings: config::QueryLog,
    sink: Arc<dyn EventSink>,
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
        let (lanes, reopen) = (Arc::default(), Arc::default());
        let shared = Shared { lanes: Arc::clone(&lanes), reopen: Arc::clone(&reopen) };
        let mut writer = Writer::open(settings.clone(), shared, Arc::clone(sink));
        let reader = LaneReader::start(&lanes, "query-log", sink, move || writer.run())?;
        Ok(Self { reader, reopen, settings: settings.clone(), sink: Arc::clone(sink) })
    }

    /// A lane for one worker.
    pub(super) fn lane(&self) -> Lane {
        let config::QueryLog { flush, format, .. } = self.settings;
        Lane { lane: self.reader.lane(), flush, format }
    }

    /// Writes what was logged until now, and opens the file anew: it may have been renamed.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        self.reader.wake();
    }

    /// How many lines were lost since the start.
    pub fn lost(&self) -> u64 {
        self.reader.lost()
    }

    /// Writes what is left, unless that takes too long.
    pub fn stop(self) {
        if !self.reader.stop() {
            self.sink.emit(&Event::QueryLogUnfinished { target: self.settings.target });
        }
    }
}

/// Where one worker logs.
#[derive(Debug)]
pub(super) struct Lane {
    lane: lanes::Lane<Text>,
    flush: bool,
    format: config::QueryLogFormat,
}

impl Lane {
    /// Logs an answer.
    pub(super) fn log(&self, request: &Request<'_>, answer: &[u8]) {
        let mut text = self.lane.lock();
        let before = text.lines.len();
        if before + line::MAX_LINE > CAPACITY {
            text.lost += 1;
            return;
        }
        line::write(&mut text.lines, self.format, request, answer);
        let after = text.lines.len();
        drop(text);
        self.lane.filled(before, after, self.flush);
    }
}

#[cfg(test)]
mod tests;
