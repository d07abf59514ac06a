//! A trie of addresses: an index that leads to a block, and the arena of blocks.

use crate::answer::AnswerId;
use crate::flat_array::{ArrayReader, ArrayWriter, FlatArray};
use crate::range::{Coalesce, Int, Range};
use std::fmt::Debug;

/// A listing of addresses, immutable, see the [layout](super). [`Trie4`](super::Trie4) and
/// [`Trie6`](super::Trie6) differ in their index.
///
/// ```
/// use dnsbld::answer::AnswerId;
/// use dnsbld::range::Range;
/// use dnsbld::trie::Trie4;
///
/// let trie = Trie4::build([Range { start: 5, end: 9, answer: AnswerId(1) }]);
/// assert_eq!(trie.lookup(7), AnswerId(1));
/// assert_eq!(trie.lookup(10), AnswerId::NONE);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trie<I> {
    pub(super) index: I,
    pub(super) arena: FlatArray<u8>,
    pub(super) totals: Totals,
}

/// The most pieces that a query looks at: more than there are side by side without a listed one, in any trie
/// that was built here. A /16 has one gap for each /24 and two beside each bitmap at the most.
const MAX_PIECES: usize = 1024;

/// What a trie lists, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub(super) addresses: u128,
    pub(super) ranges: usize,
}

/// The arrays that lead from an address to its block, for one family of addresses.
pub trait Index: Clone + Debug + Default + PartialEq + Eq {
    /// `u32` or `u128`.
    type Address: Int;

    /// Builds the index and the arena of ranges in canonical form.
    fn build(ranges: impl Iterator<Item = Range<Self::Address>>) -> (Self, Vec<u8>);
    /// The answer of an address.
    fn lookup(&self, arena: &[u8], address: Self::Address) -> AnswerId;
    /// Runs and gaps in order, from an address on; those that begin behind `to` may be left out, and long
    /// gaps.
    fn pieces<'a>(
        &'a self,
        arena: &'a [u8],
        from: Self::Address,
        to: Self::Address,
    ) -> impl Iterator<Item = Range<Self::Address>> + 'a;
    /// True if what is searched is sorted.
    fn is_sorted(&self) -> bool;
    /// The size in this process's own memory, in bytes, without the struct itself.
    fn heap(&self) -> usize;
    /// The size in shared memory, in bytes.
    fn mapped(&self) -> usize;
    /// Writes the totals and the arrays of the index.
    fn store(&self, totals: Totals, out: &mut impl ArrayWriter);
    /// Reads what [`store`](Self::store) wrote.
    fn load(from: &mut impl ArrayReader) -> Option<(Self, Totals)>;
    /// Overwrites something at random.
    #[cfg(any(test, fuzzing))]
    fn damage(&mut self, random: &mut dyn FnMut() -> u64);
}

impl<I: Index> Trie<I> {
    /// Builds the trie of ranges that are sorted and disjoint. Adjacent ranges with one answer are
    /// joined, ranges that are not listed are left out.
    ///
    /// The ranges are read once; beside the trie only those of one block are held in memory.
    ///
    /// # Panics
    ///
    /// If the blocks exceed 4 GiB, which takes more than 100 million ranges.
    pub fn build(ranges: impl IntoIterator<Item = Range<I::Address>>) -> Self {
        let mut totals = Totals::default();
        let (index, arena) = I::build(Coalesce::new(ranges.into_iter()).inspect(|range| {
            let addresses = (range.end - range.start).widen().saturating_add(1);
            totals.addresses = totals.addresses.saturating_add(addresses);
            totals.ranges += 1;
        }));
        Self { index, arena: arena.into(), totals }
    }

    /// The answer of an address.
    #[inline(never)]
    pub fn lookup(&self, address: I::Address) -> AnswerId {
        self.index.lookup(&self.arena, address)
    }

    /// True if an address from `start` to `end`, both included, is listed.
    pub fn any_in(&self, start: I::Address, end: I::Address) -> bool {
        self.index
            .pieces(&self.arena, start, end)
            .take(MAX_PIECES)
            .take_while(|piece| piece.start <= end)
            .any(|piece| piece.answer.is_listed())
    }

    /// The answer of an address, and the last address, not before it, up to which it is known to
    /// hold. The same answer may hold behind that one.
    pub fn run(&self, address: I::Address) -> (AnswerId, I::Address) {
        match self.pieces_from(address).next() {
            None => (AnswerId::NONE, I::Address::MAX),
            Some(piece) if piece.start > address => (AnswerId::NONE, piece.start.predecessor()),
            Some(piece) => (piece.answer, piece.end),
        }
    }

    /// The listing this trie was built from: the fewest ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<I::Address>> + '_ {
        Coalesce::new(self.pieces_from(I::Address::ZERO))
    }

    /// The number of listed addresses, `u128::MAX` also if it is one more.
    pub fn covered(&self) -> u128 {
        self.totals.addresses
    }

    /// The number of ranges [`Self::iter`] gives.
    pub fn ranges(&self) -> usize {
        self.totals.ranges
    }

    /// True if nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.totals.ranges == 0
    }

    /// The size in this process's own memory, in bytes.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.index.heap() + self.arena.heap()
    }

    /// The size in shared memory, in bytes.
    pub fn mapped(&self) -> usize {
        self.index.mapped() + self.arena.mapped()
    }

    /// Writes the arrays that [`load`](Self::load) reads.
    pub fn store(&self, out: &mut impl ArrayWriter) {
        self.index.store(self.totals, out);
        out.array(&self.arena);
    }

    /// Reads a trie that was [stored](Self::store). If the arrays are damaged, lookups are wrong
    /// but safe.
    pub fn load(from: &mut impl ArrayReader) -> Option<Self> {
        let (index, totals) = I::load(from)?;
        Some(Self { index, totals, arena: from.array()? })
    }

    /// True if no lookup takes longer than in a trie that was built here; looks at each item of the index
    /// once. Blocks need no look: reading one takes no longer whatever is in it.
    pub fn is_sound(&self) -> bool {
        self.index.is_sorted()
    }

    fn pieces_from(&self, from: I::Address) -> impl Iterator<Item = Range<I::Address>> + '_ {
        self.index.pieces(&self.arena, from, I::Address::MAX)
    }

    /// Overwrites something at random: lookups must survive it.
    #[cfg(any(test, fuzzing))]
    pub fn damage(&mut self, random: &mut dyn FnMut() -> u64) {
        match random() % 4 {
            0 => self.index.damage(random),
            _ => super::damage::damage(self.arena.to_mut(), random, |bits| bits as u8),
        }
    }
}
