//! How often clients may ask over UDP, where their addresses can be forged.

use ipnet::IpNet;
use std::net::IpAddr;

/// The units of time in a second.
pub(crate) const SECOND: u64 = 1 << 20;

/// So many prefixes of a client each have an allowance: more of them cost each query more.
pub(crate) const LENGTHS: usize = 3;

/// These prefixes, the longest first: their lengths, and how many times the allowance of a single address they
/// have.
pub(crate) const IP4_PREFIXES: [(u32, u64); LENGTHS] = [(32, 1), (24, 32), (18, 768)];

/// The same for IPv6.
pub(crate) const IP6_PREFIXES: [(u32, u64); LENGTHS] = [(128, 1), (64, 2), (48, 4)];

/// What one worker lets each prefix ask, as a leaky bucket (the generic cell rate algorithm of ATM): each
/// query costs time, and a prefix may be ahead of the clock by `tolerance`.
///
/// Clients with many ports are spread over all workers: each worker has its share of the rate.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// What a query costs each of [`IP4_PREFIXES`], in units of [`SECOND`].
    pub(crate) ip4_costs: [u64; LENGTHS],
    /// What a query costs each of [`IP6_PREFIXES`].
    pub(crate) ip6_costs: [u64; LENGTHS],
    /// How far a prefix may be ahead of the clock.
    pub(crate) tolerance: u64,
    /// Has queries beyond the limit counted, and answered all the same.
    pub(crate) is_dry_run: bool,
    exempt: Box<[IpNet]>,
}

impl RateLimit {
    /// A limit of `rate` queries a second for each address, and of `burst` at once, with that many workers.
    /// The prefixes in `exempt` have none.
    pub fn new(
        rate: u32,
        burst: u32,
        is_dry_run: bool,
        exempt: Vec<IpNet>,
        workers: usize,
    ) -> Self {
        let workers = workers.max(1) as u64;
        let cost = (SECOND * workers / u64::from(rate.max(1))).max(1);
        let costs =
            |prefixes: [(u32, u64); LENGTHS]| prefixes.map(|(_, times)| (cost / times).max(1));
        // One query always fits.
        let tolerance = cost * (u64::from(burst) / workers).max(1);
        let exempt = exempt.into();
        let (ip4_costs, ip6_costs) = (costs(IP4_PREFIXES), costs(IP6_PREFIXES));
        Self { ip4_costs, ip6_costs, tolerance, is_dry_run, exempt }
    }

    /// True if a client has no limit.
    pub(crate) fn exempts(&self, client: IpAddr) -> bool {
        self.exempt.iter().any(|prefix| prefix.contains(&client))
    }
}
