//! One question, whole or damaged; its packet, and its text form: `NAME TYPE [word ...]`, much as
//! one would ask with dig. The words are:
//!
//! - `class=CH`; `opcode=N`; `from=127.0.0.9`, the address of the client, if not 127.0.0.1
//! - `aa`, `tc`, `rd`, `ra`, `z`, `ad`, `cd`: these bits of the header; `bits=HEX`: all of these
//! - `edns=SIZE`: an OPT record with this payload; behind it `do`, `version=N` and `cookie`
//! - one damage: `response`, `cut=N`, `questions=N`, `pointer`, `label-type`, `long-name`,
//!   `trailing=N`, `answers`, `second-opt`, `opt-owner`, see [`Damage`]
//!
//! A name may begin with `[1.2.3.4]` or `[2001:db8::/32]`, which stands for the octets or nibbles in
//! reverse.

use std::fmt::{self, Display};
use std::net::Ipv4Addr;

use super::message::{AA, QR, RD, TC};
use super::name::{self, Label, Name};

/// Query types that have a name here.
const TYPES: [(u16, &str); 14] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (41, "OPT"),
    (250, "TSIG"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (257, "CAA"),
];
pub(crate) const TYPE_A: u16 = 1;
pub(crate) const TYPE_NS: u16 = 2;
pub(crate) const TYPE_SOA: u16 = 6;
pub(crate) const TYPE_HINFO: u16 = 13;
pub(crate) const TYPE_MX: u16 = 15;
pub(crate) const TYPE_TXT: u16 = 16;
pub(crate) const TYPE_AAAA: u16 = 28;
pub(crate) const TYPE_OPT: u16 = 41;
pub(crate) const TYPE_ANY: u16 = 255;

const CLASSES: [(u16, &str); 4] = [(1, "IN"), (3, "CH"), (4, "HS"), (255, "ANY")];
pub(crate) const CLASS_IN: u16 = 1;
pub(crate) const CLASS_CH: u16 = 3;
pub(crate) const CLASS_ANY: u16 = 255;

/// The bits of a header that have names.
pub(crate) const BITS: [(u16, &str); 7] =
    [(AA, "aa"), (TC, "tc"), (RD, "rd"), (0x80, "ra"), (0x40, "z"), (0x20, "ad"), (0x10, "cd")];

/// The bytes of a header.
pub(crate) const HEADER: usize = 12;

/// The OPT record of a query (RFC 6891).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Edns {
    /// The bytes of UDP payload the client says it takes.
    pub(crate) size: u16,
    pub(crate) version: u8,
    pub(crate) dnssec_ok: bool,
    /// A cookie option (RFC 7873) is in it.
    pub(crate) cookie: bool,
}

impl Edns {
    /// A plain OPT record of version 0.
    pub(crate) fn of_size(size: u16) -> Self {
        Self { size, version: 0, dnssec_ok: false, cookie: false }
    }
}

/// What is wrong with a query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Damage {
    /// It says it is a response.
    Response,
    /// Only that many bytes are sent.
    Cut(usize),
    /// QDCOUNT says that many.
    Questions(u16),
    /// The name ends in a pointer to its own start.
    Pointer,
    /// The first label is of a reserved type.
    LabelType,
    /// The name is longer than 255 bytes.
    LongName,
    /// That many bytes follow the message.
    Trailing(usize),
    /// ANCOUNT says 1, but nothing follows the question.
    Answers,
    /// There are two OPT records.
    SecondOpt,
    /// The OPT record's owner is not the root.
    OptOwner,
}

/// How much of a query a server can read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Health {
    /// All of it.
    Whole,
    /// The question, but not what follows it.
    BadTail,
    /// The header only.
    BadQuestion,
    /// Nothing that could be answered: too short for a header, or a response.
    Unanswerable,
}

/// A question and how it is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Query {
    pub(crate) name: Name,
    pub(crate) qtype: u16,
    pub(crate) class: u16,
    pub(crate) opcode: u8,
    /// Any of the header's bits.
    pub(crate) bits: u16,
    pub(crate) edns: Option<Edns>,
    pub(crate) damage: Option<Damage>,
    /// The address of the client, if not 127.0.0.1.
    pub(crate) from: Option<Ipv4Addr>,
}

