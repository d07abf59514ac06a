//! The senders that allow lists let in although a list has them: how often, and when; kept over a restart.
//!
//! There is room for the commonest. Where it ends, the rarest give way as in space-saving (Metwally, Agrawal,
//! El Abbadi 2005): who comes later may have been there before, as often as the most that any of those had that
//! gave way. No count is too small, and none is by more than its `error` too great.

use super::lock::StateLock;
use crate::event::{Event, EventSink};
use crate::snapshot::MODE;
use crate::snapshot::folder::create_folder;
use crate::wire::name::NameBuf;
use crate::zone::{Overridden, SenderKey, Table};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The most senders that are kept, each with a list and an allow list.
const ROOM: usize = 16_384;

/// The time in seconds after which a sender is forgotten that was not let in again.
const FORGOTTEN_AFTER: u64 = 90 * 86_400;

/// The time in seconds that may be lost in a crash: the file is written so often.
const SAVED_EVERY: u64 = 300;

/// The longest file in bytes.
const MAX_SIZE: u64 = 64 << 20;

/// The version of the form of the file.
const VERSION: u32 = 1;

/// A sender, the list that has it, and the allow list that lets it in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct OverrideKey {
    /// The name of the list.
    pub(crate) list: String,
    /// The name of the allow list.
    pub(crate) allow: String,
    /// What sort of sender it is.
    pub(crate) sort: SenderSort,
    /// The address or the name.
    pub(crate) sender: String,
}

/// A sort of senders.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SenderSort {
    Address,
    Name,
}

/// What was counted of a sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct OverrideTally {
    /// How many answers there were; never less than there were.
    pub(crate) count: u64,
    /// The most that `count` may be too great.
    pub(crate) error: u64,
    /// The time of the first of them that is known, in seconds since 1970.
    pub(crate) first: u64,
    /// The time of the last.
    pub(crate) last: u64,
}

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct OverrideLog {
    file: Option<PathBuf>,
    tallies: HashMap<OverrideKey, OverrideTally>,
    /// When counting began, in seconds since 1970.
    since: u64,
    /// The most that was counted of a sender that gave way.
    floor: u64,
    /// How many answers there were for senders that found no room with a worker.
    unnamed: u64,
    has_changed: bool,
    saved: u64,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    since: u64,
    floor: u64,
    unnamed: u64,
    senders: Vec<KeptSender>,
}

#[derive(Serialize, Deserialize)]
struct KeptSender {
    #[serde(flatten)]
    key: OverrideKey,
    #[serde(flatten)]
    tally: OverrideTally,
}

impl OverrideKey {
    fn new(noted: Overridden<'_>) -> Self {
        let Overridden { list, allow, sender, .. } = noted;
        let (sort, sender) = match sender {
            SenderKey::Ip4(bits) => (SenderSort::Address, Ipv4Addr::from_bits(bits).to_string()),
            SenderKey::Ip6(bits) => (SenderSort::Address, Ipv6Addr::from_bits(bits).to_string()),
            SenderKey::Name(labels) => (SenderSort::Name, NameBuf::from_labels(labels).to_string()),
        };
        Self { list: list.to_owned(), allow: allow.to_owned(), sort, sender }
    }
}

impl OverrideLog {
    /// Reads what an earlier run left in the state folder, at that time in seconds since 1970; what it cannot read
    /// is told and left out. Without the lock of the folder, nothing is written.
    pub(crate) fn open(
        state_dir: Option<&Path>,
        lock: Option<&StateLock>,
        now: u64,
        sink: &dyn EventSink,
    ) -> Self {
        let file = state_dir.map(file_in);
        let empty = || Self { since: now, ..Self::default() };
        let mut log = match file.as_deref().map(read) {
            Some(Ok(kept)) => kept.unwrap_or_else(empty),
            Some(Err(fault)) => {
                let file = file.clone().unwrap_or_default();
                sink.emit(&Event::OverridesUnusable { file, reason: fault.to_string() });
                empty()
            }
            None => empty(),
        };
        (log.file, log.saved) = (file.filter(|_| lock.is_some()), now);
        log.forget(now);
        log
    }

