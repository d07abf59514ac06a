//! Data that lists what must never be listed.

use super::{Baseline, Candidate};
use crate::config::{Guard, Sentinel, Usage};
use crate::source::Finding;
use crate::trie::names::NameLookup;
use crate::wire::name::NameBuf;
use crate::zone::Dataset;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// Addresses and names that no list has, and what each is: those of RFC 5782, section 5, and the resolvers
/// that are used most, which no mail comes from and which many firewalls need. Their operators name them at
/// developers.google.com/speed/public-dns/docs/using, developers.cloudflare.com/1.1.1.1/ip-addresses,
/// quad9.net/service/service-addresses-and-features and opendns.com/setupguide.
pub const BUILT_IN: [(&str, &str); 19] = [
    ("127.0.0.1", "never listed by RFC 5782"),
    ("::ffff:127.0.0.1", "never listed by RFC 5782"),
    ("invalid", "never listed by RFC 5782"),
    ("8.8.8.8", "Google's resolver"),
    ("8.8.4.4", "Google's resolver"),
    ("2001:4860:4860::8888", "Google's resolver"),
    ("2001:4860:4860::8844", "Google's resolver"),
    ("1.1.1.1", "Cloudflare's resolver"),
    ("1.0.0.1", "Cloudflare's resolver"),
    ("2606:4700:4700::1111", "Cloudflare's resolver"),
    ("2606:4700:4700::1001", "Cloudflare's resolver"),
    ("9.9.9.9", "Quad9's resolver"),
    ("149.112.112.112", "Quad9's resolver"),
    ("2620:fe::fe", "Quad9's resolver"),
    ("2620:fe::9", "Quad9's resolver"),
    ("208.67.222.222", "Cisco's resolver"),
    ("208.67.220.220", "Cisco's resolver"),
    ("2620:119:35::35", "Cisco's resolver"),
    ("2620:119:53::53", "Cisco's resolver"),
];

/// So many listed sentinels are remembered.
const MAX_LISTED: usize = 100;

/// The steps of a comparison of two listings inside of one sentinel.
const MAX_STEPS: usize = 100_000;

/// A sentinel, and what it is if nobody has configured it.
#[derive(Clone)]
struct Watched {
    sentinel: Sentinel,
    known_as: Option<&'static str>,
}

fn all(guard: &Guard) -> impl Iterator<Item = Watched> {
    let built_in = BUILT_IN.iter().filter_map(|&(text, known_as)| {
        let address = text.parse::<IpAddr>().map(|address| Sentinel::Prefix(address.into()));
        let sentinel = address
            .ok()
            .or_else(|| text.parse().ok().map(|name| Sentinel::Name(Box::new(name))))?;
        Some(Watched { sentinel, known_as: Some(known_as) })
    });
    let configured = guard.sentinels.iter();
    built_in
        .chain(configured.map(|sentinel| Watched { sentinel: sentinel.clone(), known_as: None }))
}

/// The sentinels that are listed by the data itself, whatever the zone answers.
pub(super) fn listed(dataset: &Dataset, guard: &Guard) -> Vec<String> {
    let listed = all(guard).filter(|watched| lists(dataset, &watched.sentinel));
    listed.map(|watched| watched.sentinel.to_string()).take(MAX_LISTED).collect()
}

/// A sentinel that is listed and was not before, with the widest network that lists it.
///
/// Without data of before, a configured sentinel counts alone: nothing else could be served, and lists of
/// reserved networks have 127.0.0.0/8. A list of one's own may have those that are built
/// in, as may a list that does not make zones list.
pub(super) fn sentinel(
    candidate: &Candidate<'_>,
    before: Option<&Baseline<'_>>,
    is_own: bool,
) -> Option<(Finding, Vec<String>)> {
    let counts = |watched: &Watched| match watched.known_as {
        None => candidate.spec.own != Some(true),
        Some(_) => !is_own && before.is_some(),
    };
    let Watched { sentinel, known_as } = news(candidate, before).find(counts)?;
    let shown = wide_network(candidate.dataset, &sentinel);
    let sentinel = sentinel.to_string();
    Some((Finding::Sentinel { sentinel, known_as }, shown.into_iter().collect()))
}

/// A built-in sentinel that is listed by the first data that there is.
pub(super) fn doubt(
    candidate: &Candidate<'_>,
    before: Option<&Baseline<'_>>,
) -> Option<(String, &'static str)> {
    let news = news(candidate, before).find(|watched| watched.known_as.is_some());
    let Watched { sentinel, known_as } = news.filter(|_| before.is_none())?;
    Some((sentinel.to_string(), known_as?))
}

