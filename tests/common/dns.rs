//! A small DNS client: queries made by hand, replies read by [`super::message`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use hickory_proto::rr::RecordType;

use super::Reply;

/// A query without EDNS for `name` of class IN; labels are parted by dots.
pub(crate) fn query(id: u16, name: &str, qtype: RecordType) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        message.push(u8::try_from(label.len()).expect("a label has at most 63 bytes"));
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(u16::from(qtype).to_be_bytes());
    message.extend([0, 1]);
    message
}

/// The name that asks for `address` in the list `zone` (RFC 5782, section 2.1).
pub(crate) fn reversed(address: Ipv4Addr, zone: &str) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}.{zone}")
}

/// Asks one server over UDP, one query at a time.
pub(crate) struct Client {
    socket: UdpSocket,
}

impl Client {
    /// A client of the server at `server` that waits at most a second for a reply.
    pub(crate) fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        socket.connect(server).expect("loopback can be reached");
        socket.set_read_timeout(Some(Duration::from_secs(1))).expect("the timeout is not zero");
        Self { socket }
    }

    /// Asks, and waits for the reply.
    ///
    /// # Errors
    /// No server there, no reply in time, or one that cannot be parsed.
    pub(crate) fn ask(&self, name: &str, qtype: RecordType) -> io::Result<Reply> {
        static NEXT_ID: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(1);
        let id = NEXT_ID.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.socket.send(&query(id, name, qtype))?;
        let mut buffer = [0; 4096];
        loop {
            let length = self.socket.recv(&mut buffer)?;
            // A late reply to an earlier query is passed over.
            if buffer[..length].starts_with(&id.to_be_bytes()) {
                return Reply::parse(&buffer[..length]).map_err(io::Error::other);
            }
        }
    }
}
