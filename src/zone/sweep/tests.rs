use super::*;
use crate::listing::AnswersBuilder;
use crate::listing::names::{NamesBuilder, Scope};
use crate::range::Range;
use crate::trie::{Trie4, Trie6};
use crate::zone::{Threshold, testing};

fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

fn answers() -> crate::listing::Answers {
    let mut builder = AnswersBuilder::default();
    let value = builder.value([127, 0, 0, 2].into(), b"").unwrap();
    let id = builder.answer(&[value]);
    builder.finish([id]).0
}

fn with_answers(dataset: Dataset) -> Arc<Dataset> {
    Arc::new(Dataset { answers: answers(), default_answer: answers(), ..dataset })
}

fn ip4(ranges: &[(u32, u32)]) -> Arc<Dataset> {
    let range = |&(start, end): &(u32, u32)| Range { start, end, answer: AnswerId(1) };
    with_answers(Dataset {
        ip4: Some(Trie4::build(ranges.iter().map(range))),
        ..Dataset::default()
    })
}

fn ip6(ranges: &[(u128, u128)]) -> Arc<Dataset> {
    let range = |&(start, end): &(u128, u128)| Range { start, end, answer: AnswerId(1) };
    with_answers(Dataset {
        ip6: Some(Trie6::build(ranges.iter().map(range))),
        ..Dataset::default()
    })
}

fn names(entries: &[(&str, Scope)]) -> Arc<Dataset> {
    let mut builder = AnswersBuilder::default();
    let value = builder.value([127, 0, 0, 2].into(), b"").unwrap();
    let mut names = NamesBuilder::default();
    for (text, scope) in entries {
        names.add(name(text).as_wire(), *scope, Some(value)).unwrap();
    }
    with_answers(Dataset { names: Some(names.finish(builder, b"").0), ..Dataset::default() })
}

fn zone(datasets: Vec<Arc<Dataset>>, allow: Vec<Arc<Dataset>>) -> Zone {
    Zone { datasets, allow, ..testing::zone("bl.test", Vec::new()) }
}

fn section(zone: &Zone) -> SweepSection<'_> {
    sections(zone, SweepOptions { now: 0, ip4_in_ip6: false }).unwrap().next().unwrap()
}

/// The ranges, each with the places of the datasets that list it.
fn listed<K>(ranges: impl Iterator<Item = ListedRange<K>>) -> Vec<(K, K, Vec<u16>)> {
    let datasets = |hits: &Hits| hits.iter().map(|hit| hit.dataset).collect();
    ranges.map(|range| (range.start, range.end, datasets(&range.hits))).collect()
}

#[test]
fn ranges_join_all_datasets_without_the_allow_lists() {
    let zone = zone(
        vec![ip4(&[(0x0a00_0000, 0x0aff_ffff)]), ip4(&[(0, 5), (0x0a10_0000, 0x0b00_0000)])],
        vec![ip4(&[(3, 4), (0x0a20_0000, 0x0a20_00ff)])],
    );
    let wanted = [
        (0, 2, vec![1]),
        (5, 5, vec![1]),
        (0x0a00_0000, 0x0a0f_ffff, vec![0]),
        (0x0a10_0000, 0x0a1f_ffff, vec![0, 1]),
        (0x0a20_0100, 0x0aff_ffff, vec![0, 1]),
        (0x0b00_0000, 0x0b00_0000, vec![1]),
        // The test point.
        (0x7f00_0002, 0x7f00_0002, vec![0]),
    ];
    assert_eq!(listed(section(&zone).ip4()), wanted);
    assert_eq!(section(&zone).ip6().count(), 0);
}

#[test]
fn ranges_end_with_the_last_address() {
    let all = zone(vec![ip4(&[(0, u32::MAX)]), ip6(&[(0, u128::MAX)])], Vec::new());
    let wanted = [(0, 0x7f00_0000, vec![0]), (0x7f00_0002, u32::MAX, vec![0])];
    assert_eq!(listed(section(&all).ip4()), wanted);
    // The v4-mapped addresses are those of the IPv4 lists.
    let mapped = 0xffff_0000_0000_u128;
    let wanted = [(0, mapped - 1, vec![1]), (mapped + (1 << 32), u128::MAX, vec![1])];
    let found = listed(section(&all).ip6());
    assert_eq!((&found[0], &found[found.len() - 1].1), (&wanted[0], &wanted[1].1));
}

