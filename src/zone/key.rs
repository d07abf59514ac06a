//! What the labels before the apex mean in an address zone: addresses, and the test points.

use crate::wire::reversed::{nibbles, some_nibbles, some_octets};
use std::ops::RangeInclusive;

/// The addresses a name stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct QueryKey {
    /// IPv4, from four octets or from nibbles of a v4-mapped or 6to4 address.
    pub(crate) ip4: Option<u32>,
    /// IPv6, from 32 nibbles.
    pub(crate) ip6: Option<u128>,
}

/// The addresses whose names end in a shorter name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Below {
    /// IPv4: from nibbles that lead to v4-mapped or 6to4 addresses, and from octets.
    pub(crate) ip4: [Option<RangeInclusive<u32>>; 2],
    /// IPv6: without the v4-mapped addresses where these are looked up as IPv4, which can cut
    /// the range in two.
    pub(crate) ip6: [Option<RangeInclusive<u128>>; 2],
}

/// ::ffff:0:0/96 (RFC 4291 section 2.5.5.2).
pub(crate) const MAPPED: u128 = 0xffff_0000_0000;
pub(crate) const MAPPED_END: u128 = 0xffff_ffff_ffff;
/// 2002::/16 (RFC 3056 section 2).
pub(crate) const SIX_TO_FOUR: u128 = 0x2002 << 112;

impl QueryKey {
    /// Reads the labels before the apex, in lower case. `with_ip4` says whether v4-mapped and
    /// 6to4 addresses are to be looked up as IPv4 addresses too; a v4-mapped one then is nothing
    /// else.
    #[inline]
    pub(crate) fn parse(prefix: &[u8], labels: usize, with_ip4: bool) -> Self {
        match labels {
            4 => Self { ip4: some_octets(prefix), ip6: None },
            32 => nibbles(prefix).map_or_else(Self::default, |ip6| Self::from_ip6(ip6, with_ip4)),
            _ => Self::default(),
        }
    }

    fn from_ip6(ip6: u128, with_ip4: bool) -> Self {
        let (ip4, ip6) = match ip6 >> 32 {
            _ if !with_ip4 => (None, Some(ip6)),
            0xffff => (Some(ip6 as u32), None),
            _ if ip6 >> 112 == SIX_TO_FOUR >> 112 => (Some((ip6 >> 80) as u32), Some(ip6)),
            _ => (None, Some(ip6)),
        };
        Self { ip4, ip6 }
    }
}

impl Below {
    /// Reads the labels before the apex, as [`QueryKey::parse`] does; `None` if no address ends in
    /// them.
    #[inline]
    pub(crate) fn parse(prefix: &[u8], labels: usize, with_ip4: bool) -> Option<Self> {
        // Four octets are an address themselves, unless they are nibbles too.
        let is_digit = prefix.first() == Some(&1);
        if !(1..32).contains(&labels) || (labels >= 4 && !is_digit) {
            return None;
        }
        Self::of_short(prefix, labels, with_ip4)
    }

    fn of_short(prefix: &[u8], labels: usize, with_ip4: bool) -> Option<Self> {
        // Short names can be read both ways: 2.0.0.2.zone is an IPv4 address and leads to
        // 2002::/16.
        let nibbles = some_nibbles(prefix).map(|start| Self::nibbles(start, labels, with_ip4));
        let octets = if labels < 4 { some_octets(prefix) } else { None };
        let Some(start) = octets else { return nibbles };
        let mut below = nibbles.unwrap_or_default();
        below.ip4[1] = Some(start..=start | u32::MAX >> (8 * labels));
        Some(below)
    }

    /// Of a name of 1 to 31 nibbles, those of this address.
    fn nibbles(start: u128, labels: usize, with_ip4: bool) -> Self {
        let end = start | u128::MAX >> (4 * labels);
        let part = |low: u128, high: u128, shift: u32| {
            let (from, to) = (start.max(low), end.min(high));
            (with_ip4 && from <= to).then(|| (from >> shift) as u32..=(to >> shift) as u32)
        };
        let mapped = part(MAPPED, MAPPED_END, 0);
        let six_to_four = part(SIX_TO_FOUR, SIX_TO_FOUR | u128::MAX >> 16, 80);
        // No prefix leads to both.
        let ip4 = [mapped.clone().or(six_to_four), None];
        let ip6 = if mapped.is_some() {
            [
                (start < MAPPED).then_some(start..=MAPPED - 1),
                (end > MAPPED_END).then_some(MAPPED_END + 1..=end),
            ]
        } else {
            [Some(start..=end), None]
        };
        Self { ip4, ip6 }
    }
}

/// The names and addresses of RFC 5782 section 5.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TestPoint {
    /// 127.0.0.2, ::ffff:7f00:2, `test`.
    AlwaysListed,
    /// 127.0.0.1, ::ffff:7f00:1, `invalid`.
    NeverListed,
}

impl TestPoint {
    /// The IPv4 address that is always listed; that of IPv6 is the same, v4-mapped.
    pub(crate) const LISTED: u32 = 0x7f00_0002;
    /// The IPv4 address that is never listed; that of IPv6 is the same, v4-mapped.
    pub(crate) const UNLISTED: u32 = 0x7f00_0001;

    /// The test point that an IPv4 address is.
    #[inline(always)]
    pub(crate) fn of_ip4(address: u32) -> Option<Self> {
        match address {
            Self::LISTED => Some(Self::AlwaysListed),
            Self::UNLISTED => Some(Self::NeverListed),
            _ => None,
        }
    }

