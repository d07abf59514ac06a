//! What differences are told first: those that hit what must never be listed, or what is allowed.

use super::side::{Finder, Side};
use crate::config::{Sentinel, Settings};
use crate::guard::BUILT_IN_SENTINELS;
use crate::range::Int;
use crate::trie::names::NameLookup;
use crate::wire::name::NameBuf;
use crate::zone::Dataset;
use crate::zone::diff::Key;
use ipnet::IpNet;
use std::net::IpAddr;

/// Sentinels, and the lists of what is allowed.
#[derive(Default)]
pub(super) struct Own {
    sentinels: Vec<(Sentinel, String)>,
    allowed: Vec<(String, Dataset)>,
}

impl Own {
    /// Those of the configuration, and the built-in ones. An allow list that cannot be read is told, and left
    /// out.
    pub(super) fn new(settings: Option<&Settings>) -> Self {
        let mut own = Self::default();
        for (text, known_as) in BUILT_IN_SENTINELS {
            let address = text.parse::<IpAddr>().map(|address| Sentinel::Prefix(address.into()));
            let sentinel =
                address.ok().or_else(|| Some(Sentinel::Name(Box::new(text.parse().ok()?))));
            own.sentinels.extend(sentinel.map(|it| (it, format!("{text}, {known_as}"))));
        }
        let Some(settings) = settings else { return own };
        for spec in &settings.datasets {
            for sentinel in spec.guard.sentinels.iter() {
                if !own.sentinels.iter().any(|(known, _)| known == sentinel) {
                    own.sentinels.push((sentinel.clone(), format!("sentinel {sentinel}")));
                }
            }
        }
        let finder = Finder { settings: Ok(settings), read_as: None };
        for spec in settings.datasets.iter().filter(|spec| spec.usage.allows) {
            match finder.find(&Side::Disk(spec.name.clone())) {
                Ok(found) => {
                    own.allowed.push((format!("allow list {}", spec.name), found.dataset));
                }
                Err(error) => eprintln!("dnsbld: allow list {}: {error:#}", spec.name),
            }
        }
        own
    }

    /// What a key hits.
    pub(super) fn hits(&self, key: &Key) -> Vec<&str> {
        let sentinels = self.sentinels.iter().filter(|(it, _)| is_hit(it, key));
        let allowed = self.allowed.iter().filter(|(_, set)| allows(set, key));
        sentinels
            .map(|(_, told)| told)
            .chain(allowed.map(|(told, _)| told))
            .map(String::as_str)
            .collect()
    }
}

fn is_hit(sentinel: &Sentinel, key: &Key) -> bool {
    match (sentinel, key) {
        (Sentinel::Prefix(IpNet::V4(net)), Key::Ip4(start, end)) => {
            let first = net.network().to_bits();
            first <= *end && *start <= first.last_of_prefix(net.prefix_len())
        }
        (Sentinel::Prefix(IpNet::V6(net)), Key::Ip6(start, end)) => {
            let first = net.network().to_bits();
            first <= *end && *start <= first.last_of_prefix(net.prefix_len())
        }
        (Sentinel::Name(name), Key::Name(other)) => **name == *other,
        (Sentinel::Name(name), Key::Below(parent)) => is_below(name, parent),
        _ => false,
    }
}

fn is_below(name: &NameBuf, parent: &NameBuf) -> bool {
    name.labels_before(parent).is_some_and(|labels| !labels.is_empty())
}

/// True if an allow list has any of the addresses, or the name.
fn allows(list: &Dataset, key: &Key) -> bool {
    list.flat().any(|set| match key {
        Key::Ip4(start, end) => set.ip4.as_ref().is_some_and(|ip4| ip4.any_in(*start, *end)),
        Key::Ip6(start, end) => set.ip6.as_ref().is_some_and(|ip6| ip6.any_in(*start, *end)),
        Key::Name(name) | Key::Below(name) => {
            let found = set.names.as_ref().map(|names| names.lookup(name.as_wire()));
            matches!(found, Some(NameLookup::Listed { .. }))
        }
        Key::Records(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_names_hit_what_is_in_them() {
        let own = Own::new(None);
        let hits = |key: Key| own.hits(&key).join(" ");
        assert_eq!(hits(Key::Ip4(0x0808_0800, 0x0808_08ff)), "8.8.8.8, Google's resolver");
        assert_eq!(hits(Key::Ip4(0x7f00_0002, 0x7f00_0002)), "");
        assert!(hits(Key::Ip6(0, u128::MAX)).contains("2620:fe::fe, Quad9's resolver"));
        assert_eq!(
            hits(Key::Name("invalid".parse().unwrap())),
            "invalid, never listed by RFC 5782"
        );
        assert!(!hits(Key::Below(NameBuf::ROOT)).is_empty());
        assert_eq!(hits(Key::Below("invalid".parse().unwrap())), "");
    }
}
