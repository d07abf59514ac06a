//! The packed suffix tree of domain names: one node for each listed name and for each name where
//! listed ones part, read from the root label on.
//!
//! # Layout
//!
//! Three flat arrays, used where they lie: `records`, the bytes of all nodes, `buckets`, where groups
//! of records start, and `tops`, a short way to the buckets of names below top-level ones.
//!
//! ```text
//! record   len flags [rest] label [tail] [answer] [answer] [children]
//! len      bits 0-5 length of the label, bit 6 a tail follows, bit 7 rest is there: of all
//!          records with a tail, answers or children
//! rest     number of bytes after it (varint)
//! tail     number of labels (1 byte), then the labels in wire form, the leftmost first
//! flags    bits 0-1 what is said of the name itself: 0 no entry, 1 exclusion, 2 answer
//!          bits 2-3 of the names below it: the same, or 3 the same answer as itself
//!          bits 4-5 children: 0 none, 1 inline, 2 in a table
//!          bits 6-7 the number less 1 of the only answer, or 3: the numbers of all follow
//! answer   its number (varint)
//! children inline: a list
//!          table:  index of its first bucket (u32), number of buckets (u32)
//! list     records, then a zero byte; or the byte 0x40 and a table, whose buckets have the records
//!          in the order of their labels
//! bucket   where a list starts (u32), and a filter: bits set for the labels in the list (u32)
//! top      a label behind its length byte (8 bytes), and the table of its names as above (8 bytes)
//! u32      four bytes, the lowest first
//! varint   seven bits per byte, the lowest first, bit 7 set on all but the last
//! ```
//!
//! The root is at the end of `records` and has no edge: flags, answers and children; 16 zero bytes
//! follow. A child whose name has several labels more than its parent's has one record all the same
//! (`tail`). A node with at most 8 names below it has them inline; else they are in buckets, of 4
//! records in the mean, chosen by a hash of the label, of which two bits are set in the filter. The
//! root's buckets have one record in the mean.
//!
//! `tops` is a hash table of the labels of up to seven bytes right below the root that have a table
//! and of which nothing is said, nor of the root: all that a lookup would find out about them. A
//! quarter of its places at most is in use, and an entry is in one of four places.
//!
//! # Cost
//!
//! However many names there are, a label of a query costs one read of `buckets`, and of a bucket of
//! about 60 bytes if the filter lets it pass, which it does with one in twenty labels that are not
//! there. Both are likely cache misses only where the list is wide. The last label costs no more than
//! a compare in `tops`.
//!
//! Hostile names are bounded: a query has at most 127 labels, each compared with at most 8 inline
//! records or with those of one bucket, which are 24 at most. Where labels are made to collide, those
//! of the one bucket are sorted, and a search halves them at each step: whoever made them slows down
//! those only.
//!
//! In memory a name takes its own labels (without those it shares with the names above it), two
//! to four bytes of record, and a bit more than two bytes as its share of a bucket.

mod build;
mod iter;
mod key;
mod label;
mod record;
mod table;
#[cfg(test)]
mod tests;
mod tld_index;
mod usual;

pub(crate) use build::{MAX_OVERHEAD, NameTreeBuilder};
pub use iter::{Iter, NameEntry};
pub(crate) use key::{encode as encode_key, encode_plain as encode_plain_key};
pub use usual::NameRoom;

use crate::answer::AnswerId;
use crate::flat_array::{ArrayReader, ArrayWriter, FlatArray};
use crate::wire::name::LabelStarts;
use label::Label;
use record::{Children, Node};
use table::{Bucket, Table};
use tld_index::Top;

/// A listing of domain names, immutable; [`crate::listing::names::NamesBuilder`] makes it.
///
/// Equal listings have equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameTree {
    records: FlatArray<u8>,
    buckets: FlatArray<Bucket>,
    tops: FlatArray<Top>,
    root: u32,
    entries: u32,
}