impl Query {
    /// A plain question of class IN.
    pub(crate) fn new(name: Name, qtype: u16) -> Self {
        Self {
            name,
            qtype,
            class: CLASS_IN,
            opcode: 0,
            bits: 0,
            edns: None,
            damage: None,
            from: None,
        }
    }

    /// The message, with ID 0.
    pub(crate) fn packet(&self) -> Vec<u8> {
        let mut bits = u16::from(self.opcode & 15) << 11 | self.bits;
        let (mut questions, mut answers) = (1, 0);
        match self.damage {
            Some(Damage::Response) => bits |= QR,
            Some(Damage::Questions(count)) => questions = count,
            Some(Damage::Answers) => answers = 1,
            _ => {}
        }
        let opts = if self.edns.is_none() {
            0
        } else if self.damage == Some(Damage::SecondOpt) {
            2
        } else {
            1
        };
        let mut packet = Vec::new();
        for field in [0, bits, questions, answers, 0, opts] {
            packet.extend_from_slice(&u16::to_be_bytes(field));
        }
        packet.extend_from_slice(&self.question());
        for _ in 0..opts {
            packet.extend_from_slice(&self.opt());
        }
        match self.damage {
            Some(Damage::Cut(length)) => packet.truncate(length),
            Some(Damage::Trailing(length)) => packet.resize(packet.len() + length, 0xab),
            _ => {}
        }
        packet
    }

    /// The question section.
    pub(crate) fn question(&self) -> Vec<u8> {
        let mut question = name::to_wire(&self.name);
        match self.damage {
            Some(Damage::Pointer) => {
                question.pop();
                question.extend_from_slice(&[0xc0, HEADER as u8]);
            }
            Some(Damage::LabelType) => question[0] |= 0x40,
            Some(Damage::LongName) => {
                let labels: Vec<Label> = vec![vec![b'x'; 60]; 5];
                question.splice(..0, name::to_wire(&labels)[..5 * 61].iter().copied());
            }
            _ => {}
        }
        question.extend_from_slice(&self.qtype.to_be_bytes());
        question.extend_from_slice(&self.class.to_be_bytes());
        question
    }

    fn opt(&self) -> Vec<u8> {
        let Some(edns) = &self.edns else { return Vec::new() };
        let owner: &[u8] =
            if self.damage == Some(Damage::OptOwner) { b"\x01x\x00" } else { b"\x00" };
        let cookie: &[u8] = if edns.cookie { b"\0\x0a\0\x08cookies!" } else { b"" };
        let mut opt = owner.to_vec();
        opt.extend_from_slice(&TYPE_OPT.to_be_bytes());
        opt.extend_from_slice(&edns.size.to_be_bytes());
        opt.extend_from_slice(&[0, edns.version, u8::from(edns.dnssec_ok) << 7, 0]);
        opt.extend_from_slice(&(cookie.len() as u16).to_be_bytes());
        opt.extend_from_slice(cookie);
        opt
    }

    /// The most bytes that a reply over UDP may have (RFC 6891 section 6.2.5).
    pub(crate) fn udp_limit(&self) -> usize {
        self.edns.as_ref().map_or(512, |edns| usize::from(edns.size).clamp(512, 1232))
    }

    /// The client's address.
    pub(crate) fn client(&self) -> Ipv4Addr {
        self.from.unwrap_or(Ipv4Addr::LOCALHOST)
    }

    /// The message with this ID, as far as it is long enough to have one.
    pub(crate) fn message(&self, id: u16) -> Vec<u8> {
        let mut packet = self.packet();
        let length = packet.len().min(2);
        packet[..length].copy_from_slice(&id.to_be_bytes()[..length]);
        packet
    }

