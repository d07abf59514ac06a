use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream as Client};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::*;
use crate::engine::{Catalog, Outcome, Request, Transport, WorkerState};
use crate::event::{EventSink, Log};
use crate::server::accept::{Caps, Closed};
use crate::server::listen;
use crate::server::shared_catalog::SharedCatalog;
use crate::server::stream::{MAX_QUERY, Pace};
use crate::server::testing::{eventually, id, query};
use crate::zone::testing::{dataset, zone};
use crate::zone::{Chaos, TransferAccess, Zone};
use crate::zonefile::Kind;

/// A server on a runtime of its own, so that clients can be plain blocking sockets.
struct Fixture {
    runtime: tokio::runtime::Runtime,
    server: Option<StreamServer>,
    service: TcpService,
}

impl Fixture {
    fn start(limits: StreamLimits, answer: impl AnswerFn) -> Self {
        Self::start_on("127.0.0.1:0", limits, answer)
    }

    fn start_on(address: &str, limits: StreamLimits, answer: impl AnswerFn) -> Self {
        Self::start_telling(address, limits, answer, Arc::new(Log))
    }

    fn start_telling(
        address: &str,
        limits: StreamLimits,
        answer: impl AnswerFn,
        sink: Arc<dyn EventSink>,
    ) -> Self {
        Self::start_of(Catalog::default(), address, limits, answer, sink)
    }

    fn start_of(
        catalog: Catalog,
        address: &str,
        limits: StreamLimits,
        answer: impl AnswerFn,
        sink: Arc<dyn EventSink>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let catalog = Arc::new(SharedCatalog::new(catalog));
        let service = TcpService::new(Context::new(catalog, sink), limits);
        let listener = listen::tcp(address.parse().unwrap()).unwrap();
        let server =
            runtime.block_on(async { service.serve_with(listener, Recorder::default(), answer) });
        let server = server.unwrap();
        Self { runtime, server: Some(server), service }
    }

    fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().address()
    }

    fn connect(&self) -> Client {
        connect(self.address())
    }

    fn open(&self) -> usize {
        self.service.connections().open
    }

    fn stop(&mut self) {
        self.runtime.block_on(self.server.take().unwrap().stop());
    }
}

fn connect(address: SocketAddr) -> Client {
    let client = Client::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client.set_nodelay(true).unwrap();
    client
}

/// From this address of this machine.
fn connect_from(source: [u8; 4], server: SocketAddr) -> Client {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    Client::from(socket)
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    framed
}

fn receive(client: &mut Client) -> Vec<u8> {
    let mut prefix = [0; 2];
    client.read_exact(&mut prefix).expect("an answer");
    let mut message = vec![0; u16::from_be_bytes(prefix).into()];
    client.read_exact(&mut message).unwrap();
    message
}

fn ask(client: &mut Client, message: &[u8]) -> Vec<u8> {
    client.write_all(&framed(message)).unwrap();
    receive(client)
}

/// Whether the server closes the connection without another byte.
fn closed(client: &mut Client) -> bool {
    match client.read(&mut [0; 1]) {
        Ok(len) => len == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

fn echo(_: &Catalog, _: &mut WorkerState, request: &Request<'_>, out: &mut [u8]) -> Outcome {
    out[..request.query.len()].copy_from_slice(request.query);
    Outcome::Respond(request.query.len())
}

/// Waits the milliseconds in the last two bytes of a query, if they are not 0.
fn later(
    catalog: &Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    out: &mut [u8],
) -> Outcome {
    let (_, wait) = request.query.split_last_chunk().unwrap();
    match (echo(catalog, state, request, out), u16::from_be_bytes(*wait)) {
        (Outcome::Respond(len), wait @ 1..) => {
            Outcome::RespondAfter(len, Duration::from_millis(wait.into()))
        }
        (outcome, _) => outcome,
    }
}

fn waiting(id: u16, wait: u16) -> Vec<u8> {
    [query(id), wait.to_be_bytes().to_vec()].concat()
}

fn short_idle() -> StreamLimits {
    let mut limits = StreamLimits::default();
    limits.caps.idle = Duration::from_millis(600);
    limits.first_query = limits.caps.idle;
    limits
}

#[test]
fn the_engine_answers_over_ipv4_and_ipv6() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let fixture = Fixture::start_on(address, StreamLimits::default(), engine::answer);
        let mut client = fixture.connect();
        for number in 0..3 {
            let answer = ask(&mut client, &query(number));
            assert_eq!(id(&answer), number);
            assert_eq!(answer[2] & 0x80, 0x80, "a response");
            assert_eq!(answer[3] & 0x0f, 5, "REFUSED, as no zone is served");
        }
    }
}

