//! From the files of a dataset to what can be served.

use crate::config;
use crate::listing::AnswersBuilder;
use crate::load::{Cause, Limits, Problem, Source, read};
use crate::trie::{Trie4, Trie6};
use crate::wire::name::NameBuf;
use crate::zone::{Dataset, Ns, Soa};
use crate::zonefile::{Diagnostics, Fatal, Options, Parsed, Parser};
use std::time::{Duration, Instant};

/// A dataset that was read and built, but not yet judged.
pub(super) struct Built {
    /// What would be served.
    pub(super) dataset: Dataset,
    /// What was read, file by file.
    pub(super) sources: Vec<Source>,
    /// What is wrong with single lines.
    pub(super) diagnostics: Diagnostics,
    /// How long reading and building took.
    pub(super) took: Duration,
}

/// Reads and builds a dataset. `now` is in seconds since 1970.
pub(super) fn compile(
    spec: &config::Dataset,
    server: &config::Server,
    now: u64,
) -> Result<Built, Problem> {
    let start = Instant::now();
    let mut parser = Parser::new(spec.kind, options(spec, server, now));
    let mut sources: Vec<Source> = Vec::with_capacity(spec.files.len());
    let (mut entries, mut bad_lines) = (0, 0);
    for path in &spec.files {
        parser.start_file();
        let report = read(path, &Limits::default(), &mut |chunk| parser.feed(chunk))?;
        let fatal =
            |error: Fatal| Problem { file: path.clone(), cause: Cause::Fatal(error.to_string()) };
        parser.end_file().map_err(fatal)?;
        let number = sources.len();
        let diagnostics = parser.diagnostics();
        let first_bad = diagnostics.kept.iter().find(|bad| usize::from(bad.file) == number);
        sources.push(Source {
            path: path.clone(),
            report,
            entries: parser.entries() - entries,
            bad_lines: diagnostics.total - bad_lines,
            first_bad: first_bad
                .map(|bad| format!("line {}, column {}: {}", bad.line, bad.column, bad.reason)),
        });
        (entries, bad_lines) = (parser.entries(), diagnostics.total);
    }
    let (dataset, diagnostics) = build(spec, server, parser.finish());
    Ok(Built { dataset, sources, diagnostics, took: start.elapsed() })
}

fn options(spec: &config::Dataset, server: &config::Server, now: u64) -> Options {
    let bounds = &server.ttl;
    Options {
        accept_host_bits: server.accept_host_bits,
        default_ttl: bounds.default,
        min_ttl: bounds.min,
        max_ttl: bounds.max,
        now,
        loopback_only: !spec.allow_any_a,
        default_a: spec.default_a,
        default_text: spec.default_text.as_ref().map(|text| Box::from(text.as_bytes())),
    }
}

fn build(
    spec: &config::Dataset,
    server: &config::Server,
    parsed: Parsed,
) -> (Dataset, Diagnostics) {
    let mut default = AnswersBuilder::default();
    let (a, text) = &parsed.default_value;
    let default_value = default.value(*a, text);
    let default_answer = default_value.map(|value| default.answer(&[value], None));
    let ns = parsed.ns.map(|ns| Ns { names: ns.names, ttl: ns.ttl, explicit: true });
    let dataset = Dataset {
        name: spec.name.clone(),
        ip4: parsed.ip4.map(|addresses| Trie4::build(addresses.ranges())),
        ip6: parsed.ip6.map(|addresses| Trie6::build(addresses.ranges())),
        names: parsed.names,
        records: None,
        answers: parsed.answers,
        default_answer: default.finish(default_answer).0,
        vars: parsed.vars,
        ttl: spec.ttl.unwrap_or(parsed.ttl),
        soa: spec.soa.as_ref().map(|soa| configured_soa(soa, server)).or(parsed.soa),
        ns: configured_ns(&spec.ns, spec.ns_ttl.unwrap_or(server.ttl.default)).or(ns),
        expires: parsed.expires,
    };
    (dataset, parsed.diagnostics)
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
