//! Checks a whole snapshot: its bytes are those that were written, and dnsbld would write the same bytes
//! for the same data.

use super::format::HEADER;
use super::open::{OpenError, Opened, open_bytes, read_header};
use super::{Id, Origin, write};
use crate::listing::{AnswerId, Answers, Range};
use crate::trie::digests::DigestTable;
use crate::trie::names::{NameTree, NameTreeBuilder, encode_key};
use crate::trie::{Trie4, Trie6};
use crate::zone::Dataset;
use std::path::Path;

/// The highest number of ranges that are checked. No trie holds more; a forged file with more must not
/// fill the memory.
const MAX_RANGES: usize = 100_000_000;

/// The highest number of bytes of names, for the same reason.
const MAX_KEYS: usize = 3 << 30;

/// The figures of a snapshot that passed.
#[derive(Debug)]
pub struct Verified {
    /// The identity of its data.
    pub id: Id,
    /// The files and rules it was made from.
    pub origin: Origin,
    /// The size of the file in bytes.
    pub size: u64,
    /// The number of ranges of IPv4 addresses, if it can have some.
    pub ip4: Option<usize>,
    /// The number of ranges of IPv6 addresses, if it can have some.
    pub ip6: Option<usize>,
    /// The number of names with an entry, if it can have some.
    pub names: Option<usize>,
    /// The number of hashes, if it can have some.
    pub digests: Option<usize>,
    /// The number of distinct answers.
    pub answers: usize,
}

/// Why a snapshot did not pass.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It can be used, but dnsbld would write other bytes. The text says which part differs.
    #[error("is not what dnsbld writes: {0}")]
    Data(String),
}

/// Checks every key, answer and byte. It reads the whole file into memory, so that somebody else may
/// write to the file meanwhile.
pub fn verify(path: &Path) -> Result<Verified, Fault> {
    verify_bytes(&std::fs::read(path).map_err(OpenError::Io)?)
}

/// Checks the bytes of a snapshot, as [`verify`].
pub fn verify_bytes(bytes: &[u8]) -> Result<Verified, Fault> {
    let verified = verify_opened(open_bytes(bytes)?)?;
    let origin = verified.origin.encode();
    let head = bytes.first_chunk::<HEADER>();
    let again = head.map(|head| read_header(head).seal(&origin));
    if again.as_ref() != head || !bytes.ends_with(&origin) {
        return Err(fault("the header")("written again it has other bytes".to_owned()));
    }
    Ok(verified)
}

pub(super) fn verify_opened(opened: Opened) -> Result<Verified, Fault> {
    let Opened { dataset, origin, id, size } = opened;
    let mut uses = Uses { next: 1, count: dataset.answers.len() as u32 };
    if let Some(trie) = &dataset.ip4 {
        addresses4(trie, &mut uses).map_err(fault("the IPv4 addresses"))?;
    }
    if let Some(trie) = &dataset.ip6 {
        addresses6(trie, &mut uses).map_err(fault("the IPv6 addresses"))?;
    }
    if let Some(tree) = &dataset.names {
        names(tree, &mut uses).map_err(fault("the names"))?;
    }
    if let Some(table) = &dataset.digests {
        digests(table, &mut uses).map_err(fault("the hashes"))?;
    }
    uses.end().and_then(|()| values(&dataset.answers)).map_err(fault("the answers"))?;
    layout(&dataset, id).map_err(fault("the layout"))?;
    Ok(Verified {
        id,
        origin,
        size,
        ip4: dataset.ip4.as_ref().map(Trie4::ranges),
        ip6: dataset.ip6.as_ref().map(Trie6::ranges),
        names: dataset.names.as_ref().map(NameTree::entries),
        digests: dataset.digests.as_ref().map(DigestTable::len),
        answers: dataset.answers.len(),
    })
}

fn fault(part: &'static str) -> impl Fn(String) -> Fault {
    move |what| Fault::Data(format!("{part}: {what}"))
}

/// Checks that answers are numbered in the order of their first use.
struct Uses {
    next: u32,
    count: u32,
}

impl Uses {
    fn see(&mut self, AnswerId(id): AnswerId) -> Result<(), String> {
        if id > self.next || id > self.count {
            return Err(format!("answer {id} of {} comes where {} should", self.count, self.next));
        }
        self.next += u32::from(id == self.next);
        Ok(())
    }

    fn end(&self) -> Result<(), String> {
        match self.count + 1 - self.next {
            0 => Ok(()),
            unused => Err(format!("{unused} of {} are never used", self.count)),
        }
    }
}

