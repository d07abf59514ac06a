//! A feed that changes, mirrored by rsync while queries go on: each answer is right for a version
//! of the feed that was there, versions follow each other, and no query is lost.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crate::common::{
    Reply, RsyncDaemon, Server, mirror, names_in, query, reversed, temp_dir, wait_until,
};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

const ZONE: &str = "bl.example";
/// Every version lists two fifths of the keys: a common fifth and a fifth of its own.
const KEYS: u32 = 250_000;
/// The first version is there at the start, each other one comes by an update.
const VERSIONS: u32 = 6;
/// How long after the mirror run a new version may take.
const UPDATE_LIMIT: Duration = Duration::from_secs(6);
/// The time between two queries.
const PACE: Duration = Duration::from_millis(1);
/// How long a reply may take before the query counts as lost.
const REPLY_LIMIT: Duration = Duration::from_secs(3);

#[test]
fn a_feed_changes_under_queries() {
    let daemon = RsyncDaemon::start("");
    let folder = temp_dir();
    let source = daemon.url("feed");
    let run_mirror = || {
        let output = mirror(folder.path()).args([&source, "list"]).output().expect("sh is there");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    };

    publish(&daemon, 1);
    run_mirror();
    let file = folder.path().join("list/feed");
    let server = Server::start(&[&format!("{ZONE}:ip4set:{}", file.display())]);
    let stream = Stream::start(server.addr());
    stream.expect_version(1, &server);

    for version in 2..=VERSIONS {
        publish(&daemon, version);
        stream.allow_version(version);
        run_mirror();
        stream.expect_version(version, &server);
        assert_eq!(names_in(folder.path()), [".sync", "list"]);
        assert_eq!(names_in(&folder.path().join("list")), ["feed"]);
    }

    let (asked, took) = stream.finish();
    println!("{asked} queries in {took:.1?}, {} versions", VERSIONS);
    assert_eq!(daemon.sessions().len(), VERSIONS as usize);
}

/// Puts a version of the feed where the daemon serves it.
fn publish(daemon: &RsyncDaemon, version: u32) {
    let mut text = format!(":{}:version {version}: $ is listed\n", value(version));
    let listed = (0..KEYS).filter(|&key| lists(version, key));
    listed.for_each(|key| text.push_str(&format!("{}\n", address(key))));
    assert_eq!(text.lines().count(), 100_001);

    let path = daemon.feeds().join("feed");
    fs::write(&path, text).expect("the feed can be written");
    // The fourth version is older than the third: a feed's clock may be put right.
    let minutes = if version == 4 { 1 } else { 10 * u64::from(version) };
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + 60 * minutes);
    File::options().write(true).open(path).expect("it is there").set_modified(time).expect("ours");
}

/// Whether a version lists a key: it is in the common fifth or in the version's own.
fn lists(version: u32, key: u32) -> bool {
    [0, version % 4 + 1].contains(&(key % 5))
}

/// The A record's address in a version.
fn value(version: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x7f00_000a + version)
}

/// Keys spread over 10.0.0.0/8, so that neighbours in the file are none in the trie.
fn address(key: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 | (key.wrapping_mul(6_700_417) & 0x00ff_ffff))
}

/// What the threads of a stream share.
#[derive(Default)]
struct Progress {
    /// The newest version that may be served.
    allowed: AtomicU32,
    /// The version that was served last.
    served: AtomicU32,
    stop: AtomicBool,
    /// How many queries were sent in all, once they were.
    sent: OnceLock<u64>,
}

/// A steady stream of queries. It goes through one socket: a server answers those in their order.
struct Stream {
    progress: Arc<Progress>,
    sender: JoinHandle<()>,
    checker: JoinHandle<u64>,
    start: Instant,
}

impl Stream {
    fn start(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        socket.connect(server).expect("loopback can be reached");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("it is not zero");
        let progress = Arc::new(Progress { allowed: AtomicU32::new(1), ..Progress::default() });

        let (out, shared) = (socket.try_clone().expect("a second handle"), progress.clone());
        let sender = thread::spawn(move || send(&out, &shared));
        let shared = progress.clone();
        let checker = thread::spawn(move || check_all(&socket, &shared));
        Self { progress, sender, checker, start: Instant::now() }
    }

