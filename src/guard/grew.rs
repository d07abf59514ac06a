//! Feeds that list far more than before.

use super::Facts;
use crate::config::Guard;
use crate::range::Range;
use crate::source::{Finding, MAX_SHOWN, Measure};
use crate::trie::{Trie4, Trie6};
use crate::zone::Dataset;
use ipnet::{Ipv4Subnets, Ipv6Subnets};

/// So many addresses more at once are too many for any feed: a /8.
const MOST_ADDRESSES4: u128 = 1 << 24;

/// The IPv6 networks of /64 that are too many more at once: a /24, which holds as many of the networks that
/// registries give to providers (/32) as there are addresses in the smallest routed IPv4 network.
const MOST_NETWORKS6: u128 = 1 << 40;

/// A slip such as `0-255` is one line more. Ordinary days bring a third more.
///
/// IPv4 is counted in addresses, IPv6 in networks of /64 (one address is as much), and entries where there are
/// names or records: a list of addresses may have the same networks in more pieces. A list of single addresses
/// has at least one address for each entry, so that its first network is no fourfold growth of nothing.
pub(super) fn grew(new: &Facts, before: &Facts, guard: &Guard) -> Option<Finding> {
    let networks = |addresses: Option<u128>| addresses.map(|count| count.div_ceil(1 << 64));
    let ip4 = |facts: &Facts| facts.ip4.map(u128::from);
    let is_counted = new.names.is_some() || new.addresses().is_none();
    let entries = |facts: &Facts| is_counted.then_some(u128::from(facts.distinct()));
    let measures = [
        (Measure::Addresses4, ip4(new), ip4(before), MOST_ADDRESSES4),
        (Measure::Networks6, networks(new.ip6), networks(before.ip6), MOST_NETWORKS6),
        (Measure::Entries, entries(new), entries(before), u128::MAX),
    ];
    measures.into_iter().find_map(|(measure, listed, then, most)| {
        let (listed, before_listed) = (listed?, then.unwrap_or(0));
        let usual = before_listed.max(before.entries.into());
        let is_too_much =
            listed > guard.grow.of(usual) || listed.saturating_sub(before_listed) > most;
        is_too_much.then_some(Finding::Grew { measure, listed, before: before_listed })
    })
}

/// The ranges that are looked at for the widest: a refused list must not keep the control loop waiting.
const MAX_RANGES: usize = 1_000_000;

/// The widest networks that are listed and were not before: a range whose ends were listed is no news.
pub(super) fn widest(now: &Dataset, before: Option<&Dataset>) -> Vec<String> {
    let mut ranges: Vec<(u128, String)> = Vec::new();
    let mut see = |size: u128, text: &dyn Fn() -> Option<String>| {
        let is_wide = ranges.len() < MAX_SHOWN || ranges.last().is_some_and(|last| size > last.0);
        if let Some(text) = is_wide.then(text).flatten() {
            let place = ranges.partition_point(|range| range.0 >= size);
            ranges.insert(place, (size, text));
            ranges.truncate(MAX_SHOWN);
        }
    };
    let ip4 = now.flat().filter_map(|set| set.ip4.as_ref()).flat_map(|ip4| ip4.iter());
    for Range { start, end, .. } in ip4.take(MAX_RANGES) {
        let was_listed = |set: &Dataset| {
            let is_listed = |ip4: &Trie4, address| ip4.lookup(address).is_listed();
            set.ip4.as_ref().is_some_and(|ip4| is_listed(ip4, start) && is_listed(ip4, end))
        };
        let is_new = !before.is_some_and(|before| before.flat().any(was_listed));
        let subnets = || Ipv4Subnets::new(start.into(), end.into(), 0);
        let widest = || subnets().min_by_key(|net| net.prefix_len());
        see(u128::from(end - start), &|| widest().filter(|_| is_new).map(|net| net.to_string()));
    }
    let ip6 = now.flat().filter_map(|set| set.ip6.as_ref()).flat_map(|ip6| ip6.iter());
    for Range { start, end, .. } in ip6.take(MAX_RANGES) {
        let was_listed = |set: &Dataset| {
            let is_listed = |ip6: &Trie6, address| ip6.lookup(address).is_listed();
            set.ip6.as_ref().is_some_and(|ip6| is_listed(ip6, start) && is_listed(ip6, end))
        };
        let is_new = !before.is_some_and(|before| before.flat().any(was_listed));
        let subnets = || Ipv6Subnets::new(start.into(), end.into(), 0);
        let widest = || subnets().min_by_key(|net| net.prefix_len());
        see(end - start, &|| widest().filter(|_| is_new).map(|net| net.to_string()));
    }
    ranges.into_iter().map(|(_, text)| text).collect()
}

