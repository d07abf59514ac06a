//! What `scripts/instructions` counts the instructions of, thread by thread: for each kind of
//! query a thread that calls the engine, and a UDP worker of the server, both with the same
//! queries.
//!
//! Prints a line per kind: its name, the number of queries, and the numbers of the thread that calls
//! the engine and of the workers in the order of their start, which is how callgrind numbers them as
//! long as none has ended.

#[allow(dead_code, unreachable_pub)]
#[path = "../benches/common/bounds.rs"]
mod bounds;
#[allow(dead_code, unreachable_pub)]
#[path = "../benches/common/mod.rs"]
mod common;
#[allow(unreachable_pub)]
#[path = "../benches/common/serving.rs"]
mod serving;
#[allow(dead_code, unreachable_pub)]
#[path = "../benches/common/sets.rs"]
mod sets;

use dnsbld::config::Top;
use dnsbld::engine::{self, Outcome, Request, Transport, WorkerState};
use dnsbld::event::{EventSink, Log};
use dnsbld::server::delay::DelayQueue;
use dnsbld::server::shared_catalog::{CatalogCache, SharedCatalog};
use dnsbld::server::udp::UdpServer;
use dnsbld::server::{Context, listen};
use dnsbld::stats::top::Tops;
use dnsbld::stats::{Latency, Recorders, Taps};
use dnsbld::zone::{Catalog, Chaos, Dataset, RateLimit, Scoring, Threshold, Zone};
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

/// Entries of the allow lists.
const ALLOWED: usize = 2_000;
/// Workers of a server that has more than one.
const WORKERS: usize = 2;
/// As many workers as all servers may have together.
const MAX_WORKERS: usize = 64;
/// Queries a second and at once that are never reached.
const RATE: u32 = 100_000;
/// Zones of a server that has many.
const ZONES: usize = 1_000;
/// The client's sockets: enough for each worker to get its part.
const SOCKETS: usize = 16;

/// A kind of queries.
struct Kind {
    name: String,
    /// What is served.
    live: Arc<SharedCatalog>,
    packets: Vec<Vec<u8>>,
    workers: usize,
}

fn main() -> io::Result<()> {
    let sink: Arc<dyn EventSink> = Arc::new(Log);
    let delay = DelayQueue::start(Arc::default(), &sink)?;
    // As of a server: what is asked most is looked at, too.
    let tops = Tops::new(MAX_WORKERS, 0);
    tops.apply(Top::default());
    let taps = Taps::default();
    let mut recorders = Recorders::new(&taps, Latency::default(), tops);
    let mut servers = Vec::new();
    // This thread is 1, that of the delay queue 2.
    let mut threads = 3..;
    for Kind { name, live, packets, workers } in kinds() {
        call_engine(live.cache(), packets.clone())?;
        let listeners = listen::udp((Ipv4Addr::LOCALHOST, 0).into(), workers);
        let listeners = listeners.map_err(io::Error::other)?;
        let context = Context::new(Arc::clone(&live), Arc::new(Log));
        let server = UdpServer::start(listeners, &context, &delay, &mut recorders)?;
        ask_server(server.address(), &packets)?;
        servers.push((server, live));
        let own: Vec<_> =
            threads.by_ref().take(1 + workers).map(|thread| format!("{thread:02}")).collect();
        println!("{name} {} {}", packets.len(), own.join(" "));
    }
    Ok(())
}

