//! Which lines of a list are about a key: one pass over the text, at the speed of a load.

use super::key::AskedKey;
use crate::snapshot;
use crate::source::{Limits, read};
use crate::util::time::Utc;
use crate::wire::name::NameBuf;
use crate::zone::diff;
use crate::zone::key::QueryKey;
use crate::zonefile::{EntryKey, Kind, Options, Parser, Sighting, Wanted, not_before};
use ipnet::{IpNet, Ipv4Subnets};
use serde::Serialize;
use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The most entries inside of a prefix that are told, and the most about any key.
const MOST: usize = 20;

/// The most bytes of a line that are shown.
const MAX_SHOWN: usize = 300;

/// A file of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ListFile {
    /// As the settings name it.
    pub(crate) path: PathBuf,
    /// Where its text is read: a packed copy, perhaps.
    pub(crate) text: PathBuf,
    /// When it was last changed, in seconds since 1970.
    pub(crate) modified: Option<i64>,
}

/// An entry that is about a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Covering {
    /// The file.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: u32,
    /// The line itself; a long one is cut.
    pub(crate) text: String,
    /// What it is about: an address, a prefix, a range, a name, or a name below `*.`.
    pub(crate) entry: String,
    /// It says that the key is not listed.
    pub(crate) excluded: bool,
    /// It decides what is answered.
    pub(crate) decides: bool,
    /// When it has ended, of an entry that says nothing any more.
    pub(crate) expired: Option<String>,
    /// The subzones that its section of a combined dataset is for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subzones: Vec<String>,
    /// When it was written, as far as that is known.
    pub(crate) date: Option<String>,
    /// How that is known: `ts` of the entry, `timestamp` of the file, or the `file`'s last change.
    pub(crate) date_of: Option<&'static str>,
}

/// What the files of a dataset say of a key.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(crate) struct CoveringSet {
    /// The entries: those that decide first; inside of a prefix, the widest.
    pub(crate) entries: Vec<Covering>,
    /// The number of entries that are about it.
    pub(crate) total: u64,
    /// Why the files could not be read to their end.
    pub(crate) problem: Option<String>,
    /// They were not read to their end because the time for it was over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_cut: bool,
}

/// The forms in which lists can have a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeyForms {
    ip4: Option<RangeInclusive<u32>>,
    ip6: Option<RangeInclusive<u128>>,
    /// Of an address its labels, of a mail address its domain and its hashes.
    names: Vec<NameBuf>,
}

impl KeyForms {
    /// The forms of a key: an address is also the name that its labels make.
    pub(crate) fn of(key: &AskedKey) -> Self {
        let mut forms = Self { ip4: None, ip6: None, names: key.names() };
        match key {
            AskedKey::Address(IpAddr::V4(address)) => {
                forms.ip4 = Some(address.to_bits()..=address.to_bits());
            }
            AskedKey::Address(IpAddr::V6(address)) => {
                let labels = forms.names.first().cloned().unwrap_or(NameBuf::ROOT);
                let ip4 = QueryKey::parse(labels.as_wire(), 32, true).ip4;
                forms.ip4 = ip4.map(|address| address..=address);
                forms.ip6 = Some(address.to_bits()..=address.to_bits());
            }
            AskedKey::Prefix(IpNet::V4(net)) => {
                forms.ip4 = Some(net.network().to_bits()..=net.broadcast().to_bits());
            }
            AskedKey::Prefix(IpNet::V6(net)) => {
                forms.ip6 = Some(net.network().to_bits()..=net.broadcast().to_bits());
            }
            AskedKey::Name(_) | AskedKey::Mail(..) => {}
        }
        forms
    }