    /// How much of it a server can read (RFC 1035 section 4.1, RFC 6891 section 6.1.1).
    pub(crate) fn health(&self) -> Health {
        match self.damage {
            None => Health::Whole,
            Some(Damage::Response) => Health::Unanswerable,
            Some(Damage::Questions(1)) | Some(Damage::Trailing(0)) => Health::Whole,
            Some(Damage::Cut(length)) if length < HEADER => Health::Unanswerable,
            Some(Damage::Cut(length)) if length < HEADER + self.question().len() => {
                Health::BadQuestion
            }
            Some(Damage::Cut(length)) if length >= self.packet_uncut() => Health::Whole,
            Some(Damage::SecondOpt | Damage::OptOwner) if self.edns.is_none() => Health::Whole,
            Some(Damage::LabelType) if self.name.is_empty() => Health::BadQuestion,
            Some(Damage::Questions(_) | Damage::Pointer | Damage::LabelType | Damage::LongName) => {
                Health::BadQuestion
            }
            Some(_) => Health::BadTail,
        }
    }

    fn packet_uncut(&self) -> usize {
        Self { damage: None, ..self.clone() }.packet().len()
    }

    /// The same question, asked so that rbldnsd answers it, leaves nothing out that could fit, and
    /// tells by the AA bit if it did all the same.
    pub(crate) fn in_full(&self) -> Self {
        Self {
            qtype: if self.qtype >= 256 { TYPE_HINFO } else { self.qtype },
            class: if self.class == CLASS_ANY { CLASS_IN } else { self.class },
            bits: self.bits & !(AA | TC),
            opcode: 0,
            edns: Some(Edns::of_size(2048)),
            damage: None,
            ..self.clone()
        }
    }

    /// Reads the text form.
    pub(crate) fn from_text(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (Some(name), Some(qtype)) = (words.next(), words.next()) else {
            return Err(format!("not NAME TYPE: {text}"));
        };
        let qtype = number_of(&TYPES, qtype, "TYPE")?;
        let name = match name.strip_prefix('[').and_then(|name| name.split_once(']')) {
            Some((block, rest)) => {
                [name::of_block(block)?, name::from_text(rest.as_bytes())].concat()
            }
            None => name::from_text(name.as_bytes()),
        };
        let mut query = Self::new(name, qtype);
        for word in words {
            query.read_word(word)?;
        }
        Ok(query)
    }

    fn read_word(&mut self, word: &str) -> Result<(), String> {
        let (key, value) = word.split_once('=').unwrap_or((word, "0"));
        let number = || value.parse::<u16>().map_err(|_| format!("no number in {word}"));
        if let Some((bit, _)) = BITS.iter().find(|(_, name)| *name == key) {
            self.bits |= bit;
            return Ok(());
        }
        let edns = self.edns.as_mut().ok_or_else(|| format!("{word} before edns=SIZE"));
        match key {
            "class" => self.class = number_of(&CLASSES, value, "CLASS")?,
            "opcode" => self.opcode = number()? as u8,
            "bits" => {
                let bits = u16::from_str_radix(value, 16);
                self.bits |= bits.map_err(|_| format!("no bits in {word}"))?;
            }
            "edns" => self.edns = Some(Edns::of_size(number()?)),
            "version" => edns?.version = number()? as u8,
            "do" => edns?.dnssec_ok = true,
            "cookie" => edns?.cookie = true,
            "from" => self.from = Some(value.parse().map_err(|_| format!("no address: {word}"))?),
            "response" => self.damage = Some(Damage::Response),
            "cut" => self.damage = Some(Damage::Cut(number()?.into())),
            "questions" => self.damage = Some(Damage::Questions(number()?)),
            "pointer" => self.damage = Some(Damage::Pointer),
            "label-type" => self.damage = Some(Damage::LabelType),
            "long-name" => self.damage = Some(Damage::LongName),
            "trailing" => self.damage = Some(Damage::Trailing(number()?.into())),
            "answers" => self.damage = Some(Damage::Answers),
            "second-opt" => self.damage = Some(Damage::SecondOpt),
            "opt-owner" => self.damage = Some(Damage::OptOwner),
            _ => return Err(format!("a question cannot be {word:?}")),
        }
        Ok(())
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", name::to_text(&self.name), name_of(&TYPES, self.qtype, "TYPE"))?;
        if self.class != CLASS_IN {
            write!(f, " class={}", name_of(&CLASSES, self.class, "CLASS"))?;
        }
        if let Some(from) = self.from {
            write!(f, " from={from}")?;
        }
        if self.opcode != 0 {
            write!(f, " opcode={}", self.opcode)?;
        }
        for (bit, word) in BITS {
            if self.bits & bit != 0 {
                write!(f, " {word}")?;
            }
        }
        let named = BITS.iter().fold(0, |bits, (bit, _)| bits | bit);
        if self.bits & !named != 0 {
            write!(f, " bits={:04x}", self.bits & !named)?;
        }
        if let Some(edns) = &self.edns {
            write!(f, " edns={}", edns.size)?;
            if edns.version != 0 {
                write!(f, " version={}", edns.version)?;
            }
            for (word, set) in [("do", edns.dnssec_ok), ("cookie", edns.cookie)] {
                if set {
                    write!(f, " {word}")?;
                }
            }
        }
        match self.damage {
            None => Ok(()),
            Some(Damage::Response) => write!(f, " response"),
            Some(Damage::Cut(length)) => write!(f, " cut={length}"),
            Some(Damage::Questions(count)) => write!(f, " questions={count}"),
            Some(Damage::Pointer) => write!(f, " pointer"),
            Some(Damage::LabelType) => write!(f, " label-type"),
            Some(Damage::LongName) => write!(f, " long-name"),
            Some(Damage::Trailing(length)) => write!(f, " trailing={length}"),
            Some(Damage::Answers) => write!(f, " answers"),
            Some(Damage::SecondOpt) => write!(f, " second-opt"),
            Some(Damage::OptOwner) => write!(f, " opt-owner"),
        }
    }
}

