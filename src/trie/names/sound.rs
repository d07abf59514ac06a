//! Whether the bytes of a tree that somebody else wrote can keep a lookup busy.

use super::NameTree;
use super::build::{INLINE_NAMES, MAX_BUCKET_RECORDS};
use super::record::{self, Children, Node};

impl NameTree {
    /// True if no lookup looks at more records than in a tree that was built here, and no walk at a record
    /// twice. Looks at each record and each bucket once.
    ///
    /// A lookup goes on by a label of the name at each record. So nothing but the length of a list can
    /// make it long: those in buckets, whatever leads there, and those inside of records.
    pub fn is_sound(&self) -> bool {
        let mut sight = Sight { bytes: &self.records, left: self.records.len() };
        let root = Node::root(&self.records, self.root as usize);
        root.is_none_or(|mut root| sight.node(&mut root, 0))
            && self.buckets.iter().all(|&[start, _]| {
                let start = start as usize;
                record::sorted(&self.records, start).is_some()
                    || sight.list(start, MAX_BUCKET_RECORDS.into(), 0)
            })
    }
}

struct Sight<'a> {
    bytes: &'a [u8],
    /// How many records may still be looked at: each takes some bytes of its own.
    left: usize,
}

impl Sight<'_> {
    /// Looks at the records from `start` on, of which there may be so many; `depth` is how many records
    /// they are inside of.
    fn list(&mut self, start: usize, most: usize, depth: usize) -> bool {
        // Each list inside of a record has a name less to share out.
        if depth > INLINE_NAMES {
            return false;
        }
        for (record, count) in record::records(self.bytes, start).zip(1..) {
            if count > most || self.left == 0 {
                return false;
            }
            self.left -= 1;
            let mut node = record.node;
            if node.has_tail() {
                let Some(end) = self.tail_end(node.at()) else { continue };
                node = node.behind_tail(end);
            }
            if !self.node(&mut node, depth) {
                return false;
            }
        }
        true
    }

    /// Looks at the records inside of a node's.
    fn node(&mut self, node: &mut Node, depth: usize) -> bool {
        let children = node.take_answers(self.bytes).and_then(|_| node.children(self.bytes));
        match children {
            Some(Children::Inline(start)) => self.list(start, INLINE_NAMES, depth + 1),
            _ => true,
        }
    }

    fn tail_end(&self, at: usize) -> Option<usize> {
        let mut end = at + 1;
        for _ in 0..*self.bytes.get(at)? {
            end += 1 + usize::from(*self.bytes.get(end)?);
        }
        Some(end)
    }
}
