//! One block of the arena: the answers of all keys of one span, see the [layout](super).
//!
//! Reading is total: whatever the bytes are, a position outside the arena reads as zero, no
//! arithmetic can overflow, and every loop is bounded by a count of the header.

use crate::answer::AnswerId;
use crate::range::Int;

/// The offset of the block without any listed key, which every arena begins with.
pub(super) const EMPTY: u32 = 0;

/// Zero bytes at the end of an arena, so that a wide load at the last key stays inside.
pub(super) const PADDING: usize = 16;

/// Header bit: one answer for all runs, kept once, in place of an answer for each.
pub(super) const SHARED: u32 = 1 << 4;
/// Header bit: keys outside of the runs have an answer too.
pub(super) const BACKGROUND: u32 = 1 << 5;
/// Header bit: some /24s are bitmaps.
pub(super) const DENSE: u32 = 1 << 6;

/// The most runs the header can count.
pub(super) const MAX_COUNT: usize = 0xfff;

/// How the end of a run is told; the second two bits of the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Every run is one unit long.
    Units = 0,
    /// A byte per run: the run is 2 to this power units long.
    Powers = 1,
    /// The last unit of each run, as wide as the first.
    Lasts = 2,
    /// No runs: 256 offsets of blocks, one for each value of the next octet.
    Split = 3,
}

/// A view of one block. Positions count from the first byte of the block.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    bytes: &'a [u8],
    header: u32,
    /// The third octets of the bitmaps.
    octets: &'a [u8],
    /// Where the first units of the runs are.
    keys: u32,
}

impl<'a> Block<'a> {
    /// The block at this offset, the empty one if that lies outside the arena.
    #[inline(always)]
    pub(super) fn at(arena: &'a [u8], offset: u32) -> Self {
        let bytes = arena.get(offset as usize..).unwrap_or(&[]);
        let header = u32::from_le_bytes(load(bytes, 0));
        let once = u32::from(header & SHARED != 0) + u32::from(header & BACKGROUND != 0);
        let mut block = Self { bytes, header, octets: &[], keys: 0 };
        block.keys = 4 + once * block.answer_width();
        if header & DENSE != 0 {
            let [less_one] = load(bytes, block.keys);
            let (start, count) = (block.keys + 1, u32::from(less_one) + 1);
            block.octets = bytes.get(start as usize..(start + count) as usize).unwrap_or(&[]);
            block.keys = start + count;
        }
        block
    }

    /// True if the block has children in place of runs.
    #[inline(always)]
    pub(super) fn is_split(self) -> bool {
        self.form() == Form::Split as u32
    }

    /// The offset of the block of this octet, if this block is split.
    #[inline(always)]
    pub(super) fn child(self, octet: u8) -> u32 {
        u32::from_le_bytes(load(self.bytes, 4 + 4 * u32::from(octet)))
    }

    /// The size of a unit: 2 to this power keys, below 128.
    #[inline(always)]
    pub(super) fn shift(self) -> u32 {
        self.header >> 8 & 127
    }

    /// The size of a key in bytes, 1 to 16.
    #[inline(always)]
    pub(super) fn width(self) -> u32 {
        (self.header >> 16 & 15) + 1
    }

    /// The answer outside of the runs and bitmaps.
    #[inline(always)]
    pub(super) fn background(self) -> AnswerId {
        if self.header & BACKGROUND == 0 { AnswerId::NONE } else { self.load_answer(4) }
    }

    /// The answer of a unit, by the runs alone.
    #[inline(always)]
    pub(super) fn lookup<U: Int>(self, unit: U) -> AnswerId {
        match self.find(unit) {
            Some((run, start)) if unit <= self.last(run, start) => self.answer(run),
            _ => self.background(),
        }
    }

    /// The answer of a unit by the runs alone, and the last unit of this run or gap: `None` for
    /// the end of the block. Runs that are out of order (in a damaged arena) end the block.
    pub(super) fn piece<U: Int>(self, unit: U) -> (AnswerId, Option<U>) {
        let found = self.find(unit);
        if let Some((run, start)) = found {
            let last = self.last(run, start);
            if unit <= last {
                return (self.answer(run), Some(last));
            }
        }
        let next = found.map_or(0, |(run, _)| run + 1);
        let start = if next < self.count() { self.key(next) } else { U::ZERO };
        (self.background(), (start > unit).then(|| start.predecessor()))
    }

