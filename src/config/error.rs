//! Mistakes in a configuration: what is wrong, where, and what to do.

use std::fmt;
use std::ops::Range;

/// One mistake, or a warning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigDiagnostic {
    /// Line and column, counted from 1, the column in characters; `None` if there is no file.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// The remedy; may be empty.
    pub help: String,
}

impl ConfigDiagnostic {
    /// About the bytes `span` of `text`.
    pub(super) fn at(text: &str, span: Range<usize>, problem: Problem) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        Self { place: Some((line, column)), message: problem.message, help: problem.help }
    }

    /// About the whole.
    pub(super) fn general(problem: Problem) -> Self {
        Self { place: None, message: problem.message, help: problem.help }
    }
}

/// `LINE:COLUMN: MESSAGE`, and the help indented on a line of its own.
impl fmt::Display for ConfigDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}: ")?;
        }
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, "\n    help: {}", self.help)?;
        }
        Ok(())
    }
}

/// Why a configuration cannot be used: all mistakes found, at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Errors {
    /// The file, or "command line".
    pub origin: String,
    /// The mistakes in the order of the file.
    pub list: Vec<ConfigDiagnostic>,
}

impl Errors {
    /// A single mistake without a place.
    pub(super) fn one(origin: impl Into<String>, problem: Problem) -> Self {
        Self { origin: origin.into(), list: vec![ConfigDiagnostic::general(problem)] }
    }
}

/// One mistake after the other, each led by the origin.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.list.iter().enumerate() {
            let separator = if diagnostic.place.is_some() { ":" } else { ": " };
            let newline = if i > 0 { "\n" } else { "" };
            write!(f, "{newline}{}{separator}{diagnostic}", self.origin)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// A mistake and its remedy, before its place is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) help: String,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }

    /// Names the key in front of the message.
    pub(super) fn of(mut self, key: &str) -> Self {
        self.message = format!("{key}: {}", self.message);
        self
    }
}

/// The most allowed words that a message lists.
const LISTED: usize = 50;

/// "did you mean" if the word is much like an allowed one, else the allowed words if they are few.
pub(super) fn suggest(word: &str, allowed: &[&str]) -> String {
    let close = allowed
        .iter()
        .map(|&candidate| (distance(word, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= 1 + candidate.len() / 4)
        .min();
    match (close, allowed) {
        (Some((_, candidate)), _) => format!("did you mean {candidate:?}?"),
        (None, all) if all.is_empty() || all.len() > LISTED => String::new(),
        (None, _) => format!("allowed here: {}", allowed.join(", ")),
    }
}

/// The least number of insertions, deletions and replacements that make `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("listn", "listen"), 1);
    }

    #[test]
    fn a_word_far_from_all_gets_the_list() {
        assert_eq!(suggest("listn", &["listen", "workers"]), "did you mean \"listen\"?");
        assert_eq!(suggest("colour", &["listen", "workers"]), "allowed here: listen, workers");
        assert_eq!(suggest("colour", &[]), "");
    }

    #[test]
    fn place_counts_characters_from_one() {
        let problem = Problem::new("m", "");
        assert_eq!(ConfigDiagnostic::at("ab\ncd", 4..5, problem.clone()).place, Some((2, 2)));
        assert_eq!(ConfigDiagnostic::at("", 0..0, problem.clone()).place, Some((1, 1)));
        assert_eq!(ConfigDiagnostic::at("# \u{fc}\u{fc}x", 6..7, problem).place, Some((1, 5)));
    }
}
