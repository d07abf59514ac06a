//! Any bytes as a query: the response is well-formed, honest and the same every time.

use super::catalog::{self, DELAY, NOW};
use super::input::Input;
use super::message::{AA, Message, OPCODE, OTHERS, QR, Question, RD, Record, TC};
use super::seeds;
use dnsbld::engine::{Catalog, Outcome, Request, Transport, WorkerState, answer};
use dnsbld::wire::cookie::{CookieSecret, CookieSecrets, QueryCookies};
use dnsbld::wire::message::query::cookie_data;
use dnsbld::wire::name::Labels;
use dnsbld::wire::{CLASSIC_UDP, MAX_UDP, Query};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

/// Catalogs: the usual one, and one with the root zone and the longest names.
static CATALOGS: LazyLock<[Catalog; 2]> =
    LazyLock::new(|| [catalog::catalog(false), catalog::catalog(true)]);

/// See [`catalog::plain`].
static PLAIN_CATALOGS: LazyLock<[Catalog; 2]> = LazyLock::new(catalog::plain);

// The bits of the first byte of an input.
const EXTREME: u8 = 1;
const EXPIRED: u8 = 2;
const IP6_CLIENT: u8 = 4;
/// The catalog is that of plain lists.
const PLAIN: u8 = 8;
/// The rest of the input chooses the parts of a query; else it is the query.
const COMPOSED: u8 = 0x80;

pub(crate) const TOKENS: &[&[u8]] = &[
    b"\x02bl\x04test\x00",
    b"\x03net\x02bl\x04test\x00",
    b"\x03six\x04test\x00",
    b"\x02dn\x04test\x00",
    b"\x03all\x04test\x00",
    b"\x04gate\x04test\x00",
    b"\x06secret\x04gate\x04test\x00",
    b"\x03acl\x04test\x00",
    b"\x05allow\x04test\x00",
    b"\x04good\x04test\x00",
    b"\x04long\x04test\x00",
    b"\x04huge\x04test\x00",
    b"\x011\x012\x010\x03192",
    b"\x012\x010\x010\x03127",
    b"\x012\x010\x010\x012",
    b"\x04test",
    b"\x07invalid",
    b"\x03www",
    b"\x07version\x04bind\x00",
    b"\x02id\x06server\x00",
    b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00",
    b"\x00\x10\x00\x01",
    b"\x00\xff\x00\xff",
    b"\xc0\x0c",
    b"\x00\x0a\x00\x08\x00\x0a\x00\x18",
];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let asked = seeds::questions().into_iter().map(|(name, qtype)| {
        let wire = catalog::name(&name).as_wire().to_vec();
        let mut seed = vec![0, 0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(qtype % 2 == 0)];
        seed.extend(wire);
        seed.extend([(qtype >> 8) as u8, qtype as u8, 0, 1]);
        seed.extend(*b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00");
        seed
    });
    let asked = asked.flat_map(|seed| {
        let mut plain = seed.clone();
        plain[0] |= PLAIN;
        [seed, plain]
    });
    let composed = (0..=255_u8).map(|n| {
        (0..40).map(move |i| if i == 0 { COMPOSED | n & PLAIN } else { n.wrapping_mul(i) })
    });
    asked.chain(composed.map(Iterator::collect)).collect()
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let how = input.byte();
    let message = if how & COMPOSED == 0 { input.rest().to_vec() } else { compose(&mut input) };
    let [plain, general] = &*PLAIN_CATALOGS;
    let session = Session {
        catalog: if how & PLAIN == 0 { &CATALOGS[usize::from(how & EXTREME)] } else { plain },
        now: if how & EXPIRED == 0 { NOW } else { NOW + 1 },
        client: match how & IP6_CLIENT {
            0 => Ipv4Addr::new(192, 0, 2, 53).into(),
            _ => Ipv6Addr::LOCALHOST.into(),
        },
    };
    check_cookies(&message, session.client);
    let mut state = WorkerState::default();
    let udp = session.ask(&mut state, &message, Transport::Udp);
    let tcp = session.ask(&mut state, &message, Transport::Tcp);
    check_transports(&udp, &tcp);
    if how & PLAIN != 0 {
        let session = Session { catalog: general, ..session };
        let other = session.ask(&mut WorkerState::default(), &message, Transport::Udp);
        assert_eq!(udp, other, "the fast path and the general one");
    }
    let Some(response) = &tcp else {
        assert!(message.len() < 12 || message[2] & 0x80 != 0, "dropped without need");
        return;
    };
    let again = session.ask(&mut WorkerState::default(), &message, Transport::Tcp);
    assert_eq!(tcp, again, "what was asked before makes a difference");
    check_letter_case(&session, &mut state, &message, response);
    check_names_below(&session, &mut state, &message, response);
    session.check_small_buffers(&message, response.bytes.len());
}

