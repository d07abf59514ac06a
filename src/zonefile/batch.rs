//! Entries of the commonest kinds, many at a time: also before their turn, on another thread.

use super::Kind;
use super::fast::addresses::{self, AddressLines};
use super::fast::prefixes::FastLines;
use super::fast::{FastEntry, FastKey, FastValue, Prefix, Range4, ValueHead, names};
use super::values::GROUP;
use crate::listing::names::{read_plain, write_plain};
use std::ops::Range;

/// The entries of a chunk of a file that can be read before its turn, on another thread.
/// [`Parser::feed_batches`](super::Parser::feed_batches) takes them.
#[derive(Clone, Debug, Default)]
pub struct Batches {
    buffer: BatchBuffer,
    runs: Vec<Run>,
}

/// Entries of lines side by side, one for each line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Batch<'a> {
    /// With the default value.
    Addresses(&'a [u32]),
    Prefixes4(&'a [FastEntry<Prefix<u32>>]),
    Ranges4(&'a [FastEntry<Range4>]),
    Prefixes6(&'a [FastEntry<Prefix<u128>>]),
    /// Names, as [`write_plain`] writes them, and what each of them gives.
    Names(&'a [u8], &'a [FastValue]),
}

/// Lines side by side whose entries stand in a [`BatchBuffer`].
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Their bytes in the chunk.
    pub(super) place: Range<usize>,
    entries: Entries,
}

/// Where the entries stand in a [`BatchBuffer`].
#[derive(Clone, Debug)]
enum Entries {
    Addresses(Range<usize>),
    Prefixes4(Range<usize>),
    Ranges4(Range<usize>),
    Prefixes6(Range<usize>),
    /// The names, and what each of them gives.
    Names(Range<usize>, Range<usize>),
}

/// The most lines of other kinds that are passed over in a chunk; what is behind them is left. So a
/// file of other lines costs little.
const MAX_OTHERS: usize = 100;

/// So many names are taken at once.
const MANY: usize = 256;

impl Batches {
    /// Those of a chunk of a file of this type; none of the types that list neither addresses nor
    /// names.
    pub fn new(kind: Kind, chunk: &[u8]) -> Self {
        let mut batches = Self::default();
        // Where the first line began only its turn will show.
        let mut next_line = memchr::memchr(b'\n', chunk);
        for _ in 0..MAX_OTHERS {
            let Some(end) = next_line else { break };
            let mut at = end + 1;
            while let Some(run) = batches.buffer.read(kind, chunk, at) {
                at = run.place.end;
                batches.runs.push(run);
            }
            next_line = memchr::memchr(b'\n', &chunk[at..]).map(|newline| at + newline);
        }
        batches
    }

    /// Where the lines stand in the chunk, and their entries, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Range<usize>, Batch<'_>)> {
        self.runs.iter().map(|run| (run.place.clone(), self.buffer.batch(run)))
    }
}

impl<'a> Batch<'a> {
    /// The number of entries.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Addresses(addresses) => addresses.len(),
            Self::Prefixes4(entries) => entries.len(),
            Self::Ranges4(entries) => entries.len(),
            Self::Prefixes6(entries) => entries.len(),
            Self::Names(_, values) => values.len(),
        }
    }

    /// The first `count` entries.
    pub(super) fn first(self, count: usize) -> Self {
        match self {
            Self::Addresses(addresses) => Self::Addresses(&addresses[..count]),
            Self::Prefixes4(entries) => Self::Prefixes4(&entries[..count]),
            Self::Ranges4(entries) => Self::Ranges4(&entries[..count]),
            Self::Prefixes6(entries) => Self::Prefixes6(&entries[..count]),
            Self::Names(names, values) => Self::Names(names, &values[..count]),
        }
    }

    /// The entries behind the first `count`, which are all there are of single addresses.
    pub(super) fn after(self, count: usize) -> Self {
        match self {
            Self::Prefixes4(entries) => Self::Prefixes4(&entries[count..]),
            Self::Ranges4(entries) => Self::Ranges4(&entries[count..]),
            Self::Prefixes6(entries) => Self::Prefixes6(&entries[count..]),
            Self::Names(mut names, values) => {
                for _ in 0..count {
                    names = read_plain(names).map_or(&[], |(.., rest)| rest);
                }
                Self::Names(names, &values[count..])
            }
            Self::Addresses(_) => Self::Addresses(&[]),
        }
    }
}

/// Memory for the entries of batches.
#[derive(Clone, Debug, Default)]
pub(super) struct BatchBuffer {
    addresses: Vec<u32>,
    prefixes4: Vec<FastEntry<Prefix<u32>>>,
    ranges4: Vec<FastEntry<Range4>>,
    prefixes6: Vec<FastEntry<Prefix<u128>>>,
    names: Vec<u8>,
    values: Vec<FastValue>,
}

