//! The values of a dataset that are no arrays: TTL, SOA, NS, variables and default answer.

use super::bytes::{Reader, Writer};
use crate::listing::{AnswerId, Answers, AnswersBuilder};
use crate::zone::{Dataset, Ns, Soa, Vars};
use crate::zonefile::MAX_VARIABLE;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The highest number of name servers; no settings have as many.
const MAX_NS: usize = 1024;

/// The bytes of the facts of a dataset.
pub(super) fn encode(dataset: &Dataset) -> Vec<u8> {
    let Dataset {
        name: _,
        ip4: _,
        ip6: _,
        names: _,
        digests: _,
        hides_empty_non_terminals: _,
        records: _,
        acl: _,
        subzones: _,
        answers: _,
        default_answer,
        vars,
        ttl,
        soa,
        ns,
        expires,
        next_expiry: _,
    } = dataset;
    let mut out = Writer::default();
    out.u32(*ttl);
    out.option(*expires, Writer::u64);
    out.option(soa.as_ref(), put_soa);
    out.option(ns.as_ref(), |out, ns| {
        out.u32(ns.ttl);
        out.list(ns.names.iter(), Writer::name);
    });
    for var in &vars.numbered {
        out.option(var.as_deref(), Writer::text);
    }
    out.option(vars.base.as_deref(), Writer::text);
    out.option(default_answer.get(AnswerId(1)).values().next(), |out, value| {
        out.u32(value.a.into());
        out.text(&value.text.whole());
    });
    out.0
}

/// A dataset with these facts and no arrays; `None` if the bytes are not valid.
pub(super) fn decode(bytes: &[u8]) -> Option<Dataset> {
    let mut from = Reader(bytes);
    let dataset = Dataset {
        ttl: from.u32()?,
        expires: from.option(Reader::u64)?,
        soa: from.option(take_soa)?,
        ns: from.option(|from| {
            let ttl = from.u32()?;
            let names = from.list(Reader::name)?;
            (names.len() <= MAX_NS).then_some(Ns { ttl, names, explicit: true })
        })?,
        vars: take_vars(&mut from)?,
        default_answer: from.option(take_default)?.unwrap_or_default(),
        ..Dataset::default()
    };
    from.end()?;
    Some(dataset)
}

fn put_soa(out: &mut Writer, soa: &Soa) {
    let Soa { ttl, mname, rname, serial, refresh, retry, expire, minimum } = soa;
    out.name(mname);
    out.name(rname);
    for number in [ttl, serial, refresh, retry, expire, minimum] {
        out.u32(*number);
    }
}

fn take_soa(from: &mut Reader<'_>) -> Option<Soa> {
    Some(Soa {
        mname: from.name()?,
        rname: from.name()?,
        ttl: from.u32()?,
        serial: from.u32()?,
        refresh: from.u32()?,
        retry: from.u32()?,
        expire: from.u32()?,
        minimum: from.u32()?,
    })
}

fn take_vars(from: &mut Reader<'_>) -> Option<Vars> {
    let text = |from: &mut Reader<'_>| {
        let text = from.text()?;
        (1..=MAX_VARIABLE).contains(&text.len()).then(|| Arc::from(text))
    };
    let mut vars = Vars::default();
    for var in &mut vars.numbered {
        *var = from.option(text)?;
    }
    vars.base = from.option(text)?;
    Some(vars)
}

fn take_default(from: &mut Reader<'_>) -> Option<Answers> {
    let mut answers = AnswersBuilder::default();
    let value = answers.value(Ipv4Addr::from(from.u32()?), from.text()?)?;
    let answer = answers.answer(&[value]);
    Some(answers.finish([answer]).0)
}
