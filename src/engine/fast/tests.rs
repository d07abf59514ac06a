//! The fast path and the general one, compared with random zones and queries.

use super::Attempt;
use crate::engine::admit::{Admission, admit};
use crate::engine::cookie::Cookie;
use crate::engine::tests::{NOW, catalog, query, zone};
use crate::engine::{
    Answered, Outcome, QueryType, Reason, Request, Transport, WorkerState, answer, answer_by, done,
};
use crate::wire::{HEADER, ParsedQuestion};
use crate::zone::testing::dataset;
use crate::zone::{Catalog, Counters, Dataset, Figures, Zone};
use crate::zonefile::Kind;
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The text of a line behind its key.
fn any_value() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(vec![
        "",
        " :2:see $",
        " :3:=own $$ text",
        " :127.0.0.4:",
        " :5:$1 of $2",
        " :6:long $ $0$0$0",
        " :7:$0$0$0$0$0$0$0$",
    ])
}

/// The lines before all others.
fn any_head() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "$1 one\n$0 0123456789012345678901234567890123456789\n",
        "$=base $= of $\n:2:default $\n",
        ":9:default\n$TTL 77\n",
        ":9:\n",
    ])
}

/// Lists that all have the same keys.
fn stacked_datasets() -> impl Strategy<Value = Vec<Dataset>> {
    let keys = prop::sample::select(vec![(Kind::Ip4Trie, "1/8"), (Kind::Dnset, ".test")]);
    let lists = prop::collection::vec((any_head(), any_value()), 2..7);
    (keys, lists).prop_map(|((kind, key), lists)| {
        let list = |(head, value)| dataset(kind, &format!("{head}{key}{value}\n"));
        lists.into_iter().map(list).collect()
    })
}

/// A dataset with so many texts that they share their affixes.
fn many_texts() -> Dataset {
    let text = (0..27).map(|n| {
        let (a, b, c) = (n / 9, n / 3 % 3, n % 3);
        format!("1.{a}.{b}.{c} :2:Evidence: https://bl.test/case/{n} of $\n")
    });
    dataset(Kind::Ip4Set, &text.collect::<String>())
}

/// A dataset of few keys, so that questions meet them.
fn any_dataset() -> impl Strategy<Value = Dataset> {
    let value = any_value();
    let key4 = "[12]\\.[0-2]\\.[0-2]\\.[0-2](/(8|16|24|31))?|127\\.0\\.0\\.[12]|0\\.0\\.0\\.0/8";
    let key6 = "200[12]:[0-2]00::[0-2](/(16|32|64))?|::ffff:7f00:[12]|::/96|2002:102:3::/48";
    let names =
        "\\.?([ab]\\.|\\*\\.)?([ab1]\\.)?(test|invalid|com|2\\.1)|1\\.0\\.0\\.127|\\.?(127|0)";
    let digests = "0{14}[01][abAB]";
    let lines = |key: &'static str| {
        prop::collection::vec((any::<bool>(), key, value.clone()), 0..6).prop_map(|lines| {
            let line = |(not, key, value): &(bool, String, &str)| match not {
                true if value.is_empty() => format!("!{key}\n"),
                _ => format!("{key}{value}\n"),
            };
            lines.iter().map(line).collect::<String>()
        })
    };
    let kinds = prop_oneof![
        3 => (Just(Kind::Ip4Set), lines(key4)),
        2 => (Just(Kind::Ip4Trie), lines(key4)),
        1 => (Just(Kind::Ip4Tset), lines("[12]\\.[0-2]\\.[0-2]\\.[0-2]")),
        2 => (Just(Kind::Ip6Trie), lines(key6)),
        3 => (Just(Kind::Dnset), lines(names)),
        3 => (Just(Kind::Hashset), lines(digests)),
    ];
    (kinds, any_head(), any::<bool>()).prop_map(|((kind, lines), head, hides)| {
        let text = format!("{head}{lines}");
        Dataset { hides_empty_non_terminals: hides, ..dataset(kind, &text) }
    })
}

