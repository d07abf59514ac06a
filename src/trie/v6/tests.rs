use super::*;
use crate::range::Coalesce;
use crate::trie::Trie6;
use crate::trie::oracle::Oracle;
use crate::trie::testdata::{self, Random};
use proptest::prelude::*;

const DOC: u128 = 0x2001_0db8 << 96;

fn range(start: u128, end: u128, answer: u32) -> Range<u128> {
    Range { start, end, answer: AnswerId(answer) }
}

/// Compares a trie with the oracle in every way, at the borders of up to 500 ranges and at `probes`.
fn check(ranges: &[Range<u128>], probes: &[u128]) -> Trie6 {
    let oracle = Oracle::new(ranges);
    let trie = Trie6::build(oracle.ranges());
    let canonical = oracle.canonical();
    assert_eq!(trie.iter().collect::<Vec<_>>(), canonical);
    assert_eq!(trie.ranges(), canonical.len());
    assert_eq!(trie.is_empty(), canonical.is_empty());
    let covered = canonical
        .iter()
        .fold(0_u128, |sum, r| sum.saturating_add(r.end - r.start).saturating_add(1));
    assert_eq!(trie.covered(), covered);
    let some = canonical.iter().step_by(1 + canonical.len() / 500);
    let borders = some.flat_map(|range| [range.start, range.end]);
    for border in borders.chain(probes.iter().copied()).chain([0, u128::MAX]) {
        for key in [border.wrapping_sub(1), border, border.wrapping_add(1), border ^ 1 << 64] {
            assert_eq!(trie.lookup(key), oracle.lookup(key), "{key:#x}");
            let (answer, last) = trie.run(key);
            assert_eq!(answer, oracle.lookup(key), "{key:#x}");
            assert!(last >= key && oracle.is_one(key, last), "{key:#x} to {last:#x}");
            for bits in [0, 4, 64, 80, 96, 124] {
                let hosts = (1 << bits) - 1;
                let (start, end) = (key & !hosts, key | hosts);
                assert_eq!(trie.any_in(start, end), oracle.any_in(start, end), "{start:#x}/{bits}");
            }
            assert_eq!(trie.any_in(key, u128::MAX), oracle.any_in(key, u128::MAX));
            assert_eq!(trie.any_in(0, key), oracle.any_in(0, key));
        }
    }
    trie
}

#[test]
fn nothing_is_listed_in_an_empty_trie() {
    for trie in [Trie6::default(), Trie6::build([]), Trie6::build([range(1, 5, 0)])] {
        assert!(trie.is_empty());
        assert_eq!((trie.covered(), trie.ranges(), trie.iter().count()), (0, 0, 0));
        assert_eq!(trie.lookup(3), AnswerId::NONE);
        assert!(!trie.any_in(0, u128::MAX));
    }
}

#[test]
fn the_ends_of_the_address_space() {
    let trie = check(&[range(0, u128::MAX, 7)], &[1 << 64]);
    assert_eq!(trie.covered(), u128::MAX);
    check(&[range(0, 0, 1), range(u128::MAX, u128::MAX, 2)], &[]);
    check(&[range(0, u128::MAX >> 1, 1), range(1 << 127, u128::MAX, 2)], &[]);
    check(&[range(1, u128::MAX - 1, 1)], &[]);
    check(&[range(0, 5, 1), range(7, u128::MAX, 1)], &[]);
}

#[test]
fn exclusions_are_cut_out_of_a_prefix() {
    let holes = [DOC + 77, DOC + (1 << 80), DOC + (1 << 80) + 1, DOC + (9 << 70)];
    let mut ranges = Vec::new();
    let mut start = DOC;
    for hole in holes {
        if hole > start {
            ranges.push(range(start, hole - 1, 3));
        }
        start = hole + 1;
    }
    ranges.push(range(start, DOC | u128::MAX >> 32, 3));
    check(&ranges, &holes);
}

#[test]
fn single_addresses_far_apart_stay_small() {
    let mut random = Random::new(2);
    let key = || u128::from(random.bits()) << 64 | u128::from(random.bits());
    let singles: Vec<_> = std::iter::repeat_with(key).take(5000).collect();
    let ranges: Vec<_> = singles.iter().map(|&key| range(key, key, 1)).collect();
    let trie = check(&ranges, &[]);
    assert!(trie.memory() < 17 * 5000, "{}", trie.memory());
}

