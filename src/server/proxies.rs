//! Whom queries are for that come from a proxy: the client stands in a header before the query, or before the first
//! one of a stream.

use super::accept::{Accepted, Closed};
use super::{Context, client_address};
use crate::engine::Transport;
use crate::event::Event;
use crate::wire::proxy::{FIXED, ProxyHeader};
use ipnet::IpNet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::PoisonError;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// The longest header before a stream, in bytes: addresses, and what proxies usually add.
const MAX_HEADER: usize = 2048;

/// A proxy has sent no header, or a malformed one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NoHeader;

/// The client of a datagram from `peer`, and the query in it.
pub(super) fn of_datagram<'q>(
    proxies: &[IpNet],
    peer: SocketAddr,
    datagram: &'q [u8],
) -> Result<(SocketAddr, &'q [u8]), NoHeader> {
    if !has(proxies, peer.ip()) {
        return Ok((peer, datagram));
    }
    let header = ProxyHeader::parse(datagram).ok_or(NoHeader)?;
    Ok((client(header, peer), &datagram[header.len..]))
}

/// Puts the client of a new stream in the place of the proxy that it comes from; its next bytes are those of the first
/// query then, or of a TLS handshake. False if that ends it, which is counted.
pub(super) async fn take_header(
    accepted: &mut Accepted,
    context: &Context,
    patience: Duration,
    transport: Transport,
) -> bool {
    let peer = accepted.client;
    if !has(context.catalog.load().proxies(), peer.ip()) {
        return true;
    }
    let header = tokio::select! {
        biased;
        _ = accepted.stopped.changed() => return false,
        header = timeout(patience, read(&mut accepted.stream)) => header,
    };
    match header {
        Ok(Ok(Some(header))) => {
            accepted.client = client(header, peer);
            return true;
        }
        Ok(Ok(None)) => {
            accepted.tally.closed(Closed::ProxyHeader);
            tell(context, transport, peer.ip());
        }
        // It has gone, as monitors do.
        Ok(Err(_)) => {}
        Err(_) => accepted.tally.closed(Closed::FirstQuery),
    }
    false
}

/// Reads a header and nothing behind it; `None` if it is none.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<ProxyHeader>> {
    let mut bytes = vec![0; FIXED];
    stream.read_exact(&mut bytes).await?;
    let len = bytes.first_chunk().and_then(ProxyHeader::len_of);
    let Some(len) = len.filter(|len| *len <= MAX_HEADER) else { return Ok(None) };
    bytes.resize(len, 0);
    stream.read_exact(&mut bytes[FIXED..]).await?;
    Ok(ProxyHeader::parse(&bytes))
}

/// Tells, once a minute, that queries of a proxy are not answered.
pub(super) fn tell(context: &Context, transport: Transport, proxy: IpAddr) {
    let mut unproxied = context.unproxied.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(suppressed) = unproxied.pass() {
        let proxy = client_address(proxy);
        context.sink.emit(&Event::ProxyHeaderMissing { proxy, transport, suppressed });
    }
}

fn has(proxies: &[IpNet], peer: IpAddr) -> bool {
    let peer = client_address(peer);
    proxies.iter().any(|proxy| proxy.contains(&peer))
}

fn client(header: ProxyHeader, peer: SocketAddr) -> SocketAddr {
    header.client.map_or(peer, |client| (client_address(client.ip()), client.port()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = b"a query";

    fn header() -> Vec<u8> {
        let fixed = b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c";
        [&fixed[..], &[192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 0, 53]].concat()
    }

    #[test]
    fn a_listed_proxy_says_whom_it_asks_for_and_nobody_else() {
        let proxies = ["127.0.0.1/32", "2001:db8::/32"].map(|prefix| prefix.parse().unwrap());
        let [proxy, mapped, other] = ["127.0.0.1:9", "[::ffff:127.0.0.1]:9", "127.0.0.2:9"]
            .map(|peer| peer.parse().unwrap());
        let datagram = [&header()[..], QUERY].concat();
        let client = "192.0.2.7:4660".parse().unwrap();
        for peer in [proxy, mapped] {
            assert_eq!(of_datagram(&proxies, peer, &datagram), Ok((client, QUERY)));
            assert_eq!(of_datagram(&proxies, peer, QUERY), Err(NoHeader));
        }
        for datagram in [&datagram, QUERY] {
            assert_eq!(of_datagram(&proxies, other, datagram), Ok((other, datagram)));
            assert_eq!(of_datagram(&[], proxy, datagram), Ok((proxy, datagram)));
        }
        let local = [&b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"[..], QUERY].concat();
        assert_eq!(of_datagram(&proxies, proxy, &local), Ok((proxy, QUERY)));
    }

    #[tokio::test]
    async fn of_a_stream_the_header_is_read_and_nothing_behind_it() {
        let bytes = [&header()[..], QUERY].concat();
        let mut stream = &bytes[..];
        let found = read(&mut stream).await.unwrap();
        assert_eq!((found, stream), (ProxyHeader::parse(&bytes), QUERY));
        let long = [&header()[..14], &[0xff; 2], &[0; 65_535]].concat();
        assert_eq!(read(&mut &long[..]).await.unwrap(), None, "too long");
        assert_eq!(read(&mut &[7; 100][..]).await.unwrap(), None);
        assert!(read(&mut &bytes[..20]).await.is_err(), "cut off");
    }
}
