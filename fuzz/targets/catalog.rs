//! What the queries are asked of: zones with every type of dataset, and in every state.

use dnsbld::engine::Catalog;
use dnsbld::listing::records::RecordsBuilder;
use dnsbld::listing::{AnswersBuilder, Gate, Range};
use dnsbld::trie::Trie4;
use dnsbld::wire::Type;
use dnsbld::wire::name::NameBuf;
use dnsbld::zone::{
    Acl, Chaos, Counters, Dataset, Ns, Soa, Subzones, TransferAccess, Zone, ZoneState,
};
use dnsbld::zonefile::{Kind, Options, Parsed, Parser};
use std::sync::Arc;
use std::time::Duration;

/// The time of the queries, in seconds since 1970.
pub(crate) const NOW: u64 = 1_800_000_000;
/// The delay of the answers behind a gate.
pub(crate) const DELAY: Duration = Duration::from_millis(1500);

const IP4SET: &str = "$SOA 3000 ns.bl.test hostmaster.bl.test 0 600 300 86400 60\n\
    $NS 3600 ns1.bl.test ns2.elsewhere.test -ns3.bl.test\n$TTL 300\n$1 https://bl.test/?\n\
    :2:$1$\n192.0.2.0/24\n192.0.2.7 :3:own text for $\n192.0.2.7 :4:\n!192.0.2.9\n\
    10.0.0.0/8 :10:private\n198.51.100.1-198.51.100.77\n203.0.113.200-250 :5:range\n0.0.0.0\n\
    255.255.255.255 :9:last\n";
const IP4TSET: &str = ":7:single $\n192.0.2.1\n192.0.2.7\n198.18.0.1\n127.0.0.2\n";
const IP4TRIE: &str = "$TTL 60\n$= see $= of $\n:6:t\n172.16.0.0/12\n!172.16.5.0/24\n\
    172.16.5.5 :8:inner\n2001:db8::/32 :11:six\n!2001:db8:1::/48\n2002:c000:0200::/40 :12:sixtofour\n\
    ::ffff:c612:700/120 :13:mapped\n128.0.0.0/1 :14:half\n";
const IP6TSET: &str = ":2:net $\n2001:db8:0:1\n2001:db8:0:2\n!2001:db8:0:1::7\nfe80:0:0:0\n";
const IP6TRIE: &str = ":3:prefix $\n2001:db8::/33\n2001:db8:8000::1\n!2001:db8:4::/48\n\
    2001:db8:4::5 :4:\n2002::/16 :5:all sixtofour\n::ffff:0:0/96 :6:all mapped\nff00::/8\n";
const DNSET: &str = "$TTL 900\n:2:name $\nexample.com\n.spam.example.com :3:$ below\n*.wild.test\n\
    !good.wild.test\na.b.c.d.e.f.g :4:deep\nxn--bcher-kva.example\n!.clean.spam.example.com\n\
    TEST.upper :5:\n\\009odd\\.label.example :6:$\n1.2.3.4 :7:digits\n";
const HASHES: &str = ":2:hash $\n00000000000000aa\n00000000000000AB :3:$\n!00000000000000ac\n\
    00000000000000ad :4:\n";
const CLIENTS: &str = "$TTL 9\n192.0.2.0/24 :9:all is listed, $\n::1 :empty\n";
const KEYS: &str = ":pass\nsecret :pass\nodd :empty\n";
const GENERIC: &str = "$TTL 60\n@ A 192.0.2.1\n@ 5m MX 10 mail\nwww TXT \"text $\"\nwww A 192.0.2.2\n\
    a.b.c IN TXT deep\n7.2.0.192 A 127.0.0.9\n";
const COMBINED: &str = "$TTL 2m\n$1 common\n$DATASET ip4set a @ b\n:3:four $ $1\n192.0.2.0/24\n\
    $DATASET ip6trie b c.b\n:6:six $ $1\n2001:db8::/32\n$DATASET dnset c.b d.e\n.wild.com :4:name $\n\
    .test :5:\n$DATASET generic @ c.b\n@ A 192.0.2.80\nwww MX 10 mail.test\n";
