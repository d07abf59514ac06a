//! What `scripts/instructions` counts the instructions of, thread by thread: for each kind of
//! query a thread that calls the engine, and a UDP worker of the server, both with the same
//! queries.
//!
//! Prints a line per kind: its name, the number of queries, and the numbers of the two threads in
//! the order of their start, which is how callgrind numbers them as long as none has ended.

#[allow(dead_code, unreachable_pub)]
#[path = "../benches/common/mod.rs"]
mod common;
#[allow(unreachable_pub)]
#[path = "../benches/common/serving.rs"]
mod serving;
#[allow(dead_code, unreachable_pub)]
#[path = "../benches/common/sets.rs"]
mod sets;

use dnsbld::engine::{self, Catalog, Outcome, Request, Transport, WorkerState};
use dnsbld::net::delay::DelayQueue;
use dnsbld::net::live::{Live, LiveCache};
use dnsbld::net::udp::UdpServer;
use dnsbld::net::{NetCounters, listen};
use dnsbld::stats::Recorders;
use sets::{A, Asked, Question, Set, TXT};
use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// As many queries as a worker takes at once.
const BATCH: usize = 64;
/// Queries of each kind: what a thread does at its start is then less than one instruction each.
const COUNT: usize = 128 * BATCH;
/// Entries of each data set: their number hardly makes a difference.
const ENTRIES: usize = 20_000;

fn main() -> io::Result<()> {
    let sets = [
        ("ip4", Set::addresses(20 * ENTRIES, 12_000)),
        ("cidr", Set::cidrs(ENTRIES, 3_000)),
        ("name", Set::names(ENTRIES)),
        ("ip6", Set::ip6(ENTRIES)),
    ];
    let live = Live::new(catalog(&sets));
    let counters = Arc::new(NetCounters::default());
    let delay = DelayQueue::start(Arc::clone(&counters))?;
    let mut recorders = Recorders::default();
    let mut servers = Vec::new();
    // This thread is 1, that of the delay queue 2.
    let mut threads = 3..;
    for (name, packets) in kinds(&sets) {
        call_engine(live.cache(), packets.clone())?;
        let listeners = listen::udp((Ipv4Addr::LOCALHOST, 0).into(), 1);
        let listeners = listeners.map_err(io::Error::other)?;
        let server = UdpServer::start(listeners, &live, &delay, &counters, &mut recorders)?;
        ask_server(server.address(), &packets)?;
        servers.push(server);
        let [engine, worker] = [threads.next(), threads.next()].map(Option::unwrap_or_default);
        println!("{name} {} {engine:02} {worker:02}", packets.len());
    }
    Ok(())
}

/// The kinds of queries and their packets.
fn kinds(sets: &[(&str, Set)]) -> Vec<(String, Vec<Vec<u8>>)> {
    let mut kinds = Vec::new();
    for (zone, set) in sets {
        for (mix, name) in [(Asked::Mix, "mix"), (Asked::Txt, "txt")] {
            let packets = packets(set, mix, |ask| serving::query(&full(ask, zone), ask.qtype));
            kinds.push((format!("{zone}-{name}"), packets));
        }
    }
    let (zone, set) = &sets[0];
    let with_edns = |ask: &Question| serving::query_with_edns(&full(ask, zone), ask.qtype);
    kinds.push(("ip4-mix-edns".into(), packets(set, Asked::Mix, with_edns)));
    let nxdomain = |ask: &Question| serving::query(&full(ask, zone), TXT);
    kinds.push(("ip4-nxdomain".into(), packets(set, Asked::Unlisted, nxdomain)));
    let refused = |ask: &Question| serving::query(&full(ask, "elsewhere"), A);
    kinds.push(("refused".into(), packets(set, Asked::Mix, refused)));
    const SOA: u16 = 6;
    let apex = |_: &Question| serving::query("ip4.bl.test", SOA);
    kinds.push(("apex-soa".into(), packets(set, Asked::Mix, apex)));
    kinds
}

fn packets(set: &Set, mix: Asked, packet: impl Fn(&Question) -> Vec<u8>) -> Vec<Vec<u8>> {
    set.questions(mix, COUNT).iter().map(packet).collect()
}

fn full(question: &Question, zone: &str) -> String {
    format!("{}.{zone}.bl.test", question.name)
}

fn catalog(sets: &[(&str, Set)]) -> Catalog {
    serving::catalog(sets.iter().map(|(zone, set)| {
        let mut text = Vec::new();
        set.write(&mut text).expect("room for the text");
        (format!("{zone}.bl.test"), vec![Arc::new(serving::dataset(set.kind, &text))])
    }))
}

/// Answers the packets in a thread of its own, which then goes on to wait.
fn call_engine(mut live: LiveCache, packets: Vec<Vec<u8>>) -> io::Result<()> {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let catalog = live.load();
        let mut state = WorkerState::default();
        let mut out = [0; 1280];
        for query in &packets {
            let client = Ipv4Addr::LOCALHOST.into();
            let request = Request { query, client, transport: Transport::Udp, now: 1 };
            let outcome = engine::answer(catalog, &mut state, &request, &mut out);
            assert!(matches!(black_box(outcome), Outcome::Respond(_)));
        }
        let _ = done.send(());
        loop {
            thread::park();
        }
    });
    is_done.recv().map_err(io::Error::other)
}

/// Sends the packets, a batch at a time, and waits for the answers.
fn ask_server(server: SocketAddr, packets: &[Vec<u8>]) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut answer = [0; 1280];
    for batch in packets.chunks(BATCH) {
        for packet in batch {
            socket.send(packet)?;
        }
        for _ in batch {
            socket.recv(&mut answer)?;
        }
    }
    Ok(())
}
