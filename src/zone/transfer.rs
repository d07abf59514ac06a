//! Who may have a zone whole.

use crate::wire::name::NameBuf;
use ipnet::IpNet;
use std::net::IpAddr;

/// Which secondaries may transfer a zone (RFC 5936), and how large it may be then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferAccess {
    /// The prefixes of the secondaries.
    pub prefixes: Vec<IpNet>,
    /// The names of the keys that secondaries may sign by, in lower case.
    pub keys: Vec<NameBuf>,
    /// The most records of a transfer: one of more is refused.
    pub max_records: u64,
}

impl TransferAccess {
    /// A million entries with a text each, and room for the borders of ranges.
    pub const MAX_RECORDS: u64 = 5_000_000;

    /// True if nobody may have the zone.
    pub fn is_off(&self) -> bool {
        self.prefixes.is_empty() && self.keys.is_empty()
    }

    /// True if a client of this address, who has proved that it has this key, may have the zone.
    pub fn admits(&self, client: IpAddr, key: Option<&NameBuf>) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(&client))
            || key.is_some_and(|key| self.keys.contains(key))
    }
}

impl Default for TransferAccess {
    fn default() -> Self {
        Self { prefixes: Vec::new(), keys: Vec::new(), max_records: Self::MAX_RECORDS }
    }
}
