//! The lines of the commonest kinds, read many at a time: also before their turn, on another thread.

use super::plain_prefixes::{self, Prefix};
use super::plain_values::Gives;
use super::values::BATCH;
use super::{Kind, plain, plain_names};
use crate::listing::names::write_plain;
use std::ops::Range;

/// What of a chunk of a file can be read before its turn, on another thread.
/// [`Parser::feed_prepared`](super::Parser::feed_prepared) takes it.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    lines: Lines,
    runs: Vec<Run>,
}

/// Lines side by side.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Their bytes in the chunk.
    pub(super) place: Range<usize>,
    read: Read,
}

/// Where what was read of them stands.
#[derive(Clone, Debug)]
enum Read {
    Addresses(Range<usize>),
    Prefixes4(Range<usize>),
    Prefixes6(Range<usize>),
    /// The names, and what each of them gives.
    Names(Range<usize>, Range<usize>),
}

/// What lines side by side say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said<'a> {
    Addresses(&'a [u32]),
    Prefixes4(&'a [plain_prefixes::Line<u32>]),
    Prefixes6(&'a [plain_prefixes::Line<u128>]),
    /// Names, as [`write_plain`] writes them, and what each of them gives.
    Names(&'a [u8], &'a [Gives]),
}

/// The most lines of other kinds that are passed over in a chunk; what is behind them is left. So a
/// file of other lines costs little.
const MAX_OTHERS: usize = 100;

/// So many names are taken at once.
const MANY: usize = 256;

impl Prepared {
    /// Of a chunk of a file of this type; nothing of the types that list neither addresses nor names.
    pub fn new(kind: Kind, chunk: &[u8]) -> Self {
        let mut prepared = Self::default();
        // Where the first line began only its turn will show.
        let mut next_line = memchr::memchr(b'\n', chunk);
        for _ in 0..MAX_OTHERS {
            let Some(end) = next_line else { break };
            let mut at = end + 1;
            while let Some(run) = prepared.lines.read(kind, 0, chunk, at) {
                at = run.place.end;
                prepared.runs.push(run);
            }
            next_line = memchr::memchr(b'\n', &chunk[at..]).map(|newline| at + newline);
        }
        prepared
    }

    /// Where the lines stand in the chunk, and what they say, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = (Range<usize>, Said<'_>)> {
        self.runs.iter().map(|run| (run.place.clone(), self.lines.said(run)))
    }
}

/// What lines say.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    addresses: Vec<u32>,
    prefixes4: Vec<plain_prefixes::Line<u32>>,
    prefixes6: Vec<plain_prefixes::Line<u128>>,
    names: Vec<u8>,
    gives: Vec<Gives>,
}

impl Lines {
    /// Reads lines of a file of this type, from a place on where one begins. `None` if none of the
    /// commonest kinds stands there. IPv4 prefixes have to have a length at least.
    pub(super) fn read(
        &mut self,
        kind: Kind,
        shortest4: u8,
        chunk: &[u8],
        at: usize,
    ) -> Option<Run> {
        let (end, read) = match kind {
            Kind::Ip4Set => self.addresses(chunk, at).or_else(|| {
                // Behind so many there may again be addresses alone, which are faster to read.
                let shortest = shortest4.max(1);
                let (end, read) = prefixes(&mut self.prefixes4, chunk, at, shortest, BATCH)?;
                Some((end, Read::Prefixes4(read)))
            }),
            Kind::Ip4Tset => {
                self.addresses(chunk, at).or_else(|| self.addresses_with_more(chunk, at))
            }
            Kind::Ip4Trie => {
                let (end, read) = prefixes(&mut self.prefixes4, chunk, at, shortest4, usize::MAX)?;
                Some((end, Read::Prefixes4(read)))
            }
            Kind::Ip6Trie => {
                let (end, read) = prefixes(&mut self.prefixes6, chunk, at, 0, usize::MAX)?;
                Some((end, Read::Prefixes6(read)))
            }
            Kind::Dnset => self.names(chunk, at),
            _ => None,
        }?;
        Some(Run { place: at..end, read })
    }

    /// What the lines of a run say.
    pub(super) fn said(&self, run: &Run) -> Said<'_> {
        match &run.read {
            Read::Addresses(place) => Said::Addresses(&self.addresses[place.clone()]),
            Read::Prefixes4(place) => Said::Prefixes4(&self.prefixes4[place.clone()]),
            Read::Prefixes6(place) => Said::Prefixes6(&self.prefixes6[place.clone()]),
            Read::Names(names, gives) => {
                Said::Names(&self.names[names.clone()], &self.gives[gives.clone()])
            }
        }
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        let Self { addresses, prefixes4, prefixes6, names, gives } = self;
        addresses.clear();
        prefixes4.clear();
        prefixes6.clear();
        names.clear();
        gives.clear();
    }

    /// Addresses and nothing else; and where they end.
    fn addresses(&mut self, chunk: &[u8], at: usize) -> Option<(usize, Read)> {
        let before = self.addresses.len();
        let mut lines = plain::Lines::new(&chunk[at..]);
        self.addresses.extend(&mut lines);
        let read = before..self.addresses.len();
        (!read.is_empty()).then(|| (chunk.len() - lines.rest.len(), Read::Addresses(read)))
    }

    /// Some addresses with whatever stands behind them; and where they end.
    fn addresses_with_more(&mut self, chunk: &[u8], mut at: usize) -> Option<(usize, Read)> {
        let before = self.addresses.len();
        for _ in 0..BATCH {
            let Some((address, end)) = plain::line_with_more(chunk, at) else { break };
            self.addresses.push(address);
            at = end;
        }
        let read = before..self.addresses.len();
        (!read.is_empty()).then_some((at, Read::Addresses(read)))
    }

    /// Some names, and where they end. Not all there are: if there is no room for so many, each line is
    /// taken by itself, and they are read again behind each.
    fn names(&mut self, chunk: &[u8], mut at: usize) -> Option<(usize, Read)> {
        let before = (self.names.len(), self.gives.len());
        while self.gives.len() < before.1 + MANY
            && let Some(line) = plain_names::line(chunk, at)
        {
            write_plain(line.name, line.scope, &mut self.names);
            self.gives.push(line.gives);
            at = line.end;
        }
        let (names, gives) = (before.0..self.names.len(), before.1..self.gives.len());
        (!gives.is_empty()).then_some((at, Read::Names(names, gives)))
    }
}

/// At most so many lines with prefixes; and where they end.
fn prefixes<K: Prefix>(
    read: &mut Vec<plain_prefixes::Line<K>>,
    chunk: &[u8],
    at: usize,
    shortest: u8,
    most: usize,
) -> Option<(usize, Range<usize>)> {
    let before = read.len();
    let mut lines = plain_prefixes::Lines::new(chunk, at, shortest);
    read.extend(lines.by_ref().take(most));
    let read = before..read.len();
    (!read.is_empty()).then_some((lines.at, read))
}
