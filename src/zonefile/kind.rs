//! The dataset types.

use std::fmt;
use std::str::FromStr;

/// How the lines of a dataset are read, under the names of rbldnsd's manual.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// IPv4 addresses and ranges, each with values of its own if need be.
    Ip4set,
    /// Single IPv4 addresses that share one value.
    Ip4tset,
    /// IPv4 and IPv6 prefixes, each with values of its own if need be.
    Ip4trie,
    /// IPv6 networks of 64 bits that share one value, with single addresses excluded.
    Ip6tset,
    /// IPv6 prefixes, each with values of its own if need be.
    Ip6trie,
    /// Domain names, with or without the names below them.
    Dnset,
}

/// A word that names no dataset type.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown dataset type")]
pub struct UnknownKind;

impl FromStr for Kind {
    type Err = UnknownKind;

    /// `dnhash` is another word for `dnset`.
    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        Ok(match word {
            "ip4set" => Self::Ip4set,
            "ip4tset" => Self::Ip4tset,
            "ip4trie" => Self::Ip4trie,
            "ip6tset" => Self::Ip6tset,
            "ip6trie" => Self::Ip6trie,
            "dnset" | "dnhash" => Self::Dnset,
            _ => return Err(UnknownKind),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ip4set => "ip4set",
            Self::Ip4tset => "ip4tset",
            Self::Ip4trie => "ip4trie",
            Self::Ip6tset => "ip6tset",
            Self::Ip6trie => "ip6trie",
            Self::Dnset => "dnset",
        })
    }
}
