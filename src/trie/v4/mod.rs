//! The index of IPv4 addresses: a [root] over the first two octets, then blocks.

mod build;
mod root;
mod singles;

use super::addresses::{Index, Totals, Trie};
use super::common_block::CommonBlock;
use super::decode::{Block, EMPTY};
use crate::answer::AnswerId;
use crate::flat_array::{ArrayReader, ArrayWriter};
use crate::range::Range;
use build::Builder;
pub(super) use root::Root;
use std::thread;

impl Trie<Root> {
    /// Builds the trie of sorted distinct addresses with one answer, on up to that many threads. The
    /// result is that of [`build`](Self::build).
    pub fn build_singles(addresses: &[u32], answer: AnswerId, threads: usize) -> Self {
        if !answer.is_listed() {
            return Self::build([]);
        }
        let built = singles::build(addresses, answer, threads);
        let totals = Totals { addresses: addresses.len() as u128, ranges: built.ranges };
        let (index, arena) = built.finish();
        Self { index, arena: arena.into(), totals }
    }
}

impl Index for Root {
    type Address = u32;

    fn build(ranges: impl Iterator<Item = Range<u32>>) -> (Self, Vec<u8>) {
        let mut builder = Builder::default();
        ranges.for_each(|range| builder.push(range));
        builder.finish()
    }

    #[inline(always)]
    fn lookup(&self, arena: &[u8], address: u32) -> AnswerId {
        let offset = self.get((address >> 16) as u16);
        if offset == EMPTY {
            return AnswerId::NONE;
        }
        let block = arena.get(offset as usize..).unwrap_or(&[]);
        match CommonBlock::read(block) {
            Some(common) => common.lookup_key(block, address as u16),
            None => lookup_any(arena, offset, address as u16),
        }
    }

    fn pieces<'a>(
        &'a self,
        arena: &'a [u8],
        from: u32,
        to: u32,
    ) -> impl Iterator<Item = Range<u32>> + 'a {
        let last = (to >> 16) as u16;
        let mut at = Some(from);
        std::iter::from_fn(move || {
            let from = at?;
            let (slot, offset) = self.next((from >> 16) as u16, last)?;
            let start = from.max(u32::from(slot) << 16);
            let place = Location::find(arena, offset, start as u16);
            let (answer, last) = place.piece();
            let end = start + u32::from(last - place.key);
            at = end.checked_add(1);
            Some(Range { start, end, answer })
        })
    }

    fn is_sorted(&self) -> bool {
        self.octets.is_sorted()
    }

    fn heap(&self) -> usize {
        let Self { direct, octets, firsts, lasts, blocks } = self;
        direct.heap() + octets.heap() + firsts.heap() + lasts.heap() + blocks.heap()
    }

    fn mapped(&self) -> usize {
        let Self { direct, octets, firsts, lasts, blocks } = self;
        direct.mapped() + octets.mapped() + firsts.mapped() + lasts.mapped() + blocks.mapped()
    }

    fn store(&self, totals: Totals, out: &mut impl ArrayWriter) {
        out.array(&[totals.addresses as u64, totals.ranges as u64]);
        out.array(&self.direct);
        out.array(&self.octets);
        out.array(&self.firsts);
        out.array(&self.lasts);
        out.array(&self.blocks);
    }

    fn load(from: &mut impl ArrayReader) -> Option<(Self, Totals)> {
        let [addresses, ranges] = from.numbers::<u64, 2>()?;
        let index = Self {
            direct: from.array()?,
            octets: from.array()?,
            firsts: from.array()?,
            lasts: from.array()?,
            blocks: from.array()?,
        };
        let ranges = usize::try_from(ranges).ok()?;
        Some((index, Totals { addresses: addresses.into(), ranges }))
    }

    #[cfg(any(test, fuzzing))]
    fn damage(&mut self, random: &mut dyn FnMut() -> u64) {
        use super::damage::damage;
        match random() % 5 {
            0 => damage(self.direct.to_mut(), random, |bits| bits as u32),
            1 => damage(self.octets.to_mut(), random, |bits| bits as u16),
            2 => damage(self.firsts.to_mut(), random, |bits| bits as u8),
            3 => damage(self.lasts.to_mut(), random, |bits| bits as u8),
            _ => damage(self.blocks.to_mut(), random, |bits| bits as u32),
        }
    }
}

/// The answer of a key in any block.
#[inline(never)]
fn lookup_any(arena: &[u8], offset: u32, key: u16) -> AnswerId {
    let Location { block, key, .. } = Location::find(arena, offset, key);
    match block.bitmap((key >> 8) as u8) {
        Some(bitmap) => bitmap.lookup(key as u8),
        None => block.lookup(u64::from(key).wrapping_shr(block.shift())),
    }
}

/// A key and the block that has its answer.
struct Location<'a> {
    block: Block<'a>,
    /// The key, counted from the first of the block.
    key: u16,
    /// The last key of the block.
    end: u16,
}

impl<'a> Location<'a> {
    /// A key in the block at an offset, or in the child that has the key.
    #[inline(always)]
    fn find(arena: &'a [u8], offset: u32, key: u16) -> Self {
        let block = Block::at(arena, offset);
        if block.is_split() {
            let child = Block::at(arena, block.child((key >> 8) as u8));
            return Self { block: child, key: key & 0xff, end: 0xff };
        }
        Self { block, key, end: u16::MAX }
    }

    /// The answer of the key, and the last key, not before it, up to which it holds.
    fn piece(&self) -> (AnswerId, u16) {
        let octet = (self.key >> 8) as u8;
        if let Some(bitmap) = self.block.bitmap(octet) {
            let (answer, last) = bitmap.piece(self.key as u8);
            return (answer, self.key & 0xff00 | u16::from(last));
        }
        let shift = self.block.shift();
        let (answer, unit) = self.block.piece(u64::from(self.key).wrapping_shr(shift));
        let last = unit
            .and_then(|unit| unit.checked_add(1)?.checked_mul(1_u64.checked_shl(shift)?))
            .and_then(|next| u16::try_from(next - 1).ok())
            .unwrap_or(self.end);
        let bitmap = self.block.next_bitmap(octet);
        let bound = bitmap.map_or(self.end, |next| (u16::from(next) << 8) - 1);
        (answer, last.min(bound).min(self.end).max(self.key))
    }
}

/// Frees memory on a thread of its own: the system needs a millisecond and more to take back the memory
/// of a large list, and the caller waits for the trie.
pub(crate) fn free_apart<T: Send + 'static>(waste: T) {
    // If no thread starts, the memory is freed here.
    let _ = thread::Builder::new().name("free".to_owned()).spawn(|| drop(waste));
}

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;
