use super::*;
use crate::listing::ValueId;
use crate::range::Int;
use std::net::Ipv4Addr;

/// A builder of answers, and values numbered 0, 1, ... in it.
fn values(count: u8) -> (AnswersBuilder, Vec<ValueId>) {
    let mut answers = AnswersBuilder::default();
    let values =
        (0..count).map(|n| answers.value(Ipv4Addr::new(127, 0, 0, n), b"").unwrap()).collect();
    (answers, values)
}

/// The ranges, with the last octets of the A records instead of the numbers.
fn layers(build: impl Fn(&mut LayersBuilder, &[ValueId])) -> Vec<(u32, u32, Vec<u8>)> {
    let (mut answers, values) = values(8);
    let mut builder = LayersBuilder::default();
    build(&mut builder, &values);
    let mut ip4 = builder.finish(&mut answers);
    let answers = number(Some(&mut ip4), None, answers);
    let octets = |range: &Range<u32>| {
        answers.get(range.answer).values().map(|value| value.a.octets()[3]).collect()
    };
    ip4.ranges().map(|range| (range.start, range.end, octets(&range))).collect()
}

#[test]
fn nothing_gives_nothing() {
    assert_eq!(layers(|_, _| ()), []);
    let set = SetBuilder4::default().finish(AnswerId(1));
    assert_eq!(set.ranges().count(), 0);
    let (trie, late) = PrefixesBuilder::<u128>::default().finish();
    assert_eq!((trie.ranges().count(), late.len()), (0, 0));
}

#[test]
fn the_whole_space_is_one_range() {
    let all = vec![(0, u32::MAX, vec![1])];
    assert_eq!(layers(|set, v| set.add_range(0, u32::MAX, Some(v[1]))), all);
    let halves = layers(|set, v| {
        set.add_range(0x8000_0000, u32::MAX, Some(v[1]));
        set.add_range(0, 0x7fff_ffff, Some(v[1]));
    });
    assert_eq!(halves, all);
    let odd = layers(|set, v| set.add_range(1, u32::MAX - 1, Some(v[1])));
    assert_eq!(odd, [(1, u32::MAX - 1, vec![1])]);
}

#[test]
fn the_ends_of_the_space_are_addresses_too() {
    let ends = layers(|set, v| {
        set.add_single(u32::MAX, Some(v[1]));
        set.add_range(u32::MAX - 3, u32::MAX, Some(v[2]));
        set.add_single(0, None);
        set.add_range(0, 255, Some(v[3]));
    });
    let want = [
        (1, 255, vec![3]),
        (u32::MAX - 3, u32::MAX - 1, vec![2]),
        (u32::MAX, u32::MAX, vec![1, 2]),
    ];
    assert_eq!(ends, want);
}

#[test]
fn the_smallest_block_counts_and_overlaps_in_a_table_add_up() {
    let block = 0x0a00_0000;
    let got = layers(|set, v| {
        set.add_range(block, block + 0xffff, Some(v[1]));
        set.add_range(block + 0x100, block + 0x1ff, Some(v[2]));
        set.add_range(block + 0x100, block + 0x17f, Some(v[4]));
        set.add_single(block + 0x101, Some(v[3]));
        set.add_range(block + 0x200, block + 0x3ff, None);
        set.add_range(block + 0x300, block + 0x3ff, Some(v[5]));
        set.add_single(block + 0x300, Some(v[6]));
    });
    let want = [
        (block, block + 0xff, vec![1]),
        (block + 0x100, block + 0x100, vec![4]),
        (block + 0x101, block + 0x101, vec![3, 4]),
        (block + 0x102, block + 0x17f, vec![4]),
        (block + 0x180, block + 0x1ff, vec![2]),
        (block + 0x300, block + 0x300, vec![6]),
        (block + 0x400, block + 0xffff, vec![1]),
    ];
    assert_eq!(got, want);
}

#[test]
fn many_overlapping_runs_take_bounded_work_and_few_values() {
    let mut answers = AnswersBuilder::default();
    let mut builder = LayersBuilder::default();
    for n in 0..20_000u32 {
        let value = answers.value(Ipv4Addr::from(0x7f00_0000 + n + 1), b"").unwrap();
        builder.add_range(n % 100, 200 - n % 50, Some(value));
    }
    let mut ip4 = builder.finish(&mut answers);
    let answers = number(Some(&mut ip4), None, answers);
    let mut most = 0;
    for range in ip4.ranges() {
        most = most.max(answers.get(range.answer).values().len());
    }
    assert_eq!(most, 255);
    assert!(ip4.memory() < 10_000);
}

#[test]
fn answers_are_numbered_in_the_order_of_the_addresses() {
    let (mut answers, values) = values(4);
    let ids: Vec<_> = values.iter().map(|&value| answers.answer(&[value])).collect();
    let mut builder = PrefixesBuilder::<u32>::default();
    builder.add(0x0300_0000, 8, ids[0], 0);
    builder.add(0x0200_0000, 8, ids[3], 1);
    builder.add(0x0100_0000, 8, ids[0], 2);
    builder.add(0x0400_0000, 8, ids[1], 3);
    builder.add(0x0400_0000, 9, ids[2], 4);
    builder.add(0x0480_0000, 9, ids[2], 5);
    let (mut ip4, late) = builder.finish();
    let answers = number(Some(&mut ip4), None, answers);
    assert!(late.is_empty());
    assert_eq!(answers.len(), 3);
    let ranges: Vec<_> = ip4.ranges().map(|range| (range.start >> 24, range.answer.0)).collect();
    assert_eq!(ranges, [(1, 1), (2, 2), (3, 1), (4, 3)]);
}

