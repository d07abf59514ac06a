//! Looks for what the lines of a list say of some keys, at the speed of a load.

use super::Kind;
use super::batch::Batch;
use super::entry::{EntryKey, Place};
use super::fast::FastValue;
use crate::listing::names::read_plain;
use crate::trie::names::encode_key;
use crate::wire::name::NameBuf;
use std::collections::HashSet;
use std::ops::RangeInclusive;

/// The keys that are looked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Sorted and disjoint.
    ip4: Vec<RangeInclusive<u32>>,
    ip6: Vec<RangeInclusive<u128>>,
    /// The names and all names above them, encoded for sorting.
    names: HashSet<Box<[u8]>>,
    /// Whether one of them has a length.
    lengths: [u64; 5],
    /// Every key is looked for.
    all: bool,
}

/// An entry that is about some of the keys.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// Where it stands.
    pub place: Place,
    /// What it is about.
    pub key: EntryKey<'a>,
    /// It is an exclusion.
    pub is_excluded: bool,
    /// When it has ended, in seconds since 1970: it says nothing any more.
    pub expired: Option<u64>,
    /// The type of the dataset, or of the section of a combined one.
    pub kind: Kind,
    /// The section of a combined dataset.
    pub section: Option<SectionSeen<'a>>,
}

/// A section of a combined dataset.
#[derive(Clone, Copy, Debug)]
pub struct SectionSeen<'a> {
    /// Its number, from 0.
    pub number: usize,
    /// The subzones that it is for, relative to the zone.
    pub apexes: &'a [NameBuf],
}

/// Is told of every entry that is about some of the keys.
pub type Finder<'o> = dyn FnMut(Sighting<'_>) + Send + 'o;

/// What a parser does to find keys.
pub(super) struct Search<'o> {
    pub(super) wanted: Wanted,
    pub(super) find: Box<Finder<'o>>,
}

impl Wanted {
    /// Looks for entries about addresses of these ranges, and about these names (in lower case), which may be
    /// entries for names above them.
    pub fn new(
        mut ip4: Vec<RangeInclusive<u32>>,
        mut ip6: Vec<RangeInclusive<u128>>,
        names: &[NameBuf],
    ) -> Self {
        merge(&mut ip4);
        merge(&mut ip6);
        let mut wanted = Self { ip4, ip6, ..Self::default() };
        for name in names {
            let mut rest = name.as_wire();
            loop {
                let mut key = Vec::new();
                encode_key(rest, &mut key);
                wanted.lengths[key.len() / 64] |= 1 << (key.len() % 64);
                wanted.names.insert(key.into());
                match rest.split_first() {
                    Some((&length @ 1.., labels)) => rest = &labels[usize::from(length)..],
                    _ => break,
                }
            }
        }
        wanted
    }

    /// Looks for every entry.
    pub fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    fn has4(&self, start: u32, end: u32) -> bool {
        self.all || touches(&self.ip4, start, end)
    }

    fn has6(&self, start: u128, end: u128) -> bool {
        touches(&self.ip6, start, end)
    }

    fn has_name(&self, key: &[u8]) -> bool {
        let bits = self.lengths.get(key.len() / 64).copied().unwrap_or(0);
        self.all || bits >> (key.len() % 64) & 1 == 1 && self.names.contains(key)
    }

    /// True if an entry for this key says something of one of the keys that are looked for.
    fn has(&self, key: EntryKey<'_>) -> bool {
        if self.all {
            return true;
        }
        if let EntryKey::Name { name, .. } = key {
            if self.names.is_empty() {
                return false;
            }
            let mut encoded = Vec::new();
            encode_key(name, &mut encoded);
            return self.has_name(&encoded);
        }
        key.range4().is_some_and(|range| self.has4(*range.start(), *range.end()))
            || key.range6().is_some_and(|range| self.has6(*range.start(), *range.end()))
    }
}

fn merge<K: Ord + Copy>(ranges: &mut Vec<RangeInclusive<K>>) {
    ranges.sort_unstable_by_key(|range| *range.start());
    ranges.dedup_by(|next, last| {
        let is_one = next.start() <= last.end();
        if is_one {
            *last = *last.start()..=*last.end().max(next.end());
        }
        is_one
    });
}

