//! How much clients may ask.

use crate::util::text::age;
use crate::wire::name::NameBuf;
use crate::zone::QuotaSubject;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

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

/// The addresses of this machine for itself.
pub(super) fn this_machine() -> Vec<IpNet> {
    vec![
        Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
        Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into(),
    ]
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { queries_per_second: 0, burst: 0, dry_run: false, exempt: this_machine() }
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

/// How much may be asked in a period.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quota {
    /// The name in the metrics.
    pub name: String,
    /// What it is counted for.
    pub subject: QuotaSubject,
    /// The queries in each period.
    pub queries: u32,
    /// The length of a period: whole seconds, at least one.
    pub period: Duration,
    /// What is answered beyond it.
    pub answer: QuotaAnswer,
    /// The zones, in lower case; none for all.
    pub zones: Vec<NameBuf>,
    /// The prefixes of clients that are not counted.
    pub exempt: Vec<IpNet>,
}

/// What is answered beyond a quota.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum QuotaAnswer {
    /// REFUSED.
    #[default]
    Refuse,
    /// Nothing is listed.
    Empty,
    /// Nothing at all.
    Ignore,
    /// All keys of the lists are listed, with this value and template of the TXT record.
    Listed(Ipv4Addr, String),
}

/// `free: 100000 queries in 24 h by client`.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, subject, queries, period, .. } = self;
        let by = match subject {
            QuotaSubject::Client { ip4, ip6 } => format!("client (/{ip4}, /{ip6})"),
            QuotaSubject::Key => "key".to_owned(),
            QuotaSubject::Zone => "zone".to_owned(),
        };
        write!(f, "{name}: {queries} queries in {} by {by}", age(*period))
    }
}
