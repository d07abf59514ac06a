//! Writes a response into the caller's buffer.

pub mod single;

use crate::wire::cookie::CookieOption;
use crate::wire::{Class, Edns, ExtendedError, HEADER, MAX_UDP, Query, Rcode, Type};

/// The size of the OPT record we send, without options.
pub(crate) const OPT_SIZE: usize = 11;

/// A response under construction: the header and the question of the query are in place, records
/// are appended, [`finish`](Self::finish) adds OPT and closes the header.
///
/// A record that does not fit is left out, and the finished message has the TC bit: a resolver then
/// asks again over TCP, and a client that ignores the bit still sees that the key is listed
/// (docs/decisions/004).
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    out: &'a mut [u8],
    at: usize,
    limit: usize,
    question_end: usize,
    answers: u16,
    authorities: u16,
    edns: Option<Edns>,
    /// The identifier that stands in the OPT record; `None` for no such option.
    nsid: Option<Nsid>,
    /// The cookies that stand in the OPT record.
    cookie: Option<CookieOption>,
    /// Why the answer is what it is; `None` for no such option.
    error: Option<ExtendedError>,
    /// What people are told of that.
    error_text: &'static str,
    truncated: bool,
    /// See [`minimize_any`](Self::minimize_any).
    minimal_any: bool,
}

/// The code of the option for the identifier of a server (RFC 5001 section 2.3).
pub(super) const NSID: u16 = 3;

/// The code of the option for an extended DNS error (RFC 8914 section 2).
const ERROR: u16 = 15;

/// The size of the option with an extended DNS error and no text.
const ERROR_SIZE: usize = 6;

/// An identifier of a server, or of what it serves.
pub type Nsid = [u8; 16];

/// The size of the option with an identifier.
const NSID_SIZE: usize = 4 + size_of::<Nsid>();

/// Which section a record goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// SOA of a negative answer, NS of a positive one.
    Authority,
}

impl<'a> ResponseWriter<'a> {
    /// Starts the response to `query`, whose bytes are `message`, within `limit` bytes.
    /// `None` if not even the question fits.
    #[inline(always)]
    pub fn new(message: &[u8], query: &Query<'_>, out: &'a mut [u8], limit: usize) -> Option<Self> {
        let question_end = query.question_end();
        let opt = if query.edns.is_some() { OPT_SIZE } else { 0 };
        let limit = limit.min(out.len()).checked_sub(opt)?;
        if question_end > limit {
            return None;
        }
        out[..question_end].copy_from_slice(message.get(..question_end)?);
        Some(Self {
            out,
            at: question_end,
            limit,
            question_end,
            answers: 0,
            authorities: 0,
            edns: query.edns,
            nsid: None,
            cookie: None,
            error: None,
            error_text: "",
            truncated: false,
            minimal_any: false,
        })
    }

    /// Adds an identifier, if the client asks for it and there is room: to be called before records are
    /// written.
    pub fn identify(&mut self, nsid: impl FnOnce() -> Nsid) {
        if self.edns.is_some_and(|edns| edns.wants_nsid)
            && let Some(limit) = self.limit.checked_sub(NSID_SIZE)
            && limit >= self.at
        {
            self.limit = limit;
            self.nsid = Some(nsid());
        }
    }

    /// Adds cookies, if the client speaks EDNS: to be called before records are written.
    pub fn add_cookie(&mut self, cookie: &CookieOption) {
        if self.edns.is_some()
            && let Some(limit) = self.limit.checked_sub(cookie.len())
            && limit >= self.at
        {
            self.limit = limit;
            self.cookie = Some(*cookie);
        }
    }

    /// Has the answer to a question for all types be one RRset (RFC 8482 section 4.1).
    pub fn minimize_any(&mut self) {
        self.minimal_any = true;
    }

    /// True if records of this type belong to the answer to a question for `qtype`, behind those that are in it.
    #[inline(always)]
    pub fn wants(&self, qtype: Type, rtype: Type) -> bool {
        let is_complete = || self.minimal_any && (self.answers > 0 || self.truncated);
        qtype == rtype || qtype == Type::ANY && !is_complete()
    }