const ALLOW_COMBINED: &str = "$DATASET ip4set a\n192.0.2.4\n$DATASET dnset @\n.good.wild.com.c.b\n";
const ALLOW4: &str = "192.0.2.3\n10.1.0.0/16\n172.16.5.5\n";
const ALLOW6: &str = "2001:db8:7::/48\n";
const ALLOW_NAMES: &str = "ok.spam.example.com\n.fine.wild.test\n";

/// All zones but the root, or the root and names of the greatest length, each with the data of
/// another zone.
pub(crate) fn catalog(with_root: bool) -> Catalog {
    let chaos = Chaos { version: Some((*b"dnsbld").into()), id: None };
    let mut zones = if with_root { extreme_zones() } else { usual_zones() };
    // A second zone of one name never counts.
    zones.push(zone("dn.test", vec![many_values(3, 9)]));
    Catalog::new(zones, chaos)
}

/// Zones of lists, which have the fast path; and the same with an access list of keys that restricts
/// nobody, where all queries take the general path.
pub(crate) fn plain() -> [Catalog; 2] {
    let plain = || Catalog::new(plain_zones(), Chaos::default());
    [plain(), plain().with_acl(acl(Kind::AclKey, ":pass\n"))]
}

fn plain_zones() -> Vec<Zone> {
    let text = dataset;
    vec![
        Zone { minimal_answers: false, ..zone("bl.test", vec![text(Kind::Ip4Tset, IP4TSET)]) },
        zone("net.bl.test", vec![text(Kind::Ip4Set, IP4SET), text(Kind::Ip4Tset, IP4TSET)]),
        Zone { test_points: false, ..zone("two.test", vec![text(Kind::Ip4Set, IP4SET)]) },
        zone("all.test", vec![text(Kind::Ip4Trie, IP4TRIE), text(Kind::Dnset, DNSET)]),
        zone("six.test", vec![text(Kind::Ip6Trie, IP6TRIE), text(Kind::Ip6Tset, IP6TSET)]),
        zone("dn.test", vec![text(Kind::Dnset, DNSET)]),
        zone("hash.test", vec![text(Kind::Hashset, HASHES)]),
        Zone {
            allow: vec![Arc::new(text(Kind::Ip4Set, ALLOW4))],
            ..zone("allow.test", vec![text(Kind::Ip4Set, IP4SET)])
        },
        Zone {
            allow: vec![Arc::new(text(Kind::Dnset, ALLOW_NAMES))],
            ..zone("good.test", vec![text(Kind::Dnset, DNSET)])
        },
        Zone {
            acl: acl(Kind::Acl, "0/0 :refuse\n192.0.2.0/24 :pass\n"),
            ..zone("acl.test", vec![text(Kind::Ip4Set, IP4SET)])
        },
        zone("long.test", vec![many_values(3, 400)]),
        Zone { state: ZoneState::Unloaded, ..zone("dead.test", Vec::new()) },
        Zone { expires: Some(NOW), ..zone("old.test", vec![text(Kind::Ip4Set, IP4SET)]) },
    ]
}

