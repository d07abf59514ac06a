//! The sockets that listen where queries are taken from a device: they send what is late or long.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;

use socket2::Socket;

use super::frame::Datagram;
use crate::server::listen::UdpListener;
use crate::server::mmsg::{self, LocalAddress, Route};

/// One of them.
#[derive(Debug)]
pub(super) struct Fallback {
    /// Where it listens.
    pub(super) address: SocketAddr,
    local: LocalAddress,
    pub(super) socket: Arc<Socket>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Fallbacks(Vec<Fallback>);

impl Fallbacks {
    /// Those of these listeners, of which each stands for the others of its address.
    ///
    /// # Errors
    ///
    /// When the system has no descriptor left.
    pub fn new<'a>(listeners: impl Iterator<Item = &'a UdpListener>) -> io::Result<Self> {
        let fallback = |listener: &UdpListener| {
            let socket = Arc::new(listener.socket.try_clone()?);
            Ok(Fallback { address: listener.address, local: listener.local, socket })
        };
        listeners.map(fallback).collect::<io::Result<_>>().map(Self)
    }

    /// The one that a datagram to this address would have come to.
    #[inline]
    pub(super) fn of(&self, server: SocketAddr) -> Option<&Fallback> {
        let takes = |it: &&Fallback| {
            it.address.port() == server.port()
                && it.address.is_ipv4() == server.is_ipv4()
                && (it.local != LocalAddress::Bound || it.address.ip() == server.ip())
        };
        self.0.iter().find(takes)
    }

    /// Where the first of them listens.
    pub(super) fn first(&self) -> SocketAddr {
        self.0.first().map_or_else(|| ([0, 0, 0, 0], 0).into(), |it| it.address)
    }
}

impl Fallback {
    /// The way back to the sender of a datagram, for an answer that is sent later.
    pub(super) fn route(&self, datagram: &Datagram<'_>) -> Route {
        Route::new(datagram.client, datagram.server.ip(), self.local)
    }

    /// Sends the answer to a datagram now.
    pub(super) fn send(&self, datagram: &Datagram<'_>, answer: &[u8]) -> io::Result<()> {
        mmsg::send_one(self.socket.as_fd(), &self.route(datagram), answer)
    }
}
