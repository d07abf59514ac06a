use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use hickory_server::net::runtime::TokioTime;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Edns, MessageType, OpCode, Query};
use hickory_server::proto::rr::rdata::opt::EdnsOption;
use hickory_server::proto::rr::rdata::{A, MX, NS, SOA, TXT};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use hickory_server::proto::serialize::binary::BinEncoder;
use hickory_server::zone_handler::MessageResponse;

use super::relay::Relayed;
use super::*;
use crate::engine::{Catalog, Outcome, Request as EngineRequest, WorkerState};
use crate::event::Log;
use crate::server::Context;
use crate::server::accept::Closed;
use crate::server::shared_catalog::SharedCatalog;
use crate::server::testing::{eventually, make_certificate, query};
use crate::stats;

/// A server that takes the queries of these clients, and refuses them as no zone is served.
struct Fixture {
    runtime: tokio::runtime::Runtime,
    server: StreamServer,
    service: HttpsService,
    clients: Arc<Mutex<Vec<std::net::IpAddr>>>,
}

impl Fixture {
    fn start(limits: StreamLimits) -> Self {
        Self::start_slow(limits, Duration::ZERO)
    }

    /// One whose answers take so long.
    fn start_slow(limits: StreamLimits, wait: Duration) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        make_certificate(folder.path(), "dns.test");
        let [certificate, key] = ["cert.pem", "key.pem"].map(|file| folder.path().join(file));
        let certificate = Arc::new(Certificate::load(&certificate, &key).unwrap());
        let catalog = Arc::new(SharedCatalog::new(Catalog::default()));
        let tcp = TcpService::new(Context::new(catalog, Arc::new(Log)), limits);
        let clients: Arc<Mutex<Vec<_>>> = Arc::default();
        let seen = Arc::clone(&clients);
        let answer = move |catalog: &Catalog,
                           state: &mut WorkerState,
                           request: &EngineRequest<'_>,
                           out: &mut [u8]| {
            seen.lock().unwrap().push(request.client);
            match engine::answer(catalog, state, request, out) {
                Outcome::Respond(len) => Outcome::RespondAfter(len, wait),
                outcome => outcome,
            }
        };
        let private = PrivateListener::bind().unwrap();
        let _entered = runtime.enter();
        let recorder = stats::Recorder::default();
        let service =
            HttpsService::start_with(&tcp, certificate, private, recorder, answer).unwrap();
        let server = service.serve(listen::tcp(([0, 0, 0, 0], 0).into()).unwrap()).unwrap();
        drop(_entered);
        Self { runtime, server, service, clients }
    }

    fn port(&self) -> u16 {
        self.server.address().port()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    }
}

#[test]
fn kdig_is_answered_and_known_by_its_address() {
    let fixture = Fixture::start(StreamLimits::default());
    for source in ["127.0.0.1", "127.0.0.7"] {
        let output = Command::new("kdig")
            .args(["@127.0.0.1", "-p", &fixture.port().to_string(), "-b", source, "+https"])
            .args(["+retry=0", "2.0.0.127.bl.test", "A"])
            .output()
            .expect("the tests need the kdig command of knot-dnsutils");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("status: REFUSED"), "{source}: {text}");
        let source: std::net::IpAddr = source.parse().unwrap();
        assert_eq!(fixture.clients.lock().unwrap().last(), Some(&source));
    }
    assert!(eventually(|| fixture.service.connections().open == 0));
    assert_eq!(fixture.service.connections().accepted, 2);
    assert!(fixture.service.relays.clients().is_empty());
}

#[test]
fn what_was_asked_before_the_stop_is_answered() {
    let fixture = Fixture::start_slow(StreamLimits::default(), Duration::from_millis(50));
    let port = fixture.port().to_string();
    let asking = std::thread::spawn(move || {
        let words = ["@127.0.0.1", "-p", &port, "+https", "+retry=0", "2.0.0.127.bl.test", "A"];
        Command::new("kdig").args(words).output().expect("the tests need kdig").stdout
    });
    assert!(eventually(|| !fixture.clients.lock().unwrap().is_empty()));
    fixture.runtime.block_on(fixture.server.stop());
    let text = String::from_utf8(asking.join().unwrap()).unwrap();
    assert!(text.contains("status: REFUSED"), "{text}");
}

#[test]
fn who_asks_nothing_or_sends_much_is_cut() {
    let mut limits = StreamLimits::default();
    [limits.handshake, limits.first_query] = [Duration::from_millis(200); 2];
    let fixture = Fixture::start(limits);
    let start = Instant::now();
    assert_eq!(fixture.connect().read(&mut [0; 1]).unwrap(), 0, "mute");
    assert!(start.elapsed() >= Duration::from_millis(400));
    let mut greedy = fixture.connect();
    // The start of a handshake message of 16,384 bytes.
    let record = [&[0x16, 3, 1, 0x40, 0][..], &[1; 2 * relay::MAX_SENT]].concat();
    for some in record.chunks(4096) {
        let _ = greedy.write_all(some);
        // Regression: who asked now and then could send whatever else.
        let relays = fixture.service.relays.clients().keys().copied().collect::<Vec<_>>();
        for port in relays {
            fixture.service.relays.asked(([127, 0, 0, 1], port).into());
        }
    }
    assert!(!matches!(greedy.read(&mut [0; 1]), Ok(1..)), "greedy");
    let counts = || fixture.service.connections();
    assert!(eventually(|| counts().open == 0));
    assert_eq!((counts().closed(Closed::FirstQuery), counts().closed(Closed::Volume)), (1, 1));
}

#[test]
fn there_is_a_quarter_of_the_places() {
    let mut limits = StreamLimits::default();
    (limits.caps.connections, limits.caps.per_client) = (8, 8);
    let fixture = Fixture::start(limits);
    let held: Vec<_> = (0..5).map(|_| fixture.connect()).collect();
    assert!(eventually(|| fixture.service.connections().gave_way() >= 3));
    assert_eq!((fixture.service.connections().limit, fixture.service.connections().open), (2, 2));
    drop(held);
}

#[test]
fn only_relays_are_answered() {
    let mut answer = query(7);
    answer[2] = 0x80;
    for (from, is_answered) in
        [("127.0.0.1:4000", true), ("127.0.0.1:4001", false), ("127.0.0.2:4000", false)]
    {
        let sent = through_hickory_from(from.parse().unwrap(), &query(7), &answer);
        assert_eq!(sent.is_some(), is_answered, "{from}");
    }
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

/// What goes out when the engine answers a query that comes from a relay with these bytes.
fn through_hickory(query: &[u8], answer: &[u8]) -> Option<Vec<u8>> {
    through_hickory_from(([127, 0, 0, 1], 4000).into(), query, answer)
}

fn through_hickory_from(from: SocketAddr, query: &[u8], answer: &[u8]) -> Option<Vec<u8>> {
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
    let relays = Relays::to(([127, 0, 0, 1], 443).into());
    relays.clients().insert(4000, Relayed::of("192.0.2.1:4001".parse().unwrap()));
    let handler = Handler { responder: Arc::new(responder), relays, sink: Arc::new(Log) };
    let request = Request::from_bytes(query.to_vec(), from, Protocol::Https).unwrap();
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
