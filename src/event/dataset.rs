//! What happens to a dataset.

use crate::guard::Doubt;
use crate::source::Problem;
use std::time::Duration;

/// Data that was accepted, beside what was served before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Load {
    /// The number of entries.
    pub entries: u64,
    /// The number of files.
    pub files: usize,
    /// The number of entries that were served before, if anything was.
    pub before: Option<u64>,
    /// How long the files could not be used before, if they could not.
    pub failed_for: Option<Duration>,
    /// What is odd about the data.
    pub doubt: Option<Doubt>,
}

/// Files that cannot be served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What is wrong.
    pub problem: Problem,
    /// How long it has been so, if it was told before.
    pub told_for: Option<Duration>,
    /// What is served instead; `None` if nothing was ever loaded.
    pub served: Option<LastGood>,
}

/// Data that stays in service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastGood {
    /// The number of entries.
    pub entries: u64,
    /// How long ago it was accepted.
    pub age: Duration,
}

/// What zones use a dataset for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// What it lists is listed.
    Block,
    /// What it lists is not listed.
    Allow,
}
