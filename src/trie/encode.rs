//! Writes each block in the form that takes the fewest bytes; see the [layout](super).

use super::decode::{BACKGROUND, BITMAP_SIZE, DENSE, EMPTY, Form, MAX_COUNT, PADDING, SHARED};
use crate::answer::AnswerId;
use crate::flat_array::make_room;
use crate::range::Int;

/// A run of units with an answer other than the background's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<N> {
    pub(super) start: N,
    pub(super) last: N,
    pub(super) answer: AnswerId,
}

/// A /24 that is stored as a bitmap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dense {
    pub(super) octet: u8,
    pub(super) answer: AnswerId,
    pub(super) bits: [u8; BITMAP_SIZE],
}

/// The facts that decide the form of a block, gathered run by run.
#[derive(Clone, Debug)]
pub(super) struct Shape<N> {
    /// A unit is 2 to this power keys.
    base: u32,
    background: AnswerId,
    /// The answer of the first run, and whether all other runs have it, too.
    first: Option<AnswerId>,
    shared: bool,
    greatest: u32,
    /// The number of runs, of runs if each is cut into powers of two, and of units in all runs (`None`
    /// if that exceeds the type).
    lasts: usize,
    powers: usize,
    units: Option<N>,
    /// All starts and ends, combined by OR: its trailing zeros are common to all of them.
    bounds: N,
    top: N,
    dense: usize,
}

/// The facts about a block of short keys with one answer, for [`Shape::add_counted`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    runs: usize,
    powers: usize,
    keys: u32,
    bounds: u32,
    top: u32,
}

impl Counts {
    /// Adds a run of one key behind the others.
    #[inline]
    pub(super) fn add_single(&mut self, key: u16) {
        self.runs += 1;
        self.powers += 1;
        self.keys += 1;
        self.bounds |= u32::from(key) | (u32::from(key) + 1);
        self.top = key.into();
    }

    /// Adds a run behind the others.
    #[inline]
    pub(super) fn add(&mut self, start: u32, last: u32) {
        let length = last - start + 1;
        self.runs += 1;
        // Most runs are of one key, and not every processor counts bits in one step.
        self.powers += if length == 1 { 1 } else { length.count_ones() as usize };
        self.keys += length;
        self.bounds |= start | (last + 1);
        self.top = last;
    }
}

/// The form chosen for a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    form: Form,
    /// The size of a unit of the block, in keys and in units of its runs, as exponents of 2.
    shift: u32,
    cut: u32,
    width: usize,
    answer_width: usize,
    /// The number of runs that will be written.
    pub(super) count: usize,
    /// The size of the block in bytes.
    pub(super) size: usize,
}

impl Shape<u32> {
    /// The shape of runs of keys below 2^16.
    pub(super) fn of_keys(background: AnswerId, runs: &[Run<u32>]) -> Self {
        let first = runs.first().map_or(AnswerId::NONE, |run| run.answer);
        let mut counts = Counts::default();
        let (mut differing, mut greatest) = (0, background.0);
        for run in runs {
            counts.add(run.start, run.last);
            differing |= run.answer.0 ^ first.0;
            greatest = greatest.max(run.answer.0);
        }
        let mut shape = Self::new(background, 0);
        shape.add_counted(first, &counts);
        shape.shared = differing == 0;
        shape.greatest = greatest;
        shape
    }

    /// Adds all of these runs to a shape without runs.
    pub(super) fn add_counted(&mut self, answer: AnswerId, counts: &Counts) {
        if counts.runs > 0 {
            self.add_answer(answer);
        }
        self.lasts = counts.runs;
        self.powers = counts.powers;
        self.units = Some(counts.keys);
        self.bounds = counts.bounds;
        self.top = counts.top;
    }
}

impl<N: Int> Shape<N> {
    pub(super) fn new(background: AnswerId, base: u32) -> Self {
        Self {
            base,
            background,
            first: None,
            shared: true,
            greatest: background.0,
            lasts: 0,
            powers: 0,
            units: Some(N::ZERO),
            bounds: N::ZERO,
            top: N::ZERO,
            dense: 0,
        }
    }

