//! DNS over plain TCP (RFC 7766).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::accept::{Accepted, ConnectionCounts, Front, PanicReport, StreamServer};
use super::proxies::take_header;
use super::stream::{Connection, StreamLimits};
use super::stream_responder::StreamResponder;
use super::{AnswerFn, Context, ServerCounters};
use crate::engine::{self, Transport};
use crate::event::Event;
use crate::stats::Recorder;

/// What all TCP listeners share: the catalog, the limits and the places for connections.
#[derive(Clone)]
pub struct TcpService {
    context: Context,
    limits: StreamLimits,
    front: Front,
}

impl TcpService {
    /// Prepares the service; [`TcpService::serve`] opens it on an address.
    pub fn new(context: Context, limits: StreamLimits) -> Self {
        let told = tell_panics(&context, Transport::Tcp);
        let front = Front::new(limits.caps, Vec::new(), Arc::clone(&context.sink), told);
        Self { context, limits, front }
    }

    /// The connections of all listeners together.
    pub fn connections(&self) -> ConnectionCounts {
        self.front.counts()
    }

    /// Accepts connections from a listener of [`super::listen::tcp`]. Call it inside a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// When the listener cannot be registered with the runtime.
    pub fn serve(
        &self,
        listener: std::net::TcpListener,
        recorder: Recorder,
    ) -> io::Result<StreamServer> {
        self.serve_with(listener, recorder, engine::answer)
    }

    fn serve_with(
        &self,
        listener: std::net::TcpListener,
        recorder: Recorder,
        answer: impl AnswerFn,
    ) -> io::Result<StreamServer> {
        let address = listener.local_addr()?;
        let Context { catalog, transfers, .. } = self.context.clone();
        let responder = StreamResponder::new(catalog, Transport::Tcp, recorder, address, answer)
            .with_transfers(transfers);
        let (responder, limits) = (Arc::new(responder), self.limits);
        let context = self.context.clone();
        self.front.serve(listener, "tcp", move |accepted| {
            attend(accepted, context.clone(), limits, Arc::clone(&responder))
        })
    }

    /// The limits and the front, to be shared with TLS.
    pub(super) fn parts(&self) -> (&Context, StreamLimits, &Front) {
        (&self.context, self.limits, &self.front)
    }
}

async fn attend<A: AnswerFn>(
    mut accepted: Accepted,
    context: Context,
    limits: StreamLimits,
    responder: Arc<StreamResponder<A>>,
) {
    if !take_header(&mut accepted, &context, limits.first_query, Transport::Tcp).await {
        return;
    }
    let Accepted { stream, client, activity, mut stopped, tally, .. } = accepted;
    Connection::new(stream, client, limits, responder, activity, tally).serve(&mut stopped).await;
}

/// Counts and tells the faults that cost a connection.
pub(super) fn tell_panics(context: &Context, transport: Transport) -> impl PanicReport + use<> {
    let (counters, sink) = (Arc::clone(&context.counters), Arc::clone(&context.sink));
    move |address: SocketAddr, panic: &str, told: Option<u64>| {
        ServerCounters::add(&counters.panics, 1);
        if let Some(suppressed) = told {
            let panic = panic.to_owned();
            sink.emit(&Event::AnswerPanicked { transport, address, panic, suppressed });
        }
    }
}

#[cfg(test)]
mod tests;
