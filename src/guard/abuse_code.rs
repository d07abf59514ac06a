//! Allow lists that allow everything by a value that refuses questions.

use crate::answer::AnswerId;
use crate::range::Range;
use crate::source::Finding;
use crate::zone::Dataset;
use std::net::Ipv4Addr;

/// Values that dnswl.org gives to those whose questions it refuses, for every address: its refusal, and the
/// highest trust, which it gave to those who did not mind the refusal.
const CODES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 0, 255), Ipv4Addr::new(127, 0, 10, 3)];

/// So much allowed is a broad cover: a /8 of IPv4.
const BROAD4: u128 = 1 << 24;
/// Of IPv6, a /24.
const BROAD6: u128 = 1 << 104;

/// A broad cover by such a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abuse {
    /// The value.
    pub value: Ipv4Addr,
    /// The addresses that have it.
    pub addresses: u128,
}

/// Looks for a broad cover; walks answers and listing only if a value of the dataset is one of those.
pub(super) fn abuse(dataset: &Dataset) -> Option<Abuse> {
    dataset.flat().find_map(|set| {
        let mut codes = CODES.into_iter().filter(|&value| set.answers.has_value(value));
        codes.find_map(|value| cover(set, value))
    })
}

fn cover(set: &Dataset, value: Ipv4Addr) -> Option<Abuse> {
    let ids = (1..=set.answers.len() as u32).map(AnswerId);
    let has_it = |id: &AnswerId| set.answers.get(*id).values().any(|found| found.a == value);
    let has_it: Vec<bool> = std::iter::once(false).chain(ids.map(|id| has_it(&id))).collect();
    let has_it = |answer: AnswerId| has_it.get(answer.0 as usize) == Some(&true);
    let ip4 = set.ip4.iter().flat_map(|ip4| ip4.iter());
    let ip4: u128 = ip4
        .filter(|Range { answer, .. }| has_it(*answer))
        .map(|Range { start, end, .. }| u128::from(end - start) + 1)
        .sum();
    let ip6 = set.ip6.iter().flat_map(|ip6| ip6.iter());
    let ip6 = ip6
        .filter(|Range { answer, .. }| has_it(*answer))
        .fold(0_u128, |sum, Range { start, end, .. }| {
            sum.saturating_add((end - start).saturating_add(1))
        });
    let addresses = ip4.saturating_add(ip6);
    (ip4 >= BROAD4 || ip6 >= BROAD6).then_some(Abuse { value, addresses })
}

/// Such a list, used as one that allows, would let everybody pass.
pub(super) fn abuse_code(found: Option<Abuse>) -> Option<Finding> {
    found.map(|Abuse { value, addresses }| Finding::AbuseCode { value, addresses })
}

#[cfg(test)]
mod tests {
    use super::super::testing::dataset;
    use super::*;
    use crate::zonefile::Kind;

    #[test]
    fn a_broad_cover_by_a_refusal_is_found() {
        let found = |kind, text: &str| abuse(&dataset(kind, text)).map(|found| found.value);
        let [refused, high] = CODES;
        assert_eq!(found(Kind::Ip4Trie, "0/0 :127.0.0.255:abuse\n"), Some(refused));
        assert_eq!(found(Kind::Ip4Set, "1-2 :127.0.10.3:\n10.0.0.1 :127.0.5.1:\n"), Some(high));
        assert_eq!(found(Kind::Ip6Trie, "2000::/3 :127.0.10.3:\n"), Some(high));
        assert_eq!(found(Kind::Ip4Set, "1-2 :127.0.10.2:\n10.0.0.1 :127.0.10.3:\n"), None);
        assert_eq!(found(Kind::Ip6Trie, "2001:db8::/32 :127.0.10.3:\n"), None);
    }
}
