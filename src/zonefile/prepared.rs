//! What of a file can be read before its turn.

use super::plain_prefixes::{Line, Lines, Prefix};
use super::{Kind, plain, plain_names};
use crate::listing::names::write_plain;
use std::ops::Range;

/// What of a chunk of a file can be read before its turn, on another thread: lines of the commonest
/// kinds. [`Parser::feed_prepared`](super::Parser::feed_prepared) takes it.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    read: Read,
    runs: Vec<Run>,
}

/// What the lines say.
#[derive(Clone, Debug, Default)]
enum Read {
    #[default]
    Nothing,
    Addresses(Vec<u32>),
    Prefixes4(Vec<Line<u32>>),
    Prefixes6(Vec<Line<u128>>),
    /// As [`write_plain`] writes them.
    Names(Vec<u8>),
}

/// Lines side by side.
#[derive(Clone, Debug)]
struct Run {
    /// Their bytes in the chunk.
    place: Range<usize>,
    /// Their number.
    lines: usize,
    /// Up to where in all that was read they stand.
    end: usize,
}

/// What lines side by side say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said<'a> {
    Addresses(&'a [u32]),
    Prefixes4(&'a [Line<u32>]),
    Prefixes6(&'a [Line<u128>]),
    /// So many names, written.
    Names(&'a [u8], usize),
}

/// The most runs of a chunk; what is behind them is left. So a file of other lines costs little.
const MAX_RUNS: usize = 100;

impl Prepared {
    /// Of a chunk of a file of this type; nothing of the types that list neither
    /// addresses nor names.
    pub fn new(kind: Kind, chunk: &[u8]) -> Self {
        let read = match kind {
            Kind::Ip4Set | Kind::Ip4Tset => Read::Addresses(Vec::new()),
            Kind::Ip4Trie => Read::Prefixes4(Vec::new()),
            Kind::Ip6Trie => Read::Prefixes6(Vec::new()),
            Kind::Dnset => Read::Names(Vec::new()),
            _ => return Self::default(),
        };
        let mut prepared = Self { read, runs: Vec::new() };
        // Where the first line began only its turn will show.
        let mut next_line = memchr::memchr(b'\n', chunk);
        while let Some(end) = next_line
            && prepared.runs.len() < MAX_RUNS
        {
            let start = end + 1;
            let (place_end, lines, end) = prepared.read.run(chunk, start);
            prepared.runs.push(Run { place: start..place_end, lines, end });
            let newline = memchr::memchr(b'\n', &chunk[place_end..]);
            next_line = newline.map(|newline| place_end + newline);
        }
        prepared
    }

    /// Where the lines stand in the chunk, and what they say, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = (Range<usize>, Said<'_>)> {
        let mut start = 0;
        self.runs.iter().filter_map(move |run| {
            let place = start..run.end;
            start = run.end;
            let said = match &self.read {
                Read::Nothing => return None,
                Read::Addresses(addresses) => Said::Addresses(&addresses[place]),
                Read::Prefixes4(lines) => Said::Prefixes4(&lines[place]),
                Read::Prefixes6(lines) => Said::Prefixes6(&lines[place]),
                Read::Names(names) => Said::Names(&names[place], run.lines),
            };
            Some((run.place.clone(), said))
        })
    }
}

impl Read {
    /// Reads lines from a place on. Returns where they end in the chunk, their number, and where they
    /// end in what was read.
    fn run(&mut self, chunk: &[u8], start: usize) -> (usize, usize, usize) {
        fn prefixes<K: Prefix>(
            read: &mut Vec<Line<K>>,
            chunk: &[u8],
            start: usize,
        ) -> (usize, usize, usize) {
            let (before, mut lines) = (read.len(), Lines::new(chunk, start));
            read.extend(&mut lines);
            (lines.at, read.len() - before, read.len())
        }
        match self {
            Self::Nothing => (start, 0, 0),
            Self::Addresses(addresses) => {
                let mut lines = plain::Lines::new(&chunk[start..]);
                addresses.extend(&mut lines);
                (chunk.len() - lines.rest.len(), lines.count as usize, addresses.len())
            }
            Self::Prefixes4(read) => prefixes(read, chunk, start),
            Self::Prefixes6(read) => prefixes(read, chunk, start),
            Self::Names(names) => {
                let (mut at, mut count) = (start, 0);
                while let Some(line) = plain_names::line(&chunk[at..]) {
                    write_plain(line.name, line.scope, names);
                    at += line.len;
                    count += 1;
                }
                (at, count, names.len())
            }
        }
    }
}
