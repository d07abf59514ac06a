//! A server's reply: its records as sets, and how it is shown.

use std::fmt::{self, Display, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr};

use hickory_proto::op::ResponseCode;

use super::message::{self, Message, OPCODE, QR, TC};
use super::name::{self, Name};
use super::query::{
    BITS, CLASS_IN, TYPE_A, TYPE_AAAA, TYPE_MX, TYPE_NS, TYPE_OPT, TYPE_SOA, TYPE_TXT, class_name,
    type_name,
};

/// The data of a record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Data {
    A([u8; 4]),
    Aaaa([u8; 16]),
    Ns(Name),
    Soa {
        primary: Name,
        person: Name,
        serial: u32,
        /// Refresh, retry, expire and minimum, in seconds.
        times: [u32; 4],
    },
    Mx(u16, Name),
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
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let message = Message::read(bytes)?;
        if message.flags & QR == 0 {
            return Err("the reply says it is a query".to_owned());
        }
        let rcode = message.rcode();
        let opt = message.opt().map(Opt::new);
        let [answers, authority, additional] = message.sections.map(|records| {
            let records = records.into_iter().filter(|record| record.rtype != TYPE_OPT);
            let mut records: Vec<Record> = records.map(Record::new).collect();
            records.sort_unstable();
            records
        });
        let question = message.question.map_or(Vec::new(), |question| {
            let (qtype, class) = (question.qtype.to_be_bytes(), question.class.to_be_bytes());
            [&question.name[..], &qtype, &class].concat()
        });
        let opcode = ((message.flags & OPCODE) >> 11) as u8;
        let bits = message.flags & 0x07f0;
        Ok(Self { opcode, bits, rcode, question, answers, authority, additional, opt })
    }

    /// The same with all names in lower case but for the owners of answers: compression may take
    /// the letters of the question for the others.
    pub(crate) fn in_lower_case(mut self) -> Self {
        for record in &mut self.authority {
            record.owner = name::lowercase(&record.owner);
        }
        for section in [&mut self.answers, &mut self.authority, &mut self.additional] {
            for record in section.iter_mut() {
                record.data.make_lowercase();
            }
            section.sort_unstable();
        }
        self
    }

    /// The response code.
    pub(crate) fn rcode(&self) -> ResponseCode {
        ResponseCode::from((self.rcode >> 4) as u8, (self.rcode & 15) as u8)
    }

    /// The serial of the first SOA record, wherever it is.
    pub(crate) fn serial(&self) -> Option<u32> {
        let records = self.answers.iter().chain(&self.authority);
        let mut serials = records.filter_map(|record| match &record.data {
            Data::Soa { serial, .. } => Some(*serial),
            _ => None,
        });
        serials.next()
    }

    /// The times to live in the answer section.
    pub(crate) fn ttls(&self) -> Vec<u32> {
        self.answers.iter().map(|record| record.ttl).collect()
    }

    /// The A records of the answer section, sorted.
    pub(crate) fn addresses(&self) -> Vec<Ipv4Addr> {
        let data = self.answers.iter().map(|record| &record.data);
        data.filter_map(|data| if let Data::A(a) = data { Some(Ipv4Addr::from(*a)) } else { None })
            .collect()
    }

    /// The TXT records of the answer section, sorted, each with its strings put together.
    pub(crate) fn texts(&self) -> Vec<String> {
        let data = self.answers.iter().map(|record| &record.data);
        data.filter_map(|data| if let Data::Txt(txt) = data { Some(txt.concat()) } else { None })
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .collect()
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
    BITS.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| name).collect()
}

impl Opt {
    fn new(record: &message::Record) -> Self {
        let [_, version, flags, _] = record.ttl.to_be_bytes();
        let (size, options) = (record.class, record.data.clone());
        Self { size, version, dnssec_ok: flags & 0x80 != 0, options }
    }
}

impl Record {
    fn new(record: message::Record) -> Self {
        let message::Record { name, rtype, class, ttl, data } = record;
        let owner = name::from_wire(&mut &name[..]);
        Self { owner, rtype, class, ttl, data: Data::new(rtype, &data) }
    }
}

impl Data {
    /// The data of a message that has been read is what its type has.
    fn new(rtype: u16, data: &[u8]) -> Self {
        let mut rest = data;
        match rtype {
            TYPE_A => Self::A(data.try_into().expect("an address")),
            TYPE_AAAA => Self::Aaaa(data.try_into().expect("an address")),
            TYPE_NS => Self::Ns(name::from_wire(&mut rest)),
            TYPE_MX => {
                let preference = u16::from_be_bytes([data[0], data[1]]);
                Self::Mx(preference, name::from_wire(&mut &data[2..]))
            }
            TYPE_SOA => {
                let [primary, person] = [(); 2].map(|()| name::from_wire(&mut rest));
                let (numbers, _) = rest.as_chunks();
                let numbers = numbers.iter().map(|bytes| u32::from_be_bytes(*bytes));
                let numbers: [u32; 5] = Vec::from_iter(numbers).try_into().expect("five");
                let [serial, times @ ..] = numbers;
                Self::Soa { primary, person, serial, times }
            }
            TYPE_TXT => {
                let mut strings = Vec::new();
                while let Some((length, after)) = rest.split_first() {
                    let (string, next) = after.split_at((*length).into());
                    strings.push(string.to_vec());
                    rest = next;
                }
                Self::Txt(strings)
            }
            _ => Self::Other(data.to_vec()),
        }
    }

    fn make_lowercase(&mut self) {
        let names = match self {
            Self::Ns(name) | Self::Mx(_, name) => vec![name],
            Self::Soa { primary, person, .. } => vec![primary, person],
            Self::A(_) | Self::Aaaa(_) | Self::Txt(_) | Self::Other(_) => vec![],
        };
        names.into_iter().for_each(|name| *name = name::lowercase(name));
    }
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
        match *class {
            CLASS_IN => write!(f, "{owner} {ttl} {rtype} {data}"),
            class => write!(f, "{owner} {ttl} {} {rtype} {data}", class_name(class)),
        }
    }
}

impl Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(octets) => Ipv4Addr::from(*octets).fmt(f),
            Self::Aaaa(octets) => Ipv6Addr::from(*octets).fmt(f),
            Self::Ns(name) => write!(f, "{}", name::to_text(name)),
            Self::Soa { primary, person, serial, times } => {
                write!(f, "{} {} {serial}", name::to_text(primary), name::to_text(person))?;
                times.iter().try_for_each(|time| write!(f, " {time}"))
            }
            Self::Mx(preference, name) => write!(f, "{preference} {}", name::to_text(name)),
            Self::Txt(strings) => {
                let strings: Vec<String> =
                    strings.iter().map(|string| format!("\"{}\"", string.escape_ascii())).collect();
                f.write_str(&strings.join(" "))
            }
            Self::Other(bytes) => write!(f, "{bytes:02x?}"),
        }
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