/// The result of a lookup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameLookup {
    /// The name is listed.
    Listed {
        /// What the name gives.
        answer: AnswerId,
        /// The number of labels of the listed name: that many labels of the query, from the right.
        labels: u8,
    },
    /// The name is not listed, but a name below it is, or all would be (RFC 8020: NODATA, never
    /// NXDOMAIN).
    EmptyNonTerminal,
    /// Neither the name nor one below it is listed.
    Nothing,
}

/// What decides about a name: its answer, and the number of labels of the name that has it.
#[derive(Clone, Copy)]
struct Match {
    answer: AnswerId,
    labels: u8,
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
    /// They are the same: so many, and the node goes on there.
    Whole { labels: usize, at: usize },
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
    ///
    /// Not inlined: lookups of addresses, which stand beside it, would have fewer registers.
    #[inline(never)]
    pub fn lookup_labels(&self, name: &[u8], starts: &[u8]) -> NameLookup {
        NameLookup::of(match self.shortcut(name, starts) {
            None => self.walk_from_root(name, starts),
            Some((table, label)) => match self.find(table, label) {
                None => return NameLookup::Nothing,
                Some(node) => self.walk(node, 2, name, starts),
            },
        })
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
        self.records.heap() + self.buckets.heap() + self.tops.heap()
    }

    /// The size in shared memory, in bytes.
    pub fn mapped(&self) -> usize {
        self.records.mapped() + self.buckets.mapped() + self.tops.mapped()
    }

    /// Hands out what [`load`](Self::load) needs.
    pub fn store(&self, out: &mut impl ArrayWriter) {
        out.array(&[self.root, self.entries]);
        out.array(&self.tops);
        out.array(&self.buckets);
        out.array(&self.records);
    }

    /// The tree that was [stored](Self::store). If the arrays are damaged, lookups are wrong but
    /// safe.
    pub fn load(from: &mut impl ArrayReader) -> Option<Self> {
        let [root, entries] = from.numbers()?;
        let (tops, buckets, records) = (from.array()?, from.array()?, from.array()?);
        Some(Self { root, entries, tops, buckets, records })
    }

    fn below(&self, name: &[u8]) -> Below {
        let mut labels = LabelStarts::default();
        let found = labels.read(name).and_then(|_| self.walk_from_root(name, labels.as_slice()));
        found.map_or(Below::Nothing, |(_, below)| below)
    }

