//! Which addresses are one client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many bits of an address say which client it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientPrefixes {
    /// 0 to 32.
    pub ipv4: u8,
    /// 0 to 128.
    pub ipv6: u8,
}

impl Default for ClientPrefixes {
    /// An IPv4 address; an IPv6 /64, the least a site is given.
    fn default() -> Self {
        Self { ipv4: 32, ipv6: 64 }
    }
}

impl ClientPrefixes {
    /// The first address of the prefix that an address is in; an IPv4 address in an IPv6 one is what it stands for.
    pub fn of(self, address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.ipv4)).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.ipv6)).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_prefixes() {
        let of = |ipv4, ipv6, text: &str| {
            ClientPrefixes { ipv4, ipv6 }.of(text.parse().unwrap()).to_string()
        };
        assert_eq!(of(32, 64, "2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of(32, 64, "192.0.2.1"), "192.0.2.1");
        assert_eq!(of(32, 64, "::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of(24, 48, "192.0.2.1"), "192.0.2.0");
        assert_eq!(of(24, 48, "2001:db8:1:2::1"), "2001:db8:1::");
        assert_eq!(of(0, 0, "192.0.2.1"), "0.0.0.0");
        assert_eq!(of(0, 0, "2001:db8::1"), "::");
        assert_eq!(of(32, 128, "2001:db8::1"), "2001:db8::1");
    }
}
