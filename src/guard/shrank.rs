//! Feeds that have far fewer entries than before.

use super::Facts;
use crate::config::Guard;
use crate::source::Finding;

/// Half of a list is what a full disk, a broken export or an error page leaves. Ordinary days bring a third
/// fewer.
pub(super) fn shrank(new: &Facts, before: &Facts, guard: &Guard) -> Option<Finding> {
    let least = guard.shrink.of(before.entries.into());
    let (entries, before) = (new.entries, before.entries);
    (u128::from(entries) < least).then_some(Finding::Shrank { entries, before })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Ratio;

    #[test]
    fn half_of_a_list_is_the_least() {
        let of = |entries| Facts { entries, ..Facts::default() };
        let judge = |entries, guard: &Guard| shrank(&of(entries), &of(1901), guard).is_some();
        let usual = Guard::default();
        assert_eq!(
            [950, 951, 1901, 4000].map(|entries| judge(entries, &usual)),
            [true, false, false, false]
        );
        let patient = Guard { shrink: Ratio::new(0.0), ..usual };
        assert!(!judge(0, &patient));
    }
}
