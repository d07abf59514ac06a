//! The keys that the lines of data files speak of, read generously: where what is listed may
//! begin or end, and so what to ask. Whether a line is valid, and what it then means, is for the
//! servers to say.

use super::scenario::Kind;
use crate::common::name::{self, Name};

/// Where something may begin or end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Key {
    V4(u32),
    V6(u128),
    /// Relative to the zone.
    Name(Name),
}

impl Key {
    /// The names, relative to a zone, under which a server may be asked for the key.
    pub(crate) fn names(&self) -> Vec<Name> {
        match self {
            Self::V4(address) => vec![
                name::of_ipv4(*address),
                name::of_ipv6(name::v4_mapped(*address)),
                name::of_ipv6(name::six_to_four(*address)),
            ],
            Self::V6(address) => vec![name::of_ipv6(*address)],
            Self::Name(name) => vec![name.clone()],
        }
    }
}

/// The label asked for below a wildcard: no file has it.
pub(crate) const PROBE: &[u8] = b"zz-probe";

/// The borders a line may set: the first key of its range, the first one after it, and where
/// these fall inside an octet, the /24, /16 and /8 before and behind it, between which `ip4set`
/// splits ranges.
pub(crate) fn borders(kind: Kind, line: &[u8]) -> Vec<Key> {
    let line = line.trim_ascii_start();
    let entry = line.strip_prefix(b"!").unwrap_or(line).trim_ascii_start();
    if kind.is_ipv4() {
        let Some((first, last)) = ipv4_range(entry) else { return Vec::new() };
        let mut keys = Vec::new();
        for border in [first, last.wrapping_add(1)] {
            for host in [0, 0xff, 0xffff, 0xff_ffff] {
                keys.push(Key::V4(border.wrapping_add(host) & !host));
                keys.push(Key::V4(border & !host));
            }
        }
        keys
    } else if kind.is_ipv6() {
        let Some((first, last)) = ipv6_range(entry) else { return Vec::new() };
        vec![Key::V6(first), Key::V6(last.wrapping_add(1))]
    } else if kind == Kind::Generic {
        let line = line.trim_ascii_start();
        let end = line.iter().position(|byte| b" \t".contains(byte)).unwrap_or(line.len());
        let name = match &line[..end] {
            b"@" => Name::new(),
            name => name::lowercase(&name::from_text(name)),
        };
        vec![Key::Name(name)]
    } else if kind == Kind::Combined {
        Vec::new()
    } else {
        let end = entry.iter().position(|byte| b" \t".contains(byte)).unwrap_or(entry.len());
        let name = &entry[..end];
        let name = name.strip_prefix(b"*.").unwrap_or(name);
        let name = name::lowercase(&name::from_text(name));
        if name.is_empty() {
            return Vec::new();
        }
        let below = name::under(&[PROBE.to_vec()], &name);
        vec![Key::Name(name), Key::Name(below)]
    }
}

/// `1.2`, `1.2.3/24`, `1.2-1.3`, `1.2.3.4-9`: the first and the last address.
fn ipv4_range(entry: &[u8]) -> Option<(u32, u32)> {
    let end = entry.iter().position(|byte| !b"0123456789./-".contains(byte));
    let token = str::from_utf8(&entry[..end.unwrap_or(entry.len())]).ok()?;
    if let Some((first, last)) = token.split_once('-') {
        let (first, _, octets) = ipv4_prefix(first)?;
        let (_, mut last, last_octets) = ipv4_prefix(last)?;
        if last_octets == 1 && octets > 1 {
            let hosts = 8 * (4 - octets);
            let base = u64::from(first) >> (hosts + 8) << (hosts + 8);
            last = (base | u64::from(last >> 24) << hosts | ((1 << hosts) - 1)) as u32;
        }
        Some((first, last))
    } else if let Some((prefix, bits)) = token.split_once('/') {
        let (first, _, _) = ipv4_prefix(prefix)?;
        let host = u32::MAX.checked_shr(bits.parse().ok()?).unwrap_or(0);
        Some((first & !host, first | host))
    } else {
        let (first, last, _) = ipv4_prefix(token)?;
        Some((first, last))
    }
}

/// The first and last address of 1 to 4 octets, and their number.
fn ipv4_prefix(text: &str) -> Option<(u32, u32, usize)> {
    let octets: Vec<u8> = text.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let (mut first, mut last) = ([0; 4], [255; 4]);
    first.get_mut(..octets.len())?.copy_from_slice(&octets);
    last.get_mut(..octets.len())?.copy_from_slice(&octets);
    Some((u32::from_be_bytes(first), u32::from_be_bytes(last), octets.len()))
}

/// `2001:db8::/32`, `2001:db8:1`, `::1`: the first and the last address.
fn ipv6_range(entry: &[u8]) -> Option<(u128, u128)> {
    let end = entry.iter().position(|byte| !byte.is_ascii_hexdigit() && !b":/".contains(byte));
    let token = str::from_utf8(&entry[..end.unwrap_or(entry.len())]).ok()?;
    let (words, bits) = token.split_once('/').unwrap_or((token, ""));
    let (head, tail) = words.split_once("::").unwrap_or((words, ""));
    let part = |text: &str| -> Vec<u16> {
        let words = text.split(':').map_while(|word| u16::from_str_radix(word, 16).ok());
        words.take(8).collect()
    };
    let (head, tail) = (part(head), part(tail));
    let mut all = [0; 8];
    all.get_mut(..head.len())?.copy_from_slice(&head);
    all[8 - tail.len()..].iter_mut().zip(&tail).for_each(|(word, tail)| *word |= tail);
    let address = all.iter().fold(0, |sum: u128, word| sum << 16 | u128::from(*word));
    let given = if words.contains("::") { 128 } else { 16 * head.len() as u32 };
    let host = u128::MAX.checked_shr(bits.parse().unwrap_or(given)).unwrap_or(0);
    Some((address & !host, address | host))
}

#[test]
fn borders_are_where_ranges_begin_and_end() {
    let v4 = |line: &str| ipv4_range(line.as_bytes()).map(|(a, b)| format!("{a:08x}-{b:08x}"));
    for (line, range) in [
        ("127.0.0.1", "7f000001-7f000001"),
        ("127.16 text", "7f100000-7f10ffff"),
        ("127.16/12;x", "7f100000-7f1fffff"),
        ("127.0.0.1-9:2:", "7f000001-7f000009"),
        ("127.16-31", "7f100000-7f1fffff"),
        ("127.16-127.31", "7f100000-7f1fffff"),
        ("0/0", "00000000-ffffffff"),
    ] {
        assert_eq!(v4(line).as_deref(), Some(range), "{line}");
    }
    assert_eq!(v4("1.2.3.256"), None);
    let v6 = |line: &str| ipv6_range(line.as_bytes()).map(|(a, b)| format!("{a:x}-{b:x}"));
    assert_eq!(v6("::1").as_deref(), Some("1-1"));
    assert_eq!(v6("1:2/32 x").map(|range| range.len()), Some(2 * 29 + 1));
    assert_eq!(v6("::/0").as_deref(), Some("0-ffffffffffffffffffffffffffffffff"));
    let names = borders(Kind::Dnset, b"!*.A.b text");
    assert_eq!(names[0], Key::Name(name::from_text(b"a.b")));
    assert_eq!(names[1], Key::Name(name::from_text(b"zz-probe.a.b")));
}
