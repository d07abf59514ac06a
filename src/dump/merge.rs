//! Everything that makes names exist in a zone, merged in canonical order.
//!
//! Each dataset of names, all addresses together and all ordinary records are trees of names. A
//! name that exists in one of them exists in the zone, and hides the wildcards of all others above
//! it: what these would have given is repeated there. A name that must not give what a wildcard
//! above it does, and has nothing below it, gets a record of a type that nobody asks for.

use super::lines::Lines;
use super::lists::{Hit, Hits, Key, Lists};
use super::suffix;
use crate::engine::key::{nibbles, octets};
use crate::listing::AnswerId;
use crate::listing::records::Record;
use crate::trie::names::encode_key;
use crate::wire::name::{Labels, MAX_NAME, NameBuf};
use std::io;
use std::iter::Peekable;

/// A name that exists for the addresses listed.
pub(super) struct Node {
    /// What the name itself gives.
    pub(super) itself: Hits,
    /// What the names below it give that do not exist.
    pub(super) below: Hits,
    /// Some name below it exists.
    pub(super) has_more: bool,
}

/// A tree of names, in canonical order.
struct Source<'z> {
    role: Role,
    entries: Peekable<Box<dyn Iterator<Item = Entry<'z>> + 'z>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// What the dataset with this number lists.
    List(usize),
    /// Names that are not listed.
    Allow,
    /// Names that exist otherwise.
    Other,
}

struct Entry<'z> {
    key: Vec<u8>,
    name: NameBuf,
    itself: Option<AnswerId>,
    below: Option<AnswerId>,
    records: Vec<Record<'z>>,
    is_cut: bool,
}

/// What holds below a name by one source: an answer, and the labels of the name it is listed for.
#[derive(Clone, Copy)]
struct Below {
    answer: AnswerId,
    labels: u8,
}

/// A name above the one at hand.
struct Frame {
    key_len: usize,
    /// What addresses give below it.
    addresses: Hits,
    /// What each source gives below it.
    names: Vec<Below>,
    /// It has a wildcard.
    has_wildcard: bool,
    /// What is below it is none of the lists' business.
    is_cut: bool,
}

/// Merges the trees and writes the records.
pub(super) struct Merge<'z, 'o> {
    lists: &'z Lists<'z>,
    lines: Lines<'z, 'o>,
    sources: Vec<Source<'z>>,
    /// The names from the zone down to the one written last, which has this key.
    frames: Vec<Frame>,
    key: Vec<u8>,
    none: Hits,
}

impl<'z, 'o> Merge<'z, 'o> {
    /// Writes the zone itself.
    pub(super) fn start(lists: &'z Lists<'z>, lines: Lines<'z, 'o>) -> io::Result<Self> {
        let sources = sources(lists);
        let none = Hits::from([]);
        let mut merge = Self { lists, lines, sources, frames: Vec::new(), key: Vec::new(), none };
        let entries = merge.take(&[]);
        merge.node(&[0], None, &entries)?;
        Ok(merge)
    }

    /// The next name that exists for addresses.
    pub(super) fn address(&mut self, name: &[u8], node: Node) -> io::Result<()> {
        if name == [0] {
            return Ok(());
        }
        let mut key = Vec::with_capacity(name.len());
        encode_key(name, &mut key);
        self.names_before(Some(&key))?;
        let entries = self.take(&key);
        self.name(name, key, Some(node), &entries)
    }

