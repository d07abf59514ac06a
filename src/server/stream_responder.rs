//! Where the stream transports (TCP, TLS) have their queries answered.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::shared_catalog::SharedCatalog;
use super::{AnswerFn, client_address};
use crate::engine::{Outcome, Request, Transport, WorkerState};
use crate::stats::dnstap::Ends;
use crate::stats::top::TopSampler;
use crate::stats::{Recorder, Sampler};
use crate::transfer::{Transfer, Transfers};
use crate::util::time::unix_time;

/// The longest message of a stream transport (RFC 1035, 4.2.2).
const MAX_MESSAGE: usize = 65_535;

/// One worker state and one large answer buffer, shared by the connections of a listener.
///
/// Both are locked only while the engine works, for microseconds; connections own no more than
/// the bytes of their answers.
pub(super) struct StreamResponder<A> {
    catalog: Arc<SharedCatalog>,
    transport: Transport,
    /// `None` where a zone is not sent: an answer is one message there.
    transfers: Option<Transfers>,
    answer: A,
    recorder: Recorder,
    /// The address of the listener.
    address: SocketAddr,
    inner: Mutex<Inner>,
}

/// What to do with the bytes appended.
pub(super) enum Reply {
    Now,
    After(Duration),
    /// Send nothing: no bytes were appended.
    Nothing,
    /// Send these messages: no bytes were appended.
    Transfer(Box<Transfer>),
}

struct Inner {
    state: WorkerState,
    sampler: Sampler,
    tops: TopSampler,
    buffer: Box<[u8]>,
}

impl<A: AnswerFn> StreamResponder<A> {
    pub(super) fn new(
        catalog: Arc<SharedCatalog>,
        transport: Transport,
        recorder: Recorder,
        address: SocketAddr,
        answer: A,
    ) -> Self {
        let buffer = vec![0; MAX_MESSAGE].into_boxed_slice();
        let (state, tops) = (recorder.state(), recorder.top_sampler());
        let inner = Mutex::new(Inner { state, sampler: Sampler::default(), tops, buffer });
        Self { catalog, transport, transfers: None, answer, recorder, address, inner }
    }

    /// The same, but who may have a zone whole gets it.
    pub(super) fn with_transfers(self, transfers: Transfers) -> Self {
        Self { transfers: Some(transfers), ..self }
    }

    /// Answers one query; `take` gets the answer's bytes.
    pub(super) fn answer(&self, query: &[u8], peer: SocketAddr, take: impl FnOnce(&[u8])) -> Reply {
        let client = client_address(peer.ip());
        let transport = self.transport;
        let request = Request { query, client, transport, now: unix_time() };
        let catalog = self.catalog.load();
        let transfer = self.transfers.as_ref().and_then(|all| all.answer(&catalog, &request));
        if let Some(transfer) = transfer {
            return Reply::Transfer(Box::new(transfer));
        }
        // A panic of the engine costs its connection; the state is still a valid value.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { state, sampler, tops, buffer } = &mut *inner;
        let start = sampler.pick(1).map(|_| Instant::now());
        let outcome = (self.answer)(&catalog, state, &request, buffer);
        if let Some(start) = start {
            self.recorder.took(start.elapsed());
        }
        if tops.pick(1, request.now).is_some() {
            tops.take(&catalog, &request, buffer);
        }
        self.recorder.log(&catalog, &request, outcome, buffer, || Ends {
            client: (client, peer.port()).into(),
            server: self.address,
        });
        let (len, reply) = match outcome {
            Outcome::Respond(len) => (len, Reply::Now),
            Outcome::RespondAfter(len, wait) => (len, Reply::After(wait)),
            Outcome::Drop => return Reply::Nothing,
        };
        take(&buffer[..len.min(MAX_MESSAGE)]);
        reply
    }

    /// Logs a query for a zone by the first message of its transfer.
    pub(super) fn log_transfer(&self, query: &[u8], peer: SocketAddr, first: &[u8]) {
        let client = client_address(peer.ip());
        let request = Request { query, client, transport: self.transport, now: unix_time() };
        let outcome = Outcome::Respond(first.len());
        self.recorder.log(&self.catalog.load(), &request, outcome, first, || Ends {
            client: (client, peer.port()).into(),
            server: self.address,
        });
    }
}
