//! The engine against small catalogs made by hand; the messages are read by hickory-proto.

mod counts;
mod messages;
mod quotas;

use super::*;
use crate::answer::AnswerId;
use crate::listing::names::{NamesBuilder, Scope};
use crate::listing::records::RecordsBuilder;
use crate::listing::{AnswersBuilder, Gate, Range, Template};
use crate::trie::{Trie4, Trie6};
use crate::wire::Type;
use crate::wire::name::NameBuf;
use crate::zone::testing;
use crate::zone::{
    Chaos, Dataset, Ns, Overrides, SenderKey, Soa, Subzones, Unlisted, Zone, ZoneState,
};
use crate::zonefile::Kind;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use std::net::Ipv4Addr;
use std::sync::Arc;

pub(super) const NOW: u64 = 1_800_000_000;

pub(super) fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

/// A dataset that lists these IPv4 ranges with one value each.
pub(super) fn ip4(ttl: u32, entries: &[(&str, &str, [u8; 4], &str)]) -> Dataset {
    gated(ttl, entries, None)
}

pub(super) fn gated(
    ttl: u32,
    entries: &[(&str, &str, [u8; 4], &str)],
    gate: Option<Gate>,
) -> Dataset {
    let mut builder = AnswersBuilder::default();
    let ranges: Vec<_> = entries
        .iter()
        .map(|(start, end, a, text)| {
            let value = builder.gated_value(Ipv4Addr::from(*a), text.as_bytes(), gate).unwrap();
            let answer = builder.answer(&[value]);
            let address = |text: &str| u32::from(text.parse::<Ipv4Addr>().unwrap());
            Range { start: address(start), end: address(end), answer }
        })
        .collect();
    let (answers, new) = builder.finish(ranges.iter().map(|range| range.answer));
    let ranges = ranges.into_iter().map(|range| Range { answer: new.get(range.answer), ..range });
    let default_answer = default_answer();
    Dataset { ip4: Some(Trie4::build(ranges)), answers, default_answer, ttl, ..Dataset::default() }
}

fn default_answer() -> crate::listing::Answers {
    let mut builder = AnswersBuilder::default();
    let value = builder.value([127, 0, 0, 9].into(), b"test $").unwrap();
    let id = builder.answer(&[value]);
    builder.finish([id]).0
}

pub(super) fn zone(apex: &str, datasets: Vec<Dataset>) -> Zone {
    let soa = Soa {
        mname: name("ns1.example.org"),
        rname: name(&format!("admin.{apex}")),
        serial: 7,
        refresh: 1,
        retry: 2,
        expire: 3,
        minimum: 120,
        ttl: 3600,
    };
    let ns = Ns {
        names: vec![name("ns1.example.org"), name(&format!("ns2.{apex}"))],
        ttl: 86400,
        explicit: true,
    };
    Zone { soa, ns, counters: Counters::new(2), ..testing::zone(apex, datasets) }
}

pub(super) fn catalog(zones: Vec<Zone>) -> Catalog {
    let chaos = Chaos { version: Some(Box::from(*b"dnsbld")), id: None };
    Catalog::new(zones, chaos).with_counters(Counters::new(2)).with_overrides(Overrides::new(2))
}

fn listed() -> Catalog {
    catalog(vec![zone(
        "bl.test",
        vec![ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "see $")])],
    )])
}

/// A query with RD set; `payload` adds an OPT record.
pub(super) fn query(qname: &str, qtype: u16, class: u16, payload: Option<u16>) -> Vec<u8> {
    let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(payload.is_some())];
    message.extend(name(qname).as_wire());
    message.extend(qtype.to_be_bytes());
    message.extend(class.to_be_bytes());
    if let Some(payload) = payload {
        message.extend([0, 0, 41]);
        message.extend(payload.to_be_bytes());
        message.extend([0, 0, 0x80, 0, 0, 0]);
    }
    message
}

