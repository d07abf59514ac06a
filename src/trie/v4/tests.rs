use super::*;
use crate::range::Coalesce;
use crate::trie::Trie4;
use crate::trie::oracle::Oracle;
use crate::trie::testdata::{self, Random};
use proptest::prelude::*;

fn range(start: u32, end: u32, answer: u32) -> Range<u32> {
    Range { start, end, answer: AnswerId(answer) }
}

/// Compares a trie with the oracle in every way, at the borders of up to 500 ranges and at `probes`.
fn check(ranges: &[Range<u32>], probes: &[u32]) -> Trie4 {
    let oracle = Oracle::new(ranges);
    let trie = Trie4::build(oracle.ranges());
    let canonical = oracle.canonical();
    assert_eq!(trie.iter().collect::<Vec<_>>(), canonical);
    assert_eq!(trie.ranges(), canonical.len());
    assert_eq!(trie.is_empty(), canonical.is_empty());
    let covered: u128 = canonical.iter().map(|r| u128::from(r.end - r.start) + 1).sum();
    assert_eq!(trie.covered(), covered);
    let some = canonical.iter().step_by(1 + canonical.len() / 500);
    let borders = some.flat_map(|range| [range.start, range.end]);
    for border in borders.chain(probes.iter().copied()).chain([0, u32::MAX]) {
        for key in [border.wrapping_sub(1), border, border.wrapping_add(1), border ^ 0x100] {
            assert_eq!(trie.lookup(key), oracle.lookup(key), "{key:#x}");
            let (answer, last) = trie.run(key);
            assert_eq!(answer, oracle.lookup(key), "{key:#x}");
            assert!(last >= key && oracle.is_one(key, last), "{key:#x} to {last:#x}");
            for bits in [0, 1, 8, 16, 24, 31] {
                let hosts = (1 << bits) - 1;
                let (start, end) = (key & !hosts, key | hosts);
                assert_eq!(trie.any_in(start, end), oracle.any_in(start, end), "{start:#x}/{bits}");
            }
            assert_eq!(trie.any_in(key, u32::MAX), oracle.any_in(key, u32::MAX));
            assert_eq!(trie.any_in(0, key), oracle.any_in(0, key));
        }
    }
    trie
}

/// Compares the bytes of a trie with those that are written key by key.
fn check_bytes(ranges: &[Range<u32>]) {
    let oracle = Oracle::new(ranges);
    let trie = Trie4::build(oracle.ranges());
    let (offsets, arena) = naive::write(&oracle.ranges());
    for slot in 0..=u16::MAX {
        let want = offsets.get(&slot).copied().unwrap_or(EMPTY);
        assert_eq!(trie.index.get(slot), want, "/16 {slot:#x}");
    }
    assert!(*trie.arena == arena, "{:?}", oracle.ranges());
}

#[test]
fn the_bytes_are_those_written_key_by_key() {
    check_bytes(&[]);
    check_bytes(&[range(0, 0x3_ffff, 1), range(u32::MAX - 0xff, u32::MAX, 2)]);
    check_bytes(&[range(0, 0xffff, 1), range(0x1_0000, 0x1_ffff, 2), range(0x2_0000, 0x2_ffff, 2)]);
    for step in [1_u32, 2, 3, 7, 60, 127] {
        for answers in [1, 2, 3, 300, 1 << 17] {
            // From both ends of a /16 to the middle of the next; runs of one key, of two, of many.
            for length in [0, 1, 40] {
                let starts = (0xffff_0000_u32..0xffff_3000).step_by((step + length) as usize);
                let ranges = starts.chain([0xffff_fff0]).enumerate().map(|(at, start)| {
                    let answer = (at as u32).wrapping_mul(0x9e37_79b1) >> 7;
                    range(start, start.saturating_add(length), answer % answers + 1)
                });
                check_bytes(&ranges.collect::<Vec<_>>());
            }
        }
    }
    // The fewest runs that a bitmap takes the place of, and one run less.
    for (length, counts) in [(0, 16..18), (1, 11..13)] {
        for count in counts {
            let run = |at: u32| range(0x0a00_0100 + at * 4, 0x0a00_0100 + at * 4 + length, 1);
            check_bytes(&(0..count).map(run).collect::<Vec<_>>());
        }
    }
    // A listed background, with bitmaps and without; runs of whole /24s.
    let every = |step: u32| (0..=0xffff_u32).filter(move |key| key % step != 1);
    for step in [2, 9, 100, 1000] {
        check_bytes(&every(step).map(|key| range(key, key, 1)).collect::<Vec<_>>());
        check_bytes(&every(step).map(|key| range(key, key, key >> 12 | 1)).collect::<Vec<_>>());
    }
    check_bytes(&(0..200).map(|at| range(at << 9, at << 9 | 0xff, at % 3 + 1)).collect::<Vec<_>>());
}

