//! The values and the answers of an [`AnswersBuilder`](super::AnswersBuilder) by their hashes.

/// Finds numbers by 32-bit hashes.
///
/// A table with open addressing and linear probing. The highest bits of a hash say where its search
/// begins. A search therefore mostly stays within one cache line, and growing reads and writes the
/// table in order, which matters with millions of values.
#[derive(Clone, Debug, Default)]
pub(super) struct HashIndex {
    /// The hash in the upper half, and its number plus one in the lower half; 0 is an empty slot. Their
    /// count is zero or a power of two.
    slots: Vec<u64>,
    len: usize,
}

/// So many slots take 128 KiB.
const LARGE: usize = 1 << 14;
/// The number of slots that the first value makes.
const FIRST: usize = 16;

impl HashIndex {
    /// Numbers with this hash, in any order.
    #[inline]
    pub(super) fn find(&self, hash: u32) -> impl Iterator<Item = u32> {
        let slots = &self.slots;
        let mut at = start(hash, slots.len());
        std::iter::from_fn(move || {
            loop {
                let slot = *slots.get(at)?;
                if slot == 0 {
                    return None;
                }
                at = (at + 1) & (slots.len() - 1);
                if (slot >> 32) as u32 == hash {
                    return Some(slot as u32 - 1);
                }
            }
        })
    }

    /// Reads the slot where the search for a hash begins, which brings it into the cache.
    #[inline]
    pub(super) fn touch(&self, hash: u32) -> u64 {
        self.slots.get(start(hash, self.slots.len())).copied().unwrap_or(0)
    }

    /// Adds a number, which is not `u32::MAX`.
    pub(super) fn insert(&mut self, hash: u32, number: u32) {
        if self.len >= self.slots.len() / 4 * 3 {
            self.grow();
        }
        self.len += 1;
        place(&mut self.slots, u64::from(hash) << 32 | u64::from(number + 1));
    }

    /// True if it is seldom in the processor's cache as a whole.
    pub(super) fn is_large(&self) -> bool {
        self.slots.len() > LARGE
    }

    /// Each number with its hash, in any order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u32, u32)> {
        let slots = self.slots.iter().filter(|&&slot| slot != 0);
        slots.map(|&slot| ((slot >> 32) as u32, slot as u32 - 1))
    }

    /// The most slots side by side that a search may have to look at.
    #[cfg(test)]
    pub(super) fn longest(&self) -> usize {
        let runs = self.slots.chunk_by(|a, b| (*a == 0) == (*b == 0));
        runs.filter(|run| run[0] != 0).map(<[u64]>::len).max().unwrap_or(0)
    }

    #[cold]
    #[expect(clippy::slow_vector_initialization, reason = "what is read first is faulted in twice")]
    fn grow(&mut self) {
        let mut slots = Vec::new();
        slots.resize(FIRST.max(2 * self.slots.len()), 0);
        let old = std::mem::take(&mut self.slots);
        old.into_iter().filter(|&slot| slot != 0).for_each(|slot| place(&mut slots, slot));
        self.slots = slots;
    }
}

/// Where the search for a hash begins in so many slots.
#[inline]
fn start(hash: u32, slots: usize) -> usize {
    ((u64::from(hash) * slots as u64) >> 32) as usize
}

/// Puts a slot that is not empty where it belongs; there is room.
#[inline]
fn place(slots: &mut [u64], slot: u64) {
    let mut at = start((slot >> 32) as u32, slots.len());
    while slots[at] != 0 {
        at = (at + 1) & (slots.len() - 1);
    }
    slots[at] = slot;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Hashes at the ends and beside each other: so they collide, and wrap around.
        #[test]
        fn finds_what_was_added(
            hashes in prop::collection::vec(
                prop_oneof![0..20_u32, u32::MAX - 20..=u32::MAX, any::<u32>()], 0..300,
            ),
        ) {
            let mut index = HashIndex::default();
            let mut model = HashMap::<u32, Vec<u32>>::new();
            for (&hash, number) in hashes.iter().zip(0..) {
                index.insert(hash, number);
                model.entry(hash).or_default().push(number);
            }
            for hash in hashes.iter().flat_map(|&hash| [hash, hash ^ 1, hash.wrapping_add(1)]) {
                let mut found: Vec<u32> = index.find(hash).collect();
                found.sort_unstable();
                prop_assert_eq!(found, model.get(&hash).cloned().unwrap_or_default());
            }
        }
    }
}
