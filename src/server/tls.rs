//! DNS over TLS (RFC 7858): the messages of [`super::stream`] in a TLS connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::ResolvesServerCert;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::accept::{Accepted, Closed, ConnectionCounts, Front, StreamServer};
use super::certificate::Certificate;
use super::proxies::take_header;
use super::stream::{Connection, StreamLimits};
use super::stream_responder::StreamResponder;
use super::tcp::{TcpService, tell_panics};
use super::{AnswerFn, Context};
use crate::engine::{self, Transport};
use crate::stats::Recorder;

/// The name of the protocol in handshakes (RFC 7858 section 3.2 and the registry of ALPN).
const ALPN: &[u8] = b"dot";

/// The time to tell a client that the connection ends.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What all TLS listeners share. Their connections take the places of those of TCP.
#[derive(Clone)]
pub struct TlsService {
    context: Context,
    limits: StreamLimits,
    front: Front,
    acceptor: TlsAcceptor,
}

impl TlsService {
    /// Prepares the service with this certificate; [`TlsService::serve`] opens it on an address.
    ///
    /// # Errors
    ///
    /// When the TLS library refuses its settings.
    pub fn new(tcp: &TcpService, certificate: Arc<Certificate>) -> Result<Self, rustls::Error> {
        let (context, limits, front) = tcp.parts();
        let resolver: Arc<dyn ResolvesServerCert> = certificate;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![ALPN.to_vec()];
        let front = front.beside(tell_panics(context, Transport::Tls));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { context: context.clone(), limits, front, acceptor })
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
        let responder = StreamResponder::new(catalog, Transport::Tls, recorder, address, answer)
            .with_transfers(transfers);
        let (responder, limits) = (Arc::new(responder), self.limits);
        let (acceptor, context) = (self.acceptor.clone(), self.context.clone());
        self.front.serve(listener, "tls", move |accepted| {
            attend(accepted, context.clone(), acceptor.clone(), limits, Arc::clone(&responder))
        })
    }
}

async fn attend<A: AnswerFn>(
    mut accepted: Accepted,
    context: Context,
    acceptor: TlsAcceptor,
    limits: StreamLimits,
    responder: Arc<StreamResponder<A>>,
) {
    if !take_header(&mut accepted, &context, limits.handshake, Transport::Tls).await {
        return;
    }
    let Accepted { stream, client, activity, mut stopped, tally, .. } = accepted;
    let handshake = tokio::select! {
        biased;
        _ = stopped.changed() => return,
        handshake = timeout(limits.handshake, acceptor.accept(stream)) => handshake,
    };
    let Ok(Ok(mut stream)) = handshake else { return tally.closed(Closed::Handshake) };
    activity.mark();
    Connection::new(&mut stream, client, limits, responder, activity, tally)
        .serve(&mut stopped)
        .await;
    // Whether the client hears that is its affair.
    let _ = timeout(CLOSE_TIMEOUT, stream.shutdown()).await;
}

#[cfg(test)]
mod tests;
