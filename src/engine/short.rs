//! The short way of a query, which nearly every one takes: for a name below the apex of a zone of
//! plain lists, in class IN, with no record beside the question but a usual OPT.
//!
//! It gives what the long way gives: tests compare both, byte for byte. The lookups are calls, so that
//! all that stands around them stays in registers (docs/decisions/011).

use super::acl::Restriction;
use super::compose::has_text;
use super::key::Key;
use super::lookup::{Hit, HitKey, Lookup, test_point};
use super::text::{self, Ip4Text};
use super::{LowerName, Outcome, Reason, Request, WorkerState, limit};
use crate::listing::Asker;
use crate::trie::names::NameLookup;
use crate::wire::name::copy_lowercase;
use crate::wire::response::Section;
use crate::wire::{Class, Edns, HEADER, Query, Rcode, ResponseWriter, Type};
use crate::zone::{Catalog, Plain, Zone};

/// Answers and counts a query; `None` if it has to take the long way: nothing has happened then
/// but that `out` may have been written to.
#[inline]
pub(super) fn answer(
    catalog: &Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    out: &mut [u8],
) -> Option<Outcome> {
    let query = read(request.query, &mut state.name)?;
    let Some(route) = catalog.find(state.name.wire(), state.name.starts()) else {
        return refuse(catalog, state, request, &query, out);
    };
    let (zone, soa, plain) = (route.zone, route.soa, route.plain?);
    if route.before == 0 || !zone.is_served(request.now) || !catalog.is_plain() {
        return None;
    }
    let apex = state.name.cut(route.before);
    let exists = look(zone, plain, &state.name, &mut state.hits)?;
    let mut writer = ResponseWriter::new(request.query, &query, out, limit(request, &query))?;
    let (rcode, reason) = match state.hits[..] {
        [] if !exists => (Rcode::NxDomain, Reason::NxDomain),
        [] => (Rcode::NoError, Reason::NoData),
        _ if zone.shows_ns() => return None,
        [hit] => match write_value(zone, &query, hit, state, &mut writer)? {
            true => (Rcode::NoError, Reason::Answered),
            false => (Rcode::NoError, Reason::NoData),
        },
        _ => return None,
    };
    if reason != Reason::Answered {
        soa.write(Section::Authority, apex, soa.minimum, &mut writer);
    }
    if writer.is_truncated() {
        return None;
    }
    let len = writer.finish(rcode, true);
    zone.counters.count(state.worker, reason, request.query.len(), len);
    Some(Outcome::Respond(len))
}

/// Answers a query for a name of no zone.
#[inline(never)]
fn refuse(
    catalog: &Catalog,
    state: &WorkerState,
    request: &Request<'_>,
    query: &Query<'_>,
    out: &mut [u8],
) -> Option<Outcome> {
    if !catalog.acl().is_empty() {
        return None;
    }
    let writer = ResponseWriter::new(request.query, query, out, limit(request, query))?;
    let len = writer.finish(Rcode::Refused, false);
    catalog.counters().count(state.worker, Reason::Refused, request.query.len(), len);
    Some(Outcome::Respond(len))
}

/// Reads a query of the usual form, and its name in lower case.
#[inline(always)]
fn read<'q>(message: &'q [u8], name: &mut LowerName) -> Option<Query<'q>> {
    let (header, rest) = message.split_first_chunk::<HEADER>()?;
    // A query (RFC 1035 section 4.1.1) with one question; behind that there may be one record.
    let counts = u64::from_be_bytes(*header.last_chunk()?);
    let additional = counts ^ 1 << 48;
    if header[2] & 0xf8 != 0 || additional > 1 {
        return None;
    }
    let len = name.starts.read(rest)?;
    let (wire, rest) = rest.split_at_checked(len)?;
    let (fixed, rest) = rest.split_first_chunk::<4>()?;
    let fixed = u32::from_be_bytes(*fixed);
    let (qtype, class) = (Type((fixed >> 16) as u16), Class(fixed as u16));
    if class != Class::IN || (Type::FIRST_META..=Type::ANY).contains(&qtype) {
        return None;
    }
    let edns = if additional == 0 { None } else { Some(read_opt(rest)?) };
    copy_lowercase(wire, &mut name.bytes);
    name.len = len;
    Some(Query { name: wire, labels: name.starts.count() as u8, qtype, class, edns })
}

/// Reads an OPT record of the version we know (RFC 6891 section 6.1).
#[inline(always)]
fn read_opt(record: &[u8]) -> Option<Edns> {
    let (fixed, data) = record.split_first_chunk::<11>()?;
    let size = u16::from_be_bytes([fixed[9], fixed[10]]);
    if fixed[..3] != [0, 0, Type::OPT.0 as u8] || fixed[6] != 0 || data.len() < usize::from(size) {
        return None;
    }
    let payload = u16::from_be_bytes([fixed[3], fixed[4]]);
    Some(Edns { payload, version: 0, dnssec_ok: fixed[7] & 0x80 != 0 })
}