/// The sentinels that are listed and were not before.
fn news<'a>(
    candidate: &'a Candidate<'_>,
    before: Option<&'a Baseline<'_>>,
) -> impl Iterator<Item = Watched> + 'a {
    let Candidate { spec, dataset, facts, .. } = *candidate;
    let Usage { lists: is_list, allows, admits } = spec.usage;
    let is_judged = is_list || !allows && !admits && !spec.kind.is_access_list();
    let is_news = move |sentinel: &Sentinel| match before {
        None => true,
        Some(Baseline { dataset: Some(before), .. }) => is_new(dataset, before, sentinel),
        Some(Baseline { facts, .. }) => !facts.sentinels.contains(&sentinel.to_string()),
    };
    let is_any = is_judged && !facts.sentinels.is_empty();
    is_any
        .then(|| all(&spec.guard))
        .into_iter()
        .flatten()
        .filter(|watched| lists(dataset, &watched.sentinel))
        .filter(move |watched| is_news(&watched.sentinel))
}

/// True if the data lists any of it.
fn lists(dataset: &Dataset, sentinel: &Sentinel) -> bool {
    match sentinel {
        Sentinel::Name(name) => dataset.flat().any(|set| lists_wire(set, name)),
        Sentinel::Prefix(prefix) => spans(prefix).into_iter().flatten().any(|span| {
            dataset.flat().any(|set| match span.family {
                Family::Ip4 => set
                    .ip4
                    .as_ref()
                    .is_some_and(|ip4| ip4.any_in(span.start as u32, span.end as u32)),
                Family::Ip6 => set.ip6.as_ref().is_some_and(|ip6| ip6.any_in(span.start, span.end)),
            })
        }),
    }
}

/// True if the data lists any of it that it did not list before.
fn is_new(now: &Dataset, before: &Dataset, sentinel: &Sentinel) -> bool {
    let Sentinel::Prefix(prefix) = sentinel else { return !lists(before, sentinel) };
    spans(prefix).into_iter().flatten().any(|span| {
        let mut at = Some(span.start);
        for _ in 0..MAX_STEPS {
            let Some(start) = at.filter(|&at| at <= span.end) else { return false };
            let (is_listed, end) = run(now, span.family, start);
            let (was_listed, end_before) = run(before, span.family, start);
            if is_listed && !was_listed {
                return true;
            }
            at = if is_listed { end.min(end_before) } else { end }.checked_add(1);
        }
        false
    })
}

/// True if a dataset of names lists this one.
pub(super) fn lists_name(set: &Dataset, name: &str) -> bool {
    name.parse().is_ok_and(|name: NameBuf| lists_wire(set, &name))
}

fn lists_wire(set: &Dataset, name: &NameBuf) -> bool {
    let lookup = set.names.as_ref().map(|names| names.lookup(name.as_wire()));
    matches!(lookup, Some(NameLookup::Listed { .. }))
}

#[derive(Clone, Copy)]
enum Family {
    Ip4,
    Ip6,
}

/// Addresses of one family, as numbers.
#[derive(Clone, Copy)]
struct Span {
    family: Family,
    start: u128,
    end: u128,
}

/// The addresses of a prefix: those of IPv4 also as IPv6 lists them (v4-mapped).
fn spans(prefix: &IpNet) -> [Option<Span>; 2] {
    match prefix {
        IpNet::V4(prefix) => {
            let number = |address: Ipv4Addr| u128::from(address.to_bits());
            let (start, end) = (number(prefix.network()), number(prefix.broadcast()));
            let mapped = 0xffff_u128 << 32;
            [
                Some(Span { family: Family::Ip4, start, end }),
                Some(Span { family: Family::Ip6, start: mapped | start, end: mapped | end }),
            ]
        }
        IpNet::V6(prefix) => {
            let (start, end) = (prefix.network().to_bits(), prefix.broadcast().to_bits());
            [Some(Span { family: Family::Ip6, start, end }), None]
        }
    }
}

/// Whether an address is listed, and the last address, not before it, up to which that is known to hold.
fn run(dataset: &Dataset, family: Family, at: u128) -> (bool, u128) {
    let runs = dataset.flat().filter_map(|set| match family {
        Family::Ip4 => set.ip4.as_ref().map(|ip4| {
            let (answer, end) = ip4.run(at as u32);
            (answer.is_listed(), u128::from(end))
        }),
        Family::Ip6 => set.ip6.as_ref().map(|ip6| {
            let (answer, end) = ip6.run(at);
            (answer.is_listed(), end)
        }),
    });
    runs.fold((false, u128::MAX), |(any, first), (is_listed, end)| {
        (any | is_listed, first.min(end))
    })
}

