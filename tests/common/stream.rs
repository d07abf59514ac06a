//! A steady stream of queries over lists that change: none is lost, and each answer is right for a
//! version of the list that was there, whole, with the versions in their order.

use std::collections::VecDeque;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use super::{Reply, query, reversed, wait_until};

/// How long a reply may take before the query counts as lost.
const REPLY_LIMIT: Duration = Duration::from_secs(5);

/// A sender that was held up makes up for at most this: a burst would test the socket's buffer.
const CATCH_UP: Duration = Duration::from_millis(20);

/// Versions have a key of their own up to this number.
const OWN_KEYS: u32 = 12;

/// How one version of a list follows from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    /// It is another file, with its number at the start and at the end.
    Replaced,
    /// It is the file before, with lines added at the end.
    Growing,
}

/// What a list lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Keys {
    /// IPv4 addresses.
    Addresses,
    /// Names.
    Names,
}

impl Keys {
    /// As a line of the list has the key that stands for these octets.
    fn line(self, octets: [u8; 4]) -> String {
        let [a, b, c, d] = octets;
        match self {
            Self::Addresses => format!("{a}.{b}.{c}.{d}"),
            Self::Names => format!("host{a}-{b}-{c}-{d}.example"),
        }
    }

    /// As one asks a zone for it.
    fn question(self, octets: [u8; 4], zone: &str) -> String {
        match self {
            Self::Addresses => reversed(octets.into(), zone),
            Self::Names => format!("{}.{zone}", self.line(octets)),
        }
    }
}

/// A list in versions, and what is known of the one that is served.
#[derive(Debug)]
pub(crate) struct VersionedFeed {
    zone: String,
    keys: Keys,
    style: Style,
    /// Lines between the start and the end, so that the file takes a while to write and to read.
    filler: u32,
    /// The newest version that may be served.
    allowed: AtomicU32,
    /// The version that was served last.
    served: AtomicU32,
    /// How many answers have been judged.
    judged: AtomicU32,
    /// The first wrong answer.
    wrong: Mutex<Option<String>>,
}

impl VersionedFeed {
    /// The version that lists nothing, and comes after all others.
    pub(crate) const EMPTY: u32 = 100;

    /// A list of addresses of which version 1 is served.
    pub(crate) fn new(zone: &str, style: Style, filler: u32) -> Arc<Self> {
        Self::of(Keys::Addresses, zone, style, filler)
    }

    /// A list of such keys of which version 1 is served.
    pub(crate) fn of(keys: Keys, zone: &str, style: Style, filler: u32) -> Arc<Self> {
        let (allowed, served) = (AtomicU32::new(1), AtomicU32::new(1));
        let zone = zone.to_owned();
        let (judged, wrong) = (AtomicU32::new(0), Mutex::default());
        Arc::new(Self { zone, keys, style, filler, allowed, served, judged, wrong })
    }

    /// The zone that serves it.
    pub(crate) fn zone(&self) -> &str {
        &self.zone
    }

    /// The text of a version. In both styles all versions below 10 are equally long if the style
    /// is to replace.
    pub(crate) fn text(&self, version: u32) -> String {
        match self.style {
            Style::Replaced => self.block(version, version),
            Style::Growing => (1..=version).map(|part| self.block(part, 1)).collect(),
        }
    }

    /// A part of a file: all of it, or what a version adds.
    fn block(&self, version: u32, start: u32) -> String {
        let third = |key: u32| u8::try_from(key).expect("versions are few");
        let key = |b, c| self.keys.line([10, b, c, 1]);
        let (first, own) = (key(0, 0), key(1, third(version)));
        let mut text = format!(":2:start {start}\n{first}\n:2:own\n{own}\n");
        for line in 0..self.filler {
            let [_, b, c, d] = line.to_be_bytes();
            let filler = self.keys.line([64 + b, c, d, third(version % 200)]);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{filler}");
        }
        let end = match self.style {
            Style::Replaced => 1,
            Style::Growing => version,
        };
        let _ = writeln!(text, ":2:end {version}\n{}", key(9, third(end)));
        text
    }