#[cfg(test)]
mod tests {
    use super::super::facts::Names;
    use super::super::testing::dataset;
    use super::*;
    use crate::config::Ratio;
    use crate::zonefile::Kind;

    fn of(entries: u64, ip4: Option<u64>, ip6: Option<u128>) -> Facts {
        let names =
            (ip4.is_none() && ip6.is_none()).then(|| Names { names: entries, ..Names::default() });
        Facts { entries, ip4, ip6, names, ..Facts::default() }
    }

    fn measure(new: &Facts, before: &Facts) -> Option<Measure> {
        match grew(new, before, &Guard::default())? {
            Finding::Grew { measure, .. } => Some(measure),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn growth_is_counted_in_what_is_listed() {
        let singles = of(1900, Some(1900), None);
        assert_eq!(measure(&of(1901, Some(1 << 32), None), &singles), Some(Measure::Addresses4));
        assert_eq!(measure(&of(1901, Some(7601), None), &singles), Some(Measure::Addresses4));
        assert_eq!(measure(&of(7600, Some(7600), None), &singles), None);
        let wide = of(500, Some(1_700_000_000), None);
        assert_eq!(measure(&of(510, Some(1_716_000_000), None), &wide), None);
        assert_eq!(measure(&of(510, Some(1_717_000_000), None), &wide), Some(Measure::Addresses4));
        let names = of(1000, None, None);
        assert_eq!(measure(&of(4001, None, None), &names), Some(Measure::Entries));
        assert_eq!(measure(&of(4000, None, None), &names), None);
    }

    #[test]
    fn the_widest_new_networks_are_shown() {
        let before = "10.0.0.0/8\n192.0.2.1 :3:\n";
        let now = "0-255\n10.0.0.0/8\n192.0.2.1 :3:\n";
        let [before, now] = [before, now].map(|text| dataset(Kind::Ip4Set, text));
        assert_eq!(widest(&now, None), ["0.0.0.0/1", "224.0.0.0/3", "192.0.2.1/32"]);
        let before6 = dataset(Kind::Ip6Trie, "2001:db8::/32\n");
        let now6 = dataset(Kind::Ip6Trie, "2001:db8::/32\n2a00::/16\n2b00::1\n");
        assert_eq!(widest(&now6, Some(&before6)), ["2a00::/16", "2b00::1/128"]);
        assert_eq!(widest(&before, Some(&now)), [""; 0]);
    }

    #[test]
    fn an_ipv6_address_counts_as_its_network() {
        let singles = of(1000, None, Some(1000));
        assert_eq!(measure(&of(1001, None, Some((1 << 64) + 1000)), &singles), None);
        assert_eq!(measure(&of(1001, None, Some(1 << 80)), &singles), Some(Measure::Networks6));
        let wide = of(1000, None, Some(1 << 112));
        let more = |len: u32| (1 << 112) + (1 << (128 - len)) + 1;
        assert_eq!(measure(&of(1001, None, Some(more(25))), &wide), None);
        assert_eq!(measure(&of(1001, None, Some(more(23))), &wide), Some(Measure::Networks6));
    }

    /// Regression: names beside addresses, and records, could grow by any amount.
    #[test]
    fn entries_count_unless_all_are_addresses() {
        let names = |entries| Facts {
            names: Some(Names { names: entries, ..Names::default() }),
            ..of(entries, Some(100), None)
        };
        assert_eq!(measure(&names(801), &names(200)), Some(Measure::Entries));
        let records = |entries| Facts { entries, ..Facts::default() };
        assert_eq!(measure(&records(801), &records(200)), Some(Measure::Entries));
        let pieces = |entries| of(entries, Some(1 << 16), None);
        assert_eq!(measure(&pieces(1000), &pieces(200)), None);
    }

    #[test]
    fn the_first_addresses_of_a_mixed_list_are_no_growth_of_nothing() {
        let names = Facts { names: Some(Names::default()), ..of(1000, Some(0), Some(0)) };
        let more = Facts { ip4: Some(300), ip6: Some(5), ..names.clone() };
        assert_eq!(measure(&more, &names), None);
        let guard = Guard { grow: Ratio::new(0.1), ..Guard::default() };
        assert!(grew(&more, &names, &guard).is_some());
    }
}
