//! Records as the lines of a master file (RFC 1035 section 5.1).

use super::records::RecordSink;
use crate::wire::Type;
use crate::wire::name::{NameBuf, write_text};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Writes records as lines.
pub(super) struct Lines<'o> {
    out: &'o mut dyn Write,
    /// The TTL of lines that name none.
    ttl: u32,
    /// The owner of the lines to come, empty if the line before has it.
    owner: Vec<u8>,
}

impl<'o> Lines<'o> {
    pub(super) fn new(ttl: u32, out: &'o mut dyn Write) -> Self {
        Self { out, ttl, owner: Vec::new() }
    }
}

impl RecordSink for Lines<'_> {
    type Error = io::Error;

    fn owner(&mut self, name: &[u8], is_wildcard: bool) {
        self.owner.clear();
        if is_wildcard {
            self.owner.push(b'*');
        }
        if name == [0] {
            self.owner.extend(if is_wildcard { &b""[..] } else { b"@" });
            return;
        }
        if is_wildcard {
            self.owner.push(b'.');
        }
        write_master_name(name, &mut self.owner);
    }

    fn record(&mut self, rtype: Type, ttl: u32, data: &[u8]) -> io::Result<()> {
        self.out.write_all(&self.owner)?;
        self.owner.clear();
        if ttl != self.ttl {
            write!(self.out, "\t{ttl}")?;
        }
        write!(self.out, "\t{}\t", type_name(rtype))?;
        self.out.write_all(&master_data(rtype, data))?;
        self.out.write_all(b"\n")
    }
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
fn master_data(rtype: Type, wire: &[u8]) -> Vec<u8> {
    let plain = match rtype {
        Type::A => <[u8; 4]>::try_from(wire).ok().map(|a| Ipv4Addr::from(a).to_string().into()),
        Type::AAAA => <[u8; 16]>::try_from(wire).ok().map(|a| Ipv6Addr::from(a).to_string().into()),
        Type::TXT | Type::HINFO => strings(wire),
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
        Type::A => "A".to_owned(),
        Type::TXT => "TXT".to_owned(),
        Type::NS => "NS".to_owned(),
        Type::MX => "MX".to_owned(),
        Type::HINFO => "HINFO".to_owned(),
        Type::AAAA => "AAAA".to_owned(),
        Type(number) => format!("TYPE{number}"),
    }
}
