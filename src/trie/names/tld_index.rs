//! The index of top-level labels: a hash table that leads from a label to the table of the names below
//! it.
//!
//! Nearly all names of a list end in one of a few labels. Without the index, nearly every query would
//! search for the same few records first.

use super::label::{self, MULTIPLIER};
use super::record::{self, Children, Node, Record};
use super::table::{Bucket, Table};

/// An entry: the label as a word, the first bucket of the table, and the number of buckets. Zero is
/// no entry.
pub(super) type TldEntry = u128;

/// The most entries; there are about 1,500 top-level domains.
const MAX_ENTRIES: usize = 2048;
/// The number of places, from that of its hash on, where an entry can be.
const PROBES: usize = 4;

/// The index of the names right below the root. It is empty if the root itself has an entry.
///
/// The index leaves out names that have an entry, names without a table, long names, and those that
/// find no place: lookups of these start at the root.
pub(super) fn build(bytes: &[u8], buckets: &[Bucket], root: usize) -> Vec<TldEntry> {
    let Some(root) = Node::root(bytes, root).filter(|root| !root.has_entry()) else {
        return Vec::new();
    };
    let mut entries = Vec::new();
    let mut see =
        |first| entries.extend(record::records(bytes, first).filter_map(|r| entry(bytes, &r)));
    match root.children(bytes) {
        Some(Children::Inline(first)) => see(first),
        Some(Children::Table(table)) => table.each_list(buckets, bytes, &mut see),
        _ => {}
    }
    entries.truncate(MAX_ENTRIES);
    let mut places =
        vec![0; if entries.is_empty() { 0 } else { (4 * entries.len()).next_power_of_two() }];
    for entry in entries {
        let free = probes(entry as u64, places.len()).find(|&place| places[place] == 0);
        if let Some(place) = free {
            places[place] = entry;
        }
    }
    places
}

fn entry(bytes: &[u8], Record { label, node, .. }: &Record<'_>) -> Option<TldEntry> {
    let (word, Children::Table(table)) = (label::word(label)?, node.children(bytes)?) else {
        return None;
    };
    let plain = !node.has_tail() && !node.has_entry();
    let (start, count) = (u128::from(table.start), u128::from(table.count));
    plain.then_some(u128::from(word) | start << 64 | count << 96)
}

/// The table of the names below a label, which is given as a word.
#[inline(always)]
pub(super) fn find(index: &[TldEntry], word: u64) -> Option<Table> {
    for place in probes(word, index.len()) {
        let &entry = index.get(place)?;
        if entry as u64 == word {
            return Some(Table { start: (entry >> 64) as u32, count: (entry >> 96) as u32 });
        }
    }
    None
}

/// The places where a label can be.
#[inline(always)]
fn probes(word: u64, places: usize) -> impl Iterator<Item = usize> {
    let mask = places.wrapping_sub(1);
    let first = (word.wrapping_mul(MULTIPLIER) >> 40) as usize;
    (first..first + PROBES).map(move |place| place & mask)
}