/// The widest network around the first address of a sentinel that is listed as a whole.
fn wide_network(dataset: &Dataset, sentinel: &Sentinel) -> Option<String> {
    /// A network that is listed in more pieces than these is not looked at to its end.
    const PIECES: usize = 1 << 17;
    let Sentinel::Prefix(prefix) = sentinel else { return None };
    let is_whole = |network: &IpNet| {
        let Some(Span { family, start, end }) = spans(network)[0] else { return false };
        let mut at = start;
        for _ in 0..PIECES {
            let (true, last) = run(dataset, family, at) else { return false };
            if last >= end {
                return true;
            }
            at = last + 1;
        }
        false
    };
    let networks = (0..prefix.prefix_len())
        .filter_map(|len| Some(IpNet::new(prefix.addr(), len).ok()?.trunc()));
    networks.into_iter().find(is_whole).map(|network| network.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{baseline, candidate, dataset, spec};
    use super::*;
    use crate::config;
    use crate::zonefile::Kind;

    fn with(sentinels: &[&str]) -> config::Dataset {
        let text = format!(
            "guard.sentinels = {sentinels:?}\n[[dataset]]\nname = 'a'\ntype = 'ip4set'\nfiles = ['a']\n\
             [[zone]]\nname = 'a.test'\ndatasets = ['a']\n"
        );
        let mut spec = config::read(&text, std::path::Path::new("/")).unwrap().settings.datasets;
        config::Dataset { own: Some(false), ..spec.remove(0) }
    }

    /// The sentinel that a text of this type lists, after another one.
    fn found(spec: &config::Dataset, kind: Kind, text: &str, before: Option<&str>) -> String {
        let spec = config::Dataset { kind, ..spec.clone() };
        let new = candidate(&spec, text);
        let before = before.map(|text| candidate(&spec, text));
        let before = before.as_ref().map(baseline);
        match sentinel(&new.candidate(&spec), before.as_ref(), false) {
            Some((Finding::Sentinel { sentinel, .. }, shown)) => {
                [&[sentinel][..], &shown].concat().join(" in ")
            }
            None => String::new(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_newly_listed_is_news() {
        let none = spec(Kind::Ip4Set);
        let few = "192.0.2.1\n";
        for (kind, text, before, want) in [
            (Kind::Ip4Set, "192.0.2.1\n0-255\n", few, "127.0.0.1 in 0.0.0.0/0"),
            (Kind::Ip4Trie, "127/8\n", few, "127.0.0.1 in 127.0.0.0/8"),
            (Kind::Ip4Set, "8.8.8.8\n", few, "8.8.8.8"),
            (Kind::Ip4Set, "8.8.8/24\n!8.8.8.8\n", few, ""),
            (Kind::Ip4Set, "8.8.8.8\n9.9.9.9\n", "8.8.8.8\n", "9.9.9.9"),
            (Kind::Ip4Set, "8.8.8.8\n", "8/8\n", ""),
            (Kind::Ip6Trie, "2000::/3\n", "2001:db8::/32\n", "2001:4860:4860::8888 in 2000::/3"),
            (Kind::Ip6Trie, "::ffff:7f00:1\n", "2001:db8::/32\n", "127.0.0.1"),
            (Kind::Dnset, ".invalid\n", "a.example\n", "invalid"),
            (Kind::Dnset, "a.invalid\n", "a.example\n", ""),
        ] {
            assert_eq!(found(&none, kind, text, Some(before)), want, "{text:?}");
        }
    }

    #[test]
    fn configured_sentinels_are_prefixes_and_names() {
        let spec = with(&["192.0.2.0/24", "2001:db8::/32", "Big.example"]);
        for (kind, text, before, want) in [
            (Kind::Ip4Set, "192.0.2.77\n", None, "192.0.2.0/24"),
            (Kind::Ip4Set, "192.0.2.77\n", Some("192.0.2.77\n"), ""),
            (Kind::Ip4Set, "192.0.2.76-77\n", Some("192.0.2.77\n"), "192.0.2.0/24"),
            (Kind::Ip4Set, "192.0/16\n", Some("10.0.0.1\n"), "192.0.2.0/24 in 192.0.0.0/16"),
            (Kind::Ip6Trie, "2001:db8:1::/48\n", None, "2001:db8::/32"),
            (Kind::Dnset, "big.example\n", None, "big.example"),
            (Kind::Dnset, "mail.big.example\n", None, ""),
            (Kind::Ip4Set, "127.0.0.1\n", None, ""),
        ] {
            assert_eq!(found(&spec, kind, text, before), want, "{text:?}");
        }
    }

    #[test]
    fn the_first_data_that_lists_a_built_in_sentinel_is_told() {
        let none = spec(Kind::Ip4Set);
        assert_eq!(found(&none, Kind::Ip4Set, "0-127\n", None), "");
        let reserved = "10/8\n127/8\n172.16/12\n192.168/16\n224-255\n";
        assert_eq!(found(&none, Kind::Ip4Set, reserved, None), "");
        let new = candidate(&none, reserved);
        let told = doubt(&new.candidate(&none), None);
        assert_eq!(told, Some(("127.0.0.1".to_owned(), "never listed by RFC 5782")));
        assert_eq!(doubt(&new.candidate(&none), Some(&baseline(&new))), None);
    }

    #[test]
    fn every_built_in_sentinel_can_be_looked_up() {
        assert_eq!(all(&Guard::default()).count(), BUILT_IN.len());
        let all4 = listed(&dataset(Kind::Ip4Set, "0-255\n"), &Guard::default());
        let all6 = listed(&dataset(Kind::Ip6Trie, "::/0\n"), &Guard::default());
        let ip4 = BUILT_IN.iter().filter(|(text, _)| text.parse::<Ipv4Addr>().is_ok()).count();
        assert_eq!((all4.len(), all6.len()), (ip4, BUILT_IN.len() - 1));
    }
}
