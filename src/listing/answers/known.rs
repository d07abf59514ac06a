//! Which values are known, by their hashes.

use super::ValueId;
use super::index::HashIndex;
use crate::answer::AnswerId;

/// From so many values on, the index no longer fits into the processor's cache. Few in unit tests, so that they meet
/// it.
const MANY: usize = if cfg!(test) { 24 } else { 3 << 15 };
/// One of so many values, or more, is met again in a list that is worth an index of all.
const MIN_MET_AGAIN: usize = 8;
/// The number of places for the latest values, a power of two.
const LATEST: usize = if cfg!(test) { 8 } else { 1 << 12 };
/// A table that tells which hashes come again has so many bits for each value, and up to twice as many.
const BITS_OF_VALUE: u64 = 8;
/// One of so many values is looked at to find whether values come again.
const SAMPLED: usize = if cfg!(test) { 1 } else { 256 };

/// The values so far by their hashes.
///
/// A list that gives each entry a value of its own would search in vain with every line, in an index far larger than
/// the cache. Such a list only finds its latest values. What comes again later is a value of its own for the time
/// being, until [`KnownValues::settle`] finds it. If a sample of the values shows that many do, all are found again.
#[derive(Debug)]
pub(super) enum KnownValues {
    All {
        index: HashIndex,
        /// The hash of each value, if some values have more numbers than one.
        hashes: Option<Vec<u32>>,
    },
    Latest(LatestValues),
}

impl Default for KnownValues {
    fn default() -> Self {
        Self::All { index: HashIndex::default(), hashes: None }
    }
}

#[derive(Debug)]
pub(super) struct LatestValues {
    /// A hash in the upper half and its number plus one in the lower, where the highest bits of the hash say; 0 if
    /// there is none.
    slots: Vec<u64>,
    /// The hash of each value.
    hashes: Vec<u32>,
    /// With so many values, a sample tells whether many come again.
    next_review: usize,
}

impl LatestValues {
    #[inline]
    fn place(hash: u32) -> usize {
        hash as usize >> (u32::BITS - LATEST.ilog2())
    }

    #[inline]
    fn find(&self, hash: u32) -> Option<u32> {
        let slot = self.slots[Self::place(hash)];
        (slot != 0 && (slot >> 32) as u32 == hash).then(|| slot as u32 - 1)
    }

    fn insert(&mut self, hash: u32, number: u32) {
        self.slots[Self::place(hash)] = u64::from(hash) << 32 | u64::from(number + 1);
    }

    /// True if many of the values are others again.
    fn come_again(&self) -> bool {
        let is_sampled = |hash: &u32| (*hash as usize).is_multiple_of(SAMPLED);
        let mut sample: Vec<u32> = self.hashes.iter().copied().filter(is_sampled).collect();
        let count = sample.len();
        sample.sort_unstable();
        sample.dedup();
        count - sample.len() > count / MIN_MET_AGAIN
    }
}

impl KnownValues {
    /// For each hash a value with it, of which there may be others; `None` if only the latest values are found,
    /// which are in the processor's cache.
    ///
    /// The slot where a search begins is seldom there. These slots are read for all hashes before the first
    /// search, so that the reads overlap.
    pub(super) fn first_of_each<const N: usize>(
        &self,
        hashes: [Option<u32>; N],
    ) -> Option<[Option<u32>; N]> {
        let Self::All { index, .. } = self else { return None };
        if index.is_large() {
            std::hint::black_box(hashes.map(|hash| index.touch(hash.unwrap_or(0))));
        }
        Some(hashes.map(|hash| index.find(hash?).next()))
    }

