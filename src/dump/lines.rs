//! Records as the lines of a master file (RFC 1035 section 5.1).

use crate::engine::compose::has_text;
use crate::engine::text::{KeyText, Text};
use crate::listing::records::Record;
use crate::wire::Type;
use crate::wire::name::{Labels, NameBuf, write_text};
use crate::wire::reversed::{some_nibbles as nibbles, some_octets as octets};
use crate::zone::Vars;
use crate::zone::key::{MAPPED, SIX_TO_FOUR};
use crate::zone::sweep::{Hit, HitKind, Node, SweepSection, Visitor, suffix};
use hashbrown::HashMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Writes the records of a section.
pub(super) struct Lines<'z, 'o> {
    section: &'z SweepSection<'z>,
    out: &'o mut dyn Write,
    /// The TTL of lines that name none.
    ttl: u32,
    text: Text,
    key_text: KeyText,
    /// The owner of the lines to come, empty if the line before has it.
    owner: Vec<u8>,
    /// Whether the text of an answer shows the key.
    shows_key: HashMap<Hit, bool>,
}

/// An RRset: data as it stands in the file.
#[derive(Default)]
struct RrSet {
    ttl: u32,
    data: Vec<Vec<u8>>,
}

impl RrSet {
    fn add(&mut self, ttl: u32, data: Vec<u8>) {
        self.ttl = if self.data.is_empty() { ttl } else { self.ttl.min(ttl) };
        if !self.data.contains(&data) {
            self.data.push(data);
        }
    }
}

impl Visitor for Lines<'_, '_> {
    type Error = io::Error;

    fn node(&mut self, node: Node<'_, '_>) -> io::Result<()> {
        self.set_owner(node.name, false);
        self.rrsets(node.name, node.itself, node.records)?;
        if !node.wildcard.is_empty() {
            self.set_owner(node.name, true);
            self.rrsets(node.name, node.wildcard, &[])?;
        }
        if node.is_exclusion {
            // A record of a type that nobody asks for: without an address or a text, the name exists.
            self.line(self.ttl, "HINFO", b"excluded -")?;
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
                    self.text.expand(value.text, &dataset.vars, key);
                    self.text.bytes().to_vec()
                };
                shows |= with(b"1") != with(b"2");
            }
        }
        self.shows_key.insert(*hit, shows);
        shows
    }
}

impl<'z, 'o> Lines<'z, 'o> {
    pub(super) fn new(section: &'z SweepSection<'z>, ttl: u32, out: &'o mut dyn Write) -> Self {
        Self {
            section,
            out,
            ttl,
            text: Text::default(),
            key_text: KeyText::default(),
            owner: Vec::new(),
            shows_key: HashMap::new(),
        }
    }

    fn set_owner(&mut self, name: &[u8], wildcard: bool) {
        self.owner.clear();
        if wildcard {
            self.owner.push(b'*');
        }
        if name == [0] {
            self.owner.extend(if wildcard { &b""[..] } else { b"@" });
            return;
        }
        if wildcard {
            self.owner.push(b'.');
        }
        write_master_name(name, &mut self.owner);
    }

