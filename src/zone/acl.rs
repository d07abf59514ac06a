//! Access lists as they are served.

use crate::listing::{Action, Actions, AnswerId, Keyword};
use crate::trie::{Trie4, Trie6};
use crate::zonefile::{self, Keys, Subjects};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

/// Who may ask, and what is done with the queries of the others.
#[derive(Debug)]
pub enum Acl {
    /// By the address of the client (`acl`).
    Clients(Box<ClientAcl>),
    /// By the last label before the apex (`aclkey`).
    Keys(Box<KeyAcl>),
}

/// An access list of clients.
#[derive(Debug)]
pub struct ClientAcl {
    ip4: Trie4,
    ip6: Trie6,
    actions: Actions,
    /// The IPv4 clients that do not simply pass, as sorted, disjoint ranges: each query asks for that.
    restricted: Box<[RangeInclusive<u32>]>,
}

/// An access list of keys.
#[derive(Debug)]
pub struct KeyAcl {
    keys: Keys,
    actions: Actions,
}

impl Acl {
    /// The served form of an access list that was read.
    pub fn new(parsed: zonefile::ParsedAcl) -> Self {
        let actions = parsed.actions;
        match parsed.subjects {
            Subjects::Clients(ip4, ip6) => {
                let restricted = ip4.ranges().filter(|range| !passes(actions.get(range.answer)));
                Self::Clients(Box::new(ClientAcl {
                    restricted: restricted.map(|range| range.start..=range.end).collect(),
                    ip4: ip4.into_trie(1),
                    ip6: ip6.into_trie(),
                    actions,
                }))
            }
            Subjects::Keys(keys) => Self::Keys(Box::new(KeyAcl { keys, actions })),
        }
    }

    /// The size in memory, in bytes.
    pub fn memory(&self) -> usize {
        match self {
            Self::Clients(acl) => {
                let restricted = size_of_val(&*acl.restricted);
                acl.ip4.memory() + acl.ip6.memory() + acl.actions.memory() + restricted
            }
            Self::Keys(acl) => {
                let known = &acl.keys.known;
                let texts: usize = known.keys().map(|key| key.len()).sum();
                let entries = known.len() * size_of::<(Box<[u8]>, AnswerId)>();
                entries + texts + acl.actions.memory()
            }
        }
    }
}

impl ClientAcl {
    #[inline]
    fn restricts(&self, client: u32) -> bool {
        let next = self.restricted.partition_point(|range| *range.end() < client);
        self.restricted.get(next).is_some_and(|range| *range.start() <= client)
    }

    /// What is done with the queries of this client, if the list says anything of it. A v4-mapped
    /// address is an IPv4 address.
    pub fn action(&self, client: IpAddr) -> Option<Action<'_>> {
        self.actions.get(match client.to_canonical() {
            IpAddr::V4(client) => self.ip4.lookup(client.into()),
            IpAddr::V6(client) => self.ip6.lookup(client.into()),
        })
    }
}

impl Acl {
    /// True if the list lets every query of this client pass.
    #[inline(never)]
    pub fn passes(&self, client: IpAddr) -> bool {
        match self {
            Self::Clients(clients) => passes(clients.action(client)),
            Self::Keys(_) => false,
        }
    }

    /// The same for an IPv4 client.
    #[inline]
    pub fn passes_ip4(&self, client: Ipv4Addr) -> bool {
        match self {
            Self::Clients(clients) => !clients.restricts(client.into()),
            Self::Keys(_) => false,
        }
    }
}

fn passes(action: Option<Action<'_>>) -> bool {
    matches!(action, None | Some(Action::Keyword(Keyword::Pass)))
}

impl KeyAcl {
    /// What is done with queries that have this label, in lower case, before the apex; `None` if
    /// it is no key.
    pub fn known(&self, label: &[u8]) -> Option<Action<'_>> {
        self.actions.get(*self.keys.known.get(label)?)
    }

    /// What is done with queries that have no key.
    pub fn unknown(&self) -> Option<Action<'_>> {
        self.actions.get(self.keys.unknown)
    }
}

#[cfg(test)]
mod tests;
