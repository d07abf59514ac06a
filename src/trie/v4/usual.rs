//! The quick lookup in the usual blocks: those with keys of one or two bytes, one answer for all runs
//! and bitmaps, none outside of them, and runs that are no longer than told by a power.
//!
//! It reads what it needs of a block and nothing else; [`Block`](crate::trie::block::Block) reads all of
//! them. The parts are calls at the end of one another: each has few things to keep in registers.

use crate::listing::AnswerId;
use crate::trie::block::{BACKGROUND, BITMAP_SIZE, DENSE, SHARED};

/// The bits of a header that no usual block has: that of the forms with lasts and children, and those of
/// wider keys.
const UNUSUAL: u32 = 1 << 3 | BACKGROUND | 0xe << 16;

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

    /// The answer of a key in the block.
    #[inline(always)]
    pub(super) fn lookup(self, block: &[u8], key: u16) -> AnswerId {
        let rest = block.get(4 + self.answer_width()..).unwrap_or(&[]);
        match self.header() & DENSE {
            0 => self.in_runs(rest, key),
            _ => self.in_bitmaps(rest, key),
        }
    }

    /// The answer of a key; `rest` begins with the third octets of the bitmaps.
    #[inline(never)]
    fn in_bitmaps(self, rest: &[u8], key: u16) -> AnswerId {
        let Some((&less_one, rest)) = rest.split_first() else { return AnswerId::NONE };
        let Some((octets, keys)) = rest.split_at_checked(usize::from(less_one) + 1) else {
            return AnswerId::NONE;
        };
        let octet = (key >> 8) as u8;
        let index = octets.partition_point(|&other| other < octet);
        if octets.get(index) != Some(&octet) {
            return self.in_runs(keys, key);
        }
        let bitmaps = self.count() * (self.width() + self.powers());
        let at = bitmaps + BITMAP_SIZE * index + usize::from(key as u8 / 8);
        let is_listed = keys.get(at).is_some_and(|byte| byte >> (key % 8) & 1 != 0);
        self.answer_if(is_listed)
    }

    /// The answer of a key outside of the bitmaps; `keys` begins with the first units of the runs.
    #[inline(never)]
    fn in_runs(self, keys: &[u8], key: u16) -> AnswerId {
        let unit = key.checked_shr(self.header() >> 8 & 127).unwrap_or(0);
        let Some((numbers, ends)) = keys.split_at_checked(self.count() * self.width()) else {
            return AnswerId::NONE;
        };
        let found = match self.width() {
            1 => last_not_above(numbers.as_chunks::<1>().0, unit),
            _ => last_not_above(numbers.as_chunks::<2>().0, unit),
        };
        let Some((run, first)) = found else { return AnswerId::NONE };
        let power = match self.powers() {
            0 => 0,
            _ => ends.get(run).copied().unwrap_or(0),
        };
        self.answer_if(unit.wrapping_sub(first).checked_shr(power.into()).unwrap_or(0) == 0)
    }

    #[inline(always)]
    fn answer_if(self, is_listed: bool) -> AnswerId {
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
        (self.header() >> 16 & 1) as usize + 1
    }

    #[inline(always)]
    fn count(self) -> usize {
        (self.header() >> 20) as usize
    }
}

/// The last of sorted numbers that is not above `unit`, and its index.
#[inline(always)]
fn last_not_above<const WIDTH: usize>(numbers: &[[u8; WIDTH]], unit: u16) -> Option<(usize, u16)> {
    let number =
        |bytes: &[u8; WIDTH]| bytes.iter().rev().fold(0, |all, &byte| all << 8 | u16::from(byte));
    let index = numbers.partition_point(|bytes| number(bytes) <= unit).checked_sub(1)?;
    Some((index, number(numbers.get(index)?)))
}