fn usual_zones() -> Vec<Zone> {
    let text = dataset;
    let addresses = || vec![text(Kind::Ip4Set, IP4SET), text(Kind::Ip4Tset, IP4TSET)];
    let mut all = addresses();
    all.extend([text(Kind::Ip6Trie, IP6TRIE), text(Kind::Dnset, DNSET), records()]);
    let allow = || {
        let lists = [(Kind::Ip4Set, ALLOW4), (Kind::Ip6Trie, ALLOW6), (Kind::Dnset, ALLOW_NAMES)];
        lists.map(|(kind, list)| Arc::new(text(kind, list))).into()
    };
    vec![
        Zone { minimal_answers: false, ..zone("bl.test", addresses()) },
        Zone { allow: allow(), ..zone("net.bl.test", vec![text(Kind::Ip4Trie, IP4TRIE)]) },
        zone("six.test", vec![text(Kind::Ip6Tset, IP6TSET), text(Kind::Ip6Trie, IP6TRIE)]),
        zone("dn.test", vec![text(Kind::Dnset, DNSET), records()]),
        zone("hash.test", vec![text(Kind::Hashset, HASHES), text(Kind::Dnset, DNSET)]),
        Zone { allow: allow(), minimal_answers: false, ..zone("all.test", all) },
        Zone { test_points: false, ..zone("generic.test", vec![records()]) },
        Zone {
            acl: acl(Kind::AclKey, KEYS),
            ..zone("gate.test", vec![gated(), text(Kind::Ip4Tset, IP4TSET)])
        },
        Zone { acl: acl(Kind::Acl, CLIENTS), ..zone("acl.test", acl_data()) },
        zone("com.test", vec![text(Kind::Combined, COMBINED), text(Kind::Generic, GENERIC)]),
        Zone {
            allow: vec![
                Arc::new(text(Kind::Ip4Set, ALLOW4)),
                Arc::new(text(Kind::Combined, ALLOW_COMBINED)),
            ],
            ..zone(
                "two.test",
                vec![
                    text(Kind::Dnset, DNSET),
                    text(Kind::Combined, COMBINED),
                    text(Kind::Combined, "$DATASET dnset b x.b\n.com\n"),
                ],
            )
        },
        zone("a.two.test", vec![text(Kind::Ip4Set, IP4SET)]),
        zone("long.test", vec![many_values(3, 400)]),
        zone("huge.test", vec![many_values(255, 1020)]),
        Zone { state: ZoneState::Unloaded, ..zone("dead.test", Vec::new()) },
        Zone { state: ZoneState::Degraded, ..zone("ill.test", addresses()) },
        Zone { expires: Some(NOW), ..zone("old.test", addresses()) },
    ]
}

fn extreme_zones() -> Vec<Zone> {
    let deep = "x.".repeat(123) + "deep";
    let long = format!("{0}.{0}.{0}.{1}", "l".repeat(63), "l".repeat(40));
    let mut root = zone("", vec![dataset(Kind::Ip4Set, IP4SET), dataset(Kind::Dnset, DNSET)]);
    root.minimal_answers = false;
    root.ns.names = (0..13).map(|n| name(&format!("{n}.ns.servers.test"))).collect();
    root.ns.explicit = true;
    let mut long = zone(&long, vec![dataset(Kind::Ip4Set, IP4SET), records()]);
    long.ns.names = ["a", "b", "c"].iter().filter_map(|n| name(n).join(&long.apex)).collect();
    vec![root, long, zone(&deep, vec![dataset(Kind::Dnset, DNSET)])]
}

fn zone(apex: &str, datasets: Vec<Dataset>) -> Zone {
    let soa = datasets.iter().find_map(|set| set.soa.clone()).unwrap_or_else(|| Soa {
        ttl: 2100,
        mname: name("localhost"),
        rname: name("nobody.invalid"),
        serial: 7,
        refresh: 1,
        retry: 2,
        expire: 3,
        minimum: 5,
    });
    let ns = datasets.iter().find_map(|set| set.ns.clone());
    let stand_in = Ns { names: vec![soa.mname.clone()], ttl: 2100, explicit: false };
    Zone {
        apex: name(apex).to_lowercase(),
        soa,
        ns: ns.unwrap_or(stand_in),
        datasets: datasets.into_iter().map(Arc::new).collect(),
        allow: Vec::new(),
        scoring: None,
        acl: Vec::new(),
        transfer: TransferAccess::default(),
        state: ZoneState::Live,
        says_stale: false,
        expires: None,
        test_points: true,
        minimal_answers: true,
        health: None,
        content_id: 0,
        quotas: Vec::new(),
        counters: Counters::new(1),
    }
}

pub(crate) fn name(text: &str) -> NameBuf {
    text.parse().expect("a name")
}

/// A dataset from the text of its file.
fn dataset(kind: Kind, text: &str) -> Dataset {
    let mut parser = Parser::new(kind, Options::default());
    parser.start_file();
    parser.feed(text.as_bytes()).expect("a good file");
    parser.end_file().expect("a good file");
    let parsed = parser.finish();
    // Lines that are used may be told: some are here for their oddity.
    assert_eq!(parsed.diagnostics.refused, 0, "{:?}", parsed.diagnostics.kept);
    of_parsed(parsed)
}

