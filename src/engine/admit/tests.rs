use crate::engine::tests::{NOW, catalog, ip4, lines, name, query, zone};
use crate::engine::{Catalog, Figures, Outcome, Reason, Request, Transport, WorkerState, answer};
use crate::listing::records::RecordsBuilder;
use crate::wire::Type;
use crate::zone::{Acl, Dataset, Zone, ZoneState};
use crate::zonefile::{self, Kind, Options, Parser};
use hickory_proto::op::{Message, ResponseCode};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// An access list or a list from the text of its file.
fn of_text(kind: Kind, text: &str) -> Dataset {
    let mut parser = Parser::new(kind, Options { default_ttl: 99, ..Options::default() });
    parser.start_file();
    parser.feed(text.as_bytes()).unwrap();
    parser.end_file().unwrap();
    let parsed = parser.finish();
    let bad = |reason: zonefile::Mistake| !matches!(reason, zonefile::Mistake::Duplicate(_));
    assert!(!parsed.diagnostics.kept.iter().any(|kept| bad(kept.reason)));
    Dataset {
        names: parsed.names,
        acl: parsed.acl.map(Acl::new),
        answers: parsed.answers,
        vars: parsed.vars,
        ttl: parsed.ttl,
        ..Dataset::default()
    }
}

fn acl(text: &str) -> Vec<Arc<Dataset>> {
    vec![Arc::new(of_text(Kind::Acl, text))]
}

fn keys(text: &str) -> Vec<Arc<Dataset>> {
    vec![Arc::new(of_text(Kind::AclKey, text))]
}

/// 1.2.3.4 is listed; `www` has an MX record, the apex too.
fn listed(acl: Vec<Arc<Dataset>>) -> Zone {
    let list = ip4(300, &[("1.2.3.4", "1.2.3.4", [127, 0, 0, 2], "see $")]);
    let mut records = RecordsBuilder::default();
    for owner in [&b"\0"[..], b"\x03www\0"] {
        records.add(owner, Type::MX, 8, b"\0\x0a\x02mx\x04test\0").unwrap();
    }
    let records = Dataset { records: Some(records.finish()), ..Dataset::default() };
    Zone { acl, ..zone("bl.test", vec![list, records]) }
}

fn names(acl: Vec<Arc<Dataset>>) -> Zone {
    let list = of_text(
        Kind::Dnset,
        ":2:$\n.bad.example\nslow.example :3:s @ delay=2s;key=nodelay\n\
        secret.example :4:x @ key=require\nsoon.example :5:y @ ts=1799999990;delay=11\n\
        now.example :6:z @ ts=1799999990;delay=10\n",
    );
    Zone { acl, ..zone("dn.test", vec![list]) }
}

/// The outcome, the message if there is one, and the reason counted.
fn ask_from(
    catalog: &Catalog,
    client: &str,
    qname: &str,
    qtype: u16,
) -> (Outcome, Option<Message>, Reason) {
    let query = query(qname, qtype, 1, None);
    ask_raw(catalog, client.parse().unwrap(), &query)
}

fn ask_raw(catalog: &Catalog, client: IpAddr, query: &[u8]) -> (Outcome, Option<Message>, Reason) {
    let mut out = vec![0; 65_535];
    let mut state = WorkerState::default();
    let request = Request { query, client, transport: Transport::Udp, now: NOW };
    let before = figures(catalog);
    let outcome = answer(catalog, &mut state, &request, &mut out);
    let counted = figures(catalog).since(&before);
    let reason = Reason::ALL.into_iter().find(|&reason| counted.queries(reason) == 1);
    let message = match outcome {
        Outcome::Respond(len) | Outcome::RespondAfter(len, _) => {
            Some(Message::from_vec(&out[..len]).unwrap())
        }
        Outcome::Drop => None,
    };
    (outcome, message, reason.unwrap())
}

fn figures(catalog: &Catalog) -> Figures {
    let zones = catalog.zones().iter().map(|zone| zone.counters.figures());
    zones.chain([catalog.counters().figures()]).sum()
}

/// The reply in a line: its code, "-" for none, and what its answer section has.
fn reply(catalog: &Catalog, client: &str, qname: &str, qtype: u16) -> String {
    let (_, message, _) = ask_from(catalog, client, qname, qtype);
    let Some(message) = message else { return "-".to_owned() };
    let answers = lines(&message.answers).into_iter().map(|line| {
        let data = line.split_once(' ').unwrap().1;
        format!(" [{data}]")
    });
    format!("{:?}{}", message.metadata.response_code, answers.collect::<String>())
}