/// Fills `hits`, and says whether the name exists. `None` for the test points.
#[inline(always)]
fn look(zone: &Zone, plain: Plain, name: &LowerName, hits: &mut Vec<Hit>) -> Option<bool> {
    hits.clear();
    match name.starts.octets() {
        // Names of one digit first can be nibbles, too.
        Some(ip4) if name.labels() == 4 && !plain.names && name.bytes[0] != 1 => {
            look_ip4(zone, ip4, hits)
        }
        _ => look_any(zone, plain, name, hits),
    }
}

/// The same for an IPv4 address where no names are listed.
#[inline(never)]
fn look_ip4(zone: &Zone, key: u32, hits: &mut Vec<Hit>) -> Option<bool> {
    if zone.test_points && matches!(key, 0x7f00_0001 | 0x7f00_0002) {
        return None;
    }
    for (number, dataset) in zone.datasets.iter().enumerate() {
        let Some(trie) = &dataset.ip4 else { continue };
        let answer = trie.lookup(key);
        if answer.is_listed() {
            hits.push(Hit::new(number, answer, HitKey::Ip4(key)));
        }
    }
    Some(!hits.is_empty())
}

#[inline(never)]
fn look_any(zone: &Zone, plain: Plain, name: &LowerName, hits: &mut Vec<Hit>) -> Option<bool> {
    let labels = name.labels();
    let key = match labels {
        4 => Key { ip4: name.starts.octets(), ip6: None },
        _ if plain.ip4 || plain.ip6 => Key::parse(name.wire(), labels, plain.ip4),
        _ => Key::default(),
    };
    if zone.test_points && test_point(name.wire(), &key).is_some() {
        return None;
    }
    let mut exists = false;
    for (number, dataset) in zone.datasets.iter().enumerate() {
        if let (Some(trie), Some(key)) = (&dataset.ip4, key.ip4) {
            let answer = trie.lookup(key);
            if answer.is_listed() {
                hits.push(Hit::new(number, answer, HitKey::Ip4(key)));
            }
        }
        if let (Some(trie), Some(key)) = (&dataset.ip6, key.ip6) {
            let answer = trie.lookup(key);
            if answer.is_listed() {
                hits.push(Hit::new(number, answer, HitKey::ip6(key)));
            }
        }
        let Some(names) = &dataset.names else { continue };
        match names.lookup_labels(name.wire(), name.starts()) {
            NameLookup::Listed(listed) => {
                let key = HitKey::Name { listed: listed.labels, apex: 0 };
                hits.push(Hit::new(number, listed.answer, key));
            }
            NameLookup::EmptyNonTerminal => exists |= !dataset.hides_empty_non_terminals,
            NameLookup::Nothing => {}
        }
    }
    let is_short = labels < 4 || labels < 32 && name.bytes[0] == 1;
    let has_addresses = plain.ip4 || plain.ip6;
    exists |= !hits.is_empty();
    Some(exists || is_short && has_addresses && has_addresses_below(zone, name))
}

#[inline(never)]
fn has_addresses_below(zone: &Zone, name: &LowerName) -> bool {
    let asker = Asker { now: 0, has_key: false };
    let lookup = Lookup { zone, name, asker, restriction: Restriction::Pass };
    lookup.has_addresses_below(&lookup.view())
}

/// Writes the record of a hit with one value, and says whether there is one of the type asked.
/// `None` if that takes the long way.
#[inline(always)]
fn write_value(
    zone: &Zone,
    query: &Query<'_>,
    hit: Hit,
    state: &mut WorkerState,
    writer: &mut ResponseWriter<'_>,
) -> Option<bool> {
    let (dataset, answer) = hit.resolve(zone)?;
    let value = answer.only_value()?;
    match query.qtype {
        Type::A => {
            let a = value.a.octets();
            writer.record(Section::Answer, HEADER, Type::A, Class::IN, dataset.ttl, &[&a]);
            Some(true)
        }
        Type::TXT if has_text(value.text, &dataset.vars) => {
            let ip4;
            let key = match hit.key {
                HitKey::Ip4(key) => {
                    ip4 = Ip4Text::new(key);
                    ip4.bytes()
                }
                key => key.text(&state.name, &mut state.key_text),
            };
            writer.record_by(Section::Answer, HEADER, Type::TXT, dataset.ttl, |room| {
                let (len, string) = room.split_first_mut()?;
                let used = text::expand(value.text, &dataset.vars, key, string)?;
                *len = u8::try_from(used).ok()?;
                Some(1 + used)
            })?;
            Some(true)
        }
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests;
