//! What a person types, as a key of lists.

use crate::wire::name::NameBuf;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What lists have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookupKey {
    /// An address.
    Address(IpAddr),
    /// A name, in lower case.
    Name(Box<NameBuf>),
}

/// What was typed is no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is neither an address such as 192.0.2.1 or 2001:db8::1 nor a name such as example.com")]
pub struct NoKey;

impl LookupKey {
    /// Reads an address, in brackets or without; or a name, also as part of an address of mail, with letters of
    /// any language (IDNA).
    ///
    /// # Errors
    ///
    /// If it is neither.
    pub fn read(text: &str) -> Result<Self, NoKey> {
        let text = text.trim();
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        let name = text.rsplit_once('@').map_or(text, |(_, domain)| domain);
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(NoKey);
        }
        let name = match name.is_ascii() {
            true => name.to_owned(),
            false => idna::domain_to_ascii(name).map_err(|_| NoKey)?,
        };
        let name = NameBuf::from_text(name.as_bytes()).map_err(|_| NoKey)?.to_lowercase();
        if name.is_root() { Err(NoKey) } else { Ok(Self::Name(Box::new(name))) }
    }

    /// The labels that stand before the apex of a zone (RFC 5782 sections 2.1, 2.4 and 3).
    pub(super) fn labels(&self) -> NameBuf {
        match self {
            Self::Name(name) => NameBuf::clone(name),
            Self::Address(IpAddr::V4(address)) => octets(*address),
            Self::Address(IpAddr::V6(address)) => nibbles(*address),
        }
    }
}

fn octets(address: Ipv4Addr) -> NameBuf {
    let labels = address.octets().into_iter().rev().map(|octet| octet.to_string());
    let wire: Vec<u8> =
        labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    NameBuf::from_labels(&wire)
}

fn nibbles(address: Ipv6Addr) -> NameBuf {
    let bits = address.to_bits();
    let digit = |place: u32| char::from_digit((bits >> (4 * place) & 15) as u32, 16);
    let digits = (0..32).filter_map(digit);
    let wire: Vec<u8> = digits.flat_map(|digit| [1, digit as u8]).collect();
    NameBuf::from_labels(&wire)
}

impl fmt::Display for LookupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_an_address_or_a_name() {
        for (text, key) in [
            (" 192.0.2.1 ", "192.0.2.1"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("Example.COM.", "example.com"),
            ("someone@Example.com", "example.com"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(
                LookupKey::read(text).map(|key| key.to_string()),
                Ok(key.to_owned()),
                "{text}"
            );
        }
        let long = "a".repeat(64);
        for text in ["", " ", ".", "a b", "a\nb", "someone@", &long, "\\999"] {
            assert_eq!(LookupKey::read(text), Err(NoKey), "{text}");
        }
    }

    #[test]
    fn an_address_is_asked_for_in_reverse() {
        let labels = |text: &str| LookupKey::read(text).map(|key| key.labels().to_string());
        assert_eq!(labels("192.0.2.10"), Ok("10.2.0.192".to_owned()));
        let reversed = "f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
        assert_eq!(labels("2001:db8::f"), Ok(reversed.to_owned()));
    }
}
