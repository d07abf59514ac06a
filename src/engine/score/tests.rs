use super::super::tests::{NOW, ask, catalog, code, gated, ip4, lines, name, zone};
use crate::listing::names::{NamesBuilder, Scope};
use crate::listing::{AnswersBuilder, Gate};
use crate::zone::{Catalog, Dataset, Scoring, Threshold, Unlisted, Zone, ZoneState};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use proptest::prelude::*;
use std::sync::Arc;

/// A zone `all.test` of these lists with their names and weights, and these thresholds, each with the last
/// octet of its value.
fn summed(lists: Vec<(&str, i32, Dataset)>, thresholds: &[(i32, u8)]) -> Zone {
    let lists: Vec<_> = lists
        .into_iter()
        .map(|(name, weight, list)| (Arc::new(Dataset { name: name.to_owned(), ..list }), weight))
        .collect();
    let of_sign = |is_positive: bool| {
        let lists = lists.iter().filter(move |(_, weight)| (*weight > 0) == is_positive);
        lists.map(|(list, _)| Arc::clone(list)).collect()
    };
    let (datasets, allow) = (of_sign(true), of_sign(false));
    let thresholds =
        thresholds.iter().map(|&(sum, last)| Threshold { sum, a: [127, 0, 0, last].into() });
    let scoring = Some(Arc::new(Scoring::new(lists, thresholds.collect())));
    Zone { datasets, allow, scoring, ..zone("all.test", Vec::new()) }
}

fn names(listed: &[&str]) -> Dataset {
    let mut answers = AnswersBuilder::default();
    let value = answers.value([127, 0, 0, 2].into(), b"name $").unwrap();
    let mut names = NamesBuilder::default();
    for listed in listed {
        names.add(name(listed).as_wire(), Scope::Both, Some(value)).unwrap();
    }
    let (names, answers) = names.finish(answers, b"");
    Dataset { names: Some(names), answers, ttl: 300, ..Dataset::default() }
}

/// A list of 1.2.3.`first` to 1.2.3.`last`.
fn list(ttl: u32, first: u8, last: u8, text: &str) -> Dataset {
    let (first, last) = (format!("1.2.3.{first}"), format!("1.2.3.{last}"));
    ip4(ttl, &[(&first, &last, [127, 0, 0, 9], text)])
}

/// The lists of the documentation.
fn usual() -> Zone {
    summed(
        vec![
            ("own-white", -10, list(30, 4, 4, "friend")),
            ("apews-l2", 2, list(60, 2, 4, "")),
            ("uceprotect-1", 5, list(90, 1, 2, "see $")),
            ("psbl", 5, list(300, 2, 4, "see psbl")),
        ],
        &[(5, 5), (10, 10), (2, 2)],
    )
}

fn records(catalog: &Catalog, qname: &str, rtype: RecordType) -> Vec<String> {
    lines(&ask(catalog, qname, rtype).answers)
}

#[test]
fn the_sum_has_the_value_and_the_text_the_reasons() {
    let catalog = catalog(vec![usual()]);
    let all = |last: u8| {
        let qname = format!("{last}.3.2.1.all.test");
        [RecordType::A, RecordType::TXT].map(|rtype| records(&catalog, &qname, rtype).concat())
    };
    assert_eq!(
        all(1),
        ["1.3.2.1.all.test. 90 127.0.0.5", "1.3.2.1.all.test. 90 uceprotect-1 +5: see 1.2.3.1",]
    );
    assert_eq!(
        all(2),
        [
            "2.3.2.1.all.test. 60 127.0.0.10",
            "2.3.2.1.all.test. 60 uceprotect-1 +5: see 1.2.3.2; psbl +5: see psbl; apews-l2 +2",
        ]
    );
    assert_eq!(
        all(3),
        ["3.3.2.1.all.test. 60 127.0.0.5", "3.3.2.1.all.test. 60 psbl +5: see psbl; apews-l2 +2",]
    );
    // 2 + 5 - 10, and what no list has.
    for qname in ["4.3.2.1.all.test", "9.3.2.1.all.test"] {
        assert_eq!(code(&catalog, qname), ResponseCode::NXDomain);
        let soa = ask(&catalog, qname, RecordType::TXT).authorities;
        assert_eq!(lines(&soa), ["all.test. 120 ns1.example.org. admin.all.test. 7 1 2 3 120"]);
    }
    assert_eq!(records(&catalog, "2.3.2.1.all.test", RecordType::ANY).len(), 2);
    let none = ask(&catalog, "2.3.2.1.all.test", RecordType::AAAA);
    assert_eq!((none.metadata.response_code, none.answers.len()), (ResponseCode::NoError, 0));
    // Something below these names may be listed.
    assert_eq!(code(&catalog, "3.2.1.all.test"), ResponseCode::NoError);
    assert_eq!(records(&catalog, "all.test", RecordType::SOA).len(), 1);
}