    /// The forms of what a list has: the key itself, a range of addresses, or any name below one.
    pub(super) fn of_listed(key: &diff::Key) -> Self {
        let mut forms = Self { ip4: None, ip6: None, names: Vec::new() };
        match key {
            diff::Key::Ip4(start, end) if start == end => {
                return Self::of(&AskedKey::Address(Ipv4Addr::from_bits(*start).into()));
            }
            diff::Key::Ip6(start, end) if start == end => {
                return Self::of(&AskedKey::Address(Ipv6Addr::from_bits(*start).into()));
            }
            diff::Key::Ip4(start, end) => forms.ip4 = Some(*start..=*end),
            diff::Key::Ip6(start, end) => forms.ip6 = Some(*start..=*end),
            diff::Key::Name(name) | diff::Key::Records(name) => forms.names.push(name.clone()),
            diff::Key::Below(name) => {
                let any = NameBuf::from_labels(b"\x01*");
                forms.names.push(any.join(name).unwrap_or_else(|| name.clone()));
            }
        }
        forms
    }

    fn is_prefix(&self) -> bool {
        self.names.is_empty()
    }

    /// What an entry of a list of this type has to do with it.
    fn touch(&self, kind: Kind, entry: EntryKey<'_>) -> Option<Touch> {
        let takes_mapped = matches!(kind, Kind::Ip4Trie | Kind::Mixed);
        let is_ip4 = matches!(entry, EntryKey::Prefix4 { .. } | EntryKey::Range4 { .. });
        match entry {
            EntryKey::Name { name, scope } => {
                let is_about = |wanted: &NameBuf| {
                    let wanted = wanted.as_wire();
                    let Some(above) = wanted.len().checked_sub(name.len()) else { return false };
                    let reaches = if above == 0 { scope.has_itself() } else { scope.has_below() };
                    reaches && wanted.ends_with(name) && is_label_start(wanted, above)
                };
                let number = self.names.iter().position(is_about)?;
                let labels = NameBuf::from_wire(name).map_or(0, |name| name.labels().count());
                let rank = Rank { family: 2 + number as u8, depth: labels as u32 };
                Some(Touch { rank, width: 1 })
            }
            EntryKey::AccessKey(_) => None,
            _ if is_ip4 || takes_mapped && entry.range4().is_some() => {
                let (entry, wanted) = (entry.range4()?, self.ip4.clone()?);
                let common = common(&entry, &wanted)?;
                let depth = match kind {
                    Kind::Ip4Set => smallest_block(&entry, *wanted.start()),
                    Kind::Ip4Tset => 32,
                    _ => longest_prefix(&entry, *wanted.start()),
                };
                let width = u128::from(common.end() - common.start()) + 1;
                Some(Touch { rank: Rank { family: 0, depth }, width })
            }
            EntryKey::Prefix6 { len, .. } => {
                let common = common(&entry.range6()?, self.ip6.as_ref()?)?;
                let width = (common.end() - common.start()).saturating_add(1);
                Some(Touch { rank: Rank { family: 1, depth: len.into() }, width })
            }
            EntryKey::Prefix4 { .. } | EntryKey::Range4 { .. } => None,
        }
    }
}

/// What an entry has to do with a key.
#[derive(Clone, Copy, Debug)]
struct Touch {
    rank: Rank,
    /// How many addresses of the key it is about.
    width: u128,
}

/// Which entries count: of one family those of the greatest depth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Rank {
    /// IPv4 addresses, IPv6 addresses, or one of the names, which are looked up apart.
    family: u8,
    depth: u32,
}

fn common<K: Ord + Copy>(
    a: &RangeInclusive<K>,
    b: &RangeInclusive<K>,
) -> Option<RangeInclusive<K>> {
    let common = *a.start().max(b.start())..=*a.end().min(b.end());
    (!common.is_empty()).then_some(common)
}

/// The length of the whole block of /8, /16, /24 or /32 that an entry of an `ip4set` is cut into where the
/// address is.
fn smallest_block(entry: &RangeInclusive<u32>, address: u32) -> u32 {
    let is_whole = |len: &u32| {
        let hosts = u32::MAX >> len;
        *entry.start() <= address & !hosts && *entry.end() >= address | hosts
    };
    [8, 16, 24].into_iter().find(is_whole).unwrap_or(32)
}