    fn rrsets(&mut self, name: &[u8], hits: &[Hit], records: &[Record<'_>]) -> io::Result<()> {
        let (mut addresses, mut texts) = (RrSet::default(), RrSet::default());
        for hit in hits {
            let Some((dataset, answer)) = self.section.resolve(hit) else { continue };
            key_text(&mut self.key_text, hit.key, name);
            for value in answer.values_for(self.section.asker()) {
                addresses.add(dataset.ttl, value.a.to_string().into_bytes());
                if has_text(value.text, &dataset.vars) {
                    let text = self.expand(value.text, &dataset.vars);
                    texts.add(dataset.ttl, text);
                }
            }
        }
        let of_type = |rtype| records.iter().filter(move |record| record.rtype == rtype);
        for record in of_type(Type::A) {
            addresses.add(record.ttl, data(*record));
        }
        for record in of_type(Type::TXT) {
            texts.add(record.ttl, data(*record));
        }
        self.rrset("A", &addresses)?;
        self.rrset("TXT", &texts)?;
        let mut others: Vec<(Type, RrSet)> = Vec::new();
        for record in records.iter().filter(|r| r.rtype != Type::A && r.rtype != Type::TXT) {
            let known = others.iter().position(|(rtype, _)| *rtype == record.rtype);
            let index = known.unwrap_or(others.len());
            if known.is_none() {
                others.push((record.rtype, RrSet::default()));
            }
            others[index].1.add(record.ttl, data(*record));
        }
        for (rtype, set) in &others {
            self.rrset(&type_name(*rtype), set)?;
        }
        Ok(())
    }

    fn expand(&mut self, template: &[u8], vars: &Vars) -> Vec<u8> {
        self.text.expand(template, vars, self.key_text.written());
        let text = self.text.bytes();
        let mut data = Vec::with_capacity(text.len() + 2);
        let mut chunks = text.chunks(255);
        quote(chunks.next().unwrap_or(&[]), &mut data);
        for chunk in chunks {
            data.push(b' ');
            quote(chunk, &mut data);
        }
        data
    }

    fn rrset(&mut self, rtype: &str, set: &RrSet) -> io::Result<()> {
        set.data.iter().try_for_each(|data| self.line(set.ttl, rtype, data))
    }

    fn line(&mut self, ttl: u32, rtype: &str, data: &[u8]) -> io::Result<()> {
        self.out.write_all(&self.owner)?;
        self.owner.clear();
        if ttl != self.ttl {
            write!(self.out, "\t{ttl}")?;
        }
        write!(self.out, "\t{rtype}\t")?;
        self.out.write_all(data)?;
        self.out.write_all(b"\n")
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

/// Writes a name as a master file has it, without the final dot.
pub(crate) fn write_master_name(name: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    write_text(name, out);
    // Parentheses would begin a line that goes on.
    if out[start..].iter().any(|byte| matches!(byte, b'(' | b')')) {
        let written = out.split_off(start);
        for byte in written {
            if matches!(byte, b'(' | b')') {
                out.push(b'\\');
            }
            out.push(byte);
        }
    }
}

/// Writes a character-string.
fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            _ => out.extend([b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10]),
        }
    }
    out.push(b'"');
}

/// The data of a record, in the form of its type or that of RFC 3597 section 5.
fn data(record: Record<'_>) -> Vec<u8> {
    let wire = record.data;
    let plain = match record.rtype {
        Type::A => <[u8; 4]>::try_from(wire).ok().map(|a| Ipv4Addr::from(a).to_string().into()),
        Type::AAAA => <[u8; 16]>::try_from(wire).ok().map(|a| Ipv6Addr::from(a).to_string().into()),
        Type::TXT => strings(wire),
        Type::NS => NameBuf::from_wire(wire).map(|name| absolute(&name)),
        Type::MX => wire.split_first_chunk().and_then(|(preference, name)| {
            let mut data = format!("{} ", u16::from_be_bytes(*preference)).into_bytes();
            data.extend(absolute(&NameBuf::from_wire(name)?));
            Some(data)
        }),
        _ => None,
    };
    plain.unwrap_or_else(|| {
        let digits: String = wire.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("\\# {} {digits}", wire.len()).into_bytes()
    })
}

fn strings(mut wire: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    while let Some((&len, rest)) = wire.split_first() {
        let (string, rest) = rest.split_at_checked(len.into())?;
        if !data.is_empty() {
            data.push(b' ');
        }
        quote(string, &mut data);
        wire = rest;
    }
    (!data.is_empty()).then_some(data)
}

/// A name with its final dot.
pub(super) fn absolute(name: &NameBuf) -> Vec<u8> {
    let mut text = Vec::new();
    write_master_name(name.as_wire(), &mut text);
    if !name.is_root() {
        text.push(b'.');
    }
    text
}

fn type_name(rtype: Type) -> String {
    match rtype {
        Type::NS => "NS".to_owned(),
        Type::MX => "MX".to_owned(),
        Type::AAAA => "AAAA".to_owned(),
        Type(number) => format!("TYPE{number}"),
    }
}
