//! Which senders allow lists let in that some list has: counted by worker, in bounded room.
//!
//! A worker notes each answer that an allow list changed in a table of its own, which has its room before the
//! first query. Whoever reads the tables takes them away and leaves empty ones, so that a worker never waits for
//! a reader: at worst it passes one note over.

use super::Dataset;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, TryLockError};
use xxhash_rust::xxh3::xxh3_64;

/// The most senders that a table has, each with the list and the allow list.
const ROOM: usize = 4096;

/// The most bytes of all their keys.
const KEY_ROOM: usize = 64 * ROOM;

/// The tables of all workers. Clones share them; those of no worker, the default, note nothing.
#[derive(Clone, Debug, Default)]
pub struct Overrides(Arc<[Mutex<Table>]>);

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SenderKey<'a> {
    /// An IPv4 address.
    Ip4(u32),
    /// An IPv6 address.
    Ip6(u128),
    /// The labels of a name, in wire form and lower case, without the final zero.
    Name(&'a [u8]),
}

/// A sender that a list has and an allow list lets in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Overridden<'a> {
    /// The name of the list.
    pub(crate) list: &'a str,
    /// The name of the allow list.
    pub(crate) allow: &'a str,
    pub(crate) sender: SenderKey<'a>,
    /// How many answers there were.
    pub(crate) count: u64,
    /// The time of the last of them, in seconds since 1970.
    pub(crate) last: u64,
}

/// What one worker has noted.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// The number of the entry with a hash.
    index: HashMap<u64, u32>,
    entries: Vec<Entry>,
    /// The keys of all entries, one after the other.
    keys: Vec<u8>,
    /// How many answers there were for senders that found no room.
    pub(crate) unnamed: u64,
}

#[derive(Debug)]
struct Entry {
    /// Where its key ends; it begins where that of the entry before ends.
    end: u32,
    count: u64,
    last: u64,
}

impl Overrides {
    /// Tables for that many workers.
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Mutex::new(Table::with_room())).collect())
    }

    /// Notes that `allow` has what `list` has, at that time in seconds since 1970.
    #[cold]
    #[inline(never)]
    pub(crate) fn note(
        &self,
        worker: usize,
        list: &Dataset,
        allow: &Dataset,
        sender: SenderKey<'_>,
        now: u64,
    ) {
        match self.0.get(worker).map(Mutex::try_lock) {
            Some(Ok(mut table)) => table.note(&list.name, &allow.name, sender, now),
            Some(Err(TryLockError::Poisoned(table))) => {
                table.into_inner().note(&list.name, &allow.name, sender, now);
            }
            Some(Err(TryLockError::WouldBlock)) | None => {}
        }
    }

    /// What was noted since this was called last: the table of each worker that has noted something.
    pub(crate) fn take(&self) -> Vec<Table> {
        let take = |table: &Mutex<Table>| {
            let lock = || table.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if lock().entries.is_empty() {
                return None;
            }
            let empty = Table::with_room();
            Some(std::mem::replace(&mut *lock(), empty))
        };
        self.0.iter().filter_map(take).collect()
    }
}

impl Table {
    fn with_room() -> Self {
        Self {
            index: HashMap::with_capacity(ROOM),
            entries: Vec::with_capacity(ROOM),
            keys: Vec::with_capacity(KEY_ROOM),
            unnamed: 0,
        }
    }

    fn note(&mut self, list: &str, allow: &str, sender: SenderKey<'_>, now: u64) {
        let start = self.keys.len();
        // The longest name has 255 bytes; those of datasets have no bound.
        if start + list.len() + allow.len() + 258 > KEY_ROOM {
            self.unnamed += 1;
            return;
        }
        write_key(&mut self.keys, list, allow, sender);
        let hash = xxh3_64(&self.keys[start..]);
        if let Some(&at) = self.index.get(&hash) {
            let is_same = self.key(at as usize) == &self.keys[start..];
            self.keys.truncate(start);
            match self.entries.get_mut(at as usize).filter(|_| is_same) {
                Some(entry) => (entry.count, entry.last) = (entry.count + 1, now),
                None => self.unnamed += 1,
            }
        } else if self.entries.len() < ROOM {
            self.index.insert(hash, self.entries.len() as u32);
            self.entries.push(Entry { end: self.keys.len() as u32, count: 1, last: now });
        } else {
            self.keys.truncate(start);
            self.unnamed += 1;
        }
    }

    fn key(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.entries[before].end);
        &self.keys[start as usize..self.entries[at].end as usize]
    }

    /// What was noted, in the order in which it was seen first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Overridden<'_>> {
        let read = |(at, entry): (usize, &Entry)| {
            let (list, allow, sender) = read_key(self.key(at))?;
            Some(Overridden { list, allow, sender, count: entry.count, last: entry.last })
        };
        self.entries.iter().enumerate().filter_map(read)
    }
}

