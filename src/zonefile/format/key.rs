//! Keys of text forms: addresses, prefixes, ranges and names as people write them.

use super::super::ip4;
use crate::wire::name::NameBuf;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A key, read.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::large_enum_variant, reason = "a key lives while its line is read")]
pub(in crate::zonefile) enum Key {
    /// A prefix as it is written, perhaps with bits below its length.
    Prefix4(u32, u8),
    /// The first and the last address.
    Range4(u32, u32),
    /// A prefix as it is written, perhaps with bits below its length.
    Prefix6(u128, u8),
    /// A name in lower case, in the form that is asked for.
    Name(NameBuf),
}

impl Key {
    /// Reads a key; `None` if it is neither an address nor a name that can be asked for.
    pub(in crate::zonefile) fn read(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?.trim();
        let is_dash = |c: char| matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}');
        if let Some((first, last)) = text.split_once(is_dash)
            && let (Ok(first), Ok(last)) =
                (first.trim().parse::<Ipv4Addr>(), last.trim().parse::<Ipv4Addr>())
        {
            let (start, end) = (first.to_bits(), last.to_bits());
            return (start <= end).then_some(Self::Range4(start, end));
        }
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        match (address.parse::<IpAddr>(), len) {
            (Ok(IpAddr::V4(address)), None) => Some(Self::Prefix4(address.to_bits(), 32)),
            (Ok(IpAddr::V4(address)), Some(len)) => {
                Some(Self::Prefix4(address.to_bits(), length4(len)?))
            }
            (Ok(IpAddr::V6(address)), len) => {
                let len = len.map_or(Some(128), |len| length(len, 128))?;
                Some(Self::Prefix6(Ipv6Addr::to_bits(address), len))
            }
            (Err(_), _) => name(text).map(Self::Name),
        }
    }
}

/// The length of an IPv4 prefix, given as a number or as a netmask.
fn length4(text: &str) -> Option<u8> {
    if let Ok(mask) = text.parse::<Ipv4Addr>() {
        let len = mask.to_bits().leading_ones() as u8;
        return (mask.to_bits() == !ip4::host_mask(len)).then_some(len);
    }
    length(text, 32)
}

fn length(text: &str, most: u8) -> Option<u8> {
    let is_plain = !text.starts_with('+') && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|&len| is_plain && len <= most)
}

/// A domain name that somebody can ask for: labels of letters, digits, `-` and `_`, the last of them
/// no number; other scripts as `xn--` labels (RFC 5891, as UTS 46 reads what people type).
fn name(text: &str) -> Option<NameBuf> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let ascii = match text.is_ascii() {
        true => std::borrow::Cow::Borrowed(text),
        false => idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY).ok()?,
    };
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let has_empty = ascii.split('.').any(str::is_empty);
    let last = ascii.rsplit('.').next().unwrap_or_default();
    if !ascii.bytes().all(is_usual) || has_empty || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    NameBuf::from_text(ascii.as_bytes())
        .ok()
        .filter(|name| !name.is_root())
        .map(|name| name.to_lowercase())
}