#[test]
fn requests_carry_client_and_transport() {
    let fixture = Fixture::start(
        StreamLimits::default(),
        |_: &Catalog, _: &mut WorkerState, request: &Request<'_>, out: &mut [u8]| {
            assert_eq!(request.client.to_string(), "127.0.0.1");
            assert_eq!(request.transport, Transport::Tcp);
            assert_eq!(out.len(), 65_535);
            Outcome::Respond(out.len())
        },
    );
    assert_eq!(ask(&mut fixture.connect(), &query(1)).len(), 65_535);
}

#[test]
fn pipelined_queries_are_answered_in_order_also_around_a_delayed_one() {
    let fixture = Fixture::start(StreamLimits::default(), later);
    let mut client = fixture.connect();
    let wait = |number| if number % 200 == 100 { 500 } else { 0 };
    let queries: Vec<_> =
        (0..400).flat_map(|number| framed(&waiting(number, wait(number)))).collect();
    let start = Instant::now();
    client.write_all(&queries).unwrap();
    for number in 0..400 {
        assert_eq!(receive(&mut client), waiting(number, wait(number)));
        if number == 99 {
            assert!(start.elapsed() < Duration::from_millis(450), "answers before it do not wait");
        }
    }
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn queries_may_come_byte_by_byte() {
    let fixture = Fixture::start(StreamLimits::default(), echo);
    let mut client = fixture.connect();
    for number in 0..2 {
        for byte in framed(&query(number)) {
            client.write_all(&[byte]).unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(receive(&mut client), query(number));
    }
}

#[test]
fn the_longest_queries_are_taken_at_any_split() {
    let fixture = Fixture::start(StreamLimits::default(), echo);
    let mut client = fixture.connect();
    for number in 0..20_u8 {
        let long = vec![number; MAX_QUERY];
        let two = [framed(&long), framed(&query(7))].concat();
        let (first, second) = two.split_at(usize::from(number) * 200 + 1);
        client.write_all(first).unwrap();
        client.write_all(second).unwrap();
        assert_eq!(receive(&mut client), long);
        assert_eq!(receive(&mut client), query(7));
    }
}

#[test]
fn lengths_no_query_has_end_the_connection_at_once() {
    let fixture = Fixture::start(StreamLimits::default(), echo);
    for garbage in [&b"\0\0"[..], b"\0\x0b", b"\x10\x01", b"\xff\xff", b"GET / HTTP/1.0\r\n\r\n"] {
        let mut client = fixture.connect();
        assert_eq!(ask(&mut client, &query(1)), query(1));
        let start = Instant::now();
        client.write_all(garbage).unwrap();
        assert!(closed(&mut client), "{garbage:?}");
        assert!(start.elapsed() < Duration::from_secs(2));
    }
    let mut client = fixture.connect();
    assert_eq!(ask(&mut client, &[0; 12]), [0; 12], "a header alone is for the engine to judge");
}

#[test]
fn dropped_queries_leave_the_connection_open() {
    let fixture = Fixture::start(
        StreamLimits::default(),
        |catalog: &Catalog, state: &mut WorkerState, request: &Request<'_>, out: &mut [u8]| {
            if id(request.query) == 1 { Outcome::Drop } else { echo(catalog, state, request, out) }
        },
    );
    let mut client = fixture.connect();
    client.write_all(&framed(&query(1))).unwrap();
    assert_eq!(ask(&mut client, &query(2)), query(2));
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answers() {
    let fixture = Fixture::start(StreamLimits::default(), echo);
    let mut client = fixture.connect();
    client.write_all(&[framed(&query(1)), framed(&query(2))].concat()).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(receive(&mut client), query(1));
    assert_eq!(receive(&mut client), query(2));
    assert!(closed(&mut client));
}

#[test]
fn idle_connections_are_closed_counted_from_the_last_query() {
    let fixture = Fixture::start(short_idle(), echo);
    let mut client = fixture.connect();
    let start = Instant::now();
    for number in 0..4 {
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(ask(&mut client, &query(number)), query(number));
    }
    assert!(closed(&mut client));
    let open = start.elapsed();
    assert!(open > Duration::from_millis(1350) && open < Duration::from_secs(4), "{open:?}");
    assert!(eventually(|| fixture.open() == 0));
}

#[test]
fn slow_loris_is_cut_though_it_keeps_sending() {
    let fixture = Fixture::start(short_idle(), echo);
    let mut client = fixture.connect();
    let start = Instant::now();
    for byte in framed(&vec![0; 4000]) {
        std::thread::sleep(Duration::from_millis(20));
        if client.write_all(&[byte]).is_err() {
            break;
        }
    }
    assert!(closed(&mut client));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let limits = StreamLimits { write: Duration::from_millis(200), ..StreamLimits::default() };
    let fixture = Fixture::start(
        limits,
        |_: &Catalog, _: &mut WorkerState, _: &Request<'_>, out: &mut [u8]| {
            Outcome::Respond(out.len())
        },
    );
    let mut client = fixture.connect();
    client.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    // 64 KiB each: far more than the socket buffers of both sides hold.
    for number in 0..1000 {
        if client.write_all(&framed(&query(number))).is_err() {
            break;
        }
    }
    assert!(eventually(|| fixture.open() == 0));
}

/// Keeps what becomes of transfers.
#[derive(Default)]
struct Transfers(Mutex<Vec<&'static str>>);

impl EventSink for Transfers {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push(event.name());
    }
}

/// A catalog of a zone whose transfer is larger than what the socket buffers of both sides hold.
fn large_zone() -> Catalog {
    let text = "x".repeat(250);
    let entry = |number: u32| format!("{} :2:{text}\n", Ipv4Addr::from(0x0a00_0000 + 7 * number));
    let list = dataset(Kind::Ip4Set, &(0..30_000).map(entry).collect::<String>());
    let transfer = TransferAccess {
        prefixes: vec!["127.0.0.0/8".parse().unwrap()],
        ..TransferAccess::default()
    };
    let zone = Zone { transfer, ..zone("bl.test", vec![list]) };
    Catalog::new(vec![zone], Chaos::default())
}

/// A secondary held one of the places for hours by taking a message now and then.
#[test]
fn a_secondary_that_takes_a_zone_too_slowly_is_cut() {
    let pace = Pace { bytes_per_second: 100 << 20, grace: Duration::from_millis(300) };
    let limits = StreamLimits { pace, ..StreamLimits::default() };
    let told = Arc::new(Transfers::default());
    let sink = Arc::clone(&told) as Arc<dyn EventSink>;
    let fixture = Fixture::start_of(large_zone(), "127.0.0.1:0", limits, engine::answer, sink);
    let asked =
        [&[0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], &b"\x02bl\x04test\0\0\xfc\0\x01"[..]].concat();
    // What it has taken at the end, if it rests after each 64 KiB.
    let taken = |rest: Duration| {
        let mut client = fixture.connect();
        client.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        client.write_all(&framed(&asked)).unwrap();
        let (mut buffer, mut taken) = (vec![0; 1 << 16], 0);
        loop {
            match client.read(&mut buffer) {
                Ok(0) => return taken,
                Ok(len) => taken += len,
                // The whole zone was taken, or the connection was cut.
                Err(_) => return taken,
            }
            std::thread::sleep(rest);
        }
    };
    let whole = taken(Duration::ZERO);
    let cut = taken(Duration::from_millis(20));
    assert!(whole > 8 << 20 && cut < whole, "{cut} of {whole} bytes");
    let told = || told.0.lock().unwrap().clone();
    assert!(eventually(|| told() == ["transfer-sent", "transfer-unfinished"]), "{:?}", told());
    assert_eq!(fixture.service.connections().closed(Closed::Unread), 1);
}

#[test]
fn connections_are_capped_per_client_and_in_all() {
    let mut limits = StreamLimits::default();
    limits.caps = Caps { connections: 5, per_client: 2, ..limits.caps };
    let fixture = Fixture::start_on("0.0.0.0:0", limits, echo);
    let port = fixture.address().port();
    let from = |last| connect_from([127, 0, 0, last], ([127, 0, 0, 1], port).into());
    let mut first = from(1);
    let mut second = from(1);
    assert_eq!(ask(&mut first, &query(1)), query(1));
    assert_eq!(ask(&mut second, &query(2)), query(2));
    assert_eq!(ask(&mut first, &query(1)), query(1));
    let mut third = from(1);
    assert_eq!(ask(&mut third, &query(3)), query(3), "a third of the same client");
    assert!(closed(&mut second), "the idlest of its client gave way");

    let mut others = [2, 3, 4].map(from);
    for other in &mut others {
        assert_eq!(ask(other, &query(4)), query(4));
    }
    assert_eq!(ask(&mut from(5), &query(5)), query(5), "a sixth in all");
    assert!(closed(&mut first), "the idlest of all gave way");
    assert!(eventually(|| fixture.open() == 4));
    let counts = fixture.service.connections();
    assert_eq!((counts.accepted, counts.limit, counts.gave_way()), (7, 5, 2));
    assert_eq!((counts.closed(Closed::Client), counts.closed(Closed::Full)), (1, 1));
    assert_eq!(ask(&mut third, &query(6)), query(6), "the others stay");
}

/// Ends that the server decides are counted by their reasons.
#[test]
fn ends_are_counted() {
    let mut limits = short_idle();
    limits.first_query = Duration::from_millis(200);
    let fixture = Fixture::start(limits, echo);
    let (mut mute, mut idle, mut stranger) =
        (fixture.connect(), fixture.connect(), fixture.connect());
    assert_eq!(ask(&mut idle, &query(1)), query(1));
    stranger.write_all(b"GET / HTTP/1.1").unwrap();
    assert!(closed(&mut stranger) && closed(&mut mute) && closed(&mut idle));
    let counts = fixture.service.connections();
    for reason in Closed::ALL {
        let expected = matches!(reason, Closed::FirstQuery | Closed::Idle | Closed::Malformed);
        assert_eq!(counts.closed(reason), u64::from(expected), "{reason:?}");
    }
}

#[test]
fn a_panic_ends_its_connection_only() {
    let fixture = Fixture::start(
        StreamLimits::default(),
        |catalog: &Catalog, state: &mut WorkerState, request: &Request<'_>, out: &mut [u8]| {
            assert_ne!(id(request.query), 13, "a test's panic");
            echo(catalog, state, request, out)
        },
    );
    let mut other = fixture.connect();
    assert_eq!(ask(&mut other, &query(1)), query(1));
    let mut bad = fixture.connect();
    bad.write_all(&framed(&query(13))).unwrap();
    assert!(closed(&mut bad));
    assert_eq!(ask(&mut other, &query(2)), query(2));
    let panics = &fixture.service.context.counters.panics;
    assert!(eventually(|| panics.load(std::sync::atomic::Ordering::Relaxed) == 1));
    assert!(eventually(|| fixture.open() == 1));
}

