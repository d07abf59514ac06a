//! Building a [`Trie4`](super::Trie4), one /16 at a time.

use super::root::{Entry, Root};
use crate::listing::{AnswerId, Range};
use crate::trie::block::BITMAP_SIZE;
use crate::trie::pack::{Arena, Dense, Run, Shape};

/// Blocks with more runs than this are split, so that a search stays within a few cache lines.
pub(super) const MAX_RUNS: usize = 512;

/// Keys of one block with one answer, listed or not.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    pub(super) start: u16,
    pub(super) last: u16,
    pub(super) answer: AnswerId,
}

/// Takes the ranges in order and writes the blocks.
#[derive(Default)]
pub(super) struct Builder {
    arena: Arena,
    entries: Vec<Entry>,
    /// The /16 at hand: all its keys before `next` are in `pieces`.
    slot: u16,
    pieces: Vec<Piece>,
    next: u32,
}

impl Builder {
    pub(super) fn push(&mut self, range: Range<u32>) {
        let mut start = range.start;
        loop {
            let slot = (start >> 16) as u16;
            if slot != self.slot {
                self.flush();
                self.slot = slot;
            }
            let end = if start as u16 == 0 && range.end >= start | 0xffff {
                self.whole(start, range.end, range.answer)
            } else {
                let end = range.end.min(start | 0xffff);
                self.piece(start as u16, end as u16, range.answer);
                end
            };
            if end >= range.end {
                return;
            }
            start = end + 1;
        }
    }

    pub(super) fn finish(mut self) -> (Root, Vec<u8>) {
        self.flush();
        (Root::new(&self.entries), self.arena.finish())
    }

    /// Adds the whole /16s at the start of a range, up to the end of a /8; returns their end.
    fn whole(&mut self, start: u32, end: u32, answer: AnswerId) -> u32 {
        let last = end.min(start | 0x00ff_ffff);
        let last = if last as u16 == u16::MAX { last } else { (last & 0xffff_0000) - 1 };
        let block = self.arena.uniform(answer);
        self.entries.push(Entry { first: (start >> 16) as u16, last: (last >> 16) as u16, block });
        last
    }

    fn piece(&mut self, start: u16, last: u16, answer: AnswerId) {
        if self.next < u32::from(start) {
            let gap = Piece { start: self.next as u16, last: start - 1, answer: AnswerId::NONE };
            self.pieces.push(gap);
        }
        self.pieces.push(Piece { start, last, answer });
        self.next = u32::from(last) + 1;
    }

    fn flush(&mut self) {
        if self.pieces.is_empty() {
            return;
        }
        if let Ok(start) = u16::try_from(self.next) {
            self.pieces.push(Piece { start, last: u16::MAX, answer: AnswerId::NONE });
        }
        let block = write(&mut self.arena, &self.pieces, true);
        self.entries.push(Entry { first: self.slot, last: self.slot, block });
        self.pieces.clear();
        self.next = 0;
    }
}

/// Writes the block of pieces that fill a /16, or a /24 if it must not be split further.
pub(super) fn write(arena: &mut Arena, pieces: &[Piece], may_split: bool) -> u32 {
    if let [piece] = pieces {
        return arena.uniform(piece.answer);
    }
    let background = commonest(pieces);
    let (runs, dense) = pick_dense(pieces, background);
    let mut shape = Shape::new(background);
    for run in &runs {
        shape.add(run);
    }
    for bitmap in &dense {
        shape.add_dense(bitmap);
    }
    let plan = shape.plan(MAX_RUNS);
    if plan.count > MAX_RUNS && may_split {
        return split(arena, pieces);
    }
    arena.block(&shape, &plan, &runs, &dense)
}

fn split(arena: &mut Arena, mut pieces: &[Piece]) -> u32 {
    let mut own = Vec::new();
    let children = std::array::from_fn(|octet| {
        let (start, last) = ((octet as u16) << 8, (octet as u16) << 8 | 0xff);
        let inside = pieces.partition_point(|piece| piece.start <= last);
        own.clear();
        own.extend(pieces[..inside].iter().map(|piece| Piece {
            start: piece.start.max(start) & 0xff,
            last: piece.last.min(last) & 0xff,
            answer: piece.answer,
        }));
        // A piece that goes on behind this /24 begins the next one.
        let done = pieces.partition_point(|piece| piece.last <= last);
        pieces = &pieces[done..];
        write(arena, &own, false)
    });
    arena.split(&children)
}

/// The answer of the most pieces, so that the fewest runs remain.
fn commonest(pieces: &[Piece]) -> AnswerId {
    let gaps = pieces.iter().filter(|piece| !piece.answer.is_listed()).count();
    // Neighbours differ, so nothing can be more common than every second piece.
    if gaps * 2 > pieces.len() {
        return AnswerId::NONE;
    }
    let mut answers: Vec<_> = pieces.iter().map(|piece| piece.answer).collect();
    answers.sort_unstable();
    let runs = answers.chunk_by(|a, b| a == b);
    let longest = runs.reduce(|best, run| if run.len() > best.len() { run } else { best });
    longest.map_or(AnswerId::NONE, |run| run[0])
}

/// Divides what differs from the background into runs and bitmaps. A run may go on into a bitmap,
/// which is asked first.
fn pick_dense(pieces: &[Piece], background: AnswerId) -> (Vec<Run>, Vec<Dense>) {
    let mut runs: Vec<Piece> = Vec::with_capacity(pieces.len() / 2 + 1);
    let mut dense = Vec::new();
    let others: Vec<Piece> =
        pieces.iter().filter(|piece| piece.answer != background).copied().collect();
    for group in others.chunk_by(|a, b| a.start >> 8 == b.start >> 8) {
        let (octet, answer) = (group[0].start >> 8, group[0].answer);
        let size: usize = group.iter().map(|run| 2 + usize::from(run.start < run.last)).sum();
        let from_before = runs.last().filter(|run| run.last >> 8 >= octet).copied();
        let inside = || group.iter().chain(&from_before);
        if size <= 1 + BITMAP_SIZE || inside().any(|run| run.answer != answer) {
            runs.extend(group);
            continue;
        }
        let (first, last) = (octet << 8, octet << 8 | 0xff);
        let mut bits = [0; BITMAP_SIZE];
        for run in inside() {
            set(&mut bits, run.start.max(first) as u8, run.last.min(last) as u8);
        }
        dense.push(Dense { octet: octet as u8, answer, bits });
        if let Some(run) = group.last().filter(|run| run.last > last) {
            runs.push(Piece { start: last + 1, ..*run });
        }
    }
    let runs = runs.iter().map(|run| Run {
        start: run.start.into(),
        last: run.last.into(),
        answer: run.answer,
    });
    (runs.collect(), dense)
}

/// Sets the bits from `first` to `last`.
fn set(bits: &mut [u8; BITMAP_SIZE], first: u8, last: u8) {
    for byte in first / 8..=last / 8 {
        let from = if byte == first / 8 { first % 8 } else { 0 };
        let to = if byte == last / 8 { last % 8 } else { 7 };
        bits[usize::from(byte)] |= 0xff << from & 0xff >> (7 - to);
    }
}
