//! The heaviest of a stream of keys, in bounded room: space-saving (Metwally, Agrawal, El Abbadi 2005) with counts
//! that decay, so that what was heavy long ago gives way.

/// A key, how much it weighs, and how much of that may be another's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Heavy<K> {
    pub(super) key: K,
    /// Its weight; never less than it should be.
    pub(super) weight: f64,
    /// The most that `weight` may be above what it should be.
    pub(super) error: f64,
}

/// The heaviest keys. Its room is taken once.
#[derive(Debug)]
pub(super) struct HeavyHitters<K> {
    /// A hash of each key, apart, so that most keys are not looked at.
    hashes: Vec<u64>,
    entries: Vec<Heavy<K>>,
    room: usize,
    /// The weight of all keys, also of those that are not kept.
    total: f64,
    /// The time in seconds to which all weights have decayed.
    time: u64,
    half_life: f64,
}

impl<K: Copy + Eq> HeavyHitters<K> {
    /// Keeps that many keys, whose weights halve in that many seconds.
    pub(super) fn new(room: usize, half_life: f64) -> Self {
        let (hashes, entries) = (Vec::with_capacity(room), Vec::with_capacity(room));
        Self { hashes, entries, room, total: 0.0, time: 0, half_life }
    }

    /// Adds to the weight of a key with this hash, at that time in seconds.
    pub(super) fn add(&mut self, key: K, hash: u64, weight: f64, now: u64) {
        self.decay(now);
        self.total += weight;
        let is_it = |&at: &usize| self.hashes[at] == hash && self.entries[at].key == key;
        if let Some(at) = (0..self.entries.len()).find(is_it) {
            self.entries[at].weight += weight;
            return;
        }
        if self.entries.len() < self.room {
            self.hashes.push(hash);
            self.entries.push(Heavy { key, weight, error: 0.0 });
            return;
        }
        // It takes the place of the lightest, and what that weighed: it may have been there before.
        let lightest = |one: &usize, other: &usize| {
            self.entries[*one].weight.total_cmp(&self.entries[*other].weight)
        };
        let Some(at) = (0..self.entries.len()).min_by(lightest) else { return };
        let error = self.entries[at].weight;
        self.hashes[at] = hash;
        self.entries[at] = Heavy { key, weight: weight + error, error };
    }

    /// All keys that are kept, and the weight of all there were, at that time in seconds.
    pub(super) fn look(&mut self, now: u64) -> (&[Heavy<K>], f64) {
        self.decay(now);
        (&self.entries, self.total)
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.hashes.clear();
        self.entries.clear();
        self.total = 0.0;
    }

    fn decay(&mut self, now: u64) {
        // A clock that is set back makes nothing heavier.
        let seconds = now.saturating_sub(self.time);
        self.time = now;
        if seconds == 0 {
            return;
        }
        let factor = (-(seconds as f64) / self.half_life).exp2();
        self.total *= factor;
        for entry in &mut self.entries {
            entry.weight *= factor;
            entry.error *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const FOREVER: f64 = f64::INFINITY;

    #[test]
    fn weights_halve() {
        let mut hitters = HeavyHitters::new(4, 10.0);
        hitters.add('a', 1, 8.0, 100);
        hitters.add('b', 2, 3.0, 110);
        let (entries, total) = hitters.look(120);
        assert_eq!(entries.iter().map(|heavy| heavy.weight).collect::<Vec<_>>(), [2.0, 1.5]);
        assert_eq!(total, 3.5);
        let (_, total) = hitters.look(50);
        assert_eq!(total, 3.5, "a clock that was set back");
        hitters.clear();
        assert_eq!(hitters.look(50), (&[][..], 0.0));
    }

    proptest! {
        /// What space-saving promises: no weight is too small, none by more than its error too great, and
        /// every key that weighs more than a part of all, as many as there is room for, is kept.
        #[test]
        fn the_heaviest_are_kept(keys in prop::collection::vec(0_u8..30, 0..400), room in 1_usize..12) {
            let mut hitters = HeavyHitters::new(room, FOREVER);
            let mut exact = HashMap::<u8, f64>::new();
            for key in &keys {
                // Some keys share a hash.
                hitters.add(*key, u64::from(key % 7), 1.0, 5);
                *exact.entry(*key).or_default() += 1.0;
            }
            let (entries, total) = hitters.look(5);
            prop_assert_eq!(total, keys.len() as f64);
            prop_assert!(entries.len() <= room);
            for Heavy { key, weight, error } in entries {
                let exact = exact[key];
                prop_assert!(exact <= *weight && weight - error <= exact);
            }
            for (key, weight) in exact {
                let is_kept = entries.iter().any(|heavy| heavy.key == key);
                prop_assert!(is_kept || weight <= total / room as f64);
            }
        }
    }
}