/// The length of the prefix that has the address, of those that a range is made of.
fn longest_prefix(entry: &RangeInclusive<u32>, address: u32) -> u32 {
    let (start, end) = (*entry.start(), *entry.end());
    let nets = Ipv4Subnets::new(start.into(), end.into(), 0);
    let net = nets.into_iter().find(|net| net.contains(&Ipv4Addr::from_bits(address)));
    net.map_or(0, |net| net.prefix_len().into())
}

fn is_label_start(name: &[u8], at: usize) -> bool {
    let mut start = 0;
    while start < at {
        start += usize::from(name[start]) + 1;
    }
    start == at
}

/// An entry that was met in a chunk, for one of the keys.
struct Met {
    key: usize,
    file: usize,
    line: u32,
    /// The entries of a line are told in their order.
    order: u64,
    section: Option<usize>,
    kind: Kind,
    touch: Touch,
    entry: String,
    excluded: bool,
    expired: Option<u64>,
    subzones: Vec<String>,
    text: String,
}

/// Searches the files of a dataset, in their order, for entries about the keys, no longer than `until`. A set for
/// each key comes back.
pub(crate) fn search(
    kind: Kind,
    options: Options,
    files: &[ListFile],
    keys: &[KeyForms],
    decompress: bool,
    until: Option<Instant>,
) -> Vec<CoveringSet> {
    let mut all: Vec<Kept> =
        keys.iter().map(|key| Kept { is_prefix: key.is_prefix(), ..Kept::default() }).collect();
    let wanted = Wanted::new(
        keys.iter().filter_map(|key| key.ip4.clone()).collect(),
        keys.iter().filter_map(|key| key.ip6.clone()).collect(),
        &keys.iter().flat_map(|key| key.names.iter().cloned()).collect::<Vec<_>>(),
    );
    let seen = Mutex::new(Seen { met: Vec::new(), keys: vec![Told::default(); keys.len()] });
    let find = |sighting: Sighting<'_>| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (number, key) in keys.iter().enumerate() {
            if let Some(touch) = key.touch(sighting.kind, sighting.key) {
                let told = &mut seen.keys[number];
                told.total += 1;
                let order = told.total;
                if touch.width > told.floor {
                    seen.met.push(Met::new(number, order, touch, &sighting));
                }
            }
        }
    };
    let mut parser = Parser::searching(kind, options, wanted, Box::new(find));
    let (mut problem, mut is_cut) = (None, false);
    for file in files {
        parser.start_file();
        let mut lines = Lines::default();
        let mut take = |chunk: &[u8]| {
            is_cut = is_over(until);
            if is_cut {
                return Err("the time for a search was over".to_owned());
            }
            if snapshot::is_snapshot(chunk) && parser.line_number() == 0 {
                return Err("it is a snapshot, which has no lines".to_owned());
            }
            let before = parser.line_number();
            let fed = parser.feed(chunk);
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            lines.next(before, chunk, &mut seen.met, &mut all);
            for (told, kept) in seen.keys.iter_mut().zip(&all) {
                told.floor = kept.floor;
            }
            fed.map_err(|fatal| fatal.to_string())
        };
        let limits = Limits { decompress, expansion: u64::MAX, ..Limits::default() };
        let done =
            read(&file.text, &limits, &mut take).map_err(|problem| problem.cause.to_string());
        let ended = parser.end_file().map_err(|fatal| fatal.to_string());
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        lines.end(&mut seen.met, &mut all);
        if let Err(cause) = done.and(ended) {
            problem = Some(format!("{}: {cause}", file.path.display()));
            break;
        }
    }
    let stamp = parser.stamp();
    drop(parser);
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    let finish = |(kept, told): (Kept, &Told)| CoveringSet {
        entries: kept.finish(files, stamp),
        total: told.total,
        problem: problem.clone(),
        is_cut,
    };
    all.into_iter().zip(&seen.keys).map(finish).collect()
}

/// True if that time has come.
pub(crate) fn is_over(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() >= until)
}

