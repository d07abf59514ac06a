//! Feeds of which many lines are bad that were not before.

use super::Facts;
use crate::config::Guard;
use crate::source::Finding;

/// Fewer bad lines than these are a slip of the publisher's.
const SLIPS: u64 = 10;

/// A file in which another one begins, or whose encoding broke, has good lines left. A list that always had
/// lines that its type cannot use (IPv6 in a list of IPv4 addresses) is no news, unless their share doubles.
pub(super) fn bad_lines(new: &Facts, before: &Facts, guard: &Guard) -> Option<Finding> {
    let lines = |facts: &Facts| u128::from(facts.entries) + u128::from(facts.bad_lines);
    let (bad, bad_before) = (u128::from(new.bad_lines), u128::from(before.bad_lines));
    let is_many = new.bad_lines >= SLIPS && bad > guard.bad_lines.of(lines(new));
    let is_news = bad * lines(before) > 2 * bad_before * lines(new);
    (is_many && is_news).then_some(Finding::BadLines {
        bad: new.bad_lines,
        entries: new.entries,
        before: before.bad_lines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_tenth_is_much_if_it_was_less_before() {
        let of = |entries, bad_lines| Facts { entries, bad_lines, ..Facts::default() };
        let judge = |new, before| bad_lines(&new, &before, &Guard::default()).is_some();
        assert!(judge(of(800, 200), of(1000, 0)));
        assert!(!judge(of(950, 50), of(1000, 0)), "a twentieth");
        assert!(!judge(of(50, 9), of(1000, 0)), "slips");
        assert!(!judge(of(800, 200), of(850, 150)), "it had many before");
        assert!(judge(of(600, 400), of(850, 150)), "it had less than half as many");
    }
}