#[test]
fn a_negative_weight_is_a_reason_too() {
    let lists = vec![
        ("white", -3, list(60, 1, 1, "friend")),
        ("other", -1, list(60, 1, 1, "")),
        ("black", 9, list(60, 1, 1, "")),
    ];
    let catalog = catalog(vec![summed(lists, &[(5, 5), (6, 6)])]);
    assert_eq!(
        records(&catalog, "1.3.2.1.all.test", RecordType::A),
        ["1.3.2.1.all.test. 60 127.0.0.5"]
    );
    assert_eq!(
        records(&catalog, "1.3.2.1.all.test", RecordType::TXT),
        ["1.3.2.1.all.test. 60 black +9; white -3: friend; other -1"]
    );
}

#[test]
fn addresses_and_names_are_weighed_each_for_itself() {
    let lists = || {
        vec![
            ("ips", 3, list(60, 1, 1, "")),
            ("domains", 4, names(&["bad.example", "worse.example"])),
            ("others", 4, names(&["worse.example"])),
        ]
    };
    let catalog = catalog(vec![summed(lists(), &[(3, 3), (8, 8)])]);
    let last = |qname: &str| records(&catalog, qname, RecordType::A).concat();
    assert_eq!(last("1.3.2.1.all.test"), "1.3.2.1.all.test. 60 127.0.0.3");
    assert_eq!(last("bad.example.all.test"), "bad.example.all.test. 300 127.0.0.3");
    assert_eq!(last("worse.example.all.test"), "worse.example.all.test. 300 127.0.0.8");
    assert_eq!(
        records(&catalog, "a.worse.example.all.test", RecordType::TXT),
        [
            "a.worse.example.all.test. 300 domains +4: name worse.example; others +4: name worse.example"
        ]
    );
    assert_eq!(code(&catalog, "example.all.test"), ResponseCode::NoError);
    assert_eq!(code(&catalog, "good.example.all.test"), ResponseCode::NXDomain);
    // The test points: of addresses by 3, of names by 8.
    assert_eq!(last("2.0.0.127.all.test"), "2.0.0.127.all.test. 60 127.0.0.3");
    assert_eq!(last("test.all.test"), "test.all.test. 300 127.0.0.8");
    assert_eq!(code(&catalog, "invalid.all.test"), ResponseCode::NXDomain);
}