/// Whether in several lots, out of order or twice: what is alike is a set, and one address with another
/// value, an exclusion or a range makes layers of it, with the same addresses.
#[test]
fn single_addresses_with_one_value_are_kept_as_a_set() {
    type Add = fn(&mut LayersBuilder, &[ValueId]);
    let more: [(Add, usize); 4] = [
        (|_, _| {}, 0),
        (|builder, values| builder.add_single(7, Some(values[1])), 1),
        (|builder, _| builder.add_single(7, None), 0),
        (|builder, values| builder.add_range(6, 7, Some(values[1])), 2),
    ];
    for (number, (add, others)) in more.into_iter().enumerate() {
        let (mut answers, values) = values(2);
        let mut builder = LayersBuilder::default();
        builder.add_singles(&[9, 1000, 9], values[0]);
        builder.add_single(5, Some(values[0]));
        add(&mut builder, &values);
        builder.add_singles(&[3, 9], values[0]);
        let ip4 = builder.finish(&mut answers);
        assert_eq!(ip4.singles().is_some(), number == 0);
        let of = |value| answers.answer(&[value]);
        let [first, second] = [values[0], values[1]].map(of);
        let mut ranges: Vec<_> = ip4.ranges().map(|range| (range.start, range.answer)).collect();
        ranges.retain(|&(_, answer)| answer == first);
        assert_eq!(ranges, [3, 5, 9, 1000].map(|start| (start, first)));
        let other = ip4.ranges().filter(|range| range.answer == second);
        assert_eq!(other.map(|range| range.end - range.start + 1).sum::<u32>(), others as u32);
    }
}

#[test]
fn nested_prefixes_close_in_the_right_place() {
    let mut builder = PrefixesBuilder::<u128>::default();
    builder.add(0, 0, AnswerId(1), 0);
    builder.add(u128::MAX, 128, AnswerId(2), 1);
    builder.add(u128::MAX - 1, 127, AnswerId::NONE, 2);
    builder.add(0, 128, AnswerId::NONE, 3);
    builder.add(0, 0, AnswerId(3), 4);
    builder.add(u128::MAX, 128, AnswerId::NONE, 5);
    let (ip6, late) = builder.finish();
    let duplicates = [(4, 0, 0), (5, u128::MAX, 128)];
    assert_eq!(late, duplicates.map(|(place, start, len)| Duplicate { place, start, len }));
    let want = [
        Range { start: 1, end: u128::MAX - 2, answer: AnswerId(1) },
        Range { start: u128::MAX, end: u128::MAX, answer: AnswerId(2) },
    ];
    assert_eq!(ip6.ranges().collect::<Vec<_>>(), want);
}

proptest::proptest! {
    /// Prefixes around the 64th bit, where they are kept in another way, and at the end.
    #[test]
    fn of_ip6_prefixes_the_longest_counts_and_the_first_of_equal_ones(
        entries in proptest::collection::vec(
            (0_u128..64, 0_u128..4, proptest::sample::select(vec![0_u8, 60, 62, 63, 64, 65, 66, 126, 128]), 0_u32..4),
            0..40,
        ),
    ) {
        let address = |high: u128, low: u128| 0x2001_0db8 << 96 | high << 62 | low;
        let mut builder = PrefixesBuilder::<u128>::default();
        let mut prefixes: Vec<(u128, u8, u32)> = Vec::new();
        let mut duplicates = Vec::new();
        for (place, &(high, low, len, answer)) in entries.iter().enumerate() {
            let start = address(high, low) & !u128::MAX.checked_shr(len.into()).unwrap_or(0);
            builder.add(start, len, AnswerId(answer), place as u32);
            if prefixes.iter().any(|&(other, other_len, _)| (other, other_len) == (start, len)) {
                duplicates.push(Duplicate { place: place as u32, start, len });
            } else {
                prefixes.push((start, len, answer));
            }
        }
        let (ip6, late) = builder.finish();
        proptest::prop_assert_eq!(late, duplicates);
        for (high, low) in (0..64).flat_map(|high| (0..4).map(move |low| (high, low))) {
            let key = address(high, low);
            let covers = |&&(start, len, _): &&(u128, u8, u32)| {
                (start..=start.last_of_prefix(len)).contains(&key)
            };
            let due = prefixes.iter().filter(covers).max_by_key(|prefix| prefix.1);
            let due = due.map_or(0, |prefix| prefix.2);
            let mut ranges = ip6.ranges();
            let found = ranges.find(|range| (range.start..=range.end).contains(&key));
            proptest::prop_assert_eq!(found.map_or(0, |range| range.answer.0), due);
        }
    }
}

#[test]
fn blocks_are_counted_as_they_were_cut() {
    let mut builder = LayersBuilder::default();
    builder.add_single(1, None);
    builder.add_range(0x0102_03f0, 0x0102_050f, None);
    builder.add_range(0x0a00_0000, 0x0a03_0005, None);
    builder.add_range(0xfe00_0000, 0xffff_ffff, None);
    assert_eq!(builder.blocks(), [1 + 16 + 16 + 6, 1, 3, 2]);
}
