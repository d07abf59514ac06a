//! The header of the PROXY protocol, version 2: whom a proxy asks for (its specification, section 2.2,
//! <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What each header begins with; no DNS query does.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The length of the part that all headers have: signature, version and command, family, length of the rest.
pub const FIXED: usize = 16;

/// The header before a query, or before the first query of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProxyHeader {
    /// The client, if there is one: a proxy asks for itself, too, to see how the server is.
    pub client: Option<SocketAddr>,
    /// The length of the header, in bytes.
    pub len: usize,
}

impl ProxyHeader {
    /// Reads the header that some bytes begin with. `None` if it is not there, not whole or malformed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_first_chunk()?;
        let len = Self::len_of(fixed)?;
        let rest = rest.get(..len - FIXED)?;
        let [.., command, family, _, _] = *fixed;
        let client = match (command & 0x0f, family >> 4, family & 0x0f) {
            // LOCAL: the proxy's own. What else the header says does not count.
            (0, _, _) => None,
            // PROXY, for a client of no family that has addresses here.
            (1, 0 | 3, 0..=2) => None,
            (1, 1, 0..=2) => Some(addresses::<4, Ipv4Addr>(rest)?),
            (1, 2, 0..=2) => Some(addresses::<16, Ipv6Addr>(rest)?),
            _ => return None,
        };
        Some(Self { client, len })
    }

    /// The length of a header with this fixed part, in bytes; `None` if it is that of no header.
    pub fn len_of(fixed: &[u8; FIXED]) -> Option<usize> {
        let [signature @ .., command, _, high, low] = fixed;
        let is_header = *signature == SIGNATURE && command >> 4 == 2;
        is_header.then_some(FIXED + usize::from(u16::from_be_bytes([*high, *low])))
    }
}

/// The source of two addresses and two ports; what follows them are fields that say more of the client.
fn addresses<const N: usize, A: From<[u8; N]> + Into<IpAddr>>(rest: &[u8]) -> Option<SocketAddr> {
    let (source, rest) = rest.split_first_chunk::<N>()?;
    let (_, rest) = rest.split_first_chunk::<N>()?;
    let (port, _) = rest.split_first_chunk::<4>()?;
    Some(SocketAddr::new(A::from(*source).into(), u16::from_be_bytes([port[0], port[1]])))
}

#[cfg(test)]
mod tests;
