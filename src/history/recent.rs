//! The newest loads, and the keys that one of them is about.

use super::block::{Block, Body, Keys, ListPlace, ListedValues, LoadHead, Operation, Space};
use super::files::{LogBytes, Segment, blocks, folder, read_file, segments};
use super::query::{LoadEntry, Turn};
use crate::trie::names::key_text;
use crate::zone::diff::Key;
use std::io;
use std::path::Path;

/// A load or a refusal, with the first keys that it is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecentLoad {
    /// What it is.
    pub entry: LoadEntry,
    /// The first of the keys that it lists, or lists with other values; none for a load that states all that was
    /// listed.
    pub listed: Vec<String>,
    /// The first of the keys that it delists.
    pub delisted: Vec<String>,
}

/// A key that a load is about, or a range of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadedKey {
    /// The list.
    pub place: ListPlace,
    /// The key as people write it.
    pub key: String,
    /// What becomes of it: listed, excluded or delisted.
    pub turn: Turn,
}

/// Some of the keys that a load is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadedKeys {
    /// The load.
    pub head: LoadHead,
    /// The keys: those that were asked for.
    pub keys: Vec<LoadedKey>,
    /// There are more behind them.
    pub has_more: bool,
}

/// The newest part of the log of a dataset.
pub struct Recent(LogBytes);

impl Recent {
    /// Reads the newest segments, until these have so many loads and refusals.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn read(state_dir: &Path, dataset: &str, loads: usize) -> io::Result<Self> {
        let folder = folder(state_dir, dataset);
        let (mut log, mut found) = (LogBytes::default(), 0);
        for (segment, _) in segments(&folder)?.iter().rev() {
            if found >= loads {
                break;
            }
            if let Some(bytes) = read_file(&folder.join(segment.file_name()))? {
                found += blocks(&bytes).count();
                log.segments.insert(0, bytes);
            }
        }
        Ok(Self(log))
    }

    /// Reads the segment that has the load of this number.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn read_load(state_dir: &Path, dataset: &str, number: u64) -> io::Result<Self> {
        let folder = folder(state_dir, dataset);
        let segments = segments(&folder)?;
        let segment = segments.iter().rev().find(|(segment, _)| segment.number <= number);
        let read = |(segment, _): &(Segment, u64)| read_file(&folder.join(segment.file_name()));
        let bytes = segment.map(read).transpose()?.flatten();
        Ok(Self(LogBytes { base: None, segments: bytes.into_iter().collect() }))
    }

    /// The newest part of a log from the bytes of segments, the oldest first. For those who try what damaged bytes
    /// do.
    pub fn from_bytes(segments: Vec<Vec<u8>>) -> Self {
        Self(LogBytes { base: None, segments })
    }

    fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        self.0.segments.iter().flat_map(|segment| blocks(segment)).map(|(block, _)| block)
    }

    /// The newest loads and refusals, the newest first, each with so many keys that it lists and delists.
    pub fn loads(&self, loads: usize, keys: usize) -> Vec<RecentLoad> {
        let told = self.blocks().filter_map(|block| match block {
            Block::Load(head, _) if head.is_pruned => None,
            Block::Load(head, body) => {
                let of = |is: fn(Operation) -> bool| match head.is_whole {
                    true => Vec::new(),
                    false => first(body, keys, is),
                };
                let listed = of(|operation| matches!(operation, Operation::List(_)));
                let delisted = of(|operation| operation == Operation::Delist);
                Some(RecentLoad { entry: LoadEntry::Accepted(head), listed, delisted })
            }
            Block::Refusal(refused) => Some(RecentLoad {
                entry: LoadEntry::Refused(refused),
                listed: Vec::new(),
                delisted: Vec::new(),
            }),
            Block::Base(_) => None,
        });
        let mut told: Vec<_> = told.collect();
        told.reverse();
        told.truncate(loads);
        told
    }

    /// The keys of a load behind the first `from` of them, `most` at most; `None` if it is not known.
    pub fn load(&self, number: u64, from: usize, most: usize) -> Option<LoadedKeys> {
        let (head, body) = self.blocks().find_map(|block| match block {
            Block::Load(head, body) if head.number == number && !head.is_pruned => {
                Some((head, body))
            }
            _ => None,
        })?;
        let answers = body.answers();
        let turn = |operation| match operation {
            Operation::Delist => Turn::Delisted,
            Operation::Exclude => Turn::Excluded,
            Operation::List(answer) => {
                Turn::Listed(answers.get(answer).cloned().unwrap_or_else(ListedValues::new))
            }
        };
        let (mut keys, mut at) = (Vec::new(), 0);
        for group in body.groups() {
            let mut rest = group.keys;
            while keys.len() <= most
                && let Some(key) = next(&mut rest, group.place.space, at < from)
            {
                if let Some(key) = key {
                    let turn = turn(group.operation);
                    keys.push(LoadedKey { place: group.place.clone(), key, turn });
                }
                at += 1;
            }
        }
        let has_more = keys.len() > most;
        keys.truncate(most);
        Some(LoadedKeys { head, keys, has_more })
    }
}

/// The first keys of a load that such a thing becomes of.
fn first(body: Body<'_>, most: usize, is: fn(Operation) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for group in body.groups().filter(|group| is(group.operation)) {
        let mut keys = group.keys;
        while found.len() < most
            && let Some(key) = next(&mut keys, group.place.space, false)
        {
            found.extend(key);
        }
    }
    found
}

/// The next key of a group as people write it, unless it is skipped; `None` at the end.
fn next(keys: &mut Keys<'_>, space: Space, is_skipped: bool) -> Option<Option<String>> {
    let text = |key: Key| (!is_skipped).then(|| key.to_string());
    match space {
        Space::Ip4 => {
            let (start, end) = keys.next_range()?;
            let [start, end] = [start, end].map(|bits| u32::try_from(bits).unwrap_or(u32::MAX));
            Some(text(Key::Ip4(start, end)))
        }
        Space::Ip6 => keys.next_range().map(|(start, end)| text(Key::Ip6(start, end))),
        Space::Name | Space::Records => {
            let name = keys.next_name()?;
            Some((!is_skipped).then(|| key_text(name)))
        }
        Space::Below => {
            let name = keys.next_name()?;
            Some((!is_skipped).then(|| format!("*.{}", key_text(name))))
        }
    }
}
