//! Tells secondaries that a zone has changed (NOTIFY, RFC 1996).

use super::zone_records::soa_data;
use crate::config::NotifyTarget;
use crate::event::{Event, EventSink, NotifyFault};
use crate::tsig::{Signer, TsigKey, TsigKeys};
use crate::util::time::unix_time;
use crate::wire::name::NameBuf;
use crate::wire::{Class, HEADER, Type};
use crate::zone::Zone;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long after each message, in seconds, the next one is sent if none was answered (RFC 1996 section 3.6).
const WAITS: [u64; 6] = [3, 6, 12, 24, 48, 96];

/// How long a message keeps others from being sent, at most: an answer takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many messages are under way at one time.
const AT_ONCE: usize = 32;

/// The opcode, as it stands in a header (RFC 1996 section 3.2).
const OPCODE: u8 = 4 << 3;

/// Who was told of which serials, and is being told.
pub(super) struct Notifier {
    runtime: Handle,
    sink: Arc<dyn EventSink>,
    places: Arc<Semaphore>,
    told: HashMap<(NameBuf, SocketAddr), (u32, AbortHandle)>,
}

impl Notifier {
    /// None yet. Messages are sent on this runtime.
    pub(super) fn new(runtime: Handle, sink: Arc<dyn EventSink>) -> Self {
        Self { runtime, sink, places: Arc::new(Semaphore::new(AT_ONCE)), told: HashMap::new() }
    }

    /// Tells secondaries of the serial of a zone, unless they were told; what they are being told of an earlier one
    /// ends. The server listens at `listen`.
    pub(super) fn tell(
        &mut self,
        zone: &Zone,
        targets: &[NotifyTarget],
        keys: &TsigKeys,
        listen: &[SocketAddr],
    ) {
        let serial = zone.soa.serial;
        for target in targets {
            let known = (zone.apex.clone(), target.address);
            if self.told.get(&known).is_some_and(|(told, _)| *told == serial) {
                continue;
            }
            let key = target.key.as_ref().map(|key| keys.find(key));
            // It was told that the key cannot be used; a message without it would be refused.
            if matches!(key, Some(None)) {
                continue;
            }
            let notice = Notice {
                zone: zone.apex.clone(),
                message: message(zone),
                address: target.address,
                source: source(target.address, listen),
                key: key.flatten().cloned(),
            };
            let (sink, places) = (Arc::clone(&self.sink), Arc::clone(&self.places));
            let task = self.runtime.spawn(async move {
                let (zone, address) = (notice.zone.clone(), notice.address);
                sink.emit(&match notice.deliver(&places).await {
                    Ok(()) => Event::SecondaryNotified { zone, address, serial },
                    Err(fault) => Event::SecondaryNotNotified { zone, address, serial, fault },
                });
            });
            if let Some((_, earlier)) = self.told.insert(known, (serial, task.abort_handle())) {
                earlier.abort();
            }
        }
    }

    /// Forgets the zones and secondaries that are not to be told any more.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&NameBuf, SocketAddr) -> bool) {
        self.told.retain(|(zone, address), (_, task)| {
            let is_kept = is_kept(zone, *address);
            if !is_kept {
                task.abort();
            }
            is_kept
        });
    }
}

/// What one secondary is told.
struct Notice {
    zone: NameBuf,
    /// Its number is 0.
    message: Vec<u8>,
    address: SocketAddr,
    source: SocketAddr,
    key: Option<Arc<TsigKey>>,
}

impl Notice {
    /// Sends it until it is answered.
    async fn deliver(self, places: &Semaphore) -> Result<(), NotifyFault> {
        let mut fault = NotifyFault::Silent;
        for wait in WAITS {
            // The semaphore is never closed.
            let place = places.acquire().await;
            let now = Instant::now();
            let deadline = now + Duration::from_secs(wait);
            // Others wait for the place.
            match timeout_at(deadline.min(now + PATIENCE), self.ask()).await {
                Ok(Ok(answered)) => return answered,
                Ok(Err(error)) => fault = NotifyFault::Unreachable(error),
                Err(_) => fault = NotifyFault::Silent,
            }
            drop(place);
            sleep_until(deadline).await;
        }
        Err(fault)
    }

