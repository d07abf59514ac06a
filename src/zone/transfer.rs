//! Who may have a zone whole.

use ipnet::IpNet;
use std::net::IpAddr;

/// Which secondaries may transfer a zone (RFC 5936), and how large it may be then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferAccess {
    /// The prefixes of the secondaries; without any, nobody may.
    pub prefixes: Vec<IpNet>,
    /// The most records of a transfer: one of more is refused.
    pub max_records: u64,
}

impl TransferAccess {
    /// A million entries with a text each, and room for the borders of ranges.
    pub const MAX_RECORDS: u64 = 5_000_000;

    /// True if nobody may have the zone.
    pub fn is_off(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// True if a client of this address may have the zone.
    pub fn admits(&self, client: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(&client))
    }
}

impl Default for TransferAccess {
    fn default() -> Self {
        Self { prefixes: Vec::new(), max_records: Self::MAX_RECORDS }
    }
}
