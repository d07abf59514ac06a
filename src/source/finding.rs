//! What a rule of the guard finds wrong with data as a whole. The rules are in `guard`.

use crate::util::text::counted;
use std::fmt;
use std::net::Ipv4Addr;

/// The most lines or ranges that a finding shows.
pub const MAX_SHOWN: usize = 5;

/// A rule that data breaks, with its figures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// It has far fewer entries than before.
    Shrank {
        /// The entries.
        entries: u64,
        /// Those of the last accepted load.
        before: u64,
    },
    /// It lists far more than before.
    Grew {
        /// What is counted.
        measure: Measure,
        /// How much of it is listed.
        listed: u128,
        /// How much the last accepted load listed.
        before: u128,
    },
    /// It lists what must never be listed.
    Sentinel {
        /// The address, prefix or name.
        sentinel: String,
        /// What it is, for a sentinel that nobody has configured.
        known_as: Option<&'static str>,
    },
    /// It has far more bad lines than before.
    BadLines {
        /// The lines that could not be used.
        bad: u64,
        /// The entries.
        entries: u64,
        /// The lines of the last accepted load that could not be used.
        before: u64,
    },
    /// The entry that every list should have (RFC 5782 section 5) was there and is not any more.
    TestEntryVanished {
        /// The entry.
        entry: String,
    },
    /// It is a list of names of which none can be asked for.
    NothingValid {
        /// What the names are instead.
        what: Unaskable,
        /// The lines that look like entries.
        lines: u64,
        /// The names in them, each once.
        names: u64,
    },
    /// It is older than before by its own account.
    Backwards {
        /// What tells its age.
        mark: Mark,
        /// What it says.
        now: u64,
        /// What it said in the last accepted load.
        before: u64,
    },
    /// It allows everything, or much of it, by a value that means that questions are refused.
    AbuseCode {
        /// The value.
        value: Ipv4Addr,
        /// The addresses that have it.
        addresses: u128,
    },
    /// It has another number of entries than it says.
    CountDiffers {
        /// The number that it says.
        stated: u64,
        /// The number of lines that it has, good or bad.
        found: u64,
    },
    /// It does not say how many entries it has, and did before.
    CountMissing {
        /// The number that it said before.
        before: u64,
    },
}

/// What stands where names should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unaskable {
    /// IPv4 addresses.
    Addresses,
    /// One word, or a few, at the beginning of many lines.
    OneWord,
    /// Words without a dot, where names with dots were.
    Words,
}

/// What growth is counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    /// IPv4 addresses.
    Addresses4,
    /// IPv6 networks of /64.
    Networks6,
    /// Entries of a list of names.
    Entries,
}

/// What tells the age of data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// The serial of the SOA record.
    Serial,
    /// `$TIMESTAMP`, or the timestamp of JSON lines, in seconds since 1970.
    Timestamp,
}

impl Finding {
    /// The name of the rule.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Shrank { .. } => "shrank",
            Self::Grew { .. } => "grew",
            Self::Sentinel { .. } => "sentinel",
            Self::BadLines { .. } => "bad-lines",
            Self::TestEntryVanished { .. } => "test-entry-vanished",
            Self::NothingValid { .. } => "nothing-valid",
            Self::Backwards { .. } => "backwards",
            Self::AbuseCode { .. } => "abuse-code",
            Self::CountDiffers { .. } | Self::CountMissing { .. } => "count-differs",
        }
    }

    /// The setting that says what is meant.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Shrank { .. } => "shrink",
            Self::Grew { .. } => "grow",
            Self::Sentinel { .. } => "sentinels",
            Self::BadLines { .. } => "bad-lines",
            _ => "off",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shrank { entries, before } => {
                write!(f, "has {}, and had {before} before", counted(*entries, "entry", "entries"))
            }
            Self::Grew { measure, listed, before } => {
                write!(f, "lists {listed} {measure}, and listed {before} before")
            }
            Self::Sentinel { sentinel, known_as: Some(what) } => {
                write!(f, "lists {sentinel} ({what}), which must never be listed")
            }
            Self::Sentinel { sentinel, known_as: None } => {
                write!(f, "lists the sentinel {sentinel}, which must never be listed")
            }
            Self::BadLines { bad, entries, before } => {
                let bad = counted(*bad, "bad line", "bad lines");
                let entries = counted(*entries, "entry", "entries");
                write!(f, "has {bad} beside {entries}, and had {before} bad ones before")
            }
            Self::TestEntryVanished { entry } => {
                write!(f, "has lost the test entry {entry} that it had before (RFC 5782 section 5)")
            }
            Self::NothingValid { what, lines, names } => {
                let lines = counted(*lines, "line", "lines");
                let keys = counted(*names, "key", "keys");
                write!(f, "has no name that can be asked for: {lines} with {keys}, {what}")
            }
            Self::Backwards { mark, now, before } => {
                write!(f, "is older than what is served: its {mark} is {now}, and was {before}")
            }
            Self::AbuseCode { value, addresses } => write!(
                f,
                "allows {addresses} addresses by {value}, which operators give to those whose \
                 questions they refuse"
            ),
            Self::CountDiffers { stated, found } => {
                let found = counted(*found, "record", "records");
                write!(f, "has {found}, and says that it has {stated}")
            }
            Self::CountMissing { before } => {
                write!(
                    f,
                    "does not say how many records it has, and said {before} before: its end may be missing"
                )
            }
        }
    }
}

impl fmt::Display for Unaskable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Addresses => {
                "which are addresses (for these, set type = \"ip4set\" or \"mixed\")"
            }
            Self::OneWord => "as settings or code have them",
            Self::Words => "which are single words where there were names with dots, or addresses",
        })
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Addresses4 => "IPv4 addresses",
            Self::Networks6 => "IPv6 networks of /64",
            Self::Entries => "entries",
        })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Serial => "serial",
            Self::Timestamp => "timestamp",
        })
    }
}
