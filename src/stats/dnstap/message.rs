//! The messages of dnstap (dnstap.proto, version 2015-07): written by hand as far as a server of zones needs them.

use super::{Ends, Exchange};
use crate::engine::Transport;
use prost::Message as _;
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

/// A message with who sends it.
#[derive(Clone, PartialEq, prost::Message)]
struct Envelope {
    #[prost(bytes = "vec", optional, tag = "1")]
    identity: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    version: Option<Vec<u8>>,
    #[prost(message, optional, tag = "14")]
    message: Option<DnsMessage>,
    /// [`MESSAGE`].
    #[prost(int32, required, tag = "15")]
    kind: i32,
}

/// The only kind of envelope there is.
const MESSAGE: i32 = 1;

/// A query or an answer.
#[derive(Clone, PartialEq, prost::Message)]
struct DnsMessage {
    /// [`AUTH_QUERY`] or [`AUTH_RESPONSE`].
    #[prost(int32, required, tag = "1")]
    kind: i32,
    /// 1 for IPv4, 2 for IPv6.
    #[prost(int32, optional, tag = "2")]
    family: Option<i32>,
    /// 1 for UDP, 2 for TCP, 3 for DNS over TLS.
    #[prost(int32, optional, tag = "3")]
    protocol: Option<i32>,
    /// Of the client.
    #[prost(bytes = "vec", optional, tag = "4")]
    query_address: Option<Vec<u8>>,
    /// Of the server.
    #[prost(bytes = "vec", optional, tag = "5")]
    response_address: Option<Vec<u8>>,
    #[prost(uint32, optional, tag = "6")]
    query_port: Option<u32>,
    #[prost(uint32, optional, tag = "7")]
    response_port: Option<u32>,
    #[prost(uint64, optional, tag = "8")]
    query_time_sec: Option<u64>,
    #[prost(fixed32, optional, tag = "9")]
    query_time_nsec: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "10")]
    query_message: Option<Vec<u8>>,
    /// The apex, in wire form.
    #[prost(bytes = "vec", optional, tag = "11")]
    query_zone: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "12")]
    response_time_sec: Option<u64>,
    #[prost(fixed32, optional, tag = "13")]
    response_time_nsec: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "14")]
    response_message: Option<Vec<u8>>,
}

const AUTH_QUERY: i32 = 1;
const AUTH_RESPONSE: i32 = 2;

/// The query and the answer of an exchange, each as a message. An answer takes less time than a clock tells: both
/// have the same.
pub(super) fn of(exchange: &Exchange, parts: [&[u8]; 3], identity: &str) -> [Vec<u8>; 2] {
    let Exchange { ends: Ends { client, server }, transport, time, .. } = *exchange;
    let [query, answer, apex] = parts;
    let (seconds, nanoseconds) = since_1970(time);
    let has_address = !server.ip().is_unspecified();
    let both = DnsMessage {
        kind: AUTH_QUERY,
        family: Some(if client.is_ipv4() { 1 } else { 2 }),
        protocol: Some(match transport {
            Transport::Udp => 1,
            Transport::Tcp => 2,
            Transport::Tls => 3,
        }),
        query_address: Some(octets(client)),
        response_address: has_address.then(|| octets(server)),
        query_port: Some(client.port().into()),
        response_port: Some(server.port().into()),
        query_time_sec: Some(seconds),
        query_time_nsec: Some(nanoseconds),
        query_zone: (!apex.is_empty()).then(|| apex.to_vec()),
        ..DnsMessage::default()
    };
    let asked = DnsMessage { query_message: Some(query.to_vec()), ..both.clone() };
    let answered = DnsMessage {
        kind: AUTH_RESPONSE,
        response_time_sec: Some(seconds),
        response_time_nsec: Some(nanoseconds),
        response_message: Some(answer.to_vec()),
        ..both
    };
    [asked, answered].map(|message| {
        let version = concat!("dnsbld ", env!("CARGO_PKG_VERSION")).as_bytes().to_vec();
        let identity = Some(identity.as_bytes().to_vec()).filter(|identity| !identity.is_empty());
        let (version, message) = (Some(version), Some(message));
        Envelope { identity, version, message, kind: MESSAGE }.encode_to_vec()
    })
}

fn octets(address: SocketAddr) -> Vec<u8> {
    match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn since_1970(time: SystemTime) -> (u64, u32) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs(), since.subsec_nanos())
}