pub(super) fn raw(catalog: &Catalog, query: &[u8], transport: Transport) -> (Outcome, Vec<u8>) {
    let mut out = vec![0; 65_535];
    let client = Ipv4Addr::LOCALHOST.into();
    let request = Request { query, client, transport, now: NOW };
    let outcome = answer(catalog, &mut WorkerState::default(), &request, &mut out);
    let mut general = vec![0; 65_535];
    let of_general = answer_by::<false>(
        catalog,
        &mut WorkerState::new(99),
        &request,
        &catalog.cookies().map_or(Cookie::None, |cookies| Cookie::of(cookies, &request)),
        &mut general,
    );
    assert_eq!(outcome, of_general);
    let len = outcome.bytes().unwrap_or(0);
    assert_eq!(out[..len], general[..len], "the fast path and the general one");
    let (Outcome::Respond(len) | Outcome::RespondAfter(len, _)) = outcome else {
        return (outcome, Vec::new());
    };
    out.truncate(len);
    (outcome, out)
}

pub(super) fn ask(catalog: &Catalog, qname: &str, qtype: RecordType) -> Message {
    let (_, bytes) = raw(catalog, &query(qname, qtype.into(), 1, None), Transport::Udp);
    Message::from_vec(&bytes).unwrap()
}

pub(super) fn code(catalog: &Catalog, qname: &str) -> ResponseCode {
    ask(catalog, qname, RecordType::A).metadata.response_code
}

pub(super) fn lines(records: &[hickory_proto::rr::Record]) -> Vec<String> {
    records.iter().map(|record| format!("{} {} {}", record.name, record.ttl, record.data)).collect()
}

/// A list of many texts keeps what they have in common once.
#[test]
fn texts_that_are_kept_in_pieces_are_whole_in_answers() {
    let entries: Vec<_> = (0..40)
        .map(|n| (format!("192.0.2.{n}"), format!("Spam, see https://bl.test/$?case={n} (a)")))
        .collect();
    let entries: Vec<_> =
        entries.iter().map(|(ip, text)| (&**ip, &**ip, [127, 0, 0, 2], &**text)).collect();
    let list = ip4(300, &entries);
    let first = list.answers.get(AnswerId(1)).values().next().unwrap();
    assert!(matches!(first.text, Template::Pieces(_)));
    let catalog = catalog(vec![zone("bl.test", vec![list])]);
    for n in 0..40 {
        let answer = ask(&catalog, &format!("{n}.2.0.192.bl.test"), RecordType::TXT);
        let text = format!("Spam, see https://bl.test/192.0.2.{n}?case={n} (a)");
        assert_eq!(answer.answers.len(), 1);
        assert!(answer.answers[0].to_string().ends_with(&text), "{}", answer.answers[0]);
    }
}

#[test]
fn a_listed_address_has_a_and_txt() {
    let catalog = listed();
    let a = ask(&catalog, "4.3.2.1.bl.test", RecordType::A);
    assert_eq!(lines(&a.answers), ["4.3.2.1.bl.test. 300 127.0.0.2"]);
    assert!(
        a.metadata.authoritative && a.metadata.recursion_desired && !a.metadata.recursion_available
    );
    assert!(a.authorities.is_empty());
    assert_eq!(a.metadata.id, 0xabcd);
    let txt = ask(&catalog, "4.3.2.1.bl.test", RecordType::TXT);
    assert_eq!(lines(&txt.answers), ["4.3.2.1.bl.test. 300 see 1.2.3.4"]);
    let any = ask(&catalog, "4.3.2.1.bl.test", RecordType::ANY);
    assert_eq!(any.answers.len(), 2);
}

#[test]
fn a_minimal_answer_to_any_has_the_records_of_one_type() {
    let records = "w MX 1 a\nw MX 2 b\nw A 1.2.3.4\nm MX 1 a\nm MX 2 b\nt TXT one\nt MX 1 a\n";
    let lists = vec![
        ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "one")]),
        ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 3], "two")]),
        of_text(Kind::Generic, records),
    ];
    let full = catalog(vec![zone("bl.test", lists)]);
    let asked = |catalog: &Catalog, qname: &str, transport| {
        let query = query(qname, RecordType::ANY.into(), 1, None);
        let message = Message::from_vec(&raw(catalog, &query, transport).1).unwrap();
        assert!(!message.metadata.truncation, "{qname}");
        let soa = message.authorities.len();
        (message.answers.iter().map(|record| record.record_type()).collect::<Vec<_>>(), soa)
    };
    use RecordType::{A, MX, NS, SOA, TXT};
    let cases = [
        ("4.3.2.1.bl.test", vec![A, A, TXT, TXT], vec![A, A]),
        ("w.bl.test", vec![A, MX, MX], vec![A]),
        ("m.bl.test", vec![MX, MX], vec![MX, MX]),
        ("t.bl.test", vec![TXT, MX], vec![TXT]),
        ("bl.test", vec![SOA, NS, NS], vec![SOA]),
    ];
    for (qname, all, _) in &cases {
        assert_eq!(asked(&full, qname, Transport::Udp), (all.clone(), 0), "{qname}");
    }
    let minimal = full.with_minimal_any(true);
    for (qname, all, one) in cases {
        assert_eq!(asked(&minimal, qname, Transport::Udp), (one, 0), "{qname}");
        for stream in [Transport::Tcp, Transport::Tls] {
            assert_eq!(asked(&minimal, qname, stream), (all.clone(), 0), "{qname}");
        }
    }
    assert_eq!(asked(&minimal, "5.3.2.1.bl.test", Transport::Udp), (vec![], 1));
}