const A: u16 = 1;
const NS: u16 = 2;
const SOA: u16 = 6;
const MX: u16 = 15;
const TXT: u16 = 16;
const ANY: u16 = 255;

#[test]
fn refused_clients_are_refused_whatever_they_ask_of_the_zone() {
    let catalog = catalog(vec![listed(acl("10/8 :refuse\n10.0.0.1 :pass\n"))]);
    for (qname, qtype) in
        [("4.3.2.1.bl.test", A), ("x.bl.test", TXT), ("bl.test", SOA), ("www.bl.test", MX)]
    {
        let (_, message, reason) = ask_from(&catalog, "10.1.1.1", qname, qtype);
        let message = message.unwrap();
        assert_eq!(message.metadata.response_code, ResponseCode::Refused);
        assert!(!message.metadata.authoritative);
        assert!(message.answers.is_empty() && message.authorities.is_empty());
        assert_eq!(reason, Reason::Denied);
    }
    for client in ["10.0.0.1", "11.0.0.1", "::1"] {
        assert_eq!(reply(&catalog, client, "4.3.2.1.bl.test", A), "NoError [300 127.0.0.2]");
    }
    assert_eq!(reply(&catalog, "::ffff:10.1.1.1", "bl.test", SOA), "Refused");
    let (_, _, reason) = ask_from(&catalog, "10.1.1.1", "elsewhere.test", A);
    assert_eq!(reason, Reason::Refused, "a zone that is not served is no matter of its list");
    let version = query("version.bind", TXT, 3, None);
    let (_, message, reason) = ask_raw(&catalog, "10.1.1.1".parse().unwrap(), &version);
    assert_eq!((message.unwrap().answers.len(), reason), (1, Reason::Chaos));
}

#[test]
fn ignored_clients_have_no_reply_from_the_zone_or_from_the_server() {
    let of_zone = catalog(vec![listed(acl("10/8\n"))]);
    assert_eq!(reply(&of_zone, "10.1.1.1", "bl.test", SOA), "-");
    assert_eq!(reply(&of_zone, "10.1.1.1", "elsewhere.test", A), "Refused");
    assert_eq!(ask_from(&of_zone, "10.1.1.1", "bl.test", A).2, Reason::Ignored);
    let of_all = catalog(vec![listed(Vec::new())]).with_acl(acl("10/8\n"));
    assert_eq!(reply(&of_all, "10.1.1.1", "bl.test", SOA), "-");
    assert_eq!(reply(&of_all, "10.1.1.1", "elsewhere.test", A), "-");
    assert_eq!(reply(&of_all, "11.1.1.1", "elsewhere.test", A), "Refused");
    let client = "10.1.1.1".parse().unwrap();
    for damaged in [&query("version.bind", TXT, 3, None)[..], &[0; 12], &[0; 3]] {
        assert_eq!(ask_raw(&of_all, client, damaged).2, Reason::Ignored);
    }
}

#[test]
fn for_some_the_lists_are_empty_but_ordinary_records_stay() {
    let catalog = catalog(vec![listed(acl("10/8 :empty\n"))]);
    let asked = |qname, qtype| reply(&catalog, "10.1.1.1", qname, qtype);
    assert_eq!(asked("4.3.2.1.bl.test", A), "NXDomain");
    assert_eq!(asked("4.3.2.1.bl.test", ANY), "NXDomain");
    assert_eq!(asked("2.0.0.127.bl.test", A), "NXDomain", "nor the test point");
    assert_eq!(asked("3.2.1.bl.test", A), "NXDomain", "nothing is below");
    assert_eq!(asked("www.bl.test", MX), "NoError [8 10 mx.test.]");
    assert_eq!(asked("www.bl.test", A), "NoError");
    assert_eq!(asked("bl.test", MX), "NoError [8 10 mx.test.]");
    assert_eq!(asked("bl.test", NS), "NoError [86400 ns1.example.org.] [86400 ns2.bl.test.]");
    assert_eq!(asked("bl.test", A), "NoError");
}

