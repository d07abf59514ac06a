//! The numbers that answers have at the end.

use super::AnswerId;

/// Numbers answers from 1 on, in the order of their first use.
///
/// With the keys in order, equal content gives equal numbers whatever the order of the lines was.
#[derive(Clone, Debug)]
pub struct Numbering {
    /// The counts of answers with one value and with several.
    counts: (usize, usize),
    /// So many answers are numbered, if all have kept their numbers: then there is nothing else.
    kept: u32,
    /// The new number of each answer with one value, by the value, and of the others.
    singles: Vec<AnswerId>,
    several: Vec<AnswerId>,
    /// The old numbers, in the order of the new ones.
    used: Vec<AnswerId>,
}

/// The number of an answer while a file is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ProvisionalId {
    None,
    /// It has one value, this one.
    Single(u32),
    /// It has several values; this is its index among such answers.
    Several(u32),
}

/// The bit that tells answers with several values from the others.
const SEVERAL: u32 = 1 << 31;
/// The most values, and the most answers with several values. The bound leaves numbers free for the
/// answers that [`actions`](crate::listing::actions) adds.
pub(super) const MOST: usize = SEVERAL as usize - 64;

impl ProvisionalId {
    pub(super) fn id(self) -> AnswerId {
        match self {
            Self::None => AnswerId::NONE,
            Self::Single(value) => AnswerId(value + 1),
            Self::Several(place) => AnswerId(SEVERAL | place),
        }
    }

    pub(super) fn of(AnswerId(id): AnswerId) -> Self {
        match id {
            0 => Self::None,
            SEVERAL.. => Self::Several(id & !SEVERAL),
            _ => Self::Single(id - 1),
        }
    }
}

impl Numbering {
    /// A numbering of nothing, with room for these counts of answers with one value and with several.
    pub(super) fn new(singles: usize, several: usize) -> Self {
        let counts = (singles, several);
        Self { counts, kept: 0, singles: Vec::new(), several: Vec::new(), used: Vec::new() }
    }

    /// Makes room for more answers with several values.
    #[inline]
    pub(super) fn extend(&mut self, several: usize) {
        if self.counts.1 < several {
            self.counts.1 = several;
            if !self.used.is_empty() {
                self.several.resize(several, AnswerId::NONE);
            }
        }
    }

    /// The new number of an answer; the first call for an answer assigns it.
    #[inline]
    pub fn number(&mut self, old: AnswerId) -> AnswerId {
        if self.used.is_empty() {
            // In a list in order, all answers keep their numbers.
            if old.0 <= self.kept {
                return old;
            }
            if old.0 == self.kept + 1 && old.0 as usize <= self.counts.0 {
                self.kept = old.0;
                return old;
            }
            self.write_out();
        }
        let slot = match ProvisionalId::of(old) {
            ProvisionalId::None => None,
            ProvisionalId::Single(value) => self.singles.get_mut(value as usize),
            ProvisionalId::Several(place) => self.several.get_mut(place as usize),
        };
        let Some(slot) = slot else { return AnswerId::NONE };
        if !slot.is_listed() {
            self.used.push(old);
            *slot = AnswerId(self.used.len() as u32);
        }
        *slot
    }

    /// Makes room for answers that change their numbers.
    #[cold]
    fn write_out(&mut self) {
        let kept = (1..=self.kept).map(AnswerId);
        self.singles.extend(kept.clone());
        self.singles.resize(self.counts.0, AnswerId::NONE);
        self.several.resize(self.counts.1, AnswerId::NONE);
        self.used.extend(kept);
        self.kept = 0;
    }

    /// The new number of an answer; [`AnswerId::NONE`] if it has none.
    #[inline]
    pub fn get(&self, old: AnswerId) -> AnswerId {
        if self.used.is_empty() {
            return if old.0 <= self.kept { old } else { AnswerId::NONE };
        }
        let slot = match ProvisionalId::of(old) {
            ProvisionalId::None => None,
            ProvisionalId::Single(value) => self.singles.get(value as usize),
            ProvisionalId::Several(place) => self.several.get(place as usize),
        };
        slot.copied().unwrap_or_default()
    }

    /// The number of answers that have one.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.kept as usize + self.used.len()
    }

    /// True if every possible answer has a number. It stays false if some value occurs only together with
    /// others.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.len() == self.counts.0 + self.counts.1
    }

    /// True if every answer that is numbered keeps its number.
    pub fn changes_nothing(&self) -> bool {
        self.used.iter().zip(1..).all(|(&old, new)| old == AnswerId(new))
    }

    /// The old numbers, in the order of the new ones.
    pub(super) fn into_used(self) -> Vec<AnswerId> {
        match self.used.is_empty() {
            true => (1..=self.kept).map(AnswerId).collect(),
            false => self.used,
        }
    }
}
