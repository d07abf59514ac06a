//! How much was asked in each minute of the last day, in all and of each zone: kept over a restart.

use super::lock::StateLock;
use crate::event::{Event, EventSink};
use crate::snapshot::MODE;
use crate::snapshot::folder::create_folder;
use crate::wire::name::NameBuf;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How many minutes are kept.
pub(crate) const KEPT: usize = 24 * 60;

/// The most zones of which they are kept; those that come first.
const MAX_ZONES: usize = 1000;

/// How many minutes may be lost in a crash: the file is written so often.
const SAVED_EVERY: u64 = 5;

/// The longest file in bytes.
const MAX_SIZE: u64 = 64 << 20;

/// The first line of the file.
const HEAD: &str = "dnsbld traffic 1";

/// What was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Count {
    /// The queries.
    pub(crate) queries: u64,
    /// Those of them that were answered with records.
    pub(crate) listed: u64,
}

/// Counts of minutes; the last of all series is of the same minute.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Series(VecDeque<Count>);

/// The counts of the last day.
#[derive(Debug, Default)]
pub(crate) struct TrafficHistory {
    file: Option<PathBuf>,
    /// The newest minute, in minutes since 1970.
    newest: u64,
    /// The minute that is counted now.
    current: u64,
    all: Series,
    zones: BTreeMap<NameBuf, Series>,
    /// What the counters of the server said when they were looked at last.
    seen: HashMap<Option<NameBuf>, Count>,
    saved: u64,
}

impl Series {
    /// The counts, the oldest first.
    pub(crate) fn counts(&self) -> impl ExactSizeIterator<Item = &Count> {
        self.0.iter()
    }

    /// Goes on by so many minutes in which nothing is counted yet.
    fn advance(&mut self, minutes: u64) {
        let minutes = usize::try_from(minutes).unwrap_or(KEPT).min(KEPT);
        self.0.extend(std::iter::repeat_n(Count::default(), minutes));
        self.0.drain(..self.0.len().saturating_sub(KEPT));
    }

    fn add(&mut self, count: Count) {
        if self.0.is_empty() {
            self.0.push_back(Count::default());
        }
        if let Some(newest) = self.0.back_mut() {
            newest.queries = newest.queries.saturating_add(count.queries);
            newest.listed = newest.listed.saturating_add(count.listed);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|count| *count == Count::default())
    }

    /// Each minute as `QUERIES/LISTED`, and `*MINUTES` for those without a query.
    fn write(&self, out: &mut String) {
        let mut minutes = self.0.iter().peekable();
        while let Some(Count { queries, listed }) = minutes.next() {
            if *queries == 0 {
                let mut quiet = 1;
                while minutes.next_if(|count| count.queries == 0).is_some() {
                    quiet += 1;
                }
                let _ = write!(out, " *{quiet}");
            } else {
                let _ = write!(out, " {queries}/{listed}");
            }
        }
        out.push('\n');
    }

    /// Reads what [`write`](Self::write) has written.
    fn read<'w>(words: impl Iterator<Item = &'w str>) -> Option<Self> {
        let mut series = Self::default();
        for word in words {
            match word.strip_prefix('*') {
                Some(quiet) => series.advance(quiet.parse().ok()?),
                None => {
                    let (queries, listed) = word.split_once('/')?;
                    let (queries, listed) = (queries.parse().ok()?, listed.parse().ok()?);
                    series.advance(1);
                    series.add(Count { queries, listed });
                }
            }
        }
        Some(series)
    }
}

impl TrafficHistory {
    /// Reads what an earlier run left in the state folder, at that time in seconds since 1970; what it cannot read
    /// is told and left out. Without the lock of the folder, nothing is written.
    pub(crate) fn open(
        state_dir: Option<&Path>,
        lock: Option<&StateLock>,
        now: u64,
        sink: &dyn EventSink,
    ) -> Self {
        let file = state_dir.map(file_in);
        let mut traffic = match file.as_deref().map(read) {
            Some(Ok(traffic)) => traffic,
            Some(Err(fault)) => {
                let file = file.clone().unwrap_or_default();
                sink.emit(&Event::TrafficUnusable { file, reason: fault.to_string() });
                Self::default()
            }
            None => Self::default(),
        };
        traffic.file = file.filter(|_| lock.is_some());
        (traffic.current, traffic.saved) = (now / 60, now / 60);
        // What is from the future would never grow old.
        if traffic.newest > traffic.current {
            (traffic.newest, traffic.all, traffic.zones) = Default::default();
        }
        traffic
    }