    /// For a name of several labels, if there is a shortcut for the last one: the table that has the
    /// label before it, and that label. Nothing is said of the names above.
    #[inline(always)]
    fn shortcut<'n>(&self, name: &'n [u8], starts: &[u8]) -> Option<(Table, Label<'n>)> {
        let &[.., before, start, end] = starts else { return None };
        let word = label::word_within(name, usize::from(start), usize::from(end))?;
        let table = tld_index::find(&self.tops, word)?;
        Some((table, Label::within(name, usize::from(before) + 1, usize::from(start))?))
    }

    /// The node of a label in a table.
    #[inline(always)]
    fn find(&self, table: Table, label: Label<'_>) -> Option<Node> {
        let first = table.find(&self.buckets, label)?;
        record::find(&self.records, &self.buckets, first, label)
    }

    fn walk_from_root(&self, name: &[u8], starts: &[u8]) -> Option<(Match, Below)> {
        self.walk(Node::root(&self.records, self.root as usize)?, 0, name, starts)
    }

    /// What decides about a name, and what is listed below it, from the node on that is reached
    /// with the last `taken` labels; its tail is not yet compared, and of the names above it nothing
    /// is said. `None` only if the name or the tree makes no sense.
    fn walk(&self, node: Node, taken: usize, name: &[u8], starts: &[u8]) -> Option<(Match, Below)> {
        let bytes = &self.records[..];
        let count = starts.len();
        let mut node = node;
        let mut starts = starts.get(..count.checked_sub(taken)?)?;
        let mut found = Match { answer: AnswerId::NONE, labels: 0 };
        loop {
            if node.has_tail() {
                match self.tail(node.at(), name, starts)? {
                    Tail::Whole { labels, at } => {
                        starts = starts.get(..starts.len() - labels)?;
                        node = node.behind_tail(at);
                    }
                    Tail::Inside => return Some((found, Below::Some)),
                    Tail::Other => break,
                }
            }
            let said = node.take_answers(bytes)?;
            let labels = (count - starts.len()) as u8;
            let below = said.below.map_or(found, |answer| Match { answer, labels });
            let &[.., start, end] = starts else {
                found = said.itself.map_or(found, |answer| Match { answer, labels });
                // A listing has no exclusion where nothing is listed, so the first name on any way
                // down from here is listed.
                let below = match node.children(bytes)? {
                    Children::None => Below::of_leaf(below),
                    _ => Below::Some,
                };
                return Some((found, below));
            };
            found = below;
            let child = match node.children(bytes)? {
                Children::None => break,
                children => {
                    let label = Label::within(name, usize::from(start) + 1, usize::from(end))?;
                    match children {
                        Children::Table(table) => self.find(table, label),
                        Children::Inline(first) => record::find(bytes, &self.buckets, first, label),
                        Children::None => None,
                    }
                }
            };
            let Some(child) = child else { break };
            starts = &starts[..starts.len() - 1];
            node = child;
        }
        // Where the tree ends, the same holds for all that is further down.
        Some((found, Below::of_leaf(found)))
    }

    /// Compares the tail at `at` with the last labels of the name that are left.
    #[inline(always)]
    fn tail(&self, at: usize, name: &[u8], starts: &[u8]) -> Option<Tail> {
        let (&count, tail) = self.records.get(at..)?.split_first()?;
        let (&end, starts) = starts.split_last()?;
        let labels = usize::from(count);
        let Some(left) = starts.len().checked_sub(labels) else {
            let name = name.get(..usize::from(end))?;
            let inside = is_inside(name, tail, labels - starts.len());
            return Some(if inside { Tail::Inside } else { Tail::Other });
        };
        let start = usize::from(*starts.get(left)?);
        let wanted = Label::within(name, start, usize::from(end))?;
        Some(if wanted.starts(tail) {
            Tail::Whole { labels, at: at + 1 + wanted.len() }
        } else {
            Tail::Other
        })
    }
}

impl NameLookup {
    fn of(found: Option<(Match, Below)>) -> Self {
        match found {
            Some((Match { answer, labels }, _)) if answer.is_listed() => {
                Self::Listed { answer, labels }
            }
            Some((_, Below::Some | Below::All)) => Self::EmptyNonTerminal,
            _ => Self::Nothing,
        }
    }
}

impl Below {
    /// Where the tree ends.
    fn of_leaf(found: Match) -> Self {
        if found.answer.is_listed() { Self::All } else { Self::Nothing }
    }
}

/// Whether all labels of a name follow after the first `before` of a tail.
fn is_inside(name: &[u8], tail: &[u8], before: usize) -> bool {
    let mut tail = tail;
    for _ in 0..before {
        let skip = tail.first().map_or(0, |&len| 1 + usize::from(len));
        tail = tail.get(skip..).unwrap_or(&[]);
    }
    tail.starts_with(name)
}

#[cfg(any(test, fuzzing))]
impl NameTree {
    /// Overwrites something at random: lookups must survive it.
    pub fn damage(&mut self, random: &mut dyn FnMut() -> u64) {
        use super::damage::damage;
        match random() % 16 {
            0 => self.root = random() as u32,
            1 => damage(self.tops.to_mut(), random, |bits| {
                u128::from(bits) << (bits & 64) ^ u128::from(bits.rotate_left(32))
            }),
            2..4 => {
                damage(self.buckets.to_mut(), random, |bits| [bits as u32, (bits >> 32) as u32])
            }
            _ => damage(self.records.to_mut(), random, |bits| bits as u8),
        }
    }
}
