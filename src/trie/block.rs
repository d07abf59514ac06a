//! One block of the arena: the answers of all keys of one span, see the [layout](super).
//!
//! Reading is total: whatever the bytes are, a position outside the arena reads as zero, no
//! arithmetic can overflow, and every loop is bounded by a count of the header.

use crate::listing::AnswerId;

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

/// A number of units, as wide as the keys of a block need.
pub(super) trait Unit: Copy + Ord {
    /// Zero, the first unit of a block.
    const ZERO: Self;
    /// Reads a number of `width` bytes, at least 1 and at most the size of the type.
    fn load(bytes: &[u8], position: usize, width: usize) -> Self;
    /// The last unit of a run of 2^`power` units, or the greatest number.
    fn last_of(self, power: u8) -> Self;
    /// The unit before, or zero.
    fn before(self) -> Self;
}

macro_rules! unit {
    ($type:ty) => {
        impl Unit for $type {
            const ZERO: Self = 0;

            #[inline(always)]
            fn load(bytes: &[u8], position: usize, width: usize) -> Self {
                let unused = (size_of::<Self>() - width.min(size_of::<Self>())) * 8;
                Self::from_le_bytes(load(bytes, position)) & Self::MAX.wrapping_shr(unused as u32)
            }

            #[inline(always)]
            fn last_of(self, power: u8) -> Self {
                let more = Self::MAX.checked_shl(power.into()).map_or(Self::MAX, |high| !high);
                self.saturating_add(more)
            }

            #[inline(always)]
            fn before(self) -> Self {
                self.saturating_sub(1)
            }
        }
    };
}
unit!(u64);
unit!(u128);

/// A view of one block. Positions count from the first byte of the block.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    bytes: &'a [u8],
    header: u32,
}

impl<'a> Block<'a> {
    /// The block at this offset, the empty one if that lies outside the arena.
    #[inline(always)]
    pub(super) fn at(arena: &'a [u8], offset: u32) -> Self {
        let bytes = arena.get(offset as usize..).unwrap_or(&[]);
        Self { bytes, header: u32::from_le_bytes(load(bytes, 0)) }
    }

    /// True if the block has children in place of runs.
    #[inline(always)]
    pub(super) fn is_split(self) -> bool {
        self.form() == Form::Split as u32
    }

    /// The offset of the block of this octet, if this block is split.
    #[inline(always)]
    pub(super) fn child(self, octet: u8) -> u32 {
        u32::from_le_bytes(load(self.bytes, 4 + 4 * usize::from(octet)))
    }

    /// The size of a unit: 2 to this power keys, below 128.
    #[inline(always)]
    pub(super) fn shift(self) -> u32 {
        self.header >> 8 & 127
    }

    /// The size of a key in bytes, 1 to 16.
    #[inline(always)]
    pub(super) fn width(self) -> usize {
        (self.header >> 16 & 15) as usize + 1
    }

    /// The answer outside of the runs and bitmaps.
    #[inline(always)]
    pub(super) fn background(self) -> AnswerId {
        if self.header & BACKGROUND == 0 { AnswerId::NONE } else { self.load_answer(4) }
    }

    /// The answer of a unit, by the runs alone.
    #[inline(always)]
    pub(super) fn lookup<U: Unit>(self, unit: U) -> AnswerId {
        match self.find(unit).checked_sub(1) {
            Some(run) if unit <= self.last::<U>(run) => self.answer(run),
            _ => self.background(),
        }
    }

    /// The answer of a unit by the runs alone, and the last unit of this run or gap: `None` for
    /// the end of the block. Runs that are out of order (in a damaged arena) end the block.
    pub(super) fn piece<U: Unit>(self, unit: U) -> (AnswerId, Option<U>) {
        let next = self.find(unit);
        if let Some(run) = next.checked_sub(1) {
            let last = self.last(run);
            if unit <= last {
                return (self.answer(run), Some(last));
            }
        }
        let start = if next < self.count() { self.key(next) } else { U::ZERO };
        (self.background(), (start > unit).then(|| start.before()))
    }

