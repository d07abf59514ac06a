//! Sockets to listen on, with the options each needs. Binding comes before dropping privileges.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::mmsg::{self, LocalAddress};

/// What a UDP socket should hold while its worker is busy: some thousand queries.
const RECEIVE_BUFFER: usize = 1 << 20;

/// How often an idle UDP worker wakes, to let go of a catalog that was replaced.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(1);

/// The same for a worker whose socket somebody else has, too: it must notice by itself when it is
/// to stop, and the manager of services waits for it.
const SHARED_RECEIVE_TIMEOUT: Duration = Duration::from_millis(200);

/// How long a UDP worker waits for a full send buffer to drain before it drops answers. A
/// neighbour that does not answer ARP must not stop the others for longer.
const SEND_TIMEOUT: Duration = Duration::from_millis(50);

/// Connections waiting to be accepted.
const TCP_BACKLOG: i32 = 1024;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({protocol}): {cause}{}", remedy(.cause))]
pub struct ListenError {
    /// The address asked for.
    pub address: SocketAddr,
    /// `UDP` or `TCP`.
    pub protocol: &'static str,
    /// What the system said.
    pub cause: io::Error,
}

/// A bound UDP socket, to be given to a worker.
#[derive(Debug)]
pub struct UdpListener {
    pub(super) socket: Socket,
    pub(super) address: SocketAddr,
    pub(super) local: LocalAddress,
    /// Another process has it, too, and gives it to the next server: it must not be shut down.
    pub(super) shared: bool,
}

impl UdpListener {
    /// The address it is bound to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same socket once more, for a server that takes the place of this one.
    ///
    /// # Errors
    ///
    /// When no descriptor is left.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone().map(OwnedFd::from)
    }

    /// The bytes of its receive buffer and those that it should have, if the system grants less. How
    /// large it is was decided elsewhere if another process has the socket.
    pub fn too_small_buffer(&self) -> Option<(usize, usize)> {
        let bytes = self.socket.recv_buffer_size().ok().filter(|_| !self.shared)?;
        (bytes < RECEIVE_BUFFER).then_some((bytes, RECEIVE_BUFFER))
    }
}

/// Binds `workers` UDP sockets to one address; the kernel spreads clients over them
/// (`SO_REUSEPORT`). Port 0 takes any free port, the same for all.
///
/// # Errors
///
/// When the address cannot be bound, or another socket is bound to it or to a wildcard address
/// with the same port: a second server started by mistake would silently take half the queries.
pub fn udp(address: SocketAddr, workers: usize) -> Result<Vec<UdpListener>, ListenError> {
    let address = canonical(address);
    let fail = |cause| ListenError { address, protocol: "UDP", cause };
    let probe = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))
        .and_then(|socket| bind(socket, address))
        .map_err(fail)?;
    let bound = local_address(&probe).map_err(fail)?;
    drop(probe);

    let mut listeners = Vec::with_capacity(workers);
    for _ in 0..workers {
        listeners.push(udp_socket(bound).map_err(fail)?);
    }
    Ok(listeners)
}

/// Binds a TCP socket; non-blocking, as tokio wants it.
///
/// # Errors
///
/// When the address cannot be bound.
pub fn tcp(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let address = canonical(address);
    tcp_socket(address).map_err(|cause| ListenError { address, protocol: "TCP", cause })
}

/// Gives the UDP sockets of one address, which another process has bound, to `workers`, and to one for each socket
/// at the least: what the kernel queues on a socket must be read by somebody. Where there are fewer sockets, workers
/// share them.
///
/// # Errors
///
/// When the system refuses an option.
pub fn udp_inherited(
    address: SocketAddr,
    sockets: &[Socket],
    workers: usize,
) -> Result<Vec<UdpListener>, ListenError> {
    let shared = (0..workers.max(sockets.len())).zip(sockets.iter().cycle());
    let listeners = shared.map(|(_, socket)| udp_handed_over(socket.try_clone()?));
    listeners.collect::<io::Result<_>>().map_err(|cause| ListenError {
        address,
        protocol: "UDP",
        cause,
    })
}

/// Prepares a TCP socket that another process has bound, and which listens.
///
/// # Errors
///
/// When the system refuses an option.
pub fn tcp_inherited(
    address: SocketAddr,
    listener: TcpListener,
) -> Result<TcpListener, ListenError> {
    let prepare = || {
        listener.set_nonblocking(true)?;
        socket2::SockRef::from(&listener).set_tcp_nodelay(true)
    };
    prepare().map_err(|cause| ListenError { address, protocol: "TCP", cause })?;
    Ok(listener)
}

/// A UDP socket that another process has bound and keeps (systemd.socket(5)). The sizes of its
/// buffers stay as they are set there.
///
/// # Errors
///
/// When it is not bound to an IP address, or the system refuses an option.
pub fn udp_handed_over(socket: Socket) -> io::Result<UdpListener> {
    let address = local_address(&socket)?;
    let local = prepare(&socket, address)?;
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(SHARED_RECEIVE_TIMEOUT))?;
    Ok(UdpListener { address, socket, local, shared: true })
}