/// The cookie of an answer proves the address in the next query.
fn check_cookies(message: &[u8], client: IpAddr) {
    let Some(cookies) = cookie_data(message).and_then(QueryCookies::parse) else { return };
    let secrets = CookieSecrets { active: CookieSecret([7; 16]), other: None };
    let (option, _) = secrets.answer(cookies, client, NOW);
    let again = QueryCookies::parse(&option[4..]).expect("it has both cookies");
    assert_eq!(secrets.answer(again, client, NOW), (option, true));
}

/// A query from choices, which is more often about something than random bytes are.
fn compose(input: &mut Input<'_>) -> Vec<u8> {
    const APEXES: &[&str] = &[
        "bl.test",
        "net.bl.test",
        "six.test",
        "dn.test",
        "all.test",
        "generic.test",
        "com.test",
        "a.com.test",
        "b.com.test",
        "c.b.com.test",
        "d.e.com.test",
        "two.test",
        "c.b.two.test",
        "x.b.two.test",
        "gate.test",
        "acl.test",
        "allow.test",
        "good.test",
        "secret.gate.test",
        "odd.gate.test",
        "long.test",
        "huge.test",
        "dead.test",
        "ill.test",
        "old.test",
        "test",
        "BL.Test",
        "",
        "x.x.deep",
        "version.bind",
        "id.server",
        "VERSION.server",
        "hostname.bind",
    ];
    const LABELS: &[&[u8]] = &[
        b"test",
        b"invalid",
        b"www",
        b"WWW",
        b"example",
        b"com",
        b"spam",
        b"good",
        b"wild",
        b"a",
        b"b",
        b"c",
        b"d",
        b"e",
        b"f",
        b"g",
        b"0",
        b"1",
        b"2",
        b"3",
        b"7",
        b"9",
        b"10",
        b"127",
        b"172",
        b"192",
        b"198",
        b"255",
        b"256",
        b"001",
        b"ok",
        b"fine",
        b"*",
        b"\x09odd.label",
        b"clean",
    ];
    const IP6: &[u128] = &[
        0xffff_7f00_0002,
        0xffff_c000_0207,
        0xffff_c612_0701,
        0x2001_0db8 << 96,
        0x2001_0db8_0001 << 80,
        0x2002_c000_0207 << 80,
        0x2001_0db8_0000_0000_0000_0000_0000_0007,
        0xfe80 << 112,
        1,
    ];
    const LISTED: &[&str] = &[
        "a.ok.spam.example.com",
        "a.b.fine.wild.test",
        "good.wild.test",
        "example.com",
        "x.clean.spam.example.com",
        "a.b.c.d.e.f.g",
        "www.a.b.c.d",
        "1.2.3.4",
        "test.upper",
        "a.test",
        "a.invalid",
    ];
    const TYPES: &[u16] = &[1, 16, 255, 28, 2, 6, 15, 41, 250, 251, 252, 253, 254, 0, 256, 65535];
    let shape = input.byte();
    let mut names = Vec::new();
    match shape % 5 {
        0 => names.extend((0..input.below(6)).map(|_| input.choose(LABELS).to_vec())),
        1 => {
            let address = input.choose(&[0xc000_0200_u32, 0x0a01_0203, 0xac10_0505, 0x7f00_0000]);
            let address = address + u32::from(input.byte());
            let octets = address.to_le_bytes();
            names.extend(octets[input.below(4)..].iter().map(|n| n.to_string().into_bytes()));
        }
        2 => {
            let address = input.choose(IP6) ^ u128::from(input.byte()) << (4 * input.below(31));
            let nibble = |n: usize| format!("{:x}", address >> (4 * n) & 15).into_bytes();
            names.extend((input.below(32)..32).map(nibble));
        }
        3 => {
            let labels: Vec<_> = input.choose(LISTED).split('.').collect();
            let above = input.below(labels.len());
            names.extend(labels[above..].iter().map(|label| label.as_bytes().to_vec()));
        }
        _ => names.extend((0..input.below(10)).map(|_| {
            let len = input.below(64);
            input.take(len).to_vec()
        })),
    }
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in names.iter().filter(|label| !label.is_empty()) {
        message.push(label.len() as u8);
        message.extend(label);
    }
    message.extend(catalog::name(input.choose(APEXES)).as_wire());
    message.extend(input.choose(TYPES).to_be_bytes());
    message.extend(input.choose(&[1_u16, 1, 1, 1, 255, 3, 4, 0]).to_be_bytes());
    if shape & 0x10 != 0 {
        message[11] = 1;
        message.extend([0, 0, 41]);
        message.extend(input.choose(&[1232_u16, 0, 511, 512, 513, 600, 4096, 65535]).to_be_bytes());
        message.extend([0, input.choose(&[0, 0, 0, 1, 255]), input.byte(), 0, 0, 0]);
    }
    if shape & 0x20 != 0 {
        message[2] = input.byte();
        message[3] = input.byte();
    }
    message
}