/// The kinds of queries and their packets.
fn kinds() -> Vec<Kind> {
    let sets = [
        ("ip4", Set::addresses(20 * ENTRIES, 12_000)),
        ("cidr", Set::cidrs(ENTRIES, 3_000)),
        ("name", Set::names(ENTRIES)),
        ("ip6", Set::ip6(ENTRIES)),
    ];
    let datasets: Vec<_> = sets.iter().map(|(zone, set)| (*zone, dataset(set))).collect();
    let live = |zones: Vec<(String, Vec<Arc<Dataset>>)>| {
        Arc::new(SharedCatalog::new(serving::catalog(zones)))
    };
    let lists = datasets.iter().map(|(zone, dataset)| (apex(zone), vec![Arc::clone(dataset)]));
    let all = live(lists.collect());
    let mut kinds = Vec::new();
    let mut add = |name: &str, live: &Arc<SharedCatalog>, packets, workers| {
        kinds.push(Kind { name: name.to_owned(), live: Arc::clone(live), packets, workers });
    };
    for (zone, set) in &sets {
        for (mix, name) in [(Asked::Mix, "mix"), (Asked::Txt, "txt")] {
            let packets = packets(set, mix, |ask| serving::query(&full(ask, zone), ask.qtype));
            add(&format!("{zone}-{name}"), &all, packets, 1);
        }
    }
    let (zone, set) = &sets[0];
    let with_edns = |ask: &Question| serving::query_with_edns(&full(ask, zone), ask.qtype);
    add("ip4-mix-edns", &all, packets(set, Asked::Mix, with_edns), 1);
    let nxdomain = |ask: &Question| serving::query(&full(ask, zone), TXT);
    add("ip4-nxdomain", &all, packets(set, Asked::Unlisted, nxdomain), 1);
    let refused = |ask: &Question| serving::query(&full(ask, "elsewhere"), A);
    add("refused", &all, packets(set, Asked::Mix, refused), 1);
    const SOA: u16 = 6;
    add("apex-soa", &all, packets(set, Asked::Mix, |_| serving::query(&apex(zone), SOA)), 1);

    let mix = |ask: &Question| serving::query(&full(ask, zone), ask.qtype);
    add("two-workers", &all, packets(set, Asked::Mix, mix), WORKERS);
    let stack = live(vec![(apex(zone), vec![Arc::clone(&datasets[0].1), dataset(set)])]);
    add("two-stacked", &stack, packets(set, Asked::Mix, mix), 1);
    let stack = live(vec![(apex(zone), zen(set))]);
    for (asked, name) in [(Asked::Mix, "zen-mix"), (Asked::Txt, "zen-txt")] {
        add(name, &stack, packets(set, asked, mix), 1);
    }
    let alone =
        |zone: Zone| Arc::new(SharedCatalog::new(Catalog::new(vec![zone], Chaos::default())));
    let with =
        |number: usize| serving::zone(&apex(sets[number].0), vec![Arc::clone(&datasets[number].1)]);
    let allow = dataset(&Set::cidrs(ALLOWED, 1));
    add(
        "ip4-allow",
        &alone(Zone { allow: vec![allow], ..with(0) }),
        packets(set, Asked::Mix, mix),
        1,
    );
    let acl = Arc::new(serving::dataset("acl", b"0.0.0.0/0 :refuse\n127.0.0.0/8 :pass\n"));
    add("ip4-acl", &alone(Zone { acl: vec![acl], ..with(0) }), packets(set, Asked::Mix, mix), 1);
    let limit = || Some(RateLimit::new(RATE, RATE, false, Vec::new(), 1));
    for (number, name) in [(0, "ip4-limit"), (3, "ip6-limit")] {
        let (zone, set) = &sets[number];
        let mix = |ask: &Question| serving::query(&full(ask, zone), ask.qtype);
        let zone = vec![with(number)];
        let catalog = Catalog::new(zone, Chaos::default()).with_rate_limit(limit());
        let live = Arc::new(SharedCatalog::new(catalog));
        add(name, &live, packets(set, Asked::Mix, mix), 1);
    }
    add("verdict-three", &alone(verdict(&datasets[0].1, set)), packets(set, Asked::Mix, mix), 1);
    let (zone, names) = &sets[2];
    let name_mix = |ask: &Question| serving::query(&full(ask, zone), ask.qtype);
    // The first names of the list itself.
    let allow = dataset(&Set::names(ALLOWED));
    let live_names = alone(Zone { allow: vec![allow], ..with(2) });
    add("name-allow", &live_names, packets(names, Asked::Mix, name_mix), 1);
    let pair = ["one", "other"].map(|zone| (apex(zone), vec![Arc::clone(&datasets[2].1)]));
    let mut zones = ["one", "other"].iter().cycle();
    let alternating =
        |ask: &Question| serving::query(&full(ask, zones.next().unwrap_or(&"one")), ask.qtype);
    let pair = live(pair.into());
    add("name-alternating", &pair, packets(names, Asked::Mix, alternating), 1);

    let zones = (0..ZONES).map(|number| apex(&format!("zone{number}")));
    let many = live(zones.map(|zone| (zone, vec![Arc::clone(&datasets[0].1)])).collect());
    let mut numbers = (0..ZONES).cycle();
    let mut in_turn = |ask: &Question| {
        let number = numbers.next().unwrap_or_default();
        serving::query(&full(ask, &format!("zone{number}")), ask.qtype)
    };
    add("many-zones", &many, packets(set, Asked::Mix, &mut in_turn), 1);
    let hashes = Set::digests(ENTRIES);
    let zone = || alone(serving::zone(&apex("hash"), vec![dataset(&hashes)]));
    for (mix, name) in [(Asked::Mix, "hash-mix"), (Asked::Txt, "hash-txt")] {
        let ask = |ask: &Question| serving::query(&full(ask, "hash"), ask.qtype);
        add(name, &zone(), packets(&hashes, mix, ask), 1);
    }
    let deep = serving::dataset("dnset", deep_names().as_bytes());
    let deep = live(vec![(apex("deep"), vec![Arc::new(deep)])]);
    add("hostile-names", &deep, hostile_packets(), 1);
    kinds
}

