//! Data files in rbldnsd's formats: from text to a listing, with diagnostics.
//!
//! A [`Parser`] takes the bytes of the files of one dataset in pieces of any size and gives
//! [`Parsed`]. A line it cannot use is skipped and reported with its place and the reason, and
//! never fails the file. What it accepts is what rbldnsd 1.0 accepts, and besides: carriage
//! returns before newlines are ignored, IPv6 prefixes may stand in an `ip4trie`, texts may have up
//! to 1020 bytes, and the value of an entry may end in the parameters of rspamd's fork.
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
mod diagnostic;
mod entries;
mod ip4;
mod ip6;
mod params;
mod plain;
mod scan;
mod special;
mod tally;
#[cfg(test)]
mod tests;
mod value;

pub use acl::{Acl, Keys, Subjects};
pub use diagnostic::{Diagnostic, Diagnostics, Fatal, FatalCause, MAX_KEPT, Reason, Special};
pub use special::{NsData, SoaData, Vars};
pub use tally::Tally;

use crate::listing::Answers;
use crate::listing::addresses::{self, Addresses4, Addresses6, Late};
use crate::trie::names::NameTree;
use diagnostic::Refused;
use entries::{Entries, Rules, Values};
use scan::{Scan, is_blank};
use special::Head;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The longest line that is used whole, in bytes without its newline.
pub const MAX_LINE: usize = 32_768;
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
    /// Access list of clients: IPv4 and IPv6 prefixes, each with what is done with the queries
    /// that come from there.
    Acl,
    /// Access list of keys: the last labels before the apex, each with what is done with the
    /// queries that have it (rspamd's fork of rbldnsd).
    AclKey,
}

impl Kind {
    const NAMES: [(&'static str, Self); 9] = [
        ("ip4set", Self::Ip4Set),
        ("ip4tset", Self::Ip4Tset),
        ("ip4trie", Self::Ip4Trie),
        ("ip6tset", Self::Ip6Tset),
        ("ip6trie", Self::Ip6Trie),
        ("dnset", Self::Dnset),
        ("dnhash", Self::Dnset),
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
}

/// rbldnsd's default TTL of 35 minutes, no bounds, no clock, and A values in 127.0.0.0/8 only.
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
    /// Who may ask, for access lists.
    pub acl: Option<Acl>,
    /// What the listed keys give.
    pub answers: Answers,
    /// What was wrong.
    pub diagnostics: Diagnostics,
}

/// Reads the files of one dataset; see the [module](self).
#[derive(Debug)]
pub struct Parser {
    kind: Kind,
    options: Options,
    head: Head,
    values: Values,
    entries: Entries,
    accepted: u64,
    places: Places,
    diagnostics: Diagnostics,
    /// The number of `start_file` calls so far.
    files: u32,
    /// The number of the last line read.
    line: u32,
    /// The beginning of a line of which the end was not fed yet.
    partial: Vec<u8>,
    /// True if more of that line was fed than is kept.
    overlong: bool,
}

impl Parser {
    /// A parser for a dataset of this type.
    pub fn new(kind: Kind, options: Options) -> Self {
        Self {
            kind,
            head: Head::new(&options, kind),
            values: Values::new(kind, &options),
            entries: Entries::new(kind),
            options,
            accepted: 0,
            places: Places::default(),
            diagnostics: Diagnostics::default(),
            files: 0,
            line: 0,
            partial: Vec::new(),
            overlong: false,
        }
    }

    /// Starts the first file, or the next one after [`Parser::end_file`].
    pub fn start_file(&mut self) {
        self.files += 1;
        self.line = 0;
        self.values.start_file();
        if let Entries::Acl(acl) = &mut self.entries {
            acl.start_file();
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
            rest = self.plain_addresses(rest)?;
            let Some(end) = memchr::memchr(b'\n', rest) else { break };
            self.line(&rest[..end], false)?;
            rest = &rest[end + 1..];
        }
        self.keep_partial(rest);
        Ok(())
    }

    /// Ends the file. Its last line counts also without a newline.
    pub fn end_file(&mut self) -> Result<(), Fatal> {
        if self.partial.is_empty() && !self.overlong {
            return Ok(());
        }
        self.take_partial()
    }

    /// The number of entry lines so far.
    pub fn entries(&self) -> u64 {
        self.accepted
    }

