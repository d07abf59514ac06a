//! The blocks of a log: what one load did, a refusal, or the head of what earlier loads have left.
//!
//! ```text
//! block    length of the payload (u32), its XXH3 (u64), payload
//! payload  0: load      number, time, flags, entries, size, content id, added, removed, changed,
//!                       answers (each: values (each: A, text)), groups
//!          1: refusal   number, time, file, why
//!          2: base      number of the newest load in it, its time, content id, blocks that follow
//! group    apex, place, space, operation, shape, number of bytes, keys in ascending order
//! ```
//!
//! Addresses are differences to those before. A name is what the one before it has not in common with it,
//! labels from the right. Numbers are those of `codec.rs`, the rest little-endian.

use super::codec::{Bytes, put, put_bytes};
use crate::wire::name::NameBuf;
use crate::zone::diff::Tally;
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use xxhash_rust::xxh3::xxh3_64;

/// The bytes in front of a payload.
pub(super) const HEAD: usize = 12;

/// The longest payload that is read or written, in bytes.
const MAX_PAYLOAD: usize = 1 << 30;

/// The most lists below one apex: more than a `combined` dataset can have.
const MAX_LISTS: usize = 1 << 10;

/// The longest text of a refusal in bytes.
const MAX_TEXT: usize = 2000;

const LOAD: u8 = 0;
const REFUSAL: u8 = 1;
const BASE: u8 = 2;

/// The load states all that was listed, not only what has changed.
const WHOLE: u8 = 1;
/// Only what is still needed of the load is left.
const PRUNED: u8 = 2;

/// A value of an answer: an A record, and a text in which [`KEY`] stands for the key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ListedValue {
    /// The A record.
    pub a: Ipv4Addr,
    /// The text; empty for none.
    pub text: Vec<u8>,
}

/// What stands for the key in a text: no text has it.
pub const KEY: u8 = 0;

/// What a key lists under: the values, all of them.
pub type ListedValues = Vec<ListedValue>;

/// What keys are in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Space {
    /// IPv4 addresses.
    Ip4,
    /// IPv6 addresses.
    Ip6,
    /// Names.
    Name,
    /// All names below a name.
    Below,
    /// Names with ordinary records.
    Records,
}

impl Space {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ip4, Self::Ip6, Self::Name, Self::Below, Self::Records]
            .get(usize::from(byte))
            .copied()
    }

    /// True if the keys are addresses.
    pub fn is_of_addresses(self) -> bool {
        matches!(self, Self::Ip4 | Self::Ip6)
    }
}

/// The list that a key is in: a `combined` dataset has several.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ListPlace {
    /// The apex, relative to the zone.
    pub apex: NameBuf,
    /// The number of the list below that apex.
    pub number: usize,
    /// What its keys are in.
    pub space: Space,
}

/// What becomes of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    /// Nothing is said of it from now on.
    Delist,
    /// It is an exclusion from now on.
    Exclude,
    /// It is listed with the answer of this number.
    List(usize),
}

impl Operation {
    fn number(self) -> u128 {
        match self {
            Self::Delist => 0,
            Self::Exclude => 1,
            Self::List(answer) => answer as u128 + 2,
        }
    }

    fn from_number(number: u128) -> Option<Self> {
        Some(match number {
            0 => Self::Delist,
            1 => Self::Exclude,
            more => Self::List(usize::try_from(more - 2).ok()?),
        })
    }
}

/// A load.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LoadHead {
    /// Its number, one more than that of the load before.
    pub number: u64,
    /// When it was accepted, in seconds since 1970.
    pub time: u64,
    /// It states all that was listed: what was listed before is not known, or not known for sure.
    pub is_whole: bool,
    /// Only what is still needed of it is left.
    pub is_pruned: bool,
    /// The entries of the files.
    pub entries: u64,
    /// The bytes of the files.
    pub size: u64,
    /// The content id.
    pub content_id: u64,
    /// How much it changed.
    pub tally: Tally,
}

/// Files that were refused.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RefusedEntry {
    /// When, in seconds since 1970.
    pub time: u64,
    /// The file.
    pub file: String,
    /// Why.
    pub cause: String,
}

/// What a base begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct BaseHead {
    /// The number of the newest load in it.
    pub(super) number: u64,
    /// The time of that load.
    pub(super) time: u64,
    /// The content id of that load.
    pub(super) content_id: u64,
    /// How many blocks follow.
    pub(super) blocks: u64,
}

/// A block.
pub(super) enum Block<'b> {
    Load(LoadHead, Body<'b>),
    Refusal(RefusedEntry),
    Base(BaseHead),
}

