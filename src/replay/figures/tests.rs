use super::super::Clients;
use super::super::stamp::StampRules;
use super::*;
use crate::listing::AnswersBuilder;
use crate::range::Range;
use crate::trie::Trie4;
use crate::zone::{Dataset, Scoring, Threshold};
use proptest::prelude::*;
use std::sync::Arc;

const ADDRESSES: u32 = 8;

/// A dataset that lists the addresses whose bits are set.
fn dataset(bits: u8) -> Arc<Dataset> {
    let mut builder = AnswersBuilder::default();
    let value = builder.value([127, 0, 0, 2].into(), b"x").unwrap();
    let answer = builder.answer(&[value]);
    let (answers, numbering) = builder.finish([answer]);
    let listed = (0..ADDRESSES).filter(|address| bits >> address & 1 == 1);
    let ranges = listed.map(|it| Range { start: it, end: it, answer: numbering.get(answer) });
    let ip4 = Some(Trie4::build(ranges));
    Arc::new(Dataset { ip4, answers, ..Dataset::default() })
}

fn lists(bits: &[(u8, u8, bool)]) -> Vec<List> {
    let list = |(number, (listed, allowed, is_allow_list)): (usize, &(u8, u8, bool))| List {
        name: format!("l{number}.test"),
        datasets: vec![dataset(*listed)],
        allow: vec![dataset(*allowed)],
        scoring: None,
        is_allow_list: *is_allow_list,
        is_incomplete: false,
        is_section: false,
    };
    bits.iter().enumerate().map(list).collect()
}

/// Clients that connected so often.
fn clients(connections: &[u8]) -> Vec<(IpAddr, Seen)> {
    let mut log = String::new();
    for (address, count) in connections.iter().enumerate() {
        let line =
            format!("Nov 30 11:00:00 mx postfix/smtpd[1]: connect from x[0.0.0.{address}]\n");
        log += &line.repeat((*count).into());
    }
    let mut clients = Clients::default();
    clients.read(log.as_bytes(), StampRules { now: 1_796_040_000, offset: 0 }).unwrap();
    clients.sorted()
}

fn names(numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(|number| format!("l{number}.test")).collect()
}

