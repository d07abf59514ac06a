//! How long answers take: a histogram of some queries, in buckets that grow with the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Every so many queries of a worker, one is measured.
const EVERY: usize = 1024;

/// The bits of the upper bound of the first bucket: 2^7 ns.
const FIRST: u32 = 7;

/// The bits of the upper bound of the last bucket but one: 2^25 ns, 34 ms.
const LAST: u32 = 25;

/// The number of buckets: two for each doubling of the time, one for what is shorter, one for what is longer.
pub const BUCKETS: usize = 2 * (LAST - FIRST) as usize + 2;

/// Where workers count how long answers took. There is a cell for each worker, which alone writes it.
#[derive(Clone, Debug, Default)]
pub struct Latency(Arc<[Cell]>);

/// Written once in [`EVERY`] queries: neighbours may share a cache line.
#[derive(Debug)]
struct Cell {
    buckets: [AtomicU64; BUCKETS],
    nanoseconds: AtomicU64,
}

impl Default for Cell {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], nanoseconds: AtomicU64::new(0) }
    }
}

/// What was counted until some time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Histogram {
    /// The queries that were measured, by bucket.
    pub buckets: [u64; BUCKETS],
    /// The time they took together.
    pub sum: Duration,
}

impl Latency {
    /// For that many workers.
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Cell::default()).collect())
    }

    pub(super) fn count(&self, worker: usize, time: Duration) {
        let Some(cell) = self.0.get(worker) else { return };
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        cell.buckets[bucket(time)].fetch_add(1, Ordering::Relaxed);
        cell.nanoseconds.fetch_add(time, Ordering::Relaxed);
    }

    /// What all workers have counted by now.
    pub fn histogram(&self) -> Histogram {
        let sum = |counter: fn(&Cell, usize) -> &AtomicU64, index| {
            self.0.iter().map(|cell| counter(cell, index).load(Ordering::Relaxed)).sum()
        };
        Histogram {
            buckets: std::array::from_fn(|index| sum(|cell, index| &cell.buckets[index], index)),
            sum: Duration::from_nanos(sum(|cell, _| &cell.nanoseconds, 0)),
        }
    }
}

impl Histogram {
    /// The upper bound of a bucket, which belongs to it; `None` for the last.
    pub fn bound(bucket: usize) -> Option<Duration> {
        let nanoseconds = bound(bucket);
        (bucket + 1 < BUCKETS).then(|| Duration::from_nanos(nanoseconds))
    }
}

/// The upper bound of a bucket in nanoseconds: powers of two, and what is half way between them.
fn bound(bucket: usize) -> u64 {
    let (doublings, half) = (bucket as u32 / 2, bucket as u64 % 2);
    (2 + half) << (FIRST - 1 + doublings)
}

/// The first bucket whose upper bound is not below that time in nanoseconds.
fn bucket(time: u64) -> usize {
    let bits = time.saturating_sub(1).max(1).ilog2();
    match bits {
        ..FIRST => 0,
        LAST.. => BUCKETS - 1,
        _ => {
            let half = (time - 1) >> (bits - 1) & 1;
            2 * (bits - FIRST) as usize + half as usize + 1
        }
    }
}

/// Picks the queries that are measured: of each 1,024 of a worker, one.
#[derive(Debug)]
pub struct Sampler {
    /// How many queries are passed over before the next that is picked.
    left: usize,
}

impl Default for Sampler {
    fn default() -> Self {
        Self { left: EVERY - 1 }
    }
}

impl Sampler {
    /// Which of the next `queries` is picked, from 0, if any is. At most one is.
    pub fn pick(&mut self, queries: usize) -> Option<usize> {
        match self.left.checked_sub(queries) {
            Some(left) => {
                self.left = left;
                None
            }
            None => {
                let picked = self.left;
                self.left = (EVERY + picked).saturating_sub(queries);
                Some(picked)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_the_first_bucket_that_holds_it() {
        let times = (0..400).chain((6..64).flat_map(|bits| {
            [1_u64 << bits, 3 << (bits - 1)]
                .map(|time| [time - 1, time, time + 1])
                .into_iter()
                .flatten()
        }));
        for time in times.chain([u64::MAX]) {
            let want = (0..BUCKETS - 1).find(|&bucket| time <= bound(bucket));
            assert_eq!(bucket(time), want.unwrap_or(BUCKETS - 1), "{time}");
        }
        assert_eq!(Histogram::bound(0), Some(Duration::from_nanos(128)));
        assert_eq!(Histogram::bound(1), Some(Duration::from_nanos(192)));
        assert_eq!(Histogram::bound(BUCKETS - 2), Some(Duration::from_nanos(1 << LAST)));
        assert_eq!(Histogram::bound(BUCKETS - 1), None);
    }

    #[test]
    fn workers_are_counted_together() {
        let latency = Latency::new(2);
        for (worker, time) in [(0, 100), (1, 100), (1, 200), (0, u64::MAX >> 2), (2, 1)] {
            latency.count(worker, Duration::from_nanos(time));
        }
        let Histogram { buckets, sum } = latency.histogram();
        assert_eq!((buckets[0], buckets[2], buckets[BUCKETS - 1]), (2, 1, 1));
        assert_eq!(buckets.iter().sum::<u64>(), 4);
        assert_eq!(sum, Duration::from_nanos(400 + (u64::MAX >> 2)));
    }

    #[test]
    fn one_in_many_is_picked_whatever_the_size_of_batches() {
        for size in [1, 3, 64, 100, EVERY] {
            let (mut sampler, mut seen, mut picked) = (Sampler::default(), 0, Vec::new());
            while seen < 10 * EVERY {
                picked.extend(sampler.pick(size).map(|index| seen + index));
                seen += size;
            }
            let want: Vec<_> = (1..).map(|n| n * EVERY - 1).take_while(|&n| n < seen).collect();
            assert_eq!(picked, want, "{size}");
        }
    }
}
