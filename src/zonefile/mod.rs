//! Data files in rbldnsd's formats: from text to a listing, with diagnostics.
//!
//! A [`Parser`] takes the bytes of the files of one dataset in pieces of any size and gives
//! [`Parsed`]. A line it cannot use is skipped and reported with its place and the reason, and
//! never fails the file. What it accepts is what rbldnsd 1.0 accepts, and besides: carriage
//! returns before newlines and a byte order mark before the first line are ignored, IPv6 prefixes may
//! stand in an `ip4trie`, texts may have up to 1020 bytes, years of `$TIMESTAMP` may be beyond 2038, and
//! the value of an entry may end in the parameters of rspamd's fork.
//!
//! ```
//! use dnsbld::zonefile::{Kind, Options, Parser};
//!
//! let mut parser = Parser::new(Kind::Ip4Set, Options::default());
//! parser.start_file();
//! parser.feed(b":2:listed, see http://bl.example/$\n192.0.2.0/28\n!192.0.2.").unwrap();
//! parser.feed(b"3\nnonsense\n").unwrap();
//! parser.end_file().unwrap();
//! let parsed = parser.finish();
//! assert_eq!(parsed.entries, 2);
//! assert_eq!(parsed.diagnostics.kept[0].line, 4);
//! let ranges: Vec<_> = parsed.ip4.unwrap().ranges().map(|r| r.end - r.start + 1).collect();
//! assert_eq!(ranges, [3, 12]);
//! ```

mod acl;
mod body;
mod diagnostic;
mod entries;
mod generic;
mod ip4;
mod ip6;
mod params;
mod plain;
mod plain_names;
mod plain_prefixes;
mod plain_values;
mod prepared;
mod scan;
mod section;
mod special;
mod tally;
#[cfg(test)]
mod tests;
mod value;
mod values;

pub use acl::{Acl, Keys, Subjects};
pub use diagnostic::{
    Diagnostic, Diagnostics, Fatal, FatalCause, MAX_KEPT, Reason, SectionTypes, Special,
};
pub use prepared::Prepared;
pub use section::Part;
pub use special::{MAX_NAME_SERVERS, NsData, SoaData, Vars};
pub use tally::Tally;

use crate::listing::Answers;
use crate::listing::addresses::{Addresses4, Addresses6};
use crate::listing::records::RecordSet;
use crate::trie::names::NameTree;
use body::Body;
use diagnostic::Refused;
use entries::Rules;
use prepared::Said;
use scan::{Scan, is_blank};
use section::{Section, Sections};
use special::{Head, Local};
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// The longest line that is used whole, in bytes without its newline.
pub const MAX_LINE: usize = 32_768;
/// What some editors write at the start of a file of UTF-8: it is no part of the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The longest template of a TXT record, and the longest text it is written out to, in bytes: four
/// character-strings (RFC 1035 section 3.3), which with a question of usual length fit into one UDP
/// response. Longer ones are cut.
pub const MAX_TEXT: usize = 1020;

/// The type of a dataset, which says how its files are read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// IPv4 ranges, each with its value.
    Ip4Set,
    /// Single IPv4 addresses with one value.
    Ip4Tset,
    /// IPv4 and IPv6 prefixes, each with its value.
    Ip4Trie,
    /// IPv6 /64 networks with one value.
    Ip6Tset,
    /// IPv6 prefixes, each with its value.
    Ip6Trie,
    /// Domain names, each with its value; also called `dnhash`.
    Dnset,
    /// Ordinary records: A, TXT and MX.
    Generic,
    /// Sections of the other types, each for some subzones.
    Combined,
    /// Access list of clients: IPv4 and IPv6 prefixes, each with what is done with the queries
    /// that come from there.
    Acl,
    /// Access list of keys: the last labels before the apex, each with what is done with the
    /// queries that have it (rspamd's fork of rbldnsd).
    AclKey,
}