    /// What was wrong so far.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Decides what every key of the dataset gives.
    pub fn finish(self) -> Parsed {
        let Self { kind, head, mut values, mut diagnostics, mut accepted, places, .. } = self;
        let default_value = values.dataset_default();
        let tally = self.entries.tally();
        let (mut ip4, mut ip6, mut names, mut late) = (None, None, None, Vec::new());
        let mut acl = None;
        match self.entries {
            Entries::Ip4Set(set) => ip4 = Some(set.finish(&mut values.answers)),
            Entries::Ip4Tset(set) => ip4 = Some(set.finish(values.only_answer())),
            Entries::Ip6Tset(set) => ip6 = Some(set.finish(values.only_answer())),
            Entries::Ip4Trie(trie4, trie6) => {
                let (addresses4, late4) = trie4.finish();
                let (addresses6, late6) = trie6.finish();
                (ip4, ip6) = (Some(addresses4), Some(addresses6));
                late.extend(late4.into_iter().map(duplicate4));
                late.extend(late6.into_iter().map(duplicate6));
            }
            Entries::Ip6Trie(trie) => {
                let (addresses6, late6) = trie.finish();
                ip6 = Some(addresses6);
                late.extend(late6.into_iter().map(duplicate6));
            }
            Entries::Dnset(builder) => names = Some(builder),
            Entries::Acl(entries) => {
                let finished;
                (finished, late) = entries.finish(std::mem::take(&mut values.answers));
                acl = Some(finished);
            }
        }
        accepted -= late.len() as u64;
        diagnostics.merge(late.into_iter().map(|(place, reason)| {
            let (file, line) = places.get(place);
            Diagnostic { file, line, column: 1, reason }
        }));
        let (names, answers) = match names {
            Some(names) => {
                let (names, answers) =
                    names.finish(values.answers, head.vars.base.as_deref().unwrap_or(b""));
                (Some(names), answers)
            }
            None => (None, addresses::number(ip4.as_mut(), ip6.as_mut(), values.answers)),
        };
        Parsed {
            kind,
            ttl: head.ttl,
            soa: head.soa,
            ns: head.ns,
            vars: head.vars,
            expires: head.expires,
            stamp: head.stamp,
            default_value,
            entries: accepted,
            tally,
            ip4,
            ip6,
            names,
            acl,
            answers,
            diagnostics,
        }
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
        let raw = &raw[..raw.len().min(MAX_LINE + 1)];
        let (raw, overlong) = match raw.split_at_checked(MAX_LINE) {
            Some((head, tail)) => (head, overlong || !tail.is_empty()),
            None => (raw, overlong),
        };
        if overlong {
            self.report(MAX_LINE, Reason::LongLine);
        }
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
                self.head.line(&mut scan, &self.options).map(|()| None)
            }
            [b'#' | b';' | b':', b'$', ..] => {
                scan.skip(2);
                self.head.line(&mut scan, &self.options).map(|()| None)
            }
            [] | [b'#' | b';', ..] => Ok(None),
            _ if self.entries.is_default_line(&scan) => {
                self.entries.default_line(&mut scan, &mut self.values)
            }
            _ => self.entry(&mut scan),
        };
        match result {
            Ok(None) => Ok(()),
            Ok(Some(reason)) | Err(Refused::Line(reason)) => {
                self.report(start + scan.at(), reason);
                Ok(())
            }
            Err(Refused::Dataset(cause)) => Err(self.fatal(cause)),
        }
    }

    fn entry(&mut self, scan: &mut Scan<'_>) -> Result<Option<Reason>, Refused> {
        let rules = Rules {
            accept_host_bits: self.options.accept_host_bits,
            max_range: self.head.max_range,
        };
        let place = u32::try_from(self.accepted).map_err(|_| FatalCause::TooLarge)?;
        let warning = self.entries.line(scan, &mut self.values, rules, place)?;
        self.accepted += 1;
        if matches!(self.entries, Entries::Ip4Trie(..) | Entries::Ip6Trie(_) | Entries::Acl(_)) {
            self.places.add(place, self.file(), self.line);
        }
        Ok(warning)
    }

    /// Takes the lines at the beginning of `chunk` that are nothing but a whole IPv4 address and
    /// a newline, and returns the rest. What it takes, [`Parser::line`] would take, too.
    fn plain_addresses<'a>(&mut self, chunk: &'a [u8]) -> Result<&'a [u8], Fatal> {
        let mut lines = plain::Lines::new(chunk);
        match &mut self.entries {
            Entries::Ip4Set(set) => {
                let mut addresses = lines.by_ref().peekable();
                if addresses.peek().is_none() {
                    return Ok(chunk);
                }
                let value = Some(self.values.default_id().map_err(|cause| Fatal {
                    file: file_index(self.files),
                    line: self.line,
                    cause,
                })?);
                addresses.for_each(|address| set.add_single(address, value));
            }
            Entries::Ip4Tset(set) => lines.by_ref().for_each(|address| set.add(address)),
            _ => return Ok(chunk),
        }
        self.accepted += lines.count;
        self.line = self.line.saturating_add(u32::try_from(lines.count).unwrap_or(u32::MAX));
        Ok(lines.rest)
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

fn duplicate4(late: Late<u32>) -> (u32, Reason) {
    let Late { place, start, len } = late;
    (place, Reason::Duplicate { start: Ipv4Addr::from_bits(start).into(), len })
}

fn duplicate6(late: Late<u128>) -> (u32, Reason) {
    let Late { place, start, len } = late;
    (place, Reason::Duplicate { start: Ipv6Addr::from_bits(start).into(), len })
}

fn file_index(files: u32) -> u16 {
    u16::try_from(files.saturating_sub(1)).unwrap_or(u16::MAX)
}

/// Remembers in which line which entry was: one item for each unbroken run of entry lines.
#[derive(Clone, Debug, Default)]
struct Places {
    /// The number of the first entry of a run, its file and its line.
    runs: Vec<(u32, u16, u32)>,
}

impl Places {
    fn add(&mut self, place: u32, file: u16, line: u32) {
        let expected =
            self.runs.last().map(|&(first, file, line)| (file, line.saturating_add(place - first)));
        if expected != Some((file, line)) {
            self.runs.push((place, file, line));
        }
    }

    fn get(&self, place: u32) -> (u16, u32) {
        let run = self.runs.partition_point(|&(first, ..)| first <= place).checked_sub(1);
        run.map_or((0, 0), |run| {
            let (first, file, line) = self.runs[run];
            (file, line.saturating_add(place - first))
        })
    }
}
