//! What is answered beyond quotas and limits, and extended errors.

use super::{NOW, catalog, ip4, lines, query, zone};
use crate::engine::{Catalog, Outcome, Reason, Request, Transport, WorkerState, answer};
use crate::zone::testing::dataset;
use crate::zone::{
    Dataset, Quota, QuotaAnswer, QuotaCounts, QuotaSubject, RateLimit, Unlisted, Zone, ZoneState,
};
use crate::zonefile::Kind;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use proptest::prelude::*;
use std::sync::Arc;

/// The list of `bl.test` has 1.2.3.4; this many queries may be asked.
fn with_quota(answer: QuotaAnswer, queries: u32) -> Catalog {
    let (subject, counts) = (QuotaSubject::Client { ip4: 32, ip6: 64 }, QuotaCounts::default());
    let quota = Quota { subject, queries, period: 60, answer, exempt: Vec::new(), counts };
    let list = ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "see $")]);
    let zone = Zone { quotas: vec![Arc::new(quota)], ..zone("bl.test", vec![list]) };
    catalog(vec![zone]).with_extended_errors(true)
}

fn ask(catalog: &Catalog, query: &[u8], transport: Transport) -> (Outcome, Option<Message>) {
    ask_with(catalog, &mut WorkerState::default(), query, transport)
}

fn ask_with(
    catalog: &Catalog,
    state: &mut WorkerState,
    query: &[u8],
    transport: Transport,
) -> (Outcome, Option<Message>) {
    let mut out = vec![0; 65_535];
    let request = Request { query, client: [192, 0, 2, 7].into(), transport, now: NOW };
    let outcome = answer(catalog, state, &request, &mut out);
    let message = outcome.bytes().map(|len| Message::from_vec(&out[..len]).unwrap());
    (outcome, message)
}

/// The code of the extended error of an answer.
fn error(message: &Message) -> Option<u16> {
    Some(told(message)?.0)
}

/// The code and the text of the extended error of an answer.
fn told(message: &Message) -> Option<(u16, String)> {
    let options = message.edns.as_ref()?.options();
    let EdnsOption::Unknown(15, data) = options.get(EdnsCode::from(15))? else {
        panic!("{options:?}");
    };
    let (code, text) = data.split_first_chunk().unwrap();
    Some((u16::from_be_bytes(*code), String::from_utf8(text.to_vec()).unwrap()))
}

#[test]
fn beyond_a_quota_is_what_it_says() {
    let listed = || query("4.3.2.1.bl.test", 1, 1, Some(4096));
    let text = || query("4.3.2.1.bl.test", 16, 1, Some(4096));
    let unlisted = || query("5.3.2.1.bl.test", 1, 1, None);
    let ask_beyond = |answer, query: Vec<u8>, transport| {
        let catalog = with_quota(answer, 1);
        let (_, first) = ask(&catalog, &listed(), Transport::Udp);
        assert_eq!(first.as_ref().unwrap().answers.len(), 1);
        assert_eq!(error(&first.unwrap()), None);
        let reply = ask(&catalog, &query, transport).1;
        let figures = catalog.zones()[0].counters.figures();
        assert_eq!(catalog.zones()[0].quotas[0].counts.beyond(), 1);
        (reply, figures)
    };
    for transport in Transport::ALL {
        let (reply, figures) = ask_beyond(QuotaAnswer::Refuse, listed(), transport);
        let reply = reply.unwrap();
        assert_eq!(
            (reply.metadata.response_code, error(&reply)),
            (ResponseCode::Refused, Some(32))
        );
        assert_eq!(figures.queries(Reason::Denied), 1);
    }
    let (reply, figures) = ask_beyond(QuotaAnswer::Empty, listed(), Transport::Udp);
    let reply = reply.unwrap();
    assert_eq!((reply.metadata.response_code, error(&reply)), (ResponseCode::NXDomain, Some(32)));
    assert_eq!((reply.authorities.len(), figures.queries(Reason::NxDomain)), (1, 1));
    let (reply, figures) = ask_beyond(QuotaAnswer::Ignore, listed(), Transport::Udp);
    assert!(reply.is_none());
    assert_eq!(figures.queries(Reason::Ignored), 1);
    let value = || QuotaAnswer::listed([127, 255, 255, 255].into(), "too many of $", 60);
    let (reply, _) = ask_beyond(value(), unlisted(), Transport::Udp);
    let reply = reply.unwrap();
    assert_eq!(lines(&reply.answers), ["5.3.2.1.bl.test. 60 127.255.255.255"]);
    assert_eq!(error(&reply), None, "without EDNS there is no room for it");
    let (reply, _) = ask_beyond(value(), text(), Transport::Tcp);
    let reply = reply.unwrap();
    assert_eq!(lines(&reply.answers), ["4.3.2.1.bl.test. 60 too many of 192.0.2.7"]);
    assert_eq!(error(&reply), Some(32));
}

