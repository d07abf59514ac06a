//! What was listed of the networks and domains that are watched: `watched.json` in the state folder.

use super::changes::{Piece, ends};
use crate::config::WatchSubject;
use crate::event::ListingLine;
use crate::snapshot::Unfinished;
use crate::wire::name::NameBuf;
use crate::zone::diff::Key;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

/// The name of the file.
const NAME: &str = "watched.json";

/// The longest file that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// What each dataset lists of what is watched.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct WatchRecord {
    /// By what is watched, as it is written, and by dataset; nothing that is empty.
    listed: BTreeMap<(String, String), Vec<Piece>>,
}

impl WatchRecord {
    /// Where it is in a state folder.
    pub(super) fn path(state_dir: &Path) -> PathBuf {
        state_dir.join(NAME)
    }

    /// What was remembered; nothing if there is no such file, or none that can be read.
    pub(crate) fn read(state_dir: &Path) -> Self {
        let read = || {
            let mut text = Vec::new();
            File::open(Self::path(state_dir))?.take(LONGEST).read_to_end(&mut text)?;
            io::Result::Ok(serde_json::from_slice::<RecordFile>(&text)?)
        };
        read().map(Self::from).unwrap_or_default()
    }

    /// Writes it whole or not at all.
    pub(super) fn write(&self, state_dir: &Path) -> io::Result<()> {
        let path = Self::path(state_dir);
        let mut new = Unfinished::create(&path)?;
        new.file.write_all(&serde_json::to_vec(&RecordFile::from(self))?)?;
        new.file.sync_all()?;
        new.finish(&path)
    }

    /// What a dataset lists of a subject.
    pub(crate) fn of(&self, subject: &WatchSubject, dataset: &str) -> &[Piece] {
        let key = (subject.to_string(), dataset.to_owned());
        self.listed.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Puts what a dataset lists of a subject in the place of what it listed.
    pub(super) fn set(&mut self, subject: &WatchSubject, dataset: &str, pieces: Vec<Piece>) {
        let key = (subject.to_string(), dataset.to_owned());
        match pieces.is_empty() {
            true => drop(self.listed.remove(&key)),
            false => drop(self.listed.insert(key, pieces)),
        }
    }

    /// Forgets what is not of these subjects and datasets. True if there was such a thing.
    pub(super) fn retain(&mut self, subjects: &[String], datasets: &[String]) -> bool {
        let before = self.listed.len();
        self.listed.retain(|(subject, dataset), _| {
            subjects.contains(subject) && datasets.contains(dataset)
        });
        self.listed.len() < before
    }
}

/// The form of the file.
#[derive(Serialize, Deserialize)]
struct RecordFile {
    schema: u32,
    watched: Vec<Recorded>,
}

#[derive(Serialize, Deserialize)]
struct Recorded {
    subject: String,
    dataset: String,
    listed: Vec<RecordedPiece>,
}

#[derive(Serialize, Deserialize)]
struct RecordedPiece {
    #[serde(flatten)]
    key: RecordedKey,
    since: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<ListingLine>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RecordedKey {
    Range { first: IpAddr, last: IpAddr },
    Name { name: String },
    Below { below: String },
}

impl RecordedKey {
    fn of(key: &Key) -> Self {
        let ip6 = |bits: u128| IpAddr::from(Ipv6Addr::from_bits(bits));
        let ip4 = |bits: u32| IpAddr::from(Ipv4Addr::from_bits(bits));
        match key {
            Key::Ip4(first, last) => Self::Range { first: ip4(*first), last: ip4(*last) },
            Key::Ip6(first, last) => Self::Range { first: ip6(*first), last: ip6(*last) },
            Key::Name(name) | Key::Records(name) => Self::Name { name: name.to_string() },
            Key::Below(name) => Self::Below { below: name.to_string() },
        }
    }