    /// Writes the names behind the last address.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.names_before(None)?;
        self.lines.finish()
    }

    /// True if the text of one of these hits changes with the address that is looked up.
    pub(super) fn shows_key(&mut self, hits: &[Hit]) -> bool {
        hits.iter().any(|hit| self.lines.shows_key(hit))
    }

    fn names_before(&mut self, end: Option<&[u8]>) -> io::Result<()> {
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

    /// What each source has for the name with this key, which is not behind the next of any.
    fn take(&mut self, key: &[u8]) -> Vec<Option<Entry<'z>>> {
        let next = |source: &mut Source<'z>| source.entries.next_if(|entry| *entry.key == *key);
        self.sources.iter_mut().map(next).collect()
    }

    /// Writes a name, and before it those between it and the name above it that was written.
    fn name(
        &mut self,
        name: &[u8],
        key: Vec<u8>,
        address: Option<Node>,
        entries: &[Option<Entry<'z>>],
    ) -> io::Result<()> {
        let is_above = |frame: &Frame| key.starts_with(&self.key[..frame.key_len]);
        while self.frames.pop_if(|frame| !is_above(frame)).is_some() {}
        if self.frames.last().is_some_and(|frame| frame.is_cut) {
            return Ok(());
        }
        self.key = key;
        let depth = Labels::of(name).count();
        for missing in (1..depth.saturating_sub(self.frames.len() - 1)).rev() {
            let above = suffix(name, missing);
            let between =
                Node { itself: self.none.clone(), below: self.none.clone(), has_more: true };
            self.node(above, Some(self.inherit(above, between)), &[])?;
        }
        self.node(name, address, entries)
    }

    /// What a name gives by addresses that exists for another reason; `node` has nothing yet.
    fn inherit(&self, name: &[u8], mut node: Node) -> Node {
        let Some(above) = self.frames.last() else { return node };
        let labels = Labels::of(name).count();
        let (octets, nibbles) = (octets(name).is_some(), nibbles(name).is_some());
        if octets && labels == 4 || nibbles && labels == 32 {
            node.itself = above.addresses.clone();
        }
        if octets && labels < 4 || nibbles && labels < 32 {
            node.below = above.addresses.clone();
        }
        node
    }

    /// Writes a name, the one above which is the last frame.
    fn node(
        &mut self,
        name: &[u8],
        address: Option<Node>,
        entries: &[Option<Entry<'z>>],
    ) -> io::Result<()> {
        let nothing =
            || Node { itself: self.none.clone(), below: self.none.clone(), has_more: false };
        let address = address.unwrap_or_else(|| self.inherit(name, nothing()));
        let labels = Labels::of(name).count() as u8;
        let (mut itself, mut below) = (address.itself.to_vec(), address.below.to_vec());
        let mut names = Vec::with_capacity(self.sources.len());
        let (mut itself_allowed, mut below_allowed) = (false, false);
        let mut records: Vec<Record<'_>> = Vec::new();
        let is_cut = entries.iter().flatten().any(|entry| entry.is_cut);
        for (index, source) in self.sources.iter().enumerate() {
            let entry = entries.get(index).and_then(Option::as_ref);
            let above = self.frames.last().map(|frame| frame.names[index]);
            let above = above.unwrap_or(Below { answer: AnswerId::NONE, labels: 0 });
            let here = |answer| Below { answer, labels };
            let of_itself = entry.and_then(|entry| entry.itself).map_or(above, here);
            let of_below = entry.and_then(|entry| entry.below).map_or(above, here);
            match source.role {
                Role::List(number) => {
                    let hit = |of: Below| {
                        of.answer
                            .is_listed()
                            .then(|| self.lists.hit(number, of.answer, Key::Name(of.labels)))?
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
        let point = if self.lists.zone.test_points { name } else { &[] };
        if point == b"\x04test\0" {
            if itself.is_empty() {
                itself.extend(self.lists.test_hit(Key::Name(labels)));
            }
        } else if itself_allowed || itself.contains(&Hit::NEVER) || point == b"\x07invalid\0" {
            itself.clear();
        }
        if below_allowed || below.contains(&Hit::NEVER) {
            below.clear();
        }
        if labels == 0 || is_cut {
            itself.clear();
        }
        if is_cut {
            below.clear();
            records.clear();
        }
        let hides = self.frames.last().is_some_and(|frame| frame.has_wildcard);
        let has_wildcard = self.lines.wildcard_fits(name) && !below.is_empty();
        self.lines.itself(name, &itself, &records)?;
        if has_wildcard {
            self.lines.wildcard(name, &below)?;
        } else if hides && itself.is_empty() && records.is_empty() && !address.has_more {
            self.lines.excluded(name)?;
        }
        let key_len = key_len(&self.key, labels);
        self.frames.push(Frame { key_len, addresses: address.below, names, has_wildcard, is_cut });
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

fn sources<'z>(lists: &Lists<'z>) -> Vec<Source<'z>> {
    let zone = lists.zone;
    let room = MAX_NAME - (lists.apex.as_wire().len() - 1);
    let mut sources = Vec::new();
    let mut add = |role, entries: Box<dyn Iterator<Item = Entry<'z>> + 'z>| {
        let fits = move |entry: &Entry<'_>| {
            let name = entry.name.as_wire();
            name.len() <= room && Labels::of(name).all(|label| label != b"*")
        };
        let entries: Box<dyn Iterator<Item = _>> = Box::new(entries.filter(fits));
        sources.push(Source { role, entries: entries.peekable() });
    };
    let lists_of = |role, sets: &'z [std::sync::Arc<crate::zone::Dataset>]| {
        sets.iter().enumerate().filter_map(move |(number, set)| {
            let names = set.names.as_ref()?.iter();
            let entries = names.map(|entry| Entry {
                key: key(&entry.name),
                name: entry.name,
                itself: entry.itself,
                below: entry.below,
                records: Vec::new(),
                is_cut: false,
            });
            let role = if role == Role::Allow { role } else { Role::List(number) };
            Some((role, Box::new(entries) as Box<dyn Iterator<Item = Entry<'z>>>))
        })
    };
    for (role, entries) in lists_of(Role::List(0), lists.datasets) {
        add(role, entries);
    }
    for (role, entries) in lists_of(Role::Allow, &zone.allow) {
        add(role, entries);
    }
    for set in lists.datasets.iter().filter_map(|set| set.records.as_ref()) {
        let other = |(name, records)| Entry {
            key: key(&name),
            name,
            itself: None,
            below: None,
            records: set.records(records).collect(),
            is_cut: false,
        };
        let mut entries: Vec<_> = set.iter().map(other).collect();
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        add(Role::Other, Box::new(entries.into_iter()));
    }
    let cut = |name: &NameBuf| Entry {
        key: key(name),
        name: name.clone(),
        itself: None,
        below: None,
        records: Vec::new(),
        is_cut: true,
    };
    let mut cuts: Vec<_> = lists.cuts.iter().map(cut).collect();
    cuts.sort_by(|a, b| a.key.cmp(&b.key));
    add(Role::Other, Box::new(cuts.into_iter()));
    if zone.test_points {
        let points = [&b"invalid"[..], b"test"].into_iter().filter_map(|label| {
            let name = NameBuf::from_text(label).ok()?;
            Some(Entry {
                key: key(&name),
                name,
                itself: None,
                below: None,
                records: Vec::new(),
                is_cut: false,
            })
        });
        add(Role::Other, Box::new(points));
    }
    sources
}

fn key(name: &NameBuf) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.as_wire().len());
    encode_key(name.as_wire(), &mut key);
    key
}