    fn allow_version(&self, version: u32) {
        self.progress.allowed.store(version, Ordering::SeqCst);
    }

    fn expect_version(&self, version: u32, server: &Server) {
        let served = || self.progress.served.load(Ordering::SeqCst) == version;
        let in_time = wait_until(UPDATE_LIMIT, || served() || self.checker.is_finished());
        assert!(!self.checker.is_finished(), "the stream has failed: {}", server.log());
        assert!(in_time, "version {version} is late: {}", server.log());
    }

    /// Ends the stream: how many queries were asked and answered, and in what time.
    fn finish(self) -> (u64, Duration) {
        self.progress.stop.store(true, Ordering::SeqCst);
        let took = self.start.elapsed();
        self.sender.join().expect("the sender has not failed");
        (self.checker.join().expect("the checker has not failed"), took)
    }
}

/// The query of that number in the stream: every other one for a key at the end of the file, which
/// a torn read would miss.
fn question(number: u64) -> (u32, RecordType) {
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let scattered = u32::try_from(scattered).expect("half of 64 bits");
    let key = if number.is_multiple_of(2) { scattered % KEYS } else { KEYS - 1 - scattered % 1000 };
    (key, if number & 2 == 0 { RecordType::A } else { RecordType::TXT })
}

fn id(number: u64) -> u16 {
    u16::try_from(number & 0xffff).expect("masked")
}

fn send(socket: &UdpSocket, progress: &Progress) {
    let mut due = Instant::now();
    let mut number = 0;
    while !progress.stop.load(Ordering::SeqCst) {
        let (key, qtype) = question(number);
        let message = query(id(number), &reversed(address(key), ZONE), qtype);
        socket.send(&message).expect("the server is there");
        number += 1;
        // Time that was lost is not made up for: a burst would test the socket's buffer.
        due = (due + PACE).max(Instant::now());
        // The rate is what makes it a stream.
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    progress.sent.set(number).expect("there is one sender");
}

/// Checks replies until the last query's: how many they were.
fn check_all(socket: &UdpSocket, progress: &Progress) -> u64 {
    let mut served = 1;
    let mut number = 0;
    let mut last = Instant::now();
    let mut buffer = [0; 4096];
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let reply = Reply::parse(&buffer[..length]).expect("a reply is a DNS message");
                assert_eq!(buffer[..2], id(number).to_be_bytes(), "a query was lost or overtaken");
                let versions = served..=progress.allowed.load(Ordering::SeqCst);
                served = version_of(&reply, question(number), versions);
                progress.served.store(served, Ordering::SeqCst);
                number += 1;
                last = Instant::now();
            }
            Err(_) if progress.sent.get() == Some(&number) => return number,
            Err(error) => {
                assert!(last.elapsed() < REPLY_LIMIT, "query {number} has no reply: {error}");
            }
        }
    }
}

/// The first of `versions` for which this reply is right; fails if it is right for none.
fn version_of(
    reply: &Reply,
    (key, qtype): (u32, RecordType),
    mut versions: RangeInclusive<u32>,
) -> u32 {
    let all = versions.clone();
    let found = versions.find(|&version| is_right(reply, key, qtype, version));
    found.unwrap_or_else(|| panic!("wrong for key {key} in versions {all:?}: {reply:#?}"))
}

fn is_right(reply: &Reply, key: u32, qtype: RecordType, version: u32) -> bool {
    let listed = lists(version, key);
    let mut addresses = vec![];
    let mut texts = vec![];
    if listed && qtype == RecordType::A {
        addresses.push(value(version));
    } else if listed {
        texts.push(format!("version {version}: {} is listed", address(key)));
    }
    let rcode = if listed { ResponseCode::NoError } else { ResponseCode::NXDomain };
    (reply.rcode(), reply.addresses(), reply.texts()) == (rcode, addresses, texts)
}