    /// Adds a run behind the others.
    #[inline]
    pub(super) fn add(&mut self, run: &Run<N>) {
        self.add_answer(run.answer);
        self.lasts += 1;
        // The length of all 2^128 keys exceeds the type; units and powers of two cannot express it.
        let length = run.length();
        self.powers += length.map_or(MAX_COUNT, |length| length.count_ones() as usize);
        self.units = self.units.zip(length).and_then(|(units, length)| units.checked_add(length));
        self.bounds = self.bounds | run.start | run.last.wrapping_add(N::ONE);
        self.top = run.last;
    }

    pub(super) fn add_dense(&mut self, dense: &Dense) {
        self.add_answer(dense.answer);
        self.dense += 1;
    }

    /// The form with the fewest bytes among those with at most `most` runs. It has more runs only if
    /// every form does.
    pub(super) fn plan(&self, most: usize) -> Plan {
        let zeros = if self.bounds == N::ZERO { 127 } else { self.bounds.trailing_zeros() };
        let shift = (self.base + zeros).min(127);
        let cut = shift - self.base;
        // The bits of a last key below the base are all ones.
        let top = if self.lasts > 0 { self.base + significant_bits(self.top) } else { 0 };
        let width = bytes_of(top.saturating_sub(shift));
        let answer_width = bytes_of(u32::BITS - self.greatest.leading_zeros());
        let shared = self.is_shared();
        let each = if shared { 0 } else { answer_width };
        let units =
            self.units.and_then(|units| usize::try_from(shift_right(units, cut).widen()).ok());
        let units = units.unwrap_or(usize::MAX);
        let [(form, count, run_size), others @ ..] = [
            (Form::Lasts, self.lasts, 2 * width + each),
            (Form::Powers, self.powers, width + 1 + each),
            (Form::Units, units, width + each),
        ];
        let mut best = (form, count, count * run_size);
        for (form, count, run_size) in others {
            if count <= most && count * run_size <= best.2 {
                best = (form, count, count * run_size);
            }
        }
        let (form, count, runs_size) = best;
        let once = usize::from(shared) + usize::from(self.background.is_listed());
        let dense = self.dense * (1 + each + BITMAP_SIZE) + usize::from(self.dense > 0);
        let size = 4 + once * answer_width + runs_size + dense;
        Plan { form, shift, cut, width, answer_width, count, size }
    }

    fn add_answer(&mut self, answer: AnswerId) {
        self.shared &= *self.first.get_or_insert(answer) == answer;
        self.greatest = self.greatest.max(answer.0);
    }

    /// True if there are runs or bitmaps, and all have one answer.
    fn is_shared(&self) -> bool {
        self.shared && self.first.is_some()
    }
}

/// The offset of the first block behind the empty one.
const FIRST: u32 = 4;

/// The new offset of a block whose arena was [appended](Arena::append) to another.
pub(super) fn moved(offset: u32, by: u32) -> u32 {
    if offset == EMPTY { EMPTY } else { offset + by }
}

/// The bytes of all blocks while they are written.
#[derive(Debug)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    /// The last block in which all keys have one answer. The next block is often equal.
    uniform: (AnswerId, u32),
    /// The offsets of the blocks that hold offsets of other blocks.
    splits: Vec<u32>,
}

impl Default for Arena {
    fn default() -> Self {
        Self {
            bytes: vec![0; FIRST as usize],
            uniform: (AnswerId::NONE, EMPTY),
            splits: Vec::new(),
        }
    }
}