/// Writes a key: the names of the lists, each with a zero behind it (which no name of a dataset has), the sort of
/// the sender, and the sender.
fn write_key(out: &mut Vec<u8>, list: &str, allow: &str, sender: SenderKey<'_>) {
    for name in [list, allow] {
        out.extend_from_slice(name.as_bytes());
        out.push(0);
    }
    match sender {
        SenderKey::Ip4(address) => {
            out.push(b'4');
            out.extend_from_slice(&address.to_be_bytes());
        }
        SenderKey::Ip6(address) => {
            out.push(b'6');
            out.extend_from_slice(&address.to_be_bytes());
        }
        SenderKey::Name(labels) => {
            out.push(b'n');
            out.extend_from_slice(labels);
        }
    }
}

fn read_key(key: &[u8]) -> Option<(&str, &str, SenderKey<'_>)> {
    let mut parts = key.splitn(3, |byte| *byte == 0);
    let mut name = || std::str::from_utf8(parts.next()?).ok();
    let (list, allow) = (name()?, name()?);
    let (sort, sender) = parts.next()?.split_first()?;
    let sender = match sort {
        b'4' => SenderKey::Ip4(u32::from_be_bytes(sender.try_into().ok()?)),
        b'6' => SenderKey::Ip6(u128::from_be_bytes(sender.try_into().ok()?)),
        _ => SenderKey::Name(sender),
    };
    Some((list, allow, sender))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn dataset(name: &str) -> Dataset {
        Dataset { name: name.to_owned(), ..Dataset::default() }
    }

    #[test]
    fn a_table_is_taken_once() {
        let overrides = Overrides::new(2);
        let (list, allow) = (dataset("list"), dataset("allow"));
        overrides.note(0, &list, &allow, SenderKey::Ip4(7), 10);
        overrides.note(0, &list, &allow, SenderKey::Ip4(7), 11);
        overrides.note(1, &list, &allow, SenderKey::Name(b"\x01a"), 12);
        overrides.note(2, &list, &allow, SenderKey::Ip4(7), 13);
        let told: Vec<Vec<_>> = overrides
            .take()
            .iter()
            .map(|table| {
                table.iter().map(|it| (format!("{:?}", it.sender), it.count, it.last)).collect()
            })
            .collect();
        let name = format!("{:?}", SenderKey::Name(b"\x01a"));
        assert_eq!(told, [vec![("Ip4(7)".to_owned(), 2, 11)], vec![(name, 1, 12)]]);
        assert!(overrides.take().is_empty());
        Overrides::default().note(0, &list, &allow, SenderKey::Ip4(7), 10);
    }

    #[test]
    fn what_finds_no_room_is_counted_without_a_name() {
        let overrides = Overrides::new(1);
        let (list, allow) = (dataset("list"), dataset("allow"));
        for sender in 0..ROOM as u32 + 5 {
            overrides.note(0, &list, &allow, SenderKey::Ip4(sender), 10);
        }
        overrides.note(0, &list, &allow, SenderKey::Ip4(3), 11);
        let tables = overrides.take();
        assert_eq!((tables[0].iter().count(), tables[0].unnamed), (ROOM, 5));
        assert_eq!(tables[0].iter().nth(3).unwrap().count, 2);

        let long = [b'a'; 255];
        for sender in 0..ROOM {
            let mut name = long;
            name[..8].copy_from_slice(&(sender as u64).to_be_bytes());
            overrides.note(0, &list, &allow, SenderKey::Name(&name), 10);
        }
        let table = &overrides.take()[0];
        assert!(table.keys.len() <= KEY_ROOM && table.keys.capacity() == KEY_ROOM);
        assert_eq!(table.iter().count() as u64 + table.unnamed, ROOM as u64);
    }

    proptest! {
        /// Counts and times are those of a map, whatever the names and senders are.
        #[test]
        fn a_table_counts_as_a_map_does(
            notes in prop::collection::vec((0_usize..3, 0_usize..2, 0_u8..6, any::<bool>()), 0..60),
        ) {
            let overrides = Overrides::new(1);
            let lists = ["", "a", "a/b"].map(dataset);
            let allows = ["b", "a"].map(dataset);
            let mut model = BTreeMap::new();
            for (time, &(list, allow, sender, is_name)) in notes.iter().enumerate() {
                let name = [1, sender, 0];
                let key = match is_name {
                    true => SenderKey::Name(&name),
                    false if sender < 3 => SenderKey::Ip6(sender.into()),
                    false => SenderKey::Ip4(sender.into()),
                };
                overrides.note(0, &lists[list], &allows[allow], key, time as u64);
                let key = (lists[list].name.clone(), allows[allow].name.clone(), format!("{key:?}"));
                let told: &mut (u64, u64) = model.entry(key).or_default();
                *told = (told.0 + 1, time as u64);
            }
            let mut told = BTreeMap::new();
            for table in overrides.take() {
                for it in table.iter() {
                    let key = (it.list.to_owned(), it.allow.to_owned(), format!("{:?}", it.sender));
                    prop_assert!(told.insert(key, (it.count, it.last)).is_none());
                }
            }
            prop_assert_eq!(told, model);
        }
    }
}
