//! The log of a server: lines wait for a thread that writes them to the standard error. Nobody else waits
//! when that is a pipe that is not read, and nothing ends when it cannot be written to.

use anyhow::Context as _;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The most lines that wait.
const WAITING: usize = 4096;

/// So many bytes, and a line, are written at once at most.
const AT_ONCE: usize = 64 << 10;

/// How long the end of the server waits for the lines before it to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes lines. A line that finds no place is lost, and their number is told when there is one again.
#[derive(Clone)]
pub(super) struct Lines {
    queue: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
    /// Writes the lines; the thread takes it.
    clerk: Arc<Mutex<Option<Clerk>>>,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// To be answered when all before it is written.
    Flush(SyncSender<()>),
}

impl Lines {
    /// Takes lines, which wait until the thread is [started](Self::begin).
    pub(super) fn new(out: impl Write + Send + 'static) -> Self {
        let (queue, entries) = sync_channel(WAITING);
        let lost = Arc::default();
        let clerk = Clerk { out: Box::new(out), entries, lost: Arc::clone(&lost) };
        Self { queue, lost, clerk: Arc::new(Mutex::new(Some(clerk))) }
    }

    /// Starts the thread, if that was not done yet.
    ///
    /// # Errors
    ///
    /// The system gives no thread; the lines wait.
    pub(super) fn begin(&self) -> anyhow::Result<()> {
        if self.clerk.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Ok(());
        }
        // A closure that finds no thread is dropped with all that it owns, so it does not own the clerk.
        let clerk = Arc::clone(&self.clerk);
        let thread = thread::Builder::new().name("log".to_owned());
        let spawned = thread.spawn(move || {
            if let Some(mut clerk) = take(&clerk) {
                clerk.run();
            }
        });
        spawned.map(drop).context("cannot start the thread of the log")
    }

    /// Waits until what was taken is written, but not for long.
    pub(super) fn finish(&self) {
        if self.begin().is_err() {
            // Among the lines that wait is the one that says why there is no thread.
            if let Some(mut clerk) = take(&self.clerk) {
                clerk.write_waiting();
            }
            return;
        }
        let (done, all) = sync_channel(1);
        // If there is no place, nobody reads.
        if self.queue.try_send(Entry::Flush(done)).is_ok() {
            let _ = all.recv_timeout(PATIENCE);
        }
    }
}

fn take(clerk: &Mutex<Option<Clerk>>) -> Option<Clerk> {
    clerk.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Entry::Line(line.to_vec())) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Clerk {
    out: Box<dyn Write + Send>,
    entries: Receiver<Entry>,
    lost: Arc<AtomicU64>,
}

impl Clerk {
    /// Writes lines until nobody takes any more.
    fn run(&mut self) {
        while let Ok(first) = self.entries.recv() {
            self.write_from(first);
        }
    }

    /// Writes the lines that wait.
    fn write_waiting(&mut self) {
        while let Ok(first) = self.entries.try_recv() {
            self.write_from(first);
        }
    }

    /// Writes a line, and at once those that wait behind it, so that this keeps up with a thread that tells of
    /// thousands of zones.
    fn write_from(&mut self, first: Entry) {
        let mut lines = Vec::new();
        let mut next = Some(first);
        while let Some(entry) = next {
            match entry {
                Entry::Line(line) => lines.extend(line),
                Entry::Flush(done) => {
                    self.write(&mut lines);
                    let _ = done.try_send(());
                }
            }
            next = if lines.len() < AT_ONCE { self.entries.try_recv().ok() } else { None };
        }
        self.write(&mut lines);
    }

    fn write(&mut self, lines: &mut Vec<u8>) {
        // Nothing can be said of an error here, and the next lines may find room.
        if self.out.write_all(lines).is_err() {
            let count = lines.iter().filter(|&&byte| byte == b'\n').count();
            self.lost.fetch_add(count as u64, Ordering::Relaxed);
            return lines.clear();
        }
        lines.clear();
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ =
                writeln!(self.out, "log lines lost, because the log was not read in time: {lost}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{PipeReader, Read as _};
    use std::time::Instant;

    fn pipe() -> (PipeReader, Lines) {
        let (reader, writer) = io::pipe().unwrap();
        (reader, start(writer))
    }

    fn start(out: impl Write + Send + 'static) -> Lines {
        let lines = Lines::new(out);
        lines.begin().unwrap();
        lines
    }

    /// Waits to be let go at the first write, and counts them.
    struct Held {
        go: Receiver<()>,
        writes: Arc<AtomicU64>,
    }

    impl Write for Held {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.writes.fetch_add(1, Ordering::Relaxed) == 0 {
                let _ = self.go.recv();
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Regression: one write for each line was so slow that half of a long report was lost.
    #[test]
    fn lines_that_wait_are_written_at_once() {
        let (release, go) = sync_channel(0);
        let writes = Arc::new(AtomicU64::new(0));
        let mut lines = start(Held { go, writes: Arc::clone(&writes) });
        writeln!(lines, "first").unwrap();
        while writes.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        for number in 0..1000 {
            writeln!(lines, "{number}").unwrap();
        }
        release.send(()).unwrap();
        lines.finish();
        assert_eq!(writes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn lines_come_in_order_before_it_is_finished() {
        let (mut reader, mut lines) = pipe();
        for number in 0..100 {
            writeln!(lines, "{number}").unwrap();
        }
        lines.finish();
        drop(lines);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert!(text.lines().eq((0..100).map(|number: u32| number.to_string())));
    }

    /// Regression: the end of the server waited for ever for a log that was full and not read.
    #[test]
    fn a_log_that_is_full_holds_up_nobody_and_what_is_lost_is_told() {
        let (mut reader, mut lines) = pipe();
        let long = [b'x'; 99];
        for _ in 0..2 * WAITING {
            lines.write_all(&long).unwrap();
        }
        let start = Instant::now();
        lines.finish();
        assert!(start.elapsed() < 2 * PATIENCE);
        drop(lines);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let told = text.lines().filter_map(|line| line.rsplit_once(": "));
        let lost: usize = told.map(|(_, count)| count.parse::<usize>().unwrap()).sum();
        assert!(lost > 0);
        assert_eq!(text.matches(['x']).count() / long.len() + lost, 2 * WAITING);
    }
}
