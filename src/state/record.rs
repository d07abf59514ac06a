//! What is known of a dataset across restarts: a small JSON file beside its snapshot.
//!
//! It remembers what the data itself cannot tell: when it was accepted, when it last changed, how long the
//! list has been, and the facts that the guards compare if nothing is served to compare with.

use crate::config::Dataset;
use crate::guard::{Baseline, Facts};
use crate::snapshot::folder::Folder;
use crate::source::SourceFile;
use crate::zone::diff::Tally;
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use xxhash_rust::xxh3::xxh3_64;

/// The longest record in bytes.
const MAX_SIZE: u64 = 64 << 10;

/// What is known of the data of a dataset that was accepted last. Times are in seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct DatasetRecord {
    /// The name of the dataset.
    pub name: String,
    /// What tells its files and the way they are read from others, see [`origin`].
    pub origin: String,
    /// What tells the bytes of the files from others, see [`content`].
    pub content: String,
    /// When the data was accepted.
    pub accepted: u64,
    /// When its content last changed.
    pub changed: u64,
    /// The newest change of its files when they were looked at last.
    pub fetched: u64,
    /// Since when its files have not been good.
    pub bad_since: Option<u64>,
    /// The most entries that the list ever had.
    pub peak_entries: u64,
    /// What the guards compare.
    pub facts: Facts,
    /// What the last change of its content did, if that was counted.
    pub last_change: Option<RecordedChange>,
}

/// How many keys a change of the content has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RecordedChange {
    /// Those that are listed since then.
    pub added: u128,
    /// Those that are no longer listed.
    pub removed: u128,
    /// Those that are listed with other values.
    pub changed: u128,
}

impl From<Tally> for RecordedChange {
    fn from(Tally { added, removed, changed }: Tally) -> Self {
        Self { added, removed, changed }
    }
}

impl DatasetRecord {
    /// The record that follows this one when data is accepted: `new` says what of, and when. A list of
    /// another type or of other files has no past.
    pub fn after(before: Option<&Self>, new: Self) -> Self {
        let Some(before) = before.filter(|before| before.origin == new.origin) else {
            return Self { changed: new.accepted, peak_entries: new.facts.entries, ..new };
        };
        let is_same = before.content == new.content;
        Self {
            changed: if is_same { before.changed } else { new.accepted },
            peak_entries: before.peak_entries.max(new.facts.entries),
            last_change: if is_same { before.last_change } else { new.last_change },
            ..new
        }
    }

    /// Adds to the facts of data what only the text of its files says: a snapshot of them does not have it.
    pub fn complete(&self, facts: &mut Facts, sources: &[SourceFile]) {
        if self.content == content(sources) {
            facts.records = facts.records.or(self.facts.records);
        }
    }

    /// What the guard compares a dataset with that has nothing else to be compared with.
    pub fn baseline(&self, spec: &Dataset) -> Baseline<'_> {
        let is_predecessor = self.origin == origin(spec);
        Baseline { sources: &[], facts: &self.facts, dataset: None, is_predecessor }
    }

    /// The most entries that the list of a dataset ever had, if this is its record.
    pub fn most_entries(&self, spec: &Dataset) -> Option<u64> {
        (self.origin == origin(spec)).then_some(self.peak_entries)
    }

    /// Reads the record of a dataset; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is too long, is no record, or is one of another dataset.
    pub fn read(folder: &Folder, dataset: &str) -> io::Result<Option<Self>> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let opened =
            std::fs::File::options().read(true).custom_flags(flags).open(folder.record(dataset));
        let file = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = Vec::new();
        file.take(MAX_SIZE + 1).read_to_end(&mut text)?;
        if text.len() as u64 > MAX_SIZE {
            return Err(invalid("it is too long"));
        }
        let record: Self = serde_json::from_slice(&text).map_err(invalid)?;
        if record.name != dataset {
            return Err(invalid("it is of another dataset"));
        }
        Ok(Some(record))
    }

    /// Puts the record in its place, whole or not at all.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn write(&self, folder: &Folder) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        folder.put(&folder.record(&self.name), &text)
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// What tells the files of a dataset, and the way they are read, from others: data that differs in that is no
/// other version of the same list.
pub fn origin(spec: &Dataset) -> String {
    let Dataset { kind, format, column, files, .. } = spec;
    hex(xxh3_64(format!("{kind} {format} {column:?} {files:?}").as_bytes()))
}