#[test]
fn negative_answers_carry_the_soa_with_the_minimum_as_ttl() {
    let catalog = listed();
    let soa = ["bl.test. 120 ns1.example.org. admin.bl.test. 7 1 2 3 120"];
    for (qname, qtype, rcode) in [
        ("5.3.2.1.bl.test", RecordType::A, ResponseCode::NXDomain),
        ("4.3.2.1.bl.test", RecordType::AAAA, ResponseCode::NoError),
        ("x.4.3.2.1.bl.test", RecordType::A, ResponseCode::NXDomain),
        ("bl.test", RecordType::A, ResponseCode::NoError),
    ] {
        let message = ask(&catalog, qname, qtype);
        assert_eq!(message.metadata.response_code, rcode, "{qname}");
        assert!(message.answers.is_empty());
        assert_eq!(lines(&message.authorities), soa, "{qname}");
    }
}

#[test]
fn what_lies_above_a_listing_is_an_empty_non_terminal() {
    let catalog = listed();
    for qname in [
        "3.2.1.bl.test",
        "2.1.bl.test",
        "1.bl.test",
        "127.bl.test",
        "0.0.127.bl.test",
        "0.0.0.0.0.bl.test",
        "2.0.0.2.bl.test",
    ] {
        assert_eq!(code(&catalog, qname), ResponseCode::NoError, "{qname}");
    }
    for qname in
        ["4.2.1.bl.test", "3.1.bl.test", "9.bl.test", "x.bl.test", "1.127.bl.test", "x.2.1.bl.test"]
    {
        assert_eq!(code(&catalog, qname), ResponseCode::NXDomain, "{qname}");
    }
}

#[test]
fn several_datasets_give_one_rrset_with_the_least_ttl() {
    let entry = |last, text| [("1.2.3.0", "1.2.3.255", [127, 0, 0, last], text)];
    let datasets =
        vec![ip4(300, &entry(2, "one")), ip4(60, &entry(3, "")), ip4(90, &entry(2, "one"))];
    let catalog = catalog(vec![zone("bl.test", datasets)]);
    let a = ask(&catalog, "4.3.2.1.bl.test", RecordType::A);
    assert_eq!(
        lines(&a.answers),
        ["4.3.2.1.bl.test. 60 127.0.0.2", "4.3.2.1.bl.test. 60 127.0.0.3"]
    );
    let txt = ask(&catalog, "4.3.2.1.bl.test", RecordType::TXT);
    assert_eq!(lines(&txt.answers), ["4.3.2.1.bl.test. 90 one"]);
}

