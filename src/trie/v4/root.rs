//! The root of [`Trie4`](crate::trie::Trie4): from a /16 to the offset of its block.

use crate::flat_array::FlatArray;
use crate::trie::decode::EMPTY;

/// From this number of entries on, an array over all /16s serves better than a search.
const DIRECT_FROM: usize = 1 << 13;

/// Neighbouring /16s, of one /8, that share a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockSpan {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) block: u32,
}

/// The offsets of the blocks of all /16s. `direct` is empty, or all other arrays are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// One offset for each /16.
    pub(super) direct: FlatArray<u32>,
    /// For each /8 where its entries start in the arrays below, and at last their length.
    pub(super) octets: FlatArray<u16>,
    /// The second octets of the first and last /16 of each entry.
    pub(super) firsts: FlatArray<u8>,
    pub(super) lasts: FlatArray<u8>,
    pub(super) blocks: FlatArray<u32>,
}

impl Root {
    /// The root of entries in order.
    pub(super) fn new(entries: &[BlockSpan]) -> Self {
        if entries.len() >= DIRECT_FROM {
            let mut direct = vec![EMPTY; 1 << 16];
            for entry in entries {
                direct[usize::from(entry.first)..=usize::from(entry.last)].fill(entry.block);
            }
            return Self { direct: direct.into(), ..Self::default() };
        }
        if entries.is_empty() {
            return Self::default();
        }
        let start_of = |octet| entries.partition_point(|entry| entry.first >> 8 < octet) as u16;
        Self {
            direct: FlatArray::default(),
            octets: (0..=256).map(start_of).collect(),
            firsts: entries.iter().map(|entry| entry.first as u8).collect(),
            lasts: entries.iter().map(|entry| entry.last as u8).collect(),
            blocks: entries.iter().map(|entry| entry.block).collect(),
        }
    }

    /// The offset of the block of a /16.
    #[inline(always)]
    pub(super) fn get(&self, slot: u16) -> u32 {
        match self.direct.get(usize::from(slot)) {
            Some(&block) => block,
            None => self.search(slot),
        }
    }

    /// The first /16 not before this one that has a block, and the block's offset; one behind `last` may be
    /// left out.
    pub(super) fn next(&self, slot: u16, last: u16) -> Option<(u16, u32)> {
        if !self.direct.is_empty() {
            let rest = self.direct.get(usize::from(slot)..=usize::from(last))?;
            let skipped = rest.iter().position(|&block| block != EMPTY)?;
            return Some((slot + skipped as u16, rest[skipped]));
        }
        let entry = self.first_ending_at(slot);
        let start = self.octets.partition_point(|&start| usize::from(start) <= entry);
        let octet = u8::try_from(start.checked_sub(1)?).ok()?;
        let first = u16::from_be_bytes([octet, *self.firsts.get(entry)?]);
        Some((first.max(slot), *self.blocks.get(entry)?))
    }

    /// A call, so that the usual lookup in `direct` stays small.
    #[inline(never)]
    fn search(&self, slot: u16) -> u32 {
        self.entry_of(slot).and_then(|entry| self.blocks.get(entry)).copied().unwrap_or(EMPTY)
    }

    fn entry_of(&self, slot: u16) -> Option<usize> {
        let [octet, second] = slot.to_be_bytes().map(usize::from);
        let [start, end] = *self.octets.get(octet..)?.first_chunk()?;
        let lasts = self.lasts.get(usize::from(start)..usize::from(end))?;
        let entry = usize::from(start) + lasts.partition_point(|&last| usize::from(last) < second);
        let is_in = entry < usize::from(end) && usize::from(*self.firsts.get(entry)?) <= second;
        is_in.then_some(entry)
    }

    /// The first entry that does not end before this /16.
    fn first_ending_at(&self, slot: u16) -> usize {
        let [octet, second] = slot.to_be_bytes();
        let bound = |octet| self.octets.get(octet).map_or(0, |&bound| usize::from(bound));
        let (start, end) = (bound(usize::from(octet)), bound(usize::from(octet) + 1));
        let lasts = self.lasts.get(start..end).unwrap_or(&[]);
        start + lasts.partition_point(|&last| last < second)
    }
}
