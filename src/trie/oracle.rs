//! What the tries are compared with in tests.

use crate::answer::AnswerId;
use crate::range::{Int, Range};
use std::collections::BTreeMap;

/// The listing without a trie: the end and the answer of each range by its start.
pub(super) struct Oracle<K>(BTreeMap<K, (K, AnswerId)>);

impl<K: Int> Oracle<K> {
    /// Disjoint ranges of which the first of overlapping ones is kept.
    pub(super) fn new(ranges: &[Range<K>]) -> Self {
        let mut map: BTreeMap<K, (K, AnswerId)> = BTreeMap::new();
        for range in ranges {
            let before = map.range(..=range.end).next_back();
            if range.answer.is_listed() && before.is_none_or(|(_, &(end, _))| end < range.start) {
                map.insert(range.start, (range.end, range.answer));
            }
        }
        Self(map)
    }

    pub(super) fn ranges(&self) -> Vec<Range<K>> {
        self.0.iter().map(|(&start, &(end, answer))| Range { start, end, answer }).collect()
    }

    pub(super) fn canonical(&self) -> Vec<Range<K>> {
        let mut out: Vec<Range<K>> = Vec::new();
        for range in self.ranges() {
            match out.last_mut() {
                Some(last)
                    if last.answer == range.answer && last.end.successor() == Some(range.start) =>
                {
                    last.end = range.end;
                }
                _ => out.push(range),
            }
        }
        out
    }

    pub(super) fn lookup(&self, key: K) -> AnswerId {
        match self.0.range(..=key).next_back() {
            Some((_, &(end, answer))) if key <= end => answer,
            _ => AnswerId::NONE,
        }
    }

    /// True if all addresses from `start` to `end` have one answer.
    pub(super) fn is_one(&self, start: K, end: K) -> bool {
        let answer = self.lookup(start);
        let before = self.0.range(..=start).next_back();
        let inside = self.0.range(start..=end);
        let mut changes = before
            .into_iter()
            .chain(inside)
            .flat_map(|(&start, &(end, _))| [Some(start), end.successor()]);
        changes.all(|at| at.is_none_or(|at| at <= start || at > end || self.lookup(at) == answer))
    }

    pub(super) fn any_in(&self, start: K, end: K) -> bool {
        self.lookup(start).is_listed() || self.0.range(start..=end).next().is_some()
    }
}
