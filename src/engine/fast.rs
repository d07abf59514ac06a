//! The fast path, which nearly every query takes: a usual question for a name below the apex of a zone
//! of lists.
//!
//! It gives the bytes and the counts that the general path gives: tests compare both. Addresses need no
//! copy of the name. The functions that are not inlined, and the lookups in them, keep what the query
//! needs in registers (docs/decisions/011).

pub(super) mod several;

use super::admit::admits;
use super::compose::has_text;
use super::text::{Ip4Text, Ip6Text, KeyText, expand, expand_any, expand_quickly};
use super::{Reason, Request, WorkerState};
use crate::wire::message::response::single::Room;
use crate::wire::message::response::{RECORD_HEAD, Section, record_head};
use crate::wire::name::{LowerName, write_usual_text};
use crate::wire::reversed::{NIBBLES, nibbles, octets};
use crate::wire::{Class, HEADER, ParsedQuestion, Rcode, Type};
use crate::zone::key::TestPoint;
use crate::zone::lookup::{Digest, Ip4, Ip6, Match, MatchedKey, Name, View, lookup};
use crate::zone::{
    Catalog, CompiledZone, Counters, Dataset, HealthName, SimpleZone, Vars, ZoneMatch,
};
use several::Several;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// All that a query is answered with.
pub(super) struct Attempt<'a, 'o> {
    pub(super) catalog: &'a Catalog,
    pub(super) state: &'o mut WorkerState,
    pub(super) request: &'a Request<'a>,
    pub(super) question: ParsedQuestion<'a>,
    pub(super) out: &'o mut Room,
    /// Where the answer counts, and why, once it is written.
    pub(super) counters: &'a Counters,
    pub(super) reason: Reason,
}

/// The name asked, relative to the zone, and room for what texts call the key.
struct Key<'s> {
    name: &'s LowerName,
    text: &'s mut KeyText,
}

/// The matches of one key.
#[derive(Clone, Copy, Default)]
struct Matches<'a> {
    /// The first match.
    first: Option<Match<'a>>,
    /// The number of matches if there are more, or else 0: all of them are in [`Several`] then.
    several: usize,
}

impl<'a> Matches<'a> {
    /// The sink of the lookup.
    #[inline(always)]
    fn add(&mut self, found: Match<'a>, datasets: &[Arc<Dataset>], several: &mut Several) {
        match self.first {
            None => self.first = Some(found),
            Some(first) => self.several = several.add(self.several, &first, &found, datasets),
        }
    }

    /// True if an allow list has the key.
    #[inline(always)]
    fn is_allowed(&self) -> bool {
        self.first.is_some_and(|first| first.allowed_by.is_some())
    }
}

