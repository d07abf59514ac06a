//! A stand-in for the listing of domain names: it only keeps the entries.

use super::{AnswerId, Answers, AnswersBuilder, ValueId};

/// Which names an entry speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The name alone.
    Itself,
    /// The names below it.
    Below,
    /// The name and the names below it.
    Both,
}

/// Collects the entries of a `dnset` dataset.
#[derive(Clone, Debug, Default)]
pub struct NamesBuilder {
    entries: Vec<(Box<[u8]>, Scope, Option<ValueId>)>,
}

impl NamesBuilder {
    /// Lists a name, in lower-case wire form, with a value, or excludes it.
    pub fn add(&mut self, name_wire_lowercase: &[u8], scope: Scope, value: Option<ValueId>) {
        self.entries.push((name_wire_lowercase.into(), scope, value));
    }

    /// Decides what every name gives.
    pub fn finish(self, mut answers: AnswersBuilder) -> (NameTree, Answers) {
        let entries: Vec<_> = self
            .entries
            .into_iter()
            .map(|(name, scope, value)| {
                (name, scope, value.map_or(AnswerId::NONE, |value| answers.answer(&[value], None)))
            })
            .collect();
        let (answers, numbers) = answers.finish(entries.iter().map(|entry| entry.2));
        let entries = entries
            .into_iter()
            .map(|(name, scope, answer)| (name, scope, numbers[answer.0 as usize]))
            .collect();
        (NameTree { entries }, answers)
    }
}

/// The names of a dataset.
#[derive(Clone, Debug)]
pub struct NameTree {
    /// The entries in the order of the file.
    pub entries: Vec<(Box<[u8]>, Scope, AnswerId)>,
}
