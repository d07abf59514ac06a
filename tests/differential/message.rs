//! A server's reply, taken apart: what is compared, and how it is shown.
//!
//! Compression may copy the question's letters into other names, so names in the authority
//! section and in record data are compared in lower case; the owners of answers as they are.

use std::fmt::{self, Display, Write as _};
use std::net::Ipv4Addr;

use super::name::{self, Name};
use super::query::{HEADER, QR, TC, TYPE_A, TYPE_NS, TYPE_OPT, TYPE_SOA, TYPE_TXT, type_name};

/// The data of a record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Data {
    A([u8; 4]),
    Ns(Name),
    Soa {
        primary: Name,
        person: Name,
        serial: u32,
        /// Refresh, retry, expire and minimum, in seconds.
        times: [u32; 4],
    },
    /// The character-strings.
    Txt(Vec<Vec<u8>>),
    Other(Vec<u8>),
}

/// A resource record, but not OPT.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Record {
    pub(crate) owner: Name,
    pub(crate) rtype: u16,
    pub(crate) class: u16,
    /// In seconds.
    pub(crate) ttl: u32,
    pub(crate) data: Data,
}

/// The OPT record of a reply, without the bits that belong to the return code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Opt {
    pub(crate) size: u16,
    pub(crate) version: u8,
    pub(crate) dnssec_ok: bool,
    pub(crate) options: Vec<u8>,
}

/// A reply; records in order of their fields, so that two replies with the same sets are equal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) opcode: u8,
    /// AA, TC, RD, RA, Z, AD and CD where they stand in the header.
    pub(crate) bits: u16,
    /// With the upper bits that an OPT record adds.
    pub(crate) rcode: u16,
    /// The question section as it is.
    pub(crate) question: Vec<u8>,
    pub(crate) answers: Vec<Record>,
    pub(crate) authority: Vec<Record>,
    pub(crate) additional: Vec<Record>,
    pub(crate) opt: Option<Opt>,
}

impl Reply {
    /// Takes a message apart; anything that is not a well-formed reply is an error.
    pub(crate) fn parse(message: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { message, at: 0 };
        let [_id, bits, questions, answers, authority, additional] = reader.header()?;
        if bits & QR == 0 {
            return Err("the reply says it is a query".to_owned());
        }
        let start = reader.at;
        for _ in 0..questions {
            reader.name()?;
            reader.take(4)?;
        }
        let mut reply = Self {
            opcode: (bits >> 11 & 15) as u8,
            bits: bits & 0x07f0,
            rcode: bits & 15,
            question: message[start..reader.at].to_vec(),
            answers: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            opt: None,
        };
        for _ in 0..answers {
            reply.answers.push(reader.record()?);
        }
        for _ in 0..authority {
            let record = reader.record()?;
            reply.authority.push(Record { owner: name::lowercase(&record.owner), ..record });
        }
        for _ in 0..additional {
            reply.add(reader.record()?)?;
        }
        if reader.at != message.len() {
            return Err(format!("{} bytes follow the reply", message.len() - reader.at));
        }
        for section in [&mut reply.answers, &mut reply.authority, &mut reply.additional] {
            section.sort_unstable();
        }
        Ok(reply)
    }

    fn add(&mut self, record: Record) -> Result<(), String> {
        if record.rtype != TYPE_OPT {
            self.additional.push(record);
            return Ok(());
        }
        let [high, version, bits, _] = record.ttl.to_be_bytes();
        let Data::Other(options) = record.data else { unreachable!("OPT has a type of its own") };
        let opt = Opt { size: record.class, version, dnssec_ok: bits & 0x80 != 0, options };
        if !record.owner.is_empty() || self.opt.replace(opt).is_some() {
            return Err("an OPT record that is not at the root, or two".to_owned());
        }
        self.rcode |= u16::from(high) << 4;
        Ok(())
    }

    /// The return code's name.
    pub(crate) fn code(&self) -> String {
        match self.rcode {
            0 => "NOERROR".to_owned(),
            1 => "FORMERR".to_owned(),
            2 => "SERVFAIL".to_owned(),
            3 => "NXDOMAIN".to_owned(),
            4 => "NOTIMP".to_owned(),
            5 => "REFUSED".to_owned(),
            16 => "BADVERS".to_owned(),
            other => format!("RCODE{other}"),
        }
    }

    /// The return code and the data of the answers in one line: what a case states.
    pub(crate) fn summary(&self) -> String {
        let mut summary = self.code();
        if self.bits & TC != 0 {
            summary.push_str(" TC");
        }
        for record in &self.answers {
            write!(summary, " {}", record.data).expect("writing to a string does not fail");
        }
        summary
    }
}

impl Reply {
    /// One property that a case may state beside the summary.
    pub(crate) fn property(&self, name: &str) -> Result<String, String> {
        let ttls = |records: &[Record]| {
            let mut ttls: Vec<String> =
                records.iter().map(|record| record.ttl.to_string()).collect();
            ttls.dedup();
            if ttls.is_empty() { "none".to_owned() } else { ttls.join(",") }
        };
        match name {
            "ttl" => Ok(ttls(&self.answers)),
            "authority" => Ok(ttls(&self.authority)),
            "bits" => Ok(flags(self.bits).join(",")),
            "opcode" => Ok(self.opcode.to_string()),
            "opt" => Ok(self.opt.as_ref().map_or("none".to_owned(), |opt| opt.size.to_string())),
            _ => Err(format!("a reply has no property {name:?}")),
        }
    }
}

