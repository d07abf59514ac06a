//! What a worker counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a query got the answer it got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// Records of the type asked.
    Answered,
    /// The name exists, the type does not.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// Not a zone of ours, or not a class we serve.
    Refused,
    /// The zone was never loaded, or has expired.
    ServFail,
    /// A malformed message.
    FormErr,
    /// A kind of query we do not implement.
    NotImp,
    /// An EDNS version we do not know.
    BadVers,
    /// A question about the server itself.
    Chaos,
    /// The answer did not fit and the client was told to use TCP.
    Truncated,
    /// An access list refuses the client or its key.
    Denied,
    /// An access list says not to answer the client or its key.
    Ignored,
    /// Not a query at all.
    Dropped,
}

impl Reason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Answered,
        Self::NoData,
        Self::NxDomain,
        Self::Refused,
        Self::ServFail,
        Self::FormErr,
        Self::NotImp,
        Self::BadVers,
        Self::Chaos,
        Self::Truncated,
        Self::Denied,
        Self::Ignored,
        Self::Dropped,
    ];
}

/// Counts of one worker by [`Reason`]. Only the worker writes them, anybody may read.
///
/// Aligned so that no two workers share a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counters {
    by_reason: [AtomicU64; Reason::ALL.len()],
}

impl Counters {
    /// The number of queries answered for this reason.
    pub fn get(&self, reason: Reason) -> u64 {
        self.by_reason[reason as usize].load(Ordering::Relaxed)
    }

    /// Load and store instead of an atomic add: there is a single writer, and the locked
    /// instruction would cost as much as the rest of the bookkeeping.
    pub(super) fn count(&self, reason: Reason) {
        let counter = &self.by_reason[reason as usize];
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}