/// Three lists that have the addresses of a set together, each with a value of its own; a third of the
/// addresses are in two of them.
fn zen(set: &Set) -> Vec<Arc<Dataset>> {
    let list = |number: usize| {
        let list = set.part(|place| place % 3 == number || place % 9 == (number + 5) % 9);
        let mut text = Vec::new();
        list.write(&mut text).expect("room for the text");
        // Its own value in place of the one that all sets have.
        let end = text.iter().position(|&byte| byte == b'\n').expect("a line");
        let value = format!(":127.0.0.{}:See https://bl.test/list{number}?ip=$", 2 + number);
        text.splice(..end, value.into_bytes());
        Arc::new(serving::dataset(list.kind, &text))
    };
    (0..3).map(list).collect()
}

/// A verdict zone of three lists: the one given, the same once more, and an allow list.
fn verdict(list: &Arc<Dataset>, set: &Set) -> Zone {
    let datasets = vec![Arc::clone(list), dataset(set)];
    let allow = dataset(&Set::cidrs(ALLOWED, 1));
    let mut lists: Vec<_> = datasets.iter().map(|list| (Arc::clone(list), 5)).collect();
    lists.push((Arc::clone(&allow), -10));
    let at = |sum: u8| Threshold { sum: sum.into(), a: Ipv4Addr::new(127, 0, 0, sum) };
    let scoring = Some(Arc::new(Scoring::new(lists, vec![at(5), at(10)])));
    Zone { allow: vec![allow], scoring, ..serving::zone(&apex("ip4"), datasets) }
}

/// Names one below the other, as deep as a name can be, all listed: nothing ends the way down early.
fn deep_names() -> String {
    (1..DEPTH).map(|depth| format!("{}com\n", "a.".repeat(depth))).collect()
}

/// Names of as many labels as fit, which part from those that are listed at any depth.
fn hostile_packets() -> Vec<Vec<u8>> {
    let name = |number: usize| {
        let same = number % DEPTH;
        format!("{}{}com.{}", "b.".repeat(DEPTH - same), "a.".repeat(same), apex("deep"))
    };
    (0..COUNT).map(|number| serving::query(&name(number), A)).collect()
}

/// Labels before `com.deep.bl.test` in a name of 255 bytes.
const DEPTH: usize = 118;

fn dataset(set: &Set) -> Arc<Dataset> {
    let mut text = Vec::new();
    set.write(&mut text).expect("room for the text");
    Arc::new(serving::dataset(set.kind, &text))
}

fn apex(zone: &str) -> String {
    format!("{zone}.bl.test")
}

fn packets(set: &Set, mix: Asked, packet: impl FnMut(&Question) -> Vec<u8>) -> Vec<Vec<u8>> {
    set.questions(mix, COUNT).iter().map(packet).collect()
}

fn full(question: &Question, zone: &str) -> String {
    format!("{}.{zone}.bl.test", question.name)
}

/// Answers the packets in a thread of its own, which then goes on to wait.
fn call_engine(mut live: CatalogCache, packets: Vec<Vec<u8>>) -> io::Result<()> {
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
    let open = |_| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(socket)
    };
    let sockets: Vec<UdpSocket> = (0..SOCKETS).map(open).collect::<io::Result<_>>()?;
    let mut answer = [0; 1280];
    for batch in packets.chunks(BATCH) {
        let lanes = || sockets.iter().cycle();
        for (packet, socket) in batch.iter().zip(lanes()) {
            socket.send(packet)?;
        }
        for (_, socket) in batch.iter().zip(lanes()) {
            socket.recv(&mut answer)?;
        }
    }
    Ok(())
}