impl Kind {
    const NAMES: [(&'static str, Self); 11] = [
        ("ip4set", Self::Ip4Set),
        ("ip4tset", Self::Ip4Tset),
        ("ip4trie", Self::Ip4Trie),
        ("ip6tset", Self::Ip6Tset),
        ("ip6trie", Self::Ip6Trie),
        ("dnset", Self::Dnset),
        ("dnhash", Self::Dnset),
        ("generic", Self::Generic),
        ("combined", Self::Combined),
        ("acl", Self::Acl),
        ("aclkey", Self::AclKey),
    ];

    /// The names of all types.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|&(name, _)| name)
    }

    /// True if the dataset says who may ask, and nothing of what is listed.
    pub fn is_access_list(self) -> bool {
        matches!(self, Self::Acl | Self::AclKey)
    }

    /// True if a section of a combined dataset can be of this type.
    pub(crate) fn is_for_section(self) -> bool {
        self != Self::Combined && !self.is_access_list()
    }

    /// The names of the types that a section of a combined dataset can have.
    pub(crate) fn section_names() -> impl Iterator<Item = &'static str> {
        let all = Self::NAMES.iter().filter(|(_, kind)| kind.is_for_section());
        all.map(|(name, _)| *name)
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|&(_, kind)| kind).ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

/// rbldnsd's name of the type.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// A name that is not the name of a dataset type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownKind(pub String);

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown dataset type `{}`: expected one of", self.0)?;
        for (i, (name, _)) in Kind::NAMES.iter().enumerate() {
            write!(f, "{} {name}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownKind {}

/// How to read the files of a dataset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Ignore bits below the length of a prefix instead of refusing the line (rbldnsd's `-e`).
    pub accept_host_bits: bool,
    /// The TTL where the files give none, in seconds (rbldnsd's `-t`).
    pub default_ttl: u32,
    /// Raise TTLs of the files to this, in seconds; 0 for no bound.
    pub min_ttl: u32,
    /// Lower TTLs of the files to this, in seconds; 0 for no bound.
    pub max_ttl: u32,
    /// The time, in seconds since 1970; data from later than this is refused.
    pub now: u64,
    /// Refuse lines with an A value outside 127.0.0.0/8.
    pub loopback_only: bool,
    /// The A value of entries without one, in place of that of every default line.
    pub default_a: Option<Ipv4Addr>,
    /// The TXT template of entries without one, in place of that of every default line.
    pub default_text: Option<Box<[u8]>>,
    /// How many threads may work at the end, where they help.
    pub threads: usize,
}

/// rbldnsd's default TTL of 35 minutes, no bounds, no clock, A values in 127.0.0.0/8 only, one
/// thread.
impl Default for Options {
    fn default() -> Self {
        Self {
            accept_host_bits: false,
            default_ttl: 35 * 60,
            min_ttl: 0,
            max_ttl: 0,
            now: u64::MAX,
            loopback_only: true,
            default_a: None,
            default_text: None,
            threads: 1,
        }
    }
}

/// A dataset, read.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The type of the dataset.
    pub kind: Kind,
    /// The TTL of its records, in seconds.
    pub ttl: u32,
    /// The first `$SOA`.
    pub soa: Option<SoaData>,
    /// The first `$NS`.
    pub ns: Option<NsData>,
    /// `$0` to `$9` and `$=`.
    pub vars: Vars,
    /// When the dataset expires, in seconds since 1970: the earliest that was given.
    pub expires: Option<u64>,
    /// When the data was made, in seconds since 1970: the latest that was given.
    pub stamp: Option<u64>,
    /// The A record and the TXT template of the first default line, or what stands for it.
    pub default_value: (Ipv4Addr, Box<[u8]>),
    /// The number of lines that list or exclude something.
    pub entries: u64,
    /// Those lines by size or scope.
    pub tally: Tally,
    /// The listed IPv4 addresses, for the types that have them.
    pub ip4: Option<Addresses4>,
    /// The listed IPv6 addresses, for the types that have them.
    pub ip6: Option<Addresses6>,
    /// The listed names, for the types that have them.
    pub names: Option<NameTree>,
    /// The records, for `generic`.
    pub records: Option<RecordSet>,
    /// Who may ask, for access lists.
    pub acl: Option<Acl>,
    /// The sections, for `combined`.
    pub parts: Vec<Part>,
    /// What the listed keys give.
    pub answers: Answers,
    /// What was wrong.
    pub diagnostics: Diagnostics,
}