/// The name of a type.
pub(crate) fn type_name(qtype: u16) -> String {
    name_of(&TYPES, qtype, "TYPE")
}

/// The name of a class.
pub(crate) fn class_name(class: u16) -> String {
    name_of(&CLASSES, class, "CLASS")
}

fn name_of(names: &[(u16, &str)], number: u16, prefix: &str) -> String {
    let known = names.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("{prefix}{number}"), |(_, name)| (*name).to_owned())
}

fn number_of(names: &[(u16, &str)], name: &str, prefix: &str) -> Result<u16, String> {
    if let Some((number, _)) = names.iter().find(|(_, known)| *known == name) {
        return Ok(*number);
    }
    let number = name.strip_prefix(prefix).and_then(|number| number.parse().ok());
    number.ok_or_else(|| format!("neither a {prefix} nor {prefix}NUMBER: {name}"))
}

#[test]
fn a_query_comes_back_from_its_text() {
    for text in [
        "2.0.0.127.Bl.example A",
        "x\\.y\\000.bl.example TYPE777 class=CH opcode=5 aa rd cd edns=512 version=1 do cookie cut=14",
        ". ANY class=CLASS9 questions=2",
        "x A from=127.0.0.9 rd",
        "x A rd bits=000f",
    ] {
        assert_eq!(Query::from_text(text).expect("a question").to_string(), text);
    }
}

#[test]
fn an_address_in_brackets_stands_for_its_labels_in_reverse() {
    for (text, name) in [
        ("[192.0.2.1].bl.example", "1.2.0.192.bl.example"),
        ("[192.0.0.0/16].bl.example", "0.192.bl.example"),
        ("[2001:db8::/32].bl.example", "8.b.d.0.1.0.0.2.bl.example"),
    ] {
        assert_eq!(
            Query::from_text(&format!("{text} A")).expect(text).to_string(),
            format!("{name} A")
        );
    }
    for text in ["[192.0.2.1/20].bl.example A", "[192.0.2].bl.example A"] {
        assert!(Query::from_text(text).is_err(), "{text}");
    }
}

#[test]
fn a_cut_query_is_as_healthy_as_what_is_left_of_it() {
    let mut query = Query::new(name::from_text(b"a.b"), TYPE_A);
    query.edns = Some(Edns::of_size(1232));
    let question = HEADER + 5 + 4;
    for (cut, health) in [
        (0, Health::Unanswerable),
        (11, Health::Unanswerable),
        (12, Health::BadQuestion),
        (question - 1, Health::BadQuestion),
        (question, Health::BadTail),
        (question + 10, Health::BadTail),
        (question + 11, Health::Whole),
    ] {
        query.damage = Some(Damage::Cut(cut));
        assert_eq!(query.health(), health, "cut to {cut} bytes");
        assert_eq!(query.packet().len(), cut);
    }
}
