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

    /// By how many seconds the clock was set since this was asked last; `None` if it was not.
    pub(super) fn was_set(&mut self, instant: Instant, time: u64) -> Option<i64> {
        let due = self.time + instant.duration_since(self.instant).as_secs();
        *self = Self::new(instant, time);
        let by = time.cast_signed().saturating_sub(due.cast_signed());
        (by.unsigned_abs() > TOLERANCE).then_some(by)
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
        assert_eq!((was_set(1, 1001), was_set(11, 1012)), (None, None), "it goes");
        assert_eq!(was_set(12, 1_700_000_013), Some(1_700_000_000 - 1000), "it is set forward");
        assert_eq!(was_set(13, 1_700_000_014), None, "it goes on from there");
        assert_eq!(was_set(14, 1015), Some(1000 - 1_700_000_000), "it is set back");
    }
}