impl Parsed {
    /// A dataset without entries.
    fn new(kind: Kind, Local { ttl, vars }: Local) -> Self {
        Self {
            kind,
            ttl,
            soa: None,
            ns: None,
            vars,
            expires: None,
            stamp: None,
            default_value: (Ipv4Addr::UNSPECIFIED, Box::default()),
            entries: 0,
            tally: Tally::Plain,
            ip4: None,
            ip6: None,
            names: None,
            records: None,
            acl: None,
            parts: Vec::new(),
            answers: Answers::default(),
            diagnostics: Diagnostics::default(),
        }
    }
}

/// Reads the files of one dataset; see the [module](self).
#[derive(Debug)]
pub struct Parser {
    kind: Kind,
    options: Options,
    head: Head,
    content: Content,
    accepted: u64,
    diagnostics: Diagnostics,
    /// The number of `start_file` calls so far.
    files: u32,
    /// The number of the last line read.
    line: u32,
    /// The beginning of a line of which the end was not fed yet.
    partial: Vec<u8>,
    /// Memory for lines that are read many at a time.
    lines: prepared::Lines,
    /// True if more of that line was fed than is kept.
    overlong: bool,
}

/// What entry lines belong to.
#[derive(Debug)]
enum Content {
    Whole(Box<Body>),
    Combined(Sections),
}

impl Parser {
    /// A parser for a dataset of this type.
    pub fn new(kind: Kind, options: Options) -> Self {
        Self {
            kind,
            head: Head::new(&options, kind),
            content: Body::new(kind, &options).map_or_else(
                || Content::Combined(Sections::default()),
                |b| Content::Whole(Box::new(b)),
            ),
            options,
            accepted: 0,
            diagnostics: Diagnostics::default(),
            files: 0,
            line: 0,
            partial: Vec::new(),
            lines: prepared::Lines::default(),
            overlong: false,
        }
    }

    /// Starts the first file, or the next one after [`Parser::end_file`].
    pub fn start_file(&mut self) {
        self.files += 1;
        self.line = 0;
        match &mut self.content {
            Content::Whole(body) => body.start_file(),
            Content::Combined(sections) => sections.is_open = false,
        }
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Fatal> {
        let mut rest = chunk;
        if !self.partial.is_empty() || self.overlong {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.keep_partial(rest);
                return Ok(());
            };
            self.keep_partial(&rest[..end]);
            self.take_partial()?;
            rest = &rest[end + 1..];
        }
        loop {
            rest = &rest[self.common_lines(rest)?..];
            let Some(end) = memchr::memchr(b'\n', rest) else { break };
            self.line(&rest[..end], false)?;
            rest = &rest[end + 1..];
        }
        self.keep_partial(rest);
        Ok(())
    }

    /// Takes the next bytes of the file, of which something was read before; the same as
    /// [`feed`](Self::feed) of them.
    pub fn feed_prepared(&mut self, chunk: &[u8], prepared: &Prepared) -> Result<(), Fatal> {
        let mut fed = 0;
        for (place, said) in prepared.runs() {
            self.feed(&chunk[fed..place.start])?;
            fed = place.start;
            if self.take_said(chunk, said)? {
                fed = place.end;
            }
        }
        self.feed(&chunk[fed..])
    }

