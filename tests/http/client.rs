//! A client of HTTP that sends what it is told to.

use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A server.
pub(super) struct Http(pub(super) SocketAddr);

/// What it said.
#[derive(Debug)]
pub(super) struct HttpReply {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Http {
    /// Asks for a path.
    pub(super) fn get(&self, path: &str) -> HttpReply {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.0))
    }

    /// A connection from an address of this machine.
    pub(super) fn connect_from(&self, ip: Ipv4Addr) -> TcpStream {
        let connect = || {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SocketAddr::from((ip, 0)).into())?;
            socket.connect(&self.0.into())?;
            std::io::Result::Ok(socket.into())
        };
        connect().expect("all of 127.0.0.0/8 is this machine")
    }

    /// Sends these bytes, and no others.
    pub(super) fn send(&self, request: &str) -> HttpReply {
        self.send_over(TcpStream::connect(self.0).expect("it listens"), request)
    }

    /// The same over a connection that is there.
    pub(super) fn send_over(&self, mut stream: TcpStream, request: &str) -> HttpReply {
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it is not zero");
        // It may have answered before it has read all.
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{request:.80}: {text:?}"));
        HttpReply { status, head: head.to_owned(), body: body.to_owned() }
    }
}

impl HttpReply {
    /// The value of a header field, by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
