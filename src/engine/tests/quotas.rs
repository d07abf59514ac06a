//! What is answered beyond quotas and limits, and extended errors.

use super::{NOW, catalog, ip4, lines, query, zone};
use crate::engine::{Catalog, Outcome, Reason, Request, Transport, WorkerState, answer};
use crate::zone::{Quota, QuotaAnswer, QuotaCounts, QuotaSubject, RateLimit, Zone, ZoneState};
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
    let options = message.edns.as_ref()?.options();
    match options.get(EdnsCode::from(15))? {
        EdnsOption::Unknown(15, data) => Some(u16::from_be_bytes(data[..].try_into().unwrap())),
        other => panic!("{other:?}"),
    }
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
