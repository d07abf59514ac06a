//! The entries of names while files are read: in parts by the order of their keys, so that each part
//! can be sorted in the processor's cache, and freed once it is in the tree.

use super::{Scope, window};
use std::ops::Range;

/// The size of a block in bytes. The allocator maps each block of this size by itself: pages that
/// nobody has written to take no memory, and the system gets the memory of a freed block at once.
const BLOCK: usize = 1 << BLOCK_BITS;
const BLOCK_BITS: u32 = 19;
/// A part with this many entries is split. Tests split early, so that short lists have several parts.
const SPLIT_AT: usize = if cfg!(any(test, fuzzing)) { 16 } else { 1 << 17 };
/// The most parts that one part is split into.
const PARTS: usize = 256;
/// The number of entries that a split samples to find parts of about the same size.
const SAMPLES: usize = 4096;
/// The bytes in a block before each key: its length and scope, and its value.
const HEAD: usize = 6;
/// Where the value stands among them.
const VALUE: Range<usize> = 2..HEAD;

/// All entries. The first bytes of a key say which part it belongs to.
#[derive(Debug)]
pub(super) struct NameStore {
    parts: Vec<Partition>,
    /// The least window of each part but the first.
    bounds: Vec<u64>,
}

impl Default for NameStore {
    fn default() -> Self {
        Self { parts: vec![Partition::default()], bounds: Vec::new() }
    }
}

/// Entries in the order of the files.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) blocks: Chunks,
    len: usize,
    /// The number of entries at which it is split.
    limit: usize,
}

impl Default for Partition {
    fn default() -> Self {
        Self { blocks: Chunks::default(), len: 0, limit: SPLIT_AT }
    }
}

impl NameStore {
    /// Adds an entry.
    #[inline]
    pub(super) fn push(&mut self, key: &[u8], scope: Scope, value: u32) {
        let window = window(key, 0);
        let number = self.bounds.partition_point(|&bound| bound <= window);
        let part = &mut self.parts[number];
        part.push(key, scope, value);
        if part.len >= part.limit {
            self.split(number);
        }
    }

    /// Puts other values in the place of those there are.
    pub(super) fn change_values(&mut self, change: impl Fn(u32) -> u32) {
        for block in self.parts.iter_mut().flat_map(|part| &mut part.blocks.0) {
            let mut rest = &mut block[..];
            while let Some(entry) = read(rest) {
                let (value, size) = (change(entry.value), entry.size());
                rest[VALUE].copy_from_slice(&value.to_le_bytes());
                rest = &mut rest[size..];
            }
        }
    }

    /// All parts, in order.
    pub(super) fn into_parts(self) -> Vec<Partition> {
        self.parts
    }

    #[cold]
    fn split(&mut self, number: usize) {
        let part = std::mem::take(&mut self.parts[number]);
        let bounds = part.bounds();
        let mut parts: Vec<_> = (0..=bounds.len()).map(|_| Partition::large()).collect();
        for block in part.blocks.0 {
            for entry in entries(&block) {
                let window = window(entry.key, 0);
                let part = bounds.partition_point(|&bound| bound <= window);
                parts[part].push(entry.key, entry.scope, entry.value);
            }
        }
        // Keys that begin alike may leave one part large. It has to double before the next split, so
        // that a split is not tried at every entry.
        parts.iter_mut().for_each(|part| part.limit = SPLIT_AT.max(2 * part.len));
        self.parts.splice(number..=number, parts);
        self.bounds.splice(number..number, bounds);
    }
}

impl Partition {
    /// A part that will have many entries.
    fn large() -> Self {
        Self { blocks: Chunks(vec![Vec::with_capacity(BLOCK)]), ..Self::default() }
    }

    fn push(&mut self, key: &[u8], scope: Scope, value: u32) {
        self.blocks.push(key, scope, value);
        self.len += 1;
    }

    /// Windows that make parts of about the same size of this one.
    fn bounds(&self) -> Vec<u64> {
        let entries = self.blocks.0.iter().flat_map(|block| entries(block));
        // An odd step: the regular patterns in files rarely have an odd period.
        let step = (self.len / SAMPLES) | 1;
        let mut samples: Vec<_> = entries.step_by(step).map(|entry| window(entry.key, 0)).collect();
        samples.sort_unstable();
        let bound = |part| samples[part * samples.len() / PARTS];
        let mut bounds: Vec<_> = (1..PARTS).map(bound).filter(|&it| it != samples[0]).collect();
        bounds.dedup();
        bounds
    }
}

/// The bytes of the entries, in blocks.
#[derive(Debug, Default)]
pub(super) struct Chunks(Vec<Vec<u8>>);

