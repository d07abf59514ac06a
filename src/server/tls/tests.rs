use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;

use hickory_server::net::runtime::TokioTime;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Edns, MessageType, OpCode, Query};
use hickory_server::proto::rr::rdata::opt::EdnsOption;
use hickory_server::proto::rr::rdata::{A, MX, NS, SOA, TXT};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use hickory_server::proto::serialize::binary::BinEncoder;
use hickory_server::zone_handler::MessageResponse;
use rustls::pki_types::ServerName;
use tempfile::TempDir;

use super::*;
use crate::engine::{Catalog, Outcome, Request as EngineRequest, Transport, WorkerState};
use crate::event::Log;
use crate::server::listen;
use crate::server::shared_catalog::SharedCatalog;
use crate::server::testing::{id, query};
use crate::stats;

/// Writes a self-signed certificate for `name`, and its key, into the folder.
fn make_certificate(folder: &Path, name: &str) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", &format!("/CN={name}")])
        .args(["-addext", &format!("subjectAltName=DNS:{name}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output()
        .expect("the tests need the openssl command");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn load(folder: &TempDir) -> Result<Certificate, CertificateError> {
    Certificate::load(&folder.path().join("cert.pem"), &folder.path().join("key.pem"))
}

struct Fixture {
    runtime: tokio::runtime::Runtime,
    server: Option<TlsServer>,
    certificate: Arc<Certificate>,
    folder: TempDir,
}

impl Fixture {
    fn start(idle: Duration, answer: impl AnswerFn) -> Self {
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
        let server = runtime.block_on(async {
            TlsServer::start_with(
                listener,
                Arc::clone(&certificate),
                &context,
                idle,
                stats::Recorder::default(),
                answer,
            )
            .unwrap()
        });
        Self { runtime, server: Some(server), certificate, folder }
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
    let mut fixture = Fixture::start(Duration::from_secs(5), engine::answer);
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
    let fixture = Fixture::start(Duration::from_secs(5), listed);
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
        Duration::from_secs(5),
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
    let fixture = Fixture::start(Duration::from_millis(300), engine::answer);
    let mut client = fixture.connect("dns.test");
    ask(&mut client, &query(1)).unwrap();
    let mut mute = TcpStream::connect(fixture.address()).unwrap();
    mute.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(mute.read(&mut [0; 1]).unwrap(), 0, "no handshake");
    assert!(!matches!(client.read(&mut [0; 1]), Ok(1..)), "idle");
}

#[test]
fn renewed_certificates_are_taken_up_without_a_restart() {
    let fixture = Fixture::start(Duration::from_secs(5), engine::answer);
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

/// Keeps what hickory would have sent.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Option<Vec<u8>>>>);

#[async_trait::async_trait]
impl ResponseHandler for Recorder {
    async fn send_response<'a>(
        &mut self,
        response: MessageResponse<
            '_,
            'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
            impl Iterator<Item = &'a Record> + Send + 'a,
        >,
    ) -> Result<ResponseInfo, NetError> {
        let mut bytes = Vec::new();
        let info = response.destructive_emit(&mut BinEncoder::new(&mut bytes))?;
        *self.0.lock().unwrap() = Some(bytes);
        Ok(info)
    }
}

/// What goes out when the engine answers with these bytes.
fn through_hickory(query: &[u8], answer: &[u8]) -> Option<Vec<u8>> {
    let answer = answer.to_vec();
    let catalog = Arc::new(SharedCatalog::new(Catalog::default()));
    let responder = StreamResponder::new(
        catalog,
        Transport::Tls,
        stats::Recorder::default(),
        ([127, 0, 0, 1], 853).into(),
        move |_: &Catalog, _: &mut WorkerState, _: &EngineRequest<'_>, out: &mut [u8]| {
            out[..answer.len()].copy_from_slice(&answer);
            Outcome::Respond(answer.len())
        },
    );
    let handler = Handler { responder: Arc::new(responder), sink: Arc::new(Log) };
    let client = "192.0.2.1:4000".parse().unwrap();
    let request = Request::from_bytes(query.to_vec(), client, Protocol::Tls).unwrap();
    let recorder = Recorder::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(handler.handle_request::<_, TokioTime>(&request, recorder.clone()));
    recorder.0.lock().unwrap().take()
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// A response with everything an answer of ours can have.
fn rich() -> Message {
    let mut message = Message::new(7, MessageType::Response, OpCode::Query);
    message.metadata.authoritative = true;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name("ExAmple."), RecordType::A));
    let owner = name("ExAmple.");
    let text = TXT::from_bytes(vec![b"Blocked \xff", b"", &[b'x'; 255]]);
    message.add_answer(Record::from_rdata(
        owner.clone(),
        2100,
        RData::A(A(Ipv4Addr::new(127, 0, 0, 2))),
    ));
    message.add_answer(Record::from_rdata(owner.clone(), 2100, RData::TXT(text)));
    message.add_answer(Record::from_rdata(
        owner.clone(),
        1,
        RData::MX(MX::new(10, name("mx.test."))),
    ));
    message.add_authority(Record::from_rdata(owner.clone(), 3, RData::NS(NS(name("ns.test.")))));
    let soa = SOA::new(name("ns.test."), name("host\\.master.test."), 1, 2, 3, 4, 5);
    message.add_authority(Record::from_rdata(owner, 4, RData::SOA(soa)));
    message.add_additional(Record::from_rdata(
        name("ns.test."),
        5,
        RData::A(A(Ipv4Addr::LOCALHOST)),
    ));
    message
}

#[test]
fn what_goes_out_equals_the_engines_message() {
    let mut messages = vec![rich()];
    for (code, edns) in [
        (ResponseCode::NXDomain, false),
        (ResponseCode::Refused, true),
        (ResponseCode::NotImp, true),
        (ResponseCode::BADVERS, true),
    ] {
        let mut message = rich();
        message.metadata.response_code = code;
        message.metadata.authoritative = edns;
        message.metadata.recursion_desired = !edns;
        message.metadata.truncation = edns;
        if edns {
            let mut edns = Edns::new();
            edns.set_max_payload(1232);
            edns.set_dnssec_ok(true);
            edns.set_rcode_high(code.high());
            edns.options_mut().insert(EdnsOption::Unknown(3, b"site".to_vec()));
            message.set_edns(edns);
        }
        messages.push(message);
    }
    let mut empty = Message::new(7, MessageType::Response, OpCode::Query);
    empty.metadata.response_code = ResponseCode::FormErr;
    messages.push(empty);

    let mut query = query(7);
    query[13..20].copy_from_slice(b"ExAmple");
    for message in messages {
        let engine = message.to_vec().unwrap();
        let sent = through_hickory(&query, &engine).expect("an answer");
        let sent_message = Message::from_vec(&sent).unwrap();
        assert_eq!(sent_message, Message::from_vec(&engine).unwrap());
        assert_eq!(
            sent_message.queries.first().map(|query| query.name().to_string()),
            message.queries.first().map(|query| query.name().to_string()),
            "letter case of the question"
        );
    }
}

#[test]
fn bytes_that_are_no_message_become_servfail() {
    let sent = through_hickory(&query(7), &[0, 7, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
    let sent = Message::from_vec(&sent).unwrap();
    assert_eq!(sent.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(sent.metadata.id, 7);
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
