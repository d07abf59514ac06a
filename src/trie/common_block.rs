//! The fast lookup in a common block, which is what nearly all blocks are: all its runs and bitmaps have
//! one answer, keys between them are not listed, and a run is a power of two units long.
//! [`Block`](super::decode::Block) reads every block, this one included.
//!
//! The steps are calls in tail position, so that each keeps few values in registers.

use super::decode::{BACKGROUND, BITMAP_SIZE, DENSE, SHARED, last_not_above};
use crate::answer::AnswerId;

/// The header bit of blocks whose runs have any length, or that have children.
const LASTS_OR_SPLIT: u32 = 1 << 3;
/// The header bit of blocks whose keys have more than 8 bytes.
const WIDE: u32 = 1 << 19;

/// The header of a common block, and the four bytes behind it, which begin with the answer.
#[derive(Clone, Copy)]
pub(super) struct CommonBlock(u64);

impl CommonBlock {
    /// Reads the start of a block; `None` if the block is not a common one.
    #[inline(always)]
    pub(super) fn read(block: &[u8]) -> Option<Self> {
        let start = u64::from_le_bytes(*block.first_chunk()?);
        let other = LASTS_OR_SPLIT | BACKGROUND | WIDE;
        (start as u32 & (other | SHARED) == SHARED).then_some(Self(start))
    }

    /// The answer of a key of an IPv4 block.
    #[inline(always)]
    pub(super) fn lookup_key(self, block: &[u8], key: u16) -> AnswerId {
        let rest = self.rest(block);
        match self.header() & DENSE {
            0 => self.in_runs(rest, u64::from(key).wrapping_shr(self.shift())),
            _ => self.in_bitmaps(rest, key),
        }
    }

    /// The answer of a unit of a block without bitmaps.
    #[inline(always)]
    pub(super) fn lookup_unit(self, block: &[u8], unit: u64) -> AnswerId {
        self.in_runs(self.rest(block), unit)
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
            return self.in_runs(keys, u64::from(key).wrapping_shr(self.shift()));
        }
        let bitmaps = self.count() * (self.width() as usize + self.powers());
        let at = bitmaps + BITMAP_SIZE * index + usize::from(key as u8 / 8);
        self.answer_if(keys.get(at).is_some_and(|byte| byte >> (key % 8) & 1 != 0))
    }

    /// The answer of a unit outside of the bitmaps; `keys` begins with the first units of the runs.
    #[inline(never)]
    fn in_runs(self, keys: &[u8], unit: u64) -> AnswerId {
        let Some((keys, powers)) = keys.split_at_checked(self.count() * self.width() as usize)
        else {
            return AnswerId::NONE;
        };
        let Some((run, first)) = last_not_above(keys, self.width(), unit) else {
            return AnswerId::NONE;
        };
        let power = match self.powers() {
            0 => 0,
            _ => powers.get(run).copied().unwrap_or(0),
        };
        let from_first = unit.wrapping_sub(first);
        self.answer_if(from_first.checked_shr(power.into()).unwrap_or(0) == 0)
    }

    /// The answer of all that is listed, or none.
    #[inline(always)]
    fn answer_if(self, is_listed: bool) -> AnswerId {
        let unused = 8 * (4 - self.answer_width());
        let answer = (self.0 >> 32) as u32 & u32::MAX >> unused;
        AnswerId(if is_listed { answer } else { 0 })
    }

    /// The bytes behind the answer.
    #[inline(always)]
    fn rest(self, block: &[u8]) -> &[u8] {
        block.get(4 + self.answer_width()..).unwrap_or(&[])
    }

    #[inline(always)]
    fn header(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    fn answer_width(self) -> usize {
        (self.header() & 3) as usize + 1
    }

    /// True if the block has bitmaps.
    #[inline(always)]
    pub(super) fn has_bitmaps(self) -> bool {
        self.header() & DENSE != 0
    }

    /// The size of a unit: 2 to this power keys, below 128.
    #[inline(always)]
    pub(super) fn shift(self) -> u32 {
        self.header() >> 8 & 127
    }

    /// The bytes per run that give its length: none, or a power of two.
    #[inline(always)]
    fn powers(self) -> usize {
        (self.header() >> 2 & 1) as usize
    }

    /// The size of a key in bytes, 1 to 8.
    #[inline(always)]
    fn width(self) -> u32 {
        (self.header() >> 16 & 7) + 1
    }

    /// The number of runs.
    #[inline(always)]
    fn count(self) -> usize {
        (self.header() >> 20) as usize
    }
}
