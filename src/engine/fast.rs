//! The short ways of a query, which nearly every one takes: for a name below the apex of a zone of
//! plain lists, in class IN, with no record beside the question but a usual OPT.
//!
//! There is one for IPv4 addresses and one for IPv6 addresses, which need no copy of the name, one for
//! usual names and one for all others. All give what the long way gives: tests compare both, byte for byte. Each is a
//! call, and so are the lookups in it, so that all that stands around them stays in registers
//! (docs/decisions/011).

mod names;
mod question;

use super::acl::Restriction;
use super::key::Key;
use super::lookup::{Hit, HitKey, Lookup, test_point};
use super::text::{Ip4Text, Ip6Text, expand};
use super::{LowerName, Reason, Request, WorkerState};
use crate::listing::{AnswerId, Asker};
use crate::trie::names::NameLookup;
use crate::wire::message::response::single::Room;
use crate::wire::reversed::{NIBBLES, nibbles, octets};
use crate::wire::{HEADER, Rcode};
use crate::zone::{Catalog, Dataset, SimpleZone, Zone, ZoneMatch};
use question::{ParsedQuestion, Question, SingleHit};
use std::sync::Arc;

/// All that a query is answered with.
pub(super) struct Attempt<'a, 'o> {
    pub(super) catalog: &'a Catalog,
    pub(super) state: &'a mut WorkerState,
    pub(super) request: &'a Request<'a>,
    pub(super) out: &'o mut Room,
}

impl Attempt<'_, '_> {
    /// Answers and counts a query for an IPv4 address, where no names are listed, and gives the length
    /// of the answer; `None` if the query has to take another way: nothing has happened then but that
    /// `out` and `state` may have been written to.
    #[inline(never)]
    pub(super) fn by_ip4(&mut self) -> Option<usize> {
        let Self { catalog, request, .. } = *self;
        let (address, len) = octets(request.query.get(HEADER..)?)?;
        // Names of single digits can be nibbles, too.
        if len == 4 * 2 {
            return None;
        }
        let recent = &mut self.state.recent;
        let asked = ParsedQuestion::read(catalog, request, HEADER + len, recent, |compiled| {
            compiled.is_ip4
        })?;
        let key = Key { ip4: Some(address), ip6: None };
        let lookup = |dataset: &Dataset| dataset.ip4.as_ref().map(|trie| trie.lookup(address));
        self.by_address(&asked, &key, lookup, |template, dataset, room| {
            expand(template, &dataset.vars, Ip4Text::new(address).bytes(), room)
        })
    }

    /// The same for an IPv6 address, where no names and IPv4 addresses are listed.
    #[inline(never)]
    pub(super) fn by_ip6(&mut self) -> Option<usize> {
        let Self { catalog, request, .. } = *self;
        let address = nibbles(request.query.get(HEADER..)?)?;
        let recent = &mut self.state.recent;
        let asked = ParsedQuestion::read(catalog, request, HEADER + NIBBLES, recent, |compiled| {
            compiled.is_ip6
        })?;
        let key = Key { ip4: None, ip6: Some(address) };
        let lookup = |dataset: &Dataset| dataset.ip6.as_ref().map(|trie| trie.lookup(address));
        self.by_address(&asked, &key, lookup, |template, dataset, room| {
            expand(template, &dataset.vars, Ip6Text::new(address).bytes(), room)
        })
    }

