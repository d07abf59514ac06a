//! What has changed since an earlier export, which was kept as JSON lines.
//!
//! Both have their entries in one order, so that they are compared as they are read. Memory grows with the changes
//! alone.

use super::About;
use super::entries::{ExportEntry, ExportKey, NameScope, Place, Walk, prefixes};
use super::values::ExportValue;
use crate::range::Int as _;
use crate::wire::name::NameBuf;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;
use std::collections::VecDeque;
use std::io::{self, BufRead, Write};
use std::net::{IpAddr, Ipv4Addr};

/// An earlier export as JSON lines, to be read.
pub struct Earlier<'r> {
    /// Its lines.
    pub lines: &'r mut dyn BufRead,
}

/// An earlier export cannot be compared with.
#[derive(Debug, thiserror::Error)]
pub enum EarlierError {
    /// It is something else.
    #[error("line {line} is not that of an export as jsonl: {why}")]
    NoExport {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// It is of another zone.
    #[error("it is an export of {0}")]
    OtherZone(String),
    /// It is itself a list of changes.
    #[error("it says what has changed only: a whole export is needed, as --save writes")]
    NotWhole,
    /// Its end is missing, or there is more.
    #[error("it has {has} entries, and should have {wanted}: it is not whole")]
    CutOff {
        /// Those that it has.
        has: u64,
        /// Those that its first line tells.
        wanted: u64,
    },
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
}

/// What has become of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Add,
    Remove,
}

/// An entry that is kept.
#[derive(Clone, Debug)]
pub(super) struct KeptEntry {
    key: KeptKey,
    pub(super) is_excluded: bool,
    pub(super) values: Vec<ExportValue>,
}

#[derive(Clone, Debug)]
enum KeptKey {
    Prefix(IpNet),
    Name(Box<NameBuf>, NameScope),
}

/// What has changed, in the order of entries.
#[derive(Debug)]
pub(super) struct Changes {
    /// The content id of the earlier export.
    pub(super) since: String,
    pub(super) entries: Vec<(Change, KeptEntry)>,
}

impl KeptEntry {
    pub(super) fn key(&self) -> ExportKey<'_> {
        match &self.key {
            KeptKey::Prefix(IpNet::V4(net)) => ExportKey::Ip4(*net),
            KeptKey::Prefix(IpNet::V6(net)) => ExportKey::Ip6(*net),
            KeptKey::Name(name, scope) => ExportKey::Name(name.as_wire(), *scope),
        }
    }

    fn of(entry: &ExportEntry<'_>) -> Self {
        let key = match entry.key {
            ExportKey::Ip4(net) => KeptKey::Prefix(net.into()),
            ExportKey::Ip6(net) => KeptKey::Prefix(net.into()),
            ExportKey::Name(name, scope) => {
                KeptKey::Name(Box::new(NameBuf::from_wire(name).unwrap_or(NameBuf::ROOT)), scope)
            }
        };
        Self { key, is_excluded: entry.is_excluded, values: entry.values.to_vec() }
    }

    fn place(&self) -> Place {
        self.key().place()
    }

    /// Whether an entry with the same key says the same: texts were written as UTF-8.
    fn is_as(&self, entry: &ExportEntry<'_>) -> bool {
        let is_equal = |(kept, value): (&ExportValue, &ExportValue)| {
            kept.a == value.a && kept.text == String::from_utf8_lossy(&value.text).as_bytes()
        };
        self.is_excluded == entry.is_excluded
            && self.values.len() == entry.values.len()
            && self.values.iter().zip(entry.values).all(is_equal)
    }

    fn prefix(net: impl Into<IpNet>) -> Self {
        Self { key: KeptKey::Prefix(net.into()), is_excluded: false, values: Vec::new() }
    }
}

/// Ranges of IPv4 addresses, in order: the first and the last of each.
type Ranges = Vec<(u32, u32)>;

