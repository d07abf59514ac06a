//! Builds the trie of single addresses with one answer, which are by far the commonest list. The blocks
//! equal those of [`Builder`](super::build::Builder), but no range is made for each address.

use super::build::{Blocks, MAX_RUNS};
use super::free_apart;
use super::root::{BlockSpan, Root};
use crate::answer::AnswerId;
use crate::trie::decode::BITMAP_SIZE;
use crate::trie::encode::{Arena, Counts, Dense, Run, Shape, moved};
use std::panic::resume_unwind;
use std::thread;

/// A /24 with at most this many addresses never becomes a bitmap, because its runs are smaller: a run
/// takes 2 bytes, or 3 if it has several addresses.
const FEW: usize = BITMAP_SIZE / 2;

/// The number of addresses that makes another thread worth its start.
const ENOUGH: usize = if cfg!(test) { 100 } else { 50_000 };

/// The blocks of addresses.
#[derive(Default)]
pub(super) struct BuiltPart {
    arena: Arena,
    entries: Vec<BlockSpan>,
    /// The number of unbroken ranges that the addresses make.
    pub(super) ranges: usize,
}

impl BuiltPart {
    /// The root, which says where the blocks are, and their bytes.
    pub(super) fn finish(self) -> (Root, Vec<u8>) {
        (Root::new(&self.entries), self.arena.finish())
    }
}

/// Writes the blocks of sorted distinct addresses, with up to `threads` threads. The result does not
/// depend on their number.
pub(super) fn build(addresses: &[u32], answer: AnswerId, threads: usize) -> BuiltPart {
    let parts = parts(addresses, threads);
    let (first, others) = parts.split_first().unwrap_or((&addresses, &[]));
    let mut all = BuiltPart::default();
    thread::scope(|scope| {
        let start = |&part| {
            let thread = thread::Builder::new().name("blocks".to_owned());
            (part, thread.spawn_scoped(scope, move || write(part, answer)))
        };
        let others: Vec<_> = others.iter().map(start).collect();
        all = write(first, answer);
        let mut before = first.last();
        for (part, other) in others {
            let other = match other {
                Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Err(_) => write(part, answer),
            };
            let by = all.arena.append(&other.arena);
            let join = |entry: &BlockSpan| BlockSpan { block: moved(entry.block, by), ..*entry };
            all.entries.extend(other.entries.iter().map(join));
            // A range may continue from one part into the next.
            let goes_on = before.zip(part.first()).is_some_and(|(a, b)| b - a == 1);
            all.ranges += other.ranges - usize::from(goes_on);
            before = part.last().or(before);
            free_apart(other);
        }
    });
    all
}

/// The number of unbroken ranges that sorted distinct addresses make.
fn ranges(addresses: &[u32]) -> usize {
    let breaks = addresses.windows(2).filter(|pair| pair[1] - pair[0] != 1).count();
    breaks + usize::from(!addresses.is_empty())
}

/// Divides addresses into parts of about equal size, each of whole /8s.
fn parts(mut addresses: &[u32], threads: usize) -> Vec<&[u32]> {
    let mut parts = Vec::new();
    let count = threads.min(addresses.len() / ENOUGH).max(1);
    for rest in (1..count).rev() {
        // The part ends at the nearer border of the /8 around its ideal end.
        let end = addresses.len() / (rest + 1);
        let octet = addresses.get(end).map_or(0, |address| address >> 24);
        let start = addresses.partition_point(|address| address >> 24 < octet);
        let next = addresses.partition_point(|address| address >> 24 <= octet);
        let (part, others) =
            addresses.split_at(if end - start <= next - end { start } else { next });
        parts.push(part);
        addresses = others;
    }
    parts.push(addresses);
    parts
}

/// Writes the blocks of addresses. No two /8s share a block.
fn write(addresses: &[u32], answer: AnswerId) -> BuiltPart {
    let mut writer =
        Writer { answer, blocks: Blocks::default(), runs: Vec::new(), dense: Vec::new() };
    let mut entries: Vec<BlockSpan> = Vec::new();
    let mut rest = addresses;
    while let Some(first) = rest.first() {
        let slot = (first >> 16) as u16;
        let before = entries.last_mut().filter(|entry| entry.first >> 8 == slot >> 8);
        if before.is_none() {
            writer.blocks.arena.part();
        }
        let (block, count) = writer.block(rest, 0xffff);
        rest = &rest[count..];
        // Adjacent whole /16s of one /8 make one entry.
        let is_whole = count == 1 << 16;
        match before {
            Some(before) if is_whole && before.block == block && before.last == slot - 1 => {
                before.last = slot;
            }
            _ => entries.push(BlockSpan { first: slot, last: slot, block }),
        }
    }
    BuiltPart { arena: writer.blocks.arena, entries, ranges: ranges(addresses) }
}

struct Writer {
    answer: AnswerId,
    blocks: Blocks,
    /// The first and last keys of the runs of the current block.
    runs: Vec<(u16, u16)>,
    /// The bitmaps of the current block.
    dense: Vec<Dense>,
}