/// Sets what every UDP socket needs.
fn prepare(socket: &Socket, address: SocketAddr) -> io::Result<LocalAddress> {
    let local = match address {
        SocketAddr::V4(address) if address.ip().is_unspecified() => LocalAddress::AnyIpv4,
        SocketAddr::V6(address) if address.ip().is_unspecified() => LocalAddress::AnyIpv6,
        _ => LocalAddress::Bound,
    };
    mmsg::report_local_address(socket.as_fd(), local)?;
    mmsg::ignore_path_mtu(socket.as_fd(), address.is_ipv6())?;
    socket.set_write_timeout(Some(SEND_TIMEOUT))?;
    Ok(local)
}

/// An IPv4 address in an IPv6 one (RFC 4291 section 2.5.5.2) is what it stands for: sockets for IPv6 take
/// nothing else here.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => (ip, address.port()).into(),
        // As it is: it may have a scope.
        IpAddr::V6(_) => address,
    }
}

fn udp_socket(address: SocketAddr) -> io::Result<UdpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    let local = prepare(&socket, address)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    if socket.recv_buffer_size()? < RECEIVE_BUFFER {
        // Fails without privileges; `too_small_buffer` tells it then.
        let _ = mmsg::force_receive_buffer(socket.as_fd(), RECEIVE_BUFFER as libc::c_int);
    }
    socket.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
    socket.set_reuse_port(true)?;
    let socket = bind(socket, address)?;
    Ok(UdpListener { address: local_address(&socket)?, socket, local, shared: false })
}

fn tcp_socket(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server just stopped linger in TIME_WAIT and would block the address.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Connections inherit it (on Linux). hickory-server does not set it itself, and every second
    // answer to a client that does not wait for the first would be held back for 40 ms.
    socket.set_tcp_nodelay(true)?;
    let socket = bind(socket, address)?;
    socket.listen(TCP_BACKLOG)?;
    Ok(socket.into())
}

fn bind(socket: Socket, address: SocketAddr) -> io::Result<Socket> {
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an IP socket"))
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => "; another server, or a second copy of this one, is using it",
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::collide;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn udp_sockets_of_one_address_share_a_port_with_room_for_bursts() {
        for text in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
            let listeners = udp(address(text), 3).unwrap();
            assert_eq!(listeners.len(), 3);
            assert_ne!(listeners[0].address().port(), 0);
            for listener in &listeners {
                assert_eq!(listener.address(), listeners[0].address(), "{text}");
                assert!(listener.socket.reuse_port().unwrap());
            }
        }
    }

    #[test]
    fn ipv6_wildcards_leave_ipv4_alone() {
        let listeners = udp(address("[::]:0"), 1).unwrap();
        let port = listeners[0].address().port();
        udp(SocketAddr::from(([0, 0, 0, 0], port)), 1).unwrap();
    }

    #[test]
    fn what_is_said_to_collide_does() {
        let pairs = [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1", "127.0.0.2"),
            ("127.0.0.1", "0.0.0.0"),
            ("0.0.0.0", "127.0.0.1"),
            ("127.0.0.1", "::ffff:127.0.0.1"),
            ("::ffff:0.0.0.0", "127.0.0.1"),
            ("::", "::1"),
            ("::1", "::"),
            ("::", "0.0.0.0"),
            ("0.0.0.0", "::"),
            ("::", "127.0.0.1"),
            ("127.0.0.1", "::"),
            ("::1", "127.0.0.1"),
        ];
        for (first, second) in pairs {
            let [first, second] = [first, second].map(|ip| ip.parse::<IpAddr>().unwrap());
            let both_at_once = || {
                let bound = tcp((first, 0).into()).unwrap();
                tcp((second, bound.local_addr().unwrap().port()).into()).is_ok()
            };
            let collide = collide((first, 53).into(), (second, 53).into());
            // Another test may have the port.
            assert_eq!(!collide, (0..16).any(|_| both_at_once()), "{first} {second}");
        }
        assert!(!collide(address("0.0.0.0:0"), address("127.0.0.1:0")));
        assert!(!collide(address("0.0.0.0:53"), address("127.0.0.1:54")));
    }

    #[test]
    fn a_second_server_on_the_same_address_is_refused() {
        let first = udp(address("127.0.0.1:0"), 2).unwrap();
        let error = udp(first[0].address(), 2).unwrap_err();
        assert_eq!(error.cause.kind(), io::ErrorKind::AddrInUse);
        let text = error.to_string();
        assert!(text.contains(&first[0].address().to_string()), "{text}");
        assert!(text.contains("second copy"), "{text}");

        let first = tcp(address("[::1]:0")).unwrap();
        let error = tcp(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.cause.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn connections_send_answers_at_once() {
        let listener = tcp(address("127.0.0.1:0")).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let (connection, _) = listener.accept().unwrap();
        assert!(connection.nodelay().unwrap());
    }

    #[test]
    fn errors_name_address_protocol_and_remedy() {
        let error = udp(address("192.0.2.1:0"), 1).unwrap_err().to_string();
        assert!(error.starts_with("cannot listen on 192.0.2.1:0 (UDP): "), "{error}");
        assert!(error.ends_with("this machine has no such address"), "{error}");
    }
}
