//! A naive writer of the blocks of [`Trie4`](crate::trie::Trie4), whose bytes tests compare with those of the
//! builder: it writes each block from the answers of all its keys, one by one, as the [layout](crate::trie) says.

use super::build::MAX_RUNS;
use crate::range::Range;
use crate::trie::decode::{BACKGROUND, BITMAP_SIZE, DENSE, PADDING, SHARED};
use std::collections::BTreeMap;

/// The first and last key, and the answer.
type Run = (usize, usize, u32);

/// The third octet, the answer, and a bit for each key that has it.
type Bitmap = (u32, u32, [u8; BITMAP_SIZE]);

/// Writes the blocks of ranges that are sorted and disjoint. Returns the offset of each /16, and the arena.
pub(super) fn write(ranges: &[Range<u32>]) -> (BTreeMap<u16, u32>, Vec<u8>) {
    let mut keys_of: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
    for range in ranges {
        for slot in range.start >> 16..=range.end >> 16 {
            let keys = keys_of.entry(slot as u16).or_insert_with(|| vec![0; 1 << 16]);
            let start = range.start.max(slot << 16) & 0xffff;
            let end = range.end.min(slot << 16 | 0xffff) & 0xffff;
            keys[start as usize..=end as usize].fill(range.answer.0);
        }
    }
    let mut writer = Writer { arena: vec![0; 4], uniform: None };
    let mut offsets = BTreeMap::new();
    let mut octet = 0;
    for (slot, keys) in keys_of {
        if slot >> 8 != octet {
            // No block is shared by two /8s.
            (octet, writer.uniform) = (slot >> 8, None);
        }
        offsets.insert(slot, writer.block(&keys));
    }
    writer.arena.extend([0; PADDING]);
    (offsets, writer.arena)
}

struct Writer {
    arena: Vec<u8>,
    /// The answer and the offset of the last block with one answer.
    uniform: Option<(u32, u32)>,
}

impl Writer {
    fn block(&mut self, keys: &[u32]) -> u32 {
        let runs = runs(keys);
        if let [(_, _, answer)] = runs[..] {
            if answer == 0 {
                return 0;
            }
            if let Some((same, offset)) = self.uniform
                && same == answer
            {
                return offset;
            }
            self.uniform = Some((answer, self.arena.len() as u32));
        }
        let background = commonest(&runs);
        let (runs, bitmaps) = divide(keys, background);
        let answers = || runs.iter().map(|run| run.2).chain(bitmaps.iter().map(|bitmap| bitmap.1));
        let shared = answers().next().filter(|first| answers().all(|answer| answer == *first));
        let answer_width = width(answers().fold(background, u32::max));
        let each = if shared.is_some() { 0 } else { answer_width };
        let bounds = runs.iter().fold(0, |all, run| all | run.0 | (run.1 + 1));
        let shift = if runs.is_empty() { 127 } else { bounds.trailing_zeros() };
        let unit = |key: usize| key.checked_shr(shift).unwrap_or(0);
        let key_width = width(runs.last().map_or(0, |run| unit(run.1) as u32));
        let in_units: Vec<Run> = runs.iter().map(|run| (unit(run.0), unit(run.1), run.2)).collect();
        let forms = [
            (2, in_units.clone(), 2 * key_width + each),
            (1, in_units.iter().flat_map(powers).collect(), key_width + 1 + each),
            (0, in_units.iter().flat_map(units).collect::<Vec<_>>(), key_width + each),
        ];
        // The last of those with the fewest bytes.
        let (form, runs, _) = forms
            .into_iter()
            .filter(|(form, runs, _)| *form == 2 || runs.len() <= MAX_RUNS)
            .rev()
            .min_by_key(|(_, runs, size)| runs.len() * size)
            .unwrap();
        if runs.len() > MAX_RUNS && keys.len() > 256 {
            return self.split(keys);
        }
        let offset = self.arena.len() as u32;
        let header = (answer_width as u32 - 1)
            | form << 2
            | if shared.is_some() { SHARED } else { 0 }
            | if background > 0 { BACKGROUND } else { 0 }
            | if bitmaps.is_empty() { 0 } else { DENSE }
            | shift << 8
            | (key_width as u32 - 1) << 16
            | (runs.len() as u32) << 20;
        self.int(header, 4);
        for once in [Some(background).filter(|answer| *answer > 0), shared].into_iter().flatten() {
            self.int(once, answer_width);
        }
        if !bitmaps.is_empty() {
            self.int(bitmaps.len() as u32 - 1, 1);
        }
        bitmaps.iter().for_each(|bitmap| self.int(bitmap.0, 1));
        runs.iter().for_each(|run| self.int(run.0 as u32, key_width));
        for (start, last, _) in &runs {
            match form {
                0 => {}
                1 => self.int((last - start + 1).trailing_zeros(), 1),
                _ => self.int(*last as u32, key_width),
            }
        }
        if shared.is_none() {
            runs.iter().for_each(|run| self.int(run.2, answer_width));
            bitmaps.iter().for_each(|bitmap| self.int(bitmap.1, answer_width));
        }
        bitmaps.iter().for_each(|bitmap| self.arena.extend(bitmap.2));
        offset
    }

