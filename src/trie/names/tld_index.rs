//! The way to the table of a top-level name at once.
//!
//! Nearly all names of a list end in one of a few labels, and nearly every query would go the same
//! way through their records first. This is a hash table of them, by the bytes of the label.

use super::label::{self, MULTIPLIER};
use super::record::{self, Children, Node, Record};
use super::table::{Bucket, Table};

/// An entry: the label as a word, the first bucket of the table, and the number of buckets. Zero is
/// no entry.
pub(super) type Top = u128;

/// The most entries; there are about 1,500 top-level domains.
const MAX_TOPS: usize = 2048;
/// The number of places, from that of its hash on, where an entry can be.
const PROBES: usize = 4;

/// The entries for the names right below the root. If anything is said of the root itself, there are
/// none.
///
/// Left out are names that something is said of, those without a table, long ones, and those that
/// find no place: queries for them start at the root.
pub(super) fn of(bytes: &[u8], buckets: &[Bucket], root: usize) -> Vec<Top> {
    let Some(root) = Node::root(bytes, root).filter(|root| !root.says_something()) else {
        return Vec::new();
    };
    let mut tops = Vec::new();
    let mut see = |first| tops.extend(record::records(bytes, first).filter_map(|r| top(bytes, &r)));
    match root.children(bytes) {
        Some(Children::Inline(first)) => see(first),
        Some(Children::Table(table)) => table.each_list(buckets, bytes, &mut see),
        _ => {}
    }
    tops.truncate(MAX_TOPS);
    let mut places =
        vec![0; if tops.is_empty() { 0 } else { (4 * tops.len()).next_power_of_two() }];
    for top in tops {
        let free = probes(top as u64, places.len()).find(|&place| places[place] == 0);
        if let Some(place) = free {
            places[place] = top;
        }
    }
    places
}

fn top(bytes: &[u8], Record { label, node, .. }: &Record<'_>) -> Option<Top> {
    let (word, Children::Table(table)) = (label::word(label)?, node.children(bytes)?) else {
        return None;
    };
    let plain = !node.has_tail() && !node.says_something();
    let (start, count) = (u128::from(table.start), u128::from(table.count));
    plain.then_some(u128::from(word) | start << 64 | count << 96)
}

/// The table of the names below a label, which is given as a word.
#[inline(always)]
pub(super) fn find(tops: &[Top], word: u64) -> Option<Table> {
    for place in probes(word, tops.len()) {
        let &top = tops.get(place)?;
        if top as u64 == word {
            return Some(Table { start: (top >> 64) as u32, count: (top >> 96) as u32 });
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