    /// Says why the answer is what it is, if nothing else was said and the client speaks EDNS. Where there is no room
    /// behind the records, this is what is left out (RFC 8914 section 3).
    pub fn explain(&mut self, error: ExtendedError) {
        if self.edns.is_some() && self.error.is_none() {
            (self.error, self.error_text) = (Some(error), error.text());
        }
    }

    /// Where the next record will start.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The number of records in the answer section so far.
    pub fn answers(&self) -> u16 {
        self.answers
    }

    /// What has been written from `start` on.
    pub fn written(&self, start: usize) -> &[u8] {
        self.out.get(start..self.at).unwrap_or(&[])
    }

    /// The most bytes that the message may have, without OPT.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Has the finished message say that something was left out.
    pub fn leave_out(&mut self) {
        self.truncated = true;
    }

    /// True once a record did not fit or [was left out](Self::leave_out).
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Appends a record whose owner is the name at `owner` bytes from the start of the message
    /// (12 is the name asked), with its data in `parts`.
    #[inline(always)]
    pub fn record(
        &mut self,
        section: Section,
        owner: usize,
        rtype: Type,
        class: Class,
        ttl: u32,
        parts: &[&[u8]],
    ) {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        let end = self.at + RECORD_HEAD + size;
        let (Ok(data_size), false) = (u16::try_from(size), end > self.limit) else {
            self.truncated = true;
            return;
        };
        let Some(record) = self.out.get_mut(self.at..end) else { return };
        let Some((fixed, mut rest)) = record.split_first_chunk_mut() else { return };
        *fixed = record_head(owner, rtype, class, ttl, data_size);
        for part in parts {
            let (head, tail) = rest.split_at_mut(part.len());
            head.copy_from_slice(part);
            rest = tail;
        }
        self.added(section, end);
    }

    /// Appends a record that `write` writes to the start of the room it gets, and whose length it
    /// gives.
    #[inline(always)]
    pub fn record_by<const N: usize>(
        &mut self,
        section: Section,
        write: impl FnOnce(&mut [u8; N]) -> usize,
    ) {
        let rest = self.out.get_mut(self.at..).unwrap_or_default();
        let len = match rest.first_chunk_mut() {
            Some(room) => write(room),
            None => {
                let mut room = [0; N];
                let len = write(&mut room);
                if let Some(rest) = rest.get_mut(..len) {
                    rest.copy_from_slice(&room[..len]);
                }
                len
            }
        };
        let end = self.at + len;
        if end > self.limit {
            self.truncated = true;
            return;
        }
        self.added(section, end);
    }

    /// Takes back everything written since the message was `position` bytes long with this many
    /// authority records, and forgets that something did not fit: for records that may be left
    /// out without harm (RFC 2181 section 9).
    pub fn rewind_authority(&mut self, position: usize) {
        self.at = position.clamp(self.question_end, self.at);
        self.authorities = 0;
        self.truncated = false;
    }

    #[inline(always)]
    fn added(&mut self, section: Section, end: usize) {
        self.at = end;
        match section {
            Section::Answer => self.answers += 1,
            Section::Authority => self.authorities += 1,
        }
    }

    /// Closes the message and gives its length.
    #[inline(always)]
    pub fn finish(mut self, rcode: Rcode, authoritative: bool) -> usize {
        if self.error.is_some() {
            self.fit_error();
        }
        let Some(header) = self.out.first_chunk_mut() else { return 0 };
        let flags = u8::from(authoritative) << 2 | u8::from(self.truncated) << 1;
        let counts = [1, self.answers, self.authorities, u16::from(self.edns.is_some())];
        let counts = counts.iter().fold(0, |joined, &count| joined << 16 | u64::from(count));
        close_header(header, flags, rcode, counts);
        if let Some(edns) = self.edns {
            self.out[self.at..self.at + OPT_SIZE].copy_from_slice(&opt_record(edns, rcode));
            self.at += OPT_SIZE;
            if self.nsid.is_some() || self.cookie.is_some() || self.error.is_some() {
                self.append_options();
            }
        }
        self.at
    }
}