#[test]
fn for_some_everything_is_listed_with_their_address_in_the_text() {
    let text =
        "$TTL 77\n$1 http://x/?\n10/8 :9:over quota, $1$\n2001:db8::/32 :8:six $\n10.2/16 :7:\n";
    let own = catalog(vec![
        Zone { allow: listed(Vec::new()).datasets, ..listed(acl(text)) },
        names(acl(text)),
    ]);
    let asked = |qname, qtype| reply(&own, "10.1.1.1", qname, qtype);
    for qname in ["4.3.2.1.bl.test", "9.9.9.9.bl.test", "1.0.0.127.bl.test", "x.y.dn.test"] {
        assert_eq!(asked(qname, A), "NoError [77 127.0.0.9]");
        assert_eq!(asked(qname, TXT), "NoError [77 over quota, http://x/?10.1.1.1]");
        assert_eq!(asked(qname, MX), "NoError");
        assert_eq!(asked(qname, ANY), "NoError [77 127.0.0.9] [77 over quota, http://x/?10.1.1.1]");
    }
    assert_eq!(asked("3.2.1.bl.test", A), "NoError", "all that is below is listed");
    for qname in ["x.bl.test", "256.1.1.1.bl.test", "1.2.3.4.5.bl.test"] {
        assert_eq!(asked(qname, A), "NXDomain", "{qname} is no key of the list");
    }
    assert_eq!(asked("bl.test", A), "NoError");
    assert_eq!(asked("www.bl.test", MX), "NoError [8 10 mx.test.]");
    assert_eq!(reply(&own, "2001:db8::9", "x.dn.test", TXT), "NoError [77 six 2001:db8::9]");
    assert_eq!(reply(&own, "::ffff:10.2.1.1", "x.dn.test", A), "NoError [77 127.0.0.7]");
    assert_eq!(reply(&own, "10.2.1.1", "x.dn.test", TXT), "NoError", "no text, no record");
}

#[test]
fn the_strictest_action_counts_and_the_value_of_the_server() {
    let first = ":9:of all\n10.0/16\n10.1/16 :ignore\n10.2/16 :refuse\n10.3/16 :empty\n10.4/16\n10.5/16 :pass\n";
    let second = "10.0/16 :8:of the zone\n10.1/16 :pass\n10.2/16 :empty\n10.3/16 :8:x\n10.4/16 :pass\n10.5/16 :8:y\n";
    let catalog = catalog(vec![listed(acl(second))]).with_acl(acl(first));
    let asked = |client| reply(&catalog, client, "4.3.2.1.bl.test", TXT);
    assert_eq!(asked("10.0.1.1"), "NoError [99 of all]");
    assert_eq!(asked("10.1.1.1"), "-");
    assert_eq!(asked("10.2.1.1"), "Refused");
    assert_eq!(asked("10.3.1.1"), "NXDomain");
    assert_eq!(asked("10.4.1.1"), "NoError [99 of all]");
    assert_eq!(asked("10.5.1.1"), "NoError [99 y]");
    assert_eq!(asked("10.6.1.1"), "NoError [300 see 1.2.3.4]");
}

#[test]
fn a_dead_zone_is_dead_for_all_but_those_it_ignores() {
    let dead = Zone { state: ZoneState::Unloaded, ..listed(acl("10/8\n11/8 :refuse\n")) };
    let catalog = catalog(vec![dead]);
    assert_eq!(reply(&catalog, "10.1.1.1", "bl.test", SOA), "-");
    assert_eq!(reply(&catalog, "11.1.1.1", "bl.test", SOA), "ServFail");
    assert_eq!(reply(&catalog, "12.1.1.1", "bl.test", SOA), "ServFail");
}

#[test]
fn a_key_opens_an_address_zone() {
    let catalog = catalog(vec![listed(keys(":refuse\nSecret :pass\nold :empty\nbad\nall :7:$\n"))]);
    let asked = |qname, qtype| reply(&catalog, "10.1.1.1", qname, qtype);
    assert_eq!(asked("4.3.2.1.bl.test", A), "Refused");
    assert_eq!(asked("4.3.2.1.secret.bl.test", TXT), "NoError [300 see 1.2.3.4]");
    assert_eq!(asked("4.3.2.1.SECRET.bl.test", A), "NoError [300 127.0.0.2]");
    assert_eq!(asked("5.3.2.1.secret.bl.test", A), "NXDomain");
    assert_eq!(asked("2.1.secret.bl.test", A), "NoError");
    assert_eq!(asked("www.secret.bl.test", MX), "NoError [8 10 mx.test.]");
    assert_eq!(asked("4.3.2.1.wrong.bl.test", A), "Refused");
    assert_eq!(asked("4.3.2.1.bad.bl.test", A), "Refused");
    assert_eq!(asked("4.3.2.1.old.bl.test", A), "NXDomain");
    assert_eq!(asked("9.9.9.9.all.bl.test", TXT), "NoError [99 10.1.1.1]");
    // Not even of other types, by which one could tell what is listed.
    for qtype in [SOA, NS, ANY, MX] {
        assert_eq!(asked("4.3.2.1.bl.test", qtype), "Refused");
    }
    for qtype in [SOA, NS] {
        assert!(asked("bl.test", qtype).starts_with("NoError ["));
    }
    for qtype in [A, MX, ANY] {
        assert_eq!(asked("bl.test", qtype), "Refused");
    }
}

