//! How much clients may ask.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// How often a client may ask over UDP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// The queries a second of each address; 0 for no limit.
    pub queries_per_second: u32,
    /// The queries that it may ask at once after it has asked none.
    pub burst: u32,
    /// Counts queries beyond the limit alone.
    pub dry_run: bool,
    /// The prefixes without a limit.
    pub exempt: Vec<IpNet>,
}

impl RateLimit {
    /// The burst for that many queries a second.
    pub(super) fn usual_burst(queries_per_second: u32) -> u32 {
        queries_per_second.saturating_mul(2)
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        let exempt = vec![
            Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
            Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into(),
        ];
        Self { queries_per_second: 0, burst: 0, dry_run: false, exempt }
    }
}

/// `off`, or `50 queries a second, 100 at once, none for 127.0.0.0/8, in a dry run`.
impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queries_per_second, burst, dry_run, exempt } = self;
        if *queries_per_second == 0 {
            return f.write_str("off");
        }
        write!(f, "{queries_per_second} queries a second, {burst} at once")?;
        let exempt: Vec<_> = exempt.iter().map(ToString::to_string).collect();
        if !exempt.is_empty() {
            write!(f, ", none for {}", exempt.join(" "))?;
        }
        f.write_str(if *dry_run { ", in a dry run" } else { "" })
    }
}
