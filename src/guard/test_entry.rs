//! Feeds that have lost the entry that every list should have.

use super::sentinel::lists_name;
use crate::source::Finding;
use crate::zone::Dataset;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Test entries, and what is not listed where they are (RFC 5782 section 5).
const IP4: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 1)];
const IP6: [Ipv6Addr; 2] = [mapped(2), mapped(1)];
const NAMES: [&str; 2] = ["test", "invalid"];

const fn mapped(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, last)
}

/// The test entries that are in the data itself, whatever the zone answers. A list that holds all of
/// 127.0.0.0/8 has none.
pub(super) fn listed(dataset: &Dataset) -> Vec<String> {
    let any = |lists: &dyn Fn(&Dataset) -> bool| dataset.flat().any(lists);
    let ip4 = |address: Ipv4Addr| {
        any(&|set| set.ip4.as_ref().is_some_and(|ip4| ip4.lookup(address.into()).is_listed()))
    };
    let ip6 = |address: Ipv6Addr| {
        any(&|set| set.ip6.as_ref().is_some_and(|ip6| ip6.lookup(address.into()).is_listed()))
    };
    let name = |name: &str| any(&|set| lists_name(set, name));
    let all = [
        (IP4.map(ip4), IP4[0].to_string()),
        (IP6.map(ip6), IP6[0].to_string()),
        (NAMES.map(name), NAMES[0].to_uppercase()),
    ];
    all.into_iter().filter(|(listed, _)| *listed == [true, false]).map(|(_, entry)| entry).collect()
}

/// A publisher who forgets the test entry has published something else, or less than the whole.
pub(super) fn test_entry(new: &[String], before: &[String]) -> Option<Finding> {
    let lost = before.iter().find(|entry| !new.contains(entry))?;
    Some(Finding::TestEntryVanished { entry: lost.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::dataset;
    use super::*;
    use crate::zonefile::Kind;

    #[test]
    fn test_entries_are_found_in_the_data() {
        let found = |kind, text| listed(&dataset(kind, text));
        assert_eq!(found(Kind::Ip4Set, "127.0.0.2\n"), ["127.0.0.2"]);
        assert_eq!(found(Kind::Ip4Trie, "127/8\n!127.0.0.2\n"), [""; 0]);
        assert_eq!(found(Kind::Ip4Trie, "127/8\n"), [""; 0]);
        assert_eq!(found(Kind::Ip4Trie, "127/8\n!127.0.0.1\n"), ["127.0.0.2"]);
        assert_eq!(found(Kind::Ip6Trie, "::ffff:7f00:2\n"), ["::ffff:127.0.0.2"]);
        assert_eq!(found(Kind::Dnset, ".test\na.example\n"), ["TEST"]);
        assert_eq!(found(Kind::Dnset, "test.example\n"), [""; 0]);
    }

    #[test]
    fn what_was_there_must_not_vanish() {
        let with = listed(&dataset(Kind::Ip4Set, "127.0.0.2\n192.0.2.1\n"));
        let without = listed(&dataset(Kind::Ip4Set, "192.0.2.1\n"));
        let lost = Finding::TestEntryVanished { entry: "127.0.0.2".to_owned() };
        assert_eq!(test_entry(&without, &with), Some(lost));
        assert_eq!(test_entry(&with, &without), None);
        assert_eq!(test_entry(&without, &without), None);
    }
}
