//! A reply, taken apart by another parser than our own.

use hickory_proto::op::{Edns, Message};
use hickory_proto::rr::{DNSClass, RData, Record};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use std::fmt;

/// A reply; records as text, `owner ttl type data`, in their order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Reply {
    /// The 16 bits of the header, without the return code.
    pub(crate) bits: u16,
    /// With the upper bits of an OPT record.
    pub(crate) rcode: u16,
    /// The question section as it stands in the message.
    pub(crate) question: Vec<u8>,
    pub(crate) answers: Vec<String>,
    pub(crate) authority: Vec<String>,
    pub(crate) additional: Vec<String>,
    pub(crate) edns: Option<Edns>,
}

/// The bit of the header that says that the reply is authoritative.
pub(crate) const AA: u16 = 0x0400;
/// The bit of the header that says that the reply is cut.
pub(crate) const TC: u16 = 0x0200;
/// The bit of the header that says that the message is a reply.
pub(crate) const QR: u16 = 0x8000;

impl Reply {
    /// Takes a message apart.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut decoder = BinDecoder::new(bytes);
        let message = Message::read(&mut decoder).map_err(|error| error.to_string())?;
        if !decoder.is_empty() {
            return Err("bytes follow the message".to_owned());
        }
        let texts = |records: &[Record]| records.iter().map(text).collect();
        Ok(Self {
            bits: u16::from_be_bytes([bytes[2], bytes[3]]) & 0xfff0,
            rcode: u16::from(message.metadata.response_code),
            question: question(bytes).to_vec(),
            answers: texts(&message.answers),
            // Compression may take the letters of the question for these names.
            authority: texts(&message.authorities)
                .iter()
                .map(|r: &String| r.to_lowercase())
                .collect(),
            additional: texts(&message.additionals),
            edns: message.edns,
        })
    }

    /// The name of the return code.
    pub(crate) fn rcode_name(&self) -> String {
        let names = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
        match (names.get(usize::from(self.rcode)), self.rcode) {
            (Some(name), _) => (*name).to_owned(),
            (None, 16) => "BADVERS".to_owned(),
            (None, code) => format!("RCODE{code}"),
        }
    }
}

/// One line per section, for people.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "    {} bits={:#06x} question={}",
            self.rcode_name(),
            self.bits,
            quoted(&self.question)
        )?;
        let sections = [
            ("answer", &self.answers),
            ("authority", &self.authority),
            ("additional", &self.additional),
        ];
        for (name, records) in sections {
            for record in records {
                writeln!(f, "    {name} {record}")?;
            }
        }
        match &self.edns {
            Some(edns) => write!(f, "    EDNS {edns:?}"),
            None => write!(f, "    no EDNS"),
        }
    }
}

/// The question section: replies have one question at most, whose name is not compressed.
fn question(bytes: &[u8]) -> &[u8] {
    let (Some(questions), Some(section)) = (bytes.get(4..6), bytes.get(12..)) else { return &[] };
    if questions == [0, 0] {
        return &[];
    }
    let mut at = 0;
    while let Some(&len) = section.get(at)
        && len > 0
    {
        at += usize::from(len) + 1;
    }
    section.get(..at + 5).unwrap_or(section)
}

fn text(record: &Record) -> String {
    let class = match record.dns_class {
        DNSClass::IN => String::new(),
        class => format!("{class} "),
    };
    format!("{} {} {class}{} {}", record.name, record.ttl, record.record_type(), data(&record.data))
}

fn data(data: &RData) -> String {
    match data {
        RData::TXT(txt) => {
            let strings = txt.txt_data.iter().map(|string| quoted(string));
            strings.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// A character-string between quotation marks.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}
