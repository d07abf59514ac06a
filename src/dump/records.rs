//! The records of a copy of a zone, in wire form, in the order of their names.

use crate::engine::compose::shows_text;
use crate::engine::text::{KeyText, Text};
use crate::listing::records::Record;
use crate::wire::Type;
use crate::wire::name::Labels;
use crate::wire::reversed::{some_nibbles as nibbles, some_octets as octets};
use crate::zone::key::{MAPPED, SIX_TO_FOUR};
use crate::zone::sweep::{Hit, HitKind, Node, SweepSection, Visitor, suffix};
use hashbrown::HashMap;

/// Takes the records of a section.
pub(crate) trait RecordSink {
    /// Why it takes no more.
    type Error;

    /// The records to come are those of this name, relative to the section, or of the wildcard below it. There
    /// may be none.
    fn owner(&mut self, name: &[u8], is_wildcard: bool);

    /// A record: its data is in wire form, names in it uncompressed.
    fn record(&mut self, rtype: Type, ttl: u32, data: &[u8]) -> Result<(), Self::Error>;
}

/// The data of the record of an excluded name: a record of a type that nobody asks for. Without an address or a
/// text, the name exists, which keeps the wildcard above from it.
const EXCLUDED: &[u8] = b"\x08excluded\x01-";

/// Makes the records of a section of what the sweep finds.
pub(crate) struct Records<'z, 's, S> {
    section: &'z SweepSection<'z>,
    sink: &'s mut S,
    /// The TTL of records that belong to no dataset, in seconds.
    ttl: u32,
    text: Text,
    key_text: KeyText,
    addresses: RrSet,
    texts: RrSet,
    /// Whether the text of an answer shows the key.
    shows_key: HashMap<Hit, bool>,
}

/// The data of the records of one name and type, each once, with the least of their TTLs (RFC 2181 section 5).
#[derive(Default)]
struct RrSet {
    ttl: u32,
    data: Vec<u8>,
    /// Where the data of each record ends.
    ends: Vec<usize>,
}

impl RrSet {
    fn add(&mut self, ttl: u32, data: &[u8]) {
        self.ttl = if self.ends.is_empty() { ttl } else { self.ttl.min(ttl) };
        if !self.iter().any(|other| other == data) {
            self.data.extend_from_slice(data);
            self.ends.push(self.data.len());
        }
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.data[start..end])
    }

    fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
    }

    fn give<S: RecordSink>(&self, rtype: Type, sink: &mut S) -> Result<(), S::Error> {
        self.iter().try_for_each(|data| sink.record(rtype, self.ttl, data))
    }
}

impl<S: RecordSink> Visitor for Records<'_, '_, S> {
    type Error = S::Error;

    fn node(&mut self, node: Node<'_, '_>) -> Result<(), S::Error> {
        self.sink.owner(node.name, false);
        self.rrsets(node.name, node.itself, node.records)?;
        if !node.wildcard.is_empty() {
            self.sink.owner(node.name, true);
            self.rrsets(node.name, node.wildcard, &[])?;
        }
        if node.is_exclusion {
            self.sink.record(Type::HINFO, self.ttl, EXCLUDED)?;
        }
        Ok(())
    }

    /// The hit is expanded with two keys: the text shows the key if it differs.
    fn shows_key(&mut self, hit: &Hit) -> bool {
        if let Some(&known) = self.shows_key.get(hit) {
            return known;
        }
        let mut shows = false;
        if let Some((dataset, answer)) = self.section.resolve(hit) {
            for value in answer.values_for(self.section.asker()) {
                let mut with = |key| {
                    self.text.expand(&value.text.whole(), &dataset.vars, key);
                    self.text.bytes().to_vec()
                };
                shows |= with(b"1") != with(b"2");
            }
        }
        self.shows_key.insert(*hit, shows);
        shows
    }
}

impl<'z, 's, S: RecordSink> Records<'z, 's, S> {
    /// For records of a section that go to `sink`; `ttl` is that of records that belong to no dataset.
    pub(crate) fn new(section: &'z SweepSection<'z>, ttl: u32, sink: &'s mut S) -> Self {
        Self {
            section,
            sink,
            ttl,
            text: Text::default(),
            key_text: KeyText::default(),
            addresses: RrSet::default(),
            texts: RrSet::default(),
            shows_key: HashMap::new(),
        }
    }

    fn rrsets(
        &mut self,
        name: &[u8],
        hits: &[Hit],
        records: &[Record<'_>],
    ) -> Result<(), S::Error> {
        self.addresses.clear();
        self.texts.clear();
        for hit in hits {
            let Some((dataset, answer)) = self.section.resolve(hit) else { continue };
            key_text(&mut self.key_text, hit.key, name);
            for value in answer.values_for(self.section.asker()) {
                self.addresses.add(dataset.ttl, &value.a.octets());
                if shows_text(value.text, &dataset.vars) {
                    let template = value.text.whole();
                    self.text.expand(&template, &dataset.vars, self.key_text.written());
                    self.texts.add(dataset.ttl, self.text.character_strings());
                }
            }
        }
        let mut others: Vec<(Type, RrSet)> = Vec::new();
        for record in records {
            let set = match record.rtype {
                Type::A => &mut self.addresses,
                Type::TXT => &mut self.texts,
                rtype => {
                    let known = others.iter().position(|(other, _)| *other == rtype);
                    let index = known.unwrap_or(others.len());
                    if known.is_none() {
                        others.push((rtype, RrSet::default()));
                    }
                    &mut others[index].1
                }
            };
            set.add(record.ttl, record.data);
        }
        self.addresses.give(Type::A, self.sink)?;
        self.texts.give(Type::TXT, self.sink)?;
        others.iter().try_for_each(|(rtype, set)| set.give(*rtype, self.sink))
    }
}

/// Writes what `$` stands for: the address looked up, of a wildcard the first one, or the name
/// that is listed.
fn key_text(text: &mut KeyText, key: HitKind, name: &[u8]) {
    let labels = Labels::of(name).count();
    let ip4 = octets(name).filter(|_| labels <= 4);
    let ip6 = nibbles(name);
    match (key, ip4, ip6) {
        (HitKind::Name(listed), ..) => {
            text.name(suffix(name, labels.saturating_sub(listed.into())))
        }
        (HitKind::Ip4, Some(ip4), _) => text.ip4(ip4),
        (HitKind::Ip4, None, Some(ip6)) if ip6 >> 112 == SIX_TO_FOUR >> 112 => {
            text.ip4((ip6 >> 80) as u32)
        }
        (HitKind::Ip4, None, Some(ip6)) => text.ip4((ip6.max(MAPPED)) as u32),
        (HitKind::Ip6, _, Some(ip6)) => text.ip6(ip6),
        _ => &[],
    };
}
