//! A query as it came from the network.

use super::response::{NSID, OPT_SIZE};
use crate::wire::cookie::COOKIE;
use crate::wire::name::{LabelStarts, MAX_LABEL};
use crate::wire::{Class, HEADER, Type};

/// A query with exactly one question, checked whole, borrowed from the receive buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query<'a> {
    /// The name asked, in wire form, in the letter case of the client.
    pub name: &'a [u8],
    /// The type asked.
    pub qtype: Type,
    /// The class asked.
    pub class: Class,
    /// What the client says of EDNS, if anything.
    pub edns: Option<Edns>,
}

/// The client's OPT record (RFC 6891 section 6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edns {
    /// The largest UDP response the client can take, in bytes, as it stands in the message.
    pub payload: u16,
    /// The version; we know 0.
    pub version: u8,
    /// The DNSSEC OK bit, which a response repeats (RFC 3225 section 3).
    pub dnssec_ok: bool,
    /// The client asks for the identifier of the server (RFC 5001 section 2.1).
    pub wants_nsid: bool,
}

impl Edns {
    /// Reads the fixed part of an OPT record, its owner being the root.
    #[inline(always)]
    fn of(opt: &[u8; OPT_SIZE]) -> Self {
        let payload = u16::from_be_bytes([opt[3], opt[4]]);
        let dnssec_ok = opt[7] & 0x80 != 0;
        Self { payload, version: opt[6], dnssec_ok, wants_nsid: false }
    }
}

/// The first parse of every query, which is enough for a usual one: one question for one type in
/// class IN, and no record but an OPT record of version 0 that does not ask for an identifier.
///
/// The name is not read: who reads it sees whether it ends where the question has it end, which makes
/// the question valid.
#[derive(Clone, Copy, Debug)]
pub struct ParsedQuestion<'a> {
    /// The message up to the end of the question.
    pub bytes: &'a [u8],
    /// The type asked.
    pub qtype: Type,
    /// What the client says of EDNS, if anything.
    pub edns: Option<Edns>,
}

impl<'a> ParsedQuestion<'a> {
    /// Reads a message from its end; `None` if it is not a usual query.
    #[inline(always)]
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let header = message.first_chunk::<HEADER>()?;
        // No answers, no authority, one additional record at most.
        let additional = u64::from_be_bytes(*header.last_chunk()?) ^ 1 << 48;
        if header[2] & 0xf8 != 0 || additional > 1 {
            return None;
        }
        let (bytes, edns) = match additional {
            0 => (message, None),
            // Usual are no options, the cookie of a client, and that of a server with it (RFC 7873
            // section 4).
            _ => split_opt::<0>(message)
                .or_else(|| split_opt::<12>(message))
                .or_else(|| split_opt::<28>(message))
                .or_else(|| split_options(message))
                .map(|(bytes, edns)| (bytes, Some(edns)))?,
        };
        let fixed = u32::from_be_bytes(*bytes.last_chunk()?);
        let (qtype, class) = (Type((fixed >> 16) as u16), Class(fixed as u16));
        if class != Class::IN || (Type::FIRST_META..=Type::ANY).contains(&qtype) {
            return None;
        }
        Some(Self { bytes, qtype, edns })
    }

    /// The position of the end of the name in the message.
    #[inline(always)]
    pub fn name_end(&self) -> usize {
        self.bytes.len() - 4
    }
}

/// Splits a message before its last record, if that is an OPT record of version 0 without options, or with
/// a cookie of this size alone.
#[inline(always)]
fn split_opt<const SIZE: usize>(message: &[u8]) -> Option<(&[u8], Edns)> {
    let (rest, data) = message.split_last_chunk::<SIZE>()?;
    let (bytes, opt) = rest.split_last_chunk()?;
    let is_usual = usize::from(u16::from_be_bytes([opt[9], opt[10]])) == SIZE
        && is_opt(opt)
        && (SIZE == 0 || data.starts_with(&[0, COOKIE as u8, 0, SIZE as u8 - 4]));
    is_usual.then(|| (bytes, Edns::of(opt)))
}

