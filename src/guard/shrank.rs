//! Feeds that have far fewer entries than before.

use super::Facts;
use crate::config::Guard;
use crate::source::Finding;

/// Half of a list is what a full disk, a broken export or an error page leaves. Ordinary days bring a third
/// fewer. Lines that are there twice count once: a list that a mirror has doubled shrinks to what it was.
pub(super) fn shrank(new: &Facts, before: &Facts, guard: &Guard) -> Option<Finding> {
    let (entries, before) = (new.distinct(), before.distinct());
    let least = guard.shrink.of(before.into());
    (u128::from(entries) < least).then_some(Finding::Shrank { entries, before })
}

#[cfg(test)]
mod tests {
    use super::super::testing::facts;
    use super::*;
    use crate::config::Ratio;
    use crate::zonefile::Kind;

    /// Regression: the day after a doubled list was refused, and half a list twice was taken.
    #[test]
    fn lines_that_are_there_twice_count_once() {
        let text = |count: u32| (0..count).map(|n| format!("a{n}.example\n")).collect::<String>();
        let address = |count: u32| (0..count).map(|n| format!("192.0.2.{n}\n")).collect::<String>();
        for (kind, text) in
            [(Kind::Dnset, &text as &dyn Fn(u32) -> String), (Kind::Ip4Set, &address)]
        {
            let of = |text: &str| facts(kind, text);
            let is_found = |new: &str, before: &str| {
                shrank(&of(new), &of(before), &Guard::default()).is_some()
            };
            assert!(!is_found(&text(190), &text(200).repeat(2)));
            assert!(is_found(&text(90).repeat(2), &text(200)));
        }
    }

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
