//! Which values of a zone a configuration takes for a listing.

use std::net::Ipv4Addr;

/// Which values count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Filter {
    /// Every value.
    Any,
    /// Those for which one of these holds.
    OneOf(Vec<Test>),
    /// Those for which none of these holds.
    NoneOf(Vec<Test>),
    /// It cannot be told.
    Unknown,
}

/// A test of a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Test {
    /// Each octet is in one of its ranges.
    Octets([Vec<(u8, u8)>; 4]),
    /// It has one of these bits, or all of them.
    Bits {
        /// The bits.
        mask: u32,
        /// All of them.
        all: bool,
    },
}

impl Filter {
    /// Whether a value counts; `None` if that cannot be told.
    pub(super) fn takes(&self, value: Ipv4Addr) -> Option<bool> {
        match self {
            Self::Any => Some(true),
            Self::OneOf(tests) => Some(tests.iter().any(|test| test.holds(value))),
            Self::NoneOf(tests) => Some(!tests.iter().any(|test| test.holds(value))),
            Self::Unknown => None,
        }
    }
}

impl Test {
    fn holds(&self, value: Ipv4Addr) -> bool {
        match self {
            Self::Octets(octets) => octets.iter().zip(value.octets()).all(|(ranges, octet)| {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&octet))
            }),
            Self::Bits { mask, all } => {
                let common = u32::from(value) & mask;
                if *all { common == *mask } else { common != 0 }
            }
        }
    }

    /// One value.
    pub(super) fn value(text: &str) -> Option<Self> {
        let value: Ipv4Addr = text.trim().parse().ok()?;
        Some(Self::Octets(value.octets().map(|octet| vec![(octet, octet)])))
    }

    /// As Postfix has it: `127.0.[0..255].[2;4..7]` (postconf(5), `reject_rbl_client`).
    pub(super) fn pattern(text: &str) -> Option<Self> {
        let mut octets = Vec::new();
        let mut rest = text;
        loop {
            let ranges;
            (ranges, rest) = match rest.strip_prefix('[') {
                Some(inner) => {
                    let (inner, behind) = inner.split_once(']')?;
                    (inner.split(';').map(range).collect::<Option<Vec<_>>>()?, behind)
                }
                None => {
                    let end = rest.find('.').unwrap_or(rest.len());
                    let octet = rest[..end].parse().ok()?;
                    (vec![(octet, octet)], &rest[end..])
                }
            };
            octets.push(ranges);
            match rest.strip_prefix('.') {
                Some(behind) => rest = behind,
                None if rest.is_empty() => break,
                None => return None,
            }
        }
        octets.try_into().ok().map(Self::Octets)
    }
}

fn range(text: &str) -> Option<(u8, u8)> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
}