#[test]
fn test_points_are_looked_after_while_the_data_is_good() {
    let loopback = [("127.0.0.0", "127.0.0.1", [127, 0, 0, 2], "")];
    let mut bad = zone("bl.test", vec![ip4(300, &loopback)]);
    let good = catalog(vec![zone("bl.test", vec![ip4(300, &loopback)])]);
    assert_eq!(
        lines(&ask(&good, "2.0.0.127.bl.test", RecordType::A).answers),
        ["2.0.0.127.bl.test. 300 127.0.0.9"]
    );
    assert_eq!(
        ask(&good, "2.0.0.127.bl.test", RecordType::TXT).answers[0].data.to_string(),
        "test 127.0.0.2"
    );
    assert_eq!(code(&good, "1.0.0.127.bl.test"), ResponseCode::NXDomain);
    assert_eq!(code(&good, "test.bl.test"), ResponseCode::NXDomain);
    let mapped = |last: &str| format!("{last}.0.0.0.0.0.f.7.f.f.f.f{}.bl.test", ".0".repeat(20));
    assert_eq!(code(&good, &mapped("2")), ResponseCode::NoError);
    assert_eq!(code(&good, &mapped("1")), ResponseCode::NXDomain);
    bad.state = ZoneState::Degraded;
    assert_eq!(code(&catalog(vec![bad]), "2.0.0.127.bl.test"), ResponseCode::NXDomain);
    let mut off = zone("bl.test", vec![ip4(300, &loopback)]);
    off.test_points = false;
    let off = catalog(vec![off]);
    assert_eq!(code(&off, "2.0.0.127.bl.test"), ResponseCode::NXDomain);
    assert_eq!(code(&off, "1.0.0.127.bl.test"), ResponseCode::NoError);
}

/// A zone with a dataset that was never loaded looked healthy, and delisted what that one lists.
#[test]
fn a_zone_with_a_gap_lists_what_it_has_and_does_not_look_healthy() {
    let entries = [
        ("127.0.0.2", "127.0.0.2", [127, 0, 0, 2], ""),
        ("192.0.2.1", "192.0.2.1", [127, 0, 0, 2], ""),
    ];
    for test_points in [true, false] {
        let partial = |unlisted| {
            let zone = zone("bl.test", vec![ip4(300, &entries)]);
            catalog(vec![Zone { state: ZoneState::Partial(unlisted), test_points, ..zone }])
        };
        let cases = [
            (Unlisted::ServFail, ResponseCode::ServFail),
            (Unlisted::Answer, ResponseCode::NXDomain),
        ];
        for (unlisted, code_of_others) in cases {
            let catalog = partial(unlisted);
            assert_eq!(ask(&catalog, "1.2.0.192.bl.test", RecordType::A).answers.len(), 1);
            assert_eq!(code(&catalog, "2.0.0.127.bl.test"), code_of_others);
            assert_eq!(code(&catalog, "9.9.9.9.bl.test"), code_of_others);
            // What is above a listed name exists in any case, and the zone does.
            assert_eq!(code(&catalog, "2.0.192.bl.test"), ResponseCode::NoError);
            assert_eq!(ask(&catalog, "bl.test", RecordType::SOA).answers.len(), 1);
        }
    }
}

#[test]
fn allow_lists_win_over_listings_but_not_over_test_points() {
    let all = [("0.0.0.0", "255.255.255.255", [127, 0, 0, 2], "")];
    let own = [
        ("1.2.3.4", "1.2.3.4", [127, 0, 0, 3], ""),
        ("127.0.0.2", "127.0.0.2", [127, 0, 0, 3], ""),
    ];
    let mut zone = zone("bl.test", vec![ip4(300, &all)]);
    zone.allow.push(Arc::new(ip4(300, &own)));
    let catalog = catalog(vec![zone]);
    assert_eq!(code(&catalog, "4.3.2.1.bl.test"), ResponseCode::NXDomain);
    assert_eq!(code(&catalog, "5.3.2.1.bl.test"), ResponseCode::NoError);
    assert_eq!(code(&catalog, "3.2.1.bl.test"), ResponseCode::NoError);
    assert_eq!(ask(&catalog, "2.0.0.127.bl.test", RecordType::A).answers.len(), 1);
}

#[test]
fn an_allowed_name_exists_if_names_below_it_are_listed() {
    let list = |entries: &[(&str, Scope)]| {
        let mut answers = AnswersBuilder::default();
        let value = answers.value([127, 0, 0, 2].into(), b"").unwrap();
        let mut names = NamesBuilder::default();
        for (text, scope) in entries {
            names.add(name(text).as_wire(), *scope, Some(value)).unwrap();
        }
        let (names, answers) = names.finish(answers, b"");
        Dataset { names: Some(names), answers, ttl: 300, ..Dataset::default() }
    };
    let listed = [("example", Scope::Both), ("other", Scope::Itself)];
    let mut zone = zone("dn.test", vec![list(&listed)]);
    zone.allow.push(Arc::new(list(&[("ok.example", Scope::Itself), ("other", Scope::Itself)])));
    let catalog = catalog(vec![zone]);
    assert_eq!(ask(&catalog, "a.ok.example.dn.test", RecordType::A).answers.len(), 1);
    let allowed = ask(&catalog, "ok.example.dn.test", RecordType::A);
    assert_eq!((allowed.metadata.response_code, allowed.answers.len()), (ResponseCode::NoError, 0));
    assert_eq!(code(&catalog, "other.dn.test"), ResponseCode::NXDomain);
}