    /// The test point that an IPv6 address is.
    #[inline(always)]
    pub(crate) fn of_ip6(address: u128) -> Option<Self> {
        match address ^ MAPPED {
            mapped if mapped >> 32 == 0 => Self::of_ip4(mapped as u32),
            _ => None,
        }
    }

    /// The test point that a name relative to its zone is, in wire form without a final zero.
    #[inline]
    pub(crate) fn of_name(labels: &[u8]) -> Option<Self> {
        match labels {
            b"\x04test" => Some(Self::AlwaysListed),
            b"\x07invalid" => Some(Self::NeverListed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::NameBuf;

    fn key(text: &str, with_ip4: bool) -> QueryKey {
        let name: NameBuf = text.parse().unwrap();
        QueryKey::parse(name.as_wire(), name.labels().count(), with_ip4)
    }

    fn below(text: &str, with_ip4: bool) -> Below {
        let name: NameBuf = text.parse().unwrap();
        Below::parse(name.as_wire(), name.labels().count(), with_ip4).unwrap_or_default()
    }

    fn ip6(text: &str) -> u128 {
        text.parse::<std::net::Ipv6Addr>().unwrap().into()
    }

    fn reversed(address: &str) -> String {
        let nibbles: Vec<String> =
            (0..32).map(|i| format!("{:x}", ip6(address) >> (4 * i) & 15)).collect();
        nibbles.join(".")
    }

    #[test]
    fn four_labels_are_an_ip4_address_leading_zeros_and_all() {
        assert_eq!(key("4.3.2.1", true).ip4, Some(0x0102_0304));
        assert_eq!(key("004.03.2.255", false).ip4, Some(0xff02_0304));
        for bad in ["256.1.1.1", "1.1.1.0001", "1.a.1.1", "1.-1.1.1", "1.1.1.1.1"] {
            assert_eq!(key(bad, true).ip4, None, "{bad}");
        }
    }

    #[test]
    fn nibbles_are_an_ip6_address() {
        let full = key(&reversed("2001:db8::42"), true);
        assert_eq!((full.ip4, full.ip6), (None, Some(ip6("2001:db8::42"))));
        assert_eq!(key(&format!("{}.1", reversed("2001:db8::42")), true), QueryKey::default());
        assert_eq!(key(&reversed("2001:db8::42").replacen('2', "g", 1), true), QueryKey::default());
    }

    #[test]
    fn mapped_and_6to4_addresses_are_looked_up_as_ip4_where_there_are_some() {
        let mapped = key(&reversed("::ffff:1.2.3.4"), true);
        assert_eq!((mapped.ip4, mapped.ip6), (Some(0x0102_0304), None));
        let mapped = key(&reversed("::ffff:1.2.3.4"), false);
        assert_eq!((mapped.ip4, mapped.ip6), (None, Some(ip6("::ffff:1.2.3.4"))));
        let sixtofour = key(&reversed("2002:102:304::5"), true);
        assert_eq!(
            (sixtofour.ip4, sixtofour.ip6),
            (Some(0x0102_0304), Some(ip6("2002:102:304::5")))
        );
    }

    #[test]
    fn short_names_stand_for_the_addresses_below_them() {
        let short = below("2.1", false);
        assert_eq!(short.ip4[1], Some(0x0102_0000..=0x0102_ffff));
        assert_eq!(short.ip6, [Some(0x12 << 120..=0x12 << 120 | u128::MAX >> 8), None]);
        let short = below("10", false);
        assert_eq!(short.ip4[1], Some(0x0a00_0000..=0x0aff_ffff));
        assert_eq!(short.ip6, [None, None]);
        assert_eq!(below("x.1", true), Below::default());
        assert_eq!(below("4.3.2.10", true), Below::default());
        let both = below("2.0.0.2", true);
        assert_eq!((&both.ip4[1], &both.ip4[0]), (&None, &Some(0..=u32::MAX)));
    }

    #[test]
    fn short_nibble_names_lead_to_mapped_and_6to4_addresses() {
        let prefix = |address: &str, nibbles: usize| {
            let name = reversed(address);
            below(&name[64 - 2 * nibbles..], true)
        };
        assert_eq!(prefix("::", 8).ip4[0], Some(0..=u32::MAX));
        assert_eq!(prefix("::ffff:12.0.0.0", 26).ip4[0], Some(0x0c00_0000..=0x0cff_ffff));
        assert_eq!(prefix("::ffff:16.0.0.0", 25).ip4[0], Some(0x1000_0000..=0x1fff_ffff));
        assert_eq!(prefix("2002::", 4).ip4[0], Some(0..=u32::MAX));
        assert_eq!(prefix("2002:102::", 8).ip4[0], Some(0x0102_0000..=0x0102_ffff));
        assert_eq!(prefix("2002:102:304:5::", 16).ip4[0], Some(0x0102_0304..=0x0102_0304));
        assert_eq!(prefix("2001:db8::", 8).ip4[0], None);
        let all_mapped = prefix("::ffff:16.0.0.0", 25);
        assert_eq!(all_mapped.ip6, [None, None], "mapped addresses are IPv4 addresses only");
        let around = [Some(0..=MAPPED - 1), Some(MAPPED_END + 1..=u128::MAX >> 32)];
        assert_eq!(prefix("::", 8).ip6, around);
        let short = below("0.0", true);
        assert_eq!(short.ip4, [Some(0..=u32::MAX), Some(0..=0xffff)]);
    }
}
