//! What was found in a file.

use super::quote::{Lines, Quote};
use crate::zonefile::{Format, Kind};
use std::fmt;

/// How a file is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListForm {
    /// The type of the dataset.
    pub kind: Kind,
    /// The form of the lines.
    pub format: Format,
    /// The column or the field that has the keys, where the form has several.
    pub column: Option<Box<str>>,
}

impl ListForm {
    /// A type in rbldnsd's own format.
    pub fn of(kind: Kind) -> Self {
        Self { kind, format: Format::Rbldnsd, column: None }
    }
}

impl fmt::Display for ListForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            Format::Rbldnsd => self.kind.fmt(f),
            format => write!(f, "{} in the format {format}", self.kind),
        }
    }
}

/// How bad something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Weight {
    /// A line or the file is not read, or lists what it must not.
    Error,
    /// It is read, and most likely not as it is meant, by this server or another one.
    Warning,
    /// It is read as it is meant, and could be shorter, or be known to other programs.
    Note,
}

impl Weight {
    /// The word for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lint {
    /// How bad it is.
    pub weight: Weight,
    /// The rule, a word for programs.
    pub rule: &'static str,
    /// The line, from 1; 0 for what is about the file as a whole.
    pub line: u32,
    /// The byte of the line, from 1.
    pub column: u32,
    /// What is wrong, and what to write.
    pub message: String,
    /// The line, if there is one.
    pub quote: Option<Quote>,
}

/// Of a rule, what is not shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotShown {
    /// How bad it is.
    pub weight: Weight,
    /// The rule.
    pub rule: &'static str,
    /// How many more there are.
    pub count: u64,
}

/// Everything that was found in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LintReport {
    /// How the file was read.
    pub form: ListForm,
    /// True if its content told that.
    pub is_guessed: bool,
    /// The number of entries.
    pub entries: u64,
    /// The number of errors, warnings and notes, shown or not.
    pub counts: [u64; 3],
    /// The first of each rule, by line.
    pub shown: Vec<Lint>,
    /// What is not among them, by rule.
    pub not_shown: Vec<NotShown>,
}

impl LintReport {
    /// True if there is an error or a warning.
    pub fn is_bad(&self) -> bool {
        self.counts[0] + self.counts[1] > 0
    }
}

/// Takes what is found, and keeps the first of each rule.
pub(super) struct Findings {
    /// The most of a rule that are kept.
    most: usize,
    shown: Vec<Lint>,
    /// How many there are of each rule, and how many of them are kept.
    rules: Vec<(Weight, &'static str, u64, usize)>,
}

impl Findings {
    pub(super) fn new(most: usize) -> Self {
        Self { most, shown: Vec::new(), rules: Vec::new() }
    }

    /// Adds what is found at a byte of a line, from 1; line 0 is the file as a whole.
    pub(super) fn add(
        &mut self,
        (weight, rule): (Weight, &'static str),
        (line, column): (u32, u32),
        message: impl FnOnce() -> String,
    ) {
        if self.count(weight, rule, 1) {
            let message = message();
            self.shown.push(Lint { weight, rule, line, column, message, quote: None });
        }
    }

    /// Adds some that are only counted.
    pub(super) fn add_count(&mut self, weight: Weight, rule: &'static str, count: u64) {
        let known = self.rule(weight, rule);
        known.2 += count;
    }

    /// Counts; `true` if one more may be kept.
    fn count(&mut self, weight: Weight, rule: &'static str, count: u64) -> bool {
        let most = self.most;
        let known = self.rule(weight, rule);
        known.2 += count;
        let is_kept = known.3 < most;
        known.3 += usize::from(is_kept);
        is_kept
    }

    fn rule(
        &mut self,
        weight: Weight,
        rule: &'static str,
    ) -> &mut (Weight, &'static str, u64, usize) {
        let at = self.rules.iter().position(|known| (known.0, known.1) == (weight, rule));
        let at = at.unwrap_or_else(|| {
            self.rules.push((weight, rule, 0, 0));
            self.rules.len() - 1
        });
        &mut self.rules[at]
    }

    pub(super) fn report(
        self,
        form: ListForm,
        is_guessed: bool,
        entries: u64,
        lines: &Lines<'_>,
    ) -> LintReport {
        let Self { mut shown, mut rules, .. } = self;
        shown.sort_by_key(|it| (it.line, it.column));
        for lint in &mut shown {
            lint.quote = lines.quote(lint.line, lint.column);
        }
        rules.sort_by_key(|&(weight, rule, ..)| (weight, rule));
        let mut counts = [0; 3];
        let mut not_shown = Vec::new();
        for (weight, rule, all, kept) in rules {
            counts[weight as usize] += all;
            let count = all - kept as u64;
            if count > 0 {
                not_shown.push(NotShown { weight, rule, count });
            }
        }
        LintReport { form, is_guessed, entries, counts, shown, not_shown }
    }
}