#[test]
fn the_apex_has_soa_and_ns() {
    let catalog = listed();
    let soa = ask(&catalog, "bl.test", RecordType::SOA);
    assert_eq!(lines(&soa.answers), ["bl.test. 3600 ns1.example.org. admin.bl.test. 7 1 2 3 120"]);
    let ns = ask(&catalog, "bl.test", RecordType::NS);
    assert_eq!(
        lines(&ns.answers),
        ["bl.test. 86400 ns1.example.org.", "bl.test. 86400 ns2.bl.test."]
    );
    assert_eq!(ask(&catalog, "bl.test", RecordType::ANY).answers.len(), 3);
}

#[test]
fn name_servers_follow_an_answer_if_wanted_and_if_they_fit() {
    let mut verbose = zone(
        "bl.test",
        vec![ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], &"x".repeat(440))])],
    );
    verbose.minimal_answers = false;
    let catalog = catalog(vec![verbose]);
    assert_eq!(ask(&catalog, "4.3.2.1.bl.test", RecordType::A).authorities.len(), 2);
    let txt = ask(&catalog, "4.3.2.1.bl.test", RecordType::TXT);
    assert_eq!((txt.answers.len(), txt.authorities.len(), txt.metadata.truncation), (1, 0, false));
}

/// As rbldnsd does. Compressed against the apex alone, they did not fit into 512 bytes.
#[test]
fn names_of_name_servers_are_compressed() {
    let mut wide = zone("bl.blocklist-provider.example.org", vec![]);
    let mirror = |n| format!("ns{n}.dns.mirrors.blocklist-provider.example.org");
    let mut names: Vec<String> = (0..8).map(mirror).collect();
    let set = |names: &[String]| {
        let name = |name: &String| NameBuf::from_text(name.as_bytes()).unwrap();
        names.iter().map(name).collect::<Vec<_>>()
    };
    wide.ns = Ns { names: set(&names), ttl: 3600, explicit: true };
    wide.state = ZoneState::Live;
    let question = query("bl.blocklist-provider.example.org", 2, 1, None);
    let (_, bytes) = raw(&catalog(vec![wide]), &question, Transport::Udp);
    let question_end = 12 + 35 + 4;
    assert_eq!(bytes.len(), question_end + (12 + 4 + 4 + 8 + 2) + 7 * (12 + 4 + 2));
    for more in
        ["bl.blocklist-provider.example.org", "org", ".", "a.b.test", "C.B.Test", "ns3.x.ORG"]
    {
        names.push(more.to_owned());
    }
    // More than a pointer reaches, over TCP.
    for count in [0, 700] {
        names.extend((0..count).map(|n| format!("server-{n}.somewhere.else.test")));
        let mut wide = zone("bl.blocklist-provider.example.org", vec![]);
        wide.ns = Ns { names: set(&names), ttl: 3600, explicit: true };
        let (_, bytes) = raw(&catalog(vec![wide]), &question, Transport::Tcp);
        let message = Message::from_vec(&bytes).unwrap();
        let got: Vec<String> = message.answers.iter().map(|ns| ns.data.to_string()).collect();
        let want = names.iter().map(|name| format!("{}.", name.trim_end_matches('.')));
        let lower = |name: String| name.to_lowercase();
        assert!(got.into_iter().map(lower).eq(want.map(lower)), "{count}");
    }
}