#[test]
fn prefixes_meet_the_memory_goal() {
    for clustered in [false, true] {
        let prefixes = testdata::flatten(testdata::prefixes(20_000, clustered));
        let ranges: Vec<_> = prefixes.iter().map(|&(a, b, n)| range(a, b, n)).collect();
        let trie = Trie6::build(ranges.iter().copied());
        assert!(trie.iter().eq(Coalesce::new(ranges.iter().copied())));
        for range in &ranges {
            assert_eq!(trie.lookup(range.start), range.answer);
            assert_eq!(trie.lookup(range.end), range.answer);
        }
        assert!(trie.memory() < 12 * 20_000, "{}", trie.memory());
    }
}

#[test]
fn a_damaged_trie_never_panics() {
    let mut random = Random::new(1);
    let ranges: Vec<_> = testdata::flatten(testdata::prefixes(2000, true))
        .iter()
        .map(|&(start, end, _)| range(start, end, random.below(300) as u32 + 1))
        .collect();
    let whole = Trie6::build(ranges.iter().copied());
    for round in 0..200 {
        let mut trie = whole.clone();
        for _ in 0..1 + round {
            let at = random.below(trie.arena.len() as u64) as usize;
            trie.arena.to_mut()[at] = random.bits() as u8;
        }
        if round % 4 == 0 {
            let length = random.below(trie.arena.len() as u64) as usize;
            trie.arena.to_mut().truncate(length);
        }
        if round % 3 == 0 {
            let at = random.below(trie.index.heads.len() as u64) as usize;
            trie.index.heads.to_mut()[at] = u128::from(random.bits()) << random.below(65);
            trie.index.blocks.to_mut()[at] = random.bits() as u32;
            trie.index.blocks.to_mut().pop();
            let at = random.below(trie.index.cells.len() as u64) as usize;
            trie.index.cells.to_mut()[at] ^= random.bits() as u32 & 0x3f;
            trie.index.cell_shift = random.below(200) as u32;
        }
        for range in ranges.iter().step_by(7) {
            trie.lookup(range.start);
            trie.any_in(range.start, range.start | u128::MAX >> 64);
        }
        assert!(trie.iter().is_sorted_by(|a, b| a.end < b.start));
    }
}

/// Keys that crowd at few places and at the borders of networks.
fn clustered_key() -> impl Strategy<Value = u128> {
    let base = prop::sample::select(vec![0_u128, DOC, DOC + (5 << 64), 0x2a00 << 112, !0 << 66]);
    let offset = prop_oneof![
        4 => (0_u128..64).prop_map(|key| key << 64),
        2 => 0_u128..0x120,
        2 => (0_u128..64, 0_u128..5).prop_map(|(a, b)| (a << 80).wrapping_add(b).wrapping_sub(2)),
        1 => (0_u128..64).prop_map(|key| key << 96),
        1 => any::<u128>(),
    ];
    (base, offset).prop_map(|(base, offset)| base.wrapping_add(offset))
}

fn any_range() -> impl Strategy<Value = Range<u128>> {
    let length = prop_oneof![
        3 => Just(0_u128),
        3 => Just((1 << 64) - 1),
        2 => 0_u128..12,
        3 => (0_u128..90).prop_map(|power| (1 << power) - 1),
        1 => any::<u128>().prop_map(|length| length >> 40),
    ];
    (clustered_key(), length, 1_u32..1 << 20)
        .prop_map(|(key, length, answer)| range(key, key.saturating_add(length), answer))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn like_the_oracle(
        answers in prop::sample::select(vec![1_u32, 2, 300, 1 << 20]),
        seed in prop::collection::vec(any_range(), 0..300),
        probes in prop::collection::vec(clustered_key(), 10),
    ) {
        let ranges: Vec<_> =
            seed.iter().map(|r| range(r.start, r.end, r.answer.0 % answers + 1)).collect();
        check(&ranges, &probes);
    }
}
