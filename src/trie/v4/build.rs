//! Building a [`Trie4`](crate::trie::Trie4), one /16 at a time.

use super::root::{BlockSpan, Root};
use crate::answer::AnswerId;
use crate::range::Range;
use crate::trie::decode::BITMAP_SIZE;
use crate::trie::encode::{Arena, Dense, Run, Shape};

/// Blocks with more runs than this are split, so that a search stays within a few cache lines.
pub(super) const MAX_RUNS: usize = 512;

/// Keys of one block with one answer, listed or not.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    pub(super) start: u16,
    pub(super) last: u16,
    pub(super) answer: AnswerId,
}

impl Piece {
    fn run(&self) -> Run<u64> {
        Run { start: self.start.into(), last: self.last.into(), answer: self.answer }
    }
}

/// Takes the ranges in order and writes the blocks.
#[derive(Default)]
pub(super) struct Builder {
    blocks: Blocks,
    entries: Vec<BlockSpan>,
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
                if slot >> 8 != self.slot >> 8 {
                    self.blocks.arena.part();
                }
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
        (Root::new(&self.entries), self.blocks.arena.finish())
    }

    /// Adds the whole /16s at the start of a range, up to the end of a /8; returns their end.
    fn whole(&mut self, start: u32, end: u32, answer: AnswerId) -> u32 {
        let last = end.min(start | 0x00ff_ffff);
        let last = if last as u16 == u16::MAX { last } else { (last & 0xffff_0000) - 1 };
        let block = self.blocks.arena.uniform(answer);
        self.entries.push(BlockSpan {
            first: (start >> 16) as u16,
            last: (last >> 16) as u16,
            block,
        });
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
        let block = self.blocks.write(&self.pieces, true);
        self.entries.push(BlockSpan { first: self.slot, last: self.slot, block });
        self.pieces.clear();
        self.next = 0;
    }
}

/// Writes blocks. Beside the arena it holds what is needed for one of them, so that its memory is
/// there for the next.
#[derive(Default)]
pub(super) struct Blocks {
    pub(super) arena: Arena,
    answers: Vec<AnswerId>,
    others: Vec<Piece>,
    runs: Vec<Run<u64>>,
    dense: Vec<Dense>,
}

impl Blocks {
    /// Writes the block of pieces that fill a /16, or a /24 if it must not be split further.
    pub(super) fn write(&mut self, pieces: &[Piece], may_split: bool) -> u32 {
        if let [piece] = pieces {
            return self.arena.uniform(piece.answer);
        }
        let background = self.commonest(pieces);
        self.divide(pieces, background);
        let mut shape = Shape::new(background, 0);
        for run in &self.runs {
            shape.add(run);
        }
        for bitmap in &self.dense {
            shape.add_dense(bitmap);
        }
        let plan = shape.plan(MAX_RUNS);
        if plan.count > MAX_RUNS && may_split {
            return self.split(pieces);
        }
        self.arena.block(&shape, &plan, &self.runs, &self.dense)
    }

    fn split(&mut self, mut pieces: &[Piece]) -> u32 {
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
            self.write(&own, false)
        });
        self.arena.split(&children)
    }

    /// The answer of the most pieces, so that the fewest runs remain.
    fn commonest(&mut self, pieces: &[Piece]) -> AnswerId {
        let gaps = pieces.iter().filter(|piece| !piece.answer.is_listed()).count();
        // Neighbours differ, so nothing can be more common than every second piece.
        if gaps * 2 > pieces.len() {
            return AnswerId::NONE;
        }
        if most_of_any(pieces) <= gaps {
            return AnswerId::NONE;
        }
        self.answers.clear();
        self.answers.extend(pieces.iter().map(|piece| piece.answer));
        self.answers.sort_unstable();
        let runs = self.answers.chunk_by(|a, b| a == b);
        let longest = runs.reduce(|best, run| if run.len() > best.len() { run } else { best });
        longest.map_or(AnswerId::NONE, |run| run[0])
    }

    /// Divides what differs from the background into runs and bitmaps. A run may go on into a
    /// bitmap, which is asked first.
    fn divide(&mut self, pieces: &[Piece], background: AnswerId) {
        let Self { others, runs, dense, .. } = self;
        others.clear();
        others.extend(pieces.iter().filter(|piece| piece.answer != background));
        runs.clear();
        dense.clear();
        for group in others.chunk_by(|a, b| a.start >> 8 == b.start >> 8) {
            let (octet, answer) = (group[0].start >> 8, group[0].answer);
            let size: usize = group.iter().map(|run| 2 + usize::from(run.start < run.last)).sum();
            let from_before = runs.last().filter(|run| run.last >> 8 >= u64::from(octet)).copied();
            let same = |run: AnswerId| run == answer;
            if size <= 1 + BITMAP_SIZE
                || !group.iter().all(|run| same(run.answer))
                || !from_before.is_none_or(|run| same(run.answer))
            {
                runs.extend(group.iter().map(Piece::run));
                continue;
            }
            let last = octet << 8 | 0xff;
            let mut bits = [0; BITMAP_SIZE];
            if let Some(run) = from_before {
                set(&mut bits, 0, run.last.min(last.into()) as u8);
            }
            for run in group {
                set(&mut bits, run.start as u8, run.last.min(last) as u8);
            }
            dense.push(Dense { octet: octet as u8, answer, bits });
            if let Some(run) = group.last().filter(|run| run.last > last) {
                runs.push(Piece { start: last + 1, ..*run }.run());
            }
        }
    }
}

/// How many of the listed pieces have one answer, at most.
fn most_of_any(pieces: &[Piece]) -> usize {
    let mut counts = [0; 256];
    for piece in pieces.iter().filter(|piece| piece.answer.is_listed()) {
        counts[piece.answer.0 as usize % 256] += 1;
    }
    counts.into_iter().max().unwrap_or(0)
}

/// Sets the bits from `first` to `last`.
fn set(bits: &mut [u8; BITMAP_SIZE], first: u8, last: u8) {
    for byte in first / 8..=last / 8 {
        let from = if byte == first / 8 { first % 8 } else { 0 };
        let to = if byte == last / 8 { last % 8 } else { 7 };
        bits[usize::from(byte)] |= 0xff << from & 0xff >> (7 - to);
    }
}