impl Arena {
    /// The finished arena.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0; PADDING]);
        self.bytes.shrink_to_fit();
        self.bytes
    }

    /// Begins a part: later blocks share nothing with earlier ones.
    pub(super) fn part(&mut self) {
        self.uniform = (AnswerId::NONE, EMPTY);
    }

    /// Appends the blocks of another arena and returns the number by which their offsets grow; that of
    /// the empty block does not change, see [`moved`]. The two arenas share no block.
    pub(super) fn append(&mut self, other: &Self) -> u32 {
        let by = self.offset() - FIRST;
        self.bytes.extend_from_slice(&other.bytes[FIRST as usize..]);
        for split in &other.splits {
            let split = split + by;
            let children = &mut self.bytes[split as usize + 4..][..4 * 256];
            for child in children.as_chunks_mut().0 {
                *child = moved(u32::from_le_bytes(*child), by).to_le_bytes();
            }
            self.splits.push(split);
        }
        self.part();
        by
    }

    /// Writes a block in which all keys have this answer.
    pub(super) fn uniform(&mut self, answer: AnswerId) -> u32 {
        if !answer.is_listed() {
            return EMPTY;
        }
        if self.uniform.0 != answer {
            let shape = Shape::<u32>::new(answer, 0);
            self.uniform = (answer, self.block(&shape, &shape.plan(0), &[], &[]));
        }
        self.uniform.1
    }

    /// Writes the block of these runs, planned with their shape.
    pub(super) fn block<N: Int>(
        &mut self,
        shape: &Shape<N>,
        plan: &Plan,
        runs: &[Run<N>],
        dense: &[Dense],
    ) -> u32 {
        let (offset, mut room) = self.begin(shape, plan, dense);
        if plan.count == runs.len() {
            room.runs(shape, plan, runs.iter().map(|run| plan.in_units(run)));
        } else {
            room.runs(shape, plan, runs.iter().flat_map(|run| plan.cut(run)));
        }
        if !shape.is_shared() {
            for dense in dense {
                room.put(dense.answer.0, plan.answer_width);
            }
        }
        room.bitmaps(dense);
        self.end(offset, plan);
        offset
    }

    /// Writes the block of runs of keys below 2^16 that all have one answer, planned
    /// [in single keys](Plan::is_in_single_keys).
    pub(super) fn single_keys(
        &mut self,
        shape: &Shape<u32>,
        plan: &Plan,
        runs: &[(u16, u16)],
        dense: &[Dense],
    ) -> u32 {
        debug_assert!(plan.is_in_single_keys() && (shape.is_shared() || runs.is_empty()));
        let (offset, mut room) = self.begin(shape, plan, dense);
        let bytes = room.take(plan.count * plan.width);
        let keys = runs.iter().flat_map(|&(start, last)| start..=last);
        match plan.width {
            1 => bytes.iter_mut().zip(keys).for_each(|(byte, key)| *byte = key as u8),
            _ => {
                let words = bytes.as_chunks_mut().0;
                words.iter_mut().zip(keys).for_each(|(word, key)| *word = key.to_le_bytes());
            }
        }
        room.bitmaps(dense);
        self.end(offset, plan);
        offset
    }

    /// Writes the part of a block before its keys. Returns the offset of the block and the room for the rest.
    fn begin<N: Int>(&mut self, shape: &Shape<N>, plan: &Plan, dense: &[Dense]) -> (u32, Room<'_>) {
        debug_assert!(plan.count <= MAX_COUNT);
        make_room(&mut self.bytes);
        let offset = self.offset();
        let (is_shared, is_listed) = (shape.is_shared(), shape.background.is_listed());
        let header = (plan.answer_width as u32 - 1)
            | (plan.form as u32) << 2
            | (u32::from(is_shared) * SHARED)
            | (u32::from(is_listed) * BACKGROUND)
            | (u32::from(!dense.is_empty()) * DENSE)
            | plan.shift << 8
            | (plan.width as u32 - 1) << 16
            | (plan.count as u32) << 20;
        let start = offset as usize;
        self.bytes.resize(start + plan.size + Room::SPARE, 0);
        let mut room = Room { bytes: &mut self.bytes[start..], at: 0 };
        room.put(header, 4);
        if is_listed {
            room.put(shape.background.0, plan.answer_width);
        }
        if let (true, Some(answer)) = (is_shared, shape.first) {
            room.put(answer.0, plan.answer_width);
        }
        if let Some(less_one) = dense.len().checked_sub(1) {
            room.put(less_one as u32, 1);
        }
        for dense in dense {
            room.put(u32::from(dense.octet), 1);
        }
        (offset, room)
    }

    /// Ends a block, which takes as many bytes as are planned.
    fn end(&mut self, offset: u32, plan: &Plan) {
        self.bytes.truncate(offset as usize + plan.size);
    }

    /// Writes a block that holds only the offsets of a block for each value of the next octet.
    pub(super) fn split(&mut self, children: &[u32; 256]) -> u32 {
        let offset = self.offset();
        self.splits.push(offset);
        self.bytes.extend_from_slice(&((Form::Split as u32) << 2).to_le_bytes());
        self.bytes.extend(children.iter().flat_map(|child| child.to_le_bytes()));
        offset
    }

    fn offset(&self) -> u32 {
        u32::try_from(self.bytes.len()).expect("the blocks of a list fit in 4 GiB")
    }
}

