//! Which entries say nothing new: sorted intervals, each with what it says.
//!
//! Addresses are intervals as they are. Names are, too, where each stands at its place in the order in which
//! all that is below a name comes right behind it.

use crate::range::Int;
use std::cmp::Reverse;
use std::collections::HashMap;

/// What an exclusion says, in place of the number of a value.
pub(super) const EXCLUDED: u32 = u32::MAX;

/// An entry: the first and the last of its keys, what it says of them, and its line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Interval<K> {
    pub(super) start: K,
    pub(super) end: K,
    pub(super) value: u32,
    pub(super) line: u32,
}

/// An entry that can go, since what it says is said by another one, whatever the rules of the type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Redundant<K> {
    pub(super) entry: Interval<K>,
    /// The entry that stays: an earlier one for the same keys, or one for more keys, where all entries for any
    /// of these keys say the same.
    pub(super) by: Interval<K>,
}

impl<K: Int> Redundant<K> {
    /// True if both are for the same keys.
    pub(super) fn is_repeat(&self) -> bool {
        (self.entry.start, self.entry.end) == (self.by.start, self.by.end)
    }
}

/// Keys side by side with one value, of which several entries speak and nothing else does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run<K> {
    pub(super) start: K,
    pub(super) end: K,
    /// The number of entries, without those that are in another one.
    pub(super) entries: u64,
    /// The line of the first of them, by their keys.
    pub(super) line: u32,
}

/// All entries of one sort of keys.
pub(super) struct Cover<K> {
    /// By their first key, the widest first.
    entries: Vec<Interval<K>>,
    /// Keys of which entries say different things, sorted and disjoint.
    mixed: Vec<(K, K)>,
}

impl<K: Int> Cover<K> {
    pub(super) fn new(mut entries: Vec<Interval<K>>) -> Self {
        entries.sort_unstable_by_key(|it| (it.start, Reverse(it.end), it.value, it.line));
        let mixed = mixed(&entries);
        Self { entries, mixed }
    }

    pub(super) fn entries(&self) -> &[Interval<K>] {
        &self.entries
    }

    /// The entries that can go, all at once: what they say stays said.
    pub(super) fn redundant(&self) -> Vec<Redundant<K>> {
        let mut found = Vec::new();
        let mut first = None;
        // Of the entries with a value so far, the one that reaches furthest.
        let mut furthest: HashMap<u32, Interval<K>> = HashMap::new();
        for &entry in &self.entries {
            let said = |it: Interval<K>| (it.start, it.end, it.value);
            if let Some(by) = first.filter(|&first| said(first) == said(entry)) {
                found.push(Redundant { entry, by });
                continue;
            }
            first = Some(entry);
            match furthest.get(&entry.value) {
                Some(&by) if by.end >= entry.end => {
                    if !self.is_mixed(&entry) {
                        found.push(Redundant { entry, by });
                    }
                }
                _ => {
                    furthest.insert(entry.value, entry);
                }
            }
        }
        found
    }

    /// The runs of two entries and more.
    pub(super) fn runs(&self) -> Vec<Run<K>> {
        let mut found: Vec<Run<K>> = Vec::new();
        let mut open: Option<(u32, Run<K>)> = None;
        let mut close = |open: &mut Option<(u32, Run<K>)>| {
            let run = open.take().map(|(_, run)| run);
            found.extend(run.filter(|run| run.entries > 1));
        };
        for entry in &self.entries {
            if entry.value == EXCLUDED || self.is_mixed(entry) {
                close(&mut open);
                continue;
            }
            match &mut open {
                Some((value, run))
                    if *value == entry.value
                        && run.end.successor().is_none_or(|next| entry.start <= next) =>
                {
                    if entry.end > run.end {
                        run.end = entry.end;
                        run.entries += 1;
                    }
                }
                _ => {
                    close(&mut open);
                    let &Interval { start, end, value, line } = entry;
                    open = Some((value, Run { start, end, entries: 1, line }));
                }
            }
        }
        close(&mut open);
        found
    }

    /// The keys for which entries list more different values than that: the first such entry, and how many
    /// values there are.
    pub(super) fn crowded(&self, most: u64) -> Vec<(Interval<K>, u64)> {
        let same = |a: &Interval<K>, b: &Interval<K>| (a.start, a.end) == (b.start, b.end);
        let groups = self.entries.chunk_by(same);
        let counted = groups.map(|group| {
            let values = group.chunk_by(|a, b| a.value == b.value);
            (group[0], values.filter(|alike| alike[0].value != EXCLUDED).count() as u64)
        });
        counted.filter(|&(_, values)| values > most).collect()
    }

