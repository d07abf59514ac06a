//! Which queries a worker looks at.

use super::Tops;
use crate::engine::{Catalog, Request};

/// As many queries a worker looks at in a second, or all if there are not more.
const PER_SECOND: u32 = 64;

/// One in so many is looked at before it is known how many there are.
const FIRST: u32 = 256;

/// One in so many is looked at when there are very many.
const MOST: u32 = 1 << 16;

/// Picks some queries of a worker, and has them counted.
///
/// What it costs is paid by the batch: of each, at most one query is picked.
#[derive(Debug)]
pub struct TopSampler {
    tops: Tops,
    worker: usize,
    /// How many queries are passed over before the next is picked.
    left: usize,
    /// The queries since the last that was picked.
    since: usize,
    /// About one in so many is picked.
    every: u32,
    /// The time, in seconds since 1970, and how many were picked in this second.
    second: u64,
    picked: u32,
    random: u32,
}

impl TopSampler {
    pub(super) fn new(tops: Tops, worker: usize) -> Self {
        let random = (worker as u32).wrapping_mul(0x9e37_79b9) | 1;
        let (left, since, second, picked) = (FIRST as usize - 1, 0, 0, 0);
        Self { tops, worker, left, since, every: FIRST, second, picked, random }
    }

    /// Which of the next `queries` is picked, from 0, if any is. The time is in seconds since 1970.
    #[inline(always)]
    pub fn pick(&mut self, queries: usize, now: u64) -> Option<usize> {
        self.since += queries;
        if now != self.second {
            self.turn(now);
        }
        match self.left.checked_sub(queries) {
            Some(left) => {
                self.left = left;
                None
            }
            None => Some(self.picked()),
        }
    }

    /// A second has passed, or several.
    #[cold]
    #[inline(never)]
    fn turn(&mut self, now: u64) {
        if self.picked < PER_SECOND / 2 {
            // The first second of all says nothing yet.
            let before = if self.second == 0 { now } else { self.second };
            let seconds = u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX);
            self.every = (self.every >> seconds.min(u32::BITS - 1)).max(1);
            self.left = self.left.min(2 * self.every as usize - 2);
        }
        (self.second, self.picked) = (now, 0);
    }

    #[cold]
    #[inline(never)]
    fn picked(&mut self) -> usize {
        self.picked += 1;
        if self.picked.is_multiple_of(PER_SECOND) {
            self.every = (self.every * 2).min(MOST);
        }
        let picked = self.left;
        // Any distance up to twice the usual, so that no client is always passed over (xorshift32, Marsaglia 2003).
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.left = (self.random % (2 * self.every - 1)) as usize;
        picked
    }

    /// Counts the query that was picked. `reply` starts with the answer, if there was one.
    #[cold]
    #[inline(never)]
    pub fn take(&mut self, catalog: &Catalog, request: &Request<'_>, reply: &[u8]) {
        let weight = std::mem::take(&mut self.since) as f64;
        self.tops.add(self.worker, weight, catalog, request, reply);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the queries that are picked of so many in one second.
    fn picked(sampler: &mut TopSampler, queries: usize, batch: usize, now: u64) -> Vec<usize> {
        let mut picked = Vec::new();
        for start in (0..queries).step_by(batch) {
            if let Some(index) = sampler.pick(batch, now) {
                assert!(index < batch);
                picked.push(start + index);
            }
        }
        picked
    }

    #[test]
    fn a_few_are_picked_of_many_and_all_of_a_few() {
        for batch in [1, 7, 64] {
            let mut sampler = TopSampler::new(Tops::default(), 3);
            for now in 1..20 {
                let picked = picked(&mut sampler, 700_000, batch, now);
                assert!((8..900).contains(&picked.len()), "{batch} {now}: {}", picked.len());
                assert!(now < 8 || picked.len() < 300, "{batch} {now}: {}", picked.len());
            }
            let picks = picked(&mut sampler, 700_000, batch, 20);
            assert!(picks.first() < Some(&200_000) && picks.last() > Some(&500_000));
        }
        let mut sampler = TopSampler::new(Tops::default(), 0);
        picked(&mut sampler, 10_000_000, 64, 100);
        for now in 101..130 {
            let count = picked(&mut sampler, 5, 1, now).len();
            assert!(now < 120 || count == 5, "{now}: {count}");
        }
    }
}