/// Panics when it is told of a query that got no answer.
#[derive(Default)]
struct Fragile {
    told: std::sync::Mutex<Vec<&'static str>>,
}

impl EventSink for Fragile {
    fn emit(&self, event: &Event) {
        self.told.lock().unwrap().push(event.name());
        assert_ne!(event.name(), "answer-panicked", "a test's panic");
    }
}

/// Regression: after a panic of the task that accepts, nobody accepted.
#[test]
fn a_panic_of_the_acceptor_is_told_and_it_accepts_again() {
    let sink = Arc::new(Fragile::default());
    let fixture = Fixture::start_telling(
        "127.0.0.1:0",
        StreamLimits::default(),
        |catalog: &Catalog, state: &mut WorkerState, request: &Request<'_>, out: &mut [u8]| {
            assert_ne!(id(request.query), 13, "a test's panic");
            echo(catalog, state, request, out)
        },
        Arc::clone(&sink) as _,
    );
    let mut bad = fixture.connect();
    bad.write_all(&framed(&query(13))).unwrap();
    assert!(closed(&mut bad));
    // To print the trace of a panic takes seconds on a busy machine, and the acceptor goes on until then.
    let is_told = || *sink.told.lock().unwrap() == ["answer-panicked", "thread-panicked"];
    assert!(eventually(is_told), "{:?}", sink.told.lock().unwrap());
    assert_eq!(ask(&mut fixture.connect(), &query(1)), query(1));
}

