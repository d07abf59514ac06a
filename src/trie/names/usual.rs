//! The quick lookup of usual names: below a top-level name that has a table, the label before that of up to
//! sixteen bytes. Nearly all queries are for such names, and most that are not listed end here.
//!
//! It gives what [`NameTree::lookup_labels`] gives, to which it leaves all others. The parts are calls at the
//! end of one another, with a result that fits a register: each has few things to keep.

use super::label::{Label, WORD, word_in_room};
use super::record::{END, LABEL_LEN, LONG, Node};
use super::{NameLookup, NameTree, tld_index};
use crate::answer::AnswerId;
use crate::wire::name::MAX_NAME;

/// A name as in [`NameTree::lookup_labels`], and any bytes behind it: from each place in the name on, a word
/// can be read.
pub type NameRoom = [u8; MAX_NAME + 1 + WORD];

impl NameTree {
    /// As [`lookup_labels`](Self::lookup_labels).
    #[inline(always)]
    pub fn lookup_in_room(&self, name: &NameRoom, starts: &[u8]) -> NameLookup {
        self.lookup_usual(name, starts).unpack()
    }

    #[inline(never)]
    fn lookup_usual(&self, name: &NameRoom, starts: &[u8]) -> Packed {
        let table = top(name, starts).and_then(|word| tld_index::find(&self.tops, word));
        let (Some(table), Some(label)) = (table, second(name, starts)) else {
            return self.lookup_unusual(name, starts);
        };
        match table.find(&self.buckets, label) {
            None => Packed::NOTHING,
            Some(first) => self.lookup_in_list(first, name, starts),
        }
    }

    /// The same if the last label but one is, if anywhere, among the records from `first` on.
    #[inline(never)]
    fn lookup_in_list(&self, first: usize, name: &NameRoom, starts: &[u8]) -> Packed {
        let Some(label) = second(name, starts) else { return Packed::NOTHING };
        let Some(mut rest) = self.records.get(first..) else { return Packed::NOTHING };
        loop {
            #[cfg(test)]
            super::tests::count_step();
            let Some(&[head, flags, more]) = rest.first_chunk() else { return Packed::NOTHING };
            let len = usize::from(head & LABEL_LEN);
            let (start, end) = match head & LONG {
                0 => (2, 2 + len),
                _ => (3, 3 + usize::from(more)),
            };
            let is_long = head & LONG != 0 && more >= 0x80;
            if !is_long
                && len == label.len()
                && rest.get(start..).is_some_and(|text| label.starts_short(text))
            {
                let node = Node::new(head, flags, self.records.len() - rest.len() + start + len);
                // All of most names.
                return match node.leaf(starts.len() == 3) {
                    Some(answer) => Packed::listed(answer, 2),
                    None => self.lookup_below(node, name, starts),
                };
            }
            if head == END {
                return Packed::NOTHING;
            }
            if len == 0 || is_long {
                return self.lookup_unusual(name, starts);
            }
            let Some(next) = rest.get(end..) else { return Packed::NOTHING };
            rest = next;
        }
    }

    /// The same from the node of the last two labels on.
    #[inline(never)]
    fn lookup_below(&self, node: Node, name: &NameRoom, starts: &[u8]) -> Packed {
        Packed::new(NameLookup::of(self.walk(node, 2, name, starts)))
    }

    #[inline(never)]
    fn lookup_unusual(&self, name: &NameRoom, starts: &[u8]) -> Packed {
        Packed::new(self.lookup_labels(name, starts))
    }
}

/// The last label as a word, if it is short.
#[inline(always)]
fn top(name: &NameRoom, starts: &[u8]) -> Option<u64> {
    let &[.., start, end] = starts else { return None };
    word_in_room(name, start, end)
}

/// The last label but one, of up to sixteen bytes.
#[inline(always)]
fn second<'n>(name: &'n NameRoom, starts: &[u8]) -> Option<Label<'n>> {
    let &[.., start, end, _] = starts else { return None };
    Label::in_room(name, start, end).filter(|label| label.len() <= 2 * WORD)
}

/// A [`NameLookup`]: the answer in the lower half, above it the number of labels.
#[derive(Clone, Copy)]
struct Packed(u64);

impl Packed {
    const NOTHING: Self = Self(0);
    const EMPTY_NON_TERMINAL: Self = Self(1 << 63);

    #[inline(always)]
    fn listed(answer: AnswerId, labels: u8) -> Self {
        match answer {
            AnswerId::NONE => Self::NOTHING,
            AnswerId(answer) => Self(u64::from(answer) | u64::from(labels) << 32),
        }
    }

    fn new(found: NameLookup) -> Self {
        match found {
            NameLookup::Listed { answer, labels } => Self::listed(answer, labels),
            NameLookup::EmptyNonTerminal => Self::EMPTY_NON_TERMINAL,
            NameLookup::Nothing => Self::NOTHING,
        }
    }

    #[inline(always)]
    fn unpack(self) -> NameLookup {
        match self {
            Self(0) => NameLookup::Nothing,
            Self(all) if all as u32 == 0 => NameLookup::EmptyNonTerminal,
            Self(all) => {
                NameLookup::Listed { answer: AnswerId(all as u32), labels: (all >> 32) as u8 }
            }
        }
    }
}
