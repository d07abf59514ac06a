//! The quick lookup in the usual blocks: those with keys of up to eight bytes, one answer for all runs, none
//! outside of them, and runs that are no longer than told by a power.
//!
//! It reads what it needs of a block and nothing else; [`Block`](crate::trie::block::Block) reads all of
//! them.

use crate::listing::AnswerId;
use crate::trie::block::{BACKGROUND, DENSE, SHARED, join};

/// The bits of a header that no usual block has: that of the forms with lasts and children, and that of keys
/// of more than eight bytes.
const UNUSUAL: u32 = 1 << 3 | BACKGROUND | DENSE | 1 << 19;

/// The header of a usual block, and the four bytes behind it, which begin with the answer.
#[derive(Clone, Copy)]
pub(super) struct Start(u64);

impl Start {
    /// Reads it; `None` if the block is not a usual one.
    #[inline(always)]
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        let start = u64::from_le_bytes(*block.first_chunk()?);
        (start as u32 & (UNUSUAL | SHARED) == SHARED).then_some(Self(start))
    }

    /// The size of a unit: 2 to this power keys.
    #[inline(always)]
    pub(super) fn shift(self) -> u32 {
        self.header() >> 8 & 127
    }

    /// The answer of a unit of the block.
    #[inline(never)]
    pub(super) fn lookup(self, block: &[u8], unit: u64) -> AnswerId {
        let Some(keys) = block.get(4 + self.answer_width()..) else { return AnswerId::NONE };
        let Some((keys, ends)) = keys.split_at_checked(self.count() * self.width()) else {
            return AnswerId::NONE;
        };
        // A width that the compiler knows makes a step of the search short.
        let found = match self.width() {
            1 => last_not_above::<1>(keys, unit),
            2 => last_not_above::<2>(keys, unit),
            3 => last_not_above::<3>(keys, unit),
            4 => last_not_above::<4>(keys, unit),
            5 => last_not_above::<5>(keys, unit),
            6 => last_not_above::<6>(keys, unit),
            7 => last_not_above::<7>(keys, unit),
            _ => last_not_above::<8>(keys, unit),
        };
        let Some((run, first)) = found else { return AnswerId::NONE };
        let power = match self.powers() {
            0 => 0,
            _ => ends.get(run).copied().unwrap_or(0),
        };
        let is_listed = unit.wrapping_sub(first).checked_shr(power.into()).unwrap_or(0) == 0;
        let unused = 8 * (4 - self.answer_width());
        let answer = (self.0 >> 32) as u32 & u32::MAX >> unused;
        AnswerId(if is_listed { answer } else { 0 })
    }

    #[inline(always)]
    fn header(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    fn answer_width(self) -> usize {
        (self.header() & 3) as usize + 1
    }

    /// The bytes for each run that tell its length: none, or a power.
    #[inline(always)]
    fn powers(self) -> usize {
        (self.header() >> 2 & 1) as usize
    }

    #[inline(always)]
    fn width(self) -> usize {
        (self.header() >> 16 & 7) as usize + 1
    }

    #[inline(always)]
    fn count(self) -> usize {
        (self.header() >> 20) as usize
    }
}

/// The last of sorted numbers that is not above `unit`, and its index.
#[inline(always)]
fn last_not_above<const WIDTH: usize>(numbers: &[u8], unit: u64) -> Option<(usize, u64)> {
    let (numbers, _) = numbers.as_chunks::<WIDTH>();
    let number = |bytes: &[u8; WIDTH]| join(bytes) as u64;
    let index = numbers.partition_point(|bytes| number(bytes) <= unit).checked_sub(1)?;
    Some((index, number(numbers.get(index)?)))
}
