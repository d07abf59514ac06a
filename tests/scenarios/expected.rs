//! What a reply must be.

use crate::common::Reply;
use crate::common::data_file::unescape;
use crate::common::message::{AA, RD, TC};
use crate::common::name::{self, Label};
use crate::common::query::Query;
use crate::common::reply::{Data, Opt, Record};
use std::net::IpAddr;

/// The TTL of an entry when no file says anything.
const DEFAULT_TTL: u32 = 1800;
/// How long "not listed" lives when no file says anything.
const NEGATIVE_TTL: u32 = 300;

/// What a reply must be. Its words are `silence`, or a return code and any of:
///
/// - `127.0.0.2`: an A record of the name asked; `2001:db8::1`: an AAAA record; `"text"` or `"one"+"two"`: a TXT record of one or
///   more character-strings; they have the TTL `ttl=N`, 1800 if that is not said
/// - `soa=N`: the authority section has the SOA of the zone with this TTL. `NODATA`, which stands
///   for NOERROR without an answer, and `NXDOMAIN` imply `soa=300`
/// - `tc`, `tc=N`: over UDP there is the TC bit, and none or N of the records
/// - `header`: the reply has no question
/// - `not-aa`: the reply is not authoritative, though it is NOERROR or NXDOMAIN
///
/// Lines below the question add whole records to a section: `answer owner ttl type data`,
/// `authority ...`. An OPT record must be there if the question has one, and only then.
#[derive(Debug)]
pub(crate) struct Expected {
    silence: bool,
    rcode: String,
    answers: Vec<String>,
    authority: Vec<String>,
    soa: Option<u32>,
    /// How many records a datagram has room for, if not for all.
    truncated: Option<usize>,
    header_only: bool,
    authoritative: bool,
}

impl Expected {
    pub(crate) fn parse(text: &str, question: &Query) -> Result<Self, String> {
        let mut words = words(text)?;
        if words.is_empty() {
            return Err("nothing is expected".to_owned());
        }
        let rcode = words.remove(0);
        let known = [
            "silence", "NODATA", "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
            "BADVERS",
        ];
        if !known.contains(&rcode.as_str()) {
            return Err(format!("unknown return code {rcode:?}"));
        }
        let mut expected = Self {
            silence: rcode == "silence",
            soa: matches!(rcode.as_str(), "NODATA" | "NXDOMAIN").then_some(NEGATIVE_TTL),
            authoritative: matches!(rcode.as_str(), "NODATA" | "NXDOMAIN" | "NOERROR"),
            rcode: rcode.replace("NODATA", "NOERROR"),
            answers: Vec::new(),
            authority: Vec::new(),
            truncated: None,
            header_only: false,
        };
        let mut ttl = DEFAULT_TTL;
        let mut values = Vec::new();
        for word in words {
            let number = |text: &str| text.parse::<u32>().map_err(|_| format!("no number: {word}"));
            match word.split_once('=').filter(|_| !word.starts_with('"')) {
                Some(("ttl", value)) => ttl = number(value)?,
                Some(("soa", value)) => expected.soa = Some(number(value)?),
                Some(("tc", value)) => expected.truncated = Some(number(value)? as usize),
                Some(_) => return Err(format!("unknown word {word:?}")),
                None if word == "tc" => expected.truncated = Some(0),
                None if word == "header" => expected.header_only = true,
                None if word == "not-aa" => expected.authoritative = false,
                None => values.push(value(&word)?),
            }
        }
        let owner = name::to_text(&question.name);
        expected.answers = values.iter().map(|value| format!("{owner} {ttl} {value}")).collect();
        Ok(expected)
    }

    /// Takes a line below the question.
    pub(crate) fn record(&mut self, line: &str) -> Result<(), String> {
        match line.split_once(' ') {
            Some(("answer", record)) => self.answers.push(record.to_owned()),
            Some(("authority", record)) => {
                self.soa = None;
                self.authority.push(record.to_owned());
            }
            _ => return Err("neither answer nor authority".to_owned()),
        }
        Ok(())
    }

    /// True if there is to be no reply.
    pub(crate) fn is_silence(&self) -> bool {
        self.silence
    }