proptest! {
    /// All figures are those of a count by hand.
    #[test]
    fn figures_are_those_of_a_count_by_hand(
        bits in prop::collection::vec((any::<u8>(), any::<u8>(), prop::bool::weighted(0.2)), 1..5),
        connections in prop::collection::vec(0_u8..4, ADDRESSES as usize),
        (with, without, given) in prop::array::uniform3(prop::collection::btree_set(0_usize..5, 0..3)).prop_map(|[a, b, c]| (a, b, c)),
        weights in prop::collection::vec(-3_i64..5, 4),
        at in -2_i64..8,
    ) {
        let count = bits.len();
        let numbers = |set: &std::collections::BTreeSet<usize>| set.iter().copied().filter(|number| *number < count).collect::<Vec<_>>();
        let (with, without, given) = (numbers(&with), numbers(&without), numbers(&given));
        let (lists, clients) = (lists(&bits), clients(&connections));
        let of = names(&(0..count).collect::<Vec<_>>()).into_iter().zip(weights.clone()).collect();
        let question = Question {
            lists: names(&given),
            with: names(&with),
            without: names(&without),
            weights: Some(Weights { of, at }),
        };
        let figures = ReplayFigures::new(&lists, &clients, &question, 0).unwrap();

        let tally = |is: &dyn Fn(u32) -> bool| {
            let told = (0..ADDRESSES).filter(|address| connections[*address as usize] > 0 && is(*address));
            let counts = told.map(|address| u64::from(connections[address as usize]));
            counts.fold(ClientTally::default(), |sum, count| ClientTally {
                addresses: sum.addresses + 1,
                connections: sum.connections + count,
            })
        };
        let has = |bits: u8, address: u32| bits >> address & 1 == 1;
        let on = |list: usize, address: u32| has(bits[list].0, address) && !has(bits[list].1, address);
        for (number, (listed, allowed, is_allow_list)) in bits.iter().enumerate() {
            let told = figures.lists.iter().find(|it| it.list == format!("l{number}.test")).unwrap();
            prop_assert_eq!(told.listed, tally(&|it| on(number, it)));
            prop_assert_eq!(told.allowed, tally(&|it| has(*listed, it) && has(*allowed, it)));
            let others = |it| (0..count).any(|other| other != number && !bits[other].2 && on(other, it));
            let only = tally(&|it| !is_allow_list && on(number, it) && !others(it));
            prop_assert_eq!(told.only_there, only);
        }
        for one in 0..figures.lists.len() {
            for other in one + 1..figures.lists.len() {
                let number = |place: usize| figures.lists[place].list[1..2].parse::<usize>().unwrap();
                let both = tally(&|it| on(number(one), it) && on(number(other), it)).addresses;
                prop_assert_eq!(figures.overlap.get(&(one, other)).copied().unwrap_or(0), both);
            }
        }
        let now = |list: usize| {
            let is_given = if given.is_empty() { !bits[list].2 } else { given.contains(&list) };
            is_given && !with.contains(&list)
        };
        let rejects = |is_in: &dyn Fn(usize) -> bool, it: u32| (0..count).any(|list| is_in(list) && on(list, it));
        prop_assert_eq!(figures.now, tally(&|it| rejects(&now, it)));
        let compare = |outcome: &ReplayOutcome, then: &dyn Fn(u32) -> bool| {
            assert_eq!(outcome.rejected, tally(then), "{}", outcome.by);
            assert_eq!(outcome.new, tally(&|it| then(it) && !rejects(&now, it)), "{}", outcome.by);
            assert_eq!(outcome.no_more, tally(&|it| !then(it) && rejects(&now, it)), "{}", outcome.by);
        };
        let mut outcomes = figures.outcomes.iter();
        for list in &with {
            compare(outcomes.next().unwrap(), &|it| rejects(&|other| now(other) || other == *list, it));
        }
        for list in &without {
            compare(outcomes.next().unwrap(), &|it| rejects(&|other| now(other) && other != *list, it));
        }
        if with.len() + without.len() > 1 {
            let all = |list: usize| (now(list) || with.contains(&list)) && !without.contains(&list);
            compare(outcomes.next().unwrap(), &|it| rejects(&all, it));
        }
        let sum = |it| (0..count).filter(|list| on(*list, it)).map(|list| weights[list]).collect::<Vec<_>>();
        compare(outcomes.next().unwrap(), &|it| !sum(it).is_empty() && sum(it).iter().sum::<i64>() >= at);
        prop_assert!(outcomes.next().is_none());
    }
}

/// Address 0 is on no list of a verdict zone, the next ones on one, the other, both, and both with an allow list.
#[test]
fn a_verdict_zone_lists_by_the_sum() {
    let weighed = vec![(dataset(0b11010), 3), (dataset(0b11100), 2), (dataset(0b10000), -4)];
    let thresholds = vec![Threshold { sum: 3, a: [127, 0, 0, 3].into() }];
    let mut lists = lists(&[(0, 0, false)]);
    lists[0].scoring = Some(Arc::new(Scoring::new(weighed, thresholds)));
    let verdicts =
        (0..5_u32).map(|it| lists[0].verdict(std::net::Ipv4Addr::from_bits(it).into(), 0));
    use ListVerdict::{Allowed, Listed, NotListed};
    assert_eq!(verdicts.collect::<Vec<_>>(), [NotListed, Listed, NotListed, Listed, Allowed]);
}

#[test]
fn a_list_that_is_not_there_is_named() {
    let lists = lists(&[(1, 0, false)]);
    let question = Question { with: vec!["other.test".to_owned()], ..Question::default() };
    let error = ReplayFigures::new(&lists, &[], &question, 0).unwrap_err();
    let text = "there is no list of addresses \"other.test\"; there are: l0.test";
    assert_eq!(error.to_string(), text);
    let question = Question { without: vec!["L0.Test.".to_owned()], ..Question::default() };
    assert!(ReplayFigures::new(&lists, &[], &question, 0).is_ok());
}
