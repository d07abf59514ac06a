//! Ranges of addresses, and the integers that addresses are.

use crate::answer::AnswerId;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::ops::{Add, BitAnd, BitOr, Shl, Shr, Sub};

/// An inclusive range of addresses, `u32` for IPv4 and `u128` for IPv6, with its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range<K> {
    /// The first address.
    pub start: K,
    /// The last address, not below `start`.
    pub end: K,
    /// The answer of every address in the range.
    pub answer: AnswerId,
}

/// An unsigned integer: an address (`u32`, `u128`), or a distance between addresses, which tries
/// also count in `u64`.
pub trait Int:
    Copy
    + Ord
    + Hash
    + Default
    + Debug
    + Display
    + Add<Output = Self>
    + Sub<Output = Self>
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
    /// The number of bits.
    const BITS: u32;
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// The greatest integer.
    const MAX: Self;

    /// The sum, or `None` if it does not fit.
    fn checked_add(self, other: Self) -> Option<Self>;
    /// The sum modulo 2^[`BITS`](Self::BITS).
    fn wrapping_add(self, other: Self) -> Self;
    /// The difference modulo 2^[`BITS`](Self::BITS).
    fn wrapping_sub(self, other: Self) -> Self;
    /// The integer shifted right, or `None` if `bits` is not below [`BITS`](Self::BITS).
    fn checked_shr(self, bits: u32) -> Option<Self>;
    /// The number of bits that are set.
    fn count_ones(self) -> u32;
    /// The number of zeros above the highest bit that is set.
    fn leading_zeros(self) -> u32;
    /// The number of zeros below the lowest bit that is set.
    fn trailing_zeros(self) -> u32;
    /// The low bits of an integer.
    fn truncate(integer: u128) -> Self;
    /// The same integer with 128 bits.
    fn widen(self) -> u128;

    /// The next integer, or `None` behind the last.
    #[inline(always)]
    fn successor(self) -> Option<Self> {
        self.checked_add(Self::ONE)
    }

    /// The integer before. The caller knows that this one is not zero.
    #[inline(always)]
    fn predecessor(self) -> Self {
        self.wrapping_sub(Self::ONE)
    }

    /// The last address of the prefix of this length that starts here.
    #[inline(always)]
    fn last_of_prefix(self, len: u8) -> Self {
        self | Self::MAX.checked_shr(len.into()).unwrap_or(Self::ZERO)
    }
}

macro_rules! impl_int {
    ($($int:ty)*) => {
        $(impl Int for $int {
            const BITS: u32 = Self::BITS;
            const ZERO: Self = 0;
            const ONE: Self = 1;
            const MAX: Self = Self::MAX;

            #[inline(always)]
            fn checked_add(self, other: Self) -> Option<Self> {
                self.checked_add(other)
            }

            #[inline(always)]
            fn wrapping_add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline(always)]
            fn wrapping_sub(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }

            #[inline(always)]
            fn checked_shr(self, bits: u32) -> Option<Self> {
                self.checked_shr(bits)
            }

            #[inline(always)]
            fn count_ones(self) -> u32 {
                self.count_ones()
            }

            #[inline(always)]
            fn leading_zeros(self) -> u32 {
                self.leading_zeros()
            }

            #[inline(always)]
            fn trailing_zeros(self) -> u32 {
                self.trailing_zeros()
            }

            #[inline(always)]
            fn truncate(integer: u128) -> Self {
                integer as Self
            }

            #[inline(always)]
            fn widen(self) -> u128 {
                self.into()
            }
        })*
    };
}
impl_int!(u32 u64 u128);

/// The canonical form of sorted disjoint ranges: neighbours with one answer become one range, and
/// ranges that are not listed are left out.
#[derive(Clone, Debug)]
pub struct Coalesce<I, K> {
    ranges: I,
    pending: Option<Range<K>>,
}

impl<I: Iterator<Item = Range<K>>, K: Int> Coalesce<I, K> {
    /// Coalesces these ranges.
    pub fn new(ranges: I) -> Self {
        Self { ranges, pending: None }
    }
}

impl<I: Iterator<Item = Range<K>>, K: Int> Iterator for Coalesce<I, K> {
    type Item = Range<K>;

    #[inline]
    fn next(&mut self) -> Option<Range<K>> {
        let Self { ranges, pending } = self;
        ranges.find_map(|range| join(pending, range)).or_else(|| pending.take())
    }

    #[inline]
    fn fold<B, F: FnMut(B, Range<K>) -> B>(self, init: B, mut each: F) -> B {
        let mut pending = self.pending;
        let folded = self.ranges.fold(init, |folded, range| match join(&mut pending, range) {
            Some(joined) => each(folded, joined),
            None => folded,
        });
        match pending {
            Some(last) => each(folded, last),
            None => folded,
        }
    }
}

/// Joins a listed range to the pending one, or puts it in its place and gives that one back.
#[inline]
fn join<K: Int>(pending: &mut Option<Range<K>>, range: Range<K>) -> Option<Range<K>> {
    if !range.answer.is_listed() {
        return None;
    }
    debug_assert!(range.start <= range.end, "a range ends before it starts");
    if let Some(before) = pending {
        debug_assert!(before.end < range.start, "ranges are not sorted and disjoint");
        if before.answer == range.answer && before.end.successor() == Some(range.start) {
            before.end = range.end;
            return None;
        }
    }
    pending.replace(range)
}
