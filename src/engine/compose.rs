//! Writes what was found as records.

use super::lookup::{Findings, Hit, HitKey, RecordHit};
use super::text::KeyText;
use super::{LowerName, Reason, WorkerState};
use crate::listing::records::Record;
use crate::listing::{Answer, Asker};
use crate::wire::response::Section;
use crate::wire::{Class, HEADER, Query, ResponseWriter, Type};
use crate::zone::{Catalog, Dataset, SoaRecord, Vars, Zone};
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

/// Writes the records of one query in one zone.
pub(super) struct Composer<'a> {
    pub(super) zone: &'a Zone,
    pub(super) soa: &'a SoaRecord,
    pub(super) query: &'a Query<'a>,
    pub(super) found: &'a Findings,
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
        let is_listed = !state.hits.is_empty() || self.value.is_some();
        if !is_listed && state.records.is_empty() && !is_apex {
            self.negative_soa(writer);
            return if self.found.empty_non_terminal { Reason::NoData } else { Reason::NxDomain };
        }
        if is_apex {
            self.apex_records(writer);
        }
        if !state.hits.is_empty() || !state.records.is_empty() || self.value.is_some() {
            if self.wants(Type::A) {
                self.addresses(&state.hits, &state.records, writer);
            }
            if self.wants(Type::TXT) {
                self.texts(state, writer);
            }
            self.other_records(&state.records, writer);
        }
        if writer.answers() > 0 || writer.is_truncated() {
            self.name_servers(is_apex, writer);
            return Reason::Answered;
        }
        self.negative_soa(writer);
        Reason::NoData
    }

    fn negative_soa(&self, writer: &mut ResponseWriter<'_>) {
        self.soa.write(Section::Authority, self.owner_of_zone, self.soa.minimum, writer);
    }

    fn wants(&self, rtype: Type) -> bool {
        self.query.qtype == rtype || self.query.qtype == Type::ANY
    }

    fn apex_records(&self, writer: &mut ResponseWriter<'_>) {
        if self.wants(Type::SOA) {
            self.soa.write(Section::Answer, self.owner_of_zone, self.soa.ttl, writer);
        }
        if self.wants(Type::NS) {
            self.ns(Section::Answer, writer);
        }
    }

    /// One A record per distinct value of all datasets, with the least of their TTLs (RFC 2181
    /// section 5.2).
    fn addresses(&self, hits: &[Hit], records: &[RecordHit], writer: &mut ResponseWriter<'_>) {
        let resolved = || self.resolve(hits).map(|(_, dataset, answer)| (dataset, answer));
        let listed = resolved().map(|(dataset, _)| dataset.ttl);
        let of_records = self.records(records, Type::A).map(|record| record.ttl);
        let Some(ttl) = listed.chain(of_records).min() else { return };
        let start = writer.position();
        for (_, answer) in resolved() {
            for value in answer.values_for(self.asker) {
                self.distinct(writer, start, Type::A, ttl, &[&value.a.octets()]);
            }
        }
        for record in self.records(records, Type::A) {
            self.distinct(writer, start, Type::A, ttl, &[record.data]);
        }
    }

    /// One TXT record per distinct text of all datasets, with the least of their TTLs.
    fn texts(&self, state: &mut WorkerState, writer: &mut ResponseWriter<'_>) {
        let WorkerState { name, hits, records, text, key_text, .. } = state;
        let listed = self.resolve(hits).filter_map(|(_, dataset, answer)| {
            let mut values = answer.values_for(self.asker);
            values.any(|value| has_text(value.text, &dataset.vars)).then_some(dataset.ttl)
        });
        let of_records = self.records(records, Type::TXT).map(|record| record.ttl);
        let Some(ttl) = listed.chain(of_records).min() else { return };
        let start = writer.position();
        for (hit, dataset, answer) in self.resolve(hits) {
            let key = match hit {
                Some(hit) => key_of(hit, name, key_text),
                None => client_text(self.client, key_text),
            };
            let values = answer.values_for(self.asker);
            for value in values.filter(|value| has_text(value.text, &dataset.vars)) {
                let text = text.expand(value.text, &dataset.vars, key);
                self.distinct_text(writer, start, ttl, text);
            }
        }
        for record in self.records(records, Type::TXT) {
            self.distinct(writer, start, Type::TXT, ttl, &[record.data]);
        }
    }

    /// The hits and what they give; behind them, without a hit, the value of an access list.
    fn resolve<'h>(
        &self,
        hits: &'h [Hit],
    ) -> impl Iterator<Item = (Option<&'h Hit>, &Dataset, Answer<'_>)> {
        let listed = hits.iter().filter_map(|hit| {
            let (dataset, answer) = hit.resolve(self.zone)?;
            Some((Some(hit), dataset, answer))
        });
        listed.chain(self.value.map(|(dataset, answer)| (None, dataset, answer)))
    }

    /// Records of `generic` datasets of the types that lists do not have, each RRset with the least
    /// of its TTLs.
    fn other_records(&self, records: &[RecordHit], writer: &mut ResponseWriter<'_>) {
        if records.is_empty() {
            return;
        }
        let start = writer.position();
        let others = || records.iter().flat_map(|hit| hit.resolve(self.zone));
        let others = || others().filter(|record| ![Type::A, Type::TXT].contains(&record.rtype));
        for record in others().filter(|record| self.wants(record.rtype)) {
            let rrset = others().filter(|other| other.rtype == record.rtype);
            let ttl = rrset.map(|other| other.ttl).min().unwrap_or(record.ttl);
            self.distinct(writer, start, record.rtype, ttl, &[record.data]);
        }
    }

    fn records<'r>(
        &'r self,
        records: &'r [RecordHit],
        rtype: Type,
    ) -> impl Iterator<Item = Record<'r>> {
        let all = records.iter().flat_map(|hit| hit.resolve(self.zone));
        all.filter(move |record| record.rtype == rtype)
    }

    /// Writes a text as character-strings of up to 255 bytes.
    fn distinct_text(&self, writer: &mut ResponseWriter<'_>, start: usize, ttl: u32, text: &[u8]) {
        if let Ok(len) = u8::try_from(text.len()) {
            return self.distinct(writer, start, Type::TXT, ttl, &[&[len], text]);
        }
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
        if !writer.is_truncated() && (is_first || !stands_in(writer.written(start), rtype, parts)) {
            writer.record(Section::Answer, HEADER, rtype, Class::IN, ttl, parts);
        }
    }

    /// The NS records of the zone.
    fn ns(&self, section: Section, writer: &mut ResponseWriter<'_>) {
        let pointer = (0xc000 | self.owner_of_zone as u16).to_be_bytes();
        for name in &self.zone.ns.names {
            let (head, end) = match name.labels_before(&self.zone.apex) {
                Some(labels) => (labels, &pointer[..]),
                None => (name.as_wire(), &[][..]),
            };
            writer.record(
                section,
                self.owner_of_zone,
                Type::NS,
                Class::IN,
                self.zone.ns.ttl,
                &[head, end],
            );
        }
    }

    /// The NS records behind an answer, unless they are not wanted or do not fit.
    fn name_servers(&self, is_apex: bool, writer: &mut ResponseWriter<'_>) {
        let in_answer = is_apex && self.wants(Type::NS);
        if self.zone.minimal_answers || !self.zone.ns.explicit || in_answer || writer.is_truncated()
        {
            return;
        }
        let position = writer.position();
        self.ns(Section::Authority, writer);
        if writer.is_truncated() {
            writer.rewind_authority(position);
        }
    }
}