#[test]
fn errors_say_why_if_they_are_told_to() {
    let asked = query("4.3.2.1.bl.test", 1, 1, Some(4096));
    let unloaded = || vec![Zone { state: ZoneState::Unloaded, ..zone("bl.test", Vec::new()) }];
    for (explains, want) in [(true, Some(14)), (false, None)] {
        let catalog = catalog(unloaded()).with_extended_errors(explains);
        let reply = ask(&catalog, &asked, Transport::Udp).1.unwrap();
        assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
        assert_eq!(error(&reply), want);
    }
    let limit = RateLimit::new(1, 1, false, Vec::new(), 1);
    let catalog = with_quota(QuotaAnswer::Refuse, 9).with_rate_limit(Some(limit));
    let mut state = WorkerState::default();
    let mut errors = || error(&ask_with(&catalog, &mut state, &asked, Transport::Udp).1.unwrap());
    assert_eq!((errors(), errors()), (None, Some(31)));
}

/// A zone of this list whose answers say that its data is overdue.
fn stale(list: Dataset) -> Zone {
    Zone { says_stale: true, ..zone("bl.test", vec![list]) }
}

#[test]
fn overdue_data_is_told_with_every_answer_made_of_it() {
    let list = || ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "see $")]);
    let fresh = || zone("bl.test", vec![list()]);
    let told_of = |zone: Zone, name: &str, qtype, payload| {
        let catalog = catalog(vec![zone]).with_extended_errors(true);
        told(&ask(&catalog, &query(name, qtype, 1, payload), Transport::Udp).1.unwrap())
    };
    let overdue = Some((3, "the data of the zone is overdue".to_owned()));
    for (name, qtype) in [
        ("4.3.2.1.bl.test", 1),
        ("4.3.2.1.bl.test", 16),
        ("4.3.2.1.bl.test", 28),
        ("5.3.2.1.bl.test", 1),
        ("bl.test", 6),
    ] {
        assert_eq!(told_of(stale(list()), name, qtype, Some(1232)), overdue, "{name} {qtype}");
        assert_eq!(told_of(stale(list()), name, qtype, None), None, "{name} {qtype}");
        assert_eq!(told_of(fresh(), name, qtype, Some(1232)), None, "{name} {qtype}");
    }
    // A key that no list has may stand in the one that was never loaded.
    let partial = |zone| Zone { state: ZoneState::Partial(Unlisted::ServFail), ..zone };
    let unknown = told_of(partial(stale(list())), "5.3.2.1.bl.test", 1, Some(1232));
    assert_eq!(unknown, Some((14, String::new())));
    assert_eq!(told_of(partial(stale(list())), "4.3.2.1.bl.test", 1, Some(1232)), overdue);
    // An answer of an access list does not depend on the age of the data.
    for action in [":refuse", ":empty", ":127.255.255.254:denied"] {
        let acl = Arc::new(dataset(Kind::Acl, &format!("0.0.0.0/0 {action}\n")));
        let zone = Zone { acl: vec![acl], ..stale(list()) };
        let prohibited = told_of(zone, "4.3.2.1.bl.test", 1, Some(1232));
        assert_eq!(prohibited, Some((18, String::new())), "{action}");
    }
}