fn of_parsed(parsed: Parsed) -> Dataset {
    let mut default = AnswersBuilder::default();
    let value = default.value(parsed.default_value.0, &parsed.default_value.1).expect("room");
    let id = default.answer(&[value]);
    Dataset {
        name: parsed.kind.to_string(),
        ip4: parsed.ip4.map(|addresses| addresses.into_trie(2)),
        ip6: parsed.ip6.map(|addresses| addresses.into_trie()),
        names: parsed.names,
        digests: parsed.digests,
        hides_empty_non_terminals: false,
        acl: parsed.acl.map(Acl::new),
        records: parsed.records,
        subzones: (parsed.kind == Kind::Combined).then(|| {
            Subzones::new(
                parsed.parts.into_iter().map(|part| (part.apexes, of_parsed(part.parsed))),
            )
        }),
        answers: parsed.answers,
        default_answer: default.finish([id]).0,
        vars: parsed.vars,
        ttl: parsed.ttl,
        soa: parsed.soa,
        ns: parsed.ns.map(|ns| Ns { names: ns.names, ttl: ns.ttl, explicit: true }),
        expires: parsed.expires,
        next_expiry: None,
    }
}

fn acl(kind: Kind, text: &str) -> Vec<Arc<Dataset>> {
    vec![Arc::new(dataset(kind, text))]
}

/// What is hidden from some clients, or listed for them in whole.
fn acl_data() -> Vec<Dataset> {
    vec![dataset(Kind::Ip4Set, IP4SET), dataset(Kind::Ip6Trie, IP6TRIE), records()]
}

/// The records of a `generic` dataset.
fn records() -> Dataset {
    let mut set = RecordsBuilder::default();
    let mut add = |owner: &str, rtype, ttl, data: &[u8]| {
        set.add(name(owner).as_wire(), rtype, ttl, data).expect("room");
    };
    add("www", Type::A, 60, &[192, 0, 2, 80]);
    add("www", Type::A, 90, &[192, 0, 2, 81]);
    add("www", Type::TXT, 90, b"\x05hello");
    add("www", Type::MX, 120, b"\x00\x0a\x04mail\x04test\x00");
    add("a.b.c.d", Type::TXT, 1, b"\x00");
    add("7.2.0.192", Type::A, 5, &[127, 0, 0, 99]);
    add("", Type::MX, 300, b"\x00\x00\x00");
    Dataset { records: Some(set.finish()), ..Dataset::default() }
}

/// 192.0.2.0 to 192.0.2.3: later, with a key, after a delay, and at once.
fn gated() -> Dataset {
    let gates = [
        Some(Gate { not_before: NOW + 1, key_spares: true, ..Gate::default() }),
        Some(Gate { needs_key: true, ..Gate::default() }),
        Some(Gate { not_before: NOW, delay: DELAY, ..Gate::default() }),
        None,
    ];
    let mut builder = AnswersBuilder::default();
    let ids = gates.map(|gate| {
        let value = builder.gated_value([127, 0, 0, 2].into(), b"gate $", gate).expect("room");
        builder.answer(&[value])
    });
    let (answers, new) = builder.finish(ids);
    let ranges = ids.iter().zip(0xc000_0200..).map(|(id, key)| Range {
        start: key,
        end: key,
        answer: new.get(*id),
    });
    Dataset { ip4: Some(Trie4::build(ranges)), answers, ttl: 30, ..Dataset::default() }
}

/// 192.0.2.1 with so many values, each with a text of so many bytes.
fn many_values(count: u8, text: usize) -> Dataset {
    let mut builder = AnswersBuilder::default();
    let values: Vec<_> = (0..count)
        .map(|n| builder.value([127, 0, 1, n].into(), &vec![n; text]).expect("room"))
        .collect();
    let id = builder.answer(&values);
    let (answers, _) = builder.finish([id]);
    let range = Range { start: 0xc000_0201_u32, end: 0xc000_0201, answer: id };
    Dataset { ip4: Some(Trie4::build([range])), answers, ttl: 5, ..Dataset::default() }
}