/// What stays the same while one input is looked at.
#[derive(Clone, Copy)]
struct Session {
    catalog: &'static Catalog,
    now: u64,
    client: IpAddr,
}

/// A response that was found to be well-formed.
#[derive(Debug, PartialEq, Eq)]
struct Response {
    bytes: Vec<u8>,
    message: Message,
}

impl Session {
    /// Asks and checks whatever can be said of one response.
    fn ask(&self, state: &mut WorkerState, query: &[u8], transport: Transport) -> Option<Response> {
        let mut out = vec![0xaa; 65_535];
        let request = Request { query, client: self.client, transport, now: self.now };
        match answer(self.catalog, state, &request, &mut out) {
            Outcome::Respond(len) => out.truncate(len),
            Outcome::RespondAfter(len, delay) => {
                assert_eq!(delay, DELAY);
                out.truncate(len);
            }
            Outcome::Drop => return None,
        }
        let response = Response { message: read(&out), bytes: out };
        self.check(query, transport, &response);
        let request = Request { query: &response.bytes, ..request };
        let echo = answer(self.catalog, state, &request, &mut [0; 1232]);
        assert_eq!(echo, Outcome::Drop, "a response is answered");
        Some(response)
    }

    fn check(&self, query: &[u8], transport: Transport, response: &Response) {
        let Response { bytes, message } = response;
        hickory_proto::op::Message::from_vec(bytes).expect("hickory-proto reads the response");
        let asked_flags = u16::from_be_bytes([query[2], query[3]]);
        assert_eq!(message.id, query[..2]);
        assert_eq!(message.flags & (QR | OPCODE | RD | OTHERS), QR | asked_flags & (OPCODE | RD));
        let [_, authority, additional] = &message.sections;
        let Some(question) = &message.question else {
            assert_eq!(bytes.len(), 12);
            assert!([1, 4].contains(&message.rcode()), "{}", message.rcode());
            assert_eq!(message.rcode() == 4, asked_flags & OPCODE != 0);
            return;
        };
        let end = 12 + question.name.len() + 4;
        assert_eq!(bytes[12..end], query[12..end], "the question");
        let edns = Query::parse(query).expect("it was answered").edns;
        assert_eq!(additional.len(), usize::from(edns.is_some()));
        assert_eq!(message.opt().is_some(), edns.is_some());
        let limit = match (transport, edns) {
            (Transport::Tcp | Transport::Tls, _) => 65_535,
            (Transport::Udp, None) => CLASSIC_UDP,
            (Transport::Udp, Some(edns)) => usize::from(edns.payload).clamp(CLASSIC_UDP, MAX_UDP),
        };
        assert!(bytes.len() <= limit, "{} bytes, allowed are {limit}", bytes.len());
        if message.flags & TC != 0 {
            assert!(authority.is_empty(), "what nobody asked for is left out first");
            let is_huge = question.name.to_ascii_lowercase().ends_with(b"\x04huge\x04test\x00");
            assert!(transport == Transport::Udp || is_huge, "truncated over TCP");
        }
        self.check_zone(question, message);
    }

    /// The records are those of one zone that is served.
    fn check_zone(&self, question: &Question, message: &Message) {
        let [answers, authority, _] = &message.sections;
        let rcode = message.rcode();
        if ![1, 255].contains(&question.class) || rcode == 16 {
            assert!([0, 5, 16].contains(&rcode) && authority.is_empty());
            assert_eq!(message.flags & AA, 0);
            assert!(answers.iter().all(|record| (record.rtype, record.class) == (16, 3)));
            assert_eq!(answers.len(), usize::from(rcode == 0));
            return;
        }
        if rcode == 4 {
            assert!((250..255).contains(&question.qtype));
            return;
        }
        let name = question.name.to_ascii_lowercase();
        let zones = self.catalog.zones().iter();
        let zone = zones
            .filter(|zone| is_at_or_below(&name, zone.apex.as_wire()))
            .reduce(|a, b| if b.apex.as_wire().len() > a.apex.as_wire().len() { b } else { a });
        assert_eq!(zone.is_none(), rcode == 5, "REFUSED if and only if no zone is served");
        let Some(zone) = zone else { return assert_empty(message) };
        assert_eq!(!zone.is_served(self.now), rcode == 2);
        if rcode == 2 {
            return assert_empty(message);
        }
        assert!(rcode == 0 || rcode == 3, "{rcode}");
        assert_eq!(message.flags & AA != 0, question.class == 1);
        let apex = zone.apex.as_wire();
        let mut sets = zone.datasets.iter().flat_map(|set| set.flat());
        let has_records = sets.any(|set| set.records.is_some());
        assert!(rcode == 0 || name != apex, "NXDOMAIN at the apex");
        for record in answers {
            assert_eq!(record.name, question.name);
            assert!(question.qtype == 255 || question.qtype == record.rtype);
            assert!(record.rtype != 1 || record.data[0] == 127 || has_records);
        }
        for (i, record) in answers.iter().enumerate() {
            let same = |other: &&Record| other.rtype == record.rtype;
            let mut others = answers[i + 1..].iter().filter(same);
            assert!(others.all(|other| other.data != record.data && other.ttl == record.ttl));
        }
        for record in authority {
            assert_eq!(record.name.to_ascii_lowercase(), apex);
            assert_eq!(record.rtype, if answers.is_empty() { 6 } else { 2 });
        }
        if answers.is_empty() && message.flags & TC == 0 {
            assert_eq!(authority.len(), 1, "a negative answer carries the SOA");
        }
        assert!(rcode == 0 || answers.is_empty());
    }