    /// From now on this version may be served, and those before until it is.
    pub(crate) fn allow(&self, version: u32) {
        self.allowed.store(version, Ordering::SeqCst);
    }

    /// The newest version that may be served.
    pub(crate) fn allowed(&self) -> u32 {
        self.allowed.load(Ordering::SeqCst)
    }

    /// The version that was served last.
    pub(crate) fn served(&self) -> u32 {
        self.served.load(Ordering::SeqCst)
    }

    /// Waits until a version is served: how long that took, or what went wrong.
    pub(crate) fn wait_for(&self, version: u32, limit: Duration) -> Result<Duration, String> {
        let start = Instant::now();
        let in_time = wait_until(limit, || self.served() == version || self.check().is_err());
        self.check()?;
        match in_time {
            true => Ok(start.elapsed()),
            false => Err(format!("{}: version {version} is late", self.zone)),
        }
    }

    /// Waits until every question has been asked and answered once more: what went wrong.
    pub(crate) fn wait_for_all_answers(&self, limit: Duration) -> Result<(), String> {
        let start = self.judged.load(Ordering::SeqCst);
        let all = || self.judged.load(Ordering::SeqCst) - start > 4 * OWN_KEYS;
        match wait_until(limit, all) {
            true => self.check(),
            false => Err(format!("{}: few answers in {limit:?}", self.zone)),
        }
    }

    /// The first wrong answer, if there was one.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.wrong.lock().expect("nobody panics with it").clone().map_or(Ok(()), Err)
    }

    /// The question of that number: the start and the end of the file, and what only one version
    /// has, in turn.
    fn question(&self, number: u64) -> Question {
        let own = u32::try_from(number / 4 % u64::from(OWN_KEYS)).expect("it is small") + 1;
        match number % 4 {
            0 => Question::Start,
            1 => Question::Own(own),
            2 if self.style == Style::Growing => Question::End(own),
            2 => Question::End(1),
            _ => Question::StartAddress,
        }
    }

    /// Takes note of a reply.
    fn take(&self, question: Question, reply: &Reply) {
        let (served, allowed) = (self.served(), self.allowed());
        match (served..=allowed).find(|&version| self.is_right(question, reply, version)) {
            Some(version) => self.served.store(version, Ordering::SeqCst),
            None => {
                let message = format!(
                    "{}: wrong for {question:?} in versions {served} to {allowed}: {:?} {:?} {:?}",
                    self.zone,
                    reply.rcode(),
                    reply.addresses(),
                    reply.texts()
                );
                self.wrong.lock().expect("nobody panics with it").get_or_insert(message);
            }
        }
        self.judged.fetch_add(1, Ordering::SeqCst);
    }

    fn is_right(&self, question: Question, reply: &Reply, version: u32) -> bool {
        let growing = self.style == Style::Growing;
        let start = if growing { 1 } else { version };
        let text = match question {
            _ if version == Self::EMPTY => None,
            Question::Start => Some(format!("start {start}")),
            Question::StartAddress => Some(String::new()),
            Question::Own(key) if growing => (key <= version).then(|| "own".to_owned()),
            Question::Own(key) => (key == version).then(|| "own".to_owned()),
            Question::End(key) if growing => (key <= version).then(|| format!("end {key}")),
            Question::End(_) => Some(format!("end {version}")),
        };
        let Some(text) = text else { return reply.rcode() == ResponseCode::NXDomain };
        let right = match question {
            Question::StartAddress => reply.addresses() == [Ipv4Addr::new(127, 0, 0, 2)],
            _ => reply.texts() == [text],
        };
        right && reply.rcode() == ResponseCode::NoError
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Question {
    Start,
    StartAddress,
    Own(u32),
    End(u32),
}

impl Question {
    fn message(self, id: u16, feed: &VersionedFeed) -> Vec<u8> {
        let third = |key: u32| u8::try_from(key).expect("versions are few");
        let (octets, qtype) = match self {
            Self::Start => ([10, 0, 0, 1], RecordType::TXT),
            Self::StartAddress => ([10, 0, 0, 1], RecordType::A),
            Self::Own(key) => ([10, 1, third(key), 1], RecordType::TXT),
            Self::End(key) => ([10, 9, third(key), 1], RecordType::TXT),
        };
        query(id, &feed.keys.question(octets, &feed.zone), qtype)
    }
}

/// A query that is under way.
struct Asked {
    number: u64,
    feed: usize,
    question: Question,
    at: Instant,
}

/// What a stream has seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// The number of queries, all of them answered.
    pub(crate) queries: u64,
    /// The longest time a reply took.
    pub(crate) worst: Duration,
}

