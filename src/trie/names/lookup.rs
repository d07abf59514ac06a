//! The lookup of a name.
//!
//! Nearly all queries are for a name below a top-level domain that is in the index, and most that are
//! not listed end at the filter of its second-level label. The steps of their way are calls in tail
//! position, with results that fit a register, so that each keeps few values.

use super::label::{Label, WORD, word_in};
use super::record::{Children, Node};
use super::table::Table;
use super::{NameTree, record, tld_index};
use crate::answer::AnswerId;
use crate::wire::name::{LabelStarts, PaddedName};

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

/// The entry that decides about a name: its answer, and the number of labels of its name.
#[derive(Clone, Copy)]
struct Deciding {
    answer: AnswerId,
    labels: u8,
}

/// How much is listed below a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Coverage {
    Nothing,
    Some,
    All,
}

/// How the labels of an edge after its first compare with the next ones of a name.
enum Tail {
    /// They are equal: so many labels, and the node goes on there.
    Whole { labels: usize, at: usize },
    /// The name ends inside of the edge: there is something below it.
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
        let found = with_starts(name, |name, starts| self.lookup_labels(name, starts));
        found.unwrap_or(NameLookup::Nothing)
    }

    /// [`lookup`](Self::lookup) for a name whose label starts are known: `starts` has the position of
    /// each label and of the final zero.
    #[inline(never)]
    pub fn lookup_labels(&self, name: &PaddedName, starts: &[u8]) -> NameLookup {
        let Some(table) =
            top_level(name, starts).and_then(|word| tld_index::find(&self.tlds, word))
        else {
            return self.lookup_from_root(name, starts);
        };
        match second_level(name, starts) {
            None => self.lookup_from_root(name, starts),
            Some(label) if label.len() > 2 * WORD => self.lookup_long(table, name, starts),
            Some(label) => match table.find(&self.buckets, label) {
                None => NameLookup::Nothing,
                Some(first) => self.lookup_in_list(first, name, starts),
            },
        }
    }

    /// The lookup of a name whose second-level label, of up to sixteen bytes, is among the records from
    /// `first` on if it is anywhere.
    #[inline(never)]
    fn lookup_in_list(&self, first: usize, name: &PaddedName, starts: &[u8]) -> NameLookup {
        let label = second_level(name, starts).filter(|label| label.len() <= 2 * WORD);
        let Some(label) = label else { return NameLookup::Nothing };
        let found = record::find(&self.records, &self.buckets, first, label);
        let Some(node) = found else { return NameLookup::Nothing };
        // The node of most names is a leaf.
        match node.leaf(starts.len() == 3) {
            Some(AnswerId::NONE) => NameLookup::Nothing,
            Some(answer) => NameLookup::Listed { answer, labels: 2 },
            None => self.lookup_below(node, name, starts),
        }
    }

    /// The lookup of a name with a longer second-level label, which is in this table if anywhere.
    #[inline(never)]
    fn lookup_long(&self, table: Table, name: &PaddedName, starts: &[u8]) -> NameLookup {
        let label = second_level(name, starts);
        match label.and_then(|label| self.find(table, label)) {
            None => NameLookup::Nothing,
            Some(node) => self.lookup_below(node, name, starts),
        }
    }

    /// The lookup from the node of the last two labels on.
    #[inline(never)]
    fn lookup_below(&self, node: Node, name: &PaddedName, starts: &[u8]) -> NameLookup {
        NameLookup::of(self.walk(node, 2, name, starts))
    }

    #[inline(never)]
    fn lookup_from_root(&self, name: &PaddedName, starts: &[u8]) -> NameLookup {
        NameLookup::of(self.walk_from_root(name, starts))
    }

    /// True if a name below this one is listed, or all would be, whether the name itself is
    /// listed or not.
    pub fn lists_below(&self, name: &[u8]) -> bool {
        self.coverage_below(name) != Coverage::Nothing
    }

    /// True if every name below this one is listed.
    pub fn covers_below(&self, name: &[u8]) -> bool {
        self.coverage_below(name) == Coverage::All
    }

    fn coverage_below(&self, name: &[u8]) -> Coverage {
        let found = with_starts(name, |name, starts| self.walk_from_root(name, starts)).flatten();
        found.map_or(Coverage::Nothing, |(_, below)| below)
    }

    /// The node of a label in a table.
    #[inline(always)]
    fn find(&self, table: Table, label: Label<'_>) -> Option<Node> {
        let first = table.find(&self.buckets, label)?;
        record::find(&self.records, &self.buckets, first, label)
    }

    fn walk_from_root(&self, name: &PaddedName, starts: &[u8]) -> Option<(Deciding, Coverage)> {
        self.walk(Node::root(&self.records, self.root as usize)?, 0, name, starts)
    }

    /// The entry that decides about a name, and what is listed below the name, from the node on that
    /// the last `taken` labels lead to. The tail of the node is not yet compared, and no name above it
    /// has an entry. `None` only if the name or the tree is damaged.
    fn walk(
        &self,
        node: Node,
        taken: usize,
        name: &PaddedName,
        starts: &[u8],
    ) -> Option<(Deciding, Coverage)> {
        let bytes = &self.records[..];
        let count = starts.len();
        let mut node = node;
        let mut starts = starts.get(..count.checked_sub(taken)?)?;
        let mut found = Deciding { answer: AnswerId::NONE, labels: 0 };
        loop {
            if node.has_tail() {
                match self.tail(node.at(), name, starts)? {
                    Tail::Whole { labels, at } => {
                        starts = starts.get(..starts.len() - labels)?;
                        node = node.behind_tail(at);
                    }
                    Tail::Inside => return Some((found, Coverage::Some)),
                    Tail::Other => break,
                }
            }
            let entry = node.take_answers(bytes)?;
            let labels = (count - starts.len()) as u8;
            let below = entry.below.map_or(found, |answer| Deciding { answer, labels });
            let &[.., start, end] = starts else {
                found = entry.itself.map_or(found, |answer| Deciding { answer, labels });
                // A listing has no exclusion where nothing is listed, so the first name on any way
                // down from here is listed.
                let below = match node.children(bytes)? {
                    Children::None => Coverage::of_leaf(below),
                    _ => Coverage::Some,
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
        Some((found, Coverage::of_leaf(found)))
    }

    /// Compares the tail at `at` with the last labels of the name that are left.
    #[inline(always)]
    fn tail(&self, at: usize, name: &PaddedName, starts: &[u8]) -> Option<Tail> {
        let (&count, tail) = self.records.get(at..)?.split_first()?;
        let (&end, starts) = starts.split_last()?;
        let labels = usize::from(count);
        let Some(left) = starts.len().checked_sub(labels) else {
            let inside = is_inside(&name[..usize::from(end)], tail, labels - starts.len());
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
    fn of(found: Option<(Deciding, Coverage)>) -> Self {
        match found {
            Some((Deciding { answer, labels }, _)) if answer.is_listed() => {
                Self::Listed { answer, labels }
            }
            Some((_, Coverage::Some | Coverage::All)) => Self::EmptyNonTerminal,
            _ => Self::Nothing,
        }
    }
}

impl Coverage {
    /// Where the tree ends.
    fn of_leaf(found: Deciding) -> Self {
        if found.answer.is_listed() { Self::All } else { Self::Nothing }
    }
}

/// The top-level label as a word, if it is short.
#[inline(always)]
fn top_level(name: &PaddedName, starts: &[u8]) -> Option<u64> {
    let &[.., start, end] = starts else { return None };
    word_in(name, start, end)
}

/// The second-level label.
#[inline(always)]
fn second_level<'n>(name: &'n PaddedName, starts: &[u8]) -> Option<Label<'n>> {
    let &[.., start, end, _] = starts else { return None };
    Label::within(name, usize::from(start) + 1, usize::from(end))
}

/// Calls `look` with a padded copy of a name and its label starts; `None` if it is no name.
fn with_starts<T>(name: &[u8], look: impl FnOnce(&PaddedName, &[u8]) -> T) -> Option<T> {
    let mut labels = LabelStarts::default();
    let len = labels.read(name)?;
    let mut padded = [0; size_of::<PaddedName>()];
    padded[..len].copy_from_slice(&name[..len]);
    Some(look(&padded, labels.as_slice()))
}

/// True if all labels of a name follow after the first `before` of a tail.
fn is_inside(name: &[u8], tail: &[u8], before: usize) -> bool {
    let mut tail = tail;
    for _ in 0..before {
        let skip = tail.first().map_or(0, |&len| 1 + usize::from(len));
        tail = tail.get(skip..).unwrap_or(&[]);
    }
    tail.starts_with(name)
}
