use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;

use hickory_proto::op::{Message, MessageType, OpCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;

use super::*;
use crate::engine::{Catalog, Outcome, Request as EngineRequest, WorkerState};
use crate::event::Log;
use crate::server::certificate::CertificateError;
use crate::server::listen;
use crate::server::shared_catalog::SharedCatalog;
use crate::server::testing::{id, make_certificate, query};
use crate::stats;

fn load(folder: &TempDir) -> Result<Certificate, CertificateError> {
    Certificate::load(&folder.path().join("cert.pem"), &folder.path().join("key.pem"))
}

struct Fixture {
    runtime: tokio::runtime::Runtime,
    server: Option<StreamServer>,
    service: TlsService,
    certificate: Arc<Certificate>,
    folder: TempDir,
}

impl Fixture {
    fn start(limits: StreamLimits, answer: impl AnswerFn) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        make_certificate(folder.path(), "dns.test");
        let certificate = Arc::new(load(&folder).unwrap());
        let catalog = Arc::new(SharedCatalog::new(Catalog::default()));
        let context = Context::new(catalog, Arc::new(Log));
        let listener = listen::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let tcp = TcpService::new(context, limits);
        let service = TlsService::new(&tcp, Arc::clone(&certificate)).unwrap();
        let recorder = stats::Recorder::default();
        let server = runtime.block_on(async { service.serve_with(listener, recorder, answer) });
        Self { runtime, server: Some(server.unwrap()), service, certificate, folder }
    }

    fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().address()
    }

    fn connect(
        &self,
        name: &'static str,
    ) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.folder.path().join("cert.pem")).unwrap())
            .unwrap();
        let provider = Arc::new(ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name).unwrap();
        let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        rustls::StreamOwned::new(client, stream)
    }
}