#[test]
fn the_test_point_has_the_value_of_all_lists_and_is_not_allowed() {
    let everything = || ip4(300, &[("0.0.0.0", "255.255.255.255", [127, 0, 0, 2], "ok")]);
    let mut zone = usual();
    let lists = vec![
        ("own-white", -10, everything()),
        ("apews-l2", 2, list(60, 1, 1, "")),
        ("uceprotect-1", 5, ip4(90, &[("127.0.0.2", "127.0.0.2", [127, 0, 0, 2], "test")])),
        ("psbl", 5, everything()),
    ];
    zone.scoring = summed(lists, &[(5, 5), (7, 7), (10, 10)]).scoring;
    let answers = |zone: Zone| {
        let catalog = catalog(vec![zone]);
        let last = |last: u8, rtype| {
            let qname = format!("{last}.0.0.127.all.test");
            ask(&catalog, &qname, rtype).answers.first().map(|record| record.data.to_string())
        };
        [last(2, RecordType::A), last(2, RecordType::TXT), last(1, RecordType::A)]
            .map(Option::unwrap_or_default)
    };
    let whole = "uceprotect-1 +5: test; psbl +5: ok; apews-l2 +2: test 127.0.0.2";
    let state = |state| Zone { state, scoring: zone.scoring.clone(), ..usual() };
    assert_eq!(answers(state(ZoneState::Live)), ["127.0.0.10", whole, ""]);
    // What is not in the data makes no zone look well.
    let listed = "uceprotect-1 +5: test; psbl +5: ok";
    assert_eq!(answers(state(ZoneState::Degraded)), ["127.0.0.10", listed, ""]);
    assert_eq!(answers(state(ZoneState::Partial(Unlisted::Answer))), ["", "", ""]);
    // Without test points, they are addresses as others are: 5 + 5 - 10 and 5 - 10.
    assert_eq!(answers(Zone { test_points: false, ..state(ZoneState::Live) }), ["", "", ""]);
}

#[test]
fn what_a_missing_list_may_have_is_not_denied() {
    for (unlisted, code_of_others) in
        [(Unlisted::ServFail, ResponseCode::ServFail), (Unlisted::Answer, ResponseCode::NXDomain)]
    {
        let catalog = catalog(vec![Zone { state: ZoneState::Partial(unlisted), ..usual() }]);
        assert_eq!(records(&catalog, "2.3.2.1.all.test", RecordType::A).len(), 1);
        // A sum that is too low, and none.
        assert_eq!(code(&catalog, "4.3.2.1.all.test"), code_of_others);
        assert_eq!(code(&catalog, "9.3.2.1.all.test"), code_of_others);
    }
}