    fn key(&self) -> Option<Key> {
        let name = |text: &str| NameBuf::from_text(text.as_bytes()).ok();
        let key = match self {
            Self::Range { first: IpAddr::V4(first), last: IpAddr::V4(last) } => {
                Key::Ip4(first.to_bits(), last.to_bits())
            }
            Self::Range { first: IpAddr::V6(first), last: IpAddr::V6(last) } => {
                Key::Ip6(first.to_bits(), last.to_bits())
            }
            Self::Range { .. } => return None,
            Self::Name { name: text } => Key::Name(name(text)?),
            Self::Below { below } => Key::Below(name(below)?),
        };
        ends(&key).is_none_or(|(first, last)| first <= last).then_some(key)
    }
}

impl From<RecordFile> for WatchRecord {
    fn from(file: RecordFile) -> Self {
        let piece = |piece: RecordedPiece| {
            Some(Piece { key: piece.key.key()?, since: piece.since, line: piece.line })
        };
        let watched = file.watched.into_iter().filter(|_| file.schema == 1);
        let listed = watched.map(|Recorded { subject, dataset, listed }| {
            let pieces: Vec<_> = listed.into_iter().filter_map(piece).collect();
            ((subject, dataset), super::changes::tidy(pieces))
        });
        Self { listed: listed.filter(|(_, pieces)| !pieces.is_empty()).collect() }
    }
}

impl From<&WatchRecord> for RecordFile {
    fn from(record: &WatchRecord) -> Self {
        let piece = |piece: &Piece| RecordedPiece {
            key: RecordedKey::of(&piece.key),
            since: piece.since,
            line: piece.line.clone(),
        };
        let watched = record.listed.iter().map(|((subject, dataset), pieces)| Recorded {
            subject: subject.clone(),
            dataset: dataset.clone(),
            listed: pieces.iter().map(piece).collect(),
        });
        Self { schema: 1, watched: watched.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn piece(key: Key, since: u64) -> Piece {
        let line = ListingLine { file: "/lists/one".into(), line: 7, text: "a line".to_owned() };
        Piece { key, since, line: Some(line).filter(|_| since.is_multiple_of(2)) }
    }

    #[test]
    fn what_is_written_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(WatchRecord::read(folder.path()), WatchRecord::default());
        let net = WatchSubject::Prefix("10.0.0.0/8".parse().unwrap());
        let net6 = WatchSubject::Prefix("2001:db8::/32".parse().unwrap());
        let domain = WatchSubject::Domain(Box::new("example.org".parse().unwrap()));
        let mut record = WatchRecord::default();
        let of_net = vec![
            piece(Key::Ip4(0x0a00_0001, 0x0a00_0009), 4),
            piece(Key::Ip4(0x0a01_0000, 0x0a01_0000), 5),
        ];
        record.set(&net, "one", of_net.clone());
        record.set(
            &net6,
            "one",
            vec![piece(Key::Ip6(0x2001_0db8 << 96, (0x2001_0db8 << 96) + 1), 6)],
        );
        let name = |text: &str| text.parse().unwrap();
        record.set(
            &domain,
            "two",
            vec![
                piece(Key::Below(name("example.org")), 7),
                piece(Key::Name(name("a.example.org")), 8),
            ],
        );
        record.write(folder.path()).unwrap();
        assert_eq!(WatchRecord::read(folder.path()), record);
        assert_eq!(record.of(&net, "one"), of_net);
        assert!(!record.retain(
            &[net.to_string(), net6.to_string(), domain.to_string()],
            &["one".to_owned(), "two".to_owned()]
        ));
        assert!(record.retain(&[net.to_string(), domain.to_string()], &["one".to_owned()]));
        assert_eq!((record.of(&net6, "one"), record.of(&domain, "two")), (&[][..], &[][..]));
        record.set(&net, "one", Vec::new());
        assert_eq!(record, WatchRecord::default());
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let read = |text: &str| {
            serde_json::from_str::<RecordFile>(text).map(WatchRecord::from).unwrap_or_default()
        };
        for text in [
            r#"{"schema":2,"watched":[{"subject":"a","dataset":"b","listed":[{"name":"a","since":1}]}]}"#,
            r#"{"schema":1,"watched":[{"subject":"a","dataset":"b","listed":[{"first":"10.0.0.2","last":"10.0.0.1","since":1}]}]}"#,
            r#"{"schema":1,"watched":[{"subject":"a","dataset":"b","listed":[{"first":"10.0.0.2","last":"::1","since":1}]}]}"#,
            "{}",
        ] {
            assert_eq!(read(text), WatchRecord::default(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "[{}\\[\\]\":,a-z0-9]{0,60}") {
            let _ = serde_json::from_str::<RecordFile>(&text).map(WatchRecord::from);
        }
    }
}