fn ask(stream: &mut (impl Read + Write), message: &[u8]) -> io::Result<Vec<u8>> {
    let len = u16::try_from(message.len()).unwrap();
    stream.write_all(&[&len.to_be_bytes(), message].concat())?;
    let mut prefix = [0; 2];
    stream.read_exact(&mut prefix)?;
    let mut answer = vec![0; u16::from_be_bytes(prefix).into()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[test]
fn the_engine_answers_over_tls() {
    let mut fixture = Fixture::start(StreamLimits::default(), engine::answer);
    let mut client = fixture.connect("dns.test");
    for number in 0..3 {
        let answer = ask(&mut client, &query(number)).unwrap();
        assert_eq!(id(&answer), number);
        assert_eq!(answer[2] & 0x80, 0x80, "a response");
        assert_eq!(answer[3] & 0x0f, 5, "REFUSED, as no zone is served");
    }
    let address = fixture.address();
    fixture.runtime.block_on(fixture.server.take().unwrap().stop());
    assert!(ask(&mut client, &query(4)).is_err(), "stopped");
    listen::tcp(address).expect("the address is free again");
}

#[test]
fn kdig_gets_an_answer_if_the_certificate_is_right() {
    let fixture = Fixture::start(StreamLimits::default(), listed);
    let port = fixture.address().port().to_string();
    let authority = format!("+tls-ca={}", fixture.folder.path().join("cert.pem").display());
    for (name, answered) in [("dns.test", true), ("other.test", false)] {
        let output = Command::new("kdig")
            .args(["@127.0.0.1", "-p", &port, "+tls", &authority, "+retry=0"])
            .args([&format!("+tls-hostname={name}"), "2.0.0.127.bl.test", "A"])
            .output()
            .expect("the tests need the kdig command of knot-dnsutils");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text.contains("status: NOERROR"), answered, "{name}: {text}");
        assert_eq!(text.contains("127.0.0.2\n"), answered, "{name}: {text}");
    }
}

#[test]
fn a_dropped_query_leaves_the_connection_open_and_a_delayed_one_comes_later() {
    let fixture = Fixture::start(
        StreamLimits::default(),
        |catalog: &Catalog,
         state: &mut WorkerState,
         request: &EngineRequest<'_>,
         out: &mut [u8]| {
            match (engine::answer(catalog, state, request, out), id(request.query)) {
                (_, 1) => Outcome::Drop,
                (Outcome::Respond(len), 2) => {
                    Outcome::RespondAfter(len, Duration::from_millis(300))
                }
                (outcome, _) => outcome,
            }
        },
    );
    let mut client = fixture.connect("dns.test");
    let dropped = query(1);
    let len = u16::try_from(dropped.len()).unwrap();
    client.write_all(&[&len.to_be_bytes(), &dropped[..]].concat()).unwrap();
    let start = std::time::Instant::now();
    assert_eq!(id(&ask(&mut client, &query(2)).unwrap()), 2);
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn idle_clients_and_those_without_a_handshake_are_cut() {
    let mut limits = StreamLimits::default();
    limits.caps.idle = Duration::from_millis(600);
    limits.first_query = limits.caps.idle;
    limits.handshake = Duration::from_millis(300);
    let fixture = Fixture::start(limits, engine::answer);
    let mut client = fixture.connect("dns.test");
    ask(&mut client, &query(1)).unwrap();
    let mut shaken = fixture.connect("dns.test");
    while shaken.conn.is_handshaking() {
        shaken.conn.complete_io(&mut shaken.sock).unwrap();
    }
    let mut mute = TcpStream::connect(fixture.address()).unwrap();
    mute.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(mute.read(&mut [0; 1]).unwrap(), 0, "no handshake");
    // The end is told (RFC 8446 section 6.1): it is none that an attacker made.
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "idle");
    assert_eq!(shaken.read(&mut [0; 1]).unwrap(), 0, "no query");
    let counts = fixture.service.connections();
    for reason in Closed::ALL {
        let expected = matches!(reason, Closed::Handshake | Closed::FirstQuery | Closed::Idle);
        assert_eq!(counts.closed(reason), u64::from(expected), "{reason:?}");
    }
}

#[test]
fn renewed_certificates_are_taken_up_without_a_restart() {
    let fixture = Fixture::start(StreamLimits::default(), engine::answer);
    assert!(!fixture.certificate.reload_if_changed().unwrap(), "nothing changed");
    ask(&mut fixture.connect("dns.test"), &query(1)).unwrap();

    make_certificate(fixture.folder.path(), "renewed.test");
    assert!(fixture.certificate.reload_if_changed().unwrap());
    ask(&mut fixture.connect("renewed.test"), &query(2)).unwrap();
    ask(&mut fixture.connect("dns.test"), &query(3)).expect_err("no longer that name");

    let good = fs::read(fixture.folder.path().join("key.pem")).unwrap();
    fs::write(fixture.folder.path().join("key.pem"), "torn").unwrap();
    let error = fixture.certificate.reload_if_changed().unwrap_err().to_string();
    assert!(error.contains("key.pem"), "{error}");
    assert!(!fixture.certificate.reload_if_changed().unwrap(), "said once");
    ask(&mut fixture.connect("renewed.test"), &query(4)).expect("the last good one stays");

    fs::write(fixture.folder.path().join("key.pem"), good).unwrap();
    assert!(fixture.certificate.reload_if_changed().unwrap(), "healed");
}

#[test]
fn certificate_errors_name_the_file_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let error = |folder: &TempDir| load(folder).unwrap_err().to_string();
    assert!(error(&folder).contains("cert.pem: "), "{}", error(&folder));

    make_certificate(folder.path(), "dns.test");
    load(&folder).unwrap();
    let certificate = fs::read(folder.path().join("cert.pem")).unwrap();
    fs::write(folder.path().join("cert.pem"), "").unwrap();
    assert!(error(&folder).contains("cert.pem: "), "{}", error(&folder));
    fs::write(folder.path().join("cert.pem"), certificate).unwrap();

    let other = tempfile::tempdir().unwrap();
    make_certificate(other.path(), "other.test");
    fs::copy(other.path().join("key.pem"), folder.path().join("key.pem")).unwrap();
    let text = error(&folder);
    assert!(text.contains("cert.pem") && text.contains("key.pem"), "{text}");

    fs::remove_file(folder.path().join("key.pem")).unwrap();
    assert!(error(&folder).contains("key.pem: "), "{}", error(&folder));
}

/// Answers every question with 127.0.0.2.
fn listed(
    _: &Catalog,
    _: &mut WorkerState,
    request: &EngineRequest<'_>,
    out: &mut [u8],
) -> Outcome {
    let query = Message::from_vec(request.query).unwrap();
    let mut message = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    let question = query.queries[0].clone();
    let listed = RData::A(A(Ipv4Addr::new(127, 0, 0, 2)));
    message.add_answer(Record::from_rdata(question.name().clone(), 60, listed));
    message.add_query(question);
    let bytes = message.to_vec().unwrap();
    out[..bytes.len()].copy_from_slice(&bytes);
    Outcome::Respond(bytes.len())
}