#[test]
fn a_key_alone_exists_and_has_nothing() {
    let catalog = catalog(vec![listed(keys(":pass\nsecret :pass\nold :empty\nno :refuse\n"))]);
    let asked = |qname, qtype| reply(&catalog, "10.1.1.1", qname, qtype);
    for qtype in [A, MX, SOA, ANY] {
        assert_eq!(asked("secret.bl.test", qtype), "NoError", "not the records of the apex");
        assert_eq!(asked("old.bl.test", qtype), "NXDomain");
        assert_eq!(asked("no.bl.test", qtype), "Refused");
        assert_eq!(asked("other.bl.test", qtype), "NXDomain");
    }
}

#[test]
fn names_without_a_known_key_are_looked_up_as_before() {
    let catalog = catalog(vec![names(keys(":pass\nkey :pass\n")), listed(keys(":pass\n"))]);
    let asked = |qname, qtype| reply(&catalog, "10.1.1.1", qname, qtype);
    assert_eq!(asked("x.bad.example.dn.test", TXT), "NoError [99 bad.example]");
    assert_eq!(asked("x.bad.example.key.dn.test", TXT), "NoError [99 bad.example]");
    assert_eq!(asked("x.bad.example.none.dn.test", TXT), "NXDomain");
    assert_eq!(asked("4.3.2.1.bl.test", A), "NoError [300 127.0.0.2]");
}

#[test]
fn without_a_default_line_who_has_no_key_has_no_reply() {
    // The fork lists everything as 127.0.0.2 for them.
    let catalog = catalog(vec![listed(keys("secret :pass\nother\n"))]);
    assert_eq!(reply(&catalog, "10.1.1.1", "9.9.9.9.bl.test", A), "-");
    assert_eq!(reply(&catalog, "10.1.1.1", "9.9.9.9.other.bl.test", A), "-");
    assert_eq!(reply(&catalog, "10.1.1.1", "4.3.2.1.secret.bl.test", A), "NoError [300 127.0.0.2]");
    assert!(reply(&catalog, "10.1.1.1", "bl.test", SOA).starts_with("NoError ["));
}

#[test]
fn keys_of_the_server_hold_for_all_zones_and_stand_behind_those_of_a_zone() {
    let all = keys(":refuse\nglobal :pass\n");
    let catalog = catalog(vec![listed(keys(":pass\nown :pass\n"))]).with_acl(all);
    let asked = |qname| reply(&catalog, "10.1.1.1", qname, A);
    assert_eq!(asked("4.3.2.1.bl.test"), "Refused");
    assert_eq!(asked("4.3.2.1.own.bl.test"), "Refused");
    assert_eq!(asked("4.3.2.1.global.bl.test"), "NoError [300 127.0.0.2]");
    assert_eq!(asked("4.3.2.1.own.global.bl.test"), "NoError [300 127.0.0.2]");
    assert_eq!(asked("own.global.bl.test"), "NoError");
    assert_eq!(asked("global.bl.test"), "NoError");
}

#[test]
fn entries_ask_for_keys_and_times() {
    let catalog = catalog(vec![names(keys(":pass\nkey :pass\n"))]);
    let asked = |qname| reply(&catalog, "10.1.1.1", qname, A);
    assert_eq!(asked("secret.example.dn.test"), "NXDomain");
    assert_eq!(asked("secret.example.key.dn.test"), "NoError [99 127.0.0.4]");
    assert_eq!(asked("soon.example.dn.test"), "NXDomain");
    assert_eq!(asked("soon.example.key.dn.test"), "NXDomain");
    assert_eq!(asked("now.example.dn.test"), "NoError [99 127.0.0.6]");
    let wait = |qname| match ask_from(&catalog, "10.1.1.1", qname, TXT).0 {
        Outcome::RespondAfter(_, wait) => wait,
        Outcome::Respond(_) => Duration::ZERO,
        Outcome::Drop => panic!("a reply is due"),
    };
    assert_eq!(wait("slow.example.dn.test"), Duration::from_secs(2));
    assert_eq!(wait("slow.example.key.dn.test"), Duration::ZERO);
    assert_eq!(wait("now.example.dn.test"), Duration::ZERO);
}