#[test]
fn nothing_is_listed_in_an_empty_trie() {
    for trie in [Trie4::default(), Trie4::build([]), Trie4::build([range(1, 5, 0)])] {
        assert!(trie.is_empty());
        assert_eq!((trie.covered(), trie.ranges(), trie.iter().count()), (0, 0, 0));
        assert_eq!(trie.lookup(3), AnswerId::NONE);
        assert!(!trie.any_in(0, u32::MAX));
    }
}

#[test]
fn the_layout_is_as_documented() {
    let listing = [
        range(0xc000_0201, 0xc000_0201, 1),
        range(0xc000_0207, 0xc000_0207, 1),
        range(0xc633_6400, 0xc633_64ff, 2),
    ];
    let trie = check(&listing, &[]);
    assert_eq!((trie.index.get(0xc000), trie.index.get(0xc633)), (4, 13));
    let blocks = [0, 0, 0, 0, 0x10, 0, 0x21, 0, 1, 1, 2, 7, 2, 0x10, 8, 0x10, 0, 2, 0x64];
    assert_eq!(*trie.arena, [&blocks[..], &[0; 16]].concat());
}

#[test]
fn the_ends_of_the_address_space() {
    check(&[range(0, u32::MAX, 7)], &[1 << 24, 1 << 31]);
    check(&[range(0, 0, 1), range(u32::MAX, u32::MAX, 2)], &[]);
    check(&[range(0, 0x7fff_ffff, 1), range(0x8000_0000, u32::MAX, 2)], &[]);
    check(&[range(1, u32::MAX - 1, 1)], &[]);
    assert_eq!(Trie4::build([range(0, u32::MAX, 7)]).covered(), 1 << 32);
}

#[test]
fn neighbours_with_one_answer_are_joined() {
    let trie = check(&[range(0xfff0, 0xffff, 1), range(0x1_0000, 0x1_0003, 1)], &[]);
    assert_eq!(trie.ranges(), 1);
    assert_eq!(check(&[range(5, 6, 1), range(7, 8, 2)], &[]).ranges(), 2);
}

#[test]
fn an_exclusion_is_cut_out_of_a_range() {
    check(&[range(0x0a00_0000, 0x0a00_00ff, 1), range(0x0a00_0101, 0x0aff_ffff, 1)], &[]);
}

#[test]
fn greatest_answer_numbers() {
    for answer in [0xff, 0x100, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000, u32::MAX] {
        check(&[range(3, 3, answer), range(9, 0x2_0009, answer - 1)], &[]);
    }
}

#[test]
fn every_address_of_a_16_has_its_own_answer() {
    let addresses = 0x0a01_0000..0x0a02_0000;
    let ranges: Vec<_> = addresses.map(|key| range(key, key, key & 0xffff | 1 << 17)).collect();
    check(&ranges, &[]);
}

#[test]
fn every_24_of_a_16_is_a_bitmap() {
    let odd: Vec<_> = (0..0x8000).map(|n| range(2 * n + 1, 2 * n + 1, 1)).collect();
    let trie = check(&odd, &[]);
    assert!(trie.memory() < 10_000, "{}", trie.memory());
}

#[test]
fn a_run_goes_on_into_a_bitmap_and_out_of_it() {
    let mut ranges = vec![range(0x1_02f0, 0x1_0310, 1)];
    ranges.extend((0..40).map(|n| range(0x1_0320 + 3 * n, 0x1_0320 + 3 * n, 1)));
    ranges.push(range(0x1_03f8, 0x1_0520, 1));
    check(&ranges, &[]);
    ranges[0].answer = AnswerId(2);
    check(&ranges, &[]);
}