/// False if the expanded text of this template would be empty: then there is no TXT record.
pub(crate) fn has_text(template: &[u8], vars: &Vars) -> bool {
    match template.strip_prefix(b"=") {
        Some(own) => !own.is_empty(),
        None => !template.is_empty() || vars.base.is_some(),
    }
}

fn client_text(client: IpAddr, text: &mut KeyText) -> &[u8] {
    match client.to_canonical() {
        IpAddr::V4(client) => text.ip4(client.into()),
        IpAddr::V6(client) => text.ip6(client.into()),
    }
}

/// The key as the text of a hit names it: the address asked, or the name listed.
fn key_of<'k>(hit: &Hit, name: &LowerName, text: &'k mut KeyText) -> &'k [u8] {
    match hit.key {
        HitKey::Ip4(ip4) => text.ip4(ip4),
        HitKey::Ip6(ip6) => text.ip6(u128::from_be_bytes(ip6)),
        HitKey::Name { listed, apex } => text.name(name.labels_before(listed, apex)),
    }
}

/// True if one of these records has this type and data, whatever its TTL.
fn stands_in(records: &[u8], rtype: Type, parts: &[&[u8]]) -> bool {
    let size: usize = parts.iter().map(|part| part.len()).sum();
    let mut rest = records;
    while let Some((fixed, after)) = rest.split_first_chunk::<12>() {
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
