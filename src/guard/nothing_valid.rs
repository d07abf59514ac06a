//! Files of which no line is valid, and names that nobody can ask for.

use super::Facts;
use super::facts::Names;
use crate::source::{Cause, Finding, SourceFile, Unaskable};

/// From so many lines on, what their keys have in common is no accident.
const MANY: u64 = 20;

/// A file with bad lines and no entry is garbage.
pub(super) fn nothing_valid(file: &SourceFile) -> Option<Cause> {
    (file.entries == 0 && file.bad_lines > 0)
        .then(|| Cause::NothingValid { bad_lines: file.bad_lines, first: file.first_bad.clone() })
}

/// Names that are names by their letters alone: other texts have words at the beginnings of their lines, too.
///
/// A settings file has one word at most of them (`zone`); a list of addresses has numbers for top-level
/// domains; an error page has words where there were names with dots, or addresses. Lists of hashes and of
/// top-level domains always had single labels.
pub(super) fn unaskable(new: &Facts, before: Option<&Facts>) -> Option<Finding> {
    let has_addresses = |facts: &Facts| facts.addresses().is_some_and(|count| count > 0);
    let Names { names, single_labels, are_numbers } = new.names.filter(|_| !has_addresses(new))?;
    let found = |what| Some(Finding::NothingValid { what, lines: new.entries, names });
    let had_names =
        |before: &Facts| before.names.is_some_and(|had| had.names > 0 && !had.are_numbers);
    if are_numbers && (names >= MANY || before.is_some_and(had_names)) {
        return found(Unaskable::Addresses);
    }
    let is_mostly_single =
        |names: &Names| names.single_labels.saturating_mul(10) >= 9 * names.names;
    let is_one_word = names.saturating_mul(10) <= new.entries;
    // One name may have many values: without a past, nobody knows that the list is of names.
    let has_past = before.is_some();
    if has_past
        && new.entries >= MANY
        && is_one_word
        && new.names.as_ref().is_some_and(is_mostly_single)
    {
        return found(Unaskable::OneWord);
    }
    let had_dots = |names: Names| names.names > 0 && !is_mostly_single(&names);
    let had_others =
        before.is_some_and(|before| has_addresses(before) || before.names.is_some_and(had_dots));
    let has_words = names > 0 && single_labels.saturating_mul(10) >= names.saturating_mul(9);
    if had_others && has_words { found(Unaskable::Words) } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::testing::facts;
    use super::*;
    use crate::zonefile::Kind;
    use std::fmt::Write as _;

    fn lines(count: u32, line: impl Fn(u32) -> String) -> String {
        (0..count).fold(String::new(), |mut text, number| {
            writeln!(text, "{}", line(number)).unwrap();
            text
        })
    }

    fn found(text: &str, before: Option<&str>) -> Option<Unaskable> {
        let before = before.map(|text| facts(Kind::Dnset, text));
        match unaskable(&facts(Kind::Dnset, text), before.as_ref())? {
            Finding::NothingValid { what, .. } => Some(what),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_that_nobody_asks_for_are_found() {
        let names = lines(200, |number| format!("bad{number}.example"));
        let code = lines(200, |number| format!("zone \"bad{number}.example\" {{ type master; }};"));
        let addresses = lines(200, |number| format!("192.0.2.{number}"));
        assert_eq!(found(&code, Some(&names)), Some(Unaskable::OneWord));
        let values = lines(20, |number| format!(".invalid :{number}:reason {number}"));
        assert_eq!(found(&values, None), None, "one name with many values");
        assert_eq!(found(&addresses, None), Some(Unaskable::Addresses));
        assert_eq!(found("192.0.2.1\n", Some(&names)), Some(Unaskable::Addresses));
        assert_eq!(found("192.0.2.1\n", None), None, "nobody knows what it was");
        assert_eq!(found("Not Found\n", Some(&names)), Some(Unaskable::Words));
        let page = "the server\ncould not\nverify that\nyou are\nauthorized to\n";
        assert_eq!(found(page, Some(&names)), Some(Unaskable::Words));
        assert_eq!(found(page, None), None, "nobody knows what it was");
    }

    /// Regression: rules for firewalls and log lines were taken in place of a mixed list, as one name.
    #[test]
    fn words_are_found_in_lists_that_may_have_addresses() {
        let mixed = lines(99, |number| format!("bad{number}.example\n192.0.2.{number}"));
        let addresses = lines(200, |number| format!("192.0.2.{number}"));
        let rules = lines(200, |number| format!("deny 192.0.2.{number};"));
        let words = lines(200, |number| format!("word{number} and more"));
        let found = |kind, text: &str, before: &str| {
            let (text, before) = (facts(kind, text), facts(kind, before));
            matches!(unaskable(&text, Some(&before)), Some(Finding::NothingValid { .. }))
        };
        for before in [&mixed, &addresses] {
            assert!(found(Kind::Mixed, &rules, before) && found(Kind::Mixed, &words, before));
            assert!(!found(Kind::Mixed, &mixed, before) && !found(Kind::Mixed, &addresses, before));
        }
    }

    #[test]
    fn hashes_top_level_domains_and_some_addresses_are_names() {
        let names = lines(200, |number| format!("bad{number}.example"));
        let hashes = lines(200, |number| format!("{number:032x}"));
        let domains = lines(100, |number| format!(".tld{number}"));
        let reversed = lines(200, |number| format!("{number}.2.0.192")) + "a.example\n";
        let twice = names.clone() + &names;
        let values = lines(200, |number| format!("bad.example :127.0.0.{number}:"));
        for text in [&names, &hashes, &domains, &reversed, &twice, &values] {
            assert_eq!(found(text, None), None, "{text}");
            assert_eq!(found(text, Some(text)), None, "{text}");
        }
    }
}
