use super::*;
use crate::engine::tests::{catalog, ip4, name, raw, zone};
use crate::engine::{Catalog, Outcome, Request, WorkerState, answer};
use crate::wire::cookie::{CookieSecret, CookieSecrets};
use crate::wire::{CLASSIC_UDP, MAX_UDP, Rcode};
use crate::zone::{Figures, RateLimit, Reason, ZoneHealth};
use hickory_proto::op::Message;
use proptest::prelude::*;
use std::net::Ipv4Addr;

const CLIENT: [u8; 8] = *b"clientid";
const SIZE: usize = size_of::<CookieOption>();

fn listed(is_demanded: bool) -> Catalog {
    let text = "x".repeat(200);
    let list = |a: u8| ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, a], &text)]);
    let mut zone = zone("bl.test", vec![list(2)]);
    zone.health = Some(ZoneHealth {
        is_ready: true,
        state: "live",
        changed: None,
        content_id: 1,
        reason: "".into(),
        instance: 2,
    });
    let many = super::super::tests::zone("many.test", (2..60).map(list).collect());
    let secrets = CookieSecrets { active: CookieSecret([7; 16]), other: None };
    catalog(vec![zone, many]).with_cookies(Some(Cookies { secrets, is_demanded }))
}

/// A query with an OPT record that holds these options.
fn query(qname: &str, qtype: u16, payload: u16, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    message.extend(name(qname).as_wire());
    message.extend([qtype, 1].map(u16::to_be_bytes).concat());
    message.extend([0, 0, 41]);
    message.extend(payload.to_be_bytes());
    message.extend([0; 4]);
    let data: Vec<u8> = options.iter().flat_map(|(code, data)| option(*code, data)).collect();
    message.extend((data.len() as u16).to_be_bytes());
    message.extend(data);
    message
}