    /// Entries for the same keys as an earlier one that says something else, and the line of the first.
    pub(super) fn contradicted(&self) -> Vec<(Interval<K>, u32)> {
        let same = |a: &Interval<K>, b: &Interval<K>| (a.start, a.end) == (b.start, b.end);
        let mut found = Vec::new();
        for group in self.entries.chunk_by(same).filter(|group| group.len() > 1) {
            let Some(first) = group.iter().min_by_key(|it| it.line) else { continue };
            // Of those that say the same, the first is told; the others repeat it.
            let others = group.chunk_by(|a, b| a.value == b.value).map(|alike| alike[0]);
            found.extend(others.filter(|it| it.value != first.value).map(|it| (it, first.line)));
        }
        found
    }

    /// The narrowest entry for a key.
    pub(super) fn narrowest(&self, key: K) -> Option<&Interval<K>> {
        let covering = self.entries.iter().filter(|it| it.start <= key && key <= it.end);
        covering.min_by_key(|it| (it.end - it.start, it.value != EXCLUDED))
    }

    /// True if entries say different things of some key of this one.
    fn is_mixed(&self, entry: &Interval<K>) -> bool {
        let next = self.mixed.partition_point(|&(_, end)| end < entry.start);
        self.mixed.get(next).is_some_and(|&(start, _)| start <= entry.end)
    }
}

/// The keys of which sorted entries say different things, sorted and disjoint.
fn mixed<K: Int>(entries: &[Interval<K>]) -> Vec<(K, K)> {
    let mut found: Vec<(K, K)> = Vec::new();
    // The furthest ends so far, of two different values.
    let mut far: Option<(K, u32)> = None;
    let mut second: Option<(K, u32)> = None;
    for &Interval { start, end, value, .. } in entries {
        let is_other = |told: &&(K, u32)| told.1 != value;
        let other = far.iter().filter(is_other).chain(second.iter().filter(is_other)).next();
        if let Some(&(other, _)) = other
            && other >= start
        {
            let end = end.min(other);
            match found.last_mut() {
                Some(last) if last.1 >= start => last.1 = last.1.max(end),
                _ => found.push((start, end)),
            }
        }
        match &mut far {
            Some((furthest, its)) if *its == value => *furthest = end.max(*furthest),
            Some((furthest, _)) if end <= *furthest => {
                if second.is_none_or(|(second, _)| second < end) {
                    second = Some((end, value));
                }
            }
            _ => {
                second = far;
                far = Some((end, value));
            }
        }
    }
    found
}

