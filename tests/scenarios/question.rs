//! Questions: from the words of a scenario to the bytes of a query.

use hickory_proto::rr::RecordType;
use std::net::{IpAddr, Ipv4Addr};

/// A query. Its words are the name, the type, and any of:
///
/// - `CH`, `HS`, `CLASS255`: the class, if not IN
/// - `edns=SIZE`: an OPT record with this payload; with `do` the DNSSEC OK bit is set, with
///   `version=N` it has another version than 0, with `twice` there are two of them
/// - `rd`: recursion is desired
/// - `opcode=N`, `questions=N`: these numbers in the header
/// - `response`: the bit that says so is set; `bits=HEX`: all 16 bits as given
/// - `cut=N`: no more than the first N bytes are sent
/// - `also=HEX`: bytes behind the message
/// - `from=127.0.0.9`: the address of the client, if not 127.0.0.1
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// The name in wire form, in the letter case of the scenario.
    pub(crate) name: Vec<u8>,
    pub(crate) qtype: RecordType,
    class: u16,
    pub(crate) edns: Option<Edns>,
    bits: u16,
    questions: u8,
    cut: Option<usize>,
    also: Vec<u8>,
    pub(crate) client: Ipv4Addr,
}

/// What an OPT record of a query says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edns {
    pub(crate) payload: u16,
    pub(crate) dnssec_ok: bool,
    version: u8,
    twice: bool,
}

impl Question {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (Some(name), Some(qtype)) = (words.next(), words.next()) else {
            return Err("not a name and a type".to_owned());
        };
        let mut question = Self {
            name: name_to_wire(name)?,
            qtype: record_type(qtype)?,
            class: 1,
            edns: None,
            bits: 0,
            questions: 1,
            cut: None,
            also: Vec::new(),
            client: Ipv4Addr::LOCALHOST,
        };
        for word in words {
            question.option(word).ok_or_else(|| format!("unknown option {word:?}"))?;
        }
        Ok(question)
    }

    fn option(&mut self, word: &str) -> Option<()> {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "CH" => self.class = 3,
            "HS" => self.class = 4,
            "CLASS255" => self.class = 255,
            "rd" => self.bits |= 0x0100,
            "response" => self.bits |= 0x8000,
            "opcode" => self.bits |= value.parse::<u16>().ok()? << 11,
            "bits" => self.bits = u16::from_str_radix(value, 16).ok()?,
            "questions" => self.questions = value.parse().ok()?,
            "cut" => self.cut = Some(value.parse().ok()?),
            "also" => self.also = hex(value)?,
            "from" => self.client = value.parse().ok()?,
            "edns" => {
                let payload = value.parse().ok()?;
                self.edns = Some(Edns { payload, dnssec_ok: false, version: 0, twice: false });
            }
            "do" => self.edns.as_mut()?.dnssec_ok = true,
            "version" => self.edns.as_mut()?.version = value.parse().ok()?,
            "twice" => self.edns.as_mut()?.twice = true,
            _ => return None,
        }
        Some(())
    }

    /// The query as it is sent.
    pub(crate) fn message(&self, id: u16) -> Vec<u8> {
        let mut message = id.to_be_bytes().to_vec();
        message.extend(self.bits.to_be_bytes());
        let opts = self.edns.map_or(0, |edns| 1 + u8::from(edns.twice));
        message.extend([0, self.questions, 0, 0, 0, 0, 0, opts]);
        message.extend(self.section());
        for edns in self.edns.iter().cycle().take(usize::from(opts)) {
            message.extend([0, 0, 41]);
            message.extend(edns.payload.to_be_bytes());
            message.extend([0, edns.version, u8::from(edns.dnssec_ok) << 7, 0, 0, 0]);
        }
        message.extend_from_slice(&self.also);
        message.truncate(self.cut.unwrap_or(message.len()));
        message
    }

    /// The question section.
    pub(crate) fn section(&self) -> Vec<u8> {
        let qtype = u16::from(self.qtype).to_be_bytes();
        [&self.name[..], &qtype, &self.class.to_be_bytes()].concat()
    }

    /// Opcode and the RD bit as they stand in the header, which a reply repeats.
    pub(crate) fn repeated_bits(&self) -> u16 {
        self.bits & 0x7900
    }

    /// The most bytes that a reply over UDP may have (RFC 6891 section 6.2.5).
    pub(crate) fn udp_limit(&self) -> usize {
        self.edns.map_or(512, |edns| usize::from(edns.payload).clamp(512, 1232))
    }
}

/// Names of types as people write them, and TYPE257 and the like.
fn record_type(text: &str) -> Result<RecordType, String> {
    let unknown = || format!("unknown type {text:?}");
    if text == "IXFR" {
        return Ok(RecordType::IXFR);
    }
    match text.strip_prefix("TYPE") {
        Some(number) => Ok(RecordType::from(number.parse::<u16>().map_err(|_| unknown())?)),
        None => text.parse().map_err(|_| unknown()),
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// A name in wire form. `[address]` and `[address/length]` are written out in reverse (RFC 5782
/// section 2): octets, or nibbles if the address has a colon.
fn name_to_wire(text: &str) -> Result<Vec<u8>, String> {
    let (labels, rest) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((address, rest)) => (reversed(address)?, rest),
        None => (String::new(), text),
    };
    let text = super::text::unescape(&format!("{labels}{rest}"))?;
    let mut wire = Vec::new();
    for label in text.split(|&byte| byte == b'.').filter(|label| !label.is_empty()) {
        wire.push(u8::try_from(label.len()).map_err(|_| "a label over 255 bytes")?);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    Ok(wire)
}

fn reversed(text: &str) -> Result<String, String> {
    let (address, len) = text.split_once('/').unwrap_or((text, ""));
    let address: IpAddr = address.parse().map_err(|_| format!("not an address: {text}"))?;
    let (labels, bits): (Vec<String>, usize) = match address {
        IpAddr::V4(ip4) => (ip4.octets().iter().map(u8::to_string).collect(), 8),
        IpAddr::V6(ip6) => {
            let nibble = |at: u32| format!("{:x}", u128::from(ip6) >> (124 - 4 * at) & 15);
            ((0..32).map(nibble).collect(), 4)
        }
    };
    let len = if len.is_empty() {
        labels.len()
    } else {
        let len: usize = len.parse().map_err(|_| format!("not a length: {text}"))?;
        if !len.is_multiple_of(bits) || len > labels.len() * bits {
            return Err(format!("no length of whole labels: {text}"));
        }
        len / bits
    };
    let mut labels = labels[..len].to_vec();
    labels.reverse();
    Ok(labels.join("."))
}
