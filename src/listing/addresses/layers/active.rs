//! The runs that cover an address.

/// The codes of the runs that cover an address, each with the number of its runs. What it takes to begin or
/// to end a run does not depend on how many there are.
#[derive(Debug, Default)]
pub(super) struct Active {
    counts: Vec<u32>,
    codes: CodeSet,
    len: usize,
}

impl Active {
    /// None, with room for codes up to this one.
    pub(super) fn new(last: u32) -> Self {
        let room = last as usize + 1;
        Self { counts: vec![0; room], codes: CodeSet::new(room), len: 0 }
    }

    /// Adds a run with this code; true if it is the first one.
    pub(super) fn begin(&mut self, code: u32) -> bool {
        let count = &mut self.counts[code as usize];
        *count += 1;
        let is_first = *count == 1;
        if is_first {
            self.codes.insert(code as usize);
            self.len += 1;
        }
        is_first
    }

    /// Removes a run with this code; true if it was the last one.
    pub(super) fn end(&mut self, code: u32) -> bool {
        let count = &mut self.counts[code as usize];
        *count -= 1;
        let was_last = *count == 0;
        if was_last {
            self.codes.remove(code as usize);
            self.len -= 1;
        }
        was_last
    }

    /// The number of distinct codes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The distinct codes in order.
    pub(super) fn codes(&self) -> impl Iterator<Item = u32> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let code = self.codes.next(from)?;
            from = code + 1;
            Some(code as u32)
        })
    }
}

/// A set of numbers, and where the next one is: a bit for each, then a bit for each word that has some, and
/// so on up to a single word.
#[derive(Debug, Default)]
struct CodeSet {
    levels: Vec<Vec<u64>>,
}

impl CodeSet {
    /// An empty set of numbers below `room`.
    fn new(room: usize) -> Self {
        let mut levels = Vec::new();
        let mut words = room;
        while words > 1 || levels.is_empty() {
            words = words.div_ceil(64);
            levels.push(vec![0; words]);
        }
        Self { levels }
    }

    fn insert(&mut self, mut number: usize) {
        for level in &mut self.levels {
            let word = &mut level[number / 64];
            let was_empty = *word == 0;
            *word |= 1 << (number % 64);
            if !was_empty {
                return;
            }
            number /= 64;
        }
    }

    fn remove(&mut self, mut number: usize) {
        for level in &mut self.levels {
            let word = &mut level[number / 64];
            *word &= !(1 << (number % 64));
            if *word != 0 {
                return;
            }
            number /= 64;
        }
    }

    /// The least number that is not below `from`.
    fn next(&self, from: usize) -> Option<usize> {
        let mut at = from;
        for (height, level) in self.levels.iter().enumerate() {
            let word = level.get(at / 64)? >> (at % 64);
            if word != 0 {
                at += word.trailing_zeros() as usize;
                let below = self.levels[..height].iter().rev();
                return Some(
                    below.fold(at, |at, level| at * 64 + level[at].trailing_zeros() as usize),
                );
            }
            at = at / 64 + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// As a map of counts has them.
        #[test]
        fn codes_are_those_of_the_runs_at_hand(
            room in prop::sample::select(vec![1_u32, 64, 65, 4096, 4097, 300_000]),
            runs in prop::collection::vec((any::<u32>(), any::<bool>()), 0..200),
        ) {
            let mut active = Active::new(room - 1);
            let mut model = BTreeMap::<u32, u32>::new();
            for (number, begins) in runs {
                let known = model.keys().copied().nth(number as usize % model.len().max(1));
                match known.filter(|_| !begins) {
                    None => {
                        let code = number % room;
                        *model.entry(code).or_default() += 1;
                        prop_assert_eq!(active.begin(code), model[&code] == 1);
                    }
                    Some(code) => {
                        let count = model[&code] - 1;
                        prop_assert_eq!(active.end(code), count == 0);
                        model.insert(code, count);
                        model.retain(|_, count| *count > 0);
                    }
                }
                prop_assert_eq!(active.len(), model.len());
                prop_assert!(active.codes().eq(model.keys().copied()));
            }
        }
    }
}
