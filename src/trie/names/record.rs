//! The bytes of the tree's nodes: reading and writing one of them. [`super`] has the byte map.
//! One unit with `table.rs`: records have tables, and tables lead to records.
//!
//! Reading is safe for any bytes: what makes no sense ends a walk, and every step goes forward.

use super::label::Label;
use super::table::{Bucket, Table};
use crate::answer::AnswerId;

/// Bit of the first byte: the length of the rest of the record follows.
const LONG: u8 = 0x80;
/// Bit of the first byte: the edge has more labels.
const TAIL: u8 = 0x40;
/// The bits of the first byte with the length of the first label.
const LABEL_LEN: u8 = 0x3f;

/// What is said about the name itself (bits 0-1 of the flags) or below it (bits 2-3).
const NO_ENTRY: u8 = 0;
const EXCLUDED: u8 = 1;
const ANSWERED: u8 = 2;
/// Below it: the same answer as the name itself.
const SAME_ANSWER: u8 = 3;
const SAID: u8 = 15;

const INLINE: u8 = 1 << 4;
const TABLE: u8 = 2 << 4;
const CHILDREN: u8 = 3 << 4;

/// The high two bits of the flags are the number less 1 of the only answer, or this if the
/// numbers of all answers follow.
const ANSWERS_FOLLOW: u8 = 3;

/// The length byte and the flags of a record.
const HEAD: usize = 2;

/// The end of a list of records: no label is empty, so that no record starts like this.
const END: u8 = 0;
/// In place of a list: where the table is that has the records in the order of their labels.
const SORTED: u8 = TAIL;

/// So many zeros close the records: a lookup reads as much at once.
pub(super) const PADDING: usize = 16;

/// One record, its labels not yet compared to anything.
pub(super) struct Record<'a> {
    /// The first label of the edge, that nearest to the root.
    pub(super) label: &'a [u8],
    /// What comes after it.
    pub(super) node: Node,
    /// The end of the record.
    pub(super) end: usize,
}

/// A node whose first label was read.
#[derive(Clone, Copy)]
pub(super) struct Node {
    head: u8,
    flags: u8,
    /// See [`at`](Self::at); there are less than 4 GiB of records. So a node fits a register.
    at: u32,
}

/// What the node of a name holds: the answer of the name itself, and that of all names below it.
#[derive(Clone, Copy)]
pub(super) struct NodeEntry {
    pub(super) itself: Option<AnswerId>,
    pub(super) below: Option<AnswerId>,
}

/// Where the records of the nodes below a node are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Children {
    None,
    /// From here on.
    Inline(usize),
    Table(Table),
}

/// The records from `at` on, up to the end of their list.
pub(super) fn records(bytes: &[u8], at: usize) -> impl Iterator<Item = Record<'_>> {
    let mut at = at;
    std::iter::from_fn(move || {
        let record = read(bytes, at)?;
        at = record.end;
        Some(record)
    })
}

/// The record at `at`; `None` at the end of a list or of the bytes.
pub(super) fn read(bytes: &[u8], at: usize) -> Option<Record<'_>> {
    let &[head, flags] = bytes.get(at..)?.first_chunk()?;
    if head & LABEL_LEN == 0 {
        return None;
    }
    let mut label_at = at + HEAD;
    let rest = if head & LONG == 0 { None } else { Some(varint(bytes, &mut label_at)? as usize) };
    let len = usize::from(head & LABEL_LEN);
    let label = bytes.get(label_at..label_at + len)?;
    let node = Node::new(head, flags, label_at + len);
    Some(Record { label, node, end: label_at + rest.unwrap_or(len) })
}

/// The table that has the records in order, if there is one at `at` in place of the records.
#[inline]
pub(super) fn sorted(bytes: &[u8], at: usize) -> Option<Table> {
    (*bytes.get(at)? == SORTED).then(|| read_table(bytes, at + 1)).flatten()
}

/// The node of the first of the records from `at` on with this label.
///
/// The inner loop of every lookup: of the other records it only finds the end.
#[inline(always)]
pub(super) fn find(bytes: &[u8], buckets: &[Bucket], at: usize, label: Label<'_>) -> Option<Node> {
    let mut at = at;
    loop {
        #[cfg(test)]
        super::tests::count_step();
        let &[head, flags, rest] = bytes.get(at..)?.first_chunk()?;
        let len = usize::from(head & LABEL_LEN);
        let (label_at, end) = match (head & LONG, rest) {
            (0, _) => (at + HEAD, at + HEAD + len),
            (_, 0..0x80) => (at + HEAD + 1, at + HEAD + 1 + usize::from(rest)),
            _ => {
                let mut label_at = at + HEAD;
                let rest = varint(bytes, &mut label_at)? as usize;
                (label_at, label_at + rest)
            }
        };
        if len == label.len() && label.starts(bytes.get(label_at..)?) {
            return Some(Node::new(head, flags, label_at + len));
        }
        if len == 0 {
            return find_sorted(bytes, buckets, at, label.bytes());
        }
        at = end;
    }
}

