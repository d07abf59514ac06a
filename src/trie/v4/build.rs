//! Building a [`Trie4`](crate::trie::Trie4), one /16 at a time.

use super::root::{BlockSpan, Root};
use crate::answer::AnswerId;
use crate::range::Range;
use crate::trie::decode::BITMAP_SIZE;
use crate::trie::encode::{Arena, Dense, Run, Shape};

/// Blocks with more runs than this are split, so that a search stays within a few cache lines.
pub(super) const MAX_RUNS: usize = 512;

/// A /24 of this many runs or fewer is no bitmap, because they are smaller: a run takes 3 bytes at most.
const FEW: usize = (1 + BITMAP_SIZE) / 3;

/// Takes the ranges in order and writes the blocks.
#[derive(Default)]
pub(super) struct Builder {
    blocks: Blocks,
    entries: Vec<BlockSpan>,
    /// The /16 at hand, and what is listed there.
    slot: u16,
    listed: Vec<Run<u32>>,
}

impl Builder {
    #[inline]
    pub(super) fn push(&mut self, range: Range<u32>) {
        let Range { start, end, answer } = range;
        // Nearly every range lies inside the /16 at hand; only from this difference on it may be a whole one.
        if start >> 16 == u32::from(self.slot) && start ^ end < 0xffff {
            self.listed.push(Run { start: start & 0xffff, last: end & 0xffff, answer });
        } else {
            self.push_parts(range);
        }
    }

    /// Adds the whole /16s of a range as such, and what it has of others.
    #[inline(never)]
    fn push_parts(&mut self, range: Range<u32>) {
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
                let (start, last) = (start & 0xffff, end & 0xffff);
                self.listed.push(Run { start, last, answer: range.answer });
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

    fn flush(&mut self) {
        if self.listed.is_empty() {
            return;
        }
        let block = self.blocks.write(&self.listed, 0xffff);
        self.entries.push(BlockSpan { first: self.slot, last: self.slot, block });
        self.listed.clear();
    }
}

/// Writes blocks. Beside the arena it holds what is needed for one of them, so that its memory is
/// there for the next.
#[derive(Default)]
pub(super) struct Blocks {
    pub(super) arena: Arena,
    answers: Vec<AnswerId>,
    others: Vec<Run<u32>>,
    divided: Vec<Run<u32>>,
    dense: Vec<Dense>,
}

impl Blocks {
    /// Writes the block of what is listed in a /16, or in a /24 of one that is split: `end` is the last key.
    /// Neighbours have different answers.
    pub(super) fn write(&mut self, listed: &[Run<u32>], end: u32) -> u32 {
        match listed {
            [] => return self.arena.uniform(AnswerId::NONE),
            [run] if run.start == 0 && run.last == end => return self.arena.uniform(run.answer),
            _ => {}
        }
        let background = self.commonest(listed, gaps(listed, end));
        let Self { arena, others, divided, dense, .. } = self;
        let mut runs = listed;
        if background.is_listed() {
            differ(listed, end, background, others);
            runs = others;
        }
        dense.clear();
        if may_have_bitmap(runs) {
            divide(runs, divided, dense);
            runs = divided;
        }
        let mut shape = Shape::of_keys(background, runs);
        dense.iter().for_each(|dense| shape.add_dense(dense));
        let plan = shape.plan(MAX_RUNS);
        if plan.count > MAX_RUNS && end == 0xffff {
            return self.split(listed);
        }
        arena.block(&shape, &plan, runs, dense)
    }

    fn split(&mut self, mut listed: &[Run<u32>]) -> u32 {
        let mut own = Vec::new();
        let children = std::array::from_fn(|octet| {
            let (start, last) = ((octet as u32) << 8, (octet as u32) << 8 | 0xff);
            let inside = listed.partition_point(|run| run.start <= last);
            own.clear();
            own.extend(listed[..inside].iter().map(|run| Run {
                start: run.start.max(start) & 0xff,
                last: run.last.min(last) & 0xff,
                answer: run.answer,
            }));
            // A run that goes on behind this /24 begins the next one.
            let done = listed.partition_point(|run| run.last <= last);
            listed = &listed[done..];
            self.write(&own, 0xff)
        });
        self.arena.split(&children)
    }

