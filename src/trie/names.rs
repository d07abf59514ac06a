//! The packed suffix tree of domain names: one node for each listed name and for each name where
//! listed ones part, read from the root label on.
//!
//! # Layout
//!
//! Three flat arrays, used where they lie: `records`, the bytes of all nodes, `buckets`, where groups
//! of records start, and `tlds`, an index that leads from top-level labels to their buckets.
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
//! tld      a label behind its length byte (8 bytes), and the table of its names as above (8 bytes)
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
//! `tlds` is a hash table of the labels of up to seven bytes right below the root that have a table
//! and of which nothing is said, nor of the root: all that a lookup would find out about them. A
//! quarter of its places at most is in use, and an entry is in one of four places.
//!
//! # Cost
//!
//! However many names there are, a label of a query costs one read of `buckets`, and of a bucket of
//! about 60 bytes if the filter lets it pass, which it does with one in twenty labels that are not
//! there. Both are likely cache misses only where the list is wide. The last label costs no more than
//! a compare in `tlds`.
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
mod lookup;
mod record;
mod sound;
mod table;
#[cfg(test)]
mod tests;
mod tld_index;
mod top_level;

pub use crate::wire::name::PaddedName;
pub(crate) use build::{MAX_OVERHEAD, NameTreeBuilder};
pub use iter::{Iter, NameEntry};
pub(crate) use key::{encode as encode_key, encode_plain as encode_plain_key, text as key_text};
pub use lookup::NameLookup;
pub use top_level::TopLevel;

use crate::flat_array::{ArrayReader, ArrayWriter, FlatArray};
use crate::wire::name::NameBuf;
use table::Bucket;
use tld_index::TldEntry;

/// A listing of domain names, immutable; [`crate::listing::names::NamesBuilder`] makes it.
///
/// Equal listings have equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameTree {
    records: FlatArray<u8>,
    buckets: FlatArray<Bucket>,
    tlds: FlatArray<TldEntry>,
    root: u32,
    entries: u32,
}

impl NameTree {
    /// The canonical listing: the names that have an entry, in canonical order (RFC 4034 section
    /// 6.1).
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(self)
    }

    /// Of the [canonical listing](Self::iter), the entries of the names above a name, given in wire form and lower
    /// case, of the name itself, and of those below it. Nothing else is walked through.
    pub fn iter_along(&self, name: &NameBuf) -> impl Iterator<Item = NameEntry> {
        Iter::along(self, name)
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
        self.records.heap() + self.buckets.heap() + self.tlds.heap()
    }

    /// The size in shared memory, in bytes.
    pub fn mapped(&self) -> usize {
        self.records.mapped() + self.buckets.mapped() + self.tlds.mapped()
    }

    /// Hands out what [`load`](Self::load) needs.
    pub fn store(&self, out: &mut impl ArrayWriter) {
        out.array(&[self.root, self.entries]);
        out.array(&self.tlds);
        out.array(&self.buckets);
        out.array(&self.records);
    }

    /// The tree that was [stored](Self::store). If the arrays are damaged, lookups are wrong but
    /// safe.
    pub fn load(from: &mut impl ArrayReader) -> Option<Self> {
        let [root, entries] = from.numbers()?;
        let (tlds, buckets, records) = (from.array()?, from.array()?, from.array()?);
        Some(Self { root, entries, tlds, buckets, records })
    }
}

#[cfg(any(test, fuzzing))]
impl NameTree {
    /// Overwrites something at random: lookups must survive it.
    pub fn damage(&mut self, random: &mut dyn FnMut() -> u64) {
        use super::damage::damage;
        match random() % 16 {
            0 => self.root = random() as u32,
            1 => damage(self.tlds.to_mut(), random, |bits| {
                u128::from(bits) << (bits & 64) ^ u128::from(bits.rotate_left(32))
            }),
            2..4 => {
                damage(self.buckets.to_mut(), random, |bits| [bits as u32, (bits >> 32) as u32])
            }
            _ => damage(self.records.to_mut(), random, |bits| bits as u8),
        }
    }
}