impl Earlier<'_> {
    /// The content id of an export of this zone, and its IPv4 addresses.
    ///
    /// # Errors
    ///
    /// [`EarlierError`].
    pub fn ip4(self, zone: &str) -> Result<(String, Ranges), EarlierError> {
        let (since, mut lines) = Lines::open(self.lines, zone)?;
        let mut ranges = Vec::new();
        while let Some(entry) = lines.next()? {
            if let ExportKey::Ip4(net) = entry.key() {
                ranges.push((net.network().into(), net.broadcast().into()));
            }
        }
        Ok((since, ranges))
    }
}

impl Changes {
    /// Compares an earlier export with what a walk gives.
    pub(super) fn since(
        earlier: Earlier<'_>,
        walk: Walk<'_, '_>,
        zone: &str,
    ) -> Result<Self, EarlierError> {
        let (since, lines) = Lines::open(earlier.lines, zone)?;
        let mut old =
            Old { lines, queue: VecDeque::new(), behind: None, has_values: walk.has_values() };
        let mut next = old.next()?;
        let mut entries = Vec::new();
        let mut failed = None;
        let mut take = |entry: &ExportEntry<'_>| -> Result<(), EarlierError> {
            let place = entry.key.place();
            while let Some(before) = next.take_if(|old| old.place() < place) {
                entries.push((Change::Remove, before));
                next = old.next()?;
            }
            if let Some(same) = next.take_if(|old| old.place() == place) {
                let is_equal = !walk.has_values() || same.is_as(entry);
                next = old.next()?;
                if is_equal {
                    return Ok(());
                }
            }
            entries.push((Change::Add, KeptEntry::of(entry)));
            Ok(())
        };
        let walked = walk.entries(&mut |entry| {
            take(entry).map_err(|error| {
                failed = Some(error);
                io::Error::other("the earlier export")
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        walked?;
        while let Some(before) = next {
            entries.push((Change::Remove, before));
            next = old.next()?;
        }
        Ok(Self { since, entries })
    }

    /// Writes, as comments, what a script for sets changes.
    pub(super) fn comment(&self, about: &About, out: &mut dyn Write) -> io::Result<()> {
        about.comment("#", out)?;
        writeln!(out, "# changes since content id {}", self.since)
    }

    /// The prefixes that were added or removed.
    pub(super) fn prefixes(&self, wanted: Change) -> impl Iterator<Item = ExportKey<'_>> {
        let of_kind = self.entries.iter().filter(move |(change, _)| *change == wanted);
        of_kind.map(|(_, entry)| entry.key()).filter(|key| !matches!(key, ExportKey::Name(..)))
    }
}

/// The lines of an export.
struct Lines<'r> {
    lines: &'r mut dyn BufRead,
    line: Vec<u8>,
    number: u64,
    records: u64,
    last: Option<Place>,
}

#[derive(Deserialize)]
struct Metadata {
    zone: String,
    content_id: String,
    records: u64,
    since: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    cidr: Option<String>,
    name: Option<String>,
    scope: Option<String>,
    #[serde(default)]
    excluded: bool,
    #[serde(default)]
    values: Vec<LineValue>,
}

#[derive(Deserialize)]
struct LineValue {
    a: Ipv4Addr,
    #[serde(default)]
    text: String,
}

impl<'r> Lines<'r> {
    /// Reads the first line: the content id.
    fn open(lines: &'r mut dyn BufRead, zone: &str) -> Result<(String, Self), EarlierError> {
        let mut lines = Self { lines, line: Vec::new(), number: 0, records: 0, last: None };
        lines.read()?;
        let metadata: Metadata =
            serde_json::from_slice(&lines.line).map_err(|error| lines.wrong(error))?;
        if metadata.since.is_some() {
            return Err(EarlierError::NotWhole);
        }
        if metadata.zone != zone {
            return Err(EarlierError::OtherZone(metadata.zone));
        }
        lines.records = metadata.records;
        Ok((metadata.content_id, lines))
    }

    fn read(&mut self) -> io::Result<bool> {
        self.line.clear();
        self.number += 1;
        Ok(self.lines.read_until(b'\n', &mut self.line)? > 0)
    }

    fn wrong(&self, why: impl ToString) -> EarlierError {
        EarlierError::NoExport { line: self.number, why: why.to_string() }
    }

