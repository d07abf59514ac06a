//! Sockets that another process has bound: the manager of services (sd_listen_fds(3)), or the server whose place
//! this one takes. Each is taken by the address that the settings name.

use super::listen::canonical;
use listenfd::ListenFd;
use socket2::{Socket, Type};
use std::env;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

/// The first descriptor that a manager of services hands over (sd_listen_fds(3)).
const FIRST_DESCRIPTOR: usize = 3;

/// Sockets that wait to be taken.
#[derive(Debug, Default)]
pub struct Inherited(Vec<InheritedSocket>);

#[derive(Debug)]
struct InheritedSocket {
    socket: Socket,
    protocol: &'static str,
    address: SocketAddr,
    /// How the manager of services calls it; `None` if it comes from another server.
    name: Option<String>,
}

/// Why sockets of the manager of services cannot be served.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InheritError {
    /// What it hands over is of no use to a name server.
    #[error(
        "{0} is no bound UDP socket and no listening TCP socket; take its line out of the socket unit, or have it \
         start another service"
    )]
    NoSocket(String),
    /// Queries would wait there for ever.
    #[error(
        "{name} is a {protocol} socket of {address}, where the settings do not listen, so nobody would answer there; \
         add the address to `listen` in the table of that protocol, or take its line out of the socket unit"
    )]
    NotListened {
        /// How the manager calls it.
        name: String,
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// Where it is bound.
        address: SocketAddr,
    },
}

impl Inherited {
    /// Takes the sockets that the manager of services has for this process. Call it before threads start: it
    /// removes variables from the environment.
    ///
    /// # Errors
    ///
    /// One of them is no socket that can be served.
    pub fn from_environment() -> Result<Self, InheritError> {
        if env::var("LISTEN_PID").is_ok_and(|process| process.is_empty()) {
            return Ok(Self::default());
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        let mut descriptors = ListenFd::from_env();
        let count = descriptors.len();
        let take = |number| {
            let descriptor = FIRST_DESCRIPTOR + number;
            let name = match names.next() {
                Some(name) => {
                    format!("descriptor {descriptor} ({name}) of the manager of services")
                }
                None => format!("descriptor {descriptor} of the manager of services"),
            };
            let mut socket = descriptors.take_udp_socket(number).ok().flatten().map(Socket::from);
            if socket.is_none() {
                socket = descriptors.take_tcp_listener(number).ok().flatten().map(Socket::from);
            }
            let socket = socket.and_then(|socket| InheritedSocket::new(socket, Some(name.clone())));
            socket.ok_or(InheritError::NoSocket(name))
        };
        (0..count).map(take).collect::<Result<_, _>>().map(Self)
    }

    /// Adds the sockets of the server whose place this one takes, but for the addresses of which there are sockets.
    pub fn add(&mut self, descriptors: Vec<OwnedFd>) {
        let sockets = descriptors.into_iter().map(Socket::from);
        let mut sockets: Vec<_> =
            sockets.filter_map(|socket| InheritedSocket::new(socket, None)).collect();
        sockets.retain(|socket| {
            !self.0.iter().any(|known| known.is_at(socket.protocol, socket.address))
        });
        self.0.append(&mut sockets);
    }

    /// The UDP sockets of this address.
    pub fn take_udp(&mut self, address: SocketAddr) -> Vec<Socket> {
        self.take("UDP", address)
    }

    /// The TCP sockets of this address.
    pub fn take_tcp(&mut self, address: SocketAddr) -> Vec<TcpListener> {
        self.take("TCP", address).into_iter().map(TcpListener::from).collect()
    }

    /// Closes what was not taken.
    ///
    /// # Errors
    ///
    /// A socket of the manager of services is left: it stays open there. What another server listened on may be
    /// given up.
    pub fn finish(&mut self) -> Result<(), InheritError> {
        let left = std::mem::take(&mut self.0);
        left.into_iter().try_for_each(
            |InheritedSocket { protocol, address, name, .. }| match name {
                Some(name) => Err(InheritError::NotListened { name, protocol, address }),
                None => Ok(()),
            },
        )
    }

    fn take(&mut self, protocol: &str, address: SocketAddr) -> Vec<Socket> {
        let address = canonical(address);
        let taken = self.0.extract_if(.., |socket| socket.is_at(protocol, address));
        taken.map(|taken| taken.socket).collect()
    }
}

impl InheritedSocket {
    /// `None` if queries cannot come by it.
    fn new(socket: Socket, name: Option<String>) -> Option<Self> {
        let address = socket.local_addr().ok()?.as_socket().filter(|bound| bound.port() != 0)?;
        let protocol = match socket.r#type().ok()? {
            Type::DGRAM => "UDP",
            Type::STREAM if socket.is_listener().ok()? => "TCP",
            _ => return None,
        };
        Some(Self { socket, protocol, address, name })
    }

    fn is_at(&self, protocol: &str, address: SocketAddr) -> bool {
        self.protocol == protocol && self.address == address
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    fn any<T: Into<OwnedFd>>(bound: std::io::Result<T>) -> OwnedFd {
        bound.unwrap().into()
    }

    #[test]
    fn sockets_are_taken_by_protocol_and_address() {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = udp.local_addr().unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let elsewhere = tcp.local_addr().unwrap();
        let connected = std::net::TcpStream::connect(elsewhere).unwrap();
        let mut sockets = Inherited::default();
        sockets.add(vec![
            udp.try_clone().unwrap().into(),
            udp.into(),
            tcp.try_clone().unwrap().into(),
            tcp.into(),
            connected.into(),
        ]);
        assert!(sockets.take_udp(elsewhere).is_empty());
        assert!(sockets.take_tcp(address).is_empty());
        let mapped = format!("[::ffff:127.0.0.1]:{}", address.port()).parse().unwrap();
        assert_eq!(sockets.take_udp(mapped).len(), 2);
        // Regression: one was served, and connections to the other waited for ever.
        let taken = sockets.take_tcp(elsewhere);
        let bound: Vec<_> = taken.iter().map(|tcp| tcp.local_addr().unwrap()).collect();
        assert_eq!(bound, [elsewhere; 2]);
        assert!(sockets.0.is_empty(), "a connection is no listener");
    }

    #[test]
    fn where_there_is_a_socket_no_other_server_gives_one() {
        let [first, second] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let addresses = [&first, &second].map(|socket| socket.local_addr().unwrap());
        let mut sockets = Inherited::default();
        sockets.add(vec![first.try_clone().unwrap().into()]);
        sockets.add(vec![first.into(), second.into()]);
        assert_eq!(addresses.map(|address| sockets.take_udp(address).len()), [1, 1]);
    }

    #[test]
    fn what_the_manager_of_services_holds_must_be_listened_on() {
        let name = "descriptor 3 (dnsbld.socket) of the manager of services".to_owned();
        let with_name = |name: Option<String>| {
            let socket = Socket::from(any(UdpSocket::bind("127.0.0.1:0")));
            Inherited(vec![InheritedSocket::new(socket, name).unwrap()])
        };
        let address = with_name(None).0[0].address;
        assert_eq!(with_name(None).finish(), Ok(()));
        let refused = with_name(Some(name)).finish().unwrap_err();
        assert_ne!(address.port(), 0);
        let text = refused.to_string();
        assert!(text.starts_with("descriptor 3 (dnsbld.socket) of the manager of services is a UDP socket of 127.0.0.1:"), "{text}");
    }
}
