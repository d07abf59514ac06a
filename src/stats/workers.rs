//! Which worker answers over what.

use crate::engine::Transport;
use std::ops::Range;

/// The numbers of workers of a server. They are numbered in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Workers {
    /// Those that answer over UDP: one for each socket.
    pub udp: usize,
    /// Those that answer over UDP past the kernel's stack: one for each queue of a device.
    pub xdp: usize,
    /// Those that answer over TCP: one for each listener.
    pub tcp: usize,
    /// Those that answer over TLS: one for each listener.
    pub tls: usize,
}

impl Workers {
    /// How many there are.
    pub fn all(self) -> usize {
        self.udp + self.xdp + self.tcp + self.tls
    }

    /// The numbers of those that answer over this transport.
    pub fn over(self, transport: Transport) -> Range<usize> {
        let Self { tcp, tls, .. } = self;
        let udp = self.udp + self.xdp;
        match transport {
            Transport::Udp => 0..udp,
            Transport::Tcp => udp..udp + tcp,
            Transport::Tls => udp + tcp..udp + tcp + tls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_answers_over_one_transport() {
        let workers = Workers { udp: 3, xdp: 2, tcp: 2, tls: 1 };
        let all = Transport::ALL.into_iter().flat_map(|transport| workers.over(transport));
        assert_eq!(all.collect::<Vec<_>>(), (0..workers.all()).collect::<Vec<_>>());
    }
}