fn option(code: u16, data: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

/// The code of an answer, how many records it has, and the data of its COOKIE option.
fn read(answer: &[u8]) -> (u16, usize, Option<Vec<u8>>) {
    let message = Message::from_vec(answer).unwrap();
    let cookie = cookie_data(answer).map(<[u8]>::to_vec);
    (message.metadata.response_code.into(), message.answers.len(), cookie)
}

fn ask(catalog: &Catalog, query: &[u8], transport: Transport) -> (u16, usize, Option<Vec<u8>>) {
    read(&raw(catalog, query, transport).1)
}

#[test]
fn the_cookie_of_an_answer_proves_the_address_in_the_next_query() {
    let catalog = listed(false);
    let asked = query("4.3.2.1.bl.test", 1, 1232, &[(10, &CLIENT)]);
    let (code, answers, cookie) = ask(&catalog, &asked, Transport::Udp);
    assert_eq!((code, answers), (0, 1));
    let cookie = cookie.unwrap();
    assert_eq!((&cookie[..8], cookie.len()), (&CLIENT[..], 24));
    let of = |client: [u8; 4], data: &[u8]| {
        let query = query("4.3.2.1.bl.test", 1, 1232, &[(10, data)]);
        let client = Ipv4Addr::from(client).into();
        let now = crate::engine::tests::NOW;
        let request = Request { query: &query, client, transport: Transport::Udp, now };
        Cookie::of(catalog.cookies().unwrap(), &request)
    };
    assert!(matches!(of([127, 0, 0, 1], &cookie), Cookie::Proved(_)));
    assert!(matches!(of([127, 0, 0, 2], &cookie), Cookie::Unproved(_)), "another address");
    assert!(matches!(of([127, 0, 0, 1], &CLIENT), Cookie::Unproved(_)));
    let again = query("4.3.2.1.bl.test", 1, 1232, &[(10, &cookie)]);
    assert_eq!(ask(&catalog, &again, Transport::Udp), (0, 1, Some(cookie)));
}

/// A message without a question, with an OPT record of this version that holds these options.
fn alone(version: u8, options: &[(u16, &[u8])]) -> Vec<u8> {
    let data: Vec<u8> = options.iter().flat_map(|(code, data)| option(*code, data)).collect();
    let head = [0xab, 0xcd, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0, version, 0, 0];
    [&head[..], &(data.len() as u16).to_be_bytes(), &data].concat()
}

/// RFC 7873 section 5.4: a client gets a cookie without a question, and learns whether it holds.
#[test]
fn a_cookie_is_given_without_a_question() {
    for is_demanded in [false, true] {
        let catalog = listed(is_demanded);
        let ask = |version, options: &[(u16, &[u8])]| {
            let answer = raw(&catalog, &alone(version, options), Transport::Udp).1;
            let message = Message::from_vec(&answer).unwrap();
            assert!(message.queries.is_empty() && message.answers.is_empty(), "{message:?}");
            let cookie = message.edns.map(|_| answer[answer.len() - 24..].to_vec());
            (u16::from(message.metadata.response_code), cookie)
        };
        let (code, cookie) = ask(0, &[(12, &[0; 3]), (10, &CLIENT)]);
        let cookie = cookie.unwrap();
        assert_eq!((code, &cookie[..8]), (0, &CLIENT[..]));
        assert_eq!(ask(0, &[(10, &cookie)]), (0, Some(cookie.clone())));
        let wrong = [&cookie[..23], &[cookie[23] ^ 1]].concat();
        assert_eq!(ask(0, &[(10, &wrong)]), (23, Some(cookie.clone())), "it is made anew");
        assert_eq!(ask(1, &[(10, &CLIENT)]), (16, Some(cookie)));
        for none in [&[][..], &[(10, &CLIENT[..7])], &[(12, &CLIENT)]] {
            assert_eq!(ask(0, none), (1, None), "{none:?}");
        }
    }
    let off = listed(false).with_cookies(None);
    assert_eq!(raw(&off, &alone(0, &[(10, &CLIENT)]), Transport::Udp).1.len(), 12);
}

#[test]
fn who_sends_no_cookie_gets_none() {
    for is_demanded in [false, true] {
        let catalog = listed(is_demanded);
        for options in [&[][..], &[(12, &[0; 8][..])]] {
            let asked = query("4.3.2.1.bl.test", 1, 1232, options);
            assert_eq!(ask(&catalog, &asked, Transport::Udp), (0, 1, None));
        }
    }
}

#[test]
fn an_option_of_a_wrong_length_is_malformed() {
    let catalog = listed(false);
    for len in (0..50).filter(|len| *len != 8 && !(16..=40).contains(len)) {
        let asked = query("4.3.2.1.bl.test", 1, 1232, &[(10, &vec![1; len])]);
        for transport in Transport::ALL {
            assert_eq!(ask(&catalog, &asked, transport), (1, 0, None), "{len}");
        }
    }
    // The first counts.
    let asked = query("4.3.2.1.bl.test", 1, 1232, &[(10, &CLIENT), (10, b"short")]);
    assert_eq!(ask(&catalog, &asked, Transport::Udp).0, 0);
    // Where cookies are off, no length matters.
    let off = listed(false).with_cookies(None);
    let asked = query("4.3.2.1.bl.test", 1, 1232, &[(10, b"short")]);
    assert_eq!(ask(&off, &asked, Transport::Udp), (0, 1, None));
}

#[test]
fn a_cookie_is_demanded_over_udp_alone() {
    let catalog = listed(true);
    let asked = query("4.3.2.1.bl.test", 16, 1232, &[(10, &CLIENT)]);
    let (code, answers, cookie) = ask(&catalog, &asked, Transport::Udp);
    assert_eq!((code, answers), (Rcode::BadCookie as u16, 0));
    let bad_cookie = |figures: Figures| figures.queries(Reason::BadCookie);
    assert_eq!(bad_cookie(catalog.zones()[0].counters.figures()), 1);
    let again = query("4.3.2.1.bl.test", 16, 1232, &[(10, &cookie.unwrap())]);
    assert_eq!(ask(&catalog, &again, Transport::Udp).1, 1);
    for stream in [Transport::Tcp, Transport::Tls] {
        let (code, answers, cookie) = ask(&catalog, &asked, stream);
        assert_eq!((code, answers, cookie.is_some()), (0, 1, true));
    }
    // REFUSED is no larger.
    let foreign = query("foreign.test", 1, 1232, &[(10, &CLIENT)]);
    assert_eq!(ask(&catalog, &foreign, Transport::Udp).0, Rcode::Refused as u16);
}

#[test]
fn a_proved_address_is_not_limited() {
    let limit = RateLimit::new(1, 1, false, Vec::new(), 1);
    let catalog = listed(false).with_rate_limit(Some(limit));
    let mut state = WorkerState::new(0);
    let mut is_truncated = |data: &[u8]| {
        let query = query("4.3.2.1.bl.test", 1, 1232, &[(10, data)]);
        let client = Ipv4Addr::LOCALHOST.into();
        let now = crate::engine::tests::NOW;
        let request = Request { query: &query, client, transport: Transport::Udp, now };
        let mut out = [0; MAX_UDP];
        let len = answer(&catalog, &mut state, &request, &mut out).bytes().unwrap();
        let message = Message::from_vec(&out[..len]).unwrap();
        (message.metadata.truncation, cookie_data(&out[..len]).unwrap().to_vec())
    };
    let (first, cookie) = is_truncated(&CLIENT);
    assert!(!first && is_truncated(&CLIENT).0, "one query is allowed");
    for _ in 0..10 {
        assert!(!is_truncated(&cookie).0);
    }
    assert!(is_truncated(&CLIENT).0);
}

#[test]
fn cookies_and_an_identifier_stand_side_by_side() {
    let asked = query("4.3.2.1.bl.test", 1, 1232, &[(3, &[]), (10, &CLIENT)]);
    let (_, bytes) = raw(&listed(false), &asked, Transport::Udp);
    let (code, answers, cookie) = read(&bytes);
    assert_eq!((code, answers, cookie.unwrap().len()), (0, 1, 24));
    let nsid = bytes.len() - 20;
    assert_eq!(bytes[nsid..nsid + 4], [0, 3, 0, 16]);
}

proptest! {
    /// With cookies, an answer is what it is without them and with that much less room.
    #[test]
    fn an_answer_with_cookies_is_whole_and_fits(
        qname in prop::sample::select(vec![
            "4.3.2.1.bl.test", "5.3.2.1.bl.test", "bl.test", "4.3.2.1.many.test", "foreign.test",
        ]),
        qtype in prop::sample::select(vec![1_u16, 16, 6, 2, 28, 255]),
        payload in prop_oneof![0_u16..600, 1100_u16..1300, Just(u16::MAX)],
        data in prop::sample::select(vec![8_usize, 16, 24, 40]),
        tcp: bool,
    ) {
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let on = listed(false);
        let asked = query(qname, qtype, payload, &[(10, &vec![9; data])]);
        let (_, bytes) = raw(&on, &asked, transport);
        let limit = usize::from(payload).clamp(CLASSIC_UDP, MAX_UDP);
        prop_assert!(tcp || bytes.len() <= limit, "{} of {limit}", bytes.len());
        let (_, _, cookie) = read(&bytes);
        prop_assert_eq!(cookie.unwrap().len(), 24);

        let off = listed(false).with_cookies(None);
        let less = payload.clamp(CLASSIC_UDP as u16 + SIZE as u16, MAX_UDP as u16) - SIZE as u16;
        let plain = query(qname, qtype, less, &[]);
        let (_, without) = raw(&off, &plain, transport);
        if tcp || limit - SIZE >= CLASSIC_UDP {
            let end = without.len();
            prop_assert_eq!(&bytes[..end - 2], &without[..end - 2]);
            prop_assert_eq!(&bytes[end - 2..end], &(SIZE as u16).to_be_bytes());
            prop_assert_eq!(bytes.len(), end + SIZE);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, at: prop::sample::Index, byte: u8) {
        let catalog = listed(true);
        let mut asked = query("4.3.2.1.bl.test", 1, 1232, &[(3, &[]), (10, &CLIENT)]);
        let at = at.index(asked.len());
        asked[at] = byte;
        for query in [&bytes[..], &asked] {
            let client = Ipv4Addr::LOCALHOST.into();
            let request = Request { query, client, transport: Transport::Udp, now: 0 };
            let mut out = [0; MAX_UDP];
            let outcome = answer(&catalog, &mut WorkerState::new(0), &request, &mut out);
            if let Outcome::Respond(len) = outcome {
                prop_assert!(len <= MAX_UDP);
            }
        }
    }
}
