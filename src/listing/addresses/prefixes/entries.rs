//! How entries are kept until all have been read.

use super::super::sort::sort_by_u32;
use super::super::{AnswerId, Key};
use crate::flat::make_room;
use std::fmt::Debug;

/// A prefix that is listed or excluded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry<K> {
    pub(super) start: K,
    /// The number of the entry in the files.
    pub(super) place: u32,
    pub(super) answer: AnswerId,
    pub(super) len: u8,
}

impl<K: Key> Entry<K> {
    fn order(&self) -> (K, u8, u32) {
        (self.start, self.len, self.place)
    }

    fn has_prefix_of(&self, other: &Self) -> bool {
        (self.start, self.len) == (other.start, other.len)
    }
}

/// Entries of one kind of addresses.
pub trait Entries<K>: Clone + Debug + Default {
    /// Adds an entry behind the others.
    fn push(&mut self, entry: Entry<K>);
    /// The entry with this index.
    fn get(&self, index: usize) -> Option<Entry<K>>;
    /// Sorts by first address, length and place.
    fn sort(&mut self);
    /// Of sorted entries with one prefix, keeps the first, and gives the others away.
    fn keep_first(&mut self, late: impl FnMut(Entry<K>));
    /// Puts other numbers in the place of those of the answers.
    fn renumber(&mut self, number: &impl Fn(AnswerId) -> AnswerId);
    /// The size in memory, in bytes.
    fn memory(&self) -> usize;
}

impl Entries<u32> for Vec<Entry<u32>> {
    #[inline]
    fn push(&mut self, entry: Entry<u32>) {
        self.push(entry);
    }

    #[inline]
    fn get(&self, index: usize) -> Option<Entry<u32>> {
        self.as_slice().get(index).copied()
    }

    fn sort(&mut self) {
        sort_by_u32(self, |entry| entry.start);
        let same_start = self.chunk_by_mut(|a, b| a.start == b.start);
        same_start.for_each(|entries| entries.sort_unstable_by_key(Entry::order));
    }

    fn keep_first(&mut self, mut late: impl FnMut(Entry<u32>)) {
        self.dedup_by(|entry, first| {
            let same = entry.has_prefix_of(first);
            if same {
                late(*entry);
            }
            same
        });
    }

    fn renumber(&mut self, number: &impl Fn(AnswerId) -> AnswerId) {
        for entry in self {
            entry.answer = number(entry.answer);
        }
    }

    fn memory(&self) -> usize {
        self.capacity() * size_of::<Entry<u32>>()
    }
}

/// Entries for IPv6. Nearly all prefixes end at or before the 64th bit, and of these only the first
/// half is kept.
#[derive(Clone, Debug, Default)]
pub struct Entries6 {
    entries: Vec<Packed>,
    long: Vec<Long>,
}

#[derive(Clone, Copy, Debug)]
struct Packed {
    /// The first 64 bits, in two halves: so an entry is not padded.
    network: [u32; 2],
    place: u32,
    answer: AnswerId,
    /// The length up to [`SHORT`], else that and one more than the index of the rest of the prefix.
    len: u32,
}

/// The longest prefix whose second half is not kept.
const SHORT: u8 = 64;

/// The rest of a longer prefix.
#[derive(Clone, Copy, Debug)]
struct Long {
    interface: [u32; 2],
    len: u8,
}

impl Entries6 {
    fn unpack(&self, packed: &Packed) -> Entry<u128> {
        let index = packed.len.checked_sub(u32::from(SHORT) + 1);
        let (interface, len) = match index.and_then(|index| self.long.get(index as usize)) {
            Some(long) => (join(long.interface), long.len),
            None => (0, packed.len as u8),
        };
        let start = u128::from(join(packed.network)) << 64 | u128::from(interface);
        Entry { start, place: packed.place, answer: packed.answer, len }
    }
}

impl Entries<u128> for Entries6 {
    #[inline]
    fn push(&mut self, entry: Entry<u128>) {
        let Entry { start, place, answer, len } = entry;
        let mut packed =
            Packed { network: split((start >> 64) as u64), place, answer, len: len.into() };
        if len > SHORT {
            packed.len = u32::from(SHORT) + 1 + self.long.len() as u32;
            self.long.push(Long { interface: split(start as u64), len });
        }
        make_room(&mut self.entries);
        self.entries.push(packed);
    }

    #[inline]
    fn get(&self, index: usize) -> Option<Entry<u128>> {
        self.entries.get(index).map(|packed| self.unpack(packed))
    }

    fn sort(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by_key(|packed| self.unpack(packed).order());
        self.entries = entries;
    }

    fn keep_first(&mut self, mut late: impl FnMut(Entry<u128>)) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.dedup_by(|entry, first| {
            let entry = self.unpack(entry);
            let same = entry.has_prefix_of(&self.unpack(first));
            if same {
                late(entry);
            }
            same
        });
        self.entries = entries;
    }

    fn renumber(&mut self, number: &impl Fn(AnswerId) -> AnswerId) {
        for entry in &mut self.entries {
            entry.answer = number(entry.answer);
        }
    }

    fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Packed>() + self.long.capacity() * size_of::<Long>()
    }
}

fn split(number: u64) -> [u32; 2] {
    [(number >> 32) as u32, number as u32]
}

fn join([high, low]: [u32; 2]) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}