#[test]
fn the_longest_apex_wins_and_foreign_names_are_refused() {
    let listing = [("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "")];
    let other = [("1.2.3.5", "1.2.3.5", [127, 0, 0, 2], "")];
    let zones = vec![zone("test", vec![ip4(1, &listing)]), zone("sub.test", vec![ip4(1, &other)])];
    let catalog = catalog(zones);
    assert_eq!(code(&catalog, "4.3.2.1.test"), ResponseCode::NoError);
    assert_eq!(code(&catalog, "4.3.2.1.sub.test"), ResponseCode::NXDomain);
    assert_eq!(code(&catalog, "5.3.2.1.sub.test"), ResponseCode::NoError);
    for foreign in ["4.3.2.1.tests", "org", "."] {
        let message = ask(&catalog, foreign, RecordType::A);
        assert_eq!(message.metadata.response_code, ResponseCode::Refused, "{foreign}");
        assert!(!message.metadata.authoritative);
    }
}

#[test]
fn a_zone_without_data_or_out_of_date_is_servfail() {
    let entry = [("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "")];
    let mut unloaded = zone("bl.test", vec![]);
    unloaded.state = ZoneState::Unloaded;
    assert_eq!(code(&catalog(vec![unloaded]), "4.3.2.1.bl.test"), ResponseCode::ServFail);
    let mut expired = zone("bl.test", vec![ip4(1, &entry)]);
    expired.expires = Some(NOW - 1);
    assert_eq!(code(&catalog(vec![expired]), "4.3.2.1.bl.test"), ResponseCode::ServFail);
    let mut expiring = zone("bl.test", vec![ip4(1, &entry)]);
    expiring.expires = Some(NOW);
    assert_eq!(code(&catalog(vec![expiring]), "4.3.2.1.bl.test"), ResponseCode::NoError);
}

#[test]
fn gates_hide_and_delay() {
    let entry = [("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "")];
    let at = |gate| catalog(vec![zone("bl.test", vec![gated(1, &entry, Some(gate))])]);
    let asked = query("4.3.2.1.bl.test", 1, 1, None);
    let delay = Duration::from_millis(50);
    let (outcome, _) = raw(&at(Gate { delay, ..Gate::default() }), &asked, Transport::Udp);
    assert!(matches!(outcome, Outcome::RespondAfter(49, after) if after == delay), "{outcome:?}");
    let later = at(Gate { not_before: NOW + 1, ..Gate::default() });
    assert_eq!(code(&later, "4.3.2.1.bl.test"), ResponseCode::NXDomain);
    let now = at(Gate { not_before: NOW, ..Gate::default() });
    assert_eq!(code(&now, "4.3.2.1.bl.test"), ResponseCode::NoError);
    let keyed = at(Gate { needs_key: true, ..Gate::default() });
    assert_eq!(code(&keyed, "4.3.2.1.bl.test"), ResponseCode::NXDomain);
}

#[test]
fn ordinary_records_stand_beside_listings() {
    let mut records = RecordsBuilder::default();
    records.add(b"\0", Type::A, 9, &[192, 0, 2, 1]).unwrap();
    records.add(b"\x03www\x01a\0", Type::MX, 8, b"\0\x0a\x02mx\x04test\0").unwrap();
    let records = Dataset { records: Some(records.finish()), ..Dataset::default() };
    let list = ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "")]);
    let catalog = catalog(vec![zone("bl.test", vec![list, records])]);
    assert_eq!(lines(&ask(&catalog, "bl.test", RecordType::A).answers), ["bl.test. 9 192.0.2.1"]);
    assert_eq!(
        lines(&ask(&catalog, "www.a.bl.test", RecordType::MX).answers),
        ["www.a.bl.test. 8 10 mx.test."]
    );
    assert_eq!(code(&catalog, "www.a.bl.test"), ResponseCode::NoError);
    assert_eq!(code(&catalog, "a.bl.test"), ResponseCode::NoError);
    assert_eq!(code(&catalog, "b.bl.test"), ResponseCode::NXDomain);
    assert_eq!(code(&catalog, "4.3.2.1.bl.test"), ResponseCode::NoError);
}

/// A dataset as files of this type make it.
fn of_text(kind: Kind, text: &str) -> Dataset {
    let mut parser = crate::zonefile::Parser::new(kind, crate::zonefile::Options::default());
    parser.start_file();
    parser.feed(text.as_bytes()).unwrap();
    parser.end_file().unwrap();
    of_parsed(parser.finish())
}

fn of_parsed(parsed: crate::zonefile::Parsed) -> Dataset {
    let sections = parsed.parts.into_iter().map(|part| (part.apexes, of_parsed(part.parsed)));
    let sections: Vec<_> = sections.collect();
    let mut default = AnswersBuilder::default();
    let value = default.value(parsed.default_value.0, &parsed.default_value.1).unwrap();
    let id = default.answer(&[value]);
    Dataset {
        ip4: parsed.ip4.map(|addresses| addresses.into_trie(1)),
        ip6: parsed.ip6.map(|addresses| addresses.into_trie()),
        names: parsed.names,
        digests: parsed.digests,
        records: parsed.records,
        subzones: (!sections.is_empty()).then(|| Subzones::new(sections)),
        answers: parsed.answers,
        default_answer: default.finish([id]).0,
        vars: parsed.vars,
        ttl: parsed.ttl,
        ..Dataset::default()
    }
}

/// Return code and records of a question.
fn said(catalog: &Catalog, qname: &str, qtype: RecordType) -> String {
    let reply = ask(catalog, qname, qtype);
    let data: Vec<_> = reply.answers.iter().map(|record| record.data.to_string()).collect();
    let code = match reply.metadata.response_code {
        ResponseCode::NoError if data.is_empty() => "NODATA".to_owned(),
        ResponseCode::NoError => String::new(),
        code => code.to_string(),
    };
    code + &data.join(" ")
}

#[test]
fn the_longest_subzone_answers_and_it_alone() {
    let combined = of_text(
        Kind::Combined,
        "$DATASET dnset @\n.sub at $\n$DATASET ip4set sub deep.er\n1.2.3.4 ip $\n\
         $DATASET dnset sub\n.b.c sub $\n$DATASET dnset x.sub\n.b x $\n\
         $DATASET generic sub\n@ A 192.0.2.9\n",
    );
    let plain = of_text(Kind::Dnset, ".c.sub plain $\n");
    let catalog = catalog(vec![zone("z.test", vec![plain, combined])]);
    for (qname, answer) in [
        ("4.3.2.1.sub", "ip 1.2.3.4"),
        ("4.3.2.1.deep.er", "ip 1.2.3.4"),
        ("4.3.2.1.x.sub", "Non-Existent Domain"),
        ("5.3.2.1.sub", "Non-Existent Domain"),
        ("4.3.2.1", "Non-Existent Domain"),
        ("a.b.c.sub", "plain c.sub sub b.c"),
        ("b.x.sub", "x b"),
        ("c.x.sub", "Non-Existent Domain"),
        ("sub", "NODATA"),
        ("deep.er", "NODATA"),
        ("er", "NODATA"),
        ("3.2.1.sub", "NODATA"),
        ("c.sub", "plain c.sub"),
        ("x.sub", "NODATA"),
        ("other", "Non-Existent Domain"),
        ("2.0.0.127.sub", "NODATA"),
        ("test.x.sub", "NODATA"),
    ] {
        let said = said(&catalog, &format!("{qname}.z.test"), RecordType::TXT);
        assert_eq!(said, answer, "{qname}");
    }
    assert_eq!(said(&catalog, "sub.z.test", RecordType::A), "192.0.2.9");
    assert_eq!(said(&catalog, "sub.z.test", RecordType::NS), "NODATA");
    assert_eq!(said(&catalog, "2.0.0.127.sub.z.test", RecordType::A), "127.0.0.2");
    assert_eq!(said(&catalog, "test.x.sub.z.test", RecordType::A), "127.0.0.2");
    assert_eq!(said(&catalog, "2.0.0.127.x.sub.z.test", RecordType::A), "Non-Existent Domain");
}

#[test]
fn a_zone_of_its_own_hides_the_subzones_below_it() {
    let combined = of_text(Kind::Combined, "$DATASET ip4set a.b c\n1.2.3.4\n");
    let own = ip4(1, &[("1.2.3.5", "1.2.3.5", [127, 0, 0, 3], "")]);
    let catalog = catalog(vec![zone("z.test", vec![combined]), zone("b.z.test", vec![own])]);
    assert_eq!(said(&catalog, "4.3.2.1.c.z.test", RecordType::A), "127.0.0.2");
    assert_eq!(said(&catalog, "4.3.2.1.a.b.z.test", RecordType::A), "Non-Existent Domain");
    assert_eq!(said(&catalog, "5.3.2.1.b.z.test", RecordType::A), "127.0.0.3");
}

#[test]
fn allow_lists_see_a_name_as_the_lists_do() {
    let combined =
        || of_text(Kind::Combined, "$DATASET ip4set a b\n1.2.3.0/24\n$DATASET dnset d\n.x\n");
    let mut plain = zone("z.test", vec![combined()]);
    plain.allow = vec![Arc::new(of_text(Kind::Ip4Set, "1.2.3.4\n"))];
    let mut parted =
        zone("y.test", vec![combined(), ip4(1, &[("1.2.3.0", "1.2.3.9", [127, 0, 0, 3], "")])]);
    parted.allow = vec![Arc::new(of_text(
        Kind::Combined,
        "$DATASET ip4set a @\n1.2.3.4\n$DATASET dnset @\n.good.x.d\n",
    ))];
    let catalog = catalog(vec![plain, parted]);
    for (qname, answer) in [
        ("4.3.2.1.a.z.test", "Non-Existent Domain"),
        ("4.3.2.1.b.z.test", "Non-Existent Domain"),
        ("5.3.2.1.a.z.test", "127.0.0.2"),
        ("4.3.2.1.a.y.test", "Non-Existent Domain"),
        ("4.3.2.1.b.y.test", "127.0.0.2"),
        ("4.3.2.1.y.test", "Non-Existent Domain"),
        ("5.3.2.1.y.test", "127.0.0.3"),
        ("x.d.y.test", "127.0.0.2"),
        ("good.x.d.y.test", "Non-Existent Domain"),
    ] {
        assert_eq!(said(&catalog, qname, RecordType::A), answer, "{qname}");
    }
}

#[test]
fn records_of_a_test_point_are_its_listing() {
    let list = ip4(1, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 3], "")]);
    let records = of_text(Kind::Generic, "2.0.0.127 A 127.0.0.5\n1.0.0.127 A 127.0.0.6\n");
    let catalog = catalog(vec![zone("z.test", vec![list, records])]);
    assert_eq!(said(&catalog, "2.0.0.127.z.test", RecordType::A), "127.0.0.5");
    assert_eq!(said(&catalog, "1.0.0.127.z.test", RecordType::A), "127.0.0.6");
}

