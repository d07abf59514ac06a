//! How many connections there are, in all and of each client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use super::client_address;

/// Counts open connections per client; asked only when one opens or closes.
#[derive(Debug)]
pub(super) struct Connections {
    per_client: usize,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    clients: HashMap<IpAddr, usize>,
    counts: ConnectionCounts,
}

/// Connections, as they were counted until some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConnectionCounts {
    /// Those that are open.
    pub open: usize,
    /// Those that were accepted since the start.
    pub accepted: u64,
    /// Those that were closed at once because of a cap since the start.
    pub refused: u64,
    /// How many may be open.
    pub limit: usize,
}

/// A place taken among the connections; given back when dropped.
pub(super) struct Admission {
    connections: Arc<Connections>,
    client: IpAddr,
}

impl Connections {
    /// No connections yet, and these at the most: in all, and of one IPv4 address or one IPv6 /64.
    pub(super) fn new(total: usize, per_client: usize) -> Arc<Self> {
        let counts = ConnectionCounts { limit: total, ..ConnectionCounts::default() };
        let open = Mutex::new(Open { clients: HashMap::new(), counts });
        Arc::new(Self { per_client, open })
    }

    pub(super) fn admit(connections: &Arc<Self>, client: IpAddr) -> Option<Admission> {
        let client = network(client);
        let mut open = connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_client = open.clients.get(&client).copied().unwrap_or(0);
        if open.counts.open >= open.counts.limit || of_client >= connections.per_client {
            open.counts.refused += 1;
            return None;
        }
        open.counts.open += 1;
        open.counts.accepted += 1;
        open.clients.insert(client, of_client + 1);
        Some(Admission { connections: Arc::clone(connections), client })
    }

    pub(super) fn counts(&self) -> ConnectionCounts {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).counts
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.counts.open -= 1;
        if let Some(count) = open.clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.clients.remove(&self.client);
            }
        }
    }
}

/// Whom a connection counts for: an IPv4 address, or an IPv6 /64, the least a site is given.
fn network(client: IpAddr) -> IpAddr {
    match client_address(client) {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_clients_are_counted_by_their_64() {
        let network = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
