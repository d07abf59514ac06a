//! Allow lists that can never match what their zone lists: of addresses of the other family, or of names.

use crate::zone::Dataset;
use crate::zonefile::Kind;
use std::fmt;
use std::ops::BitOr;

/// What a list has: IPv4 addresses, IPv6 addresses, names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Keys {
    ip4: bool,
    ip6: bool,
    names: bool,
}

impl Keys {
    const IP4: Self = Self { ip4: true, ip6: false, names: false };
    const IP6: Self = Self { ip4: false, ip6: true, names: false };
    const NAMES: Self = Self { ip4: false, ip6: false, names: true };
    const ALL: Self = Self { ip4: true, ip6: true, names: true };

    /// What a list of this type can have.
    pub(super) fn of_kind(kind: Kind) -> Self {
        match kind {
            Kind::Ip4Set | Kind::Ip4Tset => Self::IP4,
            Kind::Ip4Trie => Self::IP4 | Self::IP6,
            Kind::Ip6Tset | Kind::Ip6Trie => Self::IP6,
            // Hashes are names of one label.
            Kind::Dnset | Kind::Hashset => Self::NAMES,
            Kind::Mixed | Kind::Combined => Self::ALL,
            Kind::Generic | Kind::Acl | Kind::AclKey => Self::default(),
        }
    }

    /// What a list does have.
    pub(super) fn of_data(dataset: &Dataset) -> Self {
        let of_one = |set: &Dataset| Self {
            ip4: set.ip4.as_ref().is_some_and(|ip4| !ip4.is_empty()),
            ip6: set.ip6.as_ref().is_some_and(|ip6| !ip6.is_empty()),
            names: set.names.as_ref().is_some_and(|names| !names.is_empty())
                || set.digests.as_ref().is_some_and(|digests| !digests.is_empty()),
        };
        dataset.flat().map(of_one).fold(Self::default(), BitOr::bitor)
    }

    /// True if an allow list with these can never match what a zone with those lists. A list without entries
    /// can match tomorrow.
    pub(super) fn never_match(self, zone: Self) -> bool {
        let common = self.ip4 && zone.ip4 || self.ip6 && zone.ip6 || self.names && zone.names;
        self != Self::default() && zone != Self::default() && !common
    }
}

impl BitOr for Keys {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            ip4: self.ip4 || other.ip4,
            ip6: self.ip6 || other.ip6,
            names: self.names || other.names,
        }
    }
}

/// `IPv4 addresses and names`.
impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all =
            [(self.ip4, "IPv4 addresses"), (self.ip6, "IPv6 addresses"), (self.names, "names")];
        let words: Vec<_> = all.into_iter().filter(|(has, _)| *has).map(|(_, word)| word).collect();
        f.write_str(&words.join(" and "))
    }
}

/// What is wrong with such a list.
pub(super) fn message(zone: &str, list: &str, keys: Keys, of_zone: Keys) -> String {
    format!(
        "zone {zone}: the allow list {list} can never match: it has {keys}, and the zone lists {of_zone}"
    )
}

/// What to do about it.
pub(super) const REMEDY: &str =
    "write what is to be allowed as the zone lists it, or name another list in allow";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_with_nothing_in_common_never_match() {
        assert!(Keys::NAMES.never_match(Keys::IP4));
        assert!(Keys::IP6.never_match(Keys::IP4 | Keys::NAMES));
        assert!(!Keys::ALL.never_match(Keys::IP6));
        assert!(!Keys::default().never_match(Keys::IP4));
        assert!(!Keys::IP4.never_match(Keys::default()));
        assert_eq!((Keys::IP4 | Keys::NAMES).to_string(), "IPv4 addresses and names");
    }
}