impl<'a> Attempt<'a, '_> {
    /// Answers the query, and gives the length of the answer. `None` if it has to take the general path:
    /// nothing has happened then but that `out` and `state` may have been written to.
    #[inline(always)]
    pub(super) fn answer(&mut self) -> Option<usize> {
        match self.question.bytes.get(HEADER..)? {
            [1, _, 1, _, 1, _, 1, _, 1, ..] => self.by_ip6(),
            // An octet begins with a digit.
            [1..=3, b'0'..=b'9', ..] => self.by_ip4(),
            _ => self.by_name(),
        }
    }

    /// Answers a query for an IPv4 address, where no names are listed, or else for a name.
    #[inline(never)]
    pub(super) fn by_ip4(&mut self) -> Option<usize> {
        // Names of single digits can be nibbles, too.
        let octets = octets(self.question.bytes, HEADER).filter(|(_, len)| *len != 4 * 2);
        let Some((address, len)) = octets else { return self.by_name() };
        let Some(zone) = self.zone_at(HEADER + len, SimpleZone::Ip4) else { return self.by_name() };
        if TestPoint::of_ip4(address).is_some() && zone.test_points {
            return None;
        }
        let mut matches = Matches::default();
        lookup(&zone.datasets, &zone.allow, None, &Ip4(address), |found| {
            matches.add(found, &zone.datasets, &mut self.state.several)
        });
        self.reply(zone, HEADER + len, false, matches, move |_, template, vars, room| {
            expand(template, vars, Ip4Text::new(address).bytes(), room)
        })
    }

    /// The same for an IPv6 address, where no names and IPv4 addresses are listed, or else for any key.
    #[inline(never)]
    pub(super) fn by_ip6(&mut self) -> Option<usize> {
        let Some(address) = nibbles(self.question.bytes.get(HEADER..)?) else {
            return self.by_ip4();
        };
        let Some(zone) = self.zone_at(HEADER + NIBBLES, SimpleZone::Ip6) else {
            return self.by_ip4();
        };
        if TestPoint::of_ip6(address).is_some() && zone.test_points {
            return None;
        }
        let mut matches = Matches::default();
        lookup(&zone.datasets, &zone.allow, None, &Ip6(address), |found| {
            matches.add(found, &zone.datasets, &mut self.state.several)
        });
        self.reply(zone, HEADER + NIBBLES, false, matches, |_, template, vars, room| {
            expand(template, vars, Ip6Text::new(address).bytes(), room)
        })
    }

    /// The zone with the apex at this position of the message, if it is open to the query and has such
    /// keys.
    #[inline(always)]
    fn zone_at(&mut self, apex: usize, keys: SimpleZone) -> Option<&'a CompiledZone> {
        let (name, _) = self.question.bytes.get(apex..)?.split_last_chunk::<4>()?;
        let zone = self.catalog.zone_at(name, &mut self.state.recent)?;
        (zone.simple == Some(keys) && is_open(zone, self.request)).then_some(zone)
    }

    /// Answers a query for any name.
    ///
    /// The name of the zone asked last is compared with the end of the name: only the labels before it
    /// are walked then.
    #[inline(never)]
    pub(super) fn by_name(&mut self) -> Option<usize> {
        let Self { catalog, request, state, question, .. } = self;
        let (message, end) = (question.bytes, question.name_end());
        let (zone, apex) = match catalog.recent_zone(message, end, state.recent) {
            Some((zone, apex)) => {
                state.name.read_before(message, apex)?;
                (zone, apex)
            }
            None => {
                if HEADER + state.name.read(message.get(HEADER..)?)? != end {
                    return None;
                }
                let (wire, starts) = (state.name.wire(), state.name.starts());
                let found = catalog.search(wire, starts, &mut state.recent);
                let Some(ZoneMatch { compiled, before, .. }) = found else {
                    return self.refuse();
                };
                (compiled, state.name.cut(before))
            }
        };
        if apex == HEADER || !is_open(zone, request) {
            return None;
        }
        match zone.simple? {
            SimpleZone::Names => self.by_listed_name(zone, apex),
            SimpleZone::Digests => self.by_digest(zone, apex),
            _ => self.by_any_key(zone, apex),
        }
    }

    /// Answers a query for a name where nothing else is listed.
    #[inline(always)]
    fn by_listed_name(&mut self, zone: &'a CompiledZone, apex: usize) -> Option<usize> {
        let name = &self.state.name;
        if name.labels() == 1 && zone.has_own_names {
            return self.by_any_key(zone, apex);
        }
        let mut matches = Matches::default();
        let probe = Name::new(name);
        let found = lookup(&zone.datasets, &zone.allow, None, &probe, |found| {
            matches.add(found, &zone.datasets, &mut self.state.several)
        });
        let exists = found.empty_non_terminal || matches.is_allowed() && exists_below(zone, name);
        let listed = match matches.first {
            Some(Match { key: MatchedKey::Name { listed, .. }, .. }) => listed,
            _ => 0,
        };
        self.reply(zone, apex, exists, matches, move |key, template, vars, room| {
            expand_name(key, listed, template, vars, room)
        })
    }

    /// Answers a query for a hash where nothing else is listed.
    #[inline(never)]
    fn by_digest(&mut self, zone: &'a CompiledZone, apex: usize) -> Option<usize> {
        let mut matches = Matches::default();
        if let Some(digest) = Digest::new(&Name::new(&self.state.name)) {
            if zone.has_own_names && !digest.has_digits() {
                return self.by_any_key(zone, apex);
            }
            lookup(&zone.datasets, &zone.allow, None, &digest, |found| {
                matches.add(found, &zone.datasets, &mut self.state.several)
            });
        }
        self.reply(zone, apex, false, matches, |key, template, vars, room| {
            expand_name(key, 1, template, vars, room)
        })
    }

    /// Answers a query for what can be a key of several kinds, or is none.
    #[inline(never)]
    fn by_any_key(&mut self, zone: &'a CompiledZone, apex: usize) -> Option<usize> {
        let view = View::new(zone, &self.state.name);
        if view.test_point.is_some() || HealthName::of(&self.state.name).is_some() {
            return None;
        }
        let mut matches = Matches::default();
        let found =
            view.lookup(|found| matches.add(found, &zone.datasets, &mut self.state.several));
        let is_unlisted = matches.first.is_none() || matches.is_allowed();
        let exists = is_unlisted && (found.empty_non_terminal || view.exists(found.listed));
        self.reply(zone, apex, exists, matches, |key, template, vars, room| {
            expand(template, vars, matches.first?.key.text(key.name, key.text), room)
        })
    }

    /// Writes the answer for a key that has this match. `text` writes out the text of a template to the
    /// start of the room there is, and gives its length.
    #[inline(always)]
    fn reply(
        &mut self,
        zone: &'a CompiledZone,
        apex: usize,
        exists: bool,
        matches: Matches<'_>,
        text: impl FnOnce(Key<'_>, &[u8], &Vars, &mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let Matches { first, several } = matches;
        let (reason, len) = match first {
            None if exists => (Reason::NoData, self.negative(zone, apex, Rcode::NoError)?),
            None => (Reason::NxDomain, self.negative(zone, apex, Rcode::NxDomain)?),
            Some(Match { allowed_by: Some(allow), .. }) => {
                if several > 0 {
                    return None;
                }
                self.overridden(zone, apex, exists, first?, allow)?
            }
            // The NS records stand behind the answer.
            Some(_) if zone.shows_ns => return None,
            Some(_) if several > 0 => self.several(zone, apex, several)?,
            Some(Match { dataset, answer, .. }) => {
                let (a, stored) = dataset.answers.only_stored(answer)?;
                let len = match self.question.qtype {
                    Type::A => Some(self.a(zone, dataset, a)?),
                    Type::TXT => self.txt(dataset, stored, text)?,
                    _ => None,
                };
                match len {
                    Some(len) => (Reason::Answered, len),
                    None => (Reason::NoData, self.negative(zone, apex, Rcode::NoError)?),
                }
            }
        };
        (self.counters, self.reason) = (&zone.counters, reason);
        Some(len)
    }

    /// Answers for a key that an allow list has, and notes that.
    #[cold]
    #[inline(never)]
    fn overridden(
        &mut self,
        zone: &CompiledZone,
        apex: usize,
        exists: bool,
        found: Match<'_>,
        allow: &Dataset,
    ) -> Option<(Reason, usize)> {
        let (reason, rcode) = match exists {
            true => (Reason::NoData, Rcode::NoError),
            false => (Reason::NxDomain, Rcode::NxDomain),
        };
        let len = self.negative(zone, apex, rcode)?;
        let sender = found.key.sender(self.state.name.labels_before(u8::MAX, 0));
        let (worker, now) = (self.state.worker, self.request.now);
        self.catalog.overrides().note(worker, found.dataset, allow, sender, now);
        Some((reason, len))
    }

    #[inline(always)]
    fn a(&mut self, zone: &CompiledZone, dataset: &Dataset, a: Ipv4Addr) -> Option<usize> {
        let question = self.question;
        let room: &mut [u8; RECORD_HEAD + 4] = question.room(self.out, 0)?;
        let head = record_head(HEADER, Type::A, Class::IN, dataset.ttl, 4);
        room[..RECORD_HEAD].copy_from_slice(&head);
        room[RECORD_HEAD..].copy_from_slice(&a.octets());
        let len = question.finish(self.out, RECORD_HEAD + 4, Rcode::NoError, Section::Answer)?;
        zone.counters.count_value(self.state.worker, a);
        Some(len)
    }

    /// The inner `None`: there is no text.
    #[inline(always)]
    fn txt(
        &mut self,
        dataset: &Dataset,
        stored: &[u8],
        text: impl FnOnce(Key<'_>, &[u8], &Vars, &mut [u8]) -> Option<usize>,
    ) -> Option<Option<usize>> {
        let WorkerState { name, key_text, template: pieces, .. } = &mut *self.state;
        let template = dataset.answers.template(stored, pieces);
        if !has_text(template, &dataset.vars) {
            return Some(None);
        }
        // One character-string (RFC 1035 section 3.3).
        let room: &mut [u8; RECORD_HEAD + 256] = self.question.room(self.out, 0)?;
        let key = Key { name, text: key_text };
        let len = text(key, template, &dataset.vars, &mut room[RECORD_HEAD + 1..])?;
        let head = record_head(HEADER, Type::TXT, Class::IN, dataset.ttl, len as u16 + 1);
        room[..RECORD_HEAD].copy_from_slice(&head);
        room[RECORD_HEAD] = len as u8;
        let size = RECORD_HEAD + 1 + len;
        Some(Some(self.question.finish(self.out, size, Rcode::NoError, Section::Answer)?))
    }

    #[inline(always)]
    fn negative(&mut self, zone: &CompiledZone, apex: usize, rcode: Rcode) -> Option<usize> {
        let question = self.question;
        let size = zone.soa.write(apex, question.room(self.out, 0)?);
        question.finish(self.out, size, rcode, Section::Authority)
    }

    /// Answers a query for a name of no zone.
    #[inline(never)]
    fn refuse(&mut self) -> Option<usize> {
        (self.counters, self.reason) = (self.catalog.counters(), Reason::Refused);
        self.question.refuse(self.out, Rcode::Refused)
    }
}

/// Writes out a template for the name of the query that has this many labels before the apex.
#[inline(always)]
fn expand_name(
    key: Key<'_>,
    listed: u8,
    template: &[u8],
    vars: &Vars,
    room: &mut [u8],
) -> Option<usize> {
    let labels = key.name.labels_before(listed, 0);
    let write = |room: &mut [u8]| write_usual_text(labels, room);
    match expand_quickly(template, vars, write, room) {
        None => expand_any(template, vars, key.text.name(labels), room),
        len => len,
    }
}

/// True if an allowed name is above others that are listed.
#[cold]
#[inline(never)]
fn exists_below(zone: &CompiledZone, name: &LowerName) -> bool {
    View::new(zone, name).exists(true)
}

/// True if the zone is served, and its access lists let the client pass.
#[inline(always)]
fn is_open(zone: &CompiledZone, request: &Request<'_>) -> bool {
    request.now <= zone.expires && admits(zone, request)
}

#[cfg(test)]
mod tests;
