//! How long data may go on being served without being renewed. Pure: the caller tells it the time.

use super::lifecycle::Lifecycle;
use crate::config::{AgeLimit, FreshnessLimits};
use crate::event::{Overdue, Renewal};
use std::time::{Duration, SystemTime};

/// What is overdue of a dataset at `now`, what the settings say so of first. `is_feed` is false for lists
/// that a person keeps: these may stay as they are for ever, unless the settings say otherwise.
pub(crate) fn overdue(
    lifecycle: &Lifecycle,
    limits: &FreshnessLimits,
    is_feed: bool,
    now: SystemTime,
) -> Option<Overdue> {
    let made = lifecycle.served()?.made();
    let made = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(made))?;
    let change = match limits.max_age {
        AgeLimit::Alarm(_) if !is_feed => None,
        limit => passed(Renewal::Change, limit, made, now),
    };
    let good = lifecycle
        .bad_since()
        .and_then(|since| passed(Renewal::GoodFiles, limits.keep_bad_for, since, now));
    let all = [good, change].into_iter().flatten();
    all.reduce(|first, next| if next.is_by_setting && !first.is_by_setting { next } else { first })
}

/// Whether the time since `then` has passed the limit. A clock that was set back passes none.
fn passed(what: Renewal, limit: AgeLimit, then: SystemTime, now: SystemTime) -> Option<Overdue> {
    let (limit, is_by_setting) = match limit {
        AgeLimit::Off => return None,
        AgeLimit::Alarm(limit) => (limit, false),
        AgeLimit::Limit(limit) => (limit, true),
    };
    let is_over = now.duration_since(then).is_ok_and(|age| age > limit);
    is_over.then_some(Overdue { what, limit, is_by_setting })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(hours: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + HOUR * hours
    }

    #[test]
    fn a_limit_is_passed_after_its_time_and_by_no_clock_that_was_set_back() {
        let hours = |limit: AgeLimit, now: u32| passed(Renewal::Change, limit, at(10), at(now));
        let limit = AgeLimit::Limit(2 * HOUR);
        assert_eq!(hours(limit, 12), None);
        let overdue = Overdue { what: Renewal::Change, limit: 2 * HOUR, is_by_setting: true };
        assert_eq!(hours(limit, 13), Some(overdue));
        assert_eq!(hours(limit, 5), None);
        assert_eq!(hours(AgeLimit::Off, 99), None);
        let alarm = Overdue { is_by_setting: false, ..overdue };
        assert_eq!(hours(AgeLimit::Alarm(2 * HOUR), 13), Some(alarm));
    }
}
