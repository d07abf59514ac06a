//! The figures that the guard compares a dataset with: `[guard]`, and `guard = { ... }` of a dataset.

use crate::wire::name::NameBuf;
use ipnet::IpNet;
use std::fmt;
use std::sync::Arc;

/// What data must keep to. Which rules hold at all is the [policy](super::Policy) of the dataset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Guard {
    /// The least that a feed may shrink to: this share of the entries it had.
    pub shrink: Ratio,
    /// The most that a feed may grow to: so many times what it listed.
    pub grow: Ratio,
    /// The largest share of bad lines among the lines of a feed.
    pub bad_lines: Ratio,
    /// What must never be listed.
    pub sentinels: Arc<[Sentinel]>,
}

impl Default for Guard {
    /// One half, four times, a tenth, and no sentinels beside those that are built in.
    fn default() -> Self {
        Self {
            shrink: Ratio::new(0.5),
            grow: Ratio::new(4.0),
            bad_lines: Ratio::new(0.1),
            sentinels: Arc::default(),
        }
    }
}

/// A share or a multiple, in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ratio(u32);

impl Ratio {
    /// The ratio that is nearest to a number from 0 to 1,000,000.
    pub fn new(number: f64) -> Self {
        Self((number.clamp(0.0, 1e6) * 1000.0).round() as u32)
    }

    /// This share or multiple of a number, rounded up.
    pub fn of(self, number: u128) -> u128 {
        number.saturating_mul(self.0.into()).div_ceil(1000)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f64::from(self.0) / 1000.0).fmt(f)
    }
}

/// Something that must never be listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sentinel {
    /// No address of it.
    Prefix(IpNet),
    /// This name, in lower case.
    Name(Box<NameBuf>),
}

impl fmt::Display for Sentinel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) if prefix.prefix_len() == prefix.max_prefix_len() => {
                prefix.addr().fmt(f)
            }
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}
