//! Who may have a zone whole.

use crate::wire::name::NameBuf;
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};

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

/// What a secondary gets of a zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferKind {
    /// All of it (AXFR).
    Whole,
    /// What has changed (IXFR).
    Changes,
}

impl TransferKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Whole, Self::Changes];

    /// The mnemonic of the query that asks for it, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "axfr",
            Self::Changes => "ixfr",
        }
    }
}

/// Transfers of one kind, and what secondaries have taken by them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TransferFigures {
    /// Those that were sent to the end.
    pub sent: u64,
    /// Those whose secondary went away or was too slow.
    pub unfinished: u64,
    /// Those that were refused.
    pub refused: u64,
    /// The records that secondaries have taken, of whichever of these.
    pub records: u64,
    /// The bytes of their messages.
    pub bytes: u64,
}

impl AddAssign for TransferFigures {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.unfinished += other.unfinished;
        self.refused += other.refused;
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

/// The transfers of a zone since the start. Clones count into the same place, so that counts outlive the catalogs they
/// were made with.
#[derive(Clone, Debug, Default)]
pub struct TransferCounts(Arc<Mutex<[TransferFigures; TransferKind::ALL.len()]>>);

impl TransferCounts {
    /// Counts what came of a transfer.
    pub fn count(&self, kind: TransferKind, figures: TransferFigures) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[kind as usize] += figures;
    }

    /// What was counted of each kind by now.
    pub fn figures(&self) -> [(TransferKind, TransferFigures); TransferKind::ALL.len()] {
        let figures = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        TransferKind::ALL.map(|kind| (kind, figures[kind as usize]))
    }
}