/// Where a list ends, or a table is in its place: the node in that.
#[cold]
fn find_sorted(bytes: &[u8], buckets: &[Bucket], at: usize, label: &[u8]) -> Option<Node> {
    let first = sorted(bytes, at)?.find_sorted(buckets, bytes, label)?;
    records(bytes, first).find(|record| record.label == label).map(|record| record.node)
}

#[inline(always)]
fn read_table(bytes: &[u8], at: usize) -> Option<Table> {
    let &[a, b, c, d, e, f, g, h] = bytes.get(at..)?.first_chunk()?;
    let start = u32::from_le_bytes([a, b, c, d]);
    Some(Table { start, count: u32::from_le_bytes([e, f, g, h]) })
}

impl Node {
    /// The node at `at` that has no edge.
    #[inline(always)]
    pub(super) fn root(bytes: &[u8], at: usize) -> Option<Self> {
        Some(Self::new(0, *bytes.get(at)?, at + 1))
    }

    #[inline(always)]
    pub(super) fn new(head: u8, flags: u8, at: usize) -> Self {
        Self { head, flags, at: at as u32 }
    }

    /// Where the node goes on: if it [has a tail](Self::has_tail), with that.
    #[inline(always)]
    pub(super) fn at(self) -> usize {
        self.at as usize
    }

    /// The same node past its tail, which ends at `at`.
    #[inline(always)]
    pub(super) fn behind_tail(self, at: usize) -> Self {
        Self { at: at as u32, ..self }
    }

    /// Whether the edge has more labels: then their number is at `at`, and the labels after it.
    #[inline(always)]
    pub(super) fn has_tail(self) -> bool {
        self.head & TAIL != 0
    }

    /// The answer of a name that ends at a usual leaf, or goes on there; `None` if the node says more, or
    /// nothing of a name that ends there.
    #[inline(always)]
    pub(super) fn leaf(self, ends: bool) -> Option<AnswerId> {
        let number = self.flags >> 6;
        if self.head & TAIL != 0 || self.flags & CHILDREN != 0 || number == ANSWERS_FOLLOW {
            return None;
        }
        let said = if ends { self.flags & 3 } else { self.flags >> 2 & 3 };
        match said {
            ANSWERED.. => Some(AnswerId(u32::from(number) + 1)),
            _ if ends => None,
            _ => Some(AnswerId::NONE),
        }
    }

    /// True if the name or those below it have an entry.
    #[inline(always)]
    pub(super) fn has_entry(self) -> bool {
        self.flags & SAID != 0
    }

    /// What is said, once `at` is past the edge; `at` is then past that.
    #[inline(always)]
    pub(super) fn take_answers(&mut self, bytes: &[u8]) -> Option<NodeEntry> {
        let (itself, below) = (self.flags & 3, self.flags >> 2 & 3);
        if self.flags >> 6 == ANSWERS_FOLLOW {
            return self.read_answers(itself, below, bytes);
        }
        let only = AnswerId(u32::from(self.flags >> 6) + 1);
        let entry = |said| match said {
            NO_ENTRY => None,
            EXCLUDED => Some(AnswerId::NONE),
            _ => Some(only),
        };
        Some(NodeEntry { itself: entry(itself), below: entry(below) })
    }

    fn read_answers(&mut self, itself: u8, below: u8, bytes: &[u8]) -> Option<NodeEntry> {
        let mut at = self.at();
        let mut entry = |said| {
            Some(match said {
                NO_ENTRY => None,
                EXCLUDED => Some(AnswerId::NONE),
                _ => Some(AnswerId(varint(bytes, &mut at)?)),
            })
        };
        let itself = entry(itself)?;
        let below = if below == SAME_ANSWER { itself } else { entry(below)? };
        self.at = at as u32;
        Some(NodeEntry { itself, below })
    }

    /// Where its children are, once `at` is past the answers.
    #[inline(always)]
    pub(super) fn children(self, bytes: &[u8]) -> Option<Children> {
        Some(match self.flags & CHILDREN {
            TABLE => Children::Table(read_table(bytes, self.at())?),
            INLINE => Children::Inline(self.at()),
            _ => Children::None,
        })
    }
}

