//! How the files of a dataset are read.

use super::{Format, HashForm};
use std::net::Ipv4Addr;

/// How lines are read that rbldnsd reads in a way that nobody means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// As they are meant, or not at all, with a warning.
    Native,
    /// As rbldnsd does.
    Rbldnsd,
}

/// How to read the files of a dataset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// How lines are read that rbldnsd reads in a way that nobody means.
    pub dialect: Dialect,
    /// The dataset shares a zone with IPv4 datasets, which are asked for v4-mapped addresses, and for
    /// names of four octets: such entries are told.
    pub is_beside_ip4: bool,
    /// Ignore bits below the length of a prefix instead of refusing the line (rbldnsd's `-e`).
    pub accept_host_bits: bool,
    /// The TTL where the files give none, in seconds (rbldnsd's `-t`).
    pub default_ttl: u32,
    /// Raise TTLs of the files to this, in seconds; 0 for no bound.
    pub min_ttl: u32,
    /// Lower TTLs of the files to this, in seconds; 0 for no bound.
    pub max_ttl: u32,
    /// The time, in seconds since 1970; data from later than this is refused.
    pub now: u64,
    /// Refuse lines with an A value outside 127.0.0.0/8.
    pub loopback_only: bool,
    /// The A value of entries without one, in place of that of every default line.
    pub default_a: Option<Ipv4Addr>,
    /// The TXT template of entries without one, in place of that of every default line.
    pub default_text: Option<Box<[u8]>>,
    /// The form of the lines.
    pub format: Format,
    /// The column or the field that has the keys, where the format has several.
    pub column: Option<Box<str>>,
    /// How the hashes of a `hashset` are written; what it leaves open, the first entry tells.
    pub hash: HashForm,
    /// How many threads may work at the end, where they help.
    pub threads: usize,
}

/// rbldnsd's default TTL of 35 minutes, no bounds, no clock, A values in 127.0.0.0/8 only, one
/// thread.
impl Default for Options {
    fn default() -> Self {
        Self {
            dialect: Dialect::Native,
            is_beside_ip4: false,
            accept_host_bits: false,
            default_ttl: 35 * 60,
            min_ttl: 0,
            max_ttl: 0,
            now: u64::MAX,
            loopback_only: true,
            default_a: None,
            default_text: None,
            format: Format::Rbldnsd,
            column: None,
            hash: HashForm::default(),
            threads: 1,
        }
    }
}
