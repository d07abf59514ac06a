//! The system's clock beside the time that passes: a machine may learn the time of day after its server has
//! started.

use std::time::Instant;

/// What a clock that is not set may be off, in seconds: it is read a moment after the other, and slewed.
const TOLERANCE: u64 = 5;

/// What both said last.
pub(super) struct Clock {
    instant: Instant,
    time: u64,
}

impl Clock {
    /// From now on, `time` is watched, in seconds since 1970.
    pub(super) fn new(instant: Instant, time: u64) -> Self {
        Self { instant, time }
    }

    /// Whether the clock was set since this was asked last.
    pub(super) fn was_set(&mut self, instant: Instant, time: u64) -> bool {
        let passed = instant.duration_since(self.instant).as_secs();
        let was_set = time.abs_diff(self.time + passed) > TOLERANCE;
        *self = Self::new(instant, time);
        was_set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_that_goes_is_told_from_one_that_is_set() {
        let start = Instant::now();
        let mut clock = Clock::new(start, 1000);
        let mut was_set = |passed, time| clock.was_set(start + Duration::from_secs(passed), time);
        assert!(!was_set(1, 1001) && !was_set(11, 1012), "it goes");
        assert!(was_set(12, 1_700_000_000), "it is set forward");
        assert!(!was_set(13, 1_700_000_001), "it goes on from there");
        assert!(was_set(14, 900), "it is set back");
    }
}
