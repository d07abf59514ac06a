use std::collections::HashSet;
use std::net::UdpSocket;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use std::time::Instant;

use super::*;
use crate::engine::Catalog;
use crate::event::Log;
use crate::server::listen;
use crate::server::shared_catalog::SharedCatalog;
use crate::server::testing::{eventually, id, query};

/// A server and all it needs.
struct Fixture {
    server: UdpServer,
    context: Context,
    _delay: DelayQueue,
}

fn serve(address: &str, workers: usize, answer: impl AnswerFn) -> Fixture {
    let context = context();
    let delay = DelayQueue::start(Arc::clone(&context.counters), &context.sink).unwrap();
    let listeners = listen::udp(address.parse().unwrap(), workers).unwrap();
    let server =
        UdpServer::start_with(listeners, &context, &delay, &mut Recorders::default(), answer);
    let server = server.unwrap();
    Fixture { server, context, _delay: delay }
}

fn context() -> Context {
    let catalog = SharedCatalog::new(Catalog::default());
    Context::new(Arc::new(catalog), Arc::new(Log))
}

/// A client of `address` with a receive buffer for big bursts.
fn client(address: SocketAddr) -> UdpSocket {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut message = vec![0; 2000];
    let len = socket.recv(&mut message).expect("an answer");
    message.truncate(len);
    message
}

fn echo(_: &Catalog, _: &mut WorkerState, request: &Request<'_>, out: &mut [u8]) -> Outcome {
    out[..request.query.len()].copy_from_slice(request.query);
    Outcome::Respond(request.query.len())
}

#[test]
fn the_engine_answers_every_client_over_several_workers() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let fixture = serve(address, 2, engine::answer);
        for base in 0..20 {
            // Clients with ports of their own are spread over the workers.
            let client = client(fixture.server.address());
            let mut asked = HashSet::new();
            for number in 0..100 {
                asked.insert(base * 100 + number);
                client.send(&query(base * 100 + number)).unwrap();
            }
            while !asked.is_empty() {
                let answer = receive(&client);
                assert!(asked.remove(&id(&answer)), "an answer to what was asked, once");
                assert_eq!(answer[2] & 0x80, 0x80, "a response");
                assert_eq!(answer[3] & 0x0f, 5, "REFUSED, as no zone is served");
            }
        }
    }
}

#[test]
fn requests_carry_client_time_and_transport() {
    let seen = Arc::new(Mutex::new(None));
    let fixture = serve("127.0.0.1:0", 1, {
        let seen = Arc::clone(&seen);
        move |_: &Catalog, _: &mut WorkerState, request: &Request<'_>, _: &mut [u8]| {
            *seen.lock().unwrap() = Some((request.client, request.now, request.transport));
            Outcome::Drop
        }
    });
    client(fixture.server.address()).send(b"?").unwrap();
    assert!(eventually(|| seen.lock().unwrap().is_some()));
    let (client, now, transport) = seen.lock().unwrap().unwrap();
    assert_eq!(client.to_string(), "127.0.0.1");
    assert!(unix_time() - now < 10);
    assert_eq!(transport, Transport::Udp);
}

#[test]
fn wildcard_sockets_reply_from_the_address_asked() {
    let fixture = serve("0.0.0.0:0", 2, echo);
    let port = fixture.server.address().port();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for asked in ["127.0.0.2", "127.0.0.3", "127.0.0.1", "127.99.0.2"] {
        let asked: SocketAddr = format!("{asked}:{port}").parse().unwrap();
        socket.send_to(asked.to_string().as_bytes(), asked).unwrap();
        let mut answer = [0; 64];
        let (len, source) = socket.recv_from(&mut answer).unwrap();
        assert_eq!(source, asked);
        assert_eq!(&answer[..len], asked.to_string().as_bytes());
    }

    let fixture = serve("[::]:0", 2, echo);
    let port = fixture.server.address().port();
    let client = client(format!("[::1]:{port}").parse().unwrap());
    client.send(b"six").unwrap();
    assert_eq!(receive(&client), b"six");
}