/// What a load did.
#[derive(Clone, Copy)]
pub(super) struct Body<'b> {
    answers: Bytes<'b>,
    groups: Bytes<'b>,
}

/// Keys that one thing becomes of.
pub(super) struct Group<'b> {
    pub(super) place: ListPlace,
    pub(super) operation: Operation,
    pub(super) keys: Keys<'b>,
}

/// The keys of a group, in ascending order.
#[derive(Clone)]
pub(super) struct Keys<'b> {
    are_ranges: bool,
    rest: Bytes<'b>,
    at: u128,
    name: Vec<u8>,
}

/// Takes the first block of some bytes: the block and the number of its bytes. `None` if there is no whole and
/// sound one.
pub(super) fn first(bytes: &[u8]) -> Option<(Block<'_>, usize)> {
    let mut reader = Bytes(bytes);
    let length = u32::from_le_bytes(reader.array()?) as usize;
    let sum = u64::from_le_bytes(reader.array()?);
    let payload = reader.take(length).filter(|_| length <= MAX_PAYLOAD)?;
    let block = (xxh3_64(payload) == sum).then(|| read(Bytes(payload)))??;
    Some((block, HEAD + length))
}

fn read(mut bytes: Bytes<'_>) -> Option<Block<'_>> {
    // Nothing in it may reach a terminal as a command.
    let text = |bytes: &mut Bytes<'_>| {
        let text = String::from_utf8_lossy(bytes.bytes()?).into_owned();
        Some(text.replace(char::is_control, " "))
    };
    Some(match bytes.byte()? {
        LOAD => {
            let (number, time, flags) = (bytes.small()?, bytes.small()?, bytes.byte()?);
            let (entries, size) = (bytes.small()?, bytes.small()?);
            let content_id = u64::from_le_bytes(bytes.array()?);
            let [added, removed, changed] = [bytes.number()?, bytes.number()?, bytes.number()?];
            let head = LoadHead {
                number,
                time,
                is_whole: flags & WHOLE != 0,
                is_pruned: flags & PRUNED != 0,
                entries,
                size,
                content_id,
                tally: Tally { added, removed, changed },
            };
            let answers = Bytes(bytes.bytes()?);
            Block::Load(head, Body { answers, groups: bytes })
        }
        REFUSAL => Block::Refusal(RefusedEntry {
            time: bytes.small()?,
            file: text(&mut bytes)?,
            cause: text(&mut bytes)?,
        }),
        BASE => Block::Base(BaseHead {
            number: bytes.small()?,
            time: bytes.small()?,
            content_id: u64::from_le_bytes(bytes.array()?),
            blocks: bytes.small()?,
        }),
        _ => return None,
    })
}

impl<'b> Body<'b> {
    /// The answers, by number.
    pub(super) fn answers(self) -> Vec<ListedValues> {
        let mut bytes = self.answers;
        let value = |bytes: &mut Bytes<'b>| {
            let a = Ipv4Addr::from(bytes.array::<4>()?);
            Some(ListedValue { a, text: bytes.bytes()?.to_vec() })
        };
        let mut answer = || {
            let count: usize = bytes.small()?;
            (0..count).map(|_| value(&mut bytes)).collect()
        };
        std::iter::from_fn(&mut answer).collect()
    }

    /// The groups, in the order of their places.
    pub(super) fn groups(self) -> impl Iterator<Item = Group<'b>> {
        let mut bytes = self.groups;
        std::iter::from_fn(move || {
            let place = ListPlace {
                apex: NameBuf::from_wire(bytes.bytes()?)?,
                number: bytes.small().filter(|number| *number < MAX_LISTS)?,
                space: Space::from_byte(bytes.byte()?)?,
            };
            let operation = Operation::from_number(bytes.number()?)?;
            let are_ranges = bytes.byte()? != 0;
            let rest = Bytes(bytes.bytes()?);
            let keys = Keys { are_ranges, rest, at: 0, name: Vec::new() };
            Some(Group { place, operation, keys })
        })
    }
}

impl Keys<'_> {
    /// The next range of addresses; `None` at the end.
    #[inline]
    pub(super) fn next_range(&mut self) -> Option<(u128, u128)> {
        let start = self.at.checked_add(self.rest.number()?)?;
        let length = if self.are_ranges { self.rest.number()? } else { 0 };
        self.at = start.checked_add(length)?;
        Some((start, self.at))
    }

    /// The next name, in the order of [`crate::trie::names::encode_key`]; `None` at the end.
    pub(super) fn next_name(&mut self) -> Option<&[u8]> {
        let common = self.rest.small()?;
        let own = self.rest.bytes()?;
        if common > self.name.len() {
            return None;
        }
        self.name.truncate(common);
        self.name.extend_from_slice(own);
        Some(&self.name)
    }

    /// Whether an address is one of them.
    #[inline]
    pub(super) fn covers(mut self, address: u128) -> bool {
        while let Some((start, end)) = self.next_range() {
            if end >= address {
                return start <= address;
            }
        }
        false
    }

    /// Whether a name is one of them.
    pub(super) fn has(mut self, name: &[u8]) -> bool {
        while let Some(next) = self.next_name() {
            if next >= name {
                return next == name;
            }
        }
        false
    }
}