/// Splits a message behind its question, if an OPT record of version 0 follows.
#[inline(never)]
fn split_options(message: &[u8]) -> Option<(&[u8], Edns)> {
    let len = LabelStarts::default().read(message.get(HEADER..)?)?;
    let (bytes, rest) = message.split_at_checked(HEADER + len + 4)?;
    let (opt, data) = rest.split_first_chunk()?;
    let size = usize::from(u16::from_be_bytes([opt[9], opt[10]]));
    let is_usual =
        is_opt(opt) && read_options(data.get(..size)?)? == OptionFacts { wants_nsid: false };
    is_usual.then(|| (bytes, Edns::of(opt)))
}

/// True for the fixed part of an OPT record of version 0.
#[inline(always)]
fn is_opt(opt: &[u8; OPT_SIZE]) -> bool {
    opt[..3] == [0, 0, Type::OPT.0 as u8] && opt[6] == 0
}

/// Why a message gets no ordinary answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reject {
    /// Too short for a header, or a response: answering could start a loop.
    Drop,
    /// The message is malformed: FORMERR.
    Malformed,
    /// The opcode is not QUERY: NOTIMP.
    Opcode,
}

impl<'a> Query<'a> {
    /// Reads a message. Records of the answer and authority sections are skipped, bytes after
    /// the last record are ignored, AA, TC, RA and Z bits are ignored.
    pub fn parse(message: &'a [u8]) -> Result<Self, Reject> {
        Self::parse_with(message, |wire| LabelStarts::default().read(wire))
    }

    /// As [`parse`](Self::parse). `read_name` gives the length of the name at
    /// the start of bytes.
    #[inline]
    pub fn parse_with(
        message: &'a [u8],
        mut read_name: impl FnMut(&[u8]) -> Option<usize>,
    ) -> Result<Self, Reject> {
        if let Some(ParsedQuestion { bytes, qtype, edns }) = ParsedQuestion::read(message)
            && let Some(name) = message.get(HEADER..bytes.len() - 4)
            && read_name(&message[HEADER..]) == Some(name.len())
        {
            return Ok(Self { name, qtype, class: Class::IN, edns });
        }
        Self::parse_any(message, read_name)
    }

    /// The same without the first parse.
    fn parse_any(
        message: &'a [u8],
        read_name: impl FnOnce(&[u8]) -> Option<usize>,
    ) -> Result<Self, Reject> {
        let Some((header, rest)) = message.split_first_chunk::<HEADER>() else {
            return Err(Reject::Drop);
        };
        if header[2] & 0x80 != 0 {
            return Err(Reject::Drop);
        }
        if header[2] & 0x78 != 0 {
            return Err(Reject::Opcode);
        }
        if header[4..6] != [0, 1] {
            return Err(Reject::Malformed);
        }
        let len = read_name(rest).ok_or(Reject::Malformed)?;
        let (name, rest) = rest.split_at_checked(len).ok_or(Reject::Malformed)?;
        let Some((fixed, rest)) = rest.split_first_chunk::<4>() else {
            return Err(Reject::Malformed);
        };
        let edns = if header[6..12] == [0; 6] { None } else { find_edns(header, rest)? };
        Ok(Self {
            name,
            qtype: Type(u16::from_be_bytes([fixed[0], fixed[1]])),
            class: Class(u16::from_be_bytes([fixed[2], fixed[3]])),
            edns,
        })
    }

    /// The length of the header and the question, in bytes.
    pub fn question_end(&self) -> usize {
        HEADER + self.name.len() + 4
    }
}

/// The data of the first COOKIE option of a query (RFC 7873 section 4), if it has one and can be read that far.
pub fn cookie_data(message: &[u8]) -> Option<&[u8]> {
    let (header, rest) = message.split_first_chunk::<HEADER>()?;
    if header[10..] == [0, 0] {
        return None;
    }
    let question = LabelStarts::default().read(rest)? + 4;
    let Opt { options, .. } = find_opt(header, rest.get(question..)?).ok()??;
    Options(options).find(|(code, _)| *code == COOKIE).map(|(_, data)| data)
}

/// The client's OPT record and the data of the first COOKIE option of a message without a question that asks for a
/// cookie (RFC 7873 section 5.4); `None` for any other message.
pub fn cookie_alone(message: &[u8]) -> Option<(Edns, &[u8])> {
    let (header, rest) = message.split_first_chunk::<HEADER>()?;
    if header[2] & 0xf8 != 0 || header[4..6] != [0, 0] {
        return None;
    }
    let Opt { fixed, options } = find_opt(header, rest).ok()??;
    read_options(options)?;
    let (_, data) = Options(options).find(|(code, _)| *code == COOKIE)?;
    Some((Edns::of(fixed), data))
}