#[test]
fn a_small_list_is_small() {
    let ten: Vec<_> = (1..11).map(|n| range(n * 0x0b0b_0b0b, n * 0x0b0b_0b0b, 1)).collect();
    let trie = check(&ten, &[]);
    assert!(trie.memory() < 1024, "{}", trie.memory());
    let bogons = [range(0, 0x00ff_ffff, 1), range(0x0a00_0000, 0x0aff_ffff, 1)];
    let trie = check(&[&bogons[..], &[range(0xe000_0000, u32::MAX, 1)]].concat(), &[]);
    // Each of 34 /8s has its own block.
    assert!(trie.memory() < 1200, "{}", trie.memory());
}

#[test]
fn clustered_addresses_meet_the_memory_goal() {
    let addresses = testdata::addresses(200_000, 6000);
    let trie = Trie4::build(addresses.iter().map(|&key| range(key, key, 1)));
    assert!(trie.iter().flat_map(|range| range.start..=range.end).eq(addresses.iter().copied()));
    assert!(addresses.iter().all(|&key| trie.lookup(key) == AnswerId(1)));
    let missing = addresses.windows(2).filter(|pair| pair[0] + 1 < pair[1]);
    assert!(missing.clone().all(|pair| !trie.lookup(pair[0] + 1).is_listed()));
    // Here half of it is the root.
    assert!(trie.memory() < 1_000_000, "{}", trie.memory());
}

#[test]
fn prefixes_with_many_answers_meet_the_memory_goal() {
    let prefixes = testdata::flatten(testdata::cidrs(100_000, 60_000));
    let ranges: Vec<_> = prefixes.iter().map(|&(a, b, n)| range(a as u32, b as u32, n)).collect();
    let trie = Trie4::build(ranges.iter().copied());
    assert!(trie.iter().eq(Coalesce::new(ranges.iter().copied())));
    for range in &ranges {
        assert_eq!(trie.lookup(range.start), range.answer);
        assert_eq!(trie.lookup(range.end), range.answer);
    }
    assert!(trie.memory() < 1_200_000, "{}", trie.memory());
}

/// Compares the trie of single addresses with that of the ranges they make.
fn check_singles(mut addresses: Vec<u32>, answer: u32) {
    addresses.sort_unstable();
    addresses.dedup();
    let trie = Trie4::build(addresses.iter().map(|&key| range(key, key, answer)));
    for threads in [1, 2, 3, 7] {
        let other = Trie4::build_singles(&addresses, AnswerId(answer), threads);
        assert!(other == trie, "{} addresses, {threads} threads", addresses.len());
    }
}

#[test]
fn single_addresses_make_the_trie_of_their_ranges() {
    check_singles(Vec::new(), 1);
    check_singles(vec![1, 2], 0);
    check_singles(testdata::addresses(200_000, 6000), 1);
    check_singles(testdata::addresses(200_000, 1000), 1);
    // Three octets of which each has a split /16 and whole ones.
    let split = |octet: u32| (0..2000).map(move |n| (octet << 24) + n * 3);
    let whole = |octet: u32| (octet << 24) + 0x10_0000..=(octet << 24) + 0x11_ffff;
    check_singles([9, 10, 12].into_iter().flat_map(|o| split(o).chain(whole(o))).collect(), 1);
    // Whole /16s side by side, across the border of a /8 too, and with holes.
    for holes in
        [&[][..], &[0x09ff_0000], &[0x0a00_ffff], &[0x0a01_8000], &[0x0a00_0000, 0x0a00_ffff]]
    {
        let all = (0x09fe_fff0..0x0a02_0010).filter(|key| !holes.contains(key));
        check_singles(all.collect(), 300);
    }
    // Pairs and fours side by side; every second address; a whole /24 in a split /16.
    for (step, len) in [(2, 1), (4, 2), (8, 4), (3, 1), (37, 2), (60, 1), (129, 1)] {
        for first in [0, 1, 254] {
            let starts = (first..0x2_0000).step_by(step);
            let mut keys: Vec<u32> = starts.flat_map(|start| start..start + len).collect();
            check_singles(keys.clone(), 1);
            keys.extend(0x4200..0x4300);
            check_singles(keys, 1);
        }
    }
    check_singles(vec![0, u32::MAX], 1);
    check_singles((0..=0xffff).chain(0xffff_0000..=u32::MAX).collect(), 1);
}