#[test]
fn records_of_several_datasets_have_one_ttl() {
    let one = of_text(Kind::Generic, "w 9 MX 1 a\nw 5 MX 2 b\nw 7 A 1.2.3.4\n");
    let two = of_text(Kind::Generic, "w 3 MX 3 c\nw 4 MX 1 a\nw 8 A 1.2.3.4\n");
    let catalog = catalog(vec![zone("z.test", vec![one, two])]);
    let mut all = lines(&ask(&catalog, "w.z.test", RecordType::ANY).answers);
    all.sort();
    let due = ["3 1 a.", "3 2 b.", "3 3 c.", "7 1.2.3.4"].map(|rest| format!("w.z.test. {rest}"));
    assert_eq!(all, due);
}

#[test]
fn ip6_zones_keep_mapped_addresses_to_themselves() {
    let mut builder = AnswersBuilder::default();
    let value = builder.value([127, 0, 0, 2].into(), b"$").unwrap();
    let answer = builder.answer(&[value]);
    let (answers, _) = builder.finish([answer]);
    let start: u128 = "2001:db8::".parse::<std::net::Ipv6Addr>().unwrap().into();
    let range = Range { start, end: start | 0xffff, answer: crate::listing::AnswerId(1) };
    let set = Dataset {
        ip6: Some(Trie6::build([range])),
        answers,
        default_answer: default_answer(),
        ..Dataset::default()
    };
    let catalog = catalog(vec![zone("six.test", vec![set])]);
    let full = format!("4.3.2.1{}.8.b.d.0.1.0.0.2.six.test", ".0".repeat(20));
    assert_eq!(ask(&catalog, &full, RecordType::TXT).answers[0].data.to_string(), "2001:db8::1234");
    assert_eq!(code(&catalog, "8.b.d.0.1.0.0.2.six.test"), ResponseCode::NoError);
    assert_eq!(code(&catalog, "9.b.d.0.1.0.0.2.six.test"), ResponseCode::NXDomain);
    let mapped = format!("2.0.0.0.0.0.f.7.f.f.f.f{}.six.test", ".0".repeat(20));
    assert_eq!(
        ask(&catalog, &mapped, RecordType::TXT).answers[0].data.to_string(),
        "test ::ffff:7f00:2"
    );
    assert_eq!(code(&catalog, "4.3.2.1.six.test"), ResponseCode::NXDomain);
}