#[test]
fn stopping_lets_answers_finish_for_a_second() {
    let mut fixture = Fixture::start(StreamLimits::default(), later);
    let mut soon = fixture.connect();
    let mut never = fixture.connect();
    let mut idle = fixture.connect();
    assert_eq!(ask(&mut idle, &waiting(1, 0)), waiting(1, 0));
    soon.write_all(&framed(&waiting(2, 400))).unwrap();
    never.write_all(&framed(&waiting(3, 60_000))).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    fixture.stop();
    let stopped = start.elapsed();
    assert!(
        stopped > Duration::from_millis(900) && stopped < Duration::from_secs(3),
        "{stopped:?}"
    );
    assert_eq!(receive(&mut soon), waiting(2, 400));
    assert!(closed(&mut soon) && closed(&mut never) && closed(&mut idle));
    assert_eq!(fixture.open(), 0);
}

#[test]
fn stopping_without_answers_under_way_is_quick_and_frees_the_address() {
    let mut fixture = Fixture::start(StreamLimits::default(), echo);
    let address = fixture.address();
    let mut client = fixture.connect();
    assert_eq!(ask(&mut client, &query(1)), query(1));
    let start = Instant::now();
    fixture.stop();
    assert!(start.elapsed() < Duration::from_millis(500));
    listen::tcp(address).expect("the address is free again");
}

