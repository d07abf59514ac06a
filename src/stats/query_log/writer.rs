//! The thread that writes the query log.

use super::Text;
use crate::config::{LogTarget, QueryLog};
use crate::event::{Event, EventSink};
use crate::stats::lanes::{Lanes, lock};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a line waits at most before it is written, and a log that could not be opened before
/// it is tried again.
const PERIOD: Duration = Duration::from_secs(1);

/// The rest before a pipe that is full is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(20);

/// How long a full pipe is tried when the server stops.
const LAST_TRY: Duration = Duration::from_millis(500);

/// Lost lines are told at most this often.
const TELL_PERIOD: Duration = Duration::from_secs(60);

/// What a pipe takes whole or not at all (POSIX write).
const PIPE_BUF: usize = 4096;

/// What the log has in common with the thread that writes it.
pub(super) struct Shared {
    pub(super) lanes: Arc<Lanes<Text>>,
    /// The file must be opened anew.
    pub(super) reopen: Arc<AtomicBool>,
}

/// The log as it is written.
pub(super) struct Writer {
    target: LogTarget,
    /// That of a file that is made.
    mode: u32,
    shared: Shared,
    sink: Arc<dyn EventSink>,
    /// Where to write, and whether that is a regular file.
    file: Option<(File, bool)>,
    tried: Instant,
    /// Since it was last written to, the log could not be opened or written, and this was told.
    failed: bool,
    /// Lines taken from the lanes and not yet written.
    pending: Vec<u8>,
    /// A buffer for the next lane that is emptied.
    spare: Vec<u8>,
    lost: u64,
    told: Option<Instant>,
}

impl Writer {
    pub(super) fn open(settings: QueryLog, shared: Shared, sink: Arc<dyn EventSink>) -> Self {
        let mut writer = Self {
            target: settings.target,
            mode: settings.mode,
            shared,
            sink,
            file: None,
            tried: Instant::now(),
            failed: false,
            pending: Vec::new(),
            spare: Vec::new(),
            lost: 0,
            told: None,
        };
        writer.open_file();
        writer
    }

    pub(super) fn run(&mut self) {
        let mut stop_by = None;
        loop {
            // Asked first, so that all that was logged before is still written.
            let stop = self.shared.lanes.must_stop();
            let mut reopen = self.shared.reopen.swap(false, Ordering::AcqRel);
            // What waits belongs into the log of before, but into that of now if there is none.
            if reopen && self.file.is_none() {
                self.reopen();
                reopen = false;
            }
            let took_all = self.take_lanes();
            self.write_pending();
            if reopen {
                self.reopen();
            }
            self.tell_lost(TELL_PERIOD);
            if stop {
                let stop_by = *stop_by.get_or_insert_with(|| Instant::now() + LAST_TRY);
                if (took_all && self.pending.is_empty()) || Instant::now() >= stop_by {
                    return self.give_up();
                }
            }
            let is_done = self.pending.is_empty() && !stop;
            thread::park_timeout(if is_done { PERIOD } else { FULL_PAUSE });
        }
    }

    /// What could not be written is lost.
    fn give_up(&mut self) {
        self.lose_pending();
        while self.take_lanes() && !self.pending.is_empty() {
            self.lose_pending();
        }
        self.tell_lost(Duration::ZERO);
    }

    /// Moves the lines of all lanes to `pending`, those of several lanes in the order of their
    /// times. If there is something pending, they stay where they are, and the answer is false.
    fn take_lanes(&mut self) -> bool {
        let take = self.pending.is_empty();
        let mut texts = Vec::new();
        for lane in self.shared.lanes.all().iter() {
            let mut text = lock(lane);
            self.lost += std::mem::take(&mut text.lost);
            if take && !text.lines.is_empty() {
                texts.push(std::mem::replace(&mut text.lines, std::mem::take(&mut self.spare)));
            }
        }
        if texts.len() > 1 {
            let lines = texts.iter().flat_map(|text| text.split_inclusive(|&byte| byte == b'\n'));
            let mut lines: Vec<&[u8]> = lines.collect();
            lines.sort_by_cached_key(|line| time(line));
            lines.into_iter().for_each(|line| self.pending.extend(line));
        } else if let Some(text) = texts.pop() {
            self.spare = std::mem::replace(&mut self.pending, text);
        }
        take
    }

    /// Writes `pending` as far as that goes without waiting. Without a file it is lost.
    fn write_pending(&mut self) {
        if self.file.is_none() && !self.pending.is_empty() && self.tried.elapsed() >= PERIOD {
            self.open_file();
        }
        let mut written = 0;
        while let Some((file, is_regular)) = &mut self.file
            && written < self.pending.len()
        {
            let rest = &self.pending[written..];
            match file.write(if *is_regular { rest } else { whole_lines(rest, PIPE_BUF) }) {
                Ok(len) => {
                    written += len;
                    self.failed = false;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.file = None;
                    self.tell_failure(error);
                }
            }
        }
        self.pending.drain(..written);
        if self.file.is_none() {
            self.lose_pending();
        }
    }

    fn lose_pending(&mut self) {
        self.lost += self.pending.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.pending.clear();
    }

    fn reopen(&mut self) {
        if let LogTarget::File(_) = self.target {
            self.failed = false;
            self.open_file();
        }
    }

    fn open_file(&mut self) {
        self.file = match open(&self.target, self.mode) {
            Ok(file) => {
                let is_regular = file.metadata().as_ref().is_ok_and(Metadata::is_file);
                Some((file, is_regular))
            }
            Err(error) => {
                self.tell_failure(error);
                None
            }
        };
    }

    fn tell_failure(&mut self, error: io::Error) {
        self.tried = Instant::now();
        if !std::mem::replace(&mut self.failed, true) {
            self.sink.emit(&Event::QueryLogFailed { target: self.target.clone(), error });
        }
    }

    fn tell_lost(&mut self, period: Duration) {
        if self.lost > 0 && self.told.is_none_or(|told| told.elapsed() >= period) {
            let (target, lines) = (self.target.clone(), std::mem::take(&mut self.lost));
            self.shared.lanes.lose(lines);
            self.sink.emit(&Event::QueryLogLinesLost { target, lines });
            self.told = Some(Instant::now());
        }
    }
}

/// Never waits for the reader of a pipe.
fn open(target: &LogTarget, mode: u32) -> io::Result<File> {
    match target {
        LogTarget::Stdout => Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
        LogTarget::File(path) => OpenOptions::new()
            .append(true)
            .create(true)
            .mode(mode)
            .custom_flags(libc::O_NONBLOCK)
            .open(path),
    }
}

/// The time of a line: the first number in it.
fn time(line: &[u8]) -> u64 {
    let digits = line.iter().skip_while(|byte| !byte.is_ascii_digit());
    let digits = digits.take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |time: u64, digit| time.wrapping_mul(10) + u64::from(digit - b'0'))
}

/// The lines at the start of `text` that fit into `size` bytes, and at least one.
fn whole_lines(text: &[u8], size: usize) -> &[u8] {
    let head = &text[..text.len().min(size)];
    match head.iter().rposition(|&byte| byte == b'\n') {
        Some(end) => &head[..=end],
        None => text,
    }
}