struct Collect(Vec<(String, usize, usize, bool)>);

impl Visitor for Collect {
    type Error = std::convert::Infallible;

    fn node(&mut self, node: Node<'_, '_>) -> Result<(), Self::Error> {
        let name = NameBuf::from_wire(node.name).unwrap().to_string();
        self.0.push((name, node.itself.len(), node.wildcard.len(), node.is_exclusion));
        Ok(())
    }

    fn shows_key(&mut self, _: &Hit) -> bool {
        false
    }
}

#[test]
fn nodes_are_all_names_in_canonical_order() {
    let lists = vec![
        names(&[("example.com", Scope::Both), ("a.b.net", Scope::Itself)]),
        ip4(&[(0x0a00_0000, 0x0aff_ffff)]),
    ];
    let zone = zone(lists, vec![names(&[("good.example.com", Scope::Itself)])]);
    let mut found = Collect(Vec::new());
    let Ok(()) = section(&zone).nodes(&mut found);
    let wanted = [
        (".", 0, 0, false),
        ("10", 0, 1, false),
        ("127", 0, 0, false),
        ("0.127", 0, 0, false),
        ("0.0.127", 0, 0, false),
        // The test points: one has no data.
        ("1.0.0.127", 0, 0, false),
        ("2.0.0.127", 1, 0, false),
        ("com", 0, 0, false),
        ("example.com", 1, 1, false),
        ("good.example.com", 0, 1, false),
        ("invalid", 0, 0, false),
        ("net", 0, 0, false),
        ("b.net", 0, 0, false),
        ("a.b.net", 1, 0, false),
        ("test", 1, 0, false),
    ];
    let wanted = wanted
        .map(|(name, itself, wildcard, excluded)| (name.to_owned(), itself, wildcard, excluded));
    assert_eq!(found.0, wanted);
}

/// A list of names listed addresses that an allow list has, if the zone had no list of such addresses.
#[test]
fn an_allowed_address_is_excluded_from_names_that_cover_it() {
    let lists = || vec![names(&[("10", Scope::Both), ("8.b.d.0.1.0.0.2", Scope::Both)])];
    let address = 0x2001_0db8 << 96 | 1;
    let allow = vec![ip4(&[(0x0a00_0005, 0x0a00_0005)]), ip6(&[(address, address)])];
    let by_names = zone(lists(), allow);
    let mut found = Collect(Vec::new());
    let Ok(()) = section(&by_names).nodes(&mut found);
    let is_below = |name: &str| name.ends_with(".10") || name.ends_with(".8.b.d.0.1.0.0.2");
    let below: Vec<_> = found.0.iter().filter(|node| is_below(&node.0)).collect();
    assert!(below.len() == 3 + 24 && below.iter().all(|node| node.2 == 1), "{below:?}");
    let unlisted: Vec<_> = below.iter().filter(|node| node.1 == 0).map(|node| &*node.0).collect();
    assert_eq!(unlisted, ["5.0.0.10", &format!("1.{}8.b.d.0.1.0.0.2", "0.".repeat(23))]);
    // A list of names has no addresses for test points.
    assert!(!found.0.iter().any(|node| node.0.ends_with("127")), "{:?}", found.0);
}

#[test]
fn a_combined_dataset_must_be_alone() {
    let combined =
        || Arc::new(Dataset { subzones: Some(Subzones::default()), ..Dataset::default() });
    let options = SweepOptions { now: 0, ip4_in_ip6: false };
    assert!(sections(&zone(vec![combined()], Vec::new()), options).is_ok());
    for zone in
        [zone(vec![combined(), ip4(&[])], Vec::new()), zone(vec![ip4(&[])], vec![combined()])]
    {
        assert_eq!(sections(&zone, options).err(), Some(Unswept::NotAlone));
    }
}