    /// The bitmap of the /24 with this third octet.
    #[inline(always)]
    pub(super) fn bitmap(self, octet: u8) -> Option<Bitmap<'a>> {
        if self.header & DENSE == 0 {
            return None;
        }
        let index = self.dense_keys().binary_search(&octet).ok()?;
        let runs = self.count();
        let each = if self.header & SHARED == 0 { self.answer_width() } else { 0 };
        let position =
            self.answers_position() + (runs + self.dense_count()) * each + BITMAP_SIZE * index;
        let bits = self.bytes.get(position..)?.first_chunk()?;
        Some(Bitmap { bits, answer: self.answer(runs + index), background: self.background() })
    }

    /// The third octet of the first /24 behind this one that is a bitmap.
    pub(super) fn next_bitmap(self, octet: u8) -> Option<u8> {
        if self.header & DENSE == 0 {
            return None;
        }
        self.dense_keys().iter().copied().find(|&key| key > octet)
    }

    /// The number of runs whose first unit is not behind this one.
    #[inline(always)]
    fn find<U: Unit>(self, unit: U) -> usize {
        let mut size = self.count();
        if size == 0 {
            return 0;
        }
        let (keys, width) = (self.keys_position(), self.width());
        let mut base = 0;
        while size > 1 {
            let half = size / 2;
            let middle = base + half;
            let key = U::load(self.bytes, keys + middle * width, width);
            base = std::hint::select_unpredictable(key <= unit, middle, base);
            size -= half;
        }
        base + usize::from(U::load(self.bytes, keys + base * width, width) <= unit)
    }

    #[inline(always)]
    fn key<U: Unit>(self, run: usize) -> U {
        U::load(self.bytes, self.keys_position() + run * self.width(), self.width())
    }

    #[inline(always)]
    fn last<U: Unit>(self, run: usize) -> U {
        let ends = self.ends_position();
        if self.form() == Form::Units as u32 {
            self.key(run)
        } else if self.form() == Form::Powers as u32 {
            let [power] = load(self.bytes, ends + run);
            self.key::<U>(run).last_of(power)
        } else {
            U::load(self.bytes, ends + run * self.width(), self.width())
        }
    }

    #[inline(always)]
    fn answer(self, run: usize) -> AnswerId {
        let shared = self.header & SHARED != 0;
        self.load_answer(if shared {
            4 + self.background_size()
        } else {
            self.answers_position() + run * self.answer_width()
        })
    }

    #[inline(always)]
    fn load_answer(self, position: usize) -> AnswerId {
        let unused = (4 - self.answer_width()) * 8;
        AnswerId(u32::from_le_bytes(load(self.bytes, position)) & u32::MAX >> unused)
    }

    #[inline(always)]
    fn form(self) -> u32 {
        self.header >> 2 & 3
    }

    #[inline(always)]
    fn count(self) -> usize {
        (self.header >> 20) as usize
    }

    #[inline(always)]
    fn answer_width(self) -> usize {
        (self.header & 3) as usize + 1
    }

    #[inline(always)]
    fn background_size(self) -> usize {
        if self.header & BACKGROUND == 0 { 0 } else { self.answer_width() }
    }

    #[inline(always)]
    fn dense_position(self) -> usize {
        let shared = if self.header & SHARED == 0 { 0 } else { self.answer_width() };
        4 + self.background_size() + shared
    }

    #[inline(always)]
    fn dense_count(self) -> usize {
        if self.header & DENSE == 0 {
            return 0;
        }
        let [less_one] = load(self.bytes, self.dense_position());
        usize::from(less_one) + 1
    }

    fn dense_keys(self) -> &'a [u8] {
        let start = self.dense_position() + 1;
        self.bytes.get(start..start + self.dense_count()).unwrap_or(&[])
    }

    #[inline(always)]
    fn keys_position(self) -> usize {
        let dense = if self.header & DENSE == 0 { 0 } else { 1 + self.dense_count() };
        self.dense_position() + dense
    }

    #[inline(always)]
    fn ends_position(self) -> usize {
        self.keys_position() + self.count() * self.width()
    }

    #[inline(always)]
    fn answers_position(self) -> usize {
        let each = match self.form() {
            0 => 0,
            1 => 1,
            _ => self.width(),
        };
        self.ends_position() + self.count() * each
    }
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
        let change = (low..=u8::MAX).find(|&at| self.bit(at) != self.bit(low));
        (self.lookup(low), change.map_or(u8::MAX, |at| at - 1))
    }

    #[inline(always)]
    fn bit(self, low: u8) -> bool {
        self.bits[usize::from(low / 8)] >> (low % 8) & 1 != 0
    }
}

/// The `N` bytes at a position, zeros if they do not all lie in the arena.
#[inline(always)]
fn load<const N: usize>(bytes: &[u8], position: usize) -> [u8; N] {
    bytes.get(position..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}