impl BatchBuffer {
    /// Reads lines of a file of this type, from a place on where one begins. `None` if none of the
    /// commonest kinds stands there.
    pub(super) fn read(&mut self, kind: Kind, chunk: &[u8], at: usize) -> Option<Run> {
        let (end, entries) = match kind {
            // Behind so many there may again be addresses alone, which are faster to read.
            Kind::Ip4Set => {
                self.addresses(chunk, at).or_else(|| self.prefixes_or_ranges4(chunk, at, GROUP))
            }
            Kind::Ip4Tset => {
                self.addresses(chunk, at).or_else(|| self.addresses_with_more(chunk, at))
            }
            Kind::Ip4Trie => self.prefixes_or_ranges4(chunk, at, usize::MAX),
            Kind::Ip6Trie => {
                let (end, read) = keyed(&mut self.prefixes6, chunk, at, usize::MAX)?;
                Some((end, Entries::Prefixes6(read)))
            }
            Kind::Dnset | Kind::Hashset => self.names(chunk, at),
            _ => None,
        }?;
        Some(Run { place: at..end, entries })
    }

    /// The entries of a run.
    pub(super) fn batch(&self, run: &Run) -> Batch<'_> {
        match &run.entries {
            Entries::Addresses(place) => Batch::Addresses(&self.addresses[place.clone()]),
            Entries::Prefixes4(place) => Batch::Prefixes4(&self.prefixes4[place.clone()]),
            Entries::Ranges4(place) => Batch::Ranges4(&self.ranges4[place.clone()]),
            Entries::Prefixes6(place) => Batch::Prefixes6(&self.prefixes6[place.clone()]),
            Entries::Names(names, values) => {
                Batch::Names(&self.names[names.clone()], &self.values[values.clone()])
            }
        }
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        let Self { addresses, prefixes4, ranges4, prefixes6, names, values } = self;
        addresses.clear();
        prefixes4.clear();
        ranges4.clear();
        prefixes6.clear();
        names.clear();
        values.clear();
    }

    /// Addresses and nothing else; and where they end.
    fn addresses(&mut self, chunk: &[u8], at: usize) -> Option<(usize, Entries)> {
        let before = self.addresses.len();
        let mut lines = AddressLines::new(&chunk[at..]);
        self.addresses.extend(&mut lines);
        let read = before..self.addresses.len();
        (!read.is_empty()).then(|| (chunk.len() - lines.rest.len(), Entries::Addresses(read)))
    }

    /// Some addresses with whatever stands behind them; and where they end.
    fn addresses_with_more(&mut self, chunk: &[u8], mut at: usize) -> Option<(usize, Entries)> {
        let before = self.addresses.len();
        for _ in 0..GROUP {
            let Some((address, end)) = addresses::line_with_more(chunk, at) else { break };
            self.addresses.push(address);
            at = end;
        }
        let read = before..self.addresses.len();
        (!read.is_empty()).then_some((at, Entries::Addresses(read)))
    }

    /// At most so many prefixes, or so many ranges; and where they end.
    fn prefixes_or_ranges4(
        &mut self,
        chunk: &[u8],
        at: usize,
        most: usize,
    ) -> Option<(usize, Entries)> {
        if let Some((end, read)) = keyed(&mut self.prefixes4, chunk, at, most) {
            return Some((end, Entries::Prefixes4(read)));
        }
        let (end, read) = keyed(&mut self.ranges4, chunk, at, most)?;
        Some((end, Entries::Ranges4(read)))
    }

    /// Some names, and where they end.
    fn names(&mut self, chunk: &[u8], mut at: usize) -> Option<(usize, Entries)> {
        let before = (self.names.len(), self.values.len());
        let mut head = ValueHead::default();
        while self.values.len() < before.1 + MANY
            && let Some(line) = names::line(chunk, at, &mut head)
        {
            write_plain(line.name, line.scope, &mut self.names);
            self.values.push(line.value);
            at = line.end;
        }
        let (names, values) = (before.0..self.names.len(), before.1..self.values.len());
        (!values.is_empty()).then_some((at, Entries::Names(names, values)))
    }
}

/// At most so many entries with keys of one kind; and where they end.
fn keyed<K: FastKey>(
    read: &mut Vec<FastEntry<K>>,
    chunk: &[u8],
    at: usize,
    most: usize,
) -> Option<(usize, Range<usize>)> {
    let before = read.len();
    let mut lines = FastLines::new(chunk, at);
    read.extend(lines.by_ref().take(most));
    let read = before..read.len();
    (!read.is_empty()).then_some((lines.at, read))
}
