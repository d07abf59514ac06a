//! The bytes of the tree's nodes: reading and writing one of them. [`super`] has the byte map.
//!
//! Reading is safe for any bytes: what makes no sense ends a walk, and every step goes forward.

use crate::listing::AnswerId;

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

/// The end of a bucket: no label is empty.
const END_OF_BUCKET: u8 = 0;

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
    flags: u8,
    /// True if the edge has more labels: then their number is at `at`, and the labels after it.
    pub(super) tail: bool,
    /// Where the node goes on.
    pub(super) at: usize,
    /// The end of the records of its children, if they are inline.
    end: usize,
}

/// What a node says about its name, and what is below it.
pub(super) struct Body {
    pub(super) itself: Option<AnswerId>,
    pub(super) below: Option<AnswerId>,
    pub(super) children: Children,
}

/// Where the records of the nodes below a node are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Children {
    None,
    /// From here to the end of the node's record.
    Inline {
        start: usize,
        end: usize,
    },
    Table(Table),
}

/// The buckets of a node with many names below it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    /// The index of the first bucket.
    pub(super) start: u32,
    /// The number of buckets.
    pub(super) count: u32,
    /// The seed of the hash that chooses a bucket.
    pub(super) seed: u8,
}

impl Table {
    /// The bucket of a label, as an index of the tree's buckets.
    #[inline]
    pub(super) fn bucket(self, label: &[u8]) -> usize {
        let hash = if self.count > 1 { hash(label, self.seed) } else { 0 };
        self.start as usize + (((hash >> 32) * u64::from(self.count)) >> 32) as usize
    }
}

/// The records from `at` on, up to `end` or the end of a bucket.
pub(super) fn records(bytes: &[u8], at: usize, end: usize) -> impl Iterator<Item = Record<'_>> {
    let mut at = at;
    std::iter::from_fn(move || {
        let record = read(bytes, at).filter(|_| at < end)?;
        at = record.end;
        Some(record)
    })
}

/// The record at `at`; `None` at the end of a bucket or of the bytes.
pub(super) fn read(bytes: &[u8], at: usize) -> Option<Record<'_>> {
    let &[head, flags] = bytes.get(at..)?.first_chunk()?;
    let mut label_at = at + HEAD;
    let left = if head & LONG == 0 { None } else { Some(varint(bytes, &mut label_at)? as usize) };
    let at = label_at + usize::from(head & LABEL_LEN);
    let label = bytes.get(label_at..at).filter(|_| head != END_OF_BUCKET)?;
    let end = match left {
        Some(left) => label_at + left,
        None => answers_end(bytes, flags, at)?,
    };
    Some(Record { label, node: Node { flags, tail: head & TAIL != 0, at, end }, end })
}

/// The node of the first of the records from `at` on with this label.
///
/// The inner loop of every lookup: of the other records it only finds the end.
#[inline(always)]
pub(super) fn find(bytes: &[u8], at: usize, end: usize, label: &[u8]) -> Option<Node> {
    let bytes = bytes.get(..end)?;
    let &start = label.first()?;
    let mut at = at;
    loop {
        // The shortest record has three bytes; fewer are left at the end of the last bucket.
        let &[head, flags, third] = bytes.get(at..)?.first_chunk()?;
        let len = usize::from(head & LABEL_LEN);
        if head & LONG == 0 {
            let node_at = at + HEAD + len;
            if len == label.len() && third == start && bytes.get(at + HEAD..node_at)? == label {
                return Some(Node { flags, tail: false, at: node_at, end: node_at });
            }
            if head == END_OF_BUCKET {
                return None;
            }
            at = answers_end(bytes, flags, node_at)?;
        } else {
            let mut label_at = at + HEAD;
            let end = varint(bytes, &mut label_at)? as usize + label_at;
            let node_at = label_at + len;
            let same_start = len == label.len() && bytes.get(label_at) == Some(&start);
            if same_start && bytes.get(label_at..node_at)? == label {
                return Some(Node { flags, tail: head & TAIL != 0, at: node_at, end });
            }
            at = end;
        }
    }
}

/// The end of the answers of a node with these flags that may be at `at`.
#[inline(always)]
fn answers_end(bytes: &[u8], flags: u8, at: usize) -> Option<usize> {
    if flags >> 6 < ANSWERS_FOLLOW {
        return Some(at);
    }
    let mut at = at;
    varint(bytes, &mut at)?;
    if flags & SAID == ANSWERED | ANSWERED << 2 {
        varint(bytes, &mut at)?;
    }
    Some(at)
}

impl Node {
    /// The node at `at` that has no edge.
    pub(super) fn root(bytes: &[u8], at: usize) -> Option<Self> {
        Some(Self { flags: *bytes.get(at)?, tail: false, at: at + 1, end: bytes.len() })
    }

