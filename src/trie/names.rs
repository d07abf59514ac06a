//! The packed suffix tree of domain names: one node for each listed name and for each name where
//! listed ones part, read from the root label on.
//!
//! # Layout
//!
//! Two flat arrays, used where they lie: `records`, the bytes of all nodes, and `buckets`, where
//! groups of records start.
//!
//! ```text
//! record   len flags [rest] label [tail] [answer] [answer] [children]
//! len      bits 0-5 length of the label, bit 6 a tail follows, bit 7 rest is there: of all
//!          records but those with neither tail nor children
//! rest     number of bytes after it (varint)
//! tail     number of labels (1 byte), then the labels in wire form, the leftmost first
//! flags    bits 0-1 what is said of the name itself: 0 no entry, 1 exclusion, 2 answer
//!          bits 2-3 of the names below it: the same, or 3 the same answer as itself
//!          bits 4-5 children: 0 none, 1 inline, 2 in a table
//!          bits 6-7 the number less 1 of the only answer, or 3: the numbers of all follow
//! answer   its number (varint)
//! children inline: the records, up to the end of this one
//!          table:  index of its first bucket (u32), number of buckets (u32), seed (1 byte)
//! bucket   records, then a zero byte; u32 in `buckets` says where it starts
//! u32      four bytes, the lowest first
//! varint   seven bits per byte, the lowest first, bit 7 set on all but the last
//! ```
//!
//! The root is at the end of `records` and has no edge: flags, answers and children. A child whose
//! name has several labels more than its parent's has one record all the same (`tail`). A node
//! with at most 8 names below it has them inline; else they are in buckets, of 4 records in the
//! mean, chosen by a hash of the label.
//!
//! # Cost
//!
//! However many names there are, a label of a query costs one read of `buckets` and one of a bucket
//! of about 60 bytes; both are likely cache misses only where the list is wide. Hostile names are
//! bounded: a query has at most 127 labels, each compared with at most 8 inline records or those
//! of one bucket, and the builder tries seeds until no bucket has more than 24.
//!
//! In memory a name takes its own labels (without those it shares with the names above it), two
//! to four bytes of record, and a bit more than one byte as its share of a bucket.

mod build;
mod iter;
mod key;
mod record;
#[cfg(test)]
mod tests;

pub(crate) use build::{MAX_OVERHEAD, SortedNames};
pub use iter::{Iter, NameEntry};
pub(crate) use key::encode as encode_key;

use crate::flat::{Flat, Sink, Source};
use crate::listing::AnswerId;
use crate::wire::name::LabelStarts;
use record::{Children, Node};

/// A listing of domain names, immutable; [`crate::listing::names::NamesBuilder`] makes it.
///
/// Equal listings have equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameTree {
    records: Flat<u8>,
    buckets: Flat<u32>,
    root: u32,
    entries: u32,
}

/// What decides that a name is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Match {
    /// What the name gives.
    pub answer: AnswerId,
    /// The number of labels of the listed name: that many labels of the query, from the right.
    pub labels: u8,
}

/// The result of a lookup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameLookup {
    /// The name is listed.
    Listed(Match),
    /// The name is not listed, but a name below it is, or all would be (RFC 8020: NODATA, never
    /// NXDOMAIN).
    EmptyNonTerminal,
    /// Neither the name nor one below it is listed.
    Nothing,
}

/// What is listed below a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Below {
    Nothing,
    Some,
    All,
}

/// What the labels of an edge after its first have to do with the next ones of a name.
enum Tail {
    /// They are the same: that many of the name are left, and the node goes on there.
    Whole { left: usize, at: usize },
    /// The name ends before the edge does: there is something below it.
    Inside,
    /// They differ.
    Other,
}

impl NameTree {
    /// Looks up a name relative to the zone: in wire form with its final zero, in lower case. It
    /// may be the root.
    ///
    /// A name with an entry of its own is what that says; any other is what the entry for "below"
    /// of the longest name above it says (rbldnsd's manual, dnset).
    pub fn lookup(&self, name: &[u8]) -> NameLookup {
        let mut labels = LabelStarts::default();
        match labels.read(name) {
            Some(_) => self.lookup_labels(name, labels.as_slice()),
            None => NameLookup::Nothing,
        }
    }

    /// The same for a name of which it is known where its labels start: `starts` has the position
    /// of each label and of the final zero.
    #[inline]
    pub fn lookup_labels(&self, name: &[u8], starts: &[u8]) -> NameLookup {
        match self.walk(name, starts) {
            Some((found, _)) if found.answer.is_listed() => NameLookup::Listed(found),
            Some((_, Below::Some | Below::All)) => NameLookup::EmptyNonTerminal,
            _ => NameLookup::Nothing,
        }
    }

    /// True if a name below this one is listed, or all would be, whether the name itself is
    /// listed or not.
    pub fn lists_below(&self, name: &[u8]) -> bool {
        self.below(name) != Below::Nothing
    }

