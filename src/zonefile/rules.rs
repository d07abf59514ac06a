//! The rules that bound the entries of a dataset, whatever reader they come from.

use super::entry::{net4, net6};
use super::fast::Range4;
use super::{Dialect, Mistake, Options, ip4, ip6};
use crate::listing::addresses::Duplicate;
use crate::range::Int;
use ipnet::IpNet;

/// What bounds the entries of a dataset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'o> {
    pub(super) options: &'o Options,
    pub(super) max_range: Option<u32>,
    /// The TTL where an entry gives none.
    pub(super) ttl: u32,
}

/// An address of either family, with the rules of its prefixes.
pub(super) trait Address: Int {
    /// The first address of an entry for this prefix, if the entry is allowed.
    fn admit(self, len: u8, rules: Rules<'_>) -> Result<Self, Mistake>;

    /// The network that the address lies in.
    fn net(self, len: u8) -> IpNet;

    /// True for an IPv6 address that stands for an IPv4 one.
    fn is_mapped_ip4(self) -> bool;
}

impl Address for u32 {
    #[inline]
    fn admit(self, len: u8, rules: Rules<'_>) -> Result<Self, Mistake> {
        let mask = ip4::host_mask(len);
        let network = rules.network(self, self & !mask, len)?;
        rules.check_size(network, network | mask)?;
        Ok(network)
    }

    fn net(self, len: u8) -> IpNet {
        net4(self, len)
    }

    #[inline]
    fn is_mapped_ip4(self) -> bool {
        false
    }
}

impl Address for u128 {
    #[inline]
    fn admit(self, len: u8, rules: Rules<'_>) -> Result<Self, Mistake> {
        rules.network(self, self & !ip6::host_mask(len), len)
    }

    fn net(self, len: u8) -> IpNet {
        net6(self, len)
    }

    #[inline]
    fn is_mapped_ip4(self) -> bool {
        self >> 32 == 0xffff
    }
}

impl Rules<'_> {
    pub(super) fn is_native(self) -> bool {
        self.options.dialect == Dialect::Native
    }

    /// The first and the last address of a prefix in an `ip4set`, which takes no /0.
    #[inline]
    pub(super) fn set_block(self, address: u32, len: u8) -> Result<(u32, u32), Mistake> {
        if len == 0 {
            return Err(Mistake::ZeroLength);
        }
        let start = address.admit(len, self)?;
        Ok((start, start | ip4::host_mask(len)))
    }

    /// A range, if an entry for it is allowed.
    #[inline]
    pub(super) fn range(self, range: Range4) -> Option<Range4> {
        self.check_size(range.start, range.end).is_ok().then_some(range)
    }

    #[inline]
    fn network<A: Address>(self, address: A, network: A, len: u8) -> Result<A, Mistake> {
        let good = network == address || self.options.accept_host_bits;
        good.then_some(network).ok_or_else(|| Mistake::HostBits(address.net(len)))
    }

    #[inline]
    pub(super) fn check_size(self, start: u32, end: u32) -> Result<(), Mistake> {
        let size = u64::from(end - start) + 1;
        match self.max_range {
            Some(max) if size > u64::from(max) => Err(Mistake::LargeRange { size, max }),
            _ => Ok(()),
        }
    }
}

/// A prefix below `::ffff:0:0/96` speaks of IPv4 addresses (RFC 4291 section 2.5.5.2), as queries
/// for such addresses do.
pub(super) fn mapped_ip4(start: u128, len: u8) -> Option<(u32, u8)> {
    (start.is_mapped_ip4() && len >= 96).then(|| (start as u32, len - 96))
}

/// The number of an entry whose prefix had one before, and what to say about it.
pub(super) fn duplicate<A: Address>(duplicate: Duplicate<A>) -> (u32, Mistake) {
    let Duplicate { place, start, len } = duplicate;
    (place, Mistake::Duplicate(start.net(len)))
}
