//! DNS over HTTPS (RFC 8484): `hickory-server` does the protocol, our engine answers, the accept front bounds.
//!
//! ```text
//! client -> accept -> relay -> private listener of hickory-server -> engine::answer
//! ```
//!
//! hickory-server takes a listener and has no limits. So it gets one that only this process connects to, and whatever
//! goes there goes through a relay, which knows the client, counts the bytes and keeps the time. The relay has a port
//! of its own on the loopback interface: by that, a query is told whose it is.

mod relay;

use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::NetError;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts, Message, Metadata, ResponseCode};
use hickory_server::proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponseBuilder, Queries};
use rustls::server::ResolvesServerCert;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::accept::{Accepted, Caps, ConnectionCounts, Front, StreamServer};
use super::certificate::Certificate;
use super::proxies::take_header;
use super::stream::StreamLimits;
use super::stream_responder::{Reply, StreamResponder};
use super::tcp::{TcpService, tell_panics};
use super::{AnswerFn, Context, listen};
use crate::engine::{self, Transport};
use crate::event::{Event, EventSink};
use crate::stats::Recorder;
use relay::Relays;

/// The path that clients ask at (RFC 8484 section 4.1 leaves it to the server; this is the usual one).
const PATH: &str = "/dns-query";

/// The rest before a listener that failed is opened again.
const REBUILD_PAUSE: Duration = Duration::from_millis(100);

/// Of so many connections over TCP and TLS, one may be over HTTPS: each holds three descriptors, and what
/// hickory-server keeps of the requests in [`relay::MAX_SENT`] bytes.
const SHARE: usize = 4;

/// The private listener, bound before the server gives up that right.
#[derive(Debug)]
pub struct PrivateListener(StdListener);

impl PrivateListener {
    /// On a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn bind() -> Result<Self, listen::ListenError> {
        listen::tcp((Ipv4Addr::LOCALHOST, 0).into()).map(Self)
    }

    /// The port.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn port(&self) -> io::Result<u16> {
        self.0.local_addr().map(|address| address.port())
    }
}

/// What all HTTPS listeners share. Dropping it stops hickory-server.
pub struct HttpsService {
    context: Context,
    front: Front,
    relays: Arc<Relays>,
    limits: StreamLimits,
    /// Dropping the sender is the signal.
    _stop: watch::Sender<()>,
    _task: JoinHandle<()>,
}

impl HttpsService {
    /// Starts hickory-server on the private listener; [`HttpsService::serve`] opens the service on an address. Call it
    /// inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the listener cannot be registered with the runtime.
    pub fn start(
        tcp: &TcpService,
        certificate: Arc<Certificate>,
        private: PrivateListener,
        recorder: Recorder,
    ) -> io::Result<Self> {
        Self::start_with(tcp, certificate, private, recorder, engine::answer)
    }

    fn start_with(
        tcp: &TcpService,
        certificate: Arc<Certificate>,
        private: PrivateListener,
        recorder: Recorder,
        answer: impl AnswerFn,
    ) -> io::Result<Self> {
        let (context, limits, _) = tcp.parts();
        let connections = limits.caps.connections.div_ceil(SHARE);
        let per_client = limits.caps.per_client.min(connections);
        let caps = Caps { connections, per_client, ..limits.caps };
        let sink = Arc::clone(&context.sink);
        let told = tell_panics(context, Transport::Tls);
        let front = Front::new(caps, Vec::new(), Arc::clone(&sink), told);
        let address = private.0.local_addr()?;
        let relays = Relays::to(address);
        let catalog = Arc::clone(&context.catalog);
        let responder = StreamResponder::new(catalog, Transport::Tls, recorder, address, answer);
        let handler = Handler {
            responder: Arc::new(responder),
            relays: Arc::clone(&relays),
            sink: Arc::clone(&sink),
        };
        let idle = limits.caps.idle;
        let open = move || open(&private, &certificate, handler.clone(), idle);
        let (stop, mut stopped) = watch::channel(());
        let failed = move |reason| sink.emit(&Event::HttpsListenerFailed { address, reason });
        let mut server = open()?;
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = stopped.changed() => return,
                    ended = server.block_until_done() => failed(match ended {
                        Err(error) => error.to_string(),
                        Ok(()) => "it ended by itself".to_owned(),
                    }),
                }
                server = loop {
                    tokio::time::sleep(REBUILD_PAUSE).await;
                    match open() {
                        Ok(server) => break server,
                        Err(error) => failed(error.to_string()),
                    }
                };
            }
        });
        let context = context.clone();
        Ok(Self { context, front, relays, limits, _stop: stop, _task: task })
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
    pub fn serve(&self, listener: StdListener) -> io::Result<StreamServer> {
        let (relays, context) = (Arc::clone(&self.relays), self.context.clone());
        let limits = self.limits;
        self.front.serve(listener, "https", move |accepted| {
            attend(accepted, context.clone(), limits, Arc::clone(&relays))
        })
    }
}