    /// Ends the file. Its last line counts also without a newline.
    pub fn end_file(&mut self) -> Result<(), Fatal> {
        if self.partial.is_empty() && !self.overlong {
            return Ok(());
        }
        self.take_partial()
    }

    /// The number of entry lines so far; it never falls.
    pub fn entries(&self) -> u64 {
        self.accepted
    }

    /// What was wrong so far.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Decides what every key of the dataset gives.
    pub fn finish(mut self) -> Parsed {
        self.end_section();
        let Self { kind, head, content, mut diagnostics, .. } = self;
        let Head { local, soa, ns, stamp, expires, .. } = head;
        let mut parsed = match content {
            Content::Whole(body) => body.finish(local),
            Content::Combined(sections) => Parsed {
                entries: sections.done.iter().map(|part| part.parsed.entries).sum(),
                diagnostics: sections.late,
                parts: sections.done,
                ..Parsed::new(kind, local)
            },
        };
        diagnostics.add_late(std::mem::take(&mut parsed.diagnostics));
        Parsed { soa, ns, stamp, expires, diagnostics, ..parsed }
    }

    /// Ends the section of a combined dataset that is being read, if there is one.
    fn end_section(&mut self) {
        let Content::Combined(sections) = &mut self.content else { return };
        sections.is_open = false;
        let Some(section) = sections.last.take() else { return };
        if section.apexes.is_empty() {
            return;
        }
        let mut part = section.finish();
        sections.late.add_late(std::mem::take(&mut part.parsed.diagnostics));
        sections.done.push(part);
    }

    fn keep_partial(&mut self, bytes: &[u8]) {
        let room = MAX_LINE - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.overlong |= bytes.len() > room;
    }

    fn take_partial(&mut self) -> Result<(), Fatal> {
        let mut line = std::mem::take(&mut self.partial);
        let overlong = std::mem::take(&mut self.overlong);
        let result = self.line(&line, overlong);
        line.clear();
        self.partial = line;
        result
    }

    /// Takes a line without its newline, or the beginning of an overlong one.
    fn line(&mut self, raw: &[u8], overlong: bool) -> Result<(), Fatal> {
        self.line = self.line.saturating_add(1);
        // No line of the commonest kinds begins with a mark, so it is met here.
        let raw =
            if self.line == 1 { raw.strip_prefix(BYTE_ORDER_MARK).unwrap_or(raw) } else { raw };
        let raw = &raw[..raw.len().min(MAX_LINE + 1)];
        let (raw, overlong) = match raw.split_at_checked(MAX_LINE) {
            Some((head, tail)) => (head, overlong || !tail.is_empty()),
            None => (raw, overlong),
        };
        let is_margin = |&byte: &u8| is_blank(byte);
        let start = raw.iter().position(|byte| !is_margin(byte)).unwrap_or(raw.len());
        let is_end = |byte: &u8| is_margin(byte) || *byte == b'\r';
        let end = raw[start..].iter().rposition(|byte| !is_end(byte)).map_or(0, |last| last + 1);
        let text = &raw[start..start + end];
        let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
        let mut scan = Scan::new(text);
        let result = match text {
            [b'$', ..] => {
                scan.skip(1);
                self.special(&mut scan, start)
            }
            [b'#' | b';' | b':', b'$', ..] => {
                scan.skip(2);
                self.special(&mut scan, start)
            }
            [] | [b'#' | b';', ..] => Ok(None),
            _ => self.entry(&mut scan),
        };
        match result {
            // What else is wrong with the line says more: it is told once.
            Ok(None) if overlong => {
                self.report(MAX_LINE, Reason::LongLine);
                Ok(())
            }
            Ok(None) => Ok(()),
            Ok(Some(reason)) | Err(Refused::Line(reason)) => {
                self.report(start + scan.at(), reason);
                Ok(())
            }
            Err(Refused::Dataset(cause)) => Err(self.fatal(cause)),
        }
    }

