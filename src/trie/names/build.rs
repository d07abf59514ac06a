//! Building the tree from names in canonical order.

use super::NameTree;
use super::key;
use super::label::Label;
use super::record;
use super::table::{Bucket, Table};
use super::tld_index;
use crate::answer::AnswerId;
use std::collections::BTreeMap;

/// A node with at most this many names below it holds their records inside of its own.
pub(super) const INLINE_NAMES: usize = 8;
/// The mean number of records of a bucket.
const BUCKET_RECORDS: usize = 4;
/// The most records a bucket has, as long as nobody made labels to collide; more are sorted.
pub(super) const MAX_BUCKET_RECORDS: u8 = 24;
/// The most bytes a name adds to the tree beside its labels: two records (its own and that of a
/// name above it) with their length, flags, answers and table, each in a bucket of its own.
pub(crate) const MAX_OVERHEAD: usize = 64;

/// Builds the tree from its names, which come in canonical order and without duplicates: what is
/// above a name is written once the names below it have come.
///
/// Nothing of it is without effect: no exclusion where nothing is listed, and no name without an
/// entry.
pub(crate) struct NameTreeBuilder {
    records: Vec<u8>,
    buckets: Vec<Bucket>,
    /// The nodes from the root to the last name.
    open: Vec<OpenNode>,
    /// The key of the last name.
    last: Vec<u8>,
    /// What a record has before its children.
    head: Vec<u8>,
    /// Memory of nodes that are written.
    spare: Vec<Vec<u8>>,
    entries: usize,
}

/// A node of which not all children are known yet.
#[derive(Default)]
struct OpenNode {
    /// The length of its key.
    depth: usize,
    itself: Option<AnswerId>,
    below: Option<AnswerId>,
    /// The records of the nodes right below it, and their number.
    children: Vec<u8>,
    count: usize,
    /// The number of names below it.
    names: usize,
}

impl Default for NameTreeBuilder {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            buckets: Vec::new(),
            open: vec![OpenNode::default()],
            last: Vec::new(),
            head: Vec::new(),
            spare: Vec::new(),
            entries: 0,
        }
    }
}

impl NameTreeBuilder {
    /// Appends the next name: its key, and its entries ([`AnswerId::NONE`] is an exclusion). All
    /// keys together must have less than 4 GiB.
    pub(crate) fn push(&mut self, key: &[u8], itself: Option<AnswerId>, below: Option<AnswerId>) {
        let common = key::common_len(&self.last, key);
        self.close(common);
        self.entries += 1;
        self.last.truncate(common);
        self.last.extend_from_slice(&key[common..]);
        if key.is_empty() {
            (self.open[0].itself, self.open[0].below) = (itself, below);
        } else {
            let children = self.spare.pop().unwrap_or_default();
            self.open.push(OpenNode {
                depth: key.len(),
                itself,
                below,
                children,
                ..OpenNode::default()
            });
        }
    }

    /// The tree of these names.
    pub(crate) fn finish(mut self) -> NameTree {
        if self.entries == 0 {
            return NameTree::default();
        }
        self.close(0);
        let Some(root) = self.open.pop() else { return NameTree::default() };
        self.spare = Vec::new();
        self.head.clear();
        // Nearly all lookups go through the root.
        let flags = self.node(&root, 1);
        let Self { mut records, mut buckets, head, entries, .. } = self;
        let root_at = records.len();
        records.push(flags);
        records.extend_from_slice(&head);
        record::write_children(flags, &root.children, &mut records);
        records.extend([0; record::PADDING]);
        records.shrink_to_fit();
        buckets.shrink_to_fit();
        NameTree {
            tlds: tld_index::build(&records, &buckets, root_at).into(),
            records: records.into(),
            buckets: buckets.into(),
            root: root_at as u32,
            entries: entries as u32,
        }
    }

    /// Writes the nodes whose keys are longer than `depth`: that much the last name has in common
    /// with the next.
    fn close(&mut self, depth: usize) {
        while let Some(node) = self.open.pop_if(|node| node.depth > depth) {
            if self.open.last().is_none_or(|above| above.depth < depth) {
                let children = self.spare.pop().unwrap_or_default();
                self.open.push(OpenNode { depth, children, ..OpenNode::default() });
            }
            self.child(node);
        }
    }

    /// Appends the record of a node to those of the one above it.
    fn child(&mut self, node: OpenNode) {
        let Some(mut above) = self.open.pop() else { return };
        let edge = &self.last[above.depth..node.depth];
        let (label, tail) = edge.split_at(key::first_label_len(edge));
        self.head.clear();
        let label_len = key::decode_label(label, &mut self.head);
        if !tail.is_empty() {
            self.head.push(key::labels(tail).count() as u8);
            for label in key::labels(tail).rev() {
                let len_at = self.head.len();
                self.head.push(0);
                self.head[len_at] = key::decode_label(label, &mut self.head) as u8;
            }
        }
        let has_tail = !tail.is_empty();
        let flags = self.node(&node, BUCKET_RECORDS);
        let (head, children) = (&self.head, &node.children);
        record::write(label_len, has_tail, flags, head, children, &mut above.children);
        above.count += 1;
        above.names += node.names + usize::from(node.itself.is_some() || node.below.is_some());
        self.open.push(above);
        let mut children = node.children;
        if children.capacity() > 0 {
            children.clear();
            self.spare.push(children);
        }
    }

    /// Appends to `head` what a node says, and where its children are unless they are inside of its
    /// own record; its flags.
    fn node(&mut self, node: &OpenNode, bucket_records: usize) -> u8 {
        let flags = record::write_answers(node.itself, node.below, &mut self.head);
        match node.names {
            0 => flags,
            1..=INLINE_NAMES => record::inline(flags),
            _ => {
                let table = self.table(&node.children, node.count, bucket_records);
                record::write_table(flags, table, &mut self.head)
            }
        }
    }

    /// Shares out the records of a node's children, so many, to the buckets of a new table.
    fn table(&mut self, children: &[u8], records: usize, bucket_records: usize) -> Table {
        let count = records.div_ceil(bucket_records);
        let table = self.new_table(count);
        let first = table.start as usize;
        let mut places = Vec::with_capacity(records);
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