    /// What the node says, once `at` is past its edge.
    #[inline(always)]
    pub(super) fn body(self, bytes: &[u8]) -> Option<Body> {
        let Self { flags, mut at, end, .. } = self;
        let few = AnswerId(u32::from(flags >> 6) + 1);
        let follow = flags >> 6 == ANSWERS_FOLLOW;
        let mut answer = || if follow { varint(bytes, &mut at).map(AnswerId) } else { Some(few) };
        let (mut itself, mut below) = (None, None);
        if flags & SAID != 0 {
            itself = match flags & 3 {
                NO_ENTRY => None,
                EXCLUDED => Some(AnswerId::NONE),
                _ => Some(answer()?),
            };
            below = match flags >> 2 & 3 {
                NO_ENTRY => None,
                EXCLUDED => Some(AnswerId::NONE),
                ANSWERED => Some(answer()?),
                _ => itself,
            };
        }
        let children = match flags & CHILDREN {
            INLINE => Children::Inline { start: at, end },
            TABLE => {
                let (start, bytes) = bytes.get(at..)?.split_first_chunk()?;
                let (count, bytes) = bytes.split_first_chunk()?;
                let [start, count] = [start, count].map(|bytes| u32::from_le_bytes(*bytes));
                Children::Table(Table { start, count, seed: *bytes.first()? })
            }
            _ => Children::None,
        };
        Some(Body { itself, below, children })
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

/// The flags of a node whose children's records follow.
pub(super) fn with_inline_children(flags: u8) -> u8 {
    flags | INLINE
}

/// Appends where the table of a node's children is; the flags of the node.
pub(super) fn write_table(flags: u8, table: Table, out: &mut Vec<u8>) -> u8 {
    out.extend_from_slice(&table.start.to_le_bytes());
    out.extend_from_slice(&table.count.to_le_bytes());
    out.push(table.seed);
    flags | TABLE
}

/// Starts a record; [`finish`] takes its position.
pub(super) fn start(out: &mut Vec<u8>) -> usize {
    out.extend([0; HEAD]);
    out.len() - HEAD
}

/// Completes the record at `at`, in which all from its first label on stands.
pub(super) fn finish(at: usize, label_len: usize, tail: bool, flags: u8, out: &mut Vec<u8>) {
    let long = tail || flags & CHILDREN != 0;
    let bits = if tail { TAIL } else { 0 } | if long { LONG } else { 0 };
    out[at..at + HEAD].copy_from_slice(&[label_len as u8 | bits, flags]);
    if long {
        let mut left = Vec::new();
        write_varint((out.len() - at - HEAD) as u32, &mut left);
        out.splice(at + HEAD..at + HEAD, left);
    }
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

/// The hash of a label (or other bytes). It decides where records lie, so it must never change while the format
/// keeps its version, on no machine.
#[inline]
pub(crate) fn hash(label: &[u8], seed: u8) -> u64 {
    const MULTIPLIERS: [u64; 3] =
        [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93, 0xa076_1d64_78bd_642f];
    let mut state = (u64::from(seed) << 8 | label.len() as u64).wrapping_mul(MULTIPLIERS[0]);
    let (words, rest) = label.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), MULTIPLIERS[1]);
    }
    if !rest.is_empty() {
        let last = match (label.last_chunk::<8>(), rest) {
            (Some(word), _) => u64::from_le_bytes(*word),
            (None, [a, b, c, d, ..]) => {
                let end = rest.last_chunk::<4>().map_or(0, |end| u32::from_le_bytes(*end));
                u64::from(u32::from_le_bytes([*a, *b, *c, *d])) << 32 | u64::from(end)
            }
            (None, short) => {
                let [a, b, c] =
                    [0, short.len() / 2, short.len() - 1].map(|at| u64::from(short[at]));
                a << 16 | b << 8 | c
            }
        };
        state = fold(state ^ last, MULTIPLIERS[1]);
    }
    fold(state, MULTIPLIERS[2])
}

/// The halves of the product, one over the other: every bit of the input reaches every bit.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
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
                let node = Node { flags, tail: false, at: 0, end: bytes.len() };
                let body = node.body(&bytes).unwrap();
                assert_eq!((body.itself, body.below), (itself, below));
                assert!(body.children == Children::None);
                assert_eq!(answers_end(&bytes, flags, 0), Some(bytes.len()));
            }
        }
        let mut bytes = Vec::new();
        write_answers(Some(AnswerId(2)), Some(AnswerId(2)), &mut bytes);
        assert_eq!(bytes, []);
    }

    /// The hash is part of the snapshot format.
    #[test]
    fn hash_is_the_same_everywhere() {
        let found = [&b"a"[..], b"com", b"abcd", b"example", b"12345678", b"123456789abcdefgh"]
            .map(|label| hash(label, 1));
        let wanted = [
            0x78e5_bfaf_8920_f7d7,
            0x45e4_3c7a_978d_4dd4,
            0xc72d_effd_1434_f66f,
            0xb834_7a11_841b_c4c7,
            0xfa60_033f_24de_62fa,
            0x4c43_1e49_a9cb_229a,
        ];
        assert_eq!(found, wanted);
    }
}