/// Access lists, which mostly let the client pass.
fn any_acl() -> impl Strategy<Value = Vec<Arc<Dataset>>> {
    let texts = [
        (Kind::Acl, "10/8 :refuse\n"),
        (Kind::Acl, "0/0 :refuse\n127/8 :pass\n"),
        (Kind::Acl, "127/8 :empty\n"),
        (Kind::Acl, "127.0.0.1 :ignore\n"),
        (Kind::Acl, "127.0.0.1 :7:for $\n"),
        (Kind::AclKey, ":pass\ncom :pass\na :refuse\n"),
    ];
    let acl = prop::sample::select(vec![0, 0, 0, 1, 1, 2, 3, 4, 5]);
    let acl = acl.prop_map(move |number| Arc::new(dataset(texts[number].0, texts[number].1)));
    prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(acl, 1..3)]
}

fn any_zone(apex: &'static str) -> impl Strategy<Value = Zone> {
    let flags = (any::<bool>(), prop::bool::weighted(0.9), any::<bool>());
    let expires = prop::option::weighted(0.1, prop::sample::select(vec![NOW - 1, NOW]));
    let allow = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any_dataset().prop_map(Arc::new), 1..3),
    ];
    let datasets = prop_oneof![
        1 => (0..3_usize).prop_map(|more| (0..=more).map(|_| many_texts()).collect()),
        3 => prop::collection::vec(any_dataset(), 1..4),
        1 => stacked_datasets(),
    ];
    (datasets, allow, any_acl(), flags, expires).prop_map(
        move |(datasets, allow, acl, (test_points, minimal_answers, explicit), expires)| {
            let zone = zone(apex, datasets);
            let mut zone = Zone { allow, acl, test_points, minimal_answers, expires, ..zone };
            zone.ns.explicit = explicit;
            zone
        },
    )
}

fn any_catalog() -> impl Strategy<Value = Catalog> {
    let upper = any_zone("bl.test");
    let lower = prop::option::weighted(0.3, any_zone("a.b.bl.test"));
    let acl = prop_oneof![4 => Just(Vec::new()), 1 => any_acl()];
    (upper, lower, acl).prop_map(|(upper, lower, acl)| {
        catalog(vec![upper].into_iter().chain(lower).collect()).with_acl(acl)
    })
}

fn any_query() -> impl Strategy<Value = Vec<u8>> {
    let nibbles = "([0-2]\\.){0,26}(0\\.){3,5}([0-2]\\.){3}2";
    let name = prop_oneof![
        4 => "[0-2]\\.[0-2]\\.0?[0-2]\\.[12]|[12]\\.0\\.0\\.127",
        2 => "([0-2]\\.){0,3}[0-2]",
        2 => nibbles,
        1 => "[12]\\.0\\.0\\.0\\.0\\.0\\.f\\.7\\.f\\.f\\.f\\.f\\.(0\\.){19}0",
        3 => "([ab1]\\.){0,3}([Tt]est|invalid|com|2\\.1|b)",
        3 => "([ab1]\\.){0,1}0{14}[01]{1,2}[abAB]|_health|_doctor-0123456789abcdef",
    ];
    let apex = prop::sample::select(vec!["bl.test", "bl.test", "bl.test", "BL.Test", "test", "x"]);
    let qtype = prop::sample::select(vec![1, 1, 1, 16, 16, 255, 28, 2, 6, 15, 250, 41, 0]);
    let class = prop::sample::select(vec![1, 1, 1, 1, 1, 1, 255, 3]);
    let payload = prop::option::of(prop::sample::select(vec![0, 512, 1232, 4096]));
    (name, apex, any::<bool>(), (qtype, class, payload)).prop_map(
        |(name, apex, is_apex, (qtype, class, payload))| {
            let name = match is_apex && name.len() < 3 {
                true => apex.to_owned(),
                false => format!("{name}.{apex}"),
            };
            query(&name, qtype, class, payload)
        },
    )
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Ip4,
    Ip6,
    Name,
}

