//! Building the tree from names in canonical order.

use super::NameTree;
use super::key;
use super::label::Label;
use super::record;
use super::table::{Bucket, Table};
use super::tops;
use crate::listing::AnswerId;
use std::collections::BTreeMap;
use std::ops::Range;

/// A node with at most this many names below it holds their records inside of its own.
const INLINE_NAMES: usize = 8;
/// The mean number of records of a bucket.
const BUCKET_RECORDS: usize = 4;
/// The most records a bucket has, as long as nobody made labels to collide; more are sorted.
const MAX_BUCKET_RECORDS: u8 = 24;
/// The most bytes a name adds to the tree beside its labels: two records (its own and that of a
/// name above it) with their length, flags, answers and table, each in a bucket of its own.
pub(crate) const MAX_OVERHEAD: usize = 64;

/// Names with their entries, in canonical order and without duplicates.
///
/// Nothing in it is without effect: no exclusion where nothing is listed, and no name without an
/// entry.
#[derive(Default)]
pub(crate) struct SortedNames {
    keys: Vec<u8>,
    items: Vec<Item>,
}

struct Item {
    key_start: u32,
    itself: PackedEntry,
    below: PackedEntry,
}

/// An `Option<AnswerId>` in four bytes.
#[derive(Clone, Copy)]
struct PackedEntry(u32);

impl PackedEntry {
    const NO_ENTRY: u32 = u32::MAX;

    fn new(entry: Option<AnswerId>) -> Self {
        Self(entry.map_or(Self::NO_ENTRY, |AnswerId(id)| id))
    }

    fn get(self) -> Option<AnswerId> {
        (self.0 != Self::NO_ENTRY).then_some(AnswerId(self.0))
    }
}

impl SortedNames {
    /// For about `names` names whose keys have `key_bytes` bytes.
    pub(crate) fn with_capacity(names: usize, key_bytes: usize) -> Self {
        Self { keys: Vec::with_capacity(key_bytes), items: Vec::with_capacity(names) }
    }

    /// Appends the next name: its key, and its entries ([`AnswerId::NONE`] is an exclusion). All
    /// keys together must have less than 4 GiB.
    pub(crate) fn push(&mut self, key: &[u8], itself: Option<AnswerId>, below: Option<AnswerId>) {
        let (itself, below) = (PackedEntry::new(itself), PackedEntry::new(below));
        self.items.push(Item { key_start: self.keys.len() as u32, itself, below });
        self.keys.extend_from_slice(key);
    }

    /// The answers of all entries, in the order of the names.
    pub(crate) fn answers(&self) -> impl Iterator<Item = AnswerId> {
        self.items.iter().flat_map(|item| [item.itself, item.below]).filter_map(PackedEntry::get)
    }

    /// Gives each answer its new number.
    pub(crate) fn renumber(&mut self, numbers: &[AnswerId]) {
        for entry in self.items.iter_mut().flat_map(|item| [&mut item.itself, &mut item.below]) {
            *entry = PackedEntry::new(entry.get().map(|AnswerId(old)| numbers[old as usize]));
        }
    }

    /// The tree of these names.
    pub(crate) fn into_tree(mut self) -> NameTree {
        self.keys.shrink_to_fit();
        self.items.shrink_to_fit();
        let entries = self.items.len();
        if entries == 0 {
            return NameTree::default();
        }
        let mut root = Vec::new();
        let mut writer = Writer { names: &self, records: Vec::new(), buckets: Vec::new() };
        root.push(0);
        root[0] = writer.node(0..entries, 0, &mut root);
        let Writer { mut records, mut buckets, .. } = writer;
        let root_at = records.len();
        records.extend_from_slice(&root);
        records.extend([0; record::PADDING]);
        records.shrink_to_fit();
        buckets.shrink_to_fit();
        NameTree {
            tops: tops::of(&records, &buckets, root_at).into(),
            records: records.into(),
            buckets: buckets.into(),
            root: root_at as u32,
            entries: entries as u32,
        }
    }

    fn key(&self, index: usize) -> &[u8] {
        let start = self.items[index].key_start as usize;
        let end = self.items.get(index + 1).map_or(self.keys.len(), |next| next.key_start as usize);
        &self.keys[start..end]
    }

    /// The names from the start of `names` on whose label at `depth` is the same.
    fn first_child(&self, names: Range<usize>, depth: usize) -> Range<usize> {
        let first = &self.key(names.start)[depth..];
        let label = &first[..key::first_label_len(first)];
        let same = |&index: &usize| self.key(index)[depth..].starts_with(label);
        let others = (names.start + 1..names.end).take_while(same).count();
        names.start..names.start + 1 + others
    }
}

struct Writer<'a> {
    names: &'a SortedNames,
    records: Vec<u8>,
    buckets: Vec<Bucket>,
}