    /// The answer of the most runs and gaps, so that the fewest runs remain.
    fn commonest(&mut self, listed: &[Run<u32>], gaps: usize) -> AnswerId {
        if listed.len() <= gaps || !may_exceed(listed, gaps) {
            return AnswerId::NONE;
        }
        self.answers.clear();
        self.answers.extend(listed.iter().map(|run| run.answer));
        self.answers.sort_unstable();
        let same = self.answers.chunk_by(|a, b| a == b);
        let longest = same.reduce(|best, same| if same.len() > best.len() { same } else { best });
        longest.filter(|same| same.len() > gaps).map_or(AnswerId::NONE, |same| same[0])
    }
}

/// The number of gaps between, before and behind the runs up to the last key.
fn gaps(listed: &[Run<u32>], end: u32) -> usize {
    let mut next = 0;
    let mut gaps = 0;
    for run in listed {
        gaps += usize::from(run.start != next);
        next = run.last + 1;
    }
    gaps + usize::from(next <= end)
}

/// Gathers runs and gaps whose answer is not that of the background.
fn differ(listed: &[Run<u32>], end: u32, background: AnswerId, others: &mut Vec<Run<u32>>) {
    others.clear();
    let mut next = 0;
    for run in listed {
        if next < run.start {
            others.push(Run { start: next, last: run.start - 1, answer: AnswerId::NONE });
        }
        if run.answer != background {
            others.push(*run);
        }
        next = run.last + 1;
    }
    if next <= end {
        others.push(Run { start: next, last: end, answer: AnswerId::NONE });
    }
}

/// True unless no /24 can be a bitmap: of more than a few runs, all with one answer.
fn may_have_bitmap(runs: &[Run<u32>]) -> bool {
    runs.iter()
        .zip(runs.get(FEW..).unwrap_or(&[]))
        .any(|(a, b)| a.start >> 8 == b.start >> 8 && a.answer == b.answer)
}

/// Divides runs into runs and bitmaps. A run may go on into a bitmap, which is asked first.
fn divide(all: &[Run<u32>], runs: &mut Vec<Run<u32>>, dense: &mut Vec<Dense>) {
    runs.clear();
    for group in all.chunk_by(|a, b| a.start >> 8 == b.start >> 8) {
        let (octet, answer) = (group[0].start >> 8, group[0].answer);
        let size: usize = group.iter().map(|run| 2 + usize::from(run.start < run.last)).sum();
        let from_before = runs.last().filter(|run| run.last >> 8 >= octet).copied();
        let same = |run: AnswerId| run == answer;
        if size <= 1 + BITMAP_SIZE
            || !group.iter().all(|run| same(run.answer))
            || !from_before.is_none_or(|run| same(run.answer))
        {
            runs.extend_from_slice(group);
            continue;
        }
        let last = octet << 8 | 0xff;
        let mut bits = [0; BITMAP_SIZE];
        if let Some(run) = from_before {
            set(&mut bits, 0, run.last.min(last) as u8);
        }
        for run in group {
            set(&mut bits, run.start as u8, run.last.min(last) as u8);
        }
        dense.push(Dense { octet: octet as u8, answer, bits });
        if let Some(run) = group.last().filter(|run| run.last > last) {
            runs.push(Run { start: last + 1, ..*run });
        }
    }
}

/// True unless no answer has more runs than so many.
fn may_exceed(runs: &[Run<u32>], most: usize) -> bool {
    // Answers may share a counter.
    let mut counts = [0_u32; 256];
    runs.iter().any(|run| {
        let count = &mut counts[run.answer.0 as usize % 256];
        *count += 1;
        *count as usize > most
    })
}

/// Sets the bits from `first` to `last`.
fn set(bits: &mut [u8; BITMAP_SIZE], first: u8, last: u8) {
    for byte in first / 8..=last / 8 {
        let from = if byte == first / 8 { first % 8 } else { 0 };
        let to = if byte == last / 8 { last % 8 } else { 7 };
        bits[usize::from(byte)] |= 0xff << from & 0xff >> (7 - to);
    }
}