    /// Sends it once, and waits for its answer.
    async fn ask(&self) -> io::Result<Result<(), NotifyFault>> {
        let socket = UdpSocket::bind(self.source).await?;
        socket.connect(self.address).await?;
        let mut id = [0; 2];
        SystemRandom::new().fill(&mut id).map_err(|_| io::Error::other("no random numbers"))?;
        let mut query = self.message.clone();
        query[..2].copy_from_slice(&id);
        let mut signer = None;
        if let Some(key) = &self.key {
            let own = signer.insert(Signer::requesting(Arc::clone(key)));
            let len = query.len();
            query.resize(len + own.room(), 0);
            own.sign(&mut query, len, unix_time());
        }
        socket.send(&query).await?;
        let mut buffer = [0; 4096];
        loop {
            let len = socket.recv(&mut buffer).await?;
            if let Some(rcode) = answer_code(&query, &buffer[..len]) {
                let checked =
                    signer.map_or(Ok(()), |own| own.check_answer(&buffer[..len], unix_time()));
                return Ok(match (checked, rcode) {
                    (Err(error), _) => Err(NotifyFault::Unproved(error)),
                    (Ok(()), 0) => Ok(()),
                    (Ok(()), rcode) => Err(NotifyFault::Refused(rcode)),
                });
            }
        }
    }
}

/// The response code of an answer to the message; `None` if it is none.
fn answer_code(query: &[u8], answer: &[u8]) -> Option<u8> {
    let header = answer.first_chunk::<HEADER>()?;
    let is_its = header[..2] == query[..2] && header[2] & 0xf8 == 0x80 | OPCODE;
    // Who cannot read the message repeats no question.
    let question = header[4..6] == [0, 0] || same_question(query, answer);
    (is_its && question).then_some(header[3] & 0x0f)
}

fn same_question(query: &[u8], answer: &[u8]) -> bool {
    let end = NameBuf::from_wire(&query[HEADER..]).map_or(0, |name| name.as_wire().len()) + 4;
    let [query, answer] = [query, answer].map(|bytes| bytes.get(HEADER..HEADER + end));
    query.zip(answer).is_some_and(|(query, answer)| query.eq_ignore_ascii_case(answer))
}

/// The message without a number: the zone, and its SOA record (RFC 1996 section 3.7).
fn message(zone: &Zone) -> Vec<u8> {
    let mut message = vec![0, 0, 0x04 | OPCODE, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    let kind = [Type::SOA.0.to_be_bytes(), Class::IN.0.to_be_bytes()].concat();
    message.extend_from_slice(zone.apex.as_wire());
    message.extend_from_slice(&kind);
    let data = soa_data(&zone.soa);
    message.extend([0xc0, HEADER as u8]);
    message.extend_from_slice(&kind);
    message.extend(zone.soa.ttl.to_be_bytes());
    message.extend((data.len() as u16).to_be_bytes());
    message.extend(data);
    message
}

/// Where the message comes from: the address at which the server listens, for secondaries that know their primary
/// by it; the system's choice if it listens at all of them.
fn source(target: SocketAddr, listen: &[SocketAddr]) -> SocketAddr {
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let fits = |address: &IpAddr| {
        address.is_ipv4() == any.is_ipv4() && address.is_loopback() == target.ip().is_loopback()
    };
    let own = listen.iter().map(SocketAddr::ip).find(fits).unwrap_or(any);
    (own, 0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_its_number_its_opcode_and_its_question() {
        let query = b"\x12\x34\x24\0\0\x01\0\0\0\0\0\0\x02bl\x04test\0\0\x06\0\x01";
        let mut answer = query.to_vec();
        answer[2] |= 0x80;
        assert_eq!(answer_code(query, &answer), Some(0));
        answer[3] = 5;
        assert_eq!(answer_code(query, &answer), Some(5));
        let mut bare = answer[..HEADER].to_vec();
        bare[5] = 0;
        assert_eq!(answer_code(query, &bare), Some(5));
        for at in [0, 1, 2, 13, 14] {
            let mut other = answer.clone();
            other[at] ^= 0x88;
            assert_eq!(answer_code(query, &other), None, "byte {at}");
        }
        assert_eq!(answer_code(query, &answer[..20]), None);
        assert_eq!(answer_code(query, query), None, "a question");
    }

    #[test]
    fn a_message_comes_from_where_the_server_listens() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let listen = ["127.0.0.1:53", "192.0.2.1:53", "[2001:db8::1]:53"].map(address);
        for (target, listen, want) in [
            ("192.0.2.9:53", &listen[..], "192.0.2.1:0"),
            ("127.0.0.2:53", &listen, "127.0.0.1:0"),
            ("[2001:db8::9]:53", &listen, "[2001:db8::1]:0"),
            ("[::1]:53", &listen, "[::]:0"),
            ("192.0.2.9:53", &[address("0.0.0.0:53")], "0.0.0.0:0"),
        ] {
            assert_eq!(source(address(target), listen), address(want), "{target}");
        }
    }
}
