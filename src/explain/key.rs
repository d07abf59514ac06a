//! What people ask about: an address, a prefix, a name, a mail address, or what stands in a log.

use super::mail_hash::HashScheme;
use crate::wire::name::NameBuf;
use crate::wire::reversed::{nibbles, some_octets};
use crate::zone::key::TestPoint;
use ipnet::IpNet;
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum AskedKey {
    /// An address. A v4-mapped one is the IPv4 address.
    Address(IpAddr),
    /// A network of addresses.
    Prefix(IpNet),
    /// A domain name, in lower case.
    Name(NameBuf),
    /// A mail address: the part before the `@`, and the domain in lower case.
    Mail(String, NameBuf),
}

/// The text is no key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0:?} is no address, prefix, name, mail address or query name; write, for example, 192.0.2.7, \
     2001:db8::/32, bad.example, user@bad.example or 7.2.0.192.bl.example"
)]
pub(crate) struct NotAKey(String);

impl AskedKey {
    /// Reads what was typed. A name below one of the `apexes` is what a mail server asks, with the key in front:
    /// then that apex is given, too.
    pub(crate) fn read<'a>(
        typed: &str,
        apexes: impl IntoIterator<Item = &'a NameBuf>,
    ) -> Result<(Self, Option<NameBuf>), NotAKey> {
        let text = typed.trim();
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok((Self::Address(address.to_canonical()), None));
        }
        if let Ok(net) = bare.parse::<IpNet>() {
            return Ok((Self::of_prefix(net), None));
        }
        let not_a_key = || NotAKey(typed.to_owned());
        if let Some((user, domain)) = text.rsplit_once('@') {
            let domain = name(domain).ok_or_else(not_a_key)?;
            let is_user = !user.is_empty() && !user.contains(char::is_whitespace);
            return is_user
                .then(|| (Self::Mail(user.to_owned(), domain), None))
                .ok_or_else(not_a_key);
        }
        let name = name(text).ok_or_else(not_a_key)?;
        let below = |apex: &&NameBuf| name.labels_before(apex).is_some_and(|key| !key.is_empty());
        let apex = apexes.into_iter().filter(below).max_by_key(|apex| apex.as_wire().len());
        if let Some(apex) = apex {
            let key = NameBuf::from_labels(name.labels_before(apex).unwrap_or(&[]));
            return Ok((Self::of_labels(&key), Some(apex.clone())));
        }
        // The zone of another server, as a log has it.
        let reversed = (name.labels().count() > 4).then(|| leading_address(&name)).flatten();
        Ok((reversed.map_or(Self::Name(name), Self::Address), None))
    }

    /// The key that was [shown](fmt::Display), of this [sort](Self::sort).
    pub(crate) fn again(sort: &str, text: &str) -> Option<Self> {
        match sort {
            "name" => name(text).map(Self::Name),
            _ => Self::read(text, []).ok().map(|(key, _)| key),
        }
    }

    fn of_prefix(net: IpNet) -> Self {
        match net {
            IpNet::V6(net) if net.prefix_len() == 128 => {
                Self::Address(IpAddr::V6(net.addr()).to_canonical())
            }
            IpNet::V4(net) if net.prefix_len() == 32 => Self::Address(net.addr().into()),
            net => Self::Prefix(net.trunc()),
        }
    }

    /// The key that labels before an apex stand for.
    fn of_labels(labels: &NameBuf) -> Self {
        let count = labels.labels().count();
        match leading_address(labels) {
            Some(address) if count == 4 || count == 32 => Self::Address(address),
            _ => Self::Name(labels.clone()),
        }
    }

    /// The labels that stand for it before the apex of a zone; none for a prefix.
    pub(crate) fn labels(&self) -> Option<NameBuf> {
        match self {
            Self::Address(address) => Some(reversed(*address)),
            Self::Name(name) | Self::Mail(_, name) => Some(name.clone()),
            Self::Prefix(_) => None,
        }
    }

    /// The names that lists can have it by: a mail address by its domain and by its hashes.
    pub(super) fn names(&self) -> Vec<NameBuf> {
        let mut names: Vec<_> = self.labels().into_iter().collect();
        if let Self::Mail(user, domain) = self {
            let labels = HashScheme::ALL.map(|scheme| scheme.label(user, domain));
            for name in labels.iter().filter_map(|label| NameBuf::from_text(label.as_bytes()).ok())
            {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    /// True for a key that every healthy zone lists (RFC 5782 section 5).
    pub(crate) fn is_test_point(&self) -> bool {
        let always = Some(TestPoint::AlwaysListed);
        match self {
            Self::Address(IpAddr::V4(address)) => TestPoint::of_ip4(address.to_bits()) == always,
            Self::Address(IpAddr::V6(address)) => TestPoint::of_ip6(address.to_bits()) == always,
            Self::Name(name) => {
                let wire = name.as_wire();
                TestPoint::of_name(&wire[..wire.len() - 1]) == always
            }
            Self::Prefix(_) | Self::Mail(..) => false,
        }
    }

    /// What sort of key it is, for programs.
    pub(crate) fn sort(&self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::Prefix(_) => "prefix",
            Self::Name(_) => "name",
            Self::Mail(..) => "mail",
        }
    }
}

impl fmt::Display for AskedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Prefix(net) => net.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::Mail(user, domain) => write!(f, "{user}@{domain}"),
        }
    }
}

