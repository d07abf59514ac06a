//! When a feed is fetched: never more often than its publisher allows, never at the full or the half hour, and
//! less and less often while it fails.

use crate::config::FeedSchedule;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// The pause after the first failure, where the interval is longer.
const RETRY: Duration = Duration::from_secs(15 * 60);

/// The longest pause that failures lead to, where the interval is shorter.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// The most that [`calm`] adds, in seconds.
const DETOUR: u64 = 120;

/// When the next try may be, after one that ended at `now`, in seconds since 1970; `failures` is the number of
/// tries that have failed in a row. `random` gives a number below its argument.
pub(super) fn next_try(
    now: u64,
    schedule: &FeedSchedule,
    failures: u32,
    random: &mut impl FnMut(u64) -> u64,
) -> u64 {
    let (pause, jitter) = pause(schedule, failures);
    let at = now.saturating_add(pause).saturating_add(random(jitter.saturating_add(1)));
    calm(at, random)
}

/// The time of the next try, unless it is farther away than any try can be: then the clock was set back after
/// it was decided, and it is decided anew.
pub(super) fn healed(
    now: u64,
    next: u64,
    schedule: &FeedSchedule,
    failures: u32,
    random: &mut impl FnMut(u64) -> u64,
) -> u64 {
    let (pause, jitter) = pause(schedule, failures);
    let latest = now.saturating_add(pause).saturating_add(jitter).saturating_add(DETOUR);
    if next > latest { next_try(now, schedule, failures, random) } else { next }
}

/// The pause and the most that is added to it at random, in seconds.
fn pause(schedule: &FeedSchedule, failures: u32) -> (u64, u64) {
    let FeedSchedule { interval, jitter, min_interval } = *schedule;
    let Some(doublings) = failures.checked_sub(1) else {
        return (interval.max(min_interval).as_secs(), jitter.as_secs());
    };
    let first = RETRY.min(interval).max(min_interval).max(Duration::from_secs(1));
    let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
    let pause = first.saturating_mul(factor).min(LONGEST.max(interval)).max(min_interval);
    (pause.as_secs(), jitter.min(pause / 4).as_secs())
}

/// The first calm time from `at`: minutes :00 and :30 are those in which all the world comes. Whole and half
/// hours are the same in nearly all time zones.
pub(super) fn calm(at: u64, random: &mut impl FnMut(u64) -> u64) -> u64 {
    let minute = at / 60;
    match minute % 30 {
        0 => (minute + 1).saturating_mul(60).saturating_add(random(60)),
        _ => at,
    }
}

/// A number below `bound`, or 0 if that is 0.
pub(super) fn random(bound: u64) -> u64 {
    // Its keys are the system's random numbers.
    RandomState::new().build_hasher().finish().checked_rem(bound).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schedules() -> impl Strategy<Value = FeedSchedule> {
        (60u64..2_600_000, 0u64..90_000, 1u64..=100).prop_map(|(interval, jitter, percent)| {
            FeedSchedule {
                interval: Duration::from_secs(interval),
                jitter: Duration::from_secs(jitter),
                min_interval: Duration::from_secs(interval * percent / 100),
            }
        })
    }

    proptest! {
        #[test]
        fn no_try_is_early_late_or_at_a_bad_minute(
            now in 0u64..1 << 40,
            schedule in schedules(),
            failures in 0u32..100,
        ) {
            let next = next_try(now, &schedule, failures, &mut random);
            prop_assert!(next - now >= schedule.min_interval.as_secs());
            if failures == 0 {
                let longest = schedule.interval + schedule.jitter;
                prop_assert!(next - now >= schedule.interval.as_secs());
                prop_assert!(next - now <= longest.as_secs() + DETOUR);
            }
            prop_assert!(![0, 30].contains(&(next / 60 % 60)));
            // What was decided stays decided, and a clock that was set back is noticed.
            prop_assert_eq!(healed(now, next, &schedule, failures, &mut random), next);
            let far = healed(now, u64::MAX, &schedule, failures, &mut random);
            prop_assert!(far - now <= LONGEST.max(schedule.interval).as_secs() + schedule.jitter.as_secs() + DETOUR);
        }
    }

    #[test]
    fn failures_double_the_pause_up_to_a_bound() {
        let pauses = |interval: u64| {
            let schedule = FeedSchedule::every(Duration::from_secs(60 * interval));
            [0, 1, 2, 3, 4, 5, 6, 7, 99].map(|failures| pause(&schedule, failures).0 / 60)
        };
        assert_eq!(pauses(60), [60, 15, 30, 60, 120, 240, 360, 360, 360]);
        assert_eq!(pauses(5), [5, 5, 10, 20, 40, 80, 160, 320, 360]);
        assert_eq!(pauses(1440), [1440, 15, 30, 60, 120, 240, 480, 960, 1440]);
    }

    #[test]
    fn the_jitter_spreads_the_tries() {
        let schedule = FeedSchedule::every(Duration::from_secs(3600));
        let tries: std::collections::BTreeSet<u64> =
            (0..100).map(|_| next_try(1_000_000, &schedule, 0, &mut random)).collect();
        assert!(tries.len() > 50, "{tries:?}");
    }
}