/// The OPT record of a message.
#[derive(Clone, Copy)]
struct Opt<'a> {
    /// All before its data, if its owner is the root.
    fixed: &'a [u8; OPT_SIZE],
    /// Its data.
    options: &'a [u8],
}

/// Reads the OPT record of the additional section.
fn find_edns(header: &[u8; HEADER], rest: &[u8]) -> Result<Option<Edns>, Reject> {
    let Some(Opt { fixed, options }) = find_opt(header, rest)? else { return Ok(None) };
    let OptionFacts { wants_nsid } = read_options(options).ok_or(Reject::Malformed)?;
    Ok(Some(Edns { wants_nsid, ..Edns::of(fixed) }))
}

/// Walks the records behind the question to the OPT record of the additional section.
fn find_opt<'a>(header: &[u8; HEADER], mut rest: &'a [u8]) -> Result<Option<Opt<'a>>, Reject> {
    let count = |at: usize| u32::from(u16::from_be_bytes([header[at], header[at + 1]]));
    let before_additional = count(6) + count(8);
    let mut found = None;
    for index in 0..before_additional + count(10) {
        let RawRecord { start, rtype, data, after } =
            split_record(rest).ok_or(Reject::Malformed)?;
        let fixed = rest.first_chunk();
        rest = after;
        if rtype != Type::OPT || index < before_additional {
            continue;
        }
        // RFC 6891 section 6.1.1: more than one OPT is malformed, its owner must be the root.
        let (Some(fixed), 1, None) = (fixed, start, found) else { return Err(Reject::Malformed) };
        found = Some(Opt { fixed, options: data });
    }
    Ok(found)
}

/// The data of an OPT record: options, each with its length (RFC 6891 section 6.1.2). It ends before what is none.
struct Options<'a>(&'a [u8]);

impl<'a> Iterator for Options<'a> {
    /// The code and the data.
    type Item = (u16, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (&[code_high, code_low, high, low], rest) = self.0.split_first_chunk()?;
        let size = usize::from(u16::from_be_bytes([high, low]));
        let (data, rest) = rest.split_at_checked(size)?;
        self.0 = rest;
        Some((u16::from_be_bytes([code_high, code_low]), data))
    }
}

/// What the options of an OPT record say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct OptionFacts {
    wants_nsid: bool,
}

/// Reads the data of an OPT record. `None` if it has anything but options.
fn read_options(data: &[u8]) -> Option<OptionFacts> {
    let mut options = Options(data);
    let wants_nsid = options.by_ref().fold(false, |wants, (code, _)| wants | (code == NSID));
    options.0.is_empty().then_some(OptionFacts { wants_nsid })
}

/// The record at the start of some bytes.
pub(crate) struct RawRecord<'a> {
    /// The length of its owner.
    pub(crate) start: usize,
    pub(crate) rtype: Type,
    pub(crate) data: &'a [u8],
    /// What follows the record.
    pub(crate) after: &'a [u8],
}

