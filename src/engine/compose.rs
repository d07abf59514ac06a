//! Writes what was found as records. One unit with `score.rs`, which writes those of verdict zones.

use super::distinct::{Distinct, data_of};
use super::score::Score;
use super::text::KeyText;
use super::{Reason, WorkerState};
use crate::listing::records::{NameId, Record, RecordSet};
use crate::listing::{Answer, Asker, Template, Value};
use crate::wire::message::response::Section;
use crate::wire::name::LowerName;
use crate::wire::{Class, HEADER, Query, ResponseWriter, Type};
use crate::zone::lookup::{Match, MatchedKey};
use crate::zone::{Catalog, CompiledZone, Dataset, Vars};
use crate::zonefile::MAX_TEXT;
use std::net::IpAddr;

/// Answers a question about the server itself (RFC 4892); false if there is nothing to say.
pub(super) fn chaos(catalog: &Catalog, query: &Query<'_>, writer: &mut ResponseWriter<'_>) -> bool {
    if query.class != Class::CH || query.qtype != Type::TXT {
        return false;
    }
    let is = |name: &[u8]| query.name.eq_ignore_ascii_case(name);
    let text = if is(b"\x07version\x04bind\0") || is(b"\x07version\x06server\0") {
        &catalog.chaos().version
    } else if is(b"\x02id\x06server\0") || is(b"\x08hostname\x04bind\0") {
        &catalog.chaos().id
    } else {
        &None
    };
    let Some(text) = text else { return false };
    let text = &text[..text.len().min(255)];
    writer.record(Section::Answer, HEADER, Type::TXT, Class::CH, 0, &[&[text.len() as u8], text]);
    true
}

/// The most values of lists that are looked at for one query: as many as one list has. What is behind them is
/// left out, and the answer says so: a query must not take longer because files say very much of one name.
const MAX_VALUES: usize = 255;

/// The most ordinary records of a type, for the same reason.
const MAX_RECORDS: usize = 512;

/// So many bytes of texts, and two texts more, are written out for one query at most.
const MAX_TEXTS: usize = 8192;

/// A name that has ordinary records in a dataset.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordMatch<'z> {
    pub(super) records: &'z RecordSet,
    pub(super) name: NameId,
}

/// Writes the records of one query in one zone.
pub(super) struct Composer<'a> {
    pub(super) zone: &'a CompiledZone,
    pub(super) query: &'a Query<'a>,
    /// The lists that have the name.
    pub(super) matches: &'a [Match<'a>],
    /// The ordinary records the name has.
    pub(super) records: &'a [RecordMatch<'a>],
    /// What the lists make together in a verdict zone.
    pub(super) score: Option<Score<'a>>,
    /// The name exists, whether it is listed or not.
    pub(super) exists: bool,
    /// Where in the message the name of the zone stands.
    pub(super) owner_of_zone: usize,
    /// Who asks, and when.
    pub(super) asker: Asker,
    /// The value an access list has for every key.
    pub(super) value: Option<(&'a Dataset, Answer<'a>)>,
    /// The client's address, which is what `$` in that value stands for.
    pub(super) client: IpAddr,
}

