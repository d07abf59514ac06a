//! Writes blocks, each in the form that takes the fewest bytes, see the [layout](super).

use super::block::{BACKGROUND, BITMAP_SIZE, DENSE, EMPTY, Form, MAX_COUNT, PADDING, SHARED};
use crate::listing::AnswerId;

/// A run of keys with an answer other than the background's. Keys count from the block's first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) start: u128,
    pub(super) last: u128,
    pub(super) answer: AnswerId,
}

/// A /24 kept as a bitmap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dense {
    pub(super) octet: u8,
    pub(super) answer: AnswerId,
    pub(super) bits: [u8; BITMAP_SIZE],
}

/// What decides the form of a block, gathered run by run.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    background: AnswerId,
    /// The answer of the first run, and whether all others have it too.
    first: Option<AnswerId>,
    shared: bool,
    greatest: u32,
    /// Runs, runs if each is cut into powers of two, keys in all runs if they have a number.
    lasts: usize,
    powers: usize,
    keys: Option<u128>,
    /// All starts and ends as bits: the trailing zeros are common to them.
    bounds: u128,
    top: u128,
    dense: usize,
}

/// What decides the form of a block of short keys with one answer, for [`Shape::add_counted`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    runs: usize,
    powers: usize,
    keys: u32,
    bounds: u32,
    top: u16,
}

impl Counts {
    /// Adds a run behind the ones before.
    pub(super) fn add(&mut self, start: u16, last: u16) {
        let length = u32::from(last - start) + 1;
        self.runs += 1;
        self.powers += length.count_ones() as usize;
        self.keys += length;
        self.bounds |= u32::from(start) | (u32::from(last) + 1);
        self.top = last;
    }
}

/// The form chosen for a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    form: Form,
    shift: u32,
    width: usize,
    answer_width: usize,
    /// The number of runs as they will be written.
    pub(super) count: usize,
    /// The size of the block in bytes.
    pub(super) size: usize,
}

impl Shape {
    pub(super) fn new(background: AnswerId) -> Self {
        Self {
            background,
            first: None,
            shared: true,
            greatest: background.0,
            lasts: 0,
            powers: 0,
            keys: Some(0),
            bounds: 0,
            top: 0,
            dense: 0,
        }
    }

    pub(super) fn add(&mut self, run: &Run) {
        self.add_answer(run.answer);
        self.lasts += 1;
        // The length of all 2^128 keys has no number, and no run of units or powers of two.
        let length = (run.last - run.start).checked_add(1);
        self.powers += length.map_or(MAX_COUNT, |length| length.count_ones() as usize);
        self.keys = self.keys.zip(length).and_then(|(keys, length)| keys.checked_add(length));
        self.bounds |= run.start | run.last.wrapping_add(1);
        self.top = self.top.max(run.last);
    }

    /// Adds all of these runs to a shape without runs.
    pub(super) fn add_counted(&mut self, answer: AnswerId, counts: &Counts) {
        if counts.runs > 0 {
            self.add_answer(answer);
        }
        self.lasts = counts.runs;
        self.powers = counts.powers;
        self.keys = Some(counts.keys.into());
        self.bounds = counts.bounds.into();
        self.top = counts.top.into();
    }

    pub(super) fn add_dense(&mut self, dense: &Dense) {
        self.add_answer(dense.answer);
        self.dense += 1;
    }

    /// The form with the fewest bytes among those with up to `most` runs; more runs only if no
    /// form keeps to that.
    pub(super) fn plan(&self, most: usize) -> Plan {
        let shift = self.bounds.trailing_zeros().min(127);
        let width = bytes_of(significant_bits(self.top).saturating_sub(shift));
        let answer_width = bytes_of(u32::BITS - self.greatest.leading_zeros());
        let shared = self.is_shared();
        let each = if shared { 0 } else { answer_width };
        let units = self.keys.and_then(|keys| usize::try_from(keys >> shift).ok());
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
        Plan { form, shift, width, answer_width, count, size }
    }

    /// The answer of the keys outside of the runs.
    pub(super) fn background(&self) -> AnswerId {
        self.background
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

/// The bytes of all blocks, while they are written.
#[derive(Debug)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    /// The last block in which all keys have one answer, which often comes again.
    uniform: (AnswerId, u32),
}

impl Default for Arena {
    fn default() -> Self {
        Self { bytes: vec![0; 4], uniform: (AnswerId::NONE, EMPTY) }
    }
}

impl Arena {
    /// The finished arena.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0; PADDING]);
        self.bytes.shrink_to_fit();
        self.bytes
    }

    /// Writes a block in which all keys have this answer.
    pub(super) fn uniform(&mut self, answer: AnswerId) -> u32 {
        if !answer.is_listed() {
            return EMPTY;
        }
        if self.uniform.0 != answer {
            let shape = Shape::new(answer);
            self.uniform = (answer, self.block(&shape, &shape.plan(0), &[], &[]));
        }
        self.uniform.1
    }