    /// The value with this hash that is the one wanted.
    #[inline]
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        match self {
            Self::All { index, .. } => index.find(hash).find(|&number| is_it(number)),
            Self::Latest(latest) => latest.find(hash).filter(|&number| is_it(number)),
        }
    }

    #[cfg(test)]
    pub(super) fn longest(&self) -> usize {
        match self {
            Self::All { index, .. } => index.longest(),
            Self::Latest(_) => 1,
        }
    }

    /// Adds the next value, which has this number.
    #[inline]
    pub(super) fn insert(&mut self, hash: u32, number: u32) {
        match self {
            Self::All { index, hashes } => {
                index.insert(hash, number);
                if let Some(hashes) = hashes {
                    hashes.push(hash);
                }
            }
            Self::Latest(latest) => {
                latest.insert(hash, number);
                latest.hashes.push(hash);
            }
        }
    }

    /// From now on only finds the latest of these many values, if there are many and few were met again; or all,
    /// if it only finds the latest and many come again.
    #[inline]
    pub(super) fn review(&mut self, values: usize, met_again: usize) {
        match self {
            Self::All { hashes: None, .. } => {
                if values >= MANY && met_again < values / MIN_MET_AGAIN {
                    self.keep_latest(values);
                }
            }
            Self::All { .. } => {}
            Self::Latest(latest) => {
                if values >= latest.next_review {
                    self.review_latest();
                }
            }
        }
    }

    #[inline(never)]
    fn keep_latest(&mut self, values: usize) {
        let Self::All { index, .. } = self else { return };
        let (slots, hashes) = (vec![0; LATEST], vec![0; values]);
        let mut latest = LatestValues { slots, hashes, next_review: 2 * values };
        for (hash, number) in index.entries() {
            latest.insert(hash, number);
            latest.hashes[number as usize] = hash;
        }
        *self = Self::Latest(latest);
    }

    #[inline(never)]
    fn review_latest(&mut self) {
        let Self::Latest(latest) = self else { return };
        latest.next_review = 2 * latest.hashes.len();
        if !latest.come_again() {
            return;
        }
        let (mut index, hashes) = (HashIndex::default(), std::mem::take(&mut latest.hashes));
        for (&hash, number) in hashes.iter().zip(0..) {
            // The same hash very many times would take the square of that to insert.
            if index.find(hash).next().is_none() {
                index.insert(hash, number);
            }
        }
        *self = Self::All { index, hashes: Some(hashes) };
    }

    /// Finds the values that are others again, if they were not found at once, and how all are numbered without them.
    pub(super) fn settle(&mut self, are_equal: impl Fn(u32, u32) -> bool) -> Option<NewNumbers> {
        let hashes = match self {
            Self::All { hashes, .. } => hashes.take()?,
            Self::Latest(latest) => std::mem::take(&mut latest.hashes),
        };
        *self = Self::default();
        let numbered = hashes.iter().copied().zip(0..hashes.len() as u32);
        let candidates = may_be_others(numbered, 0);
        let candidates = may_be_others(candidates.iter().copied(), u32::BITS / 2);
        let (mut again, mut known) = (Vec::new(), HashIndex::default());
        for (hash, number) in candidates {
            let first = known.find(hash).find(|&first| are_equal(first, number));
            match first {
                None => known.insert(hash, number),
                Some(first) => again.push((number, first)),
            }
        }
        (!again.is_empty()).then(|| NewNumbers::without(again, hashes.len()))
    }
}

/// Of values, each with its hash, all those whose hash another one has, and about one in ten of the others;
/// another rotation of the hashes gives others of them. The table for it fits into the processor's cache where one
/// of all hashes does not.
fn may_be_others<I>(values: I, rotation: u32) -> Vec<(u32, u32)>
where
    I: ExactSizeIterator<Item = (u32, u32)> + Clone,
{
    let bits = (BITS_OF_VALUE * values.len() as u64).next_power_of_two().clamp(64, 1 << u32::BITS);
    let place = |hash: u32| {
        let bit = u64::from(hash.rotate_left(rotation)) & (bits - 1);
        (bit as usize / 64, 1_u64 << (bit % 64))
    };
    // Both are mapped as zeros: pages that stay so are not made.
    let mut seen = vec![0_u64; bits as usize / 64];
    let mut seen_again = vec![0_u64; bits as usize / 64];
    for (hash, _) in values.clone() {
        let (word, bit) = place(hash);
        if seen[word] & bit != 0 {
            seen_again[word] |= bit;
        }
        seen[word] |= bit;
    }
    let is_seen_again = |(hash, _): &(u32, u32)| {
        let (word, bit) = place(*hash);
        seen_again[word] & bit != 0
    };
    values.filter(is_seen_again).collect()
}

/// The numbers of values after each value has one only: those of values that are others again are left out.
#[derive(Debug)]
pub struct NewNumbers {
    /// The old numbers of those that are others again, in order, each with the first old number of its value.
    again: Vec<(u32, u32)>,
    /// A bit for each old number that is one of them, 64 in a word.
    left_out: Vec<u64>,
    /// How many of them are before each word.
    before: Vec<u32>,
}

impl NewNumbers {
    /// Those of so many values, of which these are others again, in the order of their numbers, each with the first
    /// number of its value.
    fn without(again: Vec<(u32, u32)>, values: usize) -> Self {
        let mut left_out = vec![0; values.div_ceil(64)];
        for &(number, _) in &again {
            left_out[number as usize / 64] |= 1_u64 << (number % 64);
        }
        let mut sum = 0;
        let counted = left_out.iter().map(|word| {
            sum += word.count_ones();
            sum - word.count_ones()
        });
        let before = counted.collect();
        Self { again, left_out, before }
    }

    /// That of a value.
    pub fn value(&self, ValueId(number): ValueId) -> ValueId {
        let place = number as usize / 64;
        let (Some(&word), Some(before)) = (self.left_out.get(place), self.before.get(place)) else {
            return ValueId(number);
        };
        let bit = 1_u64 << (number % 64);
        if word & bit != 0 {
            return self.first(number);
        }
        let in_word = if word == 0 { 0 } else { (word & (bit - 1)).count_ones() };
        ValueId(number - before - in_word)
    }

    /// That of a value which is another again.
    #[inline(never)]
    fn first(&self, number: u32) -> ValueId {
        match self.again.binary_search_by_key(&number, |(again, _)| *again) {
            // The first of its value is not left out.
            Ok(at) => self.value(ValueId(self.again[at].1)),
            Err(_) => ValueId(number),
        }
    }

    /// That of the answer with one value.
    pub fn answer(&self, answer: AnswerId) -> AnswerId {
        ValueId::only_of(answer).map_or(answer, |value| self.value(value).alone())
    }
}
