//! Tells the statistics: in the log, and in the statistics file, when rbldnsd does.

use crate::config::StatsFile;
use crate::event::{Event, EventSink};
use crate::stats::{Statistics, Workers};
use crate::util::time::unix_time;
use crate::wire::name::NameBuf;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The statistics and where they are told.
pub(super) struct StatsReporter {
    statistics: Statistics,
    sink: Arc<dyn EventSink>,
    file: Option<StatsFile>,
    /// When the next line of the file is due by the clock.
    due: Option<Instant>,
    /// The file could not be written the last time, and this was told.
    failed: bool,
}

impl StatsReporter {
    /// Of a server with that many workers.
    pub(super) fn new(workers: Workers, file: Option<StatsFile>, sink: Arc<dyn EventSink>) -> Self {
        let statistics = Statistics::new(workers, unix_time());
        Self { statistics, sink, file, due: None, failed: false }
    }

    /// The counters, for a new catalog.
    pub(super) fn statistics(&mut self) -> &mut Statistics {
        &mut self.statistics
    }

    /// Marks the start in the file.
    pub(super) fn begin(&mut self) {
        self.mark();
        self.due = self.interval().map(|interval| Instant::now() + interval);
    }

    /// When [`write`](Self::write) is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due
    }

    /// Adds a line to the file.
    pub(super) fn write<'z>(&mut self, zones: impl Iterator<Item = &'z NameBuf>) {
        // From the time that was due, so that the lines keep their distance.
        let due = self.due.zip(self.interval()).map(|(due, interval)| due + interval);
        self.due = due.map(|due| due.max(Instant::now()));
        self.write_now(zones);
    }

    /// Adds a line to the file out of turn.
    pub(super) fn write_now<'z>(&mut self, zones: impl Iterator<Item = &'z NameBuf>) {
        self.statistics.look();
        self.add_line(zones);
    }

    /// Logs the statistics, and adds a line to the file.
    pub(super) fn tell<'z>(&mut self, zones: impl Iterator<Item = &'z NameBuf> + Clone) {
        self.statistics.look();
        self.add_line(zones.clone());
        for line in self.statistics.log_lines(zones, unix_time()) {
            self.sink.emit(&Event::Statistics { line });
        }
    }

    /// As [`tell`](Self::tell); then counts from zero, and marks that in the file.
    pub(super) fn tell_and_reset<'z>(&mut self, zones: impl Iterator<Item = &'z NameBuf> + Clone) {
        self.tell(zones);
        self.statistics.reset(unix_time());
        self.mark();
    }

    /// As [`tell`](Self::tell); then marks the end in the file.
    pub(super) fn end<'z>(&mut self, zones: impl Iterator<Item = &'z NameBuf> + Clone) {
        self.tell(zones);
        self.mark();
    }

    fn interval(&self) -> Option<Duration> {
        self.file.as_ref()?.interval
    }

    /// Adds a line with nothing but the time: the counts after it start at zero.
    fn mark(&mut self) {
        self.append(&format!("{}\n", unix_time()));
    }

    fn add_line<'z>(&mut self, zones: impl Iterator<Item = &'z NameBuf>) {
        if let Some(file) = &self.file {
            let line = self.statistics.file_line(zones, unix_time(), file.increments);
            self.append(&line);
        }
    }

    /// The file is opened for each line, as it may have been renamed, and written to at once, so
    /// that no reader sees half a line.
    fn append(&mut self, line: &str) {
        let Some(StatsFile { path, mode, .. }) = &self.file else { return };
        // A pipe that nobody reads must not stop the server.
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(*mode).custom_flags(libc::O_NONBLOCK);
        let file = options.open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        let failed = written.is_err();
        if let Err(error) = written
            && !self.failed
        {
            self.sink.emit(&Event::StatisticsNotWritten { file: path.clone(), error });
        }
        self.failed = failed;
    }
}
