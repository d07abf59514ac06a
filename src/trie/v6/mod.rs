//! The index of IPv6 addresses: a sorted array of heads, then [blocks](super::decode).

use super::addresses::{Index, Totals};
use super::common_block::CommonBlock;
use super::decode::{Block, EMPTY};
use super::encode::{Arena, Plan, Run, Shape};
use crate::answer::AnswerId;
use crate::flat_array::{ArrayReader, ArrayWriter, FlatArray};
use crate::range::{Int, Range};

/// The most runs of a block.
const MAX_RUNS: usize = 64;

/// The bytes that a block takes outside of the arena: its head and its offset.
const BLOCK_OVERHEAD: usize = size_of::<u128>() + size_of::<u32>();

/// The heads of the blocks, and their offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// For each cell, 2^`cell_shift` /64s from `first_network` on, how many heads lie before it; and
    /// at last the number of heads.
    cells: FlatArray<u32>,
    cell_shift: u32,
    /// The /64 of the first head.
    first_network: u64,
    /// The first address of each block; a block ends where the next one begins.
    heads: FlatArray<u128>,
    blocks: FlatArray<u32>,
}

impl Index for Heads {
    type Address = u128;

    fn build(ranges: impl Iterator<Item = Range<u128>>) -> (Self, Vec<u8>) {
        let mut builder = Builder::default();
        ranges.for_each(|range| builder.push(range));
        builder.finish()
    }

    #[inline(always)]
    fn lookup(&self, arena: &[u8], address: u128) -> AnswerId {
        let number = self.find(address);
        let Some(index) = number.checked_sub(1) else { return AnswerId::NONE };
        let (Some(&head), Some(&offset)) = (self.heads.get(index), self.blocks.get(index)) else {
            return AnswerId::NONE;
        };
        if offset == EMPTY {
            return AnswerId::NONE;
        }
        let Some(block) = arena.get(offset as usize..) else { return AnswerId::NONE };
        let Some(common) = CommonBlock::read(block).filter(|common| !common.has_bitmaps()) else {
            return self.lookup_any(arena, address, number);
        };
        match u64::try_from(address.wrapping_sub(head) >> common.shift()) {
            Ok(unit) => common.lookup_unit(block, unit),
            Err(_) => AnswerId::NONE,
        }
    }

    fn pieces<'a>(
        &'a self,
        arena: &'a [u8],
        from: u128,
        to: u128,
    ) -> impl Iterator<Item = Range<u128>> + 'a {
        let mut at = Some(from);
        let mut number = self.find(from).max(1);
        std::iter::from_fn(move || {
            let (start, head, block, end) = loop {
                let (head, block) = self.block(arena, number)?;
                if head > to {
                    return None;
                }
                let end = self.heads.get(number).map_or(u128::MAX, |next| next.saturating_sub(1));
                let start = at?.max(head);
                if start <= end {
                    break (start, head, block, end);
                }
                number += 1;
            };
            let shift = block.shift();
            let (answer, unit) = piece(block, (start - head) >> shift);
            let last = unit
                .and_then(|unit| unit.checked_add(1)?.checked_mul(1 << shift))
                .and_then(|next| head.checked_add(next - 1));
            let end = last.map_or(end, |last| last.min(end)).max(start);
            at = end.checked_add(1);
            Some(Range { start, end, answer })
        })
    }

    fn is_sorted(&self) -> bool {
        self.cells.is_sorted() && self.heads.is_sorted_by(|a, b| a < b)
    }

    fn heap(&self) -> usize {
        self.cells.heap() + self.heads.heap() + self.blocks.heap()
    }

    fn mapped(&self) -> usize {
        self.cells.mapped() + self.heads.mapped() + self.blocks.mapped()
    }

    fn store(&self, Totals { addresses, ranges }: Totals, out: &mut impl ArrayWriter) {
        let [low, high] = [addresses as u64, (addresses >> 64) as u64];
        out.array(&[low, high, ranges as u64, self.first_network, self.cell_shift.into()]);
        out.array(&self.cells);
        out.array(&self.heads);
        out.array(&self.blocks);
    }

    fn load(from: &mut impl ArrayReader) -> Option<(Self, Totals)> {
        let [low, high, ranges, first_network, cell_shift] = from.numbers::<u64, 5>()?;
        let addresses = u128::from(high) << 64 | u128::from(low);
        let index = Self {
            first_network,
            cell_shift: u32::try_from(cell_shift).ok()?,
            cells: from.array()?,
            heads: from.array()?,
            blocks: from.array()?,
        };
        Some((index, Totals { addresses, ranges: usize::try_from(ranges).ok()? }))
    }

    #[cfg(any(test, fuzzing))]
    fn damage(&mut self, random: &mut dyn FnMut() -> u64) {
        use super::damage::damage;
        match random() % 2 {
            0 => damage(self.heads.to_mut(), random, |bits| u128::from(bits) << (bits % 65)),
            _ => damage(self.blocks.to_mut(), random, |bits| bits as u32),
        }
    }
}