    fn next(&mut self) -> Result<Option<KeptEntry>, EarlierError> {
        // The first line is no entry.
        let (has, wanted) = (self.number - 1, self.records);
        let is_there = self.read()?;
        if !is_there && has == wanted {
            self.number -= 1;
            return Ok(None);
        }
        if !is_there || has == wanted {
            return Err(EarlierError::CutOff { has, wanted });
        }
        let line: Line = serde_json::from_slice(&self.line).map_err(|error| self.wrong(error))?;
        let key = match (&line.cidr, &line.name, &line.scope) {
            (Some(cidr), None, None) => {
                KeptKey::Prefix(prefix(cidr).ok_or_else(|| self.wrong("no prefix"))?)
            }
            (None, Some(name), Some(scope)) => {
                let name = name.parse().map_err(|error| self.wrong(error))?;
                let scope = NameScope::ALL.into_iter().find(|known| known.word() == scope);
                let scope = scope.ok_or_else(|| self.wrong("no scope"))?;
                KeptKey::Name(Box::new(name), scope)
            }
            _ => return Err(self.wrong("neither a prefix nor a name")),
        };
        let values = line.values.into_iter();
        let values = values.map(|LineValue { a, text }| ExportValue { a, text: text.into_bytes() });
        let entry = KeptEntry { key, is_excluded: line.excluded, values: values.collect() };
        let place = entry.place();
        if self.last.as_ref().is_some_and(|last| *last >= place) {
            return Err(self.wrong("out of order"));
        }
        self.last = Some(place);
        Ok(Some(entry))
    }
}

fn prefix(text: &str) -> Option<IpNet> {
    let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    (net.trunc() == net).then_some(net)
}

/// The entries of an export, as the walk that they are compared with gives them: without values, prefixes that
/// touch are one range.
struct Old<'r> {
    lines: Lines<'r>,
    has_values: bool,
    /// What a range was made of, to be given.
    queue: VecDeque<KeptEntry>,
    /// The prefix behind that range.
    behind: Option<IpNet>,
}

impl Old<'_> {
    fn next(&mut self) -> Result<Option<KeptEntry>, EarlierError> {
        if self.has_values {
            return self.lines.next();
        }
        if self.queue.is_empty() {
            self.fill()?;
        }
        Ok(self.queue.pop_front())
    }

    /// Reads the next range.
    fn fill(&mut self) -> Result<(), EarlierError> {
        let Some(first) = (match self.behind.take() {
            Some(first) => Some(first),
            None => self.prefix()?,
        }) else {
            return Ok(());
        };
        let (start, mut end) = (first.network(), first.broadcast());
        self.behind = self.prefix()?;
        while let Some(next) = self.behind.filter(|next| touches(end, next.network())) {
            end = next.broadcast();
            self.behind = self.prefix()?;
        }
        match (start, end) {
            (IpAddr::V4(start), IpAddr::V4(end)) => {
                let nets = prefixes(u32::from(start), u32::from(end));
                let nets = nets.map(|(start, len)| Ipv4Net::new_assert(start.into(), len));
                self.queue.extend(nets.map(KeptEntry::prefix));
            }
            (IpAddr::V6(start), IpAddr::V6(end)) => {
                let nets = prefixes(u128::from(start), u128::from(end));
                let nets = nets.map(|(start, len)| Ipv6Net::new_assert(start.into(), len));
                self.queue.extend(nets.map(KeptEntry::prefix));
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads the next prefix. Names come behind all of them.
    fn prefix(&mut self) -> Result<Option<IpNet>, EarlierError> {
        while let Some(entry) = self.lines.next()? {
            if let KeptKey::Prefix(net) = entry.key {
                return Ok(Some(net));
            }
        }
        Ok(None)
    }
}

/// Whether an address follows another of its family.
fn touches(end: IpAddr, start: IpAddr) -> bool {
    match (end, start) {
        (IpAddr::V4(end), IpAddr::V4(start)) => u32::from(end).successor() == Some(start.into()),
        (IpAddr::V6(end), IpAddr::V6(start)) => u128::from(end).successor() == Some(start.into()),
        _ => false,
    }
}