/// A name with at least one label, all of which can stand in a query; with letters of any language (IDNA).
fn name(text: &str) -> Option<NameBuf> {
    let ascii = match text.is_ascii() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(idna::domain_to_ascii(text).ok()?),
    };
    let text = &*ascii;
    let is_fit = |byte: u8| byte.is_ascii_graphic() && !b"/:[]()<>,;\"'".contains(&byte);
    let name = text.bytes().all(is_fit).then(|| NameBuf::from_text(text.as_bytes()).ok())??;
    (!name.is_root()).then(|| name.to_lowercase())
}

/// The address that the first labels of a name stand for (RFC 5782 sections 2.1 and 2.4).
fn leading_address(name: &NameBuf) -> Option<IpAddr> {
    let labels = name.labels().count();
    if labels >= 32
        && let Some(address) = nibbles(name.as_wire())
    {
        return Some(IpAddr::V6(Ipv6Addr::from_bits(address)).to_canonical());
    }
    let four = name.labels().take(4).map(|label| label.len() + 1).sum::<usize>();
    let octets = (labels >= 4).then(|| some_octets(&name.as_wire()[..four])).flatten();
    octets.map(|bits| Ipv4Addr::from_bits(bits).into())
}

/// The labels of an address, the lowest first (RFC 5782 sections 2.1 and 2.4).
fn reversed(address: IpAddr) -> NameBuf {
    let text = match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            let digits = (0..32).map(|place| format!("{:x}", bits >> (4 * place) & 15));
            digits.collect::<Vec<_>>().join(".")
        }
    };
    // It has 64 bytes at most.
    NameBuf::from_text(text.as_bytes()).unwrap_or(NameBuf::ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(typed: &str) -> Option<(String, String)> {
        let apexes = ["bl.example", "ip.bl.example", "example"].map(|apex| apex.parse().unwrap());
        let (key, apex) = AskedKey::read(typed, &apexes).ok()?;
        let apex = apex.map_or_else(String::new, |apex| apex.to_string());
        Some((format!("{} {key}", key.sort()), apex))
    }

    #[test]
    fn what_people_type_is_read() {
        for (typed, key, apex) in [
            ("192.0.2.7", "address 192.0.2.7", ""),
            (" [192.0.2.7] ", "address 192.0.2.7", ""),
            ("::ffff:192.0.2.7", "address 192.0.2.7", ""),
            ("2001:DB8::7", "address 2001:db8::7", ""),
            ("192.0.2.7/32", "address 192.0.2.7", ""),
            ("192.0.2.7/24", "prefix 192.0.2.0/24", ""),
            ("2001:db8::7/32", "prefix 2001:db8::/32", ""),
            ("Bad.Test", "name bad.test", ""),
            ("bad.test.", "name bad.test", ""),
            ("b\u{fc}cher.test", "name xn--bcher-kva.test", ""),
            ("User@Bad.test", "mail User@bad.test", ""),
            ("7.2.0.192.bl.example", "address 192.0.2.7", "bl.example"),
            ("7.2.0.192.ip.bl.example", "address 192.0.2.7", "ip.bl.example"),
            ("bad.test.bl.example", "name bad.test", "bl.example"),
            ("7.2.0.192.zen.elsewhere", "address 192.0.2.7", ""),
            ("0.2.0.192.in-addr.arpa", "address 192.0.2.0", ""),
            ("2.0.192.bl.example", "name 2.0.192", "bl.example"),
        ] {
            assert_eq!(read(typed), Some((key.to_owned(), apex.to_owned())), "{typed}");
        }
        let long = reversed("2001:db8::7".parse().unwrap()).to_string() + ".bl.example";
        assert_eq!(read(&long).unwrap(), ("address 2001:db8::7".into(), "bl.example".into()));
        for bad in
            ["", ".", "@", "a b", "user@", "@bad.test", "http://bad.test", "1.2.3.4/33", "a,b"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_query_name_of_an_address_is_read_back(bits in any::<u128>(), short in any::<bool>()) {
            let address = match short {
                true => IpAddr::V4(Ipv4Addr::from_bits(bits as u32)),
                false => IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical(),
            };
            let apex: NameBuf = "bl.example".parse().unwrap();
            let labels = AskedKey::Address(address).labels().unwrap();
            let name = labels.join(&apex).unwrap().to_string();
            let read = AskedKey::read(&name, [&apex]);
            prop_assert_eq!(read, Ok((AskedKey::Address(address), Some(apex))));
            let shown = AskedKey::Address(address).to_string();
            prop_assert_eq!(AskedKey::again("address", &shown), Some(AskedKey::Address(address)));
        }

        #[test]
        fn no_text_is_too_odd(typed in any::<String>()) {
            let apex: NameBuf = "a".parse().unwrap();
            let _ = AskedKey::read(&typed, [&apex]);
        }
    }
}
