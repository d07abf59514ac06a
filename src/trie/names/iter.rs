//! Walking a tree in canonical order.

use super::NameTree;
use super::label::Label;
use super::record::{self, Children, Node, NodeEntry};
use crate::answer::AnswerId;
use crate::wire::name::{MAX_NAME, NameBuf};

/// What a listing says about a name and those below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameEntry {
    /// The name, in lower case, relative to the zone.
    pub name: NameBuf,
    /// What the name itself gives; [`AnswerId::NONE`] is an exclusion.
    pub itself: Option<AnswerId>,
    /// What all names below it give; [`AnswerId::NONE`] is an exclusion.
    pub below: Option<AnswerId>,
}

/// An iterator over the names that have an entry, see [`NameTree::iter`].
pub struct Iter<'a> {
    tree: &'a NameTree,
    root: Option<NodeEntry>,
    /// The records still to come, the next one last.
    pending: Vec<Pending>,
    /// The name of the record before, at the end; those of its parents are the ends of it.
    name: [u8; MAX_NAME],
    /// How many records may still be read: damaged bytes could lead around in circles.
    budget: usize,
    /// The name whose way through the tree is gone alone.
    along: Option<NameBuf>,
}

#[derive(Clone, Copy)]
struct Pending {
    /// The first bytes of the label, to compare without reading it.
    prefix: [u8; 8],
    at: u32,
    /// The length of the parent's name in wire form.
    parent_len: u8,
}

impl<'a> Iter<'a> {
    pub(super) fn new(tree: &'a NameTree) -> Self {
        Self::start(tree, None)
    }

    /// Goes the way of one name alone, and through what is below it.
    pub(super) fn along(tree: &'a NameTree, name: &NameBuf) -> Self {
        Self::start(tree, Some(name.clone()))
    }

    fn start(tree: &'a NameTree, along: Option<NameBuf>) -> Self {
        let bytes = &tree.records;
        let root = Node::root(bytes, tree.root as usize);
        let root = root.and_then(|mut root| Some((root.take_answers(bytes)?, root)));
        let budget = tree.records.len();
        let said = root.map(|(said, _)| said);
        let name = [0; MAX_NAME];
        let mut iter = Self { tree, root: said, pending: Vec::new(), name, budget, along };
        if let Some(children) = root.and_then(|(_, root)| root.children(bytes)) {
            iter.push(children, 1);
        }
        iter
    }

    /// Adds the records of a node's children to those to come.
    fn push(&mut self, children: Children, parent_len: u8) {
        if let Some(label) = self.label_below(parent_len) {
            return self.push_child(children, &label, parent_len);
        }
        let first = self.pending.len();
        match children {
            Children::None => {}
            Children::Inline(start) => self.push_records(start, parent_len),
            Children::Table(table) => {
                let tree = self.tree;
                let mut see = |start| self.push_records(start, parent_len);
                table.each_list(&tree.buckets, &tree.records, &mut see);
            }
        }
        let label = |pending: &Pending| {
            record::read(&self.tree.records, pending.at as usize).map(|record| record.label)
        };
        self.pending[first..]
            .sort_unstable_by(|a, b| b.prefix.cmp(&a.prefix).then_with(|| label(b).cmp(&label(a))));
    }

    /// The label that the way of the name goes on with below one of its parents.
    fn label_below(&self, parent_len: u8) -> Option<Vec<u8>> {
        let name = self.along.as_ref()?.as_wire();
        let above = name.len().checked_sub(usize::from(parent_len))?;
        let mut at = 0;
        while at < above {
            let next = at + 1 + usize::from(name[at]);
            if next == above {
                return Some(name[at + 1..next].to_vec());
            }
            at = next;
        }
        None
    }

    /// Adds the record of one child to those to come.
    fn push_child(&mut self, children: Children, label: &[u8], parent_len: u8) {
        let (bytes, buckets) = (&self.tree.records, &self.tree.buckets);
        let first = match children {
            Children::None => None,
            Children::Inline(start) => Some(start),
            Children::Table(table) => {
                let first = table.find(buckets, Label::of(label));
                first.and_then(|first| match record::sorted(bytes, first) {
                    None => Some(first),
                    Some(table) => table.find_sorted(buckets, bytes, label),
                })
            }
        };
        let mut at = first.unwrap_or(bytes.len());
        for record in record::records(bytes, at).take(self.budget) {
            if record.label == label {
                self.pending.push(Pending { prefix: [0; 8], at: at as u32, parent_len });
            }
            self.budget -= 1;
            at = record.end;
        }
    }

    /// True if a name is on the way of the name that is looked for, or below that.
    fn is_along(&self, len: u8) -> bool {
        let Some(wanted) = &self.along else { return true };
        let name = NameBuf::from_wire(&self.name[MAX_NAME - usize::from(len)..]);
        name.is_some_and(|name| {
            name.labels_before(wanted).is_some() || wanted.labels_before(&name).is_some()
        })
    }

    fn push_records(&mut self, start: usize, parent_len: u8) {
        let mut at = start;
        for record in record::records(&self.tree.records, start).take(self.budget) {
            let mut prefix = [0; 8];
            let len = record.label.len().min(prefix.len());
            prefix[..len].copy_from_slice(&record.label[..len]);
            self.pending.push(Pending { prefix, at: at as u32, parent_len });
            self.budget -= 1;
            at = record.end;
        }
    }

    /// The node of a record, after its name was put in place; `None` if it makes no sense.
    fn enter(&mut self, pending: Pending) -> Option<(NodeEntry, Children, u8)> {
        let bytes = &self.tree.records;
        let record = record::read(bytes, pending.at as usize)?;
        let mut start = MAX_NAME - usize::from(pending.parent_len);
        let mut prepend = |part: &[u8]| {
            let end = start;
            start = start.checked_sub(part.len())?;
            self.name[start..end].copy_from_slice(part);
            Some(())
        };
        prepend(record.label)?;
        prepend(&[record.label.len() as u8])?;
        let mut node = record.node;
        if node.has_tail() {
            let mut at = node.at();
            at += 1;
            let tail_start = at;
            for _ in 0..*bytes.get(node.at())? {
                at += 1 + usize::from(*bytes.get(at)?);
            }
            prepend(bytes.get(tail_start..at)?)?;
            node = node.behind_tail(at);
        }
        let len = (MAX_NAME - start) as u8;
        Some((node.take_answers(bytes)?, node.children(bytes)?, len))
    }

    fn entry(&self, said: NodeEntry, len: u8) -> Option<NameEntry> {
        if said.itself.is_none() && said.below.is_none() {
            return None;
        }
        let name = NameBuf::from_wire(&self.name[MAX_NAME - usize::from(len)..])?;
        Some(NameEntry { name, itself: said.itself, below: said.below })
    }
}

impl Iterator for Iter<'_> {
    type Item = NameEntry;

    fn next(&mut self) -> Option<NameEntry> {
        if let Some(entry) = self.root.take().and_then(|root| self.entry(root, 1)) {
            return Some(entry);
        }
        while let Some(pending) = self.pending.pop() {
            let Some((said, children, len)) = self.enter(pending) else { continue };
            if !self.is_along(len) {
                continue;
            }
            self.push(children, len);
            if let Some(entry) = self.entry(said, len) {
                return Some(entry);
            }
        }
        None
    }
}

impl<'a> IntoIterator for &'a NameTree {
    type Item = NameEntry;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