/// Makes the block of a load.
#[derive(Default)]
pub(super) struct LoadBuilder {
    answers: Vec<u8>,
    numbers: HashMap<ListedValues, usize>,
    places: Vec<ListPlace>,
    /// By the number of the place.
    groups: BTreeMap<(usize, Operation, bool), KeyBytes>,
}

#[derive(Default)]
struct KeyBytes {
    bytes: Vec<u8>,
    at: u128,
    name: Vec<u8>,
}

impl LoadBuilder {
    /// The number of an answer.
    pub(super) fn answer(&mut self, values: ListedValues) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(values).or_insert_with_key(|values| {
            put(&mut self.answers, values.len() as u128);
            for value in values {
                self.answers.extend(value.a.octets());
                put_bytes(&mut self.answers, &value.text);
            }
            next
        })
    }

    /// The number of a place.
    pub(super) fn place(&mut self, place: &ListPlace) -> usize {
        // Those of one place come one after the other.
        let known = self.places.iter().rposition(|known| known == place);
        known.unwrap_or_else(|| {
            self.places.push(place.clone());
            self.places.len() - 1
        })
    }

    /// Adds a range of addresses, behind those that were added to the same place.
    pub(super) fn add_range(
        &mut self,
        place: usize,
        operation: Operation,
        (start, end): (u128, u128),
    ) {
        let is_range = start != end;
        let keys = self.groups.entry((place, operation, is_range)).or_default();
        put(&mut keys.bytes, start - keys.at);
        if is_range {
            put(&mut keys.bytes, end - start);
        }
        keys.at = end;
    }

    /// Adds a name, behind those that were added to the same place.
    pub(super) fn add_name(&mut self, place: usize, operation: Operation, name: &[u8]) {
        let keys = self.groups.entry((place, operation, false)).or_default();
        let common = keys.name.iter().zip(name).take_while(|(a, b)| a == b).count();
        put(&mut keys.bytes, common as u128);
        put_bytes(&mut keys.bytes, &name[common..]);
        keys.name.truncate(common);
        keys.name.extend_from_slice(&name[common..]);
    }

    /// The block; `None` if it is too long.
    pub(super) fn finish(self, head: &LoadHead) -> Option<Vec<u8>> {
        let flags = if head.is_whole { WHOLE } else { 0 } | if head.is_pruned { PRUNED } else { 0 };
        let mut out = vec![LOAD];
        put(&mut out, head.number.into());
        put(&mut out, head.time.into());
        out.push(flags);
        put(&mut out, head.entries.into());
        put(&mut out, head.size.into());
        out.extend(head.content_id.to_le_bytes());
        for count in [head.tally.added, head.tally.removed, head.tally.changed] {
            put(&mut out, count);
        }
        put_bytes(&mut out, &self.answers);
        for ((place, operation, are_ranges), keys) in self.groups {
            let place = &self.places[place];
            put_bytes(&mut out, place.apex.as_wire());
            put(&mut out, place.number as u128);
            out.push(place.space as u8);
            put(&mut out, operation.number());
            out.push(u8::from(are_ranges));
            put_bytes(&mut out, &keys.bytes);
        }
        (out.len() <= MAX_PAYLOAD).then(|| framed(&out))
    }
}

/// The block of a refusal.
pub(super) fn refusal(entry: &RefusedEntry) -> Vec<u8> {
    let mut out = vec![REFUSAL];
    put(&mut out, entry.time.into());
    for text in [&entry.file, &entry.cause] {
        put_bytes(&mut out, &text.as_bytes()[..text.len().min(MAX_TEXT)]);
    }
    framed(&out)
}

/// The block that a base begins with.
pub(super) fn base(head: &BaseHead) -> Vec<u8> {
    let mut out = vec![BASE];
    put(&mut out, head.number.into());
    put(&mut out, head.time.into());
    out.extend(head.content_id.to_le_bytes());
    put(&mut out, head.blocks.into());
    framed(&out)
}

/// A payload as a block: for those who try what other bytes do, too.
pub fn framed(payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(HEAD + payload.len());
    block.extend((payload.len() as u32).to_le_bytes());
    block.extend(xxh3_64(payload).to_le_bytes());
    block.extend_from_slice(payload);
    block
}