async fn attend(
    mut accepted: Accepted,
    context: Context,
    limits: StreamLimits,
    relays: Arc<Relays>,
) {
    if take_header(&mut accepted, &context, limits.handshake, Transport::Tls).await {
        relays.attend(accepted, limits).await;
    }
}

fn open<A: AnswerFn>(
    private: &PrivateListener,
    certificate: &Arc<Certificate>,
    handler: Handler<A>,
    idle: Duration,
) -> io::Result<Server<Handler<A>>> {
    let listener = TcpListener::from_std(private.0.try_clone()?)?;
    let mut server = Server::new(handler);
    let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificate>::clone(certificate);
    server.register_https_listener(listener, idle, resolver, None, PATH.to_owned())?;
    Ok(server)
}

/// The bridge from hickory's requests to the engine's bytes and back.
struct Handler<A> {
    responder: Arc<StreamResponder<A>>,
    relays: Arc<Relays>,
    sink: Arc<dyn EventSink>,
}

impl<A> Clone for Handler<A> {
    fn clone(&self) -> Self {
        let Self { responder, relays, sink } = self;
        Self {
            responder: Arc::clone(responder),
            relays: Arc::clone(relays),
            sink: Arc::clone(sink),
        }
    }
}

#[async_trait::async_trait]
impl<A: AnswerFn> RequestHandler for Handler<A> {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut responder: R,
    ) -> ResponseInfo {
        // Nobody but a relay has business here.
        let Some(client) = self.relays.asked(request.src()) else { return not_sent(request) };
        let mut answer = Vec::new();
        let reply = self.responder.answer(request.as_slice(), client, |bytes| {
            answer.extend_from_slice(bytes);
        });
        match reply {
            Reply::Now => {}
            Reply::After(wait) => T::delay_for(wait).await,
            Reply::Nothing | Reply::Transfer(_) => return not_sent(request),
        }
        match respond(request, &answer, &*self.sink, &mut responder).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!("HTTPS client {client}: {error}");
                not_sent(request)
            }
        }
    }
}

/// Sends the engine's message: hickory takes records, never bytes, so it is parsed once more.
async fn respond<R: ResponseHandler>(
    request: &Request,
    answer: &[u8],
    sink: &dyn EventSink,
    responder: &mut R,
) -> Result<ResponseInfo, NetError> {
    let (queries, message) = match parse(answer) {
        Ok(parsed) => parsed,
        Err(error) => {
            sink.emit(&Event::AnswerUnreadable { reason: error.to_string() });
            let builder = MessageResponseBuilder::from_message_request(request);
            let failure = builder.error_msg(&request.metadata, ResponseCode::ServFail);
            return responder.send_response(failure).await;
        }
    };
    let response = MessageResponseBuilder::new(&queries, message.edns.as_ref()).build(
        message.metadata,
        &message.answers,
        &message.authorities,
        [],
        &message.additionals,
    );
    responder.send_response(response).await
}

fn parse(answer: &[u8]) -> Result<(Queries, Message), DecodeError> {
    let mut decoder = BinDecoder::new(answer);
    let header = Header::read(&mut decoder)?;
    let queries = Queries::read(&mut decoder, usize::from(header.counts.queries))?;
    Ok((queries, Message::from_vec(answer)?))
}

/// What hickory wants to know when nothing was sent.
fn not_sent(request: &Request) -> ResponseInfo {
    let metadata = Metadata::response_from_request(&request.metadata);
    ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
}

#[cfg(test)]
mod tests;