    /// A buffer too small for the response is never overrun.
    fn check_small_buffers(&self, query: &[u8], needed: usize) {
        for size in [0, 11, 12, 13, 40, needed.saturating_sub(1), needed] {
            let mut out = vec![0; size];
            let (client, transport) = (self.client, Transport::Tcp);
            let request = Request { query, client, transport, now: self.now };
            match answer(self.catalog, &mut WorkerState::default(), &request, &mut out) {
                Outcome::Respond(len) | Outcome::RespondAfter(len, _) => {
                    read(&out[..len]);
                }
                Outcome::Drop => assert!(size < needed),
            }
        }
    }
}

fn read(bytes: &[u8]) -> Message {
    Message::read(bytes).unwrap_or_else(|error| panic!("{error}: {bytes:02x?}"))
}

fn assert_empty(message: &Message) {
    let [answers, authority, _] = &message.sections;
    assert!(answers.is_empty() && authority.is_empty());
}

/// True if the lower-case `name` is the apex or a name below it.
fn is_at_or_below(name: &[u8], apex: &[u8]) -> bool {
    let labels: Vec<_> = Labels::of(name).collect();
    labels.ends_with(&Labels::of(apex).collect::<Vec<_>>())
}

/// What fits over UDP is what TCP gives; only the name servers of a positive answer may be missing.
fn check_transports(udp: &Option<Response>, tcp: &Option<Response>) {
    assert_eq!(udp.is_some(), tcp.is_some());
    let (Some(udp), Some(tcp)) = (udp, tcp) else { return };
    if udp.message.flags & TC != 0 {
        return;
    }
    let [answers, authority, _] = &udp.message.sections;
    let [tcp_answers, tcp_authority, _] = &tcp.message.sections;
    assert_eq!(answers, tcp_answers);
    assert!(authority == tcp_authority || authority.is_empty() && !answers.is_empty());
    assert_eq!(udp.message.flags, tcp.message.flags);
}

/// The letter case of the question makes no difference.
fn check_letter_case(
    session: &Session,
    state: &mut WorkerState,
    query: &[u8],
    response: &Response,
) {
    let Some(question) = &response.message.question else { return };
    let mut other = query.to_vec();
    let mut at = 12;
    while other[at] != 0 {
        let end = at + 1 + usize::from(other[at]);
        for byte in other[at + 1..end].iter_mut().filter(|byte| byte.is_ascii_alphabetic()) {
            *byte ^= 0x20;
        }
        at = end;
    }
    assert_eq!(at, 12 + question.name.len() - 1);
    let other = session.ask(state, &other, Transport::Tcp).expect("a response");
    assert_eq!(other.bytes.len(), response.bytes.len());
    assert_eq!(other.bytes[2..12], response.bytes[2..12]);
    assert_eq!(other.bytes[at..], response.bytes[at..]);
}

/// Below a name that does not exist, nothing exists (RFC 8020).
fn check_names_below(
    session: &Session,
    state: &mut WorkerState,
    query: &[u8],
    response: &Response,
) {
    let Some(question) = &response.message.question else { return };
    let name = question.name.to_ascii_lowercase();
    if response.message.rcode() != 3 || name.len() > 240 {
        return;
    }
    let mut apexes = session.catalog.zones().iter().map(|zone| zone.apex.as_wire());
    assert!(!apexes.any(|apex| is_at_or_below(apex, &name)), "NXDOMAIN above a zone");
    for label in
        [&b"\x011"[..], b"\x010", b"\x03255", b"\x01f", b"\x01a", b"\x03www", b"\x02ok", b"\x01x"]
    {
        let below = [&query[..12], label, &query[12..]].concat();
        let below = session.ask(state, &below, Transport::Tcp).expect("a response");
        let text = String::from_utf8_lossy(&name);
        assert_eq!(below.message.rcode(), 3, "{label:?} exists below {text:?}, which does not");
    }
}
