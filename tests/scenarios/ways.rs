//! The four ways to the engine: in memory, UDP, TCP and TLS.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dnsbld::config::ConfigSource;
use dnsbld::engine::{self, Catalog, Outcome, Request, Transport, WorkerState};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};

/// The longest wait for a reply.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The identifiers of queries are below; this one is of the query that ends a wait in vain.
const LAST_ID: u16 = u16::MAX;
/// The wait for a reply that should not come, to a client that may get none to anything.
const SHORT: Duration = Duration::from_millis(500);

/// The engine in this process, with a catalog as the server makes it.
pub(crate) struct Memory {
    catalog: Catalog,
    state: WorkerState,
}

impl Memory {
    /// Loads a configuration.
    pub(crate) fn load(config: &Path) -> Self {
        let loaded = ConfigSource::file(config).load().unwrap_or_else(|errors| panic!("{errors}"));
        let catalog = dnsbld::daemon::load(&loaded.settings).expect("threads to load with");
        Self { catalog, state: WorkerState::default() }
    }

    /// The apexes of the zones.
    pub(crate) fn apexes(&self) -> Vec<String> {
        self.catalog.zones().iter().map(|zone| zone.apex.to_string()).collect()
    }

    pub(crate) fn ask(
        &mut self,
        query: &[u8],
        client: Ipv4Addr,
        transport: Transport,
    ) -> Option<Vec<u8>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let request = Request { query, client: client.into(), transport, now };
        let mut out = vec![0; 65_535];
        match engine::answer(&self.catalog, &mut self.state, &request, &mut out) {
            Outcome::Respond(len) | Outcome::RespondAfter(len, _) => {
                out.truncate(len);
                Some(out)
            }
            Outcome::Drop => None,
        }
    }
}

/// Who asks the real server.
#[derive(Clone, Copy)]
pub(crate) struct From {
    pub(crate) client: Ipv4Addr,
    /// No reply is expected.
    pub(crate) silence: bool,
}

impl From {
    /// True for a client that may get no reply even to the last query.
    fn may_be_ignored(self) -> bool {
        self.silence && self.client != Ipv4Addr::LOCALHOST
    }

    fn patience(self) -> Duration {
        if self.may_be_ignored() { SHORT } else { TIMEOUT }
    }
}

/// A client of the real server.
pub(crate) trait Client {
    /// Sends a query and waits for the reply; none if the server gives none.
    fn ask(&mut self, query: &[u8], from: From) -> Option<Vec<u8>>;
}

/// A query that gets a reply from every server, REFUSED: if it comes first, there is none to the
/// query before.
fn last_query() -> Vec<u8> {
    let [high, low] = LAST_ID.to_be_bytes();
    let mut query = vec![high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend_from_slice(b"\x07foreign\x07invalid\0\0\x01\0\x01");
    query
}

fn is_last(reply: &[u8]) -> bool {
    reply.starts_with(&LAST_ID.to_be_bytes())
}

/// Asks over UDP, from one port per client: one worker has all its queries, in their order.
pub(crate) struct Udp {
    server: SocketAddr,
    sockets: HashMap<Ipv4Addr, UdpSocket>,
}

impl Udp {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self { server, sockets: HashMap::new() }
    }
}

impl Client for Udp {
    fn ask(&mut self, query: &[u8], from: From) -> Option<Vec<u8>> {
        let socket = self.sockets.entry(from.client).or_insert_with(|| {
            let socket = UdpSocket::bind((from.client, 0)).expect("some port is free");
            socket.connect(self.server).expect("loopback can be reached");
            socket
        });
        socket.set_read_timeout(Some(from.patience())).expect("the timeout is not zero");
        let mut replies = Vec::new();
        socket.send(query).expect("the server listens");
        socket.send(&last_query()).expect("the server listens");
        loop {
            let mut buffer = vec![0; 65_535];
            let len = match socket.recv(&mut buffer) {
                Err(error) if from.may_be_ignored() && is_timeout(&error) => return None,
                received => received.expect("a reply to the last query"),
            };
            buffer.truncate(len);
            if is_last(&buffer) {
                assert!(replies.len() <= 1, "several replies");
                return replies.pop();
            }
            replies.push(buffer);
        }
    }
}

/// A stream to the server, over which DNS messages go with their length in front.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Asks over a stream, a new one whenever the server has closed the last.
pub(crate) struct Streams<'a> {
    connect: Box<dyn Fn(From) -> Box<dyn Stream> + 'a>,
    open: Option<Box<dyn Stream>>,
}

impl Streams<'static> {
    /// Over TCP.
    pub(crate) fn tcp(server: SocketAddr) -> Self {
        Self { connect: Box::new(move |from| Box::new(connect(server, from))), open: None }
    }

    /// Over TLS, to a server with a certificate of [`make_certificate`] in this folder.
    pub(crate) fn tls(server: SocketAddr, folder: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(folder.join("cert.pem"));
        roots.add(certificate.expect("openssl wrote it")).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        let open = move |from| -> Box<dyn Stream> {
            let name = ServerName::try_from("dns.test").expect("a name");
            let client = ClientConnection::new(Arc::clone(&config), name).expect("a client");
            Box::new(StreamOwned::new(client, connect(server, from)))
        };
        Self { connect: Box::new(open), open: None }
    }
}

impl Client for Streams<'_> {
    fn ask(&mut self, query: &[u8], from: From) -> Option<Vec<u8>> {
        let is_usual = from.client == Ipv4Addr::LOCALHOST;
        let open = if is_usual { self.open.take() } else { None };
        let mut stream = open.unwrap_or_else(|| (self.connect)(from));
        let closed = |error: io::Error| {
            let mute = is_timeout(&error) && !from.may_be_ignored();
            assert!(!mute, "neither a reply nor an end");
            None
        };
        let last = last_query();
        let mut both = u16::try_from(query.len()).expect("a message").to_be_bytes().to_vec();
        both.extend_from_slice(query);
        both.extend(u16::try_from(last.len()).expect("a message").to_be_bytes());
        both.extend_from_slice(&last);
        let sent = stream.write_all(&both).and_then(|()| stream.flush());
        let first = sent.and_then(|()| receive(&mut stream)).unwrap_or_else(closed)?;
        if is_last(&first) {
            self.open = is_usual.then_some(stream);
            return None;
        }
        match receive(&mut stream).unwrap_or_else(closed) {
            Some(second) => {
                assert!(is_last(&second), "a second reply");
                self.open = is_usual.then_some(stream);
            }
            None => self.open = None,
        }
        Some(first)
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn connect(server: SocketAddr, from: From) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((from.client, 0)).into()).expect("some port is free");
    socket.connect(&server.into()).expect("the server listens");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(from.patience())).expect("the timeout is not zero");
    stream.set_nodelay(true).expect("an open stream");
    stream
}

fn receive(stream: &mut Box<dyn Stream>) -> io::Result<Option<Vec<u8>>> {
    let mut prefix = [0; 2];
    stream.read_exact(&mut prefix)?;
    let mut message = vec![0; u16::from_be_bytes(prefix).into()];
    stream.read_exact(&mut message)?;
    Ok(Some(message))
}

/// Writes a self-signed certificate for dns.test, `cert.pem`, and its key, `key.pem`.
pub(crate) fn make_certificate(folder: &Path) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=dns.test"])
        .args(["-addext", "subjectAltName=DNS:dns.test"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output()
        .expect("the tests need the openssl command");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fs::exists(folder.join("key.pem")).expect("our folder"));
}