#[test]
fn a_value_counts_for_those_whom_it_is_for() {
    let entry = [("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "")];
    let later = Gate { not_before: NOW + 1, ..Gate::default() };
    let now = Gate { not_before: NOW, ..Gate::default() };
    let lists = vec![
        ("later", 7, gated(60, &entry, Some(later))),
        ("now", 2, gated(60, &entry, Some(now))),
    ];
    let catalog = catalog(vec![summed(lists, &[(2, 2), (9, 9)])]);
    assert_eq!(
        records(&catalog, "4.3.2.1.all.test", RecordType::TXT),
        ["4.3.2.1.all.test. 60 now +2"]
    );
}

#[test]
fn an_address_that_a_list_has_twice_counts_once() {
    // 2002:0102:0304::, whose IPv4 address is 1.2.3.4.
    let both = Dataset {
        ip6: Some(crate::trie::Trie6::build([crate::listing::Range {
            start: 0x2002_0102_0304 << 80,
            end: 0x2002_0102_0304 << 80,
            answer: crate::answer::AnswerId(1),
        }])),
        ..list(60, 4, 4, "")
    };
    let qname = format!("{}4.0.3.0.2.0.1.0.2.0.0.2.all.test", "0.".repeat(20));
    let catalog = catalog(vec![summed(vec![("both", 3, both)], &[(3, 3), (6, 6)])]);
    assert!(records(&catalog, &qname, RecordType::A).concat().ends_with(" 127.0.0.3"));
}

#[test]
fn reasons_end_where_a_text_does() {
    let text = "x".repeat(400);
    let lists = ["a", "b", "c", "d"].map(|name| (name, 1, list(60, 1, 1, &text)));
    let catalog = catalog(vec![summed(lists.into(), &[(1, 2)])]);
    let message = ask(&catalog, "1.3.2.1.all.test", RecordType::TXT);
    assert!(message.metadata.truncation, "the client asks again over TCP");
    let query = super::super::tests::query("1.3.2.1.all.test", 16, 1, Some(1232));
    let (_, bytes) = super::super::tests::raw(&catalog, &query, super::super::Transport::Udp);
    let message = hickory_proto::op::Message::from_vec(&bytes).unwrap();
    let text = message.answers[0].data.to_string();
    assert_eq!(text.len(), crate::zonefile::MAX_TEXT);
    assert!(text.starts_with("a +1: xxx") && text.contains("; c +1: xxx"));
}

proptest! {
    /// What the slow sum over all lists says.
    #[test]
    fn the_sum_is_that_of_the_lists(
        lists in prop::collection::vec((any::<u16>(), any::<u16>(), -6_i32..=6, 1_u32..100), 1..6),
        thresholds in prop::collection::btree_map(1_i32..15, any::<u8>(), 1..4),
    ) {
        let lists: Vec<_> = lists.into_iter().filter(|(.., weight, _)| *weight != 0).collect();
        let thresholds: Vec<(i32, u8)> = thresholds.into_iter().collect();
        let labels: Vec<String> = (0..lists.len()).map(|number| format!("list{number}")).collect();
        let weighed = lists.iter().zip(&labels).map(|((addresses, hosts, weight, ttl), label)| {
            let texts: Vec<String> = (0..16).map(|bit| format!("1.2.3.{bit}")).collect();
            let entries: Vec<_> = texts
                .iter()
                .enumerate()
                .filter(|(bit, _)| addresses >> bit & 1 == 1)
                .map(|(_, text)| (text.as_str(), text.as_str(), [127, 0, 0, 2], ""))
                .collect();
            let hosts: Vec<String> =
                (0..16).filter(|bit| hosts >> bit & 1 == 1).map(|bit| format!("h{bit}")).collect();
            let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
            let list = match addresses % 3 {
                0 => Dataset { ttl: *ttl, ..names(&hosts) },
                _ => ip4(*ttl, &entries),
            };
            (label.as_str(), *weight, list)
        });
        let zone = summed(weighed.collect(), &thresholds);
        let catalog = catalog(vec![zone]);
        for bit in 0..32 {
            let (qname, is_name) = match bit {
                0..16 => (format!("{bit}.3.2.1.all.test"), false),
                _ => (format!("h{}.all.test", bit - 16), true),
            };
            let having: Vec<_> = lists
                .iter()
                .zip(&labels)
                .filter(|((addresses, hosts, ..), _)| {
                    (addresses % 3 == 0) == is_name
                        && (if is_name { hosts } else { addresses }) >> (bit % 16) & 1 == 1
                })
                .collect();
            let sum: i32 = having.iter().map(|((.., weight, _), _)| weight).sum();
            let reached = thresholds.iter().filter(|(least, _)| *least <= sum).max();
            let ttl = having.iter().map(|((.., ttl), _)| ttl).min();
            let want = reached.zip(ttl).map(|((_, last), ttl)| format!("{qname}. {ttl} 127.0.0.{last}"));
            let got = records(&catalog, &qname, RecordType::A);
            prop_assert_eq!(got, Vec::from_iter(want.clone()), "{}", sum);
            let text = records(&catalog, &qname, RecordType::TXT).concat();
            prop_assert_eq!(text.is_empty(), want.is_none());
            let weights = |text: &str| {
                let words = text.split(|c: char| !c.is_ascii_digit() && c != '+' && c != '-');
                let weights = words.filter(|word| word.starts_with(['+', '-']));
                weights.map(|word| word.parse::<i32>().unwrap()).collect::<Vec<_>>()
            };
            if want.is_some() {
                let told = weights(&text);
                prop_assert_eq!(told.iter().sum::<i32>(), sum, "{}", text);
                prop_assert!(told.is_sorted_by_key(|weight| (*weight < 0, -weight.abs())), "{}", text);
            }
        }
    }
}