    /// True if every name below this one is listed.
    pub fn covers_below(&self, name: &[u8]) -> bool {
        self.below(name) == Below::All
    }

    /// The canonical listing: the names that have an entry, in canonical order (RFC 4034 section
    /// 6.1).
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(self)
    }

    /// The number of names that have an entry.
    pub fn entries(&self) -> usize {
        self.entries as usize
    }

    /// True if nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// The size in this process's own memory, in bytes.
    pub fn memory(&self) -> usize {
        self.records.heap() + self.buckets.heap()
    }

    /// The size in shared memory, in bytes.
    pub fn mapped(&self) -> usize {
        self.records.mapped() + self.buckets.mapped()
    }

    /// Hands out what [`load`](Self::load) needs.
    pub fn store(&self, out: &mut impl Sink) {
        out.array(&[self.root, self.entries]);
        out.array(&self.buckets);
        out.array(&self.records);
    }

    /// The tree that was [stored](Self::store). If the arrays are damaged, lookups are wrong but
    /// safe.
    pub fn load(from: &mut impl Source) -> Option<Self> {
        let [root, entries] = from.numbers()?;
        Some(Self { root, entries, buckets: from.array()?, records: from.array()? })
    }

    fn below(&self, name: &[u8]) -> Below {
        let mut labels = LabelStarts::default();
        let found = labels.read(name).and_then(|_| self.walk(name, labels.as_slice()));
        found.map_or(Below::Nothing, |(_, below)| below)
    }

    /// What decides about a name, and what is listed below it. `None` only if the name or the tree
    /// makes no sense.
    #[inline]
    fn walk(&self, name: &[u8], starts: &[u8]) -> Option<(Match, Below)> {
        let bytes = &self.records[..];
        let count = starts.len().checked_sub(1)?;
        let mut left = count;
        let mut node = Node::root(bytes, self.root as usize)?;
        let mut found = Match { answer: AnswerId::NONE, labels: 0 };
        let below = loop {
            let body = node.body(bytes)?;
            let depth = (count - left) as u8;
            let below = body.below.map_or(found, |answer| Match { answer, labels: depth });
            if left == 0 {
                if let Some(answer) = body.itself {
                    found = Match { answer, labels: depth };
                }
                // A listing has no exclusion where nothing is listed, so the first name on any
                // way down from here is listed.
                break match (body.children, below.answer.is_listed()) {
                    (Children::None, false) => Below::Nothing,
                    (Children::None, true) => Below::All,
                    _ => Below::Some,
                };
            }
            found = below;
            // Where the tree ends, the same holds for all that is further down.
            let rest = if found.answer.is_listed() { Below::All } else { Below::Nothing };
            left -= 1;
            let label = name.get(usize::from(starts[left]) + 1..usize::from(starts[left + 1]))?;
            let (first, last) = match body.children {
                Children::None => break rest,
                Children::Inline { start, end } => (start, end),
                Children::Table(table) => {
                    (*self.buckets.get(table.bucket(label))? as usize, bytes.len())
                }
            };
            let Some(child) = record::find(bytes, first, last, label) else { break rest };
            node = child;
            if node.tail {
                match self.tail(node.at, name, starts, left)? {
                    Tail::Whole { left: still_left, at } => (left, node.at) = (still_left, at),
                    Tail::Inside => break Below::Some,
                    Tail::Other => break rest,
                }
            }
        };
        Some((found, below))
    }

    /// Compares the tail at `at` with the rightmost of the first `left` labels of the name.
    fn tail(&self, at: usize, name: &[u8], starts: &[u8], left: usize) -> Option<Tail> {
        let count = usize::from(*self.records.get(at)?);
        let mut at = at + 1;
        let end = usize::from(starts[left]);
        let Some(still_left) = left.checked_sub(count) else {
            for _ in left..count {
                at += 1 + usize::from(*self.records.get(at)?);
            }
            let inside = self.records.get(at..)?.starts_with(name.get(..end)?);
            return Some(if inside { Tail::Inside } else { Tail::Other });
        };
        let wanted = name.get(usize::from(starts[still_left])..end)?;
        let same = self.records.get(at..)?.starts_with(wanted);
        Some(if same {
            Tail::Whole { left: still_left, at: at + wanted.len() }
        } else {
            Tail::Other
        })
    }
}

#[cfg(any(test, fuzzing))]
impl NameTree {
    /// Overwrites something at random: lookups must survive it.
    pub fn damage(&mut self, random: &mut dyn FnMut() -> u64) {
        use super::damage::damage;
        match random() % 16 {
            0 => self.root = random() as u32,
            1..4 => damage(self.buckets.to_mut(), random, |bits| bits as u32),
            _ => damage(self.records.to_mut(), random, |bits| bits as u8),
        }
    }
}