    /// What both have in common, when the zone is known: `text` writes out the text of a template.
    #[inline(always)]
    fn by_address(
        &mut self,
        asked: &ParsedQuestion<'_>,
        key: &Key,
        lookup: impl Fn(&Dataset) -> Option<AnswerId>,
        text: impl FnOnce(&[u8], &Dataset, &mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        if test_point(&[], key).is_some() && asked.compiled.test_points {
            return None;
        }
        let found = only_hit(&asked.compiled.datasets, lookup)?;
        asked.answer(self.state.worker, self.request.query, self.out, found, text)
    }

    /// The same for any name, also in zones where an address can be one, too.
    #[inline(never)]
    pub(super) fn by_name(&mut self) -> Option<usize> {
        let Self { catalog, request, state, out } = self;
        let wire = request.query.get(HEADER..)?;
        let len = state.name.starts.read(wire)?;
        let name = wire.get(..len)?;
        let end = HEADER + len;
        let Some(route) = catalog.find(name, state.name.starts(), &mut state.recent) else {
            return refuse(catalog, state.worker, &Question::read(request.query, end)?, out);
        };
        let ZoneMatch { zone, compiled, before } = route;
        if before == 0 || !zone.is_served(request.now) || !catalog.is_plain() {
            return None;
        }
        state.name.set(name);
        let apex = state.name.cut(before);
        let exists = look(zone, compiled.simple?, &state.name, &mut state.hits)?;
        let asked = ParsedQuestion { compiled, apex, end };
        let found = match state.hits[..] {
            [] => SingleHit { exists, dataset: zone.datasets.first()?, answer: AnswerId::NONE },
            [hit] => {
                let (dataset, answer) = hit.listed(zone)?;
                SingleHit { exists, dataset, answer }
            }
            _ => return None,
        };
        let WorkerState { name, hits, key_text, worker, .. } = &mut **state;
        asked.answer(*worker, request.query, out, found, |template, dataset, room| {
            let key = hits.first().map_or(&[][..], |hit| hit.key.text(name, key_text));
            expand(template, &dataset.vars, key, room)
        })
    }
}

/// What datasets have for a key, by this lookup; `None` if several list it, or there is
/// none.
#[inline(always)]
fn only_hit(
    datasets: &[Arc<Dataset>],
    lookup: impl Fn(&Dataset) -> Option<AnswerId>,
) -> Option<SingleHit<'_>> {
    let (first, others) = datasets.split_first()?;
    let find = |dataset| SingleHit {
        exists: false,
        dataset,
        answer: lookup(dataset).unwrap_or(AnswerId::NONE),
    };
    let mut only = find(first);
    for dataset in others {
        let found = find(dataset);
        if found.answer.is_listed() {
            if only.answer.is_listed() {
                return None;
            }
            only = found;
        }
    }
    Some(only)
}

/// Fills `hits`, and says whether the name exists. `None` for the test points.
#[inline(never)]
fn look(zone: &Zone, simple: SimpleZone, name: &LowerName, hits: &mut Vec<Hit>) -> Option<bool> {
    hits.clear();
    let labels = name.labels();
    let has_addresses = simple.ip4 || simple.ip6;
    let key = match has_addresses {
        true => Key::parse(name.wire(), labels, simple.ip4),
        false => Key::default(),
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
        match names.lookup_labels(name.padded(), name.starts()) {
            NameLookup::Listed { answer, labels } => {
                let key = HitKey::Name { listed: labels, apex: 0 };
                hits.push(Hit::new(number, answer, key));
            }
            NameLookup::EmptyNonTerminal => exists |= !dataset.hides_empty_non_terminals,
            NameLookup::Nothing => {}
        }
    }
    let is_short = labels < 4 || labels < 32 && name.bytes[0] == 1;
    exists |= !hits.is_empty();
    Some(exists || is_short && has_addresses && has_addresses_below(zone, name))
}

#[inline(never)]
fn has_addresses_below(zone: &Zone, name: &LowerName) -> bool {
    let asker = Asker { now: 0, has_key: false };
    let lookup = Lookup { zone, name, asker, restriction: Restriction::Pass };
    lookup.has_addresses_below(&lookup.view())
}

/// Answers a query for a name of no zone.
#[inline(never)]
fn refuse(
    catalog: &Catalog,
    worker: usize,
    question: &Question<'_>,
    out: &mut Room,
) -> Option<usize> {
    if !catalog.acl().is_empty() {
        return None;
    }
    let len = question.reply.refuse(out, Rcode::Refused)?;
    catalog.counters().count(worker, Reason::Refused, question.size, len);
    Some(len)
}

#[cfg(test)]
mod tests;
