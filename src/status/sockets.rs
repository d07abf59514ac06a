//! What a server listens on, with which certificates, and how many connections it has.

use super::{DeviceStatus, Listening, Time};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// The time before the end of a certificate in which something is wrong: who renews certificates does so earlier.
const CERTIFICATE_ALARM: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What is spoken on a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// DNS over UDP.
    Udp,
    /// DNS over TCP.
    Tcp,
    /// DNS over TLS.
    Tls,
    /// DNS over HTTPS.
    Https,
    /// Metrics and health over HTTP.
    Http,
}

/// An address that is listened on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListenerStatus {
    /// The address.
    pub address: SocketAddr,
    /// What it serves.
    pub protocols: Vec<Protocol>,
}

/// The connections of a protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ConnectionStatus {
    /// The protocol.
    pub protocol: Protocol,
    /// How many are open.
    pub open: u64,
    /// How many may be open; those of TCP and TLS together.
    pub limit: u64,
    /// How many have given way to others since the start, because there was no room for both.
    #[serde(default)]
    pub gave_way: u64,
}

/// A TLS certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// The file, as the settings name it.
    pub file: String,
    /// The names and addresses that it is for.
    pub names: Vec<String>,
    /// When it expires; `None` if it cannot be read.
    pub expires: Option<Time>,
}

/// All of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sockets {
    pub(crate) listeners: Vec<ListenerStatus>,
    pub(crate) connections: Vec<ConnectionStatus>,
    pub(crate) devices: Vec<DeviceStatus>,
    pub(crate) certificates: Vec<CertificateStatus>,
}

impl Sockets {
    /// Adds what an address serves.
    pub(crate) fn add_listener(&mut self, address: SocketAddr, protocol: Protocol) {
        match self.listeners.iter_mut().find(|listener| listener.address == address) {
            Some(listener) if listener.protocols.contains(&protocol) => {}
            Some(listener) => listener.protocols.push(protocol),
            None => self.listeners.push(ListenerStatus { address, protocols: vec![protocol] }),
        }
    }

    /// The addresses alone.
    pub(super) fn listening(&self) -> Listening {
        let of = |protocol| {
            let listeners = self.listeners.iter();
            let serving = listeners.filter(move |listener| listener.protocols.contains(&protocol));
            serving.map(|listener| listener.address).collect()
        };
        Listening {
            plain: of(Protocol::Udp),
            tls: of(Protocol::Tls),
            https: of(Protocol::Https),
            http: of(Protocol::Http),
        }
    }
}

impl CertificateStatus {
    /// True if it does not expire soon.
    pub fn is_well(&self, now: Time) -> bool {
        self.expires.is_none_or(|expires| {
            expires.0.saturating_sub(now.0) >= CERTIFICATE_ALARM.as_secs() as i64
        })
    }
}

/// The word, as people write it.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Https => "HTTPS",
            Self::Http => "HTTP",
        })
    }
}
