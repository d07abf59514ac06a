//! The types of datasets.

use std::fmt;
use std::str::FromStr;

/// The type of a dataset, which says how its files are read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// IPv4 ranges, each with its value.
    Ip4Set,
    /// Single IPv4 addresses with one value.
    Ip4Tset,
    /// IPv4 and IPv6 prefixes, each with its value.
    Ip4Trie,
    /// IPv6 /64 networks with one value.
    Ip6Tset,
    /// IPv6 prefixes, each with its value.
    Ip6Trie,
    /// Domain names, each with its value; also called `dnhash`.
    Dnset,
    /// Hashes of mail addresses, URLs or files, each with its value. rbldnsd does not know it.
    Hashset,
    /// IPv4 and IPv6 prefixes and domain names in one file, each with its value.
    Mixed,
    /// Ordinary records: A, TXT and MX.
    Generic,
    /// Sections of the other types, each for some subzones.
    Combined,
    /// Access list of clients: IPv4 and IPv6 prefixes, each with what is done with the queries
    /// that come from there.
    Acl,
    /// Access list of keys: the last labels before the apex, each with what is done with the
    /// queries that have it (rspamd's fork of rbldnsd).
    AclKey,
}

impl Kind {
    pub(super) const NAMES: [(&'static str, Self); 13] = [
        ("ip4set", Self::Ip4Set),
        ("ip4tset", Self::Ip4Tset),
        ("ip4trie", Self::Ip4Trie),
        ("ip6tset", Self::Ip6Tset),
        ("ip6trie", Self::Ip6Trie),
        ("dnset", Self::Dnset),
        ("dnhash", Self::Dnset),
        ("hashset", Self::Hashset),
        ("mixed", Self::Mixed),
        ("generic", Self::Generic),
        ("combined", Self::Combined),
        ("acl", Self::Acl),
        ("aclkey", Self::AclKey),
    ];

    /// The names of all types.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|&(name, _)| name)
    }

    /// True if rbldnsd knows the type.
    pub fn is_of_rbldnsd(self) -> bool {
        self != Self::Hashset
    }

    /// True if the dataset says who may ask, and nothing of what is listed.
    pub fn is_access_list(self) -> bool {
        matches!(self, Self::Acl | Self::AclKey)
    }

    /// True if the dataset lists IPv4 addresses.
    pub(super) fn lists_ip4(self) -> bool {
        matches!(self, Self::Ip4Set | Self::Ip4Tset | Self::Ip4Trie | Self::Mixed)
    }

    /// True if the dataset lists IPv6 addresses.
    pub(super) fn lists_ip6(self) -> bool {
        matches!(self, Self::Ip4Trie | Self::Ip6Tset | Self::Ip6Trie | Self::Mixed)
    }

    /// True if datasets of both types can be asked for keys of one sort.
    pub(crate) fn shares_keys_with(self, other: Self) -> bool {
        let names = |kind| matches!(kind, Self::Dnset | Self::Mixed);
        self == other
            || self.lists_ip4() && other.lists_ip4()
            || self.lists_ip6() && other.lists_ip6()
            || names(self) && names(other)
    }

    /// True if a section of a combined dataset can be of this type.
    pub(crate) fn is_for_section(self) -> bool {
        self != Self::Combined && !self.is_access_list()
    }

    /// The names of the types that a section of a combined dataset can have.
    pub(crate) fn section_names() -> impl Iterator<Item = &'static str> {
        let all = Self::NAMES.iter().filter(|(_, kind)| kind.is_for_section());
        all.map(|(name, _)| *name)
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|&(_, kind)| kind).ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

/// rbldnsd's name of the type.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// A name that is not the name of a dataset type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownKind(pub String);

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown dataset type `{}`: expected one of", self.0)?;
        for (i, (name, _)) in Kind::NAMES.iter().enumerate() {
            write!(f, "{} {name}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownKind {}
