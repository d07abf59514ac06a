//! Streams of segments: sorted, disjoint ranges in which [`AnswerId::NONE`](crate::answer::AnswerId::NONE) says "excluded here",
//! which hides what lies below, and a gap says nothing.

use crate::range::{Int, Range};

/// Lays one stream over another: where both say something, the upper one counts.
pub(super) struct Overlay<K, U, L> {
    upper: U,
    lower: L,
    next_upper: Option<Range<K>>,
    next_lower: Option<Range<K>>,
}

impl<K: Int, U, L> Overlay<K, U, L>
where
    U: Iterator<Item = Range<K>>,
    L: Iterator<Item = Range<K>>,
{
    pub(super) fn new(mut upper: U, mut lower: L) -> Self {
        let (next_upper, next_lower) = (upper.next(), lower.next());
        Self { upper, lower, next_upper, next_lower }
    }

    /// Drops what the lower stream says up to `end`.
    fn hide(&mut self, end: K) {
        while let Some(lower) = &mut self.next_lower
            && lower.start <= end
        {
            match end.successor() {
                Some(start) if start <= lower.end => lower.start = start,
                _ => self.next_lower = self.lower.next(),
            }
        }
    }
}

impl<K: Int, U, L> Iterator for Overlay<K, U, L>
where
    U: Iterator<Item = Range<K>>,
    L: Iterator<Item = Range<K>>,
{
    type Item = Range<K>;

    #[inline]
    fn next(&mut self) -> Option<Range<K>> {
        let Some(lower) = self.next_lower else {
            return std::mem::replace(&mut self.next_upper, self.upper.next());
        };
        match self.next_upper {
            Some(upper) if upper.start <= lower.start => {
                self.hide(upper.end);
                self.next_upper = self.upper.next();
                Some(upper)
            }
            Some(upper) if upper.start <= lower.end => {
                self.next_lower = Some(Range { start: upper.start, ..lower });
                Some(Range { end: upper.start.predecessor(), ..lower })
            }
            _ => std::mem::replace(&mut self.next_lower, self.lower.next()),
        }
    }

    #[inline]
    fn fold<B, F: FnMut(B, Range<K>) -> B>(mut self, init: B, mut each: F) -> B {
        let mut folded = init;
        while let Some(lower) = self.next_lower {
            // Most ranges of the upper stream lie between those of the lower one.
            while let Some(upper) = self.next_upper
                && upper.end < lower.start
            {
                folded = each(folded, upper);
                self.next_upper = self.upper.next();
            }
            if let Some(range) = self.next() {
                folded = each(folded, range);
            }
        }
        folded = self.next_upper.into_iter().fold(folded, &mut each);
        self.upper.fold(folded, each)
    }
}