impl ResponseWriter<'_> {
    /// Leaves out of the extended error what has no room: the text, or all of it, which the message says then.
    #[cold]
    fn fit_error(&mut self) {
        let room = self.limit - self.at;
        if room < ERROR_SIZE + self.error_text.len() {
            self.error_text = "";
        }
        if room < ERROR_SIZE {
            (self.error, self.truncated) = (None, true);
        }
    }

    /// Appends the options to the OPT record, which is the last of the message.
    #[cold]
    fn append_options(&mut self) {
        let start = self.at;
        if let Some(cookie) = self.cookie {
            self.append(&cookie);
        }
        if let Some(nsid) = self.nsid {
            let head = u32::from(NSID) << 16 | size_of::<Nsid>() as u32;
            self.append(&head.to_be_bytes());
            self.append(&nsid);
        }
        if let Some(error) = self.error {
            let size = 2 + self.error_text.len() as u64;
            let head = u64::from(ERROR) << 32 | size << 16 | error as u64;
            self.append(&head.to_be_bytes()[2..]);
            self.append(self.error_text.as_bytes());
        }
        let size = (self.at - start) as u16;
        self.out[start - 2..start].copy_from_slice(&size.to_be_bytes());
    }

    fn append(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

/// The OPT record of a response to a query that has one (RFC 6891 section 6.1).
#[inline(always)]
pub(crate) fn opt_record(edns: Edns, rcode: Rcode) -> [u8; OPT_SIZE] {
    let payload = (MAX_UDP as u16).to_be_bytes();
    let flags = u8::from(edns.dnssec_ok) << 7;
    [0, 0, 41, payload[0], payload[1], (rcode as u8) >> 4, 0, flags, 0, 0, 0]
}

/// Makes the header of a query that of its response: `flags` are AA and TC, `counts` the numbers of
/// records of the four sections. Opcode and RD are the query's (RFC 1035 section 4.1.1); RA, Z, AD and
/// CD are clear.
#[inline(always)]
fn close_header(header: &mut [u8; HEADER], flags: u8, rcode: Rcode, counts: u64) {
    header[2] = 0x80 | flags | header[2] & 0x79;
    header[3] = rcode as u8 & 0x0f;
    header[4..].copy_from_slice(&counts.to_be_bytes());
}

/// The length of what stands before the data of a record whose owner is a pointer.
pub(crate) const RECORD_HEAD: usize = 12;

/// Owner, type, class, TTL and length of the data of a record (RFC 1035 section 4.1.3); the owner is
/// the name at `owner` bytes from the start of the message.
#[inline(always)]
pub(crate) fn record_head(
    owner: usize,
    rtype: Type,
    class: Class,
    ttl: u32,
    data_size: u16,
) -> [u8; RECORD_HEAD] {
    let words = [0xc000 | owner as u16, rtype.0, class.0];
    let words = words.iter().fold(0, |joined, &word| joined << 16 | u128::from(word));
    let joined = (words << 32 | u128::from(ttl)) << 16 | u128::from(data_size);
    let mut bytes = [0; RECORD_HEAD];
    bytes.copy_from_slice(&joined.to_be_bytes()[4..]);
    bytes
}

/// Answers a message that has no usable question with its header alone: FORMERR, NOTIMP.
/// `None` if `message` or `out` is too short for a header.
pub fn header_only(message: &[u8], out: &mut [u8], rcode: Rcode) -> Option<usize> {
    let header: &[u8; HEADER] = message.first_chunk()?;
    let reply = out.first_chunk_mut()?;
    *reply = *header;
    close_header(reply, 0, rcode, 0);
    Some(HEADER)
}

/// Answers a message that has no question, but asks for a cookie (RFC 7873 section 5.4). `None` if `message` is too
/// short for a header, or `out` for the answer.
pub fn cookie_alone(
    message: &[u8],
    edns: Edns,
    cookie: &CookieOption,
    rcode: Rcode,
    out: &mut [u8],
) -> Option<usize> {
    let mut header: [u8; HEADER] = *message.first_chunk()?;
    close_header(&mut header, 0, rcode, 1);
    let mut opt = opt_record(edns, rcode);
    opt[OPT_SIZE - 1] = cookie.len() as u8;
    let (head, rest) = out.split_first_chunk_mut()?;
    let (record, rest) = rest.split_first_chunk_mut()?;
    (*head, *record) = (header, opt);
    rest.get_mut(..cookie.len())?.copy_from_slice(cookie);
    Some(HEADER + OPT_SIZE + cookie.len())
}