impl Writer<'_> {
    /// Appends what the node of the key with `depth` bytes has besides an edge and its flags,
    /// which are returned; `names` are those of the node itself and below it.
    fn node(&mut self, names: Range<usize>, depth: usize, out: &mut Vec<u8>) -> u8 {
        let mut below = names;
        let flags = if self.names.key(below.start).len() == depth {
            let item = &self.names.items[below.start];
            below.start += 1;
            record::write_answers(item.itself.get(), item.below.get(), out)
        } else {
            record::write_answers(None, None, out)
        };
        if below.is_empty() {
            return flags;
        }
        if below.len() <= INLINE_NAMES {
            self.children(below, depth, out);
            return record::end_children(flags, out);
        }
        let mut children = Vec::new();
        self.children(below, depth, &mut children);
        // Nearly all lookups go through the root.
        let bucket_records = if depth == 0 { 1 } else { BUCKET_RECORDS };
        let table = self.table(&children, bucket_records);
        record::write_table(flags, table, out)
    }

    /// Appends the records of all nodes right below that of the key with `depth` bytes.
    fn children(&mut self, names: Range<usize>, depth: usize, out: &mut Vec<u8>) {
        let mut left = names;
        while !left.is_empty() {
            let child = self.names.first_child(left.clone(), depth);
            left.start = child.end;
            self.child(child, depth, out);
        }
    }

    /// Appends the record of a node below that of the key with `depth` bytes.
    fn child(&mut self, names: Range<usize>, depth: usize, out: &mut Vec<u8>) {
        let first = self.names.key(names.start);
        let node_depth = match names.len() {
            1 => first.len(),
            _ => key::common_len(first, self.names.key(names.end - 1)),
        };
        let edge = &first[depth..node_depth];
        let (label, tail) = edge.split_at(key::first_label_len(edge));
        let start = record::start(out);
        let label_len = key::decode_label(label, out);
        if !tail.is_empty() {
            out.push(key::labels(tail).count() as u8);
            for label in key::labels(tail).rev() {
                let len_at = out.len();
                out.push(0);
                out[len_at] = key::decode_label(label, out) as u8;
            }
        }
        let flags = self.node(names, node_depth, out);
        record::finish(start, label_len, !tail.is_empty(), flags, out);
    }

    /// Shares out the records of a node's children to the buckets of a new table.
    fn table(&mut self, children: &[u8], bucket_records: usize) -> Table {
        let count = record::records(children, 0).count().div_ceil(bucket_records);
        let table = self.new_table(count);
        let first = table.start as usize;
        let mut places = Vec::new();
        let mut counts = vec![0_u8; count];
        // At first the sizes of the buckets, then where they start, then where their next record
        // belongs.
        let mut nexts = vec![1_u32; count];
        let mut at = 0;
        for child in record::records(children, 0) {
            let (place, bits) = table.place(Label::of(child.label));
            self.buckets[first + place as usize][1] |= bits;
            let place = place as usize;
            counts[place] = counts[place].saturating_add(1);
            nexts[place] += (child.end - at) as u32;
            places.push(place as u32);
            at = child.end;
        }
        let mut end = self.records.len() as u32;
        for (place, next) in nexts.iter_mut().enumerate() {
            if counts[place] > MAX_BUCKET_RECORDS {
                *next = record::SORTED_SIZE;
            }
            self.buckets[first + place][0] = end;
            end += std::mem::replace(next, end);
        }
        // The zero after the last record of each bucket stays.
        self.records.resize(end as usize, 0);
        let mut colliding: BTreeMap<u32, Vec<&[u8]>> = BTreeMap::new();
        let mut at = 0;
        for (child, place) in record::records(children, 0).zip(places) {
            let record = &children[at..child.end];
            at = child.end;
            if counts[place as usize] > MAX_BUCKET_RECORDS {
                colliding.entry(place).or_default().push(record);
                continue;
            }
            let next = &mut nexts[place as usize];
            self.records[*next as usize..][..record.len()].copy_from_slice(record);
            *next += record.len() as u32;
        }
        for (place, records) in colliding {
            let sorted = self.sorted_table(&records, bucket_records);
            let at = nexts[place as usize] as usize;
            record::put_sorted(sorted, &mut self.records[at..]);
        }
        table
    }

    /// A table of records whose labels collide, in their order.
    fn sorted_table(&mut self, records: &[&[u8]], bucket_records: usize) -> Table {
        let table = self.new_table(records.len().div_ceil(bucket_records));
        for (place, records) in records.chunks(bucket_records).enumerate() {
            self.buckets[table.start as usize + place] = [self.records.len() as u32, u32::MAX];
            records.iter().for_each(|record| self.records.extend_from_slice(record));
            self.records.push(0);
        }
        table
    }

    fn new_table(&mut self, count: usize) -> Table {
        let start = self.buckets.len();
        self.buckets.resize(start + count, [0, 0]);
        Table { start: start as u32, count: count as u32 }
    }
}
