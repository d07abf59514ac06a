//! The trie of IPv4 addresses: a [root] over the first two octets, then blocks.

mod build;
mod root;
mod singles;
mod usual;

use super::common_block::Start;
use super::decode::{Block, EMPTY};
use crate::answer::AnswerId;
use crate::flat_array::{ArrayReader, ArrayWriter, FlatArray};
use crate::range::{Coalesce, Range};
use build::Builder;
use root::Root;
use std::thread;

/// A listing of IPv4 addresses, immutable, see the [layout](super).
///
/// ```
/// use dnsbld::listing::{AnswerId, Range};
/// use dnsbld::trie::Trie4;
///
/// let trie = Trie4::build([Range { start: 5, end: 9, answer: AnswerId(1) }]);
/// assert_eq!(trie.lookup(7), AnswerId(1));
/// assert_eq!(trie.lookup(10), AnswerId::NONE);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trie4 {
    root: Root,
    arena: FlatArray<u8>,
    covered: u64,
    ranges: usize,
}

impl Trie4 {
    /// Builds the trie of ranges that are sorted and disjoint. Adjacent ranges with one answer
    /// are joined, ranges that are not listed are left out.
    ///
    /// The ranges are read once; beside the trie only those of one /16 are held.
    ///
    /// # Panics
    ///
    /// If the blocks exceed 4 GiB, which takes more than 400 million ranges.
    pub fn build(ranges: impl IntoIterator<Item = Range<u32>>) -> Self {
        let mut builder = Builder::default();
        let (mut covered, mut count) = (0, 0);
        for range in Coalesce::new(ranges.into_iter()) {
            covered += u64::from(range.end - range.start) + 1;
            count += 1;
            builder.push(range);
        }
        let (root, arena) = builder.finish();
        Self { root, arena: arena.into(), covered, ranges: count }
    }

    /// Builds the trie of sorted distinct addresses with one answer, on up to that many threads. The
    /// result is that of [`build`](Self::build).
    pub fn build_singles(addresses: &[u32], answer: AnswerId, threads: usize) -> Self {
        if !answer.is_listed() {
            return Self::build([]);
        }
        let built = singles::build(addresses, answer, threads);
        let (covered, ranges) = (addresses.len() as u64, built.ranges);
        let (root, arena) = built.finish();
        Self { root, arena: arena.into(), covered, ranges }
    }

    /// The answer of an address.
    #[inline(never)]
    pub fn lookup(&self, key: u32) -> AnswerId {
        let offset = self.root.get((key >> 16) as u16);
        if offset == EMPTY {
            return AnswerId::NONE;
        }
        let block = self.arena.get(offset as usize..).unwrap_or(&[]);
        match Start::read(block, usual::UNUSUAL) {
            Some(start) => usual::lookup(start, block, key as u16),
            None => self.lookup_any(offset, key as u16),
        }
    }

    /// The answer of a key in any block.
    #[inline(never)]
    fn lookup_any(&self, offset: u32, key: u16) -> AnswerId {
        let Place { block, key, .. } = self.place(offset, key);
        match block.bitmap((key >> 8) as u8) {
            Some(bitmap) => bitmap.lookup(key as u8),
            None => block.lookup(u64::from(key).wrapping_shr(block.shift())),
        }
    }

    /// True if an address from `start` to `end`, both included, is listed.
    pub fn any_in(&self, start: u32, end: u32) -> bool {
        self.pieces(start)
            .take_while(|piece| piece.start <= end)
            .any(|piece| piece.answer.is_listed())
    }

    /// The answer of an address, and the last address, not before it, up to which it is known to
    /// hold. The same may hold behind that one.
    pub fn run(&self, key: u32) -> (AnswerId, u32) {
        match self.pieces(key).next() {
            None => (AnswerId::NONE, u32::MAX),
            Some(piece) if piece.start > key => (AnswerId::NONE, piece.start - 1),
            Some(piece) => (piece.answer, piece.end),
        }
    }

    /// The listing this trie was built from: the fewest ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        Coalesce::new(self.pieces(0))
    }

    /// The number of listed addresses.
    pub fn covered(&self) -> u64 {
        self.covered
    }

    /// The number of ranges [`Self::iter`] gives.
    pub fn ranges(&self) -> usize {
        self.ranges
    }

    /// True if nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.ranges == 0
    }

    /// The size in this process's own memory, in bytes.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.root.heap() + self.arena.heap()
    }

    /// The size in shared memory, in bytes.
    pub fn mapped(&self) -> usize {
        self.root.mapped() + self.arena.mapped()
    }

    /// Hands out what [`load`](Self::load) needs.
    pub fn store(&self, out: &mut impl ArrayWriter) {
        out.array(&[self.covered, self.ranges as u64]);
        self.root.store(out);
        out.array(&self.arena);
    }

    /// The trie that was [stored](Self::store). If the arrays are damaged, lookups are wrong but
    /// safe.
    pub fn load(from: &mut impl ArrayReader) -> Option<Self> {
        let [covered, ranges] = from.numbers()?;
        let ranges = usize::try_from(ranges).ok()?;
        Some(Self { covered, ranges, root: Root::load(from)?, arena: from.array()? })
    }

    /// The place of a key in the block at an offset, or in the child that has it.
    #[inline(always)]
    fn place(&self, offset: u32, key: u16) -> Place<'_> {
        let block = Block::at(&self.arena, offset);
        if block.is_split() {
            let child = Block::at(&self.arena, block.child((key >> 8) as u8));
            return Place { block: child, key: key & 0xff, end: 0xff };
        }
        Place { block, key, end: u16::MAX }
    }

    /// Runs and gaps in order, from an address on, without the gaps that are whole /16s.
    fn pieces(&self, from: u32) -> impl Iterator<Item = Range<u32>> + '_ {
        let mut at = Some(from);
        std::iter::from_fn(move || {
            let from = at?;
            let (slot, offset) = self.root.next((from >> 16) as u16)?;
            let start = from.max(u32::from(slot) << 16);
            let place = self.place(offset, start as u16);
            let (answer, last) = place.piece();
            let end = start + u32::from(last - place.key);
            at = end.checked_add(1);
            Some(Range { start, end, answer })
        })
    }
}

/// A key and the block that has its answer.
struct Place<'a> {
    block: Block<'a>,
    /// The key, counted from the first of the block.
    key: u16,
    /// The last key of the block.
    end: u16,
}

impl Place<'_> {
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

#[cfg(any(test, fuzzing))]
impl Trie4 {
    /// Overwrites something at random: lookups must survive it.
    pub fn damage(&mut self, random: &mut dyn FnMut() -> u64) {
        match random() % 4 {
            0 => self.root.damage(random),
            _ => super::damage::damage(self.arena.to_mut(), random, |bits| bits as u8),
        }
    }
}

/// Frees memory on a thread of its own: the system needs a millisecond and more to take back the memory
/// of a large list, and the caller waits for the trie.
pub(crate) fn free_apart<T: Send + 'static>(waste: T) {
    // If no thread starts, the memory is freed here.
    let _ = thread::Builder::new().name("free".to_owned()).spawn(|| drop(waste));
}

#[cfg(test)]
mod tests;
