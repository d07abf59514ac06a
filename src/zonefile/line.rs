//! One entry line taken apart, for those who change a file by its lines.

use super::entry::{EntryKey, net4, net6};
use super::params::{self, Behind};
use super::scan::{Scan, is_blank};
use super::{BYTE_ORDER_MARK, Dialect, HashForm, Kind, Mistake, ip4, ip6, keys};
use crate::listing::names::Scope;
use crate::wire::name::NameBuf;
use ipnet::{Ipv4Subnets, Ipv6Subnets};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What an entry line is about.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum LineKey {
    /// IPv4 addresses, the first and the last of them.
    Ip4(u32, u32),
    /// IPv6 addresses, the first and the last of them.
    Ip6(u128, u128),
    /// A domain name in lower case.
    Name(Box<NameBuf>, Scope),
}

impl LineKey {
    /// True if each key that `other` stands for is one of this.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ip4(start, end), Self::Ip4(first, last)) => start <= first && last <= end,
            (Self::Ip6(start, end), Self::Ip6(first, last)) => start <= first && last <= end,
            (Self::Name(name, scope), Self::Name(other, of)) if name == other => {
                scope == of || *scope == Scope::Both
            }
            (Self::Name(name, scope), Self::Name(other, _)) => {
                let is_below = other.labels_before(name).is_some_and(|labels| !labels.is_empty());
                *scope != Scope::Itself && is_below
            }
            _ => false,
        }
    }
}

/// As it is written in a file: the fewest prefixes that make it, one behind the other.
impl fmt::Display for LineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip4(start, end) => {
                let (start, end) = (Ipv4Addr::from_bits(*start), Ipv4Addr::from_bits(*end));
                let mut nets = Ipv4Subnets::new(start, end, 0);
                match (nets.next(), nets.next()) {
                    (Some(net), None) if net.prefix_len() == 32 => net.addr().fmt(f),
                    (Some(net), None) => net.fmt(f),
                    _ => write!(f, "{start}-{end}"),
                }
            }
            Self::Ip6(start, end) => {
                let (start, end) = (Ipv6Addr::from_bits(*start), Ipv6Addr::from_bits(*end));
                match Ipv6Subnets::new(start, end, 0).next() {
                    Some(net) if net.prefix_len() < 128 => net.fmt(f),
                    _ => start.fmt(f),
                }
            }
            Self::Name(name, Scope::Itself) => name.fmt(f),
            Self::Name(name, Scope::Below) => write!(f, "*.{name}"),
            Self::Name(name, Scope::Both) => write!(f, ".{name}"),
        }
    }
}

/// An entry line in rbldnsd's format, as [`Dialect::Native`] reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryLine<'t> {
    /// What it is about.
    pub key: LineKey,
    /// The key is not listed.
    pub is_excluded: bool,
    /// The key as it is spelled, with the mark of an exclusion.
    pub spelled: &'t [u8],
    /// The value as it is spelled; empty for the default value.
    pub value: &'t [u8],
    /// The entry parameters as they are spelled.
    pub params: &'t [u8],
    /// Until when it counts, in seconds since 1970: [`u64::MAX`] if it says that it does for ever.
    pub expires: Option<u64>,
    /// The comment behind it, without its mark.
    pub comment: &'t [u8],
}

impl<'t> EntryLine<'t> {
    /// Takes a line without its newline apart. `None` if it is no entry: a comment, a default value, a special
    /// line.
    ///
    /// # Errors
    ///
    /// What is wrong with the line: it lists nothing. Bounds that other lines of the file set are not looked at.
    pub fn read(kind: Kind, line: &'t [u8]) -> Result<Option<Self>, Mistake> {
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        let line = &line[..memchr::memchr(0, line).unwrap_or(line.len())];
        let is_margin = |byte: &u8| is_blank(*byte) || *byte == b'\r';
        let start = line.iter().position(|byte| !is_blank(*byte)).unwrap_or(line.len());
        let end = line.iter().rposition(|byte| !is_margin(byte)).map_or(0, |last| last + 1);
        let text = line.get(start..end).unwrap_or_default();
        let is_default = text.first() == Some(&b':') && !text.starts_with(b"::");
        if is_default || matches!(text.first(), None | Some(b'$' | b'#' | b';')) {
            return Ok(None);
        }
        let mut scan = Scan::new(text);
        let mut name = NameBuf::ROOT;
        let read = keys::read(kind, Dialect::Native, HashForm::default(), &mut scan, &mut name)?;
        let (key, is_excluded) = (line_key(read.key)?, read.is_excluded);
        let (spelled, rest) = text.split_at(scan.at());
        let Behind { value, params, expires, comment } = params::split(rest);
        let spelled = spelled.trim_ascii_end();
        Ok(Some(Self { key, is_excluded, spelled, value, params, expires, comment }))
    }

    /// The parameters as they are spelled but for the end of the entry, `;` between them.
    pub fn other_params(&self) -> Vec<u8> {
        let mut rest = self.params;
        let parts = std::iter::from_fn(|| params::next_part(&mut rest));
        let others: Vec<_> = parts.filter(|part| !part.starts_with(b"expires=")).collect();
        others.join(&b';')
    }
}

fn line_key(key: EntryKey<'_>) -> Result<LineKey, Mistake> {
    Ok(match key {
        EntryKey::Prefix4 { address, len } => {
            let start = address & !ip4::host_mask(len);
            if start != address {
                return Err(Mistake::HostBits(net4(address, len)));
            }
            LineKey::Ip4(start, start | ip4::host_mask(len))
        }
        EntryKey::Range4 { start, end } => LineKey::Ip4(start, end),
        EntryKey::Prefix6 { address, len } => {
            let start = address & !ip6::host_mask(len);
            if start != address {
                return Err(Mistake::HostBits(net6(address, len)));
            }
            LineKey::Ip6(start, start | ip6::host_mask(len))
        }
        EntryKey::Name { name, scope } => {
            LineKey::Name(Box::new(NameBuf::from_wire(name).ok_or(Mistake::NoKey)?), scope)
        }
        EntryKey::AccessKey(_) => return Err(Mistake::NoKey),
    })
}