impl Writer {
    /// Writes the block of the leading addresses that differ only in the bits of `mask`, which are the
    /// last 16 or 8. Returns the offset of the block and the number of these addresses.
    fn block(&mut self, addresses: &[u32], mask: u32) -> (u32, usize) {
        let may_split = mask == 0xffff;
        let gathered = self.gather(addresses, mask);
        let count = gathered.as_ref().map_or_else(|| prefix(addresses, mask), |(_, count)| *count);
        let keys = &addresses[..count];
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            return (self.blocks.arena.uniform(AnswerId::NONE), 0);
        };
        // With both ends listed there are fewer gaps than runs, and the block stores the gaps.
        let has_gaps_kept = first & mask == 0 && last & mask == mask;
        let Some((counts, _)) = gathered.filter(|_| !has_gaps_kept) else {
            return (self.blocks.write(&runs(keys, mask, self.answer), mask), count);
        };
        let mut shape = Shape::new(AnswerId::NONE, 0);
        shape.add_counted(self.answer, &counts);
        self.dense.iter().for_each(|dense| shape.add_dense(dense));
        let plan = shape.plan(MAX_RUNS);
        if plan.count > MAX_RUNS && may_split {
            return (self.split(keys), count);
        }
        if plan.is_in_single_keys() {
            let block = self.blocks.arena.single_keys(&shape, &plan, &self.runs, &self.dense);
            return (block, count);
        }
        let run = |&(start, last): &(u16, u16)| Run {
            start: start.into(),
            last: last.into(),
            answer: self.answer,
        };
        let runs: Vec<Run<u32>> = self.runs.iter().map(run).collect();
        (self.blocks.arena.block(&shape, &plan, &runs, &self.dense), count)
    }

    fn split(&mut self, mut keys: &[u32]) -> u32 {
        let children = std::array::from_fn(|octet| {
            let inside = keys.partition_point(|key| (key >> 8) as u8 as usize <= octet);
            let (own, rest) = keys.split_at(inside);
            keys = rest;
            self.block(own, 0xff).0
        });
        self.blocks.arena.split(&children)
    }

    /// Divides the keys of the leading addresses into runs and bitmaps, and counts runs and addresses.
    /// `None` if a run crosses from one /24 into the next: a bitmap of one of them would cut the run.
    fn gather(&mut self, addresses: &[u32], mask: u32) -> Option<(Counts, usize)> {
        self.runs.clear();
        self.dense.clear();
        let mut counts = Counts::default();
        let mut count = 0;
        let mut before = None;
        while let Some(first) = addresses.get(count)
            && (first ^ addresses[0]) & !mask == 0
        {
            let group = &addresses[count..];
            let group = &group[..prefix(group, 0xff)];
            count += group.len();
            if before.is_some_and(|before: u32| group[0] - before == 1) {
                return None;
            }
            before = group.last().copied();
            if let [key] = group {
                let key = (key & mask) as u16;
                counts.add_single(key);
                self.runs.push((key, key));
                continue;
            }
            if group.len() > FEW
                && let Some(bits) = bitmap(group)
            {
                let octet = ((group[0] & mask) >> 8) as u8;
                self.dense.push(Dense { octet, answer: self.answer, bits });
                continue;
            }
            for run in group.chunk_by(|a, b| b - a == 1) {
                let start = (run[0] & mask) as u16;
                let last = start + (run.len() - 1) as u16;
                counts.add(start.into(), last.into());
                self.runs.push((start, last));
            }
        }
        Some((counts, count))
    }
}

/// The number of leading addresses that differ only in the bits of `mask`.
fn prefix(addresses: &[u32], mask: u32) -> usize {
    let is_other = |address: &u32| (address ^ addresses[0]) & !mask != 0;
    addresses.iter().position(is_other).unwrap_or(addresses.len())
}

/// The runs of keys, counted from the start of a /16 or a /24.
fn runs(keys: &[u32], mask: u32, answer: AnswerId) -> Vec<Run<u32>> {
    let run = |run: &[u32]| {
        let start = run[0] & mask;
        Run { start, last: start + (run.len() - 1) as u32, answer }
    };
    keys.chunk_by(|a, b| b - a == 1).map(run).collect()
}

/// The bitmap of the addresses of a /24, if it is smaller than their runs.
fn bitmap(keys: &[u32]) -> Option<[u8; BITMAP_SIZE]> {
    let mut words = [0_u64; BITMAP_SIZE / 8];
    // Two keys at a time into separate words, so that neither waits for the other.
    let mut others = words;
    let (pairs, rest) = keys.as_chunks();
    for [key, other] in pairs {
        words[usize::from(*key as u8 / 64)] |= 1 << (key % 64);
        others[usize::from(*other as u8 / 64)] |= 1 << (other % 64);
    }
    for key in rest {
        words[usize::from(*key as u8 / 64)] |= 1 << (key % 64);
    }
    words.iter_mut().zip(others).for_each(|(word, other)| *word |= other);
    let (mut size, mut before) = (0, 0);
    for (index, &word) in words.iter().enumerate() {
        let after = words.get(index + 1).map_or(0, |next| next << 63);
        let starts = word & !(word << 1 | before >> 63);
        let goes_on = word >> 1 | after;
        size += 2 * starts.count_ones() + (starts & goes_on).count_ones();
        before = word;
    }
    if size as usize <= 1 + BITMAP_SIZE {
        return None;
    }
    let mut bits = [0; BITMAP_SIZE];
    for (bytes, word) in bits.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    Some(bits)
}
