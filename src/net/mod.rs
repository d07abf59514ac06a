//! Sockets: UDP by threads of its own, TCP and TLS by tokio, all over one engine.
//!
//! ```text
//! listen -> udp (mmsg) -\
//!        -> tcp --------- desk -> engine::answer(Live's catalog)
//!        -> tls --------/
//! ```
//!
//! The query path shares nothing that is written per query: every UDP worker has its own socket,
//! buffers and [`crate::engine::WorkerState`], and reads the catalog through a cache of
//! [`live::Live`]. The counters in [`NetCounters`] move only when something is lost.

pub mod delay;
mod desk;
pub mod listen;
pub mod live;
mod mmsg;
pub mod tcp;
#[cfg(test)]
mod testing;
mod throttle;
pub mod tls;
pub mod udp;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::{Catalog, Outcome, Request, WorkerState};

/// What went wrong between the network and the engine since the start.
///
/// Shared by all workers: only rare events are counted here.
#[derive(Debug, Default)]
pub struct NetCounters {
    /// Datagrams not looked at: longer than the receive buffer, or from port 0.
    pub udp_unusable: AtomicU64,
    /// Replies the kernel did not take.
    pub udp_unsent: AtomicU64,
    /// Replies sent at once instead of later because too many were waiting.
    pub delay_overflow: AtomicU64,
    /// TCP connections closed at once because of a cap.
    pub tcp_refused: AtomicU64,
    /// Panics caught while a query was answered.
    pub panics: AtomicU64,
}

impl NetCounters {
    fn add(counter: &AtomicU64, count: u64) {
        if count > 0 {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// The function that answers: [`crate::engine::answer`], or a stand-in of the tests.
pub trait Answer:
    Fn(&Catalog, &mut WorkerState, &Request<'_>, &mut [u8]) -> Outcome + Clone + Send + Sync + 'static
{
}

impl<F> Answer for F where
    F: Fn(&Catalog, &mut WorkerState, &Request<'_>, &mut [u8]) -> Outcome
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The text a panic was raised with.
fn panic_message(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// Whom access rules and caps know a client as: IPv4 addresses never in their mapped form.
fn client_address(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
