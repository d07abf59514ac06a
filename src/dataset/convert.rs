//! From parsed files to a dataset as it is served, by the settings.

use crate::config;
use crate::listing::AnswersBuilder;
use crate::util::threads::cores;
use crate::wire::name::NameBuf;
use crate::zone::{Acl, Dataset, Ns, Soa, Subzones};
use crate::zonefile::{Diagnostics, Dialect, Kind, Options, Parsed};

/// How the files of a dataset are parsed.
pub(crate) fn options(spec: &config::Dataset, server: &config::Server, now: u64) -> Options {
    let bounds = &server.ttl;
    Options {
        dialect: spec.policy.dialect,
        is_beside_ip4: spec.policy.dialect == Dialect::Native && spec.is_beside_ip4,
        accept_host_bits: server.accept_host_bits,
        default_ttl: bounds.default,
        min_ttl: bounds.min,
        max_ttl: bounds.max,
        now,
        format: spec.format,
        column: spec.column.as_deref().map(Box::from),
        hash: spec.hash,
        loopback_only: !spec.allow_any_a,
        default_a: spec.default_a,
        default_text: spec.default_text.as_ref().map(|text| Box::from(text.as_bytes())),
        threads: cores(),
    }
}

/// The dataset of parsed files, and what is wrong with single lines.
pub(super) fn dataset(
    spec: &config::Dataset,
    server: &config::Server,
    mut parsed: Parsed,
    threads: usize,
) -> (Dataset, Diagnostics) {
    let diagnostics = std::mem::take(&mut parsed.diagnostics);
    let soa = spec.soa.as_ref().map(|soa| configured_soa(soa, server)).or(parsed.soa.take());
    let ns = parsed.ns.take().map(|ns| Ns { names: ns.names, ttl: ns.ttl, explicit: true });
    let ns = configured_ns(&spec.ns, spec.ns_ttl.unwrap_or(server.ttl.default)).or(ns);
    let (expires, next_expiry) = (parsed.expires, parsed.next_expiry);
    let content = content(spec, spec.name.clone(), parsed, threads);
    (Dataset { soa, ns, expires, next_expiry, ..content }, diagnostics)
}

/// What a dataset, or a section of a combined one, lists.
fn content(spec: &config::Dataset, name: String, parsed: Parsed, threads: usize) -> Dataset {
    let mut default = AnswersBuilder::default();
    let (a, text) = &parsed.default_value;
    let default_value = default.value(*a, text);
    let default_answer = default_value.map(|value| default.answer(&[value]));
    let mut records = parsed.records;
    if let (Some(records), Some(ttl)) = (&mut records, spec.ttl) {
        records.set_ttl(ttl);
    }
    let sections = parsed.parts.into_iter().map(|part| {
        let name = format!("{name}/{}", part.name);
        (part.apexes, content(spec, name, part.parsed, threads))
    });
    let subzones = (parsed.kind == Kind::Combined).then(|| Subzones::new(sections));
    Dataset {
        name,
        ip4: parsed.ip4.map(|addresses| addresses.into_trie(threads)),
        ip6: parsed.ip6.map(|addresses| addresses.into_trie()),
        names: parsed.names,
        digests: parsed.digests,
        hides_empty_non_terminals: spec.hides_empty_non_terminals,
        records,
        acl: parsed.acl.map(Acl::new),
        subzones,
        answers: parsed.answers,
        default_answer: default.finish(default_answer).0,
        vars: parsed.vars,
        ttl: spec.ttl.unwrap_or(parsed.ttl),
        soa: None,
        ns: None,
        expires: None,
        next_expiry: None,
    }
}

fn configured_soa(soa: &config::Soa, server: &config::Server) -> Soa {
    Soa {
        mname: soa.mname.clone(),
        rname: soa.rname.clone(),
        serial: soa.serial.unwrap_or(0),
        refresh: soa.refresh,
        retry: soa.retry,
        expire: soa.expire,
        minimum: soa.minimum,
        ttl: soa.ttl.unwrap_or(server.ttl.default),
    }
}

fn configured_ns(names: &[NameBuf], ttl: u32) -> Option<Ns> {
    (!names.is_empty()).then(|| Ns { names: names.to_vec(), ttl, explicit: true })
}
