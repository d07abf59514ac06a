//! Addresses to listen on.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

/// The port that the examples name.
const USUAL: u16 = 5300;

/// So many ports are tried.
const TRIED: u16 = 100;

/// Why nobody can listen there.
pub(crate) fn in_use(address: SocketAddr) -> Option<io::Error> {
    UdpSocket::bind(address).map(drop).and_then(|()| TcpListener::bind(address).map(drop)).err()
}

/// The loopback addresses that this machine has, with the first free port from the usual one on. `None` if there
/// is none.
pub(crate) fn free_listen() -> Option<Vec<SocketAddr>> {
    let loopback =
        |port| [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), (Ipv6Addr::LOCALHOST, port).into()];
    // A machine without IPv6 has no such address at any port.
    let has_it = |address: &SocketAddr| UdpSocket::bind((address.ip(), 0)).is_ok();
    (USUAL..USUAL + TRIED).find_map(|port| {
        let addresses: Vec<_> = loopback(port).into_iter().filter(has_it).collect();
        let is_free = addresses.iter().all(|address| in_use(*address).is_none());
        (is_free && !addresses.is_empty()).then_some(addresses)
    })
}
