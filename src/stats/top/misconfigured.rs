//! Questions that a client does not ask unless it is set up wrongly.

use super::name::NameKey;
use crate::engine::Catalog;
use crate::wire::name::Labels;
use crate::wire::reversed::{NIBBLES, nibbles, octets};
use crate::zone::{Acl, Dataset, ZoneMatch};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};

/// What is wrong with a question.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Misconfiguration {
    /// The name of the zone stands behind the key twice.
    DoubledSuffix,
    /// The address does not stand in reverse order (RFC 5782 section 2.1).
    UnreversedAddress,
    /// The zone lists addresses alone, and is asked for a name.
    NameInAddressZone,
}

impl Misconfiguration {
    /// The word for it in reports.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::DoubledSuffix => "doubled-suffix",
            Self::UnreversedAddress => "unreversed-address",
            Self::NameInAddressZone => "name-in-address-zone",
        }
    }

    /// What is wrong with a question for this name, in wire form and lower case, if anything is for certain.
    pub(super) fn of(catalog: &Catalog, name: &[u8]) -> Option<Self> {
        // A name has at most 127 labels, and the root.
        let (mut starts, mut count, mut start) = ([0; 128], 0, 0);
        for label in Labels::of(name) {
            *starts.get_mut(count)? = start as u8;
            (count, start) = (count + 1, start + label.len() + 1);
        }
        *starts.get_mut(count)? = start as u8;
        let ZoneMatch { zone, before, .. } = catalog.find(name, starts.get(..=count)?, &mut 0)?;
        let is_addresses = |set: &Dataset| set.ip4.is_some() || set.ip6.is_some();
        let has_else =
            |set: &Dataset| set.takes_names() || set.records.is_some() || set.subzones.is_some();
        let sets = &zone.datasets;
        if !sets.iter().any(|set| is_addresses(set)) || sets.iter().any(|set| has_else(set)) {
            return None;
        }
        let mut labels: Vec<&[u8]> = Labels::of(name).take(before).collect();
        let access = catalog.acl().iter().chain(&zone.acl);
        let is_key = |label: &[u8]| {
            access.clone().any(|set| match &set.acl {
                Some(Acl::Keys(keys)) => keys.known(label).is_some(),
                _ => false,
            })
        };
        if labels.last().is_some_and(|label| is_key(label)) {
            labels.pop();
        }
        let apex: Vec<&[u8]> = Labels::of(zone.apex.as_wire()).collect();
        // Every name ends in that of the root.
        if !apex.is_empty() && labels.ends_with(&apex) {
            return Some(Self::DoubledSuffix);
        }
        let key = name.get(..labels.iter().map(|label| label.len() + 1).sum())?;
        match octets(key, 0) {
            Some((address, len)) if len == key.len() => {
                return is_unreversed_ip4(address).then_some(Self::UnreversedAddress);
            }
            _ => {}
        }
        if key.len() == NIBBLES
            && let Some(address) = nibbles(key)
        {
            return is_unreversed_ip6(address).then_some(Self::UnreversedAddress);
        }
        // Resolvers that minimise names ask for a part of an address (RFC 9156), monitors for test points and health.
        let is_part = labels.iter().all(|label| {
            label.len() <= 3 && label.iter().all(u8::is_ascii_digit)
                || matches!(label, [digit] if digit.is_ascii_hexdigit())
        });
        let is_own = matches!(&labels[..], [[b'_', ..] | b"test" | b"invalid"]);
        (!is_part && !is_own).then_some(Self::NameInAddressZone)
    }
}

/// True for an address that nothing on the internet has, and that read backwards is one.
fn is_unreversed_ip4(address: u32) -> bool {
    let backwards = Ipv4Addr::from_bits(address.swap_bytes());
    let is_impossible = matches!(address >> 24, 0 | 224..);
    let is_usual = !matches!(backwards.octets()[0], 0 | 10 | 127 | 224..)
        && !backwards.is_private()
        && !backwards.is_link_local();
    is_impossible && is_usual
}

/// The same for IPv6, of which 2000::/3 is in use, and fc00::/6 and fe80::/9 within sites.
fn is_unreversed_ip6(address: u128) -> bool {
    let first = address >> 124;
    let last = address & 0xf;
    !matches!(first, 2 | 3 | 0xf) && address >> 96 != 0 && matches!(last, 2 | 3)
}

/// A client that asks wrongly, and how. The name, which is the first one, makes no difference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Misconfigured {
    pub(super) client: IpAddr,
    pub(super) fault: Misconfiguration,
    pub(super) example: NameKey,
}

impl PartialEq for Misconfigured {
    fn eq(&self, other: &Self) -> bool {
        (self.client, self.fault) == (other.client, other.fault)
    }
}

impl Eq for Misconfigured {}

impl Hash for Misconfigured {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.client, self.fault).hash(state);
    }
}

#[cfg(test)]
pub(super) mod tests;
