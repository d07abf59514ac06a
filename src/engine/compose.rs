//! Writes what was found as records.

use super::text::{KeyText, Text};
use super::{Reason, WorkerState};
use crate::listing::records::{NameId, Record, RecordSet};
use crate::listing::{Answer, Asker};
use crate::wire::message::response::{RECORD_HEAD, Section};
use crate::wire::name::LowerName;
use crate::wire::{Class, HEADER, Query, ResponseWriter, Type};
use crate::zone::lookup::{Match, MatchedKey};
use crate::zone::{Catalog, CompiledZone, Dataset, Vars};
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

/// A name that has ordinary records in a dataset.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordMatch<'z> {
    pub(super) records: &'z RecordSet,
    pub(super) name: NameId,
}

impl<'z> RecordMatch<'z> {
    /// The records, of all types.
    fn records(self) -> impl Iterator<Item = Record<'z>> + Clone {
        self.records.records(self.name)
    }
}

/// Writes the records of one query in one zone.
pub(super) struct Composer<'a> {
    pub(super) zone: &'a CompiledZone,
    pub(super) query: &'a Query<'a>,
    /// The lists that have the name.
    pub(super) matches: &'a [Match<'a>],
    /// The ordinary records the name has.
    pub(super) records: &'a [RecordMatch<'a>],
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
        if has_data {
            if self.wants(Type::A) {
                self.addresses(writer);
            }
            if self.wants(Type::TXT) {
                self.texts(state, writer);
            }
            self.other_records(writer);
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

    fn wants(&self, rtype: Type) -> bool {
        self.query.qtype == rtype || self.query.qtype == Type::ANY
    }

    fn apex_records(&self, writer: &mut ResponseWriter<'_>) {
        if self.wants(Type::SOA) {
            self.zone.soa.append(Section::Answer, self.owner_of_zone, writer);
        }
        if self.wants(Type::NS) {
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

    /// The ordinary records of one type.
    fn records_of(&self, rtype: Type) -> impl Iterator<Item = Record<'_>> {
        let records = self.records.iter().flat_map(|found| found.records());
        records.filter(move |record| record.rtype == rtype)
    }

    /// One A record per distinct value of all datasets, with the least of their TTLs (RFC 2181
    /// section 5.2).
    fn addresses(&self, writer: &mut ResponseWriter<'_>) {
        let ttls = self.listed().map(|(_, dataset, _)| dataset.ttl);
        let ttls = ttls.chain(self.records_of(Type::A).map(|record| record.ttl));
        let Some(ttl) = ttls.min() else { return };
        let start = writer.position();
        for (_, _, answer) in self.listed() {
            for value in answer.values_for(self.asker) {
                self.distinct(writer, start, Type::A, ttl, &[&value.a.octets()]);
            }
        }
        for record in self.records_of(Type::A) {
            self.distinct(writer, start, Type::A, ttl, &[record.data]);
        }
    }

    /// One TXT record per distinct text of all datasets, with the least of their TTLs.
    fn texts(&self, state: &mut WorkerState, writer: &mut ResponseWriter<'_>) {
        let with_text = self.listed().filter(|(_, dataset, answer)| {
            let mut values = answer.values_for(self.asker);
            values.any(|value| has_text(value.text, &dataset.vars))
        });
        let ttls = with_text.map(|(_, dataset, _)| dataset.ttl);
        let ttls = ttls.chain(self.records_of(Type::TXT).map(|record| record.ttl));
        let Some(ttl) = ttls.min() else { return };
        let start = writer.position();
        let WorkerState { name, text, key_text, .. } = state;
        for (key, dataset, answer) in self.listed() {
            let key = match key {
                Some(key) => key.text(name, key_text),
                None => client_text(self.client, key_text),
            };
            for value in answer.values_for(self.asker) {
                if has_text(value.text, &dataset.vars) {
                    text.expand(value.text, &dataset.vars, key);
                    self.distinct_text(writer, start, ttl, text);
                }
            }
        }
        for record in self.records_of(Type::TXT) {
            self.distinct(writer, start, Type::TXT, ttl, &[record.data]);
        }
    }

    /// Records of `generic` datasets of the types that lists do not have, each RRset with the least
    /// of its TTLs.
    fn other_records(&self, writer: &mut ResponseWriter<'_>) {
        let start = writer.position();
        let others = || self.records.iter().flat_map(|found| found.records());
        let is_other = |record: &Record<'_>| ![Type::A, Type::TXT].contains(&record.rtype);
        for record in others().filter(is_other).filter(|record| self.wants(record.rtype)) {
            let ttl = self.records_of(record.rtype).map(|other| other.ttl).min();
            let ttl = ttl.unwrap_or(record.ttl);
            self.distinct(writer, start, record.rtype, ttl, &[record.data]);
        }
    }

    /// Writes a text as character-strings of up to 255 bytes.
    fn distinct_text(&self, writer: &mut ResponseWriter<'_>, start: usize, ttl: u32, text: &Text) {
        if let Some(string) = text.character_string() {
            return self.distinct(writer, start, Type::TXT, ttl, &[string]);
        }
        let text = text.bytes();
        let mut chunks = text.chunks(255);
        let mut next = || chunks.next().unwrap_or(&[]);
        let (a, b, c, d) = (next(), next(), next(), next());
        let lens = [a.len() as u8, b.len() as u8, c.len() as u8, d.len() as u8];
        let parts = [&lens[0..1], a, &lens[1..2], b, &lens[2..3], c, &lens[3..4], d];
        let used = 2 * text.len().div_ceil(255).max(1);
        self.distinct(writer, start, Type::TXT, ttl, &parts[..used]);
    }

    /// Writes a record at the name asked unless an equal one stands in the message from `start`.
    fn distinct(
        &self,
        writer: &mut ResponseWriter<'_>,
        start: usize,
        rtype: Type,
        ttl: u32,
        parts: &[&[u8]],
    ) {
        let is_first = writer.position() == start;
        if is_first || !stands_in(writer.written(start), rtype, parts) {
            writer.record(Section::Answer, HEADER, rtype, Class::IN, ttl, parts);
        }
    }

    /// The NS records behind an answer, unless they are not wanted or do not fit.
    fn name_servers(&self, is_apex: bool, writer: &mut ResponseWriter<'_>) {
        let in_answer = is_apex && self.wants(Type::NS);
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

/// True if one of these records has this type and data, whatever its TTL.
fn stands_in(records: &[u8], rtype: Type, parts: &[&[u8]]) -> bool {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    let mut rest = records;
    while let Some((fixed, after)) = rest.split_first_chunk::<RECORD_HEAD>() {
        let len = usize::from(u16::from_be_bytes([fixed[10], fixed[11]]));
        let Some((mut data, next)) = after.split_at_checked(len) else { return false };
        let same = len == size
            && fixed[2..4] == rtype.0.to_be_bytes()
            && parts.iter().all(|part| {
                let (head, tail) = data.split_at(part.len());
                data = tail;
                head == *part
            });
        if same {
            return true;
        }
        rest = next;
    }
    false
}
