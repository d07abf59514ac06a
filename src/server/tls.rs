//! DNS over TLS (RFC 7858): `hickory-server` does the protocol, our engine answers.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use hickory_server::Server;
use hickory_server::net::NetError;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts, Message, Metadata, ResponseCode};
use hickory_server::proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponseBuilder, Queries};
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::stream_responder::{Reply, StreamResponder};
use super::{AnswerFn, CertificateFacts, Context};
use crate::engine::{self, Transport};
use crate::event::{Event, EventSink};
use crate::stats::Recorder;

/// The rest before a listener that failed is opened again.
const REBUILD_PAUSE: Duration = Duration::from_millis(100);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate file is missing, unreadable, or holds no certificate in PEM.
    #[error("certificate file {}: {cause}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: pem::Error,
    },
    /// The key file is missing, unreadable, or holds no private key in PEM.
    #[error("key file {}: {cause}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: pem::Error,
    },
    /// Each file is well, but not the two together.
    #[error("certificate {} with key {}: {cause}", certificate.display(), key.display())]
    Pair {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong, for example keys that do not match.
        cause: rustls::Error,
    },
}

/// A certificate chain and its key, read from PEM files and read again when these change.
#[derive(Debug)]
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    /// The state of the files when they were last read, well or not.
    seen: Mutex<[Option<FileState>; 2]>,
}

impl Certificate {
    /// Reads the chain (the server's own certificate first) and the key.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, has no PEM section of its kind, or the two do not match.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        // The state comes first: a change while reading is then seen by the next look.
        let seen = [FileState::of(certificate), FileState::of(key)];
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            current: ArcSwap::from_pointee(read_pair(certificate, key)?),
            seen: Mutex::new(seen),
        })
    }

    /// The file of the chain.
    pub fn file(&self) -> &Path {
        &self.certificate
    }

    /// What the certificate in use says of itself, if it can be read.
    pub fn facts(&self) -> Option<CertificateFacts> {
        CertificateFacts::of(self.current.load().cert.first()?)
    }

    /// Reads the files again if they changed since the last look; returns whether new
    /// connections now get another certificate.
    ///
    /// # Errors
    ///
    /// As [`Certificate::load`], once per change; the certificate in use then stays. Renewal
    /// programs write one file after the other, so a mismatch may heal with the next change.
    pub fn reload_if_changed(&self) -> Result<bool, CertificateError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = [FileState::of(&self.certificate), FileState::of(&self.key)];
        if *seen == now {
            return Ok(false);
        }
        *seen = now;
        self.current.store(Arc::new(read_pair(&self.certificate, &self.key)?));
        Ok(true)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read_pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(|cause| CertificateError::Certificate { path: certificate.to_owned(), cause })?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|cause| CertificateError::Key { path: key.to_owned(), cause })?;
    CertifiedKey::from_der(chain, private, &ring::default_provider()).map_err(|cause| {
        CertificateError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), cause }
    })
}

/// What changes when a file is written or replaced, also behind a symbolic link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FileState {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// One TLS listener being served. Dropping it stops it as well, without waiting.
#[derive(Debug)]
pub struct TlsServer {
    address: SocketAddr,
    /// Dropping the sender is the signal.
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl TlsServer {
    /// Accepts connections from a listener of [`super::listen::tcp`]. Call it inside a tokio
    /// runtime. `idle` bounds the handshake, and the time from one query to the next.
    ///
    /// # Errors
    ///
    /// When the listener cannot be registered with the runtime.
    pub fn start(
        listener: std::net::TcpListener,
        certificate: Arc<Certificate>,
        context: &Context,
        idle: Duration,
        recorder: Recorder,
    ) -> io::Result<Self> {
        Self::start_with(listener, certificate, context, idle, recorder, engine::answer)
    }

    fn start_with(
        listener: std::net::TcpListener,
        certificate: Arc<Certificate>,
        context: &Context,
        idle: Duration,
        recorder: Recorder,
        answer: impl AnswerFn,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, mut stopped) = watch::channel(());
        let catalog = Arc::clone(&context.catalog);
        let responder =
            Arc::new(StreamResponder::new(catalog, Transport::Tls, recorder, address, answer));
        let sink = Arc::clone(&context.sink);
        let open = move || open(&listener, &certificate, &responder, &sink, idle);
        let sink = Arc::clone(&context.sink);
        let failed = move |reason| sink.emit(&Event::TlsListenerFailed { address, reason });
        let mut server = open()?;
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = stopped.changed() => break,
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
            if let Err(error) = server.shutdown_gracefully().await {
                tracing::debug!("TLS listener of {address}: {error}");
            }
        });
        Ok(Self { address, stop, task })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and closes all connections.
    pub async fn stop(self) {
        drop(self.stop);
        // A panic of the task was printed by the panic hook.
        let _ = self.task.await;
    }
}

fn open<A: AnswerFn>(
    listener: &std::net::TcpListener,
    certificate: &Arc<Certificate>,
    responder: &Arc<StreamResponder<A>>,
    sink: &Arc<dyn EventSink>,
    idle: Duration,
) -> io::Result<Server<Handler<A>>> {
    let listener = TcpListener::from_std(listener.try_clone()?)?;
    let handler = Handler { responder: Arc::clone(responder), sink: Arc::clone(sink) };
    let mut server = Server::new(handler);
    let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificate>::clone(certificate);
    server.register_tls_listener(listener, idle, resolver)?;
    Ok(server)
}

/// The bridge from hickory's requests to the engine's bytes and back.
struct Handler<A> {
    responder: Arc<StreamResponder<A>>,
    sink: Arc<dyn EventSink>,
}

#[async_trait::async_trait]
impl<A: AnswerFn> RequestHandler for Handler<A> {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut responder: R,
    ) -> ResponseInfo {
        let mut answer = Vec::new();
        let reply = self.responder.answer(request.as_slice(), request.src(), |bytes| {
            answer.extend_from_slice(bytes);
        });
        match reply {
            Reply::Now => {}
            Reply::After(wait) => T::delay_for(wait).await,
            Reply::Nothing => return not_sent(request),
        }
        match respond(request, &answer, &*self.sink, &mut responder).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!("TLS client {}: {error}", request.src());
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
