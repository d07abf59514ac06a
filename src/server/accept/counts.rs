//! What is counted of connections.

use crate::status::{ConnectionStatus, Protocol};
use std::sync::atomic::{AtomicU64, Ordering};

/// Connections of one transport, as they were counted until some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConnectionCounts {
    /// Those that are open.
    pub open: usize,
    /// Those that were accepted since the start.
    pub accepted: u64,
    /// Those that the server has ended since the start, by reason: see [`Closed`].
    pub closed: [u64; Closed::ALL.len()],
    /// How often the system gave no connection to a listener.
    pub failed: u64,
    /// How many may be open, of all transports that share the places.
    pub limit: usize,
}

impl ConnectionCounts {
    /// How many the server has ended for a reason since the start.
    pub fn closed(&self, reason: Closed) -> u64 {
        self.closed[reason as usize]
    }

    /// How many have given way to others since the start, because there was no room for both.
    pub fn gave_way(&self) -> u64 {
        let reasons = [Closed::Client, Closed::Full, Closed::Pressure, Closed::Descriptors];
        reasons.into_iter().map(|reason| self.closed(reason)).sum()
    }

    /// As the status has them.
    pub fn status(&self, protocol: Protocol) -> ConnectionStatus {
        let gave_way = self.gave_way();
        ConnectionStatus { protocol, open: self.open as u64, limit: self.limit as u64, gave_way }
    }
}

/// Why the server, and not the client, has ended a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// The client opened another one, and had as many as one client may have: the idlest of them.
    Client,
    /// Another client came, and all places were taken: the idlest of all.
    Full,
    /// It was idle for longer than is allowed when many places are taken.
    Pressure,
    /// The descriptors left are kept for files: the idlest of all, or the new one if there was no other.
    Descriptors,
    /// The TLS handshake failed, or did not end in time.
    Handshake,
    /// No whole query came in time after it was opened.
    FirstQuery,
    /// No whole query came for the idle timeout.
    Idle,
    /// The client did not take its answers in time.
    Unread,
    /// What came is no query.
    Malformed,
    /// It sent more than what can be kept of it (over HTTPS).
    Volume,
    /// It is of a proxy, and did not begin with the header that says whom it is for.
    ProxyHeader,
}

impl Closed {
    /// All reasons.
    pub const ALL: [Self; 11] = [
        Self::Client,
        Self::Full,
        Self::Pressure,
        Self::Descriptors,
        Self::Handshake,
        Self::FirstQuery,
        Self::Idle,
        Self::Unread,
        Self::Malformed,
        Self::Volume,
        Self::ProxyHeader,
    ];

    /// The word of the metrics and the status.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client-cap",
            Self::Full => "full",
            Self::Pressure => "pressure",
            Self::Descriptors => "descriptors",
            Self::Handshake => "handshake",
            Self::FirstQuery => "first-query",
            Self::Idle => "idle",
            Self::Unread => "unread",
            Self::Malformed => "malformed",
            Self::Volume => "volume",
            Self::ProxyHeader => "proxy-header",
        }
    }
}

/// The counters of one transport.
#[derive(Debug, Default)]
pub(in crate::server) struct Tally {
    open: AtomicU64,
    accepted: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
    failed: AtomicU64,
}

impl Tally {
    pub(super) fn opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn gone(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a connection that the server ends.
    pub(in crate::server) fn closed(&self, reason: Closed) {
        self.closed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted until now.
    pub(super) fn counts(&self, limit: usize) -> ConnectionCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ConnectionCounts {
            open: usize::try_from(of(&self.open)).unwrap_or(usize::MAX),
            accepted: of(&self.accepted),
            closed: std::array::from_fn(|reason| of(&self.closed[reason])),
            failed: of(&self.failed),
            limit,
        }
    }
}
