//! How entries are kept until all have been read.

use super::super::sort::sort_by_u32;
use super::super::{AnswerId, Key};
use crate::flat_array::make_room;
use std::fmt::Debug;

/// A prefix that is listed or excluded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entry<K> {
    pub(super) start: K,
    /// The number of the entry in the files, less than 2^31.
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
    /// All entries; once they are sorted, in that order.
    fn iter(&self) -> impl Iterator<Item = Entry<K>>;
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

    fn iter(&self) -> impl Iterator<Item = Entry<u32>> {
        self.as_slice().iter().copied()
    }

    fn sort(&mut self) {
        sort_by_u32(self, |entry| entry.start);
        let same_start = self.chunk_by_mut(|a, b| a.start == b.start);
        same_start.for_each(|entries| entries.sort_unstable_by_key(Entry::order));
    }

    fn keep_first(&mut self, late: impl FnMut(Entry<u32>)) {
        keep_first(self, |&entry| entry, late);
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
    short: Vec<Short>,
    long: Vec<Long>,
}

/// A prefix of up to 64 bits.
#[derive(Clone, Copy, Debug)]
struct Short {
    /// Its first 64 bits, of which the one behind the prefix is set.
    network: u64,
    /// The place, and as its lowest bit whether the prefix has 64 bits, with none behind them.
    place: u32,
    answer: AnswerId,
}

/// A longer one.
#[derive(Clone, Copy, Debug)]
struct Long {
    /// In quarters: so an entry is not padded.
    start: [u32; 4],
    place: u32,
    answer: AnswerId,
    len: u8,
}

impl Short {
    fn pack(Entry { start, place, answer, len }: Entry<u128>) -> Self {
        let behind = 1_u64.checked_shl(63_u32.wrapping_sub(len.into())).unwrap_or(0);
        let place = place << 1 | u32::from(behind == 0);
        Self { network: (start >> 64) as u64 | behind, place, answer }
    }

    #[inline]
    fn unpack(&self) -> Entry<u128> {
        let start = u128::from(self.start()) << 64;
        Entry { start, place: self.place >> 1, answer: self.answer, len: self.len() as u8 }
    }

    #[inline]
    fn start(&self) -> u64 {
        self.network & self.network.wrapping_sub(u64::from(self.place & 1 ^ 1))
    }

    #[inline]
    fn len(&self) -> u32 {
        let len = 63_u32.wrapping_sub(self.network.trailing_zeros());
        if self.place & 1 == 0 { len } else { 64 }
    }

    /// Is in the order of [`Entry::order`], and quicker to compare.
    #[inline]
    fn rank(&self) -> u128 {
        u128::from(self.start()) << 64 | u128::from(self.len()) << 32 | u128::from(self.place)
    }
}

impl Long {
    fn pack(Entry { start, place, answer, len }: Entry<u128>) -> Self {
        let start = [96, 64, 32, 0].map(|bits| (start >> bits) as u32);
        Self { start, place, answer, len }
    }

    #[inline]
    fn unpack(&self) -> Entry<u128> {
        let start = self.start.iter().fold(0, |start, &part| start << 32 | u128::from(part));
        Entry { start, place: self.place, answer: self.answer, len: self.len }
    }
}

impl Entries<u128> for Entries6 {
    #[inline]
    fn push(&mut self, entry: Entry<u128>) {
        if entry.len > 64 {
            make_room(&mut self.long);
            self.long.push(Long::pack(entry));
        } else {
            make_room(&mut self.short);
            self.short.push(Short::pack(entry));
        }
    }

    fn iter(&self) -> impl Iterator<Item = Entry<u128>> {
        let mut short = self.short.iter().map(Short::unpack).peekable();
        let mut long = self.long.iter().map(Long::unpack).peekable();
        std::iter::from_fn(move || match (short.peek(), long.peek()) {
            (Some(a), Some(b)) if b.order() < a.order() => long.next(),
            (Some(_), _) => short.next(),
            (None, _) => long.next(),
        })
    }

    fn sort(&mut self) {
        self.short.sort_unstable_by_key(Short::rank);
        self.long.sort_unstable_by_key(|long| long.unpack().order());
    }

    fn keep_first(&mut self, mut late: impl FnMut(Entry<u128>)) {
        keep_first(&mut self.short, Short::unpack, &mut late);
        keep_first(&mut self.long, Long::unpack, &mut late);
    }

    fn renumber(&mut self, number: &impl Fn(AnswerId) -> AnswerId) {
        for short in &mut self.short {
            short.answer = number(short.answer);
        }
        for long in &mut self.long {
            long.answer = number(long.answer);
        }
    }

    fn memory(&self) -> usize {
        self.short.capacity() * size_of::<Short>() + self.long.capacity() * size_of::<Long>()
    }
}

fn keep_first<T, K: Key>(
    entries: &mut Vec<T>,
    unpack: impl Fn(&T) -> Entry<K>,
    mut late: impl FnMut(Entry<K>),
) {
    entries.dedup_by(|entry, first| {
        let entry = unpack(entry);
        let same = entry.has_prefix_of(&unpack(first));
        if same {
            late(entry);
        }
        same
    });
}