impl Composer<'_> {
    /// Writes the answer and authority sections.
    pub(super) fn write(&self, state: &mut WorkerState, writer: &mut ResponseWriter<'_>) -> Reason {
        let is_apex = self.owner_of_zone == HEADER;
        let has_data = !self.matches.is_empty() || !self.records.is_empty() || self.value.is_some();
        if !has_data && !is_apex {
            self.negative_soa(writer);
            return if self.exists { Reason::NoData } else { Reason::NxDomain };
        }
        if is_apex {
            self.apex_records(writer);
        }
        if let Some(score) = &self.score {
            score.write(self, state, writer);
        } else if has_data {
            if writer.wants(self.query.qtype, Type::A) {
                self.addresses(state, writer);
            }
            if writer.wants(self.query.qtype, Type::TXT) {
                self.texts(state, writer);
            }
            self.other_records(&mut state.distinct, writer);
            if self.is_more_than_looked_at() {
                writer.leave_out();
            }
        }
        if writer.answers() > 0 || writer.is_truncated() {
            self.name_servers(is_apex, writer);
            return Reason::Answered;
        }
        self.negative_soa(writer);
        Reason::NoData
    }

    fn negative_soa(&self, writer: &mut ResponseWriter<'_>) {
        self.zone.soa.append(Section::Authority, self.owner_of_zone, writer);
    }

    fn apex_records(&self, writer: &mut ResponseWriter<'_>) {
        if writer.wants(self.query.qtype, Type::SOA) {
            self.zone.soa.append(Section::Answer, self.owner_of_zone, writer);
        }
        if writer.wants(self.query.qtype, Type::NS) {
            self.zone.ns.write(Section::Answer, self.owner_of_zone, writer);
        }
    }

    /// The datasets that list the name with what they say of it; behind them the value of an access
    /// list, which has no key.
    fn listed(&self) -> impl Iterator<Item = (Option<MatchedKey>, &Dataset, Answer<'_>)> {
        let matches =
            self.matches.iter().map(|found| (Some(found.key), found.dataset, found.answer()));
        matches.chain(self.value.map(|(dataset, answer)| (None, dataset, answer)))
    }

    /// True if the name has more values than are looked at.
    fn is_more_than_looked_at(&self) -> bool {
        self.matches.len() > 1
            && self.listed().map(|(_, _, answer)| answer.values().len()).sum::<usize>() > MAX_VALUES
    }

    /// The values of all datasets; `None` for one that is not for who asks. There are no more of them
    /// than a query has time for.
    fn values(&self) -> impl Iterator<Item = (Option<MatchedKey>, &Dataset, Option<Value<'_>>)> {
        let listed = self.listed().flat_map(move |(key, dataset, answer)| {
            answer.values().map(move |value| {
                let is_for_asker = value.gate.is_none_or(|gate| gate.pass(self.asker).is_some());
                (key, dataset, is_for_asker.then_some(value))
            })
        });
        listed.take(MAX_VALUES)
    }

    /// The values that have a text.
    fn values_with_text(
        &self,
    ) -> impl Iterator<Item = (Option<MatchedKey>, &Dataset, Template<'_>)> {
        self.values().filter_map(|(key, dataset, value)| {
            let text = value?.text;
            shows_text(text, &dataset.vars).then_some((key, dataset, text))
        })
    }

    /// The ordinary records of one type, no more than a query has time for.
    fn records_of(&self, rtype: Type) -> impl Iterator<Item = Record<'_>> {
        let records =
            self.records.iter().flat_map(move |found| found.records.rrset(found.name, rtype));
        records.take(MAX_RECORDS)
    }

    /// One A record per distinct value of all datasets, with the least of their TTLs (RFC 2181
    /// section 5.2).
    fn addresses(&self, state: &mut WorkerState, writer: &mut ResponseWriter<'_>) {
        let ttls = self.listed().map(|(_, dataset, _)| dataset.ttl);
        let ttls = ttls.chain(self.records_of(Type::A).map(|record| record.ttl));
        let Some(ttl) = ttls.min() else { return };
        let mut rrset = RrSet::new(Type::A, ttl, &mut state.distinct, writer);
        let (mut before, mut has_room) = (None, true);
        for value in self.values().filter_map(|(_, _, value)| value) {
            if before.replace(value.a) == Some(value.a) {
                continue;
            }
            // Where one has no room, none has.
            has_room = rrset.add(writer, &value.a.octets());
            if !has_room {
                break;
            }
        }
        if has_room {
            self.add_records(&mut rrset, writer);
        }
        for value in data_of(writer.written(rrset.start)) {
            if let Ok(octets) = <[u8; 4]>::try_from(value) {
                self.zone.counters.count_value(state.worker, octets.into());
            }
        }
    }

    /// One TXT record per distinct text of all datasets, with the least of their TTLs.
    fn texts(&self, state: &mut WorkerState, writer: &mut ResponseWriter<'_>) {
        let ttls = self.values_with_text().map(|(_, dataset, _)| dataset.ttl);
        let ttls = ttls.chain(self.records_of(Type::TXT).map(|record| record.ttl));
        let Some(ttl) = ttls.min() else { return };
        let WorkerState { name, text, template: pieces, distinct, key_text, .. } = state;
        let mut rrset = RrSet::new(Type::TXT, ttl, distinct, writer);
        let mut room = writer.limit().min(MAX_TEXTS) + 2 * MAX_TEXT;
        let (mut written, mut before, mut misfits) = (None, None, 0);
        for (key, dataset, template) in self.values_with_text() {
            // Values that differ in their A records may share a text.
            let is_same = |(last, text): (&Dataset, Template<'_>)| {
                std::ptr::eq(last, dataset) && text == template && written == Some(key)
            };
            if before.replace((dataset, template)).is_some_and(is_same) {
                continue;
            }
            let base = dataset.vars.base.as_ref().map_or(0, |base| base.len());
            let Some(rest) = room.checked_sub(template.len().max(base)).filter(|_| misfits < 2)
            else {
                writer.leave_out();
                break;
            };
            room = rest;
            if written.replace(key) != Some(key) {
                match key {
                    Some(key) => key.text(name, key_text),
                    None => client_text(self.client, key_text),
                };
            }
            text.expand(template.join(pieces), &dataset.vars, key_text.written());
            misfits += u8::from(!rrset.add(writer, text.character_strings()));
        }
        self.add_records(&mut rrset, writer);
    }

    /// Records of `generic` datasets of the types that lists do not have, each RRset with the least
    /// of its TTLs.
    fn other_records(&self, distinct: &mut Distinct, writer: &mut ResponseWriter<'_>) {
        let next = |last| {
            let records = self.records.iter();
            records.filter_map(|found| found.records.next_type(found.name, last)).min()
        };
        let mut last = Type(0);
        while let Some(rtype) = next(last) {
            last = rtype;
            let is_wanted = writer.wants(self.query.qtype, rtype);
            if [Type::A, Type::TXT].contains(&rtype) || !is_wanted {
                continue;
            }
            let Some(ttl) = self.records_of(rtype).map(|record| record.ttl).min() else { continue };
            let mut rrset = RrSet::new(rtype, ttl, distinct, writer);
            self.add_records(&mut rrset, writer);
        }
    }

    /// Writes the ordinary records of the type of an RRset.
    fn add_records(&self, rrset: &mut RrSet<'_>, writer: &mut ResponseWriter<'_>) {
        for record in self.records_of(rrset.rtype) {
            rrset.add(writer, record.data);
        }
        let counts =
            self.records.iter().map(|found| found.records.rrset(found.name, rrset.rtype).len());
        if counts.sum::<usize>() > MAX_RECORDS {
            writer.leave_out();
        }
    }

    /// The NS records behind an answer, unless they are not wanted or do not fit.
    fn name_servers(&self, is_apex: bool, writer: &mut ResponseWriter<'_>) {
        let in_answer = is_apex && [Type::NS, Type::ANY].contains(&self.query.qtype);
        if !self.zone.shows_ns || in_answer || writer.is_truncated() {
            return;
        }
        let position = writer.position();
        self.zone.ns.write(Section::Authority, self.owner_of_zone, writer);
        if writer.is_truncated() {
            writer.rewind_authority(position);
        }
    }
}