/// The bytes of a block that is being written.
struct Room<'a> {
    bytes: &'a mut [u8],
    /// The number of bytes written.
    at: usize,
}

impl Room<'_> {
    /// So many bytes may be overwritten behind an integer: those of the next ones, or spare ones.
    const SPARE: usize = size_of::<u128>();

    /// Writes the lowest `width` bytes of an integer.
    #[inline]
    fn put<N: Int>(&mut self, number: N, width: usize) {
        // A copy of constant size needs no call.
        self.bytes[self.at..][..Self::SPARE].copy_from_slice(&number.widen().to_le_bytes());
        self.at += width;
    }

    /// Writes runs, as many as are planned.
    fn runs<N: Int>(
        &mut self,
        shape: &Shape<N>,
        plan: &Plan,
        runs: impl Iterator<Item = Run<N>> + Clone,
    ) {
        runs.clone().for_each(|run| self.put(run.start, plan.width));
        match plan.form {
            Form::Powers => runs.clone().for_each(|run| self.put(u32::from(run.power()), 1)),
            Form::Lasts => runs.clone().for_each(|run| self.put(run.last, plan.width)),
            Form::Units | Form::Split => {}
        }
        if !shape.is_shared() {
            runs.for_each(|run| self.put(run.answer.0, plan.answer_width));
        }
    }

    /// Writes the bitmaps, which end a block.
    fn bitmaps(&mut self, dense: &[Dense]) {
        for dense in dense {
            self.take(BITMAP_SIZE).copy_from_slice(&dense.bits);
        }
        debug_assert_eq!(self.at + Self::SPARE, self.bytes.len());
    }

    /// The next bytes, so many of them.
    fn take(&mut self, size: usize) -> &mut [u8] {
        let start = self.at;
        self.at += size;
        &mut self.bytes[start..self.at]
    }
}

impl Plan {
    /// True if the block lists every key of its runs.
    pub(super) fn is_in_single_keys(&self) -> bool {
        self.form == Form::Units && self.shift == 0
    }

    /// The run in units of the block.
    #[inline]
    fn in_units<N: Int>(&self, run: &Run<N>) -> Run<N> {
        let [start, last] = [run.start, run.last].map(|key| shift_right(key, self.cut));
        Run { start, last, answer: run.answer }
    }

    /// The run in units of the block, cut into the runs that the form can express.
    #[inline]
    fn cut<N: Int>(&self, run: &Run<N>) -> impl Iterator<Item = Run<N>> + Clone + use<N> {
        let Run { start, last, answer } = self.in_units(run);
        let (mut rest, form) = (Some(start), self.form);
        std::iter::from_fn(move || {
            let start = rest?;
            let end = match form {
                Form::Units => start,
                // The highest bit of the length first, then the rest. A run whose length exceeds the
                // type never has this form.
                Form::Powers => {
                    let length = (last - start).successor().unwrap_or(start);
                    start + ((N::ONE << (significant_bits(length) - 1)) - N::ONE)
                }
                Form::Lasts | Form::Split => last,
            };
            rest = if end < last { end.successor() } else { None };
            Some(Run { start, last: end, answer })
        })
    }
}

impl<N: Int> Run<N> {
    /// The number of units; `None` for all 2^[`BITS`](Int::BITS) of them.
    fn length(&self) -> Option<N> {
        (self.last - self.start).successor()
    }

    /// The run is 2 to this power units long.
    fn power(&self) -> u8 {
        self.length().map_or(0, |length| length.trailing_zeros() as u8)
    }
}

#[inline]
fn shift_right<N: Int>(number: N, bits: u32) -> N {
    number.checked_shr(bits).unwrap_or(N::ZERO)
}

#[inline]
fn significant_bits<N: Int>(number: N) -> u32 {
    N::BITS - number.leading_zeros()
}

/// The number of bytes that a number of `bits` bits takes, at least 1.
fn bytes_of(bits: u32) -> usize {
    bits.div_ceil(8).max(1) as usize
}