/// What one way of the fast path makes of a query.
fn take(
    way: Way,
    catalog: &Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    out: &mut [u8],
) -> Option<Outcome> {
    let Admission::Open = admit(catalog, &mut state.limiter, request, &Cookie::None) else {
        return None;
    };
    let (question, out) = (ParsedQuestion::read(request.query)?, out.first_chunk_mut()?);
    let (counters, reason) = (catalog.counters(), Reason::Dropped);
    let mut attempt = Attempt { catalog, state, request, question, out, counters, reason };
    let len = match way {
        Way::Ip4 => attempt.by_ip4(),
        Way::Ip6 => attempt.by_ip6(),
        Way::Name => attempt.by_name(),
    }?;
    let (counters, reason) = (attempt.counters, attempt.reason);
    let outcome = Outcome::Respond(len);
    let qtype = QueryType::of(attempt.question.qtype);
    Some(done(state, request, Answered { counters, qtype, reason, outcome }))
}

/// What the counters of a zone have counted: the figures, and the values that are new.
type Counted = (Figures, Vec<Ipv4Addr>);

/// The answers that were noted because an allow list changed them.
fn noted(catalog: &Catalog) -> Vec<String> {
    let tables = catalog.overrides().take();
    tables.iter().flat_map(|table| table.iter().map(|it| format!("{it:?}"))).collect()
}

/// What a way makes of a query: the outcome, the message, what it has counted, what it has noted.
type Made = (Outcome, Vec<u8>, Vec<Counted>, Vec<String>);

