//! What happens to a dataset.

use crate::config::WatchSubject;
use crate::guard::Doubt;
use crate::source::Problem;
use crate::util::text::age;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
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

/// What became of a network or a domain that is watched, in one dataset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchedChange {
    /// What is watched.
    pub subject: WatchSubject,
    /// What people call it.
    pub label: String,
    /// The dataset.
    pub dataset: String,
    /// The zones that list what the dataset lists.
    pub zones: Vec<String>,
    /// The first addresses, prefixes, ranges or names of it that this has become of, in their order.
    pub keys: Vec<String>,
    /// How many there are.
    pub total: u64,
    /// The line that lists, or listed, the first of them, as far as that is known.
    pub line: Option<ListingLine>,
}

/// A line of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListingLine {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// The line itself; a long one is cut.
    pub text: String,
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
    /// It is older than the settings allow: zones do with it as they say.
    pub is_overdue: bool,
}

/// Data that is older than a limit allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overdue {
    /// What is overdue.
    pub what: Renewal,
    /// The limit that was passed.
    pub limit: Duration,
    /// True if the settings say so: the dataset is out of policy then. False for the default, which is an
    /// alarm and changes nothing.
    pub is_by_setting: bool,
}

impl Overdue {
    /// What has not happened for how long, and the setting that says so.
    pub fn cause(&self) -> String {
        let what = match self.what {
            Renewal::Change => "its files have not changed",
            Renewal::GoodFiles => "its files have been wrong or gone",
        };
        let by = if self.is_by_setting { format!(" ({})", self.setting()) } else { String::new() };
        format!("{what} for more than {}{by}", age(self.limit))
    }

    /// What to do about it.
    pub fn remedy(&self) -> String {
        let remedy = match self.what {
            Renewal::Change => {
                "see whether the mirror still fetches it and its publisher still makes it"
            }
            Renewal::GoodFiles => "see what was said of its files",
        };
        match self.is_by_setting {
            true => remedy.to_owned(),
            false => format!("{remedy}, or set {} at the dataset", self.setting()),
        }
    }

    fn setting(&self) -> &'static str {
        match self.what {
            Renewal::Change => "max-age",
            Renewal::GoodFiles => "keep-bad-for",
        }
    }
}

/// What data waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Renewal {
    /// A change of its files: whoever makes or fetches the list may have stopped.
    Change,
    /// Files that can be served, in place of those that are wrong or gone.
    GoodFiles,
}

/// What zones use a dataset for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// What it lists is listed.
    Block,
    /// What it lists is not listed.
    Allow,
}