/// Holds the first query back until the flag is set, so that others pile up behind it.
fn gated(open: &Arc<AtomicBool>, answer: impl AnswerFn) -> impl AnswerFn {
    let open = Arc::clone(open);
    move |catalog: &Catalog, state: &mut WorkerState, request: &Request<'_>, out: &mut [u8]| {
        while !open.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        answer(catalog, state, request, out)
    }
}

#[test]
fn a_burst_that_fits_the_receive_buffer_is_answered_without_loss() {
    let open = Arc::default();
    let fixture = serve("127.0.0.1:0", 1, gated(&open, echo));
    let client = client(fixture.server.address());
    for number in 0..1000 {
        client.send(&query(number)).unwrap();
    }
    open.store(true, Ordering::Relaxed);
    for number in 0..1000 {
        assert_eq!(id(&receive(&client)), number, "in order: one worker, one socket");
    }
}

#[test]
fn a_worker_keeps_its_number_after_a_panic() {
    let context = context();
    let counters = engine::Counters::new(1);
    context.catalog.publish(Catalog::default().with_counters(counters.clone()));
    let delay = DelayQueue::start(Arc::clone(&context.counters), &context.sink).unwrap();
    let listeners = listen::udp("127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let mut recorders = Recorders::default();
    recorders.take();
    let answer =
        |catalog: &Catalog, state: &mut WorkerState, request: &Request<'_>, out: &mut [u8]| {
            assert_ne!(id(request.query), 13, "a fault");
            engine::answer(catalog, state, request, out)
        };
    let server =
        UdpServer::start_with(listeners, &context, &delay, &mut recorders, answer).unwrap();
    let client = client(server.address());
    for number in [12, 13, 14] {
        client.send(&query(number)).unwrap();
    }
    assert_eq!([receive(&client), receive(&client)].map(|answer| id(&answer)), [12, 14]);
    assert_eq!(counters.figures(), engine::Figures::default(), "the place of another worker");
}

#[test]
fn datagrams_longer_than_the_buffer_are_dropped_and_counted() {
    let fixture = serve("127.0.0.1:0", 1, echo);
    let client = client(fixture.server.address());
    for len in [1281, 2000, 9000, 60_000] {
        client.send(&vec![1; len]).unwrap();
    }
    for len in [1232, 1280, 0, 1] {
        client.send(&vec![2; len]).unwrap();
        assert_eq!(receive(&client), vec![2; len]);
    }
    assert_eq!(fixture.context.counters.udp_unusable.load(Ordering::Relaxed), 4);
}

#[test]
fn a_length_beyond_the_buffer_is_cut() {
    let fixture = serve(
        "127.0.0.1:0",
        1,
        |_: &Catalog, _: &mut WorkerState, _: &Request<'_>, _: &mut [u8]| {
            Outcome::Respond(usize::MAX)
        },
    );
    let client = client(fixture.server.address());
    client.send(b"?").unwrap();
    assert_eq!(receive(&client).len(), crate::server::mmsg::REPLY_SPACE);
}

/// Answers `l...` after 600 ms, everything else at once.
fn later(
    catalog: &Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    out: &mut [u8],
) -> Outcome {
    match echo(catalog, state, request, out) {
        Outcome::Respond(len) if request.query[0] == b'l' => {
            Outcome::RespondAfter(len, Duration::from_millis(600))
        }
        outcome => outcome,
    }
}

