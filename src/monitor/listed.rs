//! What a dataset lists of a network or a domain.

use crate::answer::AnswerId;
use crate::config::WatchSubject;
use crate::range::Int;
use crate::wire::name::NameBuf;
use crate::zone::Dataset;
use crate::zone::diff::Key;
use ipnet::IpNet;
use std::collections::BTreeMap;

/// The most ranges, or names, that are told apart: where a dataset lists more of a network or a domain, it counts
/// as listed as a whole.
const MOST: usize = 4096;

/// What a dataset lists of it: the fewest ranges, in order, or the names, by their text.
pub(super) fn listed(dataset: &Dataset, subject: &WatchSubject) -> Vec<Key> {
    match subject {
        WatchSubject::Prefix(IpNet::V4(net)) => {
            let (start, end) = (net.network().to_bits(), net.broadcast().to_bits());
            let tries = dataset.flat().filter_map(|set| set.ip4.as_ref());
            let runs = tries.map(|trie| move |address| trie.run(address));
            let keys = ranges(runs, start, end).unwrap_or_else(|| vec![(start, end)]);
            keys.into_iter().map(|(start, end)| Key::Ip4(start, end)).collect()
        }
        WatchSubject::Prefix(IpNet::V6(net)) => {
            let (start, end) = (net.network().to_bits(), net.broadcast().to_bits());
            let tries = dataset.flat().filter_map(|set| set.ip6.as_ref());
            let runs = tries.map(|trie| move |address| trie.run(address));
            let keys = ranges(runs, start, end).unwrap_or_else(|| vec![(start, end)]);
            keys.into_iter().map(|(start, end)| Key::Ip6(start, end)).collect()
        }
        WatchSubject::Domain(name) => names(dataset, name)
            .unwrap_or_else(|| vec![Key::Name((**name).clone()), Key::Below((**name).clone())]),
    }
}

/// The ranges from `start` to `end` that some trie lists; `None` if there are more than [`MOST`]. A trie gives the
/// answer of an address, and the last address that is known to have it.
fn ranges<K: Int, R: Fn(K) -> (AnswerId, K)>(
    tries: impl Iterator<Item = R>,
    start: K,
    end: K,
) -> Option<Vec<(K, K)>> {
    let mut all = Vec::new();
    for run in tries {
        let mut next = Some(start);
        while let Some(at) = next.filter(|at| *at <= end) {
            let (answer, last) = run(at);
            let last = last.min(end);
            if answer.is_listed() {
                add(&mut all, at, last);
            }
            if all.len() > MOST {
                return None;
            }
            next = last.successor();
        }
    }
    all.sort_unstable();
    let mut joined = Vec::new();
    for (start, end) in all {
        add(&mut joined, start, end);
    }
    Some(joined)
}

/// Adds a range that begins at or behind the beginning of the last one.
fn add<K: Int>(ranges: &mut Vec<(K, K)>, start: K, end: K) {
    match ranges.last_mut() {
        Some((first, last))
            if *first <= start && last.successor().is_none_or(|next| start <= next) =>
        {
            *last = end.max(*last);
        }
        _ => ranges.push((start, end)),
    }
}

/// The domain itself, all names below it, and the single names below it, as far as they are listed; `None` if there
/// are more than [`MOST`].
fn names(dataset: &Dataset, domain: &NameBuf) -> Option<Vec<Key>> {
    let mut all = BTreeMap::new();
    for tree in dataset.flat().filter_map(|set| set.names.as_ref()) {
        // What is said of the domain itself, and of all names below it.
        let (mut itself, mut below) = (AnswerId::NONE, AnswerId::NONE);
        for entry in tree.iter_along(domain) {
            if entry.name == *domain {
                itself = entry.itself.unwrap_or(itself);
                below = entry.below.unwrap_or(below);
            } else if domain.labels_before(&entry.name).is_some() {
                below = entry.below.unwrap_or(below);
                itself = below;
            } else {
                let is_listed = |answer: Option<AnswerId>| answer.is_some_and(AnswerId::is_listed);
                if is_listed(entry.itself) {
                    insert(&mut all, Key::Name(entry.name.clone()));
                }
                if is_listed(entry.below) {
                    insert(&mut all, Key::Below(entry.name));
                }
            }
            if all.len() > MOST {
                return None;
            }
        }
        if itself.is_listed() {
            insert(&mut all, Key::Name(domain.clone()));
        }
        if below.is_listed() {
            insert(&mut all, Key::Below(domain.clone()));
        }
    }
    Some(all.into_values().collect())
}