    /// Writes the block of these runs, planned with their shape.
    pub(super) fn block(
        &mut self,
        shape: &Shape,
        plan: &Plan,
        runs: &[Run],
        dense: &[Dense],
    ) -> u32 {
        let offset = self.begin(shape, plan, dense);
        for run in runs.iter().flat_map(|run| plan.cut(run)) {
            self.number(run.start, plan.width);
        }
        for run in runs.iter().flat_map(|run| plan.cut(run)) {
            match plan.form {
                Form::Powers => self.bytes.push((run.last - run.start).count_ones() as u8),
                Form::Lasts => self.number(run.last, plan.width),
                Form::Units | Form::Split => break,
            }
        }
        if !shape.is_shared() {
            for run in runs.iter().flat_map(|run| plan.cut(run)) {
                self.number(run.answer.0.into(), plan.answer_width);
            }
            for dense in dense {
                self.number(dense.answer.0.into(), plan.answer_width);
            }
        }
        self.end(offset, plan, dense);
        offset
    }

    /// Writes the block of runs of keys below 2^16 that all have one answer, planned
    /// [in single keys](Plan::is_in_single_keys).
    pub(super) fn single_keys(
        &mut self,
        shape: &Shape,
        plan: &Plan,
        runs: &[(u16, u16)],
        dense: &[Dense],
    ) -> u32 {
        debug_assert!(plan.is_in_single_keys() && (shape.is_shared() || runs.is_empty()));
        let offset = self.begin(shape, plan, dense);
        self.bytes.reserve(plan.size);
        for &(start, last) in runs {
            for key in start..=last {
                match plan.width {
                    1 => self.bytes.push(key as u8),
                    _ => self.bytes.extend_from_slice(&key.to_le_bytes()),
                }
            }
        }
        self.end(offset, plan, dense);
        offset
    }

    /// Writes what a block begins with: all before its keys. Returns its offset.
    fn begin(&mut self, shape: &Shape, plan: &Plan, dense: &[Dense]) -> u32 {
        debug_assert!(plan.count <= MAX_COUNT);
        let offset = self.offset();
        let flags = [
            (shape.is_shared(), SHARED),
            (shape.background.is_listed(), BACKGROUND),
            (!dense.is_empty(), DENSE),
        ];
        let header = (plan.answer_width as u32 - 1)
            | (plan.form as u32) << 2
            | flags.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum::<u32>()
            | plan.shift << 8
            | (plan.width as u32 - 1) << 16
            | (plan.count as u32) << 20;
        self.bytes.extend_from_slice(&header.to_le_bytes());
        if shape.background.is_listed() {
            self.number(shape.background.0.into(), plan.answer_width);
        }
        if let (true, Some(answer)) = (shape.is_shared(), shape.first) {
            self.number(answer.0.into(), plan.answer_width);
        }
        if let Some(less_one) = dense.len().checked_sub(1) {
            self.bytes.push(less_one as u8);
        }
        self.bytes.extend(dense.iter().map(|dense| dense.octet));
        offset
    }

    /// Writes what a block ends with: its bitmaps.
    fn end(&mut self, offset: u32, plan: &Plan, dense: &[Dense]) {
        for dense in dense {
            self.bytes.extend_from_slice(&dense.bits);
        }
        debug_assert_eq!(self.bytes.len() - offset as usize, plan.size);
    }

    /// Writes a block that only leads to a block for each value of the next octet.
    pub(super) fn split(&mut self, children: &[u32; 256]) -> u32 {
        let offset = self.offset();
        self.bytes.extend_from_slice(&((Form::Split as u32) << 2).to_le_bytes());
        self.bytes.extend(children.iter().flat_map(|child| child.to_le_bytes()));
        offset
    }

    fn offset(&self) -> u32 {
        u32::try_from(self.bytes.len()).expect("the blocks of a list fit in 4 GiB")
    }

    fn number(&mut self, number: u128, width: usize) {
        // All bytes and some of them back: a size that the compiler knows needs no call.
        self.bytes.extend_from_slice(&number.to_le_bytes());
        self.bytes.truncate(self.bytes.len() - size_of::<u128>() + width);
    }
}

impl Plan {
    /// True if every run will be written key by key.
    pub(super) fn is_in_single_keys(&self) -> bool {
        self.form == Form::Units && self.shift == 0
    }

    /// The run in units, cut as the form needs it.
    fn cut(&self, run: &Run) -> impl Iterator<Item = Run> + use<> {
        let (mut rest, form) = (Some(run.start >> self.shift), self.form);
        let (last, answer) = (run.last >> self.shift, run.answer);
        std::iter::from_fn(move || {
            let start = rest?;
            let end = match form {
                Form::Units => start,
                // The highest bit of the length, then what remains.
                Form::Powers => start + ((1 << (last - start + 1).ilog2()) - 1),
                Form::Lasts | Form::Split => last,
            };
            rest = (end < last).then(|| end + 1);
            Some(Run { start, last: end, answer })
        })
    }
}

/// The bits a number needs.
fn significant_bits(number: u128) -> u32 {
    u128::BITS - number.leading_zeros()
}

/// The bytes a number of so many bits needs, at least 1.
fn bytes_of(bits: u32) -> usize {
    bits.div_ceil(8).max(1) as usize
}