#[test]
fn delayed_answers_hold_nobody_up_and_come_from_the_address_asked() {
    let fixture = serve("0.0.0.0:0", 1, later);
    let asked = SocketAddr::from(([127, 0, 0, 2], fixture.server.address().port()));
    // Connected: it hears nobody but 127.0.0.2.
    let client = client(asked);
    let start = Instant::now();
    for message in ["later 1", "now 1", "later 2", "now 2"] {
        client.send(message.as_bytes()).unwrap();
    }
    assert_eq!(receive(&client), b"now 1");
    assert_eq!(receive(&client), b"now 2");
    let quick = start.elapsed();
    assert_eq!(receive(&client), b"later 1");
    assert_eq!(receive(&client), b"later 2");
    let slow = start.elapsed();
    assert!(quick < Duration::from_millis(500), "{quick:?}");
    assert!(slow >= Duration::from_millis(600) && slow < Duration::from_secs(3), "{slow:?}");
}

#[test]
fn delayed_answers_are_bounded() {
    let served = Arc::new(AtomicU64::new(0));
    let fixture = serve("127.0.0.1:0", 1, {
        let served = Arc::clone(&served);
        move |_: &Catalog, _: &mut WorkerState, _: &Request<'_>, _: &mut [u8]| {
            served.fetch_add(1, Ordering::Relaxed);
            Outcome::RespondAfter(12, Duration::from_secs(3600))
        }
    });
    let client = client(fixture.server.address());
    for round in 1..=101 {
        for _ in 0..100 {
            client.send(b"?").unwrap();
        }
        assert!(eventually(|| served.load(Ordering::Relaxed) == round * 100));
    }
    assert!(eventually(|| fixture.context.counters.delay_overflow.load(Ordering::Relaxed) == 100));
    // Regression: they had no answer at all, so that a flood silenced all entries with a delay.
    for _ in 0..100 {
        assert_eq!(receive(&client).len(), 12);
    }
    let start = Instant::now();
    drop(fixture);
    assert!(start.elapsed() < Duration::from_secs(1), "nobody waits for delayed answers");
}

#[test]
fn a_panic_costs_its_query_only() {
    let open = Arc::default();
    let fixture = serve(
        "127.0.0.1:0",
        1,
        gated(
            &open,
            |catalog: &Catalog, state: &mut WorkerState, request: &Request<'_>, out: &mut [u8]| {
                assert!(request.query != b"bad", "a test's panic");
                echo(catalog, state, request, out)
            },
        ),
    );
    let client = client(fixture.server.address());
    for message in ["one", "bad", "two", "bad", "three"] {
        client.send(message.as_bytes()).unwrap();
    }
    open.store(true, Ordering::Relaxed);
    for message in ["one", "two", "three"] {
        assert_eq!(receive(&client), message.as_bytes());
    }
    assert_eq!(fixture.context.counters.panics.load(Ordering::Relaxed), 2);
}

#[test]
fn stopping_answers_what_has_arrived_and_frees_the_address() {
    let open = Arc::default();
    let fixture = serve("127.0.0.1:0", 1, gated(&open, echo));
    let address = fixture.server.address();
    let client = client(address);
    for number in 0..200 {
        client.send(&query(number)).unwrap();
    }
    let stopping = thread::spawn(move || fixture.server.stop());
    thread::sleep(Duration::from_millis(50));
    open.store(true, Ordering::Relaxed);
    stopping.join().unwrap();
    for number in 0..200 {
        assert_eq!(id(&receive(&client)), number);
    }
    listen::udp(address, 1).expect("the address is free again");
}

#[test]
fn idle_workers_stop_at_once() {
    let fixture = serve("[::1]:0", 3, echo);
    thread::sleep(Duration::from_millis(20));
    let start = Instant::now();
    fixture.server.stop();
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
}

#[test]
fn idle_workers_let_go_of_a_replaced_catalog() {
    let fixture = serve("127.0.0.1:0", 2, echo);
    fixture.context.catalog.publish(Catalog::default());
    assert!(eventually(|| fixture.context.catalog.sweep() == 0));
}

#[test]
fn no_sockets_no_server() {
    let context = context();
    let delay = DelayQueue::start(Arc::clone(&context.counters), &context.sink).unwrap();
    let mut recorders = Recorders::default();
    assert!(UdpServer::start(Vec::new(), &context, &delay, &mut recorders).is_err());
}