fn addresses4(trie: &Trie4, uses: &mut Uses) -> Result<(), String> {
    ranges(trie.iter(), trie.ranges(), u32::checked_add, 1, uses)?;
    same(Trie4::build(trie.iter()) == *trie)
}

fn addresses6(trie: &Trie6, uses: &mut Uses) -> Result<(), String> {
    ranges(trie.iter(), trie.ranges(), u128::checked_add, 1, uses)?;
    same(Trie6::build(trie.iter()) == *trie)
}

/// Checks that ranges are sorted, disjoint, listed, and as few as possible.
fn ranges<K: Copy + Ord + std::fmt::Display>(
    ranges: impl Iterator<Item = Range<K>>,
    wanted: usize,
    add: impl Fn(K, K) -> Option<K>,
    one: K,
    uses: &mut Uses,
) -> Result<(), String> {
    let mut last: Option<Range<K>> = None;
    let mut count = 0;
    for range in ranges {
        let Range { start, end, answer } = range;
        if start > end || !answer.is_listed() {
            return Err(format!("the range from {start} to {end} lists nothing"));
        }
        if let Some(before) = last
            && (before.end >= start
                || before.answer == answer && add(before.end, one) == Some(start))
        {
            return Err(format!(
                "the range that starts at {start} is not apart from the one before"
            ));
        }
        uses.see(answer)?;
        last = Some(range);
        count += 1;
        if count > wanted || count > MAX_RANGES {
            return Err(format!("there are more than {} ranges", count - 1));
        }
    }
    if count == wanted { Ok(()) } else { Err(format!("there are {count} ranges, not {wanted}")) }
}

fn names(tree: &NameTree, uses: &mut Uses) -> Result<(), String> {
    let mut names = NameTreeBuilder::default();
    let (mut last, mut key) = (Vec::new(), Vec::new());
    let (mut count, mut size) = (0, 0);
    for entry in tree.iter() {
        let name = &entry.name;
        key.clear();
        encode_key(name.as_wire(), &mut key);
        if count > 0 && last >= key {
            return Err(format!("{name} is out of order"));
        }
        if name.to_lowercase().as_wire() != name.as_wire() {
            return Err(format!("{name} is not in lower case"));
        }
        for answer in [entry.itself, entry.below].into_iter().flatten() {
            uses.see(answer)?;
        }
        count += 1;
        size += key.len();
        if count > tree.entries() || size > MAX_KEYS {
            return Err(format!("there are more than {} entries", count - 1));
        }
        names.push(&key, entry.itself, entry.below);
        std::mem::swap(&mut last, &mut key);
    }
    if count != tree.entries() {
        return Err(format!("there are {count} entries, not {}", tree.entries()));
    }
    same(names.finish() == *tree)
}

fn digests(table: &DigestTable, uses: &mut Uses) -> Result<(), String> {
    let mut last: Option<Vec<u8>> = None;
    let (mut count, mut highest) = (0, AnswerId::NONE);
    for (packed, answer) in table {
        if last.is_some_and(|last| last >= packed) {
            return Err("they are out of order".to_owned());
        }
        if !answer.is_listed() {
            return Err(format!("the one with the number {count} lists nothing"));
        }
        uses.see(answer)?;
        highest = AnswerId(highest.0.max(answer.0));
        count += 1;
        last = Some(packed);
    }
    if count != table.len() {
        return Err(format!("there are {count} entries, not {}", table.len()));
    }
    same(DigestTable::build(table.form(), count, highest, table.iter()) == *table)
}

/// An error unless the data, compiled again, has the same bytes.
fn same(same: bool) -> Result<(), String> {
    if same { Ok(()) } else { Err("compiled again they have other bytes".to_owned()) }
}

/// Checks that every answer has values, and that values are numbered in the order of their first use.
fn values(answers: &Answers) -> Result<(), String> {
    let empty =
        (1..=answers.len() as u32).find(|&id| answers.get(AnswerId(id)).values().len() == 0);
    if let Some(id) = empty {
        return Err(format!("answer {id} has no values"));
    }
    same(answers.is_canonical())
}

/// Checks that the sections lie where the writer puts them, with zeros between them.
fn layout(dataset: &Dataset, id: Id) -> Result<(), String> {
    let again = write::id(dataset).map_err(|error| error.to_string())?;
    if again == id { Ok(()) } else { Err(format!("written again its id is {again}")) }
}