/// The listed addresses on both sides of one are those that a list of them has.
#[test]
fn neighbours_are_the_nearest_listed_addresses() {
    let ranges =
        [(5, 9), (0x0a00_0001, 0x0a00_0001), (0x0a00_0003, 0x0a00_00ff), (u32::MAX, u32::MAX)];
    let zone = zone(vec![ip4(&ranges[..2]), ip4(&ranges[2..])], Vec::new());
    let section = section(&zone);
    let is_listed =
        |address: u32| ranges.iter().any(|&(start, end)| (start..=end).contains(&address));
    let near = ranges.iter().flat_map(|&(start, end)| {
        [start.saturating_sub(1), start, start.saturating_add(1), end, end.saturating_add(1)]
    });
    for address in near.chain([0, 7, 0x0900_0000, 0x8000_0000]) {
        let before = ranges
            .iter()
            .filter(|(start, _)| *start < address)
            .map(|&(_, end)| end.min(address.saturating_sub(1)))
            .max();
        // The test point is no address of a list.
        assert_eq!(section.last_ip4_before(address), before, "{address:#x}");
        let first = section.ip4_from(address).find(|range| range.start != 0x7f00_0002);
        let first = first.map(|range| range.start);
        let wanted = match is_listed(address) {
            true => Some(address),
            false => ranges.iter().map(|&(start, _)| start).find(|&start| start > address),
        };
        assert_eq!(first, wanted, "{address:#x}");
    }
    let ranges = [(1 << 64, 2 << 64), (u128::MAX, u128::MAX)];
    let zone = self::zone(vec![ip6(&ranges)], Vec::new());
    let section = self::section(&zone);
    for (address, before) in
        [(0, None), (1 << 64, None), (9 << 64, Some(2 << 64)), (u128::MAX, Some(2 << 64))]
    {
        assert_eq!(section.last_ip6_before(address), before, "{address:#x}");
    }
}

/// The slow sum of each address.
#[test]
fn ranges_of_a_verdict_zone_are_those_whose_sum_is_enough() {
    let weighed: [(&[(u32, u32)], i32); 4] = [
        (&[(3, 9), (20, 30)], 5),
        (&[(8, 12), (25, 27), (40, 50)], 3),
        (&[(9, 9), (22, 26), (45, 45)], -3),
        (&[(50, 60)], 1),
    ];
    let lists: Vec<_> = weighed.iter().map(|(ranges, weight)| (ip4(ranges), *weight)).collect();
    let thresholds = vec![Threshold { sum: 4, a: [127, 0, 0, 4].into() }];
    let of_sign = |is_positive: bool| {
        let lists = lists.iter().filter(move |(_, weight)| (*weight > 0) == is_positive);
        lists.map(|(list, _)| Arc::clone(list)).collect()
    };
    let verdict = Zone {
        scoring: Some(Arc::new(Scoring::new(lists.clone(), thresholds))),
        ..zone(of_sign(true), of_sign(false))
    };
    let options = SweepOptions { now: 0, ip4_in_ip6: false };
    assert_eq!(sections(&verdict, options).err(), Some(Unswept::Verdict));
    let section = address_sections(&verdict, options).unwrap().next().unwrap();
    let found: Vec<_> = section.ip4().map(|range| (range.start, range.end)).collect();
    for address in 0..70 {
        let having = weighed.iter().filter(|(ranges, _)| {
            ranges.iter().any(|&(start, end)| (start..=end).contains(&address))
        });
        let sum: i32 = having.map(|(_, weight)| weight).sum();
        let is_found = found.iter().any(|&(start, end)| (start..=end).contains(&address));
        assert_eq!(is_found, sum >= 4, "{address}");
    }
    assert_eq!(found.last(), Some(&(0x7f00_0002, 0x7f00_0002)));
    assert_eq!(section.last_ip4_before(100), Some(60));
}

/// The test point as an address of 6to4 is one of IPv4, which a sweep without these leaves out.
#[test]
fn a_verdict_zone_does_not_list_the_test_point_among_addresses_of_6to4() {
    let lists = vec![(ip4(&[(1, 1)]), 2), (ip6(&[(1 << 100, 1 << 100)]), 2)];
    let thresholds = vec![Threshold { sum: 2, a: [127, 0, 0, 2].into() }];
    let verdict = Zone {
        scoring: Some(Arc::new(Scoring::new(lists, thresholds))),
        ..zone(Vec::new(), Vec::new())
    };
    let ip6 = |ip4_in_ip6| {
        let options = SweepOptions { now: 0, ip4_in_ip6 };
        let section = address_sections(&verdict, options).unwrap().next().unwrap();
        section.ip6().map(|range| range.start).collect::<Vec<_>>()
    };
    assert_eq!(ip6(false), [1 << 100]);
    let [of_6to4, mapped] = [0x2002_7f00_0002 << 80, 0xffff_7f00_0002];
    let one = 1_u128;
    assert_eq!(ip6(true), [0xffff_0000_0001, mapped, one << 100, 0x2002_0000_0001 << 80, of_6to4]);
}
