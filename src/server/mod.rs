//! Sockets: UDP by threads of its own, TCP and TLS by tokio, all over one engine; UDP past the kernel's stack; HTTP for
//! those who watch.
//!
//! ```text
//! listen -> udp (mmsg) -------------------------> engine::answer(the shared catalog)
//!        -> accept (places) -> tcp -> stream --\
//!                           -> tls -> stream ---> stream_responder -> engine::answer(the shared catalog)
//!                           -> https (hickory-server) --^
//!                           -> http (metrics, health: what the control loop tells)
//! device -> xdp -------------------------------> engine::answer(the shared catalog)
//! ```
//!
//! The query path shares nothing that is written per query: every UDP worker has its own socket,
//! buffers and [`crate::engine::WorkerState`], and reads the catalog through a cache of
//! [`shared_catalog::SharedCatalog`]. The counters in [`ServerCounters`] move only when something is lost.

pub mod accept;
pub mod certificate;
pub mod delay;
pub mod http;
pub mod https;
pub mod inherited;
pub mod listen;
mod mmsg;
mod proxies;
pub mod shared_catalog;
pub mod stream;
mod stream_responder;
pub mod tcp;
#[cfg(test)]
mod testing;
mod throttle;
pub mod tls;
pub mod udp;
mod x509;
pub mod xdp;

pub use accept::ConnectionCounts;

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::engine::{Catalog, Outcome, Request, Transport, WorkerState};
use crate::event::{Event, EventSink};
use crate::transfer::Transfers;
use crate::util::threads::panic_message;
use shared_catalog::SharedCatalog;
use throttle::Throttle;
pub use x509::CertificateFacts;

/// What a worker waits after a panic or an unexpected error, so as never to spin.
const PAUSE: Duration = Duration::from_millis(10);

/// What went wrong between the network and the engine since the start.
///
/// Shared by all workers: only rare events are counted here.
#[derive(Debug, Default)]
pub struct ServerCounters {
    /// Datagrams not looked at: longer than the receive buffer, or from port 0.
    pub udp_unusable: AtomicU64,
    /// Datagrams of a proxy that do not say whom they are for.
    pub udp_unproxied: AtomicU64,
    /// Replies the kernel did not take.
    pub udp_unsent: AtomicU64,
    /// Replies sent at once instead of later because too many were waiting.
    pub delay_overflow: AtomicU64,
    /// Panics caught while a query was answered.
    pub panics: AtomicU64,
}

impl ServerCounters {
    fn add(counter: &AtomicU64, count: u64) {
        if count > 0 {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// What all listeners share.
#[derive(Clone)]
pub struct Context {
    /// What is served.
    pub catalog: Arc<SharedCatalog>,
    /// What goes wrong.
    pub counters: Arc<ServerCounters>,
    /// Takes what is worth telling.
    pub sink: Arc<dyn EventSink>,
    /// Holds back the news that a proxy sends no headers.
    unproxied: Arc<Mutex<Throttle>>,
    /// Zones for secondaries.
    pub transfers: Transfers,
}

impl Context {
    /// With counters at zero.
    pub fn new(catalog: Arc<SharedCatalog>, sink: Arc<dyn EventSink>) -> Self {
        let transfers = Transfers::new(Arc::clone(&sink));
        Self { catalog, counters: Arc::default(), sink, unproxied: Arc::default(), transfers }
    }

    /// Runs a worker of an address over UDP until it ends. A panic is counted and told, and costs one query: the
    /// worker goes on after `renew`.
    fn run_worker<W>(
        &self,
        address: SocketAddr,
        worker: &mut W,
        run: impl Fn(&mut W),
        renew: impl Fn(&mut W),
    ) {
        let mut panics = Throttle::default();
        while let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(worker))) {
            ServerCounters::add(&self.counters.panics, 1);
            if let Some(suppressed) = panics.pass() {
                let (transport, panic) = (Transport::Udp, panic_message(&*panic).to_owned());
                self.sink.emit(&Event::AnswerPanicked { transport, address, panic, suppressed });
            }
            renew(worker);
            thread::sleep(PAUSE);
        }
    }
}

/// The function that answers: [`crate::engine::answer`], or a stand-in of the tests.
pub trait AnswerFn:
    Fn(&Catalog, &mut WorkerState, &Request<'_>, &mut [u8]) -> Outcome + Clone + Send + Sync + 'static
{
}

impl<F> AnswerFn for F where
    F: Fn(&Catalog, &mut WorkerState, &Request<'_>, &mut [u8]) -> Outcome
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Whom access rules and caps know a client as: IPv4 addresses never in their mapped form.
fn client_address(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