#[test]
fn names_of_the_greatest_length_keep_their_bounds() {
    let label = "k".repeat(63);
    let zone = Zone { acl: keys(&format!(":pass\n{label} :pass\n")), ..names(Vec::new()) };
    let catalog = catalog(vec![Zone { apex: name("t"), ..zone }]);
    let qname = format!("{}.{label}.{label}.{label}.t", "x".repeat(59));
    assert_eq!(reply(&catalog, "10.1.1.1", &qname, A), "NXDomain");
    assert_eq!(reply(&catalog, "10.1.1.1", &format!("{}t", "a.".repeat(126)), A), "NXDomain");
}

/// A line of an access list and what it means: the first address and the length, or a key.
#[derive(Clone, Debug)]
struct Line {
    address: u32,
    len: u8,
    action: usize,
}

const ACTIONS: [&str; 5] = [":pass", ":9:value", ":empty", ":refuse", ":ignore"];

fn line() -> impl Strategy<Value = Line> {
    let len = prop_oneof![Just(0_u8), Just(8), Just(16), Just(30), Just(31), Just(32)];
    (0..8_u32, len, 0..ACTIONS.len()).prop_map(|(low, len, action)| {
        let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
        Line { address: (0x0a00_0000 | low) & mask, len, action }
    })
}

/// The action of the longest prefix that has the client, and of equal ones the first.
fn action_of(lines: &[Line], client: u32) -> usize {
    let holds = |line: &&Line| {
        line.len == 0 || line.address >> (32 - line.len) == client >> (32 - line.len)
    };
    let best = lines.iter().filter(holds).map(|line| line.len).max();
    let first = lines.iter().filter(holds).find(|line| Some(line.len) == best);
    first.map_or(0, |line| line.action)
}

fn text_of(lines: &[Line]) -> String {
    let line = |line: &Line| {
        let address = Ipv4Addr::from(line.address);
        format!("{address}/{} {}\n", line.len, ACTIONS[line.action])
    };
    lines.iter().map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Against all lines looked at one by one, and the strictest action by its place in the list.
    #[test]
    fn lists_of_clients_and_keys_together_say_what_they_say_one_by_one(
        all in proptest::collection::vec(line(), 0..6),
        own in proptest::collection::vec(line(), 0..6),
        known in proptest::collection::btree_map(0..3_u8, 0..ACTIONS.len(), 0..3),
        unknown in 0..ACTIONS.len(),
        client in 0..8_u32,
        shown in 0..4_u8,
        listed_key in any::<bool>(),
    ) {
        let mut lists = acl(&text_of(&own));
        let key_lines = known.iter().map(|(key, action)| format!("k{key} {}\n", ACTIONS[*action]));
        let key_text = format!("{}\n{}", ACTIONS[unknown], key_lines.collect::<String>());
        lists.extend(keys(&key_text));
        let catalog = catalog(vec![listed(lists)]).with_acl(acl(&text_of(&all)));
        let client = 0x0a00_0000 | client;
        let address = if listed_key { "4.3.2.1" } else { "9.9.9.9" };
        let qname = match shown {
            3 => format!("{address}.bl.test"),
            key => format!("{address}.k{key}.bl.test"),
        };
        let key = known.get(&shown);
        let strictest = [action_of(&all, client), action_of(&own, client), *key.unwrap_or(&unknown)];
        let is_key = key.is_some() || shown == 3;
        let want = match (strictest.into_iter().max().unwrap(), is_key) {
            (0, true) if listed_key => "NoError [300 127.0.0.2]",
            (1, true) => "NoError [99 127.0.0.9]",
            (0..=2, _) => "NXDomain",
            (3, _) => "Refused",
            _ => "-",
        };
        prop_assert_eq!(reply(&catalog, &Ipv4Addr::from(client).to_string(), &qname, A), want);
    }
}