/// An entry, read.
#[derive(Clone, Copy)]
pub(super) struct StoredName<'a> {
    pub(super) key: &'a [u8],
    pub(super) scope: Scope,
    pub(super) value: u32,
}

impl Chunks {
    fn push(&mut self, key: &[u8], scope: Scope, value: u32) {
        let size = HEAD + key.len();
        if self.0.last().is_none_or(|block| block.len() + size > BLOCK) {
            // The first block grows, so that a list of few names takes little memory.
            let size = if self.0.is_empty() { 0 } else { BLOCK };
            self.0.push(Vec::with_capacity(size));
        }
        let Some(block) = self.0.last_mut() else { return };
        let head = (key.len() as u16) << 2 | scope as u16;
        let [a, b] = head.to_le_bytes();
        let [c, d, e, f] = value.to_le_bytes();
        block.extend([a, b, c, d, e, f]);
        block.extend_from_slice(key);
    }

    /// Each entry and its place, which grows with each.
    pub(super) fn places(&self) -> impl Iterator<Item = (u32, StoredName<'_>)> {
        self.0.iter().zip(0_u32..).flat_map(|(block, number)| {
            let mut place = number << BLOCK_BITS;
            entries(block).map(move |entry| {
                let here = place;
                place += entry.size() as u32;
                (here, entry)
            })
        })
    }

    /// The entry at a place.
    #[inline]
    pub(super) fn get(&self, place: u32) -> StoredName<'_> {
        read(self.bytes_from(place)).unwrap_or(StoredName::EMPTY)
    }

    /// Appends the bytes of the entry at a place.
    #[inline]
    pub(super) fn copy(&self, place: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes_from(place)[..self.get(place).size()]);
    }

    #[inline]
    fn bytes_from(&self, place: u32) -> &[u8] {
        let block = &self.0[(place >> BLOCK_BITS) as usize];
        &block[place as usize & (BLOCK - 1)..]
    }
}

impl StoredName<'_> {
    const EMPTY: Self = Self { key: &[], scope: Scope::Itself, value: 0 };

    /// The number of its bytes in a block.
    pub(super) fn size(&self) -> usize {
        HEAD + self.key.len()
    }
}

/// The entries that these bytes hold.
pub(super) fn entries(block: &[u8]) -> impl Iterator<Item = StoredName<'_>> + Clone {
    let mut rest = block;
    std::iter::from_fn(move || {
        let entry = read(rest)?;
        rest = &rest[entry.size()..];
        Some(entry)
    })
}

/// The entry at the beginning of these bytes.
#[inline]
fn read(bytes: &[u8]) -> Option<StoredName<'_>> {
    let (&[a, b, c, d, e, f], rest) = bytes.split_first_chunk::<HEAD>()?;
    let head = u16::from_le_bytes([a, b]);
    let key = &rest[..usize::from(head >> 2)];
    let scope = Scope::ALL[usize::from(head & 3)];
    Some(StoredName { key, scope, value: u32::from_le_bytes([c, d, e, f]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the parts are, no entry is lost, none changes, and none overtakes another one of
    /// the same key.
    #[test]
    fn parts_are_in_order_and_keep_the_order_of_the_files() {
        let mut store = NameStore::default();
        let count = 1 << 15;
        // Half of the keys begin alike; each comes twice.
        let key = |number: usize| {
            let hash = (number / 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            match number & 2 {
                0 => [&b"com\0same"[..], &hash.to_be_bytes(), b"\0"].concat(),
                _ => [&hash.to_be_bytes()[..], b"\0"].concat(),
            }
        };
        for number in 0..count {
            store.push(&key(number), Scope::ALL[number % 3], number as u32);
        }
        let parts = store.into_parts();
        assert!(parts.len() > PARTS / 4, "{} parts", parts.len());
        let mut seen = vec![false; count];
        let mut last_window = 0;
        for part in &parts {
            let (mut least, mut most, mut last_value) = (u64::MAX, 0, None);
            let mut len = 0;
            for (place, entry) in part.blocks.places() {
                let number = entry.value as usize;
                assert_eq!(entry.key, key(number));
                assert_eq!(entry.scope, Scope::ALL[number % 3]);
                assert_eq!(part.blocks.get(place).value, entry.value);
                assert!(last_value < Some(entry.value));
                last_value = Some(entry.value);
                assert!(!std::mem::replace(&mut seen[number], true));
                (least, most) =
                    (least.min(window(&key(number), 0)), most.max(window(&key(number), 0)));
                len += 1;
            }
            assert_eq!(len, part.len);
            assert!(len == 0 || last_window == 0 || last_window < least);
            last_window = last_window.max(most);
        }
        assert!(seen.iter().all(|&seen| seen));
    }
}
