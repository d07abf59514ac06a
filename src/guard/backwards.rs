//! Feeds that are older than what is served, by their own account.

use super::Facts;
use crate::source::{Finding, Mark};

/// An old copy has come from a mirror that lags behind. Serials are compared as RFC 1982, section 3.2, says.
pub(super) fn backwards(new: &Facts, before: &Facts) -> Option<Finding> {
    if let (Some(now), Some(then)) = (new.stamp, before.stamp)
        && now < then
    {
        return Some(Finding::Backwards { mark: Mark::Timestamp, now, before: then });
    }
    let (now, then) = (new.serial?, before.serial?);
    let is_older = now.wrapping_sub(then).cast_signed() < 0;
    let (now, before) = (now.into(), then.into());
    is_older.then_some(Finding::Backwards { mark: Mark::Serial, now, before })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_serials_do_not_go_back() {
        let of = |stamp, serial| Facts { stamp, serial, ..Facts::default() };
        let mark = |new: Facts, before: Facts| match backwards(&new, &before) {
            Some(Finding::Backwards { mark, .. }) => Some(mark),
            _ => None,
        };
        assert_eq!(mark(of(Some(5), None), of(Some(6), None)), Some(Mark::Timestamp));
        assert_eq!(mark(of(Some(6), Some(1)), of(Some(6), Some(2))), Some(Mark::Serial));
        for (new, before) in [
            (of(Some(6), Some(7)), of(Some(6), Some(7))),
            (of(None, None), of(Some(6), Some(7))),
            (of(Some(1), Some(1)), of(None, None)),
            (of(None, Some(3)), of(None, Some(u32::MAX))),
        ] {
            assert_eq!(mark(new.clone(), before.clone()), None, "{new:?} {before:?}");
        }
    }
}
