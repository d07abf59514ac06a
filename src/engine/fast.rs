//! The fast path, which nearly every query takes: a usual question for a name below the apex of a zone
//! of lists, which at most one dataset lists.
//!
//! It gives the bytes and the counts that the general path gives: tests compare both. Addresses need no
//! copy of the name. The functions that are not inlined, and the lookups in them, keep what the query
//! needs in registers (docs/decisions/011).

use super::admit::admits;
use super::compose::shows_text;
use super::text::{Ip4Text, Ip6Text, expand, expand_any, expand_quickly};
use super::{Reason, Request, WorkerState};
use crate::answer::AnswerId;
use crate::listing::Template;
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
use std::net::Ipv4Addr;

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

/// The match of a key that at most one dataset lists; with several it has no answer.
type SingleMatch<'a> = Option<Match<'a>>;

/// The sink of the lookup.
#[inline(always)]
fn keep<'a>(only: &mut SingleMatch<'a>, found: Match<'a>) {
    let answer = if only.is_none() { found.answer } else { AnswerId::NONE };
    *only = Some(Match { answer, ..found });
}

/// True if an allow list has the key.
#[inline(always)]
fn is_allowed(only: SingleMatch<'_>) -> bool {
    only.is_some_and(|only| only.allowed_by.is_some())
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
        let mut only = None;
        lookup(&zone.datasets, &zone.allow, None, &Ip4(address), |found| keep(&mut only, found));
        self.reply(zone, HEADER + len, false, only, move |_, template, vars, room| {
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
        let mut only = None;
        lookup(&zone.datasets, &zone.allow, None, &Ip6(address), |found| keep(&mut only, found));
        self.reply(zone, HEADER + NIBBLES, false, only, |_, template, vars, room| {
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
        let (mut only, probe) = (None, Name::new(name));
        let found =
            lookup(&zone.datasets, &zone.allow, None, &probe, |found| keep(&mut only, found));
        let exists = found.empty_non_terminal || is_allowed(only) && exists_below(zone, name);
        let listed = match only {
            Some(Match { key: MatchedKey::Name { listed, .. }, .. }) => listed,
            _ => 0,
        };
        self.reply(zone, apex, exists, only, move |state, template, vars, room| {
            expand_name(state, listed, template, vars, room)
        })
    }

    /// Answers a query for a hash where nothing else is listed.
    #[inline(never)]
    fn by_digest(&mut self, zone: &'a CompiledZone, apex: usize) -> Option<usize> {
        let mut only = None;
        if let Some(digest) = Digest::new(&Name::new(&self.state.name)) {
            if zone.has_own_names && !digest.has_digits() {
                return self.by_any_key(zone, apex);
            }
            lookup(&zone.datasets, &zone.allow, None, &digest, |found| keep(&mut only, found));
        }
        self.reply(zone, apex, false, only, |state, template, vars, room| {
            expand_name(state, 1, template, vars, room)
        })
    }

    /// Answers a query for what can be a key of several kinds, or is none.
    #[inline(never)]
    fn by_any_key(&mut self, zone: &'a CompiledZone, apex: usize) -> Option<usize> {
        let view = View::new(zone, &self.state.name);
        if view.test_point.is_some() || HealthName::of(&self.state.name).is_some() {
            return None;
        }
        let mut only = None;
        let found = view.lookup(|found| keep(&mut only, found));
        let is_unlisted = only.is_none() || is_allowed(only);
        let exists = is_unlisted && (found.empty_non_terminal || view.exists(found.listed));
        self.reply(zone, apex, exists, only, |state, template, vars, room| {
            expand(template, vars, only?.key.text(&state.name, &mut state.key_text), room)
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
        only: SingleMatch<'_>,
        text: impl FnOnce(&mut WorkerState, &[u8], &Vars, &mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let (reason, len) = match only {
            None if exists => (Reason::NoData, self.negative(zone, apex, Rcode::NoError)?),
            None => (Reason::NxDomain, self.negative(zone, apex, Rcode::NxDomain)?),
            Some(Match { allowed_by: Some(allow), .. }) => {
                self.overridden(zone, apex, exists, only?, allow)?
            }
            // The NS records stand behind the answer.
            Some(_) if zone.shows_ns => return None,
            Some(Match { dataset, answer, .. }) => {
                let (a, template) = dataset.answers.only_value(answer)?;
                match self.question.qtype {
                    Type::A => (Reason::Answered, self.a(zone, dataset, a)?),
                    Type::TXT if shows_text(template, &dataset.vars) => {
                        (Reason::Answered, self.txt(dataset, template, text)?)
                    }
                    _ => (Reason::NoData, self.negative(zone, apex, Rcode::NoError)?),
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
        if found.answer == AnswerId::NONE {
            return None;
        }
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
        let room: &mut [u8; RECORD_HEAD + 4] = question.room(self.out)?;
        let head = record_head(HEADER, Type::A, Class::IN, dataset.ttl, 4);
        room[..RECORD_HEAD].copy_from_slice(&head);
        room[RECORD_HEAD..].copy_from_slice(&a.octets());
        let len = question.finish(self.out, RECORD_HEAD + 4, Rcode::NoError, Section::Answer)?;
        zone.counters.count_value(self.state.worker, a);
        Some(len)
    }

    #[inline(always)]
    fn txt(
        &mut self,
        dataset: &Dataset,
        template: Template<'_>,
        text: impl FnOnce(&mut WorkerState, &[u8], &Vars, &mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        // One character-string (RFC 1035 section 3.3).
        let room: &mut [u8; RECORD_HEAD + 256] = self.question.room(self.out)?;
        let mut pieces = match template {
            Template::Whole(_) => Vec::new(),
            Template::Pieces(_) => std::mem::take(&mut self.state.template),
        };
        let whole = template.join(&mut pieces);
        let len = text(self.state, whole, &dataset.vars, &mut room[RECORD_HEAD + 1..]);
        if pieces.capacity() > 0 {
            self.state.template = pieces;
        }
        let len = len?;
        let head = record_head(HEADER, Type::TXT, Class::IN, dataset.ttl, len as u16 + 1);
        room[..RECORD_HEAD].copy_from_slice(&head);
        room[RECORD_HEAD] = len as u8;
        self.question.finish(self.out, RECORD_HEAD + 1 + len, Rcode::NoError, Section::Answer)
    }

    #[inline(always)]
    fn negative(&mut self, zone: &CompiledZone, apex: usize, rcode: Rcode) -> Option<usize> {
        let question = self.question;
        let size = zone.soa.write(apex, question.room(self.out)?);
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
    state: &mut WorkerState,
    listed: u8,
    template: &[u8],
    vars: &Vars,
    room: &mut [u8],
) -> Option<usize> {
    let key = state.name.labels_before(listed, 0);
    let write = |room: &mut [u8]| write_usual_text(key, room);
    match expand_quickly(template, vars, write, room) {
        None => expand_any(template, vars, state.key_text.name(key), room),
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
