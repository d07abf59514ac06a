//! Streams of segments: sorted, disjoint ranges in which [`AnswerId::NONE`] says "excluded here",
//! which hides what lies below, and a gap says nothing.

use super::{AnswerId, Key, Range};

/// Lays one stream over another: where both say something, the upper one counts.
pub(super) struct Paint<K, U, L> {
    upper: U,
    lower: L,
    next_upper: Option<Range<K>>,
    next_lower: Option<Range<K>>,
}

impl<K: Key, U, L> Paint<K, U, L>
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

impl<K: Key, U, L> Iterator for Paint<K, U, L>
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
}

/// Leaves the excluded segments out, and joins neighbours that have one answer.
pub(super) struct Coalesce<K, I> {
    segments: I,
    next: Option<Range<K>>,
}

impl<K: Key, I: Iterator<Item = Range<K>>> Coalesce<K, I> {
    pub(super) fn new(segments: I) -> Self {
        let mut new = Self { segments, next: None };
        new.next = new.next_listed();
        new
    }

    #[inline]
    fn next_listed(&mut self) -> Option<Range<K>> {
        self.segments.by_ref().find(|segment| segment.answer != AnswerId::NONE)
    }
}

impl<K: Key, I: Iterator<Item = Range<K>>> Iterator for Coalesce<K, I> {
    type Item = Range<K>;

    #[inline]
    fn next(&mut self) -> Option<Range<K>> {
        let mut range = self.next.take()?;
        while let Some(segment) = self.next_listed() {
            if segment.answer != range.answer || range.end.successor() != Some(segment.start) {
                self.next = Some(segment);
                break;
            }
            range.end = segment.end;
        }
        Some(range)
    }
}