/// The prefixes that a range is made of, with their lengths.
pub(super) fn prefixes<K: Int>(start: K, end: K) -> impl Iterator<Item = (K, u8)> {
    let mut next = Some(start);
    std::iter::from_fn(move || {
        let at = next.filter(|&at| at <= end)?;
        let mut len = (K::BITS - at.trailing_zeros().min(K::BITS)) as u8;
        while at.last_of_prefix(len) > end {
            len += 1;
        }
        next = at.last_of_prefix(len).successor();
        Some((at, len))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Vec<Interval<u32>>> {
        let entry = (0u32..40, 0u32..12, 0u32..3);
        prop::collection::vec(entry, 0..30).prop_map(|drawn| {
            let entries = drawn.into_iter().zip(1..);
            let made = entries.map(|((start, more, value), line)| {
                let value = if value == 2 { EXCLUDED } else { value };
                Interval { start, end: start + more, value, line }
            });
            made.collect()
        })
    }

    type Entry = Interval<u32>;

    fn holds(outer: &Entry, inner: &Entry) -> bool {
        outer.start <= inner.start && inner.end <= outer.end
    }

    fn meets(one: &Entry, other: &Entry) -> bool {
        one.start <= other.end && other.start <= one.end
    }

    /// Whether an entry can go, by looking at all others.
    fn can_go(entry: &Entry, all: &[Entry]) -> Option<bool> {
        let is_same =
            |it: &&Entry| (it.start, it.end, it.value) == (entry.start, entry.end, entry.value);
        if all.iter().filter(is_same).any(|it| it.line < entry.line) {
            return Some(true);
        }
        let is_alone = all.iter().all(|it| !meets(it, entry) || it.value == entry.value);
        let wider = |it: &Entry| holds(it, entry) && !holds(entry, it) && it.value == entry.value;
        (is_alone && all.iter().any(wider)).then_some(false)
    }

    proptest! {
        #[test]
        fn what_can_go_is_what_a_look_at_all_pairs_finds(entries in entries()) {
            let mut found: Vec<_> = Cover::new(entries.clone()).redundant();
            found.sort_by_key(|it| it.entry.line);
            for it in &found {
                prop_assert!(holds(&it.by, &it.entry) && it.by.value == it.entry.value);
                prop_assert!(!it.is_repeat() || it.by.line < it.entry.line);
            }
            let found: Vec<_> = found.iter().map(|it| (it.entry.line, it.is_repeat())).collect();
            let wanted: Vec<_> = entries
                .iter()
                .filter_map(|entry| Some((entry.line, can_go(entry, &entries)?)))
                .collect();
            prop_assert_eq!(found, wanted);
        }

        /// Key by key, what is said without the entries that can go is what was said.
        #[test]
        fn what_stays_says_the_same(entries in entries()) {
            let gone: Vec<u32> =
                Cover::new(entries.clone()).redundant().iter().map(|it| it.entry.line).collect();
            let stays: Vec<_> =
                entries.iter().filter(|it| !gone.contains(&it.line)).copied().collect();
            let said = |all: &[Entry], key: u32| {
                let mut values: Vec<u32> = all
                    .iter()
                    .filter(|it| it.start <= key && key <= it.end)
                    .map(|it| it.value)
                    .collect();
                values.sort_unstable();
                values.dedup();
                values
            };
            for key in 0..60 {
                prop_assert_eq!(said(&entries, key), said(&stays, key));
            }
        }

        /// A run is as long as it can be: every key of it has this value alone, and the keys beside it have
        /// not.
        #[test]
        fn runs_are_whole(entries in entries()) {
            let cover = Cover::new(entries.clone());
            let runs = cover.runs();
            let only = |key: u32| {
                let mut values = entries
                    .iter()
                    .filter(|it| it.start <= key && key <= it.end)
                    .map(|it| it.value);
                let first = values.next().filter(|&first| first != EXCLUDED)?;
                values.all(|value| value == first).then_some(first)
            };
            for run in &runs {
                let value = only(run.start);
                prop_assert!(value.is_some());
                prop_assert!((run.start..=run.end).all(|key| only(key) == value));
                let parts: Vec<_> = entries
                    .iter()
                    .filter(|it| run.start <= it.start && it.end <= run.end)
                    .collect();
                prop_assert!(run.entries >= 2 && parts.len() as u64 >= run.entries);
                let line = |it: &&&Entry| it.line == run.line;
                prop_assert_eq!(parts.iter().find(line).map(|it| it.start), Some(run.start));
            }
            for pair in runs.windows(2) {
                prop_assert!(pair[0].end < pair[1].start);
            }
            // Two entries that touch, of which neither is in a wider one or meets anything else, are
            // in one run.
            let is_clean = |it: &Entry| {
                it.value != EXCLUDED
                    && entries.iter().all(|other| !meets(it, other) || other.value == it.value)
                    && !entries.iter().any(|other| holds(other, it) && !holds(it, other))
            };
            for one in entries.iter().filter(|it| is_clean(it)) {
                for other in entries.iter().filter(|it| is_clean(it)) {
                    if one.value == other.value && one.end + 1 == other.start {
                        let both = |run: &Run<u32>| {
                            run.start <= one.start && other.end <= run.end
                        };
                        prop_assert!(runs.iter().any(both), "{one:?} {other:?} {runs:?}");
                    }
                }
            }
        }

        #[test]
        fn a_range_is_its_prefixes(start in any::<u32>(), more in 0..5000u32) {
            let end = start.saturating_add(more);
            let mut next = u64::from(start);
            let mut before = (0, 0);
            for (at, len) in prefixes(start, end) {
                prop_assert_eq!(u64::from(at), next);
                // No two neighbours make up one.
                prop_assert!(before.1 != len || before.0 & (1 << (32 - len)) != 0 || len == 0);
                before = (at, len);
                next += 1 << (32 - len);
            }
            prop_assert_eq!(next, u64::from(end) + 1);
        }
    }

    #[test]
    fn keys_with_many_values_are_told() {
        let entry = |value, line| Interval { start: 5u32, end: 5, value, line };
        let entries = vec![entry(1, 1), entry(2, 2), entry(2, 3), entry(EXCLUDED, 4)];
        let cover = Cover::new(entries);
        assert_eq!(cover.crowded(1), [(entry(1, 1), 2)]);
        assert!(cover.crowded(2).is_empty());
        assert_eq!(cover.narrowest(5), Some(&entry(EXCLUDED, 4)));
        assert_eq!(cover.narrowest(6), None);
    }

    #[test]
    fn the_whole_space_is_one_prefix() {
        assert_eq!(prefixes(0, u32::MAX).collect::<Vec<_>>(), [(0, 0)]);
        assert_eq!(prefixes(u128::MAX, u128::MAX).collect::<Vec<_>>(), [(u128::MAX, 128)]);
    }
}