fn flags(bits: u16) -> Vec<&'static str> {
    let names = ["aa", "tc", "rd", "ra", "z", "ad", "cd"].into_iter().enumerate();
    names.filter(|(at, _)| bits & 0x0400 >> at != 0).map(|(_, name)| name).collect()
}

impl Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} opcode={}", self.code(), self.opcode)?;
        for flag in flags(self.bits) {
            write!(f, " {flag}")?;
        }
        if self.question.is_empty() {
            write!(f, ", no question")?;
        }
        writeln!(f)?;
        let sections = [
            ("answer", &self.answers),
            ("authority", &self.authority),
            ("additional", &self.additional),
        ];
        for (section, records) in sections {
            for record in records {
                writeln!(f, "  {section}: {record}")?;
            }
        }
        if let Some(opt) = &self.opt {
            let Opt { size, version, dnssec_ok, options } = opt;
            writeln!(f, "  OPT size={size} version={version} do={dnssec_ok} {options:02x?}")?;
        }
        Ok(())
    }
}

impl Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, rtype, class, ttl, data } = self;
        let (owner, rtype) = (name::to_text(owner), type_name(*rtype));
        write!(f, "{owner} {ttl} CLASS{class} {rtype} {data}")
    }
}

impl Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(octets) => Ipv4Addr::from(*octets).fmt(f),
            Self::Ns(name) => write!(f, "{}", name::to_text(name)),
            Self::Soa { primary, person, serial, times } => {
                write!(f, "{} {} {serial}", name::to_text(primary), name::to_text(person))?;
                times.iter().try_for_each(|time| write!(f, " {time}"))
            }
            Self::Txt(strings) => {
                let strings: Vec<String> =
                    strings.iter().map(|string| format!("\"{}\"", string.escape_ascii())).collect();
                f.write_str(&strings.join(" "))
            }
            Self::Other(bytes) => write!(f, "{bytes:02x?}"),
        }
    }
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let bytes = self.message.get(self.at..self.at + length);
        self.at += length;
        bytes.ok_or_else(|| format!("the reply ends within its contents, at byte {}", self.at))
    }

    fn u16(&mut self) -> Result<u16, String> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into().expect("2 bytes were taken")))
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_be_bytes(self.take(4)?.try_into().expect("4 bytes were taken")))
    }

    fn header(&mut self) -> Result<[u16; HEADER / 2], String> {
        let mut fields = [0; HEADER / 2];
        for field in &mut fields {
            *field = self.u16()?;
        }
        Ok(fields)
    }

    fn name(&mut self) -> Result<Name, String> {
        let mut name = Name::new();
        let mut after = None;
        loop {
            match self.take(1)?[0] {
                0 => break,
                length @ 1..64 => name.push(self.take(length.into())?.to_vec()),
                pointer @ 192.. => {
                    let from = self.at - 1;
                    let to = usize::from(pointer & 63) << 8 | usize::from(self.take(1)?[0]);
                    if to >= from {
                        return Err(format!("the name at byte {from} points forward"));
                    }
                    after.get_or_insert(self.at);
                    self.at = to;
                }
                _ => return Err(format!("reserved label type at byte {}", self.at - 1)),
            }
        }
        self.at = after.unwrap_or(self.at);
        Ok(name)
    }

    fn record(&mut self) -> Result<Record, String> {
        let owner = self.name()?;
        let (rtype, class, ttl) = (self.u16()?, self.u16()?, self.u32()?);
        let length = self.u16()?;
        let end = self.at + usize::from(length);
        let data = self.data(rtype, end)?;
        if self.at != end {
            return Err(format!("the data of a {} record ends amiss", type_name(rtype)));
        }
        Ok(Record { owner, rtype, class, ttl, data })
    }

    fn data(&mut self, rtype: u16, end: usize) -> Result<Data, String> {
        Ok(match rtype {
            TYPE_A => Data::A(self.take(4)?.try_into().expect("4 bytes were taken")),
            TYPE_NS => Data::Ns(name::lowercase(&self.name()?)),
            TYPE_SOA => Data::Soa {
                primary: name::lowercase(&self.name()?),
                person: name::lowercase(&self.name()?),
                serial: self.u32()?,
                times: [self.u32()?, self.u32()?, self.u32()?, self.u32()?],
            },
            TYPE_TXT => {
                let mut strings = Vec::new();
                while self.at < end {
                    let length = self.take(1)?[0];
                    strings.push(self.take(length.into())?.to_vec());
                }
                Data::Txt(strings)
            }
            _ => Data::Other(self.take(end.saturating_sub(self.at))?.to_vec()),
        })
    }
}

#[test]
fn replies_with_loops_loose_ends_and_bytes_left_over_are_not_replies() {
    let good = b"\0\0\x84\x03\0\x01\0\0\0\0\0\0\x01x\0\0\x01\0\x01";
    assert_eq!(Reply::parse(good).map(|reply| reply.summary()), Ok("NXDOMAIN".to_owned()));
    for end in 0..good.len() {
        assert!(Reply::parse(&good[..end]).is_err(), "cut to {end} bytes");
    }
    assert!(Reply::parse(&[&good[..], b"\0"].concat()).is_err());
    assert!(Reply::parse(b"\0\0\x80\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01").is_err());
}