/// A steady stream of queries, over all feeds in turn. It goes through one socket: a server answers
/// those in their order.
pub(crate) struct Stream {
    stop: Arc<AtomicBool>,
    sender: JoinHandle<()>,
    checker: JoinHandle<Seen>,
}

impl Stream {
    /// Starts to ask that many queries a second.
    pub(crate) fn start(server: SocketAddr, feeds: &[Arc<VersionedFeed>], rate: u32) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        socket.connect(server).expect("loopback can be reached");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("it is not zero");
        let out = socket.try_clone().expect("a second handle");
        let stop = Arc::new(AtomicBool::new(false));
        let (asked, asking) = mpsc::channel();
        let (ours, stopped, pace) = (feeds.to_vec(), stop.clone(), Duration::from_secs(1) / rate);
        let sender = thread::spawn(move || send(&out, &ours, pace, &stopped, &asked));
        let ours = feeds.to_vec();
        let checker = thread::spawn(move || check(&socket, &ours, &asking));
        Self { stop, sender, checker }
    }

    /// Ends it. Fails if a query was lost.
    pub(crate) fn finish(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.sender.join().expect("the sender has not failed");
        self.checker.join().expect("the checker has not failed")
    }
}

fn send(
    socket: &UdpSocket,
    feeds: &[Arc<VersionedFeed>],
    pace: Duration,
    stop: &AtomicBool,
    asked: &mpsc::Sender<Asked>,
) {
    let mut due = Instant::now();
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        let feed = usize::try_from(number % feeds.len() as u64).expect("an index");
        let question = feeds[feed].question(number / feeds.len() as u64);
        let message = question.message(id(number), &feeds[feed]);
        asked.send(Asked { number, feed, question, at: Instant::now() }).expect("it is checked");
        socket.send(&message).expect("the server is there");
        number += 1;
        due = (due + pace).max(Instant::now() - CATCH_UP);
        // The rate is what makes it a stream.
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

fn id(number: u64) -> u16 {
    u16::try_from(number & 0xffff).expect("masked")
}

fn check(socket: &UdpSocket, feeds: &[Arc<VersionedFeed>], asking: &mpsc::Receiver<Asked>) -> Seen {
    let mut seen = Seen { queries: 0, worst: Duration::ZERO };
    let mut waiting: VecDeque<Asked> = VecDeque::new();
    let mut buffer = [0; 4096];
    loop {
        if waiting.is_empty() {
            match asking.recv() {
                Ok(asked) => waiting.push_back(asked),
                Err(_) => return seen,
            }
        }
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let reply = Reply::parse(&buffer[..length]).expect("a reply is a DNS message");
                waiting.extend(asking.try_iter());
                let asked = waiting.pop_front().expect("a reply comes after its query");
                let id = id(asked.number).to_be_bytes();
                assert_eq!(buffer[..2], id, "a query was lost or overtaken");
                feeds[asked.feed].take(asked.question, &reply);
                seen.queries += 1;
                seen.worst = seen.worst.max(asked.at.elapsed());
            }
            Err(error) => {
                let asked = &waiting[0];
                assert!(asked.at.elapsed() < REPLY_LIMIT, "{} is lost: {error}", asked.number);
            }
        }
    }
}
