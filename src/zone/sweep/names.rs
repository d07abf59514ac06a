//! All names that exist in a section, merged in canonical order.
//!
//! Each dataset of names, all addresses together and all ordinary records are trees of names. A
//! name that exists in one of them exists in the zone, and hides the wildcards of all others above
//! it: the answers of these are repeated at the name. A name that must not have the answer of a
//! wildcard above it, and has nothing below it, is an exclusion.

use super::{Hit, HitKind, Hits, Node, SweepSection, Visitor, label_count, suffix};
use crate::answer::AnswerId;
use crate::listing::records::Record;
use crate::trie::names::encode_key;
use crate::wire::name::{Labels, MAX_NAME, NameBuf};
use crate::wire::reversed::{some_nibbles as nibbles, some_octets as octets};
use crate::zone::Dataset;
use std::iter::Peekable;

/// A name that exists for the addresses listed.
pub(super) struct AddressNode {
    /// The hits of the name itself.
    pub(super) itself: Hits,
    /// The hits of the names below it that do not exist.
    pub(super) below: Hits,
    /// Some name below it exists.
    pub(super) has_more: bool,
}

/// A tree of names, in canonical order.
struct NameSource<'z> {
    role: Role,
    entries: Peekable<Box<dyn Iterator<Item = SourceEntry<'z>> + 'z>>,
}

#[derive(Clone, Copy)]
enum Role {
    /// The names that the dataset with this number lists.
    List(usize),
    /// The names of an allow list.
    Allow,
    /// Names that exist for another reason.
    Other,
}

struct SourceEntry<'z> {
    key: Vec<u8>,
    name: NameBuf,
    itself: Option<AnswerId>,
    below: Option<AnswerId>,
    records: Vec<Record<'z>>,
    is_cut: bool,
}

impl SourceEntry<'_> {
    /// A name that exists.
    fn new(name: NameBuf) -> Self {
        let mut key = Vec::with_capacity(name.as_wire().len());
        encode_key(name.as_wire(), &mut key);
        Self { key, name, itself: None, below: None, records: Vec::new(), is_cut: false }
    }
}

/// The answer of a source that holds for a name, and the number of labels of the name it is listed for.
#[derive(Clone, Copy)]
struct Inherited {
    answer: AnswerId,
    labels: u8,
}

/// A name above the one at hand.
struct OpenName {
    key_len: usize,
    /// The hits that addresses have below it.
    addresses: Hits,
    /// The answer of each source below it.
    names: Vec<Inherited>,
    /// It has a wildcard.
    has_wildcard: bool,
    /// Another section has the names at and below it.
    is_cut: bool,
}

/// Merges the trees and gives each name to the visitor.
pub(super) struct Merge<'z, 'v, V> {
    section: &'z SweepSection<'z>,
    visitor: &'v mut V,
    sources: Vec<NameSource<'z>>,
    /// The names from the apex down to the one given last, which has this key.
    open: Vec<OpenName>,
    key: Vec<u8>,
    none: Hits,
}

impl<'z, 'v, V: Visitor> Merge<'z, 'v, V> {
    /// Gives the apex.
    pub(super) fn start(
        section: &'z SweepSection<'z>,
        visitor: &'v mut V,
    ) -> Result<Self, V::Error> {
        let (sources, none) = (sources(section), Hits::from([]));
        let mut merge = Self { section, visitor, sources, open: Vec::new(), key: Vec::new(), none };
        let entries = merge.take(&[]);
        merge.node(&[0], None, &entries)?;
        Ok(merge)
    }

    /// Takes the next name that exists for addresses.
    pub(super) fn address(&mut self, name: &[u8], node: AddressNode) -> Result<(), V::Error> {
        if name == [0] {
            return Ok(());
        }
        let mut key = Vec::with_capacity(name.len());
        encode_key(name, &mut key);
        self.names_before(Some(&key))?;
        let entries = self.take(&key);
        self.name(name, key, Some(node), &entries)
    }

    /// Gives the names behind the last address.
    pub(super) fn finish(mut self) -> Result<(), V::Error> {
        self.names_before(None)
    }

