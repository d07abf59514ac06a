//! Datasets and zones for the tests of this room and of those above.

use super::{Acl, Counters, Dataset, Ns, Soa, TransferAccess, Zone, ZoneState};
use crate::listing::AnswersBuilder;
use crate::wire::name::NameBuf;
use crate::zonefile::{Kind, Options, Parser};
use std::sync::Arc;

/// The dataset that these lines make.
pub(crate) fn dataset(kind: Kind, text: &str) -> Dataset {
    let mut parser = Parser::new(kind, Options::default());
    parser.start_file();
    parser.feed(text.as_bytes()).unwrap();
    parser.end_file().unwrap();
    let parsed = parser.finish();
    let mut default = AnswersBuilder::default();
    let value = default.value(parsed.default_value.0, &parsed.default_value.1).unwrap();
    let answer = default.answer(&[value]);
    Dataset {
        ip4: parsed.ip4.map(|addresses| addresses.into_trie(1)),
        ip6: parsed.ip6.map(|addresses| addresses.into_trie()),
        names: parsed.names,
        digests: parsed.digests,
        acl: parsed.acl.map(Acl::new),
        answers: parsed.answers,
        default_answer: default.finish([answer]).0,
        vars: parsed.vars,
        ttl: parsed.ttl,
        soa: parsed.soa,
        ns: parsed.ns.map(|ns| Ns { names: ns.names, ttl: ns.ttl, explicit: true }),
        expires: parsed.expires,
        ..Dataset::default()
    }
}

/// A zone that lists these datasets, has no NS records and is as zones are without settings.
pub(crate) fn zone(apex: &str, datasets: Vec<Dataset>) -> Zone {
    let name = |text: &str| text.parse::<NameBuf>().unwrap();
    let (mname, rname) = (name("ns.test"), name("admin.test"));
    Zone {
        apex: name(apex),
        soa: Soa { mname, rname, serial: 7, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 },
        ns: Ns { names: Vec::new(), ttl: 1, explicit: false },
        datasets: datasets.into_iter().map(Arc::new).collect(),
        allow: Vec::new(),
        scoring: None,
        acl: Vec::new(),
        quotas: Vec::new(),
        transfer: TransferAccess::default(),
        state: ZoneState::Live,
        says_stale: false,
        expires: None,
        test_points: true,
        minimal_answers: true,
        health: None,
        content_id: 0,
        counters: Counters::new(1),
    }
}