    fn split(&mut self, keys: &[u32]) -> u32 {
        let children: Vec<_> = keys.chunks(256).map(|keys| self.block(keys)).collect();
        let offset = self.arena.len() as u32;
        self.int(3 << 2, 4);
        children.into_iter().for_each(|child| self.int(child, 4));
        offset
    }

    fn int(&mut self, number: u32, width: usize) {
        self.arena.extend(&number.to_le_bytes()[..width]);
    }
}

/// The bytes that a number takes.
fn width(number: u32) -> usize {
    (1..4).find(|width| number >> (8 * width) == 0).unwrap_or(4)
}

/// Stretches of keys with one answer.
fn runs(keys: &[u32]) -> Vec<Run> {
    let mut next = 0;
    let stretches = keys.chunk_by(|a, b| a == b).map(|stretch| {
        let start = next;
        next += stretch.len();
        (start, next - 1, stretch[0])
    });
    stretches.collect()
}

/// The least of the answers with the most stretches.
fn commonest(runs: &[Run]) -> u32 {
    let mut counts = BTreeMap::new();
    runs.iter().for_each(|run| *counts.entry(run.2).or_insert(0) += 1);
    let most = counts.values().copied().max();
    counts.into_iter().find(|(_, count)| Some(*count) == most).map_or(0, |(answer, _)| answer)
}

/// The runs that are not in a bitmap, and the bitmaps.
fn divide(keys: &[u32], background: u32) -> (Vec<Run>, Vec<Bitmap>) {
    let (mut kept, mut bitmaps) = (Vec::new(), Vec::new());
    let mut others: Vec<Run> = runs(keys);
    others.retain(|run| run.2 != background);
    for (octet, inside) in keys.chunks(256).enumerate() {
        let mut group = others.iter().filter(|run| run.0 >> 8 == octet).copied().peekable();
        let Some(&(_, _, answer)) = group.peek() else { continue };
        let group: Vec<Run> = group.collect();
        let size: usize = group.iter().map(|run| if run.0 == run.1 { 2 } else { 3 }).sum();
        if size <= 1 + BITMAP_SIZE || inside.iter().any(|key| ![background, answer].contains(key)) {
            kept.extend(group);
            continue;
        }
        let mut bits = [0; BITMAP_SIZE];
        for (at, _) in inside.iter().enumerate().filter(|(_, key)| **key != background) {
            bits[at / 8] |= 1 << (at % 8);
        }
        bitmaps.push((octet as u32, answer, bits));
        let behind = (octet + 1) << 8;
        kept.extend(group.last().filter(|run| run.1 >= behind).map(|run| (behind, run.1, run.2)));
    }
    (kept, bitmaps)
}

/// A run in runs of powers of two, the longest first.
fn powers(&(start, last, answer): &Run) -> Vec<Run> {
    let (mut next, mut rest) = (start, last + 1 - start);
    let mut parts = Vec::new();
    while let Some(power) = rest.checked_ilog2() {
        parts.push((next, next + (1 << power) - 1, answer));
        (next, rest) = (next + (1 << power), rest - (1 << power));
    }
    parts
}

/// A run in single units.
fn units(&(start, last, answer): &Run) -> Vec<Run> {
    (start..=last).map(|unit| (unit, unit, answer)).collect()
}