#[test]
fn a_damaged_trie_never_panics() {
    let mut random = Random::new(1);
    let mut ranges: Vec<_> = testdata::flatten(testdata::cidrs(2000, 300))
        .iter()
        .map(|&(start, end, answer)| range(start as u32, end as u32, answer))
        .filter(|range| range.start >> 24 != 10)
        .collect();
    ranges.extend((0..2000).map(|n| range(0x0a00_0000 + 7 * n, 0x0a00_0002 + 7 * n, n + 1)));
    ranges.extend((0..200).map(|n| range(0x0a04_0000 + 2 * n, 0x0a04_0000 + 2 * n, 1)));
    ranges.sort_by_key(|range| range.start);
    let whole = Trie4::build(ranges.iter().copied());
    for round in 0..200 {
        let mut trie = whole.clone();
        for _ in 0..1 + round {
            trie.damage(&mut || random.bits());
        }
        for range in ranges.iter().step_by(7) {
            trie.lookup(range.start);
            trie.any_in(range.start, range.start | 0xff);
        }
        assert!(trie.iter().is_sorted_by(|a, b| a.end < b.start));
    }
}

/// Keys that crowd at few places and at the borders of networks.
fn clustered_key() -> impl Strategy<Value = u32> {
    let base =
        prop::sample::select(vec![0_u32, 0x0a00_0000, 0x0a01_0000, 0x0a01_0200, 0xffff_ff00]);
    let offset = prop_oneof![
        4 => 0_u32..0x120,
        2 => (0_u32..0x300).prop_map(|key| key.wrapping_sub(0x180)),
        2 => (0_u32..4, 0_u32..5).prop_map(|(a, b)| (a << 16).wrapping_add(b).wrapping_sub(2)),
        1 => (0_u32..4, 0_u32..5).prop_map(|(a, b)| (a << 24).wrapping_add(b).wrapping_sub(2)),
        1 => any::<u32>(),
    ];
    (base, offset).prop_map(|(base, offset)| base.wrapping_add(offset))
}

fn any_range(answers: u32) -> impl Strategy<Value = Range<u32>> {
    let length = prop_oneof![
        6 => Just(0_u32),
        3 => 0_u32..12,
        2 => (0_u32..17).prop_map(|power| (1 << power) - 1),
        1 => 0_u32..0x3_0000,
        1 => (17_u32..26).prop_map(|power| (1 << power) - 1),
    ];
    (clustered_key(), length, 1..=answers)
        .prop_map(|(key, length, answer)| range(key, key.saturating_add(length), answer))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn single_addresses_like_their_ranges(
        seed in prop::collection::vec((clustered_key(), 0_u32..40, 1_usize..5), 0..600),
    ) {
        let spread = |&(key, count, step): &(u32, u32, usize)| {
            (key..key.saturating_add(count + 1)).step_by(step)
        };
        check_singles(seed.iter().flat_map(spread).collect(), 1);
    }

    #[test]
    fn bytes_like_those_written_key_by_key(
        answers in prop::sample::select(vec![1_u32, 2, 300, 1 << 20]),
        seed in prop::collection::vec((any_range(1 << 20), 0_u32..40, 1_usize..5), 0..40),
        scattered in prop::collection::vec((0x0a00_0000_u32..0x0a01_0000, 0_u32..5), 0..900),
    ) {
        // Many side by side and few large ones, whose keys take long to write.
        let spread = |&(r, count, step): &(Range<u32>, u32, usize)| {
            let last = r.end.min(r.start | 0xffff);
            let others = (last.saturating_add(2)..last.saturating_add(count + 2)).step_by(step);
            [(r.start, last)].into_iter().chain(others.map(|key| (key, key))).enumerate().map(
                move |(at, (start, last))| (start, last, r.answer.0.wrapping_add(at as u32)),
            ).collect::<Vec<_>>()
        };
        let single = |&(key, answer): &(u32, u32)| (key, key, answer);
        let all = scattered.iter().map(single).chain(seed.iter().flat_map(spread));
        let ranges: Vec<_> = all.map(|(a, b, answer)| range(a, b, answer % answers + 1)).collect();
        check_bytes(&ranges);
    }

    #[test]
    fn like_the_oracle(
        answers in prop::sample::select(vec![1_u32, 2, 300, 1 << 20]),
        seed in prop::collection::vec(any_range(1 << 20), 0..300),
        probes in prop::collection::vec(clustered_key(), 10),
    ) {
        let ranges: Vec<_> =
            seed.iter().map(|r| range(r.start, r.end, r.answer.0 % answers + 1)).collect();
        check(&ranges, &probes);
    }
}