/// RFC 8914 section 3: of an answer that is too long, the extended error is left out first, and TC says so.
#[test]
fn what_was_asked_for_comes_before_an_extended_error() {
    let asked = query("4.3.2.1.bl.test", 16, 1, Some(512));
    let (mut whole, mut code_alone, mut left_out) = (0, 0, 0);
    for len in 0..=242 {
        let list = || {
            let (long, text) = ("x".repeat(200), "y".repeat(len));
            [long, text].map(|text| ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], &text)]))
        };
        let [a, b] = list();
        let fresh = catalog(vec![zone("bl.test", vec![a, b])]).with_extended_errors(true);
        let [a, b] = list();
        let zone = Zone { says_stale: true, ..zone("bl.test", vec![a, b]) };
        let stale = catalog(vec![zone]).with_extended_errors(true);
        let (outcome, want) = ask(&fresh, &asked, Transport::Udp);
        let (Some(len), want) = (outcome.bytes(), want.unwrap()) else { panic!() };
        let (outcome, got) = ask(&stale, &asked, Transport::Udp);
        let got = got.unwrap();
        assert!(outcome.bytes() <= Some(512));
        assert_eq!(lines(&got.answers), lines(&want.answers));
        let is_left_out = match (told(&got), 512 - len) {
            (Some((3, text)), 37..) if text.len() == 31 => (whole += 1, false).1,
            (Some((3, text)), 6..37) if text.is_empty() => (code_alone += 1, false).1,
            (None, ..6) => (left_out += 1, true).1,
            (told, room) => panic!("{told:?} in {room} bytes"),
        };
        assert_eq!(got.metadata.truncation, want.metadata.truncation || is_left_out);
    }
    assert!(whole > 0 && code_alone == 31 && left_out == 6, "{whole} {code_alone} {left_out}");
}

proptest! {
    /// Whatever is asked how, answers parse and fit, and an extended error needs EDNS.
    #[test]
    fn answers_parse_and_fit(
        answer in 0..4,
        queries in 0..3_u32,
        rate in prop::option::of(1..4_u32),
        names in prop::collection::vec("(4\\.3\\.2\\.1\\.|[a-z0-9]{1,60}\\.){0,3}(bl\\.test|other)", 1..8),
        qtype in prop::sample::select(vec![1_u16, 16, 6, 255, 28, 251]),
        payload in prop::option::of(0..2000_u16),
        text in "[a-z $]{0,250}",
        transport in prop::sample::select(Transport::ALL.to_vec()),
    ) {
        let answer = match answer {
            0 => QuotaAnswer::Refuse,
            1 => QuotaAnswer::Empty,
            2 => QuotaAnswer::Ignore,
            _ => QuotaAnswer::listed([127, 255, 255, 254].into(), &text, 60),
        };
        let limit = rate.map(|rate| RateLimit::new(rate, rate, false, Vec::new(), 1));
        let catalog = with_quota(answer, queries).with_rate_limit(limit);
        let mut state = WorkerState::default();
        for name in names {
            let asked = query(&name, qtype, 1, payload);
            let (outcome, reply) = ask_with(&catalog, &mut state, &asked, transport);
            let Some(reply) = reply else { continue };
            let room = match (transport, payload) {
                (Transport::Udp, payload) => usize::from(payload.unwrap_or(0)).clamp(512, 1232),
                _ => 65_535,
            };
            prop_assert!(outcome.bytes() <= Some(room));
            prop_assert_eq!(reply.edns.is_some(), payload.is_some());
            let known = [None, Some(31), Some(32)].contains(&error(&reply));
            prop_assert!(known, "{:?}", reply);
        }
    }
}
