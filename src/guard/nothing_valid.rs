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

/// Names of a list of names that are names by their letters alone: other texts have words at the beginnings of
/// their lines, too.
///
/// A settings file has one word at most of them (`zone`); a list of addresses has numbers for top-level
/// domains; an error page has words where there were names with dots. Lists of hashes and of top-level domains
/// always had single labels.
pub(super) fn unaskable(new: &Facts, before: Option<&Facts>) -> Option<Finding> {
    let Names { names, single_labels, are_numbers } = new.names.filter(|_| new.is_of_names())?;
    let found = |what| Some(Finding::NothingValid { what, lines: new.entries, names });
    if are_numbers && names >= MANY {
        return found(Unaskable::Addresses);
    }
    let is_mostly_single =
        |names: &Names| names.single_labels.saturating_mul(10) >= 9 * names.names;
    let is_one_word = names.saturating_mul(10) <= new.entries;
    if new.entries >= MANY && is_one_word && new.names.as_ref().is_some_and(is_mostly_single) {
        return found(Unaskable::OneWord);
    }
    let had_dots = before?.names.is_some_and(|names| names.names > 0 && !is_mostly_single(&names));
    let has_words = names > 0 && single_labels.saturating_mul(10) >= names.saturating_mul(9);
    if had_dots && has_words { found(Unaskable::Words) } else { None }
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
        assert_eq!(found(&code, None), Some(Unaskable::OneWord));
        assert_eq!(found(&addresses, None), Some(Unaskable::Addresses));
        assert_eq!(found("Not Found\n", Some(&names)), Some(Unaskable::Words));
        let page = "the server\ncould not\nverify that\nyou are\nauthorized to\n";
        assert_eq!(found(page, Some(&names)), Some(Unaskable::Words));
        assert_eq!(found(page, None), None, "nobody knows what it was");
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
