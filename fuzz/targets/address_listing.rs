//! What holds for every listing of addresses, and for the trie of it.

use dnsbld::listing::{AnswerId, Range};
use dnsbld::trie::{Trie4, Trie6};

macro_rules! checks {
    ($check:ident, $trie_of:ident, $key:ty, $trie:ty) => {
        /// Checks that the ranges are in canonical form and that their trie agrees; gives their
        /// answers in order.
        pub(crate) fn $check(ranges: &[Range<$key>]) -> Vec<AnswerId> {
            for range in ranges {
                assert!(range.start <= range.end && range.answer.is_listed(), "{range:?}");
            }
            for pair in ranges.windows(2) {
                let [a, b] = pair else { continue };
                assert!(a.end < b.start, "not sorted or not disjoint: {pair:?}");
                assert!(a.answer != b.answer || a.end + 1 < b.start, "not joined: {pair:?}");
            }
            $trie_of(ranges);
            ranges.iter().map(|range| range.answer).collect()
        }

        /// The trie of these ranges, which agrees with them wherever it could be wrong.
        pub(crate) fn $trie_of(ranges: &[Range<$key>]) -> $trie {
            let trie = <$trie>::build(ranges.iter().copied());
            assert!(trie.iter().eq(ranges.iter().copied()), "the trie gives other ranges back");
            assert_eq!((trie.ranges(), trie.is_empty()), (ranges.len(), ranges.is_empty()));
            let sizes = ranges.iter().map(|range| (range.end - range.start) as u128);
            let covered = sizes.fold(0u128, |sum, size| sum.saturating_add(size).saturating_add(1));
            assert_eq!(trie.covered(), covered);
            let gap_end = |index: usize| ranges.get(index).map_or(<$key>::MAX, |r| r.start - 1);
            if ranges.first().is_none_or(|range| range.start > 0) {
                assert_gap(&trie, 0, gap_end(0));
            }
            for (index, range) in ranges.iter().enumerate() {
                let middle = range.start + (range.end - range.start) / 2;
                for key in [range.start, middle, range.end] {
                    assert_eq!(trie.lookup(key), range.answer, "{key:#x}");
                    assert!(trie.any_in(key, key), "{key:#x}");
                }
                let next = range.end.checked_add(1);
                let is_gap = |&next: &$key| ranges.get(index + 1).is_none_or(|r| r.start > next);
                if let Some(next) = next.filter(is_gap) {
                    assert_gap(&trie, next, gap_end(index + 1));
                }
            }
            if let [first, .., last] = ranges {
                assert!(trie.any_in(0, first.start) && trie.any_in(last.end, <$key>::MAX));
                assert!(trie.any_in(first.end, last.start));
            }
            return trie;

            fn assert_gap(trie: &$trie, start: $key, end: $key) {
                for key in [start, start + (end - start) / 2, end] {
                    assert_eq!(trie.lookup(key), AnswerId::NONE, "{key:#x}");
                }
                assert!(!trie.any_in(start, end), "{start:#x} to {end:#x}");
            }
        }
    };
}

checks!(check4, trie4, u32, Trie4);
checks!(check6, trie6, u128, Trie6);