pub(crate) fn split_record(bytes: &[u8]) -> Option<RawRecord<'_>> {
    let mut start = 0;
    loop {
        let len = usize::from(*bytes.get(start)?);
        match len {
            0 => {
                start += 1;
                break;
            }
            // A compression pointer ends the name; nobody needs what it points at.
            0xc0.. => {
                start += 2;
                break;
            }
            _ if len > MAX_LABEL => return None,
            _ => start += 1 + len,
        }
    }
    let (fixed, rest) = bytes.get(start..)?.split_first_chunk::<10>()?;
    let size = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
    let (data, after) = rest.split_at_checked(size)?;
    Some(RawRecord { start, rtype: Type(u16::from_be_bytes([fixed[0], fixed[1]])), data, after })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A query for `\x01a\0` A IN with the given counts and whatever is appended.
    fn message(counts: [u8; 4], tail: &[u8]) -> Vec<u8> {
        let mut message = vec![0x12, 0x34, 1, 0];
        message.extend(counts.iter().flat_map(|&count| [0, count]));
        message.extend(b"\x01a\0\0\x01\0\x01");
        message.extend(tail);
        message
    }

    const OPT: &[u8] = b"\0\0\x29\x04\xd0\0\0\x80\0\0\0";

    #[test]
    fn a_plain_query_is_read() {
        let bytes = message([1, 0, 0, 0], b"junk");
        let query = Query::parse(&bytes).unwrap();
        assert_eq!(query.name, b"\x01a\0");
        assert_eq!((query.qtype, query.class), (Type::A, Class::IN));
        assert_eq!(query.edns, None);
        assert_eq!(query.question_end(), 19);
    }

    #[test]
    fn the_opt_record_is_found_wherever_it_stands_in_the_additional_section() {
        let other = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x01\x02\x03\x04";
        let want = Edns { payload: 1232, version: 0, dnssec_ok: true, wants_nsid: false };
        let want = Some(want);
        let behind: Vec<u8> = [&other[..], OPT].concat();
        assert_eq!(Query::parse(&message([1, 0, 0, 1], OPT)).unwrap().edns, want);
        assert_eq!(Query::parse(&message([1, 0, 0, 2], &behind)).unwrap().edns, want);
        assert_eq!(Query::parse(&message([1, 1, 0, 1], &behind)).unwrap().edns, want);
        assert_eq!(Query::parse(&message([1, 0, 2, 0], &behind)).unwrap().edns, None);
    }

    #[test]
    fn what_is_no_query_is_rejected() {
        let reject = |bytes: &[u8]| Query::parse(bytes).unwrap_err();
        let good = message([1, 0, 0, 1], OPT);
        for len in 0..HEADER {
            assert_eq!(reject(&good[..len]), Reject::Drop);
        }
        for len in HEADER..good.len() {
            assert_eq!(reject(&good[..len]), Reject::Malformed, "{len}");
        }
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            bytes
        };
        assert_eq!(reject(&with(2, 0x81)), Reject::Drop);
        assert_eq!(reject(&with(2, 0x28)), Reject::Opcode);
        assert_eq!(reject(&with(5, 0)), Reject::Malformed);
        assert_eq!(reject(&with(5, 2)), Reject::Malformed);
        assert_eq!(reject(&with(12, 0xc0)), Reject::Malformed);
        assert_eq!(reject(&with(12, 64)), Reject::Malformed);
        let twice: Vec<u8> = [OPT, OPT].concat();
        assert_eq!(reject(&message([1, 0, 0, 2], &twice)), Reject::Malformed);
        assert_eq!(reject(&message([1, 0, 0, 255], OPT)), Reject::Malformed);
    }

    #[test]
    fn the_longest_name_is_read_and_a_longer_one_is_not() {
        let ask = |name: &[u8]| {
            let mut message = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            message.extend(name);
            message.extend([0, 0, 1, 0, 1]);
            Query::parse(&message).map(|query| query.name.len())
        };
        assert_eq!(ask(&b"\x01a".repeat(127)), Ok(255));
        assert_eq!(ask(&[&b"\x01a".repeat(126)[..], b"\x02aa"].concat()), Err(Reject::Malformed));
    }

    #[test]
    fn options_of_the_opt_record_must_end_where_it_does() {
        let with = |data: &[u8]| {
            let mut tail = OPT[..9].to_vec();
            tail.extend((data.len() as u16).to_be_bytes());
            tail.extend(data);
            Query::parse(&message([1, 0, 0, 1], &tail)).map(|query| query.edns.is_some())
        };
        let cookie = b"\0\x0a\0\x08clientid";
        for good in [&b""[..], cookie, b"\0\x0c\0\0", &[&cookie[..], b"\0\x0c\0\x02\0\0"].concat()]
        {
            assert_eq!(with(good), Ok(true), "{good:?}");
        }
        for bad in [&b"\0"[..], b"\0\x0a\0", &cookie[..11], b"\0\x0c\0\x01", b"\0\x0c\0\0\0"] {
            assert_eq!(with(bad), Err(Reject::Malformed), "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, flags: u8, counts: [u8; 4]) {
            let _ = Query::parse(&bytes);
            let mut message = message(counts, &bytes);
            message[2] = flags;
            let first = Query::parse(&message);
            let whole = Query::parse_any(&message, |wire| LabelStarts::default().read(wire));
            proptest::prop_assert_eq!(first, whole, "the first parse and the other");
        }
    }
}