fn insert(all: &mut BTreeMap<String, Key>, key: Key) {
    all.insert(key.to_string(), key);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trie::names::NameLookup;
    use crate::zone::testing::dataset;
    use crate::zonefile::Kind;
    use proptest::prelude::*;

    fn prefix(text: &str) -> WatchSubject {
        WatchSubject::Prefix(text.parse().unwrap())
    }

    fn domain(text: &str) -> WatchSubject {
        WatchSubject::Domain(Box::new(text.parse().unwrap()))
    }

    fn shown(dataset: &Dataset, subject: &WatchSubject) -> String {
        let keys = listed(dataset, subject);
        keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_listed_is_cut_to_what_is_watched() {
        let set = dataset(
            Kind::Ip4Trie,
            "10.0.0.0/16 :2:a\n10.0.1.0/24 :3:b\n!10.0.1.128/25\n2001:db8::/32\n10.9.9.9\n",
        );
        assert_eq!(shown(&set, &prefix("10.0.0.0/23")), "10.0.0.0-10.0.1.127");
        assert_eq!(shown(&set, &prefix("10.9.9.9/32")), "10.9.9.9");
        assert_eq!(
            shown(&set, &prefix("0.0.0.0/0")),
            "10.0.0.0-10.0.1.127 10.0.2.0-10.0.255.255 10.9.9.9"
        );
        assert_eq!(shown(&set, &prefix("192.0.2.0/24")), "");
        assert_eq!(shown(&set, &prefix("2001:db8:7::/48")), "2001:db8:7::/48");
        assert_eq!(shown(&set, &prefix("::/0")), "2001:db8::/32");
        assert_eq!(shown(&set, &domain("example.org")), "");
    }

    #[test]
    fn very_much_counts_as_all() {
        let text: String =
            (0..=MOST).map(|n| format!("10.0.{}.{}\n", n / 64, n % 64 * 2)).collect();
        let set = dataset(Kind::Ip4Set, &text);
        assert_eq!(shown(&set, &prefix("10.0.0.0/8")), "10.0.0.0/8");
        assert_eq!(listed(&set, &prefix("10.0.0.0/18")).len(), MOST);
        let text: String = (0..=MOST).map(|n| format!("a{n}.example.org\n")).collect();
        let set = dataset(Kind::Dnset, &text);
        assert_eq!(shown(&set, &domain("example.org")), "example.org *.example.org");
    }

    #[test]
    fn a_domain_has_what_is_below_it() {
        let set = dataset(
            Kind::Dnset,
            "mail.example.org\n.bad.example.org\n*.up.test\n!no.up.test\nbadexample.org\n",
        );
        let below = "*.bad.example.org bad.example.org mail.example.org";
        assert_eq!(shown(&set, &domain("example.org")), below);
        assert_eq!(
            shown(&set, &domain("x.bad.example.org")),
            "*.x.bad.example.org x.bad.example.org"
        );
        assert_eq!(shown(&set, &domain("up.test")), "*.up.test");
        assert_eq!(shown(&set, &domain("no.up.test")), "*.no.up.test");
        assert_eq!(shown(&set, &domain("other.test")), "");
    }

    fn name() -> impl Strategy<Value = String> {
        proptest::collection::vec(prop_oneof![Just("a"), Just("b")], 1..4)
            .prop_map(|labels| labels.join("."))
    }

    proptest! {
        #[test]
        fn addresses_agree_with_lookups(
            lines in proptest::collection::vec((0..256u32, 24..33u8, any::<bool>()), 0..12),
            len in 24..33u8,
            at in 0..256u32,
        ) {
            let line = |&(low, len, is_excluded): &(u32, u8, bool)| {
                let low = low & !(u32::MAX >> 1 >> (len - 1));
                format!("{}192.0.2.{low}/{len}\n", if is_excluded { "!" } else { "" })
            };
            let set = dataset(Kind::Ip4Trie, &lines.iter().map(line).collect::<String>());
            let WatchSubject::Prefix(IpNet::V4(net)) = prefix(&format!("192.0.2.{at}/{len}")) else {
                panic!("it is IPv4")
            };
            let net = net.trunc();
            let keys = listed(&set, &WatchSubject::Prefix(net.into()));
            for address in 0xc000_0200..=0xc000_02ff_u32 {
                let is_told = keys.iter().any(|key| match key {
                    Key::Ip4(start, end) => (start..=end).contains(&&address),
                    _ => false,
                });
                let is_watched = net.contains(&std::net::Ipv4Addr::from_bits(address));
                let is_listed = set.ip4.as_ref().unwrap().lookup(address).is_listed();
                prop_assert_eq!(is_told, is_watched && is_listed, "{}", address);
            }
        }

        #[test]
        fn names_agree_with_lookups(
            lines in proptest::collection::vec((name(), 0..4usize), 0..12),
            watched in name(),
            asked in name(),
        ) {
            let line = |(name, form): &(String, usize)| format!("{}{name}\n", ["", ".", "*.", "!"][*form]);
            let set = dataset(Kind::Dnset, &lines.iter().map(line).collect::<String>());
            let keys = listed(&set, &domain(&watched));
            let asked: NameBuf = format!("{asked}.{watched}").parse().unwrap();
            let found = set.names.as_ref().unwrap().lookup(asked.as_wire());
            // What is excluded below a name that is listed with all below it is not told.
            let has = keys.iter().any(|key| match key {
                Key::Name(name) => *name == asked,
                Key::Below(name) => asked.labels_before(name).is_some_and(|labels| !labels.is_empty()),
                _ => false,
            });
            if matches!(found, NameLookup::Listed { .. }) {
                prop_assert!(has, "{} in {:?}", asked, keys);
            }
            let itself: NameBuf = watched.parse().unwrap();
            let found = set.names.as_ref().unwrap().lookup(itself.as_wire());
            let is_told = keys.contains(&Key::Name(itself));
            prop_assert_eq!(is_told, matches!(found, NameLookup::Listed { .. }));
            if keys.is_empty() {
                prop_assert!(!set.names.as_ref().unwrap().lists_below(watched.parse::<NameBuf>().unwrap().as_wire()));
            }
        }
    }
}