    /// Takes a special line from behind its `$`; `margin` bytes stand before what `scan` reads.
    fn special(&mut self, scan: &mut Scan<'_>, margin: usize) -> Result<Option<Reason>, Refused> {
        let Content::Combined(sections) = &mut self.content else {
            return self.head.line(scan, &self.options, None).map(|()| None);
        };
        let begins_section = {
            let mut scan = scan.clone();
            scan.word().eq_ignore_ascii_case(b"dataset") && !scan.is_end()
        };
        if !begins_section {
            let local = sections.last.as_mut().map(|section| &mut section.local);
            let result = self.head.line(scan, &self.options, local);
            sections.is_open = sections.last.is_some();
            return result.map(|()| None);
        }
        scan.word();
        self.end_section();
        let (section, warnings) = Section::new(scan, &self.options, &self.head.local)?;
        for (at, reason) in warnings {
            self.report(margin + at, reason);
        }
        if let Content::Combined(sections) = &mut self.content {
            (sections.last, sections.is_open) = (Some(Box::new(section)), true);
        }
        Ok(None)
    }

    fn entry(&mut self, scan: &mut Scan<'_>) -> Result<Option<Reason>, Refused> {
        let at = (self.file(), self.line);
        let (body, rules, counts) = self.body().ok_or(FatalCause::NoSection)?;
        let (is_entry, warning) = body.line(scan, rules, at)?;
        self.accepted += u64::from(is_entry && counts);
        Ok(warning)
    }

    /// Takes the lines of the commonest kinds at the beginning of `chunk`, and returns their end.
    fn common_lines(&mut self, chunk: &[u8]) -> Result<usize, Fatal> {
        let mut lines = std::mem::take(&mut self.lines);
        let mut end = 0;
        while let Some((body, rules, ..)) = self.body()
            && let Some(run) = lines.read(body.kind, body.shortest4(rules), chunk, end)
            && self.take_said(chunk, lines.said(&run))?
        {
            end = run.place.end;
            lines.clear();
        }
        lines.clear();
        self.lines = lines;
        Ok(end)
    }

    /// Takes what lines of `chunk` say; `false` says that it is nothing for the entries at hand.
    fn take_said(&mut self, chunk: &[u8], said: Said<'_>) -> Result<bool, Fatal> {
        let (file, line) = (file_index(self.files), self.line);
        let Some((body, rules, counts)) = self.body() else { return Ok(false) };
        let count = body.take_said(chunk, said, rules, (file, line.saturating_add(1)));
        let Some(count) = count.map_err(|cause| Fatal { file, line, cause })? else {
            return Ok(false);
        };
        self.accepted += if counts { count } else { 0 };
        self.line = line.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        Ok(true)
    }

    /// What entry lines belong to, if that is anything, with its rules, and whether entries count.
    fn body(&mut self) -> Option<(&mut Body, Rules<'_>, bool)> {
        let (body, ttl, counts) = match &mut self.content {
            Content::Whole(body) => (&mut **body, self.head.local.ttl, true),
            Content::Combined(sections) => {
                let section = sections.open()?;
                (&mut section.body, section.local.ttl, !section.apexes.is_empty())
            }
        };
        let rules = Rules { options: &self.options, max_range: self.head.max_range, ttl };
        Some((body, rules, counts))
    }

    fn report(&mut self, at: usize, reason: Reason) {
        let column = u32::try_from(at + 1).unwrap_or(u32::MAX);
        let (file, line) = (self.file(), self.line);
        self.diagnostics.push(Diagnostic { file, line, column, reason });
    }

    fn fatal(&self, cause: FatalCause) -> Fatal {
        Fatal { file: self.file(), line: self.line, cause }
    }

    fn file(&self) -> u16 {
        file_index(self.files)
    }
}

fn file_index(files: u32) -> u16 {
    u16::try_from(files.saturating_sub(1)).unwrap_or(u16::MAX)
}
