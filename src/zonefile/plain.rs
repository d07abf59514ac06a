//! The commonest line, fast: a whole IPv4 address and nothing else.

use super::{Kind, plain_names};
use crate::listing::names::write_plain;
use std::ops::Range;

/// The longest such line: four octets of three digits, three dots, CR LF.
const LONGEST: usize = 17;

/// The addresses of the lines at the beginning of a text, up to the first line that is anything
/// else or too near the end of the text.
pub(super) struct Lines<'a> {
    /// What was not read yet.
    pub(super) rest: &'a [u8],
    /// The number of lines read.
    pub(super) count: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { rest: text, count: 0 }
    }
}

impl Iterator for Lines<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        let (address, len) = line(self.rest.first_chunk()?)?;
        self.rest = &self.rest[len..];
        self.count += 1;
        Some(address)
    }
}

/// The address of a line and the length of the line.
#[inline]
fn line(text: &[u8; LONGEST]) -> Option<(u32, usize)> {
    let mut address = 0;
    let mut at = 0;
    for octet in 0..4 {
        let mut value = u32::from(text[at].wrapping_sub(b'0'));
        if value > 9 {
            return None;
        }
        at += 1;
        for _ in 0..2 {
            let digit = u32::from(text[at].wrapping_sub(b'0'));
            if digit > 9 {
                break;
            }
            value = value * 10 + digit;
            at += 1;
        }
        if value > 255 || (octet < 3 && text[at] != b'.') {
            return None;
        }
        address = address << 8 | value;
        at += usize::from(octet < 3);
    }
    match text[at] {
        b'\n' => Some((address, at + 1)),
        b'\r' if text[at + 1] == b'\n' => Some((address, at + 2)),
        _ => None,
    }
}

/// What of a chunk of a file can be read before its turn, on another thread: lines that are
/// nothing but whole IPv4 addresses, or plain names.
/// [`Parser::feed_prepared`](super::Parser::feed_prepared) takes it.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    addresses: Vec<u32>,
    /// Names as [`write_plain`] writes them.
    names: Vec<u8>,
    runs: Vec<Run>,
}

/// Lines side by side.
#[derive(Clone, Debug)]
struct Run {
    /// Their bytes in the chunk.
    place: Range<usize>,
    /// Their number.
    lines: usize,
    /// Up to where their addresses or names stand.
    end: usize,
}

/// What was read of lines side by side.
#[derive(Clone, Copy)]
pub(super) enum Ready<'a> {
    Addresses(&'a [u32]),
    /// So many names, written.
    Names(&'a [u8], usize),
}

/// The most runs of a chunk; what is behind them is left. So a file of other lines costs little.
const MAX_RUNS: usize = 100;

impl Prepared {
    /// Of a chunk of a file of this type; nothing of the types that list neither single addresses
    /// nor names.
    pub fn new(kind: Kind, chunk: &[u8]) -> Self {
        let mut prepared = Self::default();
        let read = match kind {
            Kind::Ip4Set | Kind::Ip4Tset => Self::read_addresses,
            Kind::Dnset => Self::read_names,
            _ => return prepared,
        };
        // Where the first line began only its turn will show.
        let mut next_line = memchr::memchr(b'\n', chunk);
        while let Some(end) = next_line
            && prepared.runs.len() < MAX_RUNS
        {
            let start = end + 1;
            let (rest, lines) = read(&mut prepared, &chunk[start..]);
            let end = chunk.len() - rest.len();
            let ready = prepared.addresses.len() + prepared.names.len();
            prepared.runs.push(Run { place: start..end, lines, end: ready });
            next_line = memchr::memchr(b'\n', rest).map(|newline| end + newline);
        }
        prepared
    }

    /// Reads the lines at the beginning of a text; returns the rest and their number.
    fn read_addresses<'a>(&mut self, text: &'a [u8]) -> (&'a [u8], usize) {
        let mut lines = Lines::new(text);
        self.addresses.extend(&mut lines);
        (lines.rest, lines.count as usize)
    }

    /// The same of names.
    fn read_names<'a>(&mut self, text: &'a [u8]) -> (&'a [u8], usize) {
        let (mut rest, mut count) = (text, 0);
        while let Some(line) = plain_names::line(rest) {
            write_plain(line.name, line.scope, &mut self.names);
            rest = &rest[line.len..];
            count += 1;
        }
        (rest, count)
    }

    /// Where the lines stand in the chunk, and what was read of them, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = (Range<usize>, Ready<'_>)> {
        let mut start = 0;
        self.runs.iter().map(move |run| {
            let ready = match self.names.get(start..run.end) {
                Some(names) if !names.is_empty() => Ready::Names(names, run.lines),
                _ => Ready::Addresses(self.addresses.get(start..run.end).unwrap_or(&[])),
            };
            start = run.end;
            (run.place.clone(), ready)
        })
    }
}
