//! The names right below the root, counted: what tells a list of domains from one of other things.

use super::NameTree;
use super::record::{self, Children, Node};

/// What the last labels of the names are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TopLevel {
    /// How many there are.
    pub labels: usize,
    /// How many of them are names that have an entry of their own.
    pub alone: usize,
    /// How many of them are numbers, as no top-level domain is (RFC 3696 section 2).
    pub numbers: usize,
}

impl NameTree {
    /// Counts the last labels of all names. Walks no deeper than those.
    pub fn top_level(&self) -> TopLevel {
        let mut found = TopLevel::default();
        let bytes = &self.records;
        let root = Node::root(bytes, self.root as usize);
        let root = root.and_then(|mut root| root.take_answers(bytes).map(|_| root));
        // Damaged bytes could lead around in circles.
        let mut budget = bytes.len();
        let mut see = |start| {
            for record in record::records(bytes, start).take(budget) {
                budget -= 1;
                found.labels += 1;
                found.alone += usize::from(!record.node.has_tail() && record.node.has_entry());
                found.numbers += usize::from(record.label.iter().all(u8::is_ascii_digit));
            }
        };
        match root.and_then(|root| root.children(bytes)) {
            Some(Children::Inline(first)) => see(first),
            Some(Children::Table(table)) => table.each_list(&self.buckets, bytes, &mut see),
            _ => {}
        }
        found
    }
}