    /// See [`Visitor::shows_key`].
    pub(super) fn shows_key(&mut self, hits: &[Hit]) -> bool {
        hits.iter().any(|hit| self.visitor.shows_key(hit))
    }

    fn names_before(&mut self, end: Option<&[u8]>) -> Result<(), V::Error> {
        loop {
            let peeked = self.sources.iter_mut().filter_map(|source| source.entries.peek());
            let Some(first) = peeked.min_by(|a, b| a.key.cmp(&b.key)) else { return Ok(()) };
            if end.is_some_and(|end| *first.key >= *end) {
                return Ok(());
            }
            let (key, name) = (first.key.clone(), first.name.clone());
            let entries = self.take(&key);
            self.name(name.as_wire(), key, None, &entries)?;
        }
    }

    /// The entry of each source for the name with this key, which is not behind the next of any.
    fn take(&mut self, key: &[u8]) -> Vec<Option<SourceEntry<'z>>> {
        let next = |source: &mut NameSource<'z>| source.entries.next_if(|entry| *entry.key == *key);
        self.sources.iter_mut().map(next).collect()
    }

    /// Gives a name, and before it those between it and the name above it that was given.
    fn name(
        &mut self,
        name: &[u8],
        key: Vec<u8>,
        address: Option<AddressNode>,
        entries: &[Option<SourceEntry<'z>>],
    ) -> Result<(), V::Error> {
        let is_above = |open: &OpenName| key.starts_with(&self.key[..open.key_len]);
        while self.open.pop_if(|open| !is_above(open)).is_some() {}
        if self.open.last().is_some_and(|open| open.is_cut) {
            return Ok(());
        }
        self.key = key;
        for missing in (1..label_count(name).saturating_sub(self.open.len() - 1)).rev() {
            let above = suffix(name, missing);
            self.node(above, Some(self.inherit(above, true)), &[])?;
        }
        self.node(name, address, entries)
    }

    /// The hits that addresses have for a name that exists for another reason.
    fn inherit(&self, name: &[u8], has_more: bool) -> AddressNode {
        let none = || self.none.clone();
        let Some(above) = self.open.last() else {
            return AddressNode { itself: none(), below: none(), has_more };
        };
        let labels = label_count(name);
        let (octets, nibbles) = (octets(name).is_some(), nibbles(name).is_some());
        let hits = |wanted: bool| if wanted { above.addresses.clone() } else { none() };
        AddressNode {
            itself: hits(octets && labels == 4 || nibbles && labels == 32),
            below: hits(octets && labels < 4 || nibbles && labels < 32),
            has_more,
        }
    }

    /// Gives a name; the one above it is the last that is open.
    fn node(
        &mut self,
        name: &[u8],
        address: Option<AddressNode>,
        entries: &[Option<SourceEntry<'z>>],
    ) -> Result<(), V::Error> {
        let address = address.unwrap_or_else(|| self.inherit(name, false));
        let labels = label_count(name) as u8;
        let (mut itself, mut below) = (address.itself.to_vec(), address.below.to_vec());
        let mut names = Vec::with_capacity(self.sources.len());
        let (mut itself_allowed, mut below_allowed) = (false, false);
        let mut records: Vec<Record<'_>> = Vec::new();
        let is_cut = entries.iter().flatten().any(|entry| entry.is_cut);
        for (index, source) in self.sources.iter().enumerate() {
            let entry = entries.get(index).and_then(Option::as_ref);
            let above = self.open.last().map(|open| open.names[index]);
            let above = above.unwrap_or(Inherited { answer: AnswerId::NONE, labels: 0 });
            let here = |answer| Inherited { answer, labels };
            let of_itself = entry.and_then(|entry| entry.itself).map_or(above, here);
            let of_below = entry.and_then(|entry| entry.below).map_or(above, here);
            match source.role {
                Role::List(number) => {
                    let hit = |Inherited { answer, labels }: Inherited| {
                        let listed = answer.is_listed().then_some(answer)?;
                        self.section.hit(number, listed, HitKind::Name(labels))
                    };
                    itself.extend(hit(of_itself));
                    below.extend(hit(of_below));
                }
                Role::Allow => {
                    itself_allowed |= of_itself.answer.is_listed();
                    below_allowed |= of_below.answer.is_listed();
                }
                Role::Other => records.extend(entry.iter().flat_map(|entry| &entry.records)),
            }
            names.push(of_below);
        }
        let zone = self.section.zone;
        let point = if zone.test_points { name } else { &[] };
        // A zone with a gap must not look healthy, whatever its files list.
        let is_gap = name == b"\x04test\0" && zone.unlisted().is_some();
        if point == b"\x04test\0" && !is_gap {
            if itself.is_empty() {
                itself.extend(self.section.test_hit(HitKind::Name(labels)));
            }
        } else if itself_allowed
            || itself.contains(&Hit::NEVER)
            || point == b"\x07invalid\0"
            || is_gap
        {
            itself.clear();
        }
        if below_allowed || below.contains(&Hit::NEVER) {
            below.clear();
        }
        if labels == 0 || is_cut {
            itself.clear();
        }
        if is_cut || !self.section.has_room_below(name) {
            below.clear();
        }
        if is_cut {
            records.clear();
        }
        let is_below_wildcard = self.open.last().is_some_and(|open| open.has_wildcard);
        let has_data = !itself.is_empty() || !records.is_empty() || !below.is_empty();
        self.visitor.node(Node {
            name,
            itself: &itself,
            records: &records,
            wildcard: &below,
            is_exclusion: is_below_wildcard && !has_data && !address.has_more,
        })?;
        self.open.push(OpenName {
            key_len: key_len(&self.key, labels),
            addresses: address.below,
            names,
            has_wildcard: !below.is_empty(),
            is_cut,
        });
        Ok(())
    }
}

/// The length of the key of the name above that has that many labels.
fn key_len(key: &[u8], labels: u8) -> usize {
    // A zero ends each label of a key, and stands nowhere else.
    let mut ends = memchr::memchr_iter(0, key);
    match usize::from(labels).checked_sub(1) {
        Some(last) => ends.nth(last).map_or(key.len(), |end| end + 1),
        None => 0,
    }
}

fn sources<'z>(section: &SweepSection<'z>) -> Vec<NameSource<'z>> {
    let room = MAX_NAME - (section.apex.as_wire().len() - 1);
    let source = |role, entries: Box<dyn Iterator<Item = SourceEntry<'z>> + 'z>| {
        // A label `*` would be a wildcard in a copy of the zone.
        let fits = move |entry: &SourceEntry<'_>| {
            let name = entry.name.as_wire();
            name.len() <= room && Labels::of(name).all(|label| label != b"*")
        };
        let entries: Box<dyn Iterator<Item = _>> = Box::new(entries.filter(fits));
        NameSource { role, entries: entries.peekable() }
    };
    let listed = |role, set: &'z Dataset| {
        if !set.takes_names() {
            return None;
        }
        let entries = set.name_entries().map(|entry| SourceEntry {
            itself: entry.itself,
            below: entry.below,
            ..SourceEntry::new(entry.name)
        });
        Some(source(role, Box::new(entries)))
    };
    let sorted = |mut entries: Vec<SourceEntry<'z>>| {
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        source(Role::Other, Box::new(entries.into_iter()))
    };
    let (datasets, zone) = (section.datasets, section.zone);
    let lists = datasets.iter().enumerate();
    let lists = lists.filter_map(|(number, set)| listed(Role::List(number), set));
    let allow = zone.allow.iter().filter_map(|set| listed(Role::Allow, set));
    let records = datasets.iter().filter_map(|set| set.records.as_ref()).map(|set| {
        let entries = set.iter().map(|(name, records)| SourceEntry {
            records: set.records(records).collect(),
            ..SourceEntry::new(name)
        });
        sorted(entries.collect())
    });
    let cuts = section.cuts.iter().cloned();
    let cuts = cuts.map(|name| SourceEntry { is_cut: true, ..SourceEntry::new(name) });
    let cuts = sorted(cuts.collect());
    let points = [&b"invalid"[..], b"test"].into_iter().filter(|_| zone.test_points);
    let points = points.filter_map(|label| NameBuf::from_text(label).ok());
    let points = sorted(points.map(SourceEntry::new).collect());
    lists.chain(allow).chain(records).chain([cuts, points]).collect()
}