const CHILD: &str = "DNSBLD_TEST_WITHOUT_DESCRIPTORS";

/// Not a test by itself: the server of the next test, with few descriptors.
#[test]
#[ignore = "the child process of without_descriptors_the_listener_stays_calm"]
fn server_without_descriptors() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let mut limits = StreamLimits::default();
    limits.caps.per_client = limits.caps.connections;
    let fixture = Fixture::start(limits, echo);
    println!("\nport {}", fixture.address().port());
    // The parent closes our input when it is done.
    let _ = io::stdin().read_to_end(&mut Vec::new());
}

#[test]
fn without_descriptors_the_listener_stays_calm() {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 40; exec \"$0\" --ignored --exact --nocapture \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg("server::tcp::tests::server_without_descriptors")
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Held to the end: the child still prints its result.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = lines
        .find_map(|line| line.unwrap().strip_prefix("port ").map(|port| port.parse().unwrap()))
        .expect("the child's port");
    let address = SocketAddr::from(([127, 0, 0, 1], port));

    let clients: Vec<_> = (0..60).map(|_| connect(address)).collect();
    let before = processor_ticks(child.id());
    std::thread::sleep(Duration::from_secs(1));
    let spent = processor_ticks(child.id()) - before;
    assert!(spent <= 10, "{spent} ticks of 10 ms in a second: it spins");
    let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().count();
    assert!(open <= 31, "{open} descriptors of 40 are used: the reserve is used as well");

    let mut last = connect(address);
    assert_eq!(ask(&mut last, &query(2)), query(2), "a new client is served");
    let ended = clients.into_iter().map(|mut client| {
        client.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        usize::from(closed(&mut client))
    });
    assert!(ended.sum::<usize>() >= 60 - 31, "the idlest gave way");

    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(log.matches("cannot accept").count(), 0, "{log}");
}

/// User and system time of a process, in ticks of 10 ms.
fn processor_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}