/// What the finder has seen.
struct Seen {
    /// In the chunk at hand.
    met: Vec<Met>,
    keys: Vec<Told>,
}

/// What the finder knows of a key.
#[derive(Clone, Copy, Default)]
struct Told {
    /// The entries about it.
    total: u64,
    /// Those that are as narrow are not told.
    floor: u128,
}

impl Met {
    fn new(key: usize, order: u64, touch: Touch, sighting: &Sighting<'_>) -> Self {
        let subzones = sighting.section.iter().flat_map(|section| section.apexes);
        Self {
            key,
            file: usize::from(sighting.place.file),
            line: sighting.place.line,
            order,
            section: sighting.section.map(|section| section.number),
            kind: sighting.kind,
            touch,
            entry: shown(sighting.key),
            excluded: sighting.is_excluded,
            expired: sighting.expired,
            subzones: subzones
                .map(|apex| if apex.is_root() { "@".to_owned() } else { apex.to_string() })
                .collect(),
            text: String::new(),
        }
    }
}

/// What an entry is about, as people write it.
pub(super) fn shown(key: EntryKey<'_>) -> String {
    match key {
        EntryKey::Prefix4 { address, len: 32 } => Ipv4Addr::from_bits(address).to_string(),
        EntryKey::Prefix4 { address, len } => format!("{}/{len}", Ipv4Addr::from_bits(address)),
        EntryKey::Range4 { start, end } => {
            format!("{}-{}", Ipv4Addr::from_bits(start), Ipv4Addr::from_bits(end))
        }
        EntryKey::Prefix6 { address, len: 128 } => Ipv6Addr::from_bits(address).to_string(),
        EntryKey::Prefix6 { address, len } => format!("{}/{len}", Ipv6Addr::from_bits(address)),
        EntryKey::Name { name, scope } => {
            let name = NameBuf::from_wire(name).unwrap_or(NameBuf::ROOT);
            match (scope.has_itself(), scope.has_below()) {
                (true, true) => format!(".{name}"),
                (false, _) => format!("*.{name}"),
                (true, false) => name.to_string(),
            }
        }
        EntryKey::AccessKey(key) => String::from_utf8_lossy(key).into_owned(),
    }
}

/// Finds the texts of lines while a file is read.
#[derive(Default)]
struct Lines {
    /// The beginning of a line whose end was not read yet.
    partial: Vec<u8>,
}

impl Lines {
    /// Takes a chunk, before which `before` lines were read whole, with the entries that were met in it.
    fn next(&mut self, before: u32, chunk: &[u8], met: &mut Vec<Met>, all: &mut [Kept]) {
        let mut ends = memchr::memchr_iter(b'\n', chunk);
        // The line that is at hand, its number and where it begins in the chunk.
        let (mut number, mut start) = (before + 1, 0);
        let mut end = ends.next();
        for mut entry in met.drain(..) {
            while number < entry.line
                && let Some(newline) = end
            {
                (number, start) = (number + 1, newline + 1);
                end = ends.next();
            }
            let rest = &chunk[start..end.unwrap_or(chunk.len())];
            entry.text = match number == before + 1 {
                true => shown_line(&[&self.partial, rest].concat()),
                false => shown_line(rest),
            };
            all[entry.key].add(entry);
        }
        let tail = memchr::memrchr(b'\n', chunk);
        if tail.is_some() {
            self.partial.clear();
        }
        let room = MAX_SHOWN.saturating_sub(self.partial.len()) + 1;
        let tail = &chunk[tail.map_or(0, |newline| newline + 1)..];
        self.partial.extend_from_slice(&tail[..tail.len().min(room)]);
    }

    /// Takes the entries of a last line without an end.
    fn end(&mut self, met: &mut Vec<Met>, all: &mut [Kept]) {
        for mut entry in met.drain(..) {
            entry.text = shown_line(&self.partial);
            all[entry.key].add(entry);
        }
    }
}