impl Heads {
    /// The answer of an address that lies in the block with this number plus 1.
    #[inline(never)]
    fn lookup_any(&self, arena: &[u8], address: u128, number: usize) -> AnswerId {
        let Some((head, block)) = self.block(arena, number) else { return AnswerId::NONE };
        let unit = address.wrapping_sub(head) >> block.shift();
        if block.width() > 8 {
            return block.lookup(unit);
        }
        u64::try_from(unit).map_or(block.background(), |unit| block.lookup(unit))
    }

    /// The number of heads not behind an address, which is the number of its block plus 1.
    #[inline(always)]
    fn find(&self, address: u128) -> usize {
        let from_first = network(address).checked_sub(self.first_network);
        let Some(from_first) = from_first else { return 0 };
        let last = self.cells.len().saturating_sub(2);
        let cell = (from_first.wrapping_shr(self.cell_shift) as usize).min(last);
        let bound = |cell: usize| self.cells.get(cell).map_or(0, |&heads| heads as usize);
        let start = bound(cell);
        let heads = self.heads.get(start..bound(cell + 1)).unwrap_or(&[]);
        start + heads.partition_point(|&head| head <= address)
    }

    /// The first address of the block with this number plus 1, and the block.
    #[inline(always)]
    fn block<'a>(&self, arena: &'a [u8], number: usize) -> Option<(u128, Block<'a>)> {
        let index = number.checked_sub(1)?;
        let offset = self.blocks.get(index).copied().unwrap_or(EMPTY);
        Some((*self.heads.get(index)?, Block::at(arena, offset)))
    }
}

/// The answer of a unit of a block, and the last unit of this run or gap: `None` for the end of
/// the block.
fn piece(block: Block<'_>, unit: u128) -> (AnswerId, Option<u128>) {
    if block.width() > 8 {
        return block.piece(unit);
    }
    let Ok(unit) = u64::try_from(unit) else { return (block.background(), None) };
    let (answer, last) = block.piece(unit);
    (answer, last.map(u128::from))
}

/// Takes the ranges in order and writes the blocks.
#[derive(Default)]
struct Builder {
    heads: Vec<u128>,
    blocks: Vec<u32>,
    arena: Arena,
    /// The background of the last block, which goes on until the next block begins.
    background: AnswerId,
    /// Ranges and gaps behind the last block.
    pieces: Vec<Range<u128>>,
    next: u128,
}

impl Builder {
    fn push(&mut self, range: Range<u128>) {
        if self.next < range.start {
            self.piece(self.next, range.start - 1, AnswerId::NONE);
        }
        self.piece(range.start, range.end, range.answer);
        self.next = range.end.wrapping_add(1);
        while self.pieces.len() > 2 * MAX_RUNS {
            self.cut();
        }
    }

    fn finish(mut self) -> (Heads, Vec<u8>) {
        if self.next != 0 {
            self.piece(self.next, u128::MAX, AnswerId::NONE);
        }
        while !self.pieces.is_empty() {
            self.cut();
        }
        self.heads.shrink_to_fit();
        self.blocks.shrink_to_fit();
        let (cells, cell_shift) = cells(&self.heads);
        let index = Heads {
            cells: cells.into(),
            cell_shift,
            first_network: self.heads.first().map_or(0, |&head| network(head)),
            heads: self.heads.into(),
            blocks: self.blocks.into(),
        };
        (index, self.arena.finish())
    }

    fn piece(&mut self, start: u128, end: u128, answer: AnswerId) {
        if !self.pieces.is_empty() || answer != self.background {
            self.pieces.push(Range { start, end, answer });
        }
    }