    /// True if a minute has passed at that time, in seconds since 1970: then it is time to [`count`](Self::count).
    pub(crate) fn is_due(&self, now: u64) -> bool {
        now / 60 != self.current
    }

    /// Takes what the counters of the server say: in all (without a zone), and of each zone. It belongs to the
    /// minute that has passed, or that passes.
    pub(crate) fn count<'z>(
        &mut self,
        now: u64,
        counts: impl Iterator<Item = (Option<&'z NameBuf>, Count)>,
    ) {
        let minute = self.current;
        self.current = now / 60;
        if minute > self.newest {
            let minutes = minute - self.newest;
            self.newest = minute;
            // One that is empty begins with its first query.
            let begun =
                self.zones.values_mut().chain([&mut self.all]).filter(|it| !it.0.is_empty());
            begun.for_each(|series| series.advance(minutes));
            self.zones.retain(|_, series| !series.is_empty());
        }
        for (zone, count) in counts {
            let before = self.seen.insert(zone.cloned(), count).unwrap_or_default();
            let new = Count {
                queries: count.queries.saturating_sub(before.queries),
                listed: count.listed.saturating_sub(before.listed),
            };
            match zone {
                _ if new == Count::default() => {}
                None => self.all.add(new),
                Some(zone) => {
                    let has_room = self.zones.len() < MAX_ZONES;
                    if has_room || self.zones.contains_key(zone) {
                        self.zones.entry(zone.clone()).or_default().add(new);
                    }
                }
            }
        }
    }

    /// The first second of the newest minute, in seconds since 1970.
    pub(crate) fn newest(&self) -> u64 {
        self.newest * 60
    }

    /// The minutes of the server as a whole.
    pub(crate) fn all(&self) -> &Series {
        &self.all
    }

    /// The minutes of a zone, if it was asked.
    pub(crate) fn zone(&self, zone: &NameBuf) -> Option<&Series> {
        self.zones.get(zone)
    }

    /// From now on, they are kept in the state folder.
    pub(crate) fn keep(&mut self, state_dir: &Path, _: &StateLock) {
        self.file = Some(file_in(state_dir));
    }

    /// Writes nothing from now on.
    pub(crate) fn keep_no_more(&mut self) {
        self.file = None;
    }

    /// Writes the file, if it is time for that.
    ///
    /// # Errors
    ///
    /// When the system does not let it write there.
    pub(crate) fn save_now_and_then(&mut self) -> io::Result<()> {
        match self.current.saturating_sub(self.saved) >= SAVED_EVERY {
            true => self.save(),
            false => Ok(()),
        }
    }

    /// Writes the file: to a new one that then takes its place.
    ///
    /// # Errors
    ///
    /// When the system does not let it write there.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        // After a failure, it is not tried each second.
        self.saved = self.current;
        let Some(file) = &self.file else { return Ok(()) };
        create_folder(file.parent().unwrap_or(Path::new(".")))?;
        let next = file.with_extension("new");
        let _ = fs::remove_file(&next);
        let mut out = File::options().write(true).create_new(true).mode(MODE).open(&next)?;
        if let Err(error) = out.write_all(self.text().as_bytes()) {
            // A disk that is full is not to stay so for this.
            let _ = fs::remove_file(next);
            return Err(error);
        }
        // It is not waited for the disk: what a crash of the machine costs is the past of some plots.
        fs::rename(next, file)
    }

    fn text(&self) -> String {
        let mut out = format!("{HEAD}\n{}\n.", self.newest);
        self.all.write(&mut out);
        for (zone, series) in &self.zones {
            let _ = write!(out, "{zone}");
            series.write(&mut out);
        }
        out
    }

    /// Reads the text of a file.
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut traffic = Self::default();
        if lines.next()? != HEAD {
            return None;
        }
        traffic.newest = lines.next()?.parse().ok()?;
        for line in lines.take(MAX_ZONES + 1) {
            let mut words = line.split(' ');
            let name = words.next()?;
            let series = Series::read(words)?;
            match name {
                "." => traffic.all = series,
                zone => _ = traffic.zones.insert(zone.parse().ok()?, series),
            }
        }
        Some(traffic)
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is damaged")]
    Damaged,
}

fn file_in(state_dir: &Path) -> PathBuf {
    state_dir.join("traffic")
}

/// Reads a regular file that nobody can make too long, and follows no link. There may be none yet.
fn read(file: &Path) -> Result<TrafficHistory, Fault> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match File::options().read(true).custom_flags(flags).open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(TrafficHistory::default());
        }
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut bytes)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Fault::Damaged)?;
    TrafficHistory::read(text).ok_or(Fault::Damaged)
}

#[cfg(test)]
mod tests;
