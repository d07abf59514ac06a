//! Questions to servers and resolvers, and what of the answers counts.

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How long an answer may take: resolvers wait some seconds for servers that are down.
const PATIENCE: Duration = Duration::from_secs(5);

/// After this time, a question is asked again: the first one may be lost.
const AGAIN: Duration = Duration::from_millis(1500);

/// What of an answer counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    /// The response code.
    pub(super) code: ResponseCode,
    /// The addresses of the A records.
    pub(super) addresses: Vec<Ipv4Addr>,
    /// The character-strings of the TXT records.
    pub(super) strings: Vec<String>,
    /// The least time to live of these records, in seconds.
    pub(super) ttl: u32,
    /// The SOA record of a negative answer.
    pub(super) soa: Option<SoaSeen>,
}

/// The SOA record of a negative answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SoaSeen {
    /// The zone that answers, in small letters and without the dot at the end.
    pub(super) zone: String,
    /// How long the answer may be remembered, in seconds: its time to live (RFC 2308 section 5).
    pub(super) ttl: u32,
}

/// A question for records of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Question<'a> {
    /// The name.
    pub(super) name: &'a str,
    /// `A` or `TXT`.
    pub(super) rtype: RecordType,
    /// Answers that a resolver has not validated are wanted, too.
    pub(super) unchecked: bool,
}

/// Asks the server or resolver at this address.
///
/// # Errors
///
/// If no answer comes.
pub(super) fn ask(address: SocketAddr, question: Question<'_>) -> io::Result<Reply> {
    exchange(address, question, DNSClass::IN, PATIENCE).map(|message| Reply::of(&message))
}

/// What the program at this address calls itself, if it tells (`version.bind`).
pub(super) fn version(address: SocketAddr) -> Option<String> {
    let question = Question { name: "version.bind", rtype: RecordType::TXT, unchecked: false };
    let message = exchange(address, question, DNSClass::CH, AGAIN).ok()?;
    Reply::of(&message).strings.pop()
}

/// A label that nobody has asked for yet.
pub(super) fn nonce() -> String {
    format!("{:016x}", RandomState::new().hash_one(Instant::now()))
}

/// Sends a question, and again until an answer comes.
fn exchange(
    address: SocketAddr,
    question: Question<'_>,
    class: DNSClass,
    patience: Duration,
) -> io::Result<Message> {
    let name = Name::from_ascii(question.name).map_err(io::Error::other)?;
    let mut query = Query::query(name, question.rtype);
    query.set_query_class(class);
    let mut message = Message::query();
    message.metadata.op_code = OpCode::Query;
    message.metadata.recursion_desired = true;
    message.metadata.checking_disabled = question.unchecked;
    message.add_query(query);
    let bytes = message.to_vec().map_err(io::Error::other)?;
    let socket = match address {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
    };
    // Only answers of this address arrive, and its machine can say that nobody listens.
    socket.connect(address)?;
    let end = Instant::now() + patience;
    let mut buffer = [0; 4096];
    while Instant::now() < end {
        socket.send(&bytes)?;
        let again = (Instant::now() + AGAIN).min(end);
        loop {
            let left = again.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            match socket.recv(&mut buffer) {
                Ok(len) => {
                    // Anything else is no answer to this question.
                    if let Ok(answer) = Message::from_vec(&buffer[..len])
                        && answer.metadata.id == message.metadata.id
                        && answer.metadata.message_type == MessageType::Response
                    {
                        return Ok(answer);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
    }
    let seconds = patience.as_secs_f32();
    Err(io::Error::new(ErrorKind::TimedOut, format!("no answer within {seconds} s")))
}

impl Reply {
    fn of(message: &Message) -> Self {
        let mut reply = Self {
            code: message.metadata.response_code,
            addresses: Vec::new(),
            strings: Vec::new(),
            ttl: u32::MAX,
            soa: None,
        };
        for record in &message.answers {
            match &record.data {
                RData::A(address) => reply.addresses.push(address.0),
                RData::TXT(text) => {
                    let strings = text.txt_data.iter();
                    reply
                        .strings
                        .extend(strings.map(|string| String::from_utf8_lossy(string).into_owned()));
                }
                _ => continue,
            }
            reply.ttl = reply.ttl.min(record.ttl);
        }
        reply.addresses.sort();
        reply.soa = message.authorities.iter().find_map(|record| match &record.data {
            RData::SOA(_) => Some(SoaSeen {
                zone: record.name.to_ascii().to_lowercase().trim_end_matches('.').to_owned(),
                ttl: record.ttl,
            }),
            _ => None,
        });
        reply
    }

    /// The text behind `KEY=` of a character-string.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        let mut strings = self.strings.iter();
        strings.find_map(|string| string.strip_prefix(key)?.strip_prefix('='))
    }
}