    /// Writes the block of the first pieces, as many as give the fewest bytes for each.
    fn cut(&mut self) {
        let head = self.pieces[0].start;
        // Where all pieces are made of whole /64s, half of the bits are enough to reckon with.
        let bounds = |all, piece: &Range<u128>| all | piece.start | piece.end.wrapping_add(1);
        if self.pieces.iter().fold(0, bounds) as u64 == 0 {
            self.cut_in(64, |key| network(key - head));
        } else {
            self.cut_in(0, |key| key - head);
        }
    }

    /// The same in units of 2^`base` keys; `unit` gives that of a key.
    fn cut_in<N: Int>(&mut self, base: u32, unit: impl Fn(u128) -> N) {
        let run = |piece: &Range<u128>| Run {
            start: unit(piece.start),
            last: unit(piece.end),
            answer: piece.answer,
        };
        let pieces: Vec<_> = self.pieces.iter().map(run).collect();
        let mut candidates = [AnswerId::NONE; 3];
        for (candidate, piece) in candidates[1..].iter_mut().zip(&pieces) {
            *candidate = piece.answer;
        }
        candidates.sort_unstable();
        let distinct = candidates.chunk_by(|a, b| a == b).map(|same| same[0]);
        let Some(best) = distinct
            .filter_map(|background| cheapest(&pieces, background, base))
            .min_by(Cut::compare)
        else {
            return;
        };
        let others = |piece: &Run<N>| piece.answer != best.background;
        let runs: Vec<_> = pieces[..best.pieces].iter().copied().filter(others).collect();
        self.heads.push(self.pieces[0].start);
        self.blocks.push(if runs.is_empty() {
            self.arena.uniform(best.background)
        } else {
            let mut shape = Shape::new(best.background, base);
            runs.iter().for_each(|run| shape.add(run));
            self.arena.block(&shape, &best.plan, &runs, &[])
        });
        self.background = best.background;
        let next = self.pieces.get(best.pieces);
        let ended = next.is_some_and(|piece| piece.answer == self.background);
        self.pieces.drain(..best.pieces + usize::from(ended));
    }
}

/// Divides the space from the first head to the last one into cells, about two for each block;
/// with the shift that gives the cell of a /64.
fn cells(heads: &[u128]) -> (Vec<u32>, u32) {
    let (Some(&first), Some(&last)) = (heads.first(), heads.last()) else {
        return (Vec::new(), 0);
    };
    let most = (2 * heads.len()).next_power_of_two().trailing_zeros();
    let span = network(last) - network(first);
    let shift = (u64::BITS - span.leading_zeros()).saturating_sub(most);
    let mut cells = vec![0];
    for (number, &head) in heads.iter().enumerate() {
        let cell = ((network(head) - network(first)) >> shift) as usize;
        cells.resize(cells.len().max(cell + 1), number as u32);
    }
    cells.push(heads.len() as u32);
    cells.shrink_to_fit();
    (cells, shift)
}

/// The number of the /64 of an address.
fn network(key: u128) -> u64 {
    (key >> 64) as u64
}

/// A block of the first so many pieces.
struct Cut {
    pieces: usize,
    background: AnswerId,
    plan: Plan,
}

impl Cut {
    /// By the bytes for each piece, the longer one first among equals.
    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let cost = |cut: &Self, pieces: &Self| (cut.plan.size + BLOCK_OVERHEAD) * pieces.pieces;
        cost(self, other).cmp(&cost(other, self)).then(other.pieces.cmp(&self.pieces))
    }
}

/// The cheapest block with this background.
fn cheapest<N: Int>(pieces: &[Run<N>], background: AnswerId, base: u32) -> Option<Cut> {
    let mut shape = Shape::new(background, base);
    let mut best: Option<Cut> = None;
    let mut rest = pieces;
    while !rest.is_empty() {
        let is_run = |piece: &&Run<N>| piece.answer != background;
        let run = rest.first().filter(is_run);
        if let Some(run) = run {
            shape.add(run);
        }
        let plan = shape.plan(MAX_RUNS);
        if plan.count > MAX_RUNS {
            break;
        }
        // A piece with the background's answer costs nothing: one more for the same bytes.
        rest = &rest[usize::from(run.is_some())..];
        rest = &rest[usize::from(!rest.first().is_none_or(|piece| is_run(&piece)))..];
        let cut = Cut { pieces: pieces.len() - rest.len(), background, plan };
        if best.as_ref().is_none_or(|best| cut.compare(best).is_lt()) {
            best = Some(cut);
        }
    }
    best
}

#[cfg(test)]
mod tests;
