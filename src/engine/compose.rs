//! Writes what was found as records.

use super::lookup::{Findings, Hit};
use super::text::KeyText;
use super::{Reason, WorkerState};
use crate::listing::records::{Found, Record};
use crate::wire::response::Section;
use crate::wire::{Class, HEADER, Query, ResponseWriter, Type};
use crate::zone::{Catalog, Dataset, SoaRecord, Vars, Zone};

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
    /// Where the labels before the apex start, and the apex.
    pub(super) starts: &'a [u8],
    /// Where in the message the name of the zone stands.
    pub(super) owner_of_zone: usize,
}

impl Composer<'_> {
    /// Writes the answer and authority sections.
    pub(super) fn write(&self, state: &mut WorkerState, writer: &mut ResponseWriter<'_>) -> Reason {
        let is_apex = self.owner_of_zone == HEADER;
        if state.hits.is_empty() && !self.found.records && !is_apex {
            self.negative_soa(writer);
            return if self.found.empty_non_terminal { Reason::NoData } else { Reason::NxDomain };
        }
        if is_apex {
            self.apex_records(writer);
        }
        if self.wants(Type::A) {
            self.addresses(&state.hits, state.name.wire(), writer);
        }
        if self.wants(Type::TXT) {
            self.texts(state, writer);
        }
        if self.found.records {
            self.other_records(state.name.wire(), writer);
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
    fn addresses(&self, hits: &[Hit], name: &[u8], writer: &mut ResponseWriter<'_>) {
        let resolved = || hits.iter().filter_map(|hit| hit.resolve(self.zone));
        let listed = resolved().map(|(dataset, _)| dataset.ttl).min();
        let Some(ttl) = self.with_records(listed, name, Type::A) else { return };
        let start = writer.position();
        for (_, answer) in resolved() {
            for value in answer.values() {
                self.distinct(writer, start, Type::A, ttl, &[&value.a.octets()]);
            }
        }
        for record in self.records(name, Type::A) {
            self.distinct(writer, start, Type::A, ttl, &[&record.data]);
        }
    }

    /// One TXT record per distinct text of all datasets, with the least of their TTLs.
    fn texts(&self, state: &mut WorkerState, writer: &mut ResponseWriter<'_>) {
        let WorkerState { name, hits, text, key_text, .. } = state;
        let resolved = || hits.iter().filter_map(|hit| Some((hit, hit.resolve(self.zone)?)));
        let texts = resolved().filter(|(_, (dataset, answer))| {
            answer.values().any(|value| has_text(value.text, &dataset.vars))
        });
        let listed = texts.map(|(_, (dataset, _))| dataset.ttl).min();
        let Some(ttl) = self.with_records(listed, name.wire(), Type::TXT) else { return };
        let start = writer.position();
        for (hit, (dataset, answer)) in resolved() {
            let key = self.key(hit, name.wire(), key_text);
            for value in answer.values().filter(|value| has_text(value.text, &dataset.vars)) {
                let text = text.expand(value.text, &dataset.vars, key);
                self.distinct_text(writer, start, ttl, text);
            }
        }
        for record in self.records(name.wire(), Type::TXT) {
            self.distinct(writer, start, Type::TXT, ttl, &[&record.data]);
        }
    }

    /// The least of a TTL and those of the ordinary records of this type, if there are any.
    fn with_records(&self, ttl: Option<u32>, name: &[u8], rtype: Type) -> Option<u32> {
        if !self.found.records {
            return ttl;
        }
        self.records(name, rtype).map(|record| record.ttl).chain(ttl).min()
    }

    /// Records of `generic` datasets of the types that lists do not have.
    fn other_records(&self, name: &[u8], writer: &mut ResponseWriter<'_>) {
        let start = writer.position();
        for dataset in &self.zone.datasets {
            for record in all_records(dataset, name) {
                let Record { rtype, ttl, ref data } = *record;
                if self.wants(rtype) && rtype != Type::A && rtype != Type::TXT {
                    self.distinct(writer, start, rtype, ttl, &[data]);
                }
            }
        }
    }

    fn records(&self, name: &[u8], rtype: Type) -> impl Iterator<Item = &Record> {
        let datasets = if self.found.records { &self.zone.datasets[..] } else { &[] };
        datasets
            .iter()
            .flat_map(move |set| all_records(set, name))
            .filter(move |record| record.rtype == rtype)
    }

    /// The key as the text of a hit names it: the address asked, or the name listed.
    fn key<'k>(&self, hit: &Hit, name: &[u8], text: &'k mut KeyText) -> &'k [u8] {
        let key = &self.found.key;
        match (hit.labels, key.ip4, key.ip6) {
            (1.., ..) => text.name(self.listed_name(name, hit.labels)),
            (0, _, Some(ip6)) if hit.ip6 => text.ip6(ip6),
            (0, Some(ip4), _) => text.ip4(ip4),
            (0, ..) => &[],
        }
    }

    /// The last so many labels of a name.
    fn listed_name<'n>(&self, name: &'n [u8], labels: u8) -> &'n [u8] {
        let from_end = usize::from(labels) + 1;
        let start = self.starts.len().checked_sub(from_end).map_or(0, |at| self.starts[at]);
        name.get(usize::from(start)..).unwrap_or(&[])
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
fn has_text(template: &[u8], vars: &Vars) -> bool {
    match template.strip_prefix(b"=") {
        Some(own) => !own.is_empty(),
        None => !template.is_empty() || vars.base.is_some(),
    }
}

fn all_records<'d>(dataset: &'d Dataset, name: &[u8]) -> &'d [Record] {
    match dataset.records.as_ref().map(|records| records.lookup(name)) {
        Some(Found::Records(records)) => records,
        _ => &[],
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