    /// True if records are to come in the answer.
    pub(crate) fn is_listed(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Says what is wrong with a reply, given as its bytes; over UDP if `datagram`.
    pub(crate) fn judge(
        &self,
        question: &Query,
        reply: Option<&[u8]>,
        datagram: bool,
    ) -> Result<(), String> {
        let bytes = match (reply, self.silence) {
            (None, true) => return Ok(()),
            (None, false) => return Err("no reply".to_owned()),
            (Some(_), true) => return Err("a reply".to_owned()),
            (Some(bytes), false) => bytes,
        };
        let reply = Reply::parse(bytes).map_err(|error| format!("no message: {error}"))?;
        self.judge_parsed(question, &reply, datagram)
            .map_err(|error| format!("{error}\n{reply}"))?;
        if datagram && bytes.len() > question.udp_limit() {
            return Err(format!("{} bytes are too many for UDP", bytes.len()));
        }
        Ok(())
    }

    fn judge_parsed(&self, question: &Query, reply: &Reply, datagram: bool) -> Result<(), String> {
        let count = self.truncated.filter(|_| datagram);
        let cut = count.is_some();
        let flag = |set: bool, bit: u16| if set { bit } else { 0 };
        let bits = question.bits & RD | flag(self.authoritative, AA) | flag(cut, TC);
        same("return code", &reply.code(), &self.rcode)?;
        same("opcode", &reply.opcode.to_string(), &question.opcode.to_string())?;
        same("bits of the header", &format!("{:#06x}", reply.bits), &format!("{bits:#06x}"))?;
        let section = if self.header_only { Vec::new() } else { question.question() };
        same("question", &quoted(&reply.question), &quoted(&section))?;
        let authority = if cut { &[][..] } else { &self.authority[..] };
        match count {
            Some(count) => {
                same("number of records", &reply.answers.len().to_string(), &count.to_string())?;
                let is_other = |one: &&Record| !self.answers.contains(&one.to_string());
                if let Some(other) = reply.answers.iter().find(is_other) {
                    return Err(format!("answer: {other}\n  wanted: {}", set(&self.answers)));
                }
            }
            None => same("answer", &shown(&reply.answers), &set(&self.answers))?,
        }
        // Compression may take the letters of the question for these names.
        let found = reply.clone().in_lower_case().authority;
        match self.soa.filter(|_| !cut) {
            Some(ttl) => soa(&found, ttl, &name::lowercase(&question.name))?,
            None => same("authority", &shown(&found), &set(authority))?,
        }
        same("additional", &shown(&reply.additional), &set(&[]))?;
        let edns = question.edns.as_ref().filter(|_| !self.header_only);
        let wanted = edns.map(|edns| Opt {
            size: 1232,
            version: 0,
            dnssec_ok: edns.dnssec_ok,
            options: Vec::new(),
        });
        same("EDNS", &format!("{:?}", reply.opt), &format!("{wanted:?}"))
    }
}

fn same(what: &str, found: &str, wanted: &str) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found}\n  wanted: {wanted}")) }
}

/// Records in an order of their own; twice the same record stays twice.
fn set(records: &[String]) -> String {
    let mut records = records.to_vec();
    records.sort();
    records.join(", ")
}

fn shown(records: &[Record]) -> String {
    set(&records.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// The authority section of a negative answer: the SOA of the zone, whose TTL is its minimum
/// (RFC 2308 section 3).
fn soa(authority: &[Record], ttl: u32, name: &[Label]) -> Result<(), String> {
    match authority {
        [Record { owner, ttl: its_ttl, data: Data::Soa { times: [.., minimum], .. }, .. }]
            if name.ends_with(owner) && [*its_ttl, *minimum] == [ttl; 2] =>
        {
            Ok(())
        }
        _ => Err(format!("authority: {}\n  wanted: the SOA, TTL {ttl}", shown(authority))),
    }
}

/// The words of an expectation; spaces between quotation marks do not part words.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        if letter == ' ' && !quoted {
            words.push(String::new());
            continue;
        }
        quoted ^= letter == '"';
        words.last_mut().ok_or("no word")?.push(letter);
    }
    if quoted {
        return Err("a quotation mark is missing".to_owned());
    }
    words.retain(|word| !word.is_empty());
    Ok(words)
}

/// Type and data of a value.
fn value(word: &str) -> Result<String, String> {
    if let Some(text) = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
        let strings: Result<Vec<String>, String> =
            text.split("\"+\"").map(|string| Ok(quoted(&unescape(string)?))).collect();
        return Ok(format!("TXT {}", strings?.join(" ")));
    }
    match word.parse().map_err(|_| format!("unknown word {word:?}"))? {
        IpAddr::V4(address) => Ok(format!("A {address}")),
        IpAddr::V6(address) => Ok(format!("AAAA {address}")),
    }
}

/// A character-string between quotation marks.
fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}
