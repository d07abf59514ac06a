//! From the text of a data file to what the engine answers from, and queries for it.

use dnsbld::engine::{Catalog, Counters};
use dnsbld::listing::AnswersBuilder;
use dnsbld::wire::name::NameBuf;
use dnsbld::zone::{Acl, Chaos, Dataset, Ns, Soa, Subzones, TransferAccess, Zone, ZoneState};
use dnsbld::zonefile::{Kind, Options, Parsed, Parser};
use std::sync::Arc;

/// A dataset of this type with this text as its file.
pub fn dataset(kind: &str, text: &[u8]) -> Dataset {
    let kind: Kind = kind.parse().expect("a type of dataset");
    let mut parser = Parser::new(kind, Options::default());
    parser.start_file();
    parser.feed(text).expect("lines that can be read");
    parser.end_file().expect("a whole file");
    build(parser.finish())
}

fn build(parsed: Parsed) -> Dataset {
    let mut default = AnswersBuilder::default();
    let (a, text) = &parsed.default_value;
    let value = default.value(*a, text).map(|value| default.answer(&[value]));
    let sections = parsed.parts.into_iter().map(|part| (part.apexes, build(part.parsed)));
    let subzones = (parsed.kind == Kind::Combined).then(|| Subzones::new(sections));
    Dataset {
        ip4: parsed.ip4.map(|addresses| addresses.into_trie(1)),
        ip6: parsed.ip6.map(|addresses| addresses.into_trie()),
        names: parsed.names,
        digests: parsed.digests,
        records: parsed.records,
        acl: parsed.acl.map(Acl::new),
        subzones,
        answers: parsed.answers,
        default_answer: default.finish(value).0,
        vars: parsed.vars,
        ttl: parsed.ttl,
        ..Dataset::default()
    }
}

/// A catalog of zones, each with an apex and its datasets.
pub fn catalog(zones: impl IntoIterator<Item = (String, Vec<Arc<Dataset>>)>) -> Catalog {
    let zones = zones.into_iter().map(|(apex, datasets)| zone(&apex, datasets));
    Catalog::new(zones.collect(), Chaos::default())
}

/// A query with RD set and without EDNS.
pub fn query(name: &str, qtype: u16) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend(self::name(name).as_wire());
    message.extend(qtype.to_be_bytes());
    message.extend([0, 1]);
    message
}

/// The same with EDNS: a payload of 1232 bytes, DO, and a cookie of the client (RFC 7873).
pub fn query_with_edns(name: &str, qtype: u16) -> Vec<u8> {
    let mut message = query(name, qtype);
    message[11] = 1;
    message.extend(b"\0\0\x29\x04\xd0\0\0\x80\0\0\x0c\0\x0a\0\x08clientck");
    message
}

/// A zone with these datasets.
pub fn zone(apex: &str, datasets: Vec<Arc<Dataset>>) -> Zone {
    let host = |label: &str| name(&format!("{label}.{apex}"));
    let soa = Soa {
        mname: host("ns"),
        rname: host("hostmaster"),
        serial: 1,
        refresh: 600,
        retry: 300,
        expire: 86400,
        minimum: 60,
        ttl: 3600,
    };
    Zone {
        apex: name(apex),
        soa,
        ns: Ns { names: vec![host("ns")], ttl: 3600, explicit: true },
        datasets,
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

fn name(text: &str) -> NameBuf {
    text.parse().expect("a valid name")
}