/// True if one of the sorted, disjoint ranges has an address in common with another range.
#[inline]
fn touches<K: Ord>(ranges: &[RangeInclusive<K>], start: K, end: K) -> bool {
    let next = ranges.partition_point(|range| *range.end() < start);
    ranges.get(next).is_some_and(|range| *range.start() <= end)
}

impl EntryKey<'_> {
    /// The IPv4 addresses that it is about, written as such or v4-mapped.
    pub fn range4(&self) -> Option<RangeInclusive<u32>> {
        match *self {
            Self::Prefix4 { address, len } => {
                let hosts = u32::MAX.checked_shr(len.into()).unwrap_or(0);
                Some(address & !hosts..=address | hosts)
            }
            Self::Range4 { start, end } => Some(start..=end),
            Self::Prefix6 { address, len: len @ 96.. } if address >> 32 == 0xffff => {
                let hosts = u32::MAX.checked_shr(u32::from(len) - 96).unwrap_or(0);
                Some(address as u32 & !hosts..=address as u32 | hosts)
            }
            _ => None,
        }
    }

    /// The IPv6 addresses that it is about.
    pub fn range6(&self) -> Option<RangeInclusive<u128>> {
        let Self::Prefix6 { address, len } = *self else { return None };
        let hosts = u128::MAX.checked_shr(len.into()).unwrap_or(0);
        Some(address & !hosts..=address | hosts)
    }
}

impl Search<'_> {
    /// Looks through the entries of lines side by side, the first of them at `place`.
    pub(super) fn batch(
        &mut self,
        batch: Batch<'_>,
        place: Place,
        kind: Kind,
        section: Option<SectionSeen<'_>>,
    ) {
        let Self { wanted, find } = self;
        let mut tell = |number: usize, key: EntryKey<'_>, is_excluded: bool| {
            let line = place.line.saturating_add(u32::try_from(number).unwrap_or(u32::MAX));
            let place = Place { line, ..place };
            find(Sighting { place, key, is_excluded, expired: None, kind, section });
        };
        let is_excluded = |value: &FastValue| *value == FastValue::Excluded;
        match batch {
            Batch::Addresses(addresses) => {
                for (number, &address) in addresses.iter().enumerate() {
                    if wanted.has4(address, address) {
                        tell(number, EntryKey::Prefix4 { address, len: 32 }, false);
                    }
                }
            }
            Batch::Prefixes4(entries) => {
                for (number, entry) in entries.iter().enumerate() {
                    let key = EntryKey::Prefix4 { address: entry.key.address, len: entry.key.len };
                    if wanted.has(key) {
                        tell(number, key, is_excluded(&entry.value));
                    }
                }
            }
            Batch::Ranges4(entries) => {
                for (number, entry) in entries.iter().enumerate() {
                    if wanted.has4(entry.key.start, entry.key.end) {
                        let key = EntryKey::Range4 { start: entry.key.start, end: entry.key.end };
                        tell(number, key, is_excluded(&entry.value));
                    }
                }
            }
            Batch::Prefixes6(entries) => {
                for (number, entry) in entries.iter().enumerate() {
                    let key = EntryKey::Prefix6 { address: entry.key.address, len: entry.key.len };
                    if wanted.has(key) {
                        tell(number, key, is_excluded(&entry.value));
                    }
                }
            }
            Batch::Names(mut written, values) => {
                for (number, value) in values.iter().enumerate() {
                    let Some((key, scope, rest)) = read_plain(written) else { return };
                    written = rest;
                    if wanted.has_name(key) {
                        let name = plain_name(key);
                        let key = EntryKey::Name { name: name.as_wire(), scope };
                        tell(number, key, is_excluded(value));
                    }
                }
            }
        }
    }

    /// Looks at an entry.
    pub(super) fn entry(
        &mut self,
        place: Place,
        key: EntryKey<'_>,
        is_excluded: bool,
        expired: Option<u64>,
        kind: Kind,
        section: Option<SectionSeen<'_>>,
    ) {
        if self.wanted.has(key) {
            (self.find)(Sighting { place, key, is_excluded, expired, kind, section });
        }
    }
}

/// The name of an encoded key without escapes.
fn plain_name(key: &[u8]) -> NameBuf {
    let labels: Vec<_> =
        key.split(|&byte| byte == 0).rev().filter(|label| !label.is_empty()).collect();
    NameBuf::from_text(&labels.join(&b'.')).unwrap_or(NameBuf::ROOT)
}
