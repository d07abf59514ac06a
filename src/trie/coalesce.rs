//! The canonical form of a stream of ranges: adjacent ranges with one answer become one.

use crate::listing::Range;

/// An address as a number.
pub(super) trait Address: Copy + Ord {
    /// The address behind this one.
    fn next(self) -> Option<Self>;
}

impl Address for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Address for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Joins neighbours and leaves out what is not listed.
pub(super) struct Coalesce<I, K> {
    ranges: I,
    pending: Option<Range<K>>,
}

impl<I: Iterator<Item = Range<K>>, K: Address> Coalesce<I, K> {
    pub(super) fn new(ranges: I) -> Self {
        Self { ranges, pending: None }
    }
}

impl<I: Iterator<Item = Range<K>>, K: Address> Iterator for Coalesce<I, K> {
    type Item = Range<K>;

    fn next(&mut self) -> Option<Range<K>> {
        for range in self.ranges.by_ref() {
            if !range.answer.is_listed() {
                continue;
            }
            debug_assert!(range.start <= range.end, "a range ends before it starts");
            let Some(before) = &mut self.pending else {
                self.pending = Some(range);
                continue;
            };
            debug_assert!(before.end < range.start, "ranges are not sorted and disjoint");
            if before.answer == range.answer && before.end.next() == Some(range.start) {
                before.end = range.end;
                continue;
            }
            return self.pending.replace(range);
        }
        self.pending.take()
    }
}