/// As [`has_text`] for a template that may be kept in pieces.
pub(crate) fn shows_text(template: Template<'_>, vars: &Vars) -> bool {
    match template {
        Template::Whole(text) => has_text(text, vars),
        Template::Pieces(_) if template.len() > 1 => true,
        // At most one piece has a byte.
        Template::Pieces(pieces) => {
            has_text(pieces.into_iter().find(|piece| !piece.is_empty()).unwrap_or(&[]), vars)
        }
    }
}

/// False if the expanded text of this template would be empty: then there is no TXT record.
pub(crate) fn has_text(template: &[u8], vars: &Vars) -> bool {
    match template {
        [] => vars.base.is_some(),
        [only] => *only != b'=',
        _ => true,
    }
}

fn client_text(client: IpAddr, text: &mut KeyText) -> &[u8] {
    match client.to_canonical() {
        IpAddr::V4(client) => text.ip4(client.into()),
        IpAddr::V6(client) => text.ip6(client.into()),
    }
}

impl MatchedKey {
    /// The key as a text names it: the address asked, or the name listed.
    pub(super) fn text<'k>(self, name: &LowerName, text: &'k mut KeyText) -> &'k [u8] {
        match self {
            Self::Ip4(ip4) => text.ip4(ip4),
            Self::Ip6(ip6) => text.ip6(ip6),
            Self::Name { listed, apex } => text.name(name.labels_before(listed, apex)),
        }
    }
}

/// The records of one type at the name asked.
struct RrSet<'d> {
    rtype: Type,
    ttl: u32,
    /// Where the first one starts.
    start: usize,
    distinct: &'d mut Distinct,
}

impl<'d> RrSet<'d> {
    fn new(rtype: Type, ttl: u32, distinct: &'d mut Distinct, writer: &ResponseWriter<'_>) -> Self {
        distinct.begin();
        Self { rtype, ttl, start: writer.position(), distinct }
    }

    /// Writes a record with this data unless it stands in the message; `false` if it does not fit.
    fn add(&mut self, writer: &mut ResponseWriter<'_>, data: &[u8]) -> bool {
        let written = writer.written(self.start);
        if !written.is_empty() && self.distinct.has(written, data) {
            return true;
        }
        let position = writer.position();
        writer.record(Section::Answer, HEADER, self.rtype, Class::IN, self.ttl, &[data]);
        writer.position() > position
    }
}
