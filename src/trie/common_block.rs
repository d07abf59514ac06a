//! What the quick lookups read of a usual block: its start and nothing else. [`Block`](super::decode::Block)
//! reads all of them.

use super::decode::{BACKGROUND, SHARED};
use crate::answer::AnswerId;

/// The bit of a header that blocks have whose runs end anywhere, or that have children.
const LASTS_OR_SPLIT: u32 = 1 << 3;

/// The header of a usual block, and the four bytes behind it, which begin with the answer: all runs and
/// bitmaps have it, and there is none outside of them. Runs are no longer than told by a power.
#[derive(Clone, Copy)]
pub(super) struct Start(u64);

impl Start {
    /// Reads it; `None` if the block is not a usual one, or if its header has one of the `other` bits.
    #[inline(always)]
    pub(super) fn read(block: &[u8], other: u32) -> Option<Self> {
        let start = u64::from_le_bytes(*block.first_chunk()?);
        let unusual = LASTS_OR_SPLIT | BACKGROUND | other;
        (start as u32 & (unusual | SHARED) == SHARED).then_some(Self(start))
    }

    /// True if the header has this bit.
    #[inline(always)]
    pub(super) fn has(self, bit: u32) -> bool {
        self.header() & bit != 0
    }

    /// The answer of all that is listed, or none.
    #[inline(always)]
    pub(super) fn answer_if(self, is_listed: bool) -> AnswerId {
        let unused = 8 * (4 - self.answer_width());
        let answer = (self.0 >> 32) as u32 & u32::MAX >> unused;
        AnswerId(if is_listed { answer } else { 0 })
    }

    /// What stands behind the answer.
    #[inline(always)]
    pub(super) fn rest(self, block: &[u8]) -> &[u8] {
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

    /// The size of a unit: 2 to this power keys, below 128.
    #[inline(always)]
    pub(super) fn shift(self) -> u32 {
        self.header() >> 8 & 127
    }

    /// The bytes for each run that tell its length: none, or a power.
    #[inline(always)]
    pub(super) fn powers(self) -> usize {
        (self.header() >> 2 & 1) as usize
    }

    /// The size of a key in bytes, of up to eight.
    #[inline(always)]
    pub(super) fn width(self) -> usize {
        (self.header() >> 16 & 7) as usize + 1
    }

    /// The number of runs.
    #[inline(always)]
    pub(super) fn count(self) -> usize {
        (self.header() >> 20) as usize
    }

    /// Whether a unit lies in the run with this number, which is the last that does not begin behind it.
    /// `ends` has the powers of the runs.
    #[inline(always)]
    pub(super) fn is_in_run(self, from_first: u64, run: usize, ends: &[u8]) -> bool {
        let power = match self.powers() {
            0 => 0,
            _ => ends.get(run).copied().unwrap_or(0),
        };
        from_first.checked_shr(power.into()).unwrap_or(0) == 0
    }
}