    /// The bitmap of the /24 with this third octet.
    #[inline(always)]
    pub(super) fn bitmap(self, octet: u8) -> Option<Bitmap<'a>> {
        let index = self.octets.partition_point(|&other| other < octet);
        if self.octets.get(index) != Some(&octet) {
            return None;
        }
        let index = index as u32;
        let runs = self.count();
        let each = if self.header & SHARED == 0 { self.answer_width() } else { 0 };
        let bitmaps = self.answers() + (runs + self.octets.len() as u32) * each;
        let position = bitmaps + BITMAP_SIZE as u32 * index;
        let bits = self.bytes.get(position as usize..)?.first_chunk()?;
        Some(Bitmap { bits, answer: self.answer(runs + index), background: self.background() })
    }

    /// The third octet of the first /24 behind this one that is a bitmap.
    pub(super) fn next_bitmap(self, octet: u8) -> Option<u8> {
        self.octets.get(self.octets.partition_point(|&other| other <= octet)).copied()
    }

    /// The last run that does not start behind a unit, and its first unit.
    #[inline(always)]
    fn find<U: Int>(self, unit: U) -> Option<(u32, U)> {
        let keys = self.bytes.get(self.keys as usize..self.ends() as usize)?;
        let (run, start) = match self.width() {
            1..=8 => last_not_above(keys, self.width(), unit),
            _ => last_not_above_wide(keys, self.width(), unit),
        }?;
        Some((run as u32, start))
    }

    #[inline(always)]
    fn key<U: Int>(self, run: u32) -> U {
        load_int(self.bytes, self.keys + run * self.width(), self.width())
    }

    /// The last unit of a run that starts at this one.
    #[inline(always)]
    fn last<U: Int>(self, run: u32, start: U) -> U {
        if self.form() == Form::Units as u32 {
            start
        } else if self.form() == Form::Powers as u32 {
            let [power] = load(self.bytes, self.ends() + run);
            last_of_power(start, power.into())
        } else {
            load_int(self.bytes, self.ends() + run * self.width(), self.width())
        }
    }

    /// The answer of a run or, counted on behind the runs, of a bitmap.
    #[inline(always)]
    fn answer(self, run: u32) -> AnswerId {
        let width = self.answer_width();
        if self.header & SHARED == 0 {
            return self.load_answer(self.answers() + run * width);
        }
        self.load_answer(if self.header & BACKGROUND == 0 { 4 } else { 4 + width })
    }

    #[inline(always)]
    fn load_answer(self, position: u32) -> AnswerId {
        let unused = (4 - self.answer_width()) * 8;
        AnswerId(u32::from_le_bytes(load(self.bytes, position)) & u32::MAX >> unused)
    }

    #[inline(always)]
    fn form(self) -> u32 {
        self.header >> 2 & 3
    }

    #[inline(always)]
    fn count(self) -> u32 {
        self.header >> 20
    }

    #[inline(always)]
    fn answer_width(self) -> u32 {
        (self.header & 3) + 1
    }

    /// Where the ends of the runs are.
    #[inline(always)]
    fn ends(self) -> u32 {
        self.keys + self.count() * self.width()
    }

    /// Where the answers of the runs are, if each has its own.
    #[inline(always)]
    fn answers(self) -> u32 {
        let each = match self.form() {
            0 => 0,
            1 => 1,
            _ => self.width(),
        };
        self.ends() + self.count() * each
    }
}

/// The last of sorted integers of `width` bytes, 1 to 8, that is not above `unit`, and its index.
#[inline(always)]
pub(super) fn last_not_above<U: Int>(keys: &[u8], width: u32, unit: U) -> Option<(usize, U)> {
    // Each width has a search of its own, in which a step takes one or two loads.
    match width {
        1 => search::<1, U>(keys, unit),
        2 => search::<2, U>(keys, unit),
        3 => search::<3, U>(keys, unit),
        4 => search::<4, U>(keys, unit),
        5 => search::<5, U>(keys, unit),
        6 => search::<6, U>(keys, unit),
        7 => search::<7, U>(keys, unit),
        _ => search::<8, U>(keys, unit),
    }
}

