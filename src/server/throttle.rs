//! A brake for log lines whose cause can repeat thousands of times a second.

use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(60);

/// Lets one event a minute through and counts the rest.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    last: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// Whether to log this event; if so, how many were held back since the last one.
    pub(super) fn pass(&mut self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < PERIOD) {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_a_minute_passes() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        assert_eq!(throttle.pass_at(start), Some(0));
        assert_eq!(throttle.pass_at(start), None);
        assert_eq!(throttle.pass_at(start + Duration::from_secs(59)), None);
        assert_eq!(throttle.pass_at(start + Duration::from_secs(60)), Some(2));
        assert_eq!(throttle.pass_at(start + Duration::from_secs(61)), None);
    }
}