    /// Adds what workers have noted.
    pub(crate) fn add(&mut self, tables: &[Table]) {
        for table in tables {
            self.has_changed = true;
            self.unnamed += table.unnamed;
            for noted in table.iter() {
                let Overridden { count, last, .. } = noted;
                let new = OverrideTally { count: self.floor, error: self.floor, first: last, last };
                let tally = self.tallies.entry(OverrideKey::new(noted)).or_insert(new);
                tally.count += count;
                tally.last = tally.last.max(last);
            }
        }
        if self.tallies.len() > ROOM {
            self.shrink();
        }
    }

    /// Has the rarest give way.
    fn shrink(&mut self) {
        let mut all: Vec<_> = self.tallies.drain().collect();
        all.sort_unstable_by_key(|(_, tally)| Reverse((tally.count, tally.last)));
        let gone = all.split_off(ROOM);
        self.floor = gone.iter().map(|(_, tally)| tally.count).fold(self.floor, u64::max);
        self.tallies.extend(all);
    }

    fn forget(&mut self, now: u64) {
        self.tallies.retain(|_, tally| now.saturating_sub(tally.last) < FORGOTTEN_AFTER);
    }

    /// What was counted, the commonest first.
    pub(crate) fn tallies(&self) -> Vec<(&OverrideKey, OverrideTally)> {
        let mut all: Vec<_> = self.tallies.iter().map(|(key, tally)| (key, *tally)).collect();
        all.sort_unstable_by_key(|(key, tally)| (Reverse((tally.count, tally.last)), *key));
        all
    }

    /// When counting began, in seconds since 1970.
    pub(crate) fn since(&self) -> u64 {
        self.since
    }

    /// The most that can have been counted of a sender that is not kept; 0 if none gave way.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    /// How many answers there were of which nobody knows for whom.
    pub(crate) fn unnamed(&self) -> u64 {
        self.unnamed
    }

    /// From now on, it is kept in the state folder.
    pub(crate) fn keep(&mut self, state_dir: &Path, _: &StateLock) {
        (self.file, self.has_changed) = (Some(file_in(state_dir)), true);
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
    pub(crate) fn save_now_and_then(&mut self, now: u64) -> io::Result<()> {
        // A clock that was set back is no reason to wait.
        match now.abs_diff(self.saved) >= SAVED_EVERY {
            true => self.save(now),
            false => Ok(()),
        }
    }

    /// Writes the file, if anything has changed: to a new one that then takes its place.
    ///
    /// # Errors
    ///
    /// When the system does not let it write there.
    pub(crate) fn save(&mut self, now: u64) -> io::Result<()> {
        self.saved = now;
        self.forget(now);
        let Some(file) = self.file.as_ref().filter(|_| self.has_changed) else { return Ok(()) };
        let senders = self.tallies.iter();
        let kept = Kept {
            version: VERSION,
            since: self.since,
            floor: self.floor,
            unnamed: self.unnamed,
            senders: senders
                .map(|(key, tally)| KeptSender { key: key.clone(), tally: *tally })
                .collect(),
        };
        create_folder(file.parent().unwrap_or(Path::new(".")))?;
        let next = file.with_extension("new");
        let _ = fs::remove_file(&next);
        let mut out = File::options().write(true).create_new(true).mode(MODE).open(&next)?;
        if let Err(error) = out.write_all(&serde_json::to_vec(&kept)?) {
            // A disk that is full is not to stay so for this.
            let _ = fs::remove_file(next);
            return Err(error);
        }
        fs::rename(next, file)?;
        self.has_changed = false;
        Ok(())
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
    state_dir.join("overrides")
}

/// Reads a regular file that nobody can make too long, and follows no link. There may be none yet.
fn read(file: &Path) -> Result<Option<OverrideLog>, Fault> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match File::options().read(true).custom_flags(flags).open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut bytes)?;
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| Fault::Damaged)?;
    if kept.version != VERSION || kept.senders.len() > ROOM {
        return Err(Fault::Damaged);
    }
    let Kept { since, floor, unnamed, senders, .. } = kept;
    let tallies = senders.into_iter().map(|sender| (sender.key, sender.tally)).collect();
    Ok(Some(OverrideLog { tallies, since, floor, unnamed, ..OverrideLog::default() }))
}

#[cfg(test)]
mod tests;
