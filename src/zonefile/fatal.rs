//! What makes a whole dataset unusable, and the refusal of a line.

use super::mistake::{Mistake, Special};
use crate::util::time::Utc;
use std::fmt;

/// Why a dataset cannot be used at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {cause}")]
pub struct Fatal {
    /// The file: the number of calls of `Parser::start_file` before its own.
    pub file: u16,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong.
    pub cause: FatalCause,
}

/// What makes a dataset unusable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FatalCause {
    /// `$TIMESTAMP` lies in the future; in seconds since 1970. The text does not tell how far away
    /// it is, which would make another fault of it with each look.
    #[error("the data is dated {} UTC, in the future: is the clock right?", date(*.0))]
    FutureTimestamp(u64),
    /// The distinct texts have more bytes, or the lines are more, than are counted.
    #[error("more than 4 GiB of texts, or more than 2147483648 entries, in one dataset")]
    TooLarge,
    /// The ranges of a type of prefixes are made of too many of them.
    #[error(
        "the ranges are made of {prefixes} prefixes, more than {0} for each: use the type ip4set",
        prefixes = .1
    )]
    ScatteredRanges(u64, u64),
    /// The TTL of a `generic` record.
    #[error("the TTL of the record is not a time: expected one like 300 or 5m")]
    RecordTtl,
    /// The name of a `generic` MX record, or what follows it.
    #[error("expected one domain name behind the preference of the MX record, and nothing else")]
    MailExchange,
    /// An entry of a `combined` file outside all sections.
    #[error(
        "there is no $DATASET line before this entry: each file of a combined one begins with it"
    )]
    NoSection,
    /// `$DATASET` with a type that is none, or `combined`.
    #[error(
        "unknown type of a section: expected $DATASET type[:name] subzone..., the type being {0}"
    )]
    SectionType(SectionTypes),
    /// A `combined` dataset has more sections than that.
    #[error("more than {0} $DATASET sections in one dataset: join those of one type")]
    ManySections(usize),
    /// A `combined` dataset has more subzones, counted for each section, than that.
    #[error("more than {0} subzones behind the words $DATASET of one dataset: make zones of some")]
    ManySubzones(usize),
    /// A subzone of a `combined` dataset has more sections than that.
    #[error("more than {0} $DATASET sections for one subzone: join those of one type")]
    ManySectionsOfSubzone(usize),
    /// A parenthesis of a policy zone that is not closed: all that follows it would be one record.
    #[error("the parenthesis at column {column} is not closed up to the end of the file")]
    OpenParenthesis {
        /// The byte of the line where it stands, from 1.
        column: u32,
    },
}

/// The types that a section of a `combined` file can have, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SectionTypes;

impl fmt::Display for SectionTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = super::Kind::section_names().collect();
        f.write_str(&names.join(", "))
    }
}

/// The date and the time of day of a time in seconds since 1970.
fn date(seconds: u64) -> String {
    let Utc { year, month, day, hour, minute, second } = Utc::from_unix(seconds.cast_signed());
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Why a line was not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refused {
    /// Only this line.
    Line(Mistake),
    /// And nothing else of the dataset either.
    Dataset(FatalCause),
}

impl From<Mistake> for Refused {
    fn from(reason: Mistake) -> Self {
        Self::Line(reason)
    }
}

impl From<Special> for Refused {
    fn from(special: Special) -> Self {
        Self::Line(Mistake::BadSpecial(special))
    }
}

impl From<FatalCause> for Refused {
    fn from(cause: FatalCause) -> Self {
        Self::Dataset(cause)
    }
}