/// [`last_not_above`] for 9 to 16 bytes; a call, so that the common search stays small.
#[inline(never)]
fn last_not_above_wide<U: Int>(keys: &[u8], width: u32, unit: U) -> Option<(usize, U)> {
    match width {
        9 => search::<9, U>(keys, unit),
        10 => search::<10, U>(keys, unit),
        11 => search::<11, U>(keys, unit),
        12 => search::<12, U>(keys, unit),
        13 => search::<13, U>(keys, unit),
        14 => search::<14, U>(keys, unit),
        15 => search::<15, U>(keys, unit),
        _ => search::<16, U>(keys, unit),
    }
}

#[inline(always)]
fn search<const WIDTH: usize, U: Int>(keys: &[u8], unit: U) -> Option<(usize, U)> {
    let (keys, _) = keys.as_chunks::<WIDTH>();
    let key = |bytes: &[u8; WIDTH]| U::truncate(join(bytes));
    let index = keys.partition_point(|bytes| key(bytes) <= unit).checked_sub(1)?;
    Some((index, key(keys.get(index)?)))
}

/// An integer of up to 16 bytes: two loads that overlap, in place of one for each byte.
#[inline(always)]
fn join<const WIDTH: usize>(bytes: &[u8; WIDTH]) -> u128 {
    if let (Some(low), Some(high)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (low, high) = (u64::from_le_bytes(*low), u64::from_le_bytes(*high));
        return u128::from(low) | u128::from(high) << (8 * (WIDTH - 8));
    }
    if let (Some(low), Some(high)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (low, high) = (u32::from_le_bytes(*low), u32::from_le_bytes(*high));
        return (u64::from(low) | u64::from(high) << (8 * (WIDTH - 4))).into();
    }
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte))
}

/// The size of a [`Bitmap`] in bytes.
pub(super) const BITMAP_SIZE: usize = 32;

/// A /24 with many runs of one answer: a bit for each address.
#[derive(Clone, Copy)]
pub(super) struct Bitmap<'a> {
    bits: &'a [u8; BITMAP_SIZE],
    answer: AnswerId,
    background: AnswerId,
}

impl Bitmap<'_> {
    #[inline(always)]
    pub(super) fn lookup(self, low: u8) -> AnswerId {
        if self.bit(low) { self.answer } else { self.background }
    }

    /// The answer of an address and the last address up to which it holds.
    pub(super) fn piece(self, low: u8) -> (AnswerId, u8) {
        let listed = self.bit(low);
        let (words, _) = self.bits.as_chunks();
        let first = usize::from(low / 64);
        let mut skipped = u64::MAX << (low % 64);
        for (index, word) in words.iter().enumerate().skip(first) {
            let word = u64::from_le_bytes(*word);
            let changes = if listed { !word } else { word } & skipped;
            if changes != 0 {
                let change = 64 * index as u32 + changes.trailing_zeros();
                return (self.lookup(low), (change - 1) as u8);
            }
            skipped = u64::MAX;
        }
        (self.lookup(low), u8::MAX)
    }

    #[inline(always)]
    fn bit(self, low: u8) -> bool {
        self.bits[usize::from(low / 8)] >> (low % 8) & 1 != 0
    }
}

/// The `N` bytes at a position, zeros if they do not all lie in the arena.
#[inline(always)]
fn load<const N: usize>(bytes: &[u8], position: u32) -> [u8; N] {
    let start = position as usize;
    bytes.get(start..start + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
}

/// The integer of `width` bytes at a position.
#[inline(always)]
fn load_int<U: Int>(bytes: &[u8], position: u32, width: u32) -> U {
    let unused = 128_u32.saturating_sub(8 * width);
    U::truncate(u128::from_le_bytes(load(bytes, position)) & u128::MAX >> unused)
}

/// The last unit of a run of 2^`power` units, or the greatest integer.
#[inline(always)]
fn last_of_power<U: Int>(start: U, power: u32) -> U {
    let more = match U::BITS.checked_sub(power) {
        None => U::MAX,
        Some(above) => U::MAX.checked_shr(above).unwrap_or(U::ZERO),
    };
    start.checked_add(more).unwrap_or(U::MAX)
}