/// A line for people.
pub(super) fn shown_line(line: &[u8]) -> String {
    let cut = &line[..line.len().min(MAX_SHOWN)];
    let text = String::from_utf8_lossy(cut);
    let mut text: String = text
        .trim_end()
        .chars()
        .map(|c| if c.is_control() && c != '\t' { '?' } else { c })
        .collect();
    if cut.len() < line.len() {
        text.push_str("...");
    }
    text
}

/// The entries of one key that are told.
#[derive(Default)]
struct Kept {
    /// The best so far, and some more.
    met: Vec<Met>,
    is_prefix: bool,
    /// Those of a prefix that are as narrow are not told.
    floor: u128,
}

impl Kept {
    fn add(&mut self, met: Met) {
        self.met.push(met);
        if self.met.len() >= 64 * MOST {
            self.shrink();
        }
    }

    /// Forgets what is never told: narrow entries, and those that cannot decide.
    fn shrink(&mut self) {
        self.met.sort_by_key(|met| {
            (Reverse(met.touch.width), Reverse(met.touch.rank), !met.excluded, met.order)
        });
        self.met.truncate(MOST);
        if self.is_prefix {
            self.floor = self.met.last().map_or(0, |met| met.touch.width);
        }
    }

    fn finish(mut self, files: &[ListFile], stamp: Option<u64>) -> Vec<Covering> {
        let decides: Vec<bool> =
            self.met.iter().map(|met| !self.is_prefix && self.decides(met)).collect();
        let mut met: Vec<_> = self.met.drain(..).zip(decides).collect();
        met.sort_by_key(|(met, decides)| {
            (!decides, Reverse(met.touch.width), Reverse(met.touch.rank), met.order)
        });
        met.truncate(MOST);
        let entries = met.into_iter().filter_map(|(met, decides)| {
            let file = files.get(met.file)?;
            let seconds = |time: u64| i64::try_from(time).ok();
            let ts = not_before(met.text.as_bytes()).and_then(seconds);
            let dates =
                [(ts, "ts"), (stamp.and_then(seconds), "timestamp"), (file.modified, "file")];
            let date = dates.into_iter().find_map(|(time, of)| Some((time?, of)));
            Some(Covering {
                file: file.path.display().to_string(),
                line: met.line,
                text: met.text,
                entry: met.entry,
                excluded: met.excluded,
                decides,
                expired: met.expired.and_then(seconds).map(|time| Utc::from_unix(time).rfc3339()),
                subzones: met.subzones,
                date: date.map(|(time, _)| Utc::from_unix(time).rfc3339()),
                date_of: date.map(|(_, of)| of),
            })
        });
        entries.collect()
    }

    /// True if the answer is what this entry says, by the rules of the type.
    fn decides(&self, met: &Met) -> bool {
        let rivals = || {
            self.met.iter().filter(|other| {
                let is_of_family = other.touch.rank.family == met.touch.rank.family;
                other.section == met.section && is_of_family && other.expired.is_none()
            })
        };
        let deepest = rivals().map(|other| other.touch.rank.depth).max();
        let equals = || rivals().filter(|other| Some(other.touch.rank.depth) == deepest);
        if met.expired.is_some() || Some(met.touch.rank.depth) != deepest {
            return false;
        }
        let is_trie = match met.kind {
            Kind::Ip4Trie | Kind::Ip6Trie => true,
            Kind::Mixed => met.touch.rank.family < 2,
            _ => false,
        };
        match is_trie {
            // Of several entries for one prefix, the first counts.
            true => equals().all(|other| met.order <= other.order),
            false => met.excluded || !equals().any(|other| other.excluded),
        }
    }
}

/// A file as it lies on disk.
pub(crate) fn on_disk(path: &Path) -> ListFile {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let modified = modified.map(|time| match time.duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => since.as_secs() as i64,
        Err(before) => -(before.duration().as_secs() as i64),
    });
    ListFile { path: path.to_owned(), text: path.to_owned(), modified }
}

#[cfg(test)]
mod tests;