/// What tells the bytes of files from others.
pub fn content(sources: &[SourceFile]) -> String {
    let bytes: Vec<u8> =
        sources.iter().flat_map(|source| source.report.hash.to_le_bytes()).collect();
    hex(xxh3_64(&bytes))
}

/// The newest change of files, by their publisher or here, in seconds since 1970, and not after `now`.
pub fn fetched(sources: &[SourceFile], now: u64) -> u64 {
    let identities = sources.iter().map(|source| source.report.identity);
    let times = identities.flat_map(|identity| [identity.modified, identity.changed]);
    let newest = times.filter_map(|time| u64::try_from(time.seconds).ok()).max();
    newest.unwrap_or(0).min(now)
}

fn hex(number: u64) -> String {
    format!("{number:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zonefile::Kind;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    fn spec(file: &str) -> Dataset {
        Dataset::new("list".to_owned(), Kind::Ip4Set, vec![file.into()])
    }

    fn record(content: &str, accepted: u64, entries: u64) -> DatasetRecord {
        DatasetRecord {
            name: "list".to_owned(),
            origin: origin(&spec("/lists/one")),
            content: content.to_owned(),
            accepted,
            fetched: accepted - 1,
            facts: Facts { entries, ip6: Some(u128::MAX), ..Facts::default() },
            last_change: Some(RecordedChange {
                added: u128::MAX,
                removed: accepted.into(),
                changed: 0,
            }),
            ..DatasetRecord::default()
        }
    }

    #[test]
    fn a_record_follows_another_of_the_same_list() {
        let first = DatasetRecord::after(None, record("a", 100, 30));
        assert_eq!((first.changed, first.peak_entries), (100, 30));
        let same = DatasetRecord::after(Some(&first), record("a", 200, 30));
        assert_eq!((same.accepted, same.changed), (200, 100));
        assert_eq!(same.last_change, first.last_change);
        let fewer = DatasetRecord::after(Some(&same), record("b", 300, 10));
        assert_eq!((fewer.changed, fewer.peak_entries, fewer.facts.entries), (300, 30, 10));
        let other = DatasetRecord { origin: origin(&spec("/lists/two")), ..record("b", 400, 10) };
        assert_eq!(DatasetRecord::after(Some(&fewer), other).peak_entries, 10);
    }

    #[test]
    fn a_record_knows_what_files_said_of_themselves() {
        let facts = Facts { records: Some(120), ..Facts::default() };
        let record = DatasetRecord { facts, ..record(&content(&[]), 100, 30) };
        let completed = |record: &DatasetRecord| {
            let mut facts = Facts::default();
            record.complete(&mut facts, &[]);
            facts.records
        };
        assert_eq!(completed(&record), Some(120));
        let of_others = DatasetRecord { content: "other".to_owned(), ..record };
        assert_eq!(completed(&of_others), None);
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::of(state.path());
        assert_eq!(DatasetRecord::read(&folder, "list").unwrap(), None);
        let record = record("a", 100, 30);
        record.write(&folder).unwrap();
        assert_eq!(DatasetRecord::read(&folder, "list").unwrap(), Some(record.clone()));
        let mode = fs::metadata(folder.record("list")).unwrap().permissions().mode();
        assert_eq!(mode & 0o137, 0, "{mode:o}");
        assert_eq!(folder.retain(["list"]).unwrap(), [""; 0].map(PathBuf::from));
        assert_eq!(folder.retain(["other"]).unwrap(), [folder.record("list")]);
    }

    #[test]
    fn what_is_no_record_of_the_dataset_is_an_error() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::of(state.path());
        record("a", 100, 30).write(&folder).unwrap();
        let path = folder.record("list");
        let told = |text: &[u8]| {
            fs::write(&path, text).unwrap();
            DatasetRecord::read(&folder, "list").unwrap_err().to_string()
        };
        let good = fs::read(&path).unwrap();
        assert!(told(&good[..good.len() / 2]).contains("EOF"));
        assert!(told(b"7").contains("invalid type"));
        assert_eq!(told(br#"{"name":"other"}"#), "it is of another dataset");
        assert_eq!(told(&b" ".repeat(70_000)), "it is too long");
        fs::remove_file(&path).unwrap();
        symlink("/etc/hostname", &path).unwrap();
        DatasetRecord::read(&folder, "list").unwrap_err();
    }
}