/// Appends the answers of a node; its flags, of a node without children.
pub(super) fn write_answers(
    itself: Option<AnswerId>,
    below: Option<AnswerId>,
    out: &mut Vec<u8>,
) -> u8 {
    let state = |entry| match entry {
        None => NO_ENTRY,
        Some(AnswerId::NONE) => EXCLUDED,
        Some(_) => ANSWERED,
    };
    let below_state = match (itself, below) {
        (Some(itself), Some(below)) if itself == below && below.is_listed() => SAME_ANSWER,
        _ => state(below),
    };
    let said = state(itself) | below_state << 2;
    let answers = [itself, below.filter(|_| below_state == ANSWERED)];
    let mut answers = answers.into_iter().flatten().filter(|answer| answer.is_listed());
    match (answers.next(), answers.next()) {
        (None, _) => said,
        (Some(AnswerId(only)), None) if only <= u32::from(ANSWERS_FOLLOW) => {
            said | (only as u8 - 1) << 6
        }
        (first, second) => {
            [first, second].into_iter().flatten().for_each(|AnswerId(id)| write_varint(id, out));
            said | ANSWERS_FOLLOW << 6
        }
    }
}

/// The size of what [`put_sorted`] writes.
pub(super) const SORTED_SIZE: u32 = 9;

/// Puts a table in place of a list of records.
pub(super) fn put_sorted(table: Table, out: &mut [u8]) {
    let mut bytes = vec![SORTED];
    put_table(table, &mut bytes);
    out[..bytes.len()].copy_from_slice(&bytes);
}

/// The flags of a node whose children are inside of its own record.
pub(super) fn inline(flags: u8) -> u8 {
    flags | INLINE
}

/// Appends the records of a node's children if they are inside of its own.
pub(super) fn write_children(flags: u8, children: &[u8], out: &mut Vec<u8>) {
    if flags & CHILDREN == INLINE {
        out.extend_from_slice(children);
        out.push(END);
    }
}

/// Appends where the table of a node's children is; the flags of the node.
pub(super) fn write_table(flags: u8, table: Table, out: &mut Vec<u8>) -> u8 {
    put_table(table, out);
    flags | TABLE
}

fn put_table(table: Table, out: &mut Vec<u8>) {
    out.extend_from_slice(&table.start.to_le_bytes());
    out.extend_from_slice(&table.count.to_le_bytes());
}

/// Appends a record: `head` is all from its first label on up to its children.
pub(super) fn write(
    label_len: usize,
    tail: bool,
    flags: u8,
    head: &[u8],
    children: &[u8],
    out: &mut Vec<u8>,
) {
    let long = tail || flags & CHILDREN != 0 || flags >> 6 == ANSWERS_FOLLOW;
    let bits = if tail { TAIL } else { 0 } | if long { LONG } else { 0 };
    out.extend([label_len as u8 | bits, flags]);
    if long {
        let inside = if flags & CHILDREN == INLINE { children.len() + 1 } else { 0 };
        write_varint((head.len() + inside) as u32, out);
    }
    out.extend_from_slice(head);
    write_children(flags, children, out);
}

/// A number in seven bits per byte, the lowest first; the high bit says that more follow.
#[inline(always)]
fn varint(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let first = *bytes.get(*at)?;
    *at += 1;
    if first < 0x80 { Some(u32::from(first)) } else { long_varint(bytes, first, at) }
}

#[cold]
fn long_varint(bytes: &[u8], first: u8, at: &mut usize) -> Option<u32> {
    let mut number = u32::from(first & 0x7f);
    for shift in [7, 14, 21, 28] {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn write_varint(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 16_383, 16_384, 1 << 21, 1 << 28, u32::MAX] {
            let mut bytes = Vec::new();
            write_varint(number, &mut bytes);
            let mut at = 0;
            assert_eq!(varint(&bytes, &mut at), Some(number));
            assert_eq!(at, bytes.len());
        }
        assert_eq!(varint(&[0x80; 9], &mut 0), None);
    }

    #[test]
    fn entries_come_back_and_common_ones_take_one_byte() {
        let entries = [None, Some(AnswerId::NONE), Some(AnswerId(1)), Some(AnswerId(3))];
        let entries =
            entries.into_iter().chain([4, 200, u32::MAX - 1].map(|id| Some(AnswerId(id))));
        for itself in entries.clone() {
            for below in entries.clone() {
                let mut bytes = Vec::new();
                let flags = write_answers(itself, below, &mut bytes);
                let mut node = Node::new(0, flags, 0);
                let said = node.take_answers(&bytes).unwrap();
                assert_eq!((said.itself, said.below), (itself, below));
                assert_eq!((node.at(), node.children(&bytes)), (bytes.len(), Some(Children::None)));
                assert_eq!(node.has_entry(), itself.is_some() || below.is_some());
                assert_eq!(bytes.is_empty(), flags >> 6 != ANSWERS_FOLLOW);
            }
        }
        let mut bytes = Vec::new();
        write_answers(Some(AnswerId(2)), Some(AnswerId(2)), &mut bytes);
        assert!(bytes.is_empty());
    }
}