/// What a way makes of a query.
fn outcome(
    catalog: &Catalog,
    request: &Request<'_>,
    state: &mut WorkerState,
    way: impl Fn(&Catalog, &mut WorkerState, &Request<'_>, &mut [u8]) -> Option<Outcome>,
) -> Option<Made> {
    let counters = || catalog.zones().iter().map(|zone| &zone.counters).chain([catalog.counters()]);
    let before: Vec<_> =
        counters().map(Counters::figures).zip(counters().map(Counters::values)).collect();
    let mut out = vec![0; 1280];
    let outcome = way(catalog, state, request, &mut out)?;
    out.truncate(outcome.bytes().unwrap_or(0));
    let counted = counters().zip(before).map(|(counters, (figures, values))| {
        let after = counters.values();
        let new =
            after.counts.iter().filter(|(value, count)| values.counts.get(value) != Some(count));
        let new = new.map(|(value, _)| *value);
        let others = (values.others..after.others).map(|_| Ipv4Addr::UNSPECIFIED);
        (counters.figures().since(&figures), new.chain(others).collect())
    });
    Some((outcome, out, counted.collect(), noted(catalog)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_fast_path_gives_and_counts_what_the_general_one_does(
        catalog in any_catalog(),
        queries in prop::collection::vec((any_query(), prop::option::weighted(0.1, any::<(prop::sample::Index, u8)>()), 0_u32..6), 40),
        tcp: bool,
    ) {
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let client = Ipv4Addr::LOCALHOST.into();
        let mut state = WorkerState::new(0);
        for (mut query, damage, recent) in queries {
            if let Some((at, byte)) = damage {
                let at = at.index(query.len());
                query[at] = byte;
            }
            let request = Request { query: &query, client, transport, now: NOW };
            let mut fresh = WorkerState::new(1);
            let general = outcome(&catalog, &request, &mut fresh, |a, b, c, d| {
                Some(answer_by::<false>(a, b, c, &Cookie::None, d))
            });
            for way in [Way::Ip4, Way::Ip6, Way::Name] {
                // It may be a number from before a reload.
                state.recent = recent;
                let fast =
                    outcome(&catalog, &request, &mut state, |a, b, c, d| take(way, a, b, c, d));
                if fast.is_some() {
                    prop_assert_eq!(fast, general.clone(), "{:?}", query);
                } else {
                    prop_assert_eq!(noted(&catalog), Vec::<String>::new());
                }
            }
            let any =
                outcome(&catalog, &request, &mut state, |a, b, c, d| Some(answer(a, b, c, d)));
            prop_assert_eq!(any, general, "{:?}", query);
        }
    }
}

#[test]
fn usual_queries_take_the_fast_path() {
    let text = ":2:see $\n1.2.3.4\n";
    let allow = |kind, text| vec![Arc::new(dataset(kind, text))];
    let acl = allow(Kind::Acl, "0/0 :refuse\n127/8 :pass\n");
    let ip4 = |apex| zone(apex, vec![dataset(Kind::Ip4Set, text)]);
    let names = |apex| zone(apex, vec![dataset(Kind::Dnset, "example.com\n")]);
    let catalog = catalog(vec![
        ip4("bl.test"),
        Zone { allow: allow(Kind::Ip4Trie, "1.2.3.0/24"), ..ip4("allow.test") },
        Zone { acl: acl.clone(), ..ip4("acl.test") },
        names("dn.test"),
        Zone { allow: allow(Kind::Dnset, ".com\n"), acl: acl.clone(), ..names("dn.allow") },
        zone("hash.test", vec![dataset(Kind::Hashset, "00000000000000aa\n")]),
        zone("six.test", vec![dataset(Kind::Ip6Trie, "2001:db8::/32\n")]),
        zone(
            "stack.test",
            (2..6).map(|a| dataset(Kind::Ip4Set, &format!(":{a}:see $\n1.2.3.4\n"))).collect(),
        ),
        zone("all.test", vec![dataset(Kind::Ip4Set, text), dataset(Kind::Dnset, "a.com\n")]),
    ])
    .with_acl(acl);
    let nibbles = format!("{}8.b.d.0.1.0.0.2", "1.".repeat(24));
    for (way, name) in [
        (Way::Ip4, "4.3.2.10.bl.test"),
        (Way::Ip4, "255.3.200.10.BL.Test"),
        (Way::Ip4, "40.3.2.1.allow.test"),
        (Way::Ip4, "40.3.2.1.acl.test"),
        (Way::Ip4, "4.3.2.1.stack.test"),
        (Way::Name, "4.3.2.1.bl.test"),
        (Way::Name, "4.3.2.1.allow.test"),
        (Way::Name, "2.1.bl.test"),
        (Way::Name, "example.com.dn.test"),
        (Way::Name, "example.com.DN.test"),
        (Way::Name, "a.b.dn.test"),
        (Way::Name, "com.dn.test"),
        (Way::Name, "Long-Label-0123456789.a.example.Com.dn.test"),
        (Way::Name, "example.com.dn.allow"),
        (Way::Name, "4.3.2.1.all.test"),
        (Way::Name, "a.com.all.test"),
        (Way::Name, "00000000000000AA.hash.test"),
        (Way::Name, "00000000000000ab.hash.test"),
        (Way::Name, "a.00000000000000aa.hash.test"),
        (Way::Name, "elsewhere"),
        (Way::Ip6, &format!("{nibbles}.six.test")),
        (Way::Ip6, &format!("{nibbles}.six.test").to_ascii_uppercase()),
    ] {
        for (qtype, payload) in [(1, None), (16, None), (28, None), (1, Some(1232))] {
            let query = query(name, qtype, 1, payload);
            let client = Ipv4Addr::LOCALHOST.into();
            let request = Request { query: &query, client, transport: Transport::Udp, now: NOW };
            let (mut state, mut out) = (WorkerState::default(), [0; 1280]);
            let fast = take(way, &catalog, &mut state, &request, &mut [0; 1280]);
            assert!(fast.is_some(), "{name} {qtype} {payload:?}");
            assert_eq!(Some(answer(&catalog, &mut state, &request, &mut out)), fast);
            assert_eq!(out[..HEADER - 10], query[..2]);
        }
    }
}
