//! Addresses: what lists each of them, and the names they make, in a walk through octets and nibbles
//! at once.
//!
//! A subtree is what lies below a name such as `10` (10.0.0.0/8) or `8.b.d` (db80::/12), or both, as
//! `0.0.2` does (2.0.0.0/24 and 2000::/12). A subtree whose addresses all have the same hits is one
//! wildcard, and nothing if the wildcard above it has these hits anyway. Any other subtree exists as a
//! name, which hides the wildcards above it (RFC 4592 section 3.3.1). If most of its children have
//! the same hits, these may become a wildcard of its own, unless only whole blocks may; the walk then gives
//! each child that differs.
//!
//! A wildcard matches names of any length: `*.0.0.2` for 2.0.0.0/24 alone would list most of the
//! IPv6 Internet. So the children that are nibbles too are given one by one.

use super::names::{AddressNode, Merge};
use super::{Hit, HitKind, Hits, SweepSection, Visitor};
use crate::answer::AnswerId;
use crate::zone::key::{MAPPED, MAPPED_END, SIX_TO_FOUR, TestPoint};
use crate::zone::{Dataset, ZoneState};
use hashbrown::HashMap;
use std::rc::Rc;

const IP4_DEPTH: u32 = 4;
const IP6_DEPTH: u32 = 32;

const AFTER_MAPPED: u128 = MAPPED_END + 1;
const SIX_TO_FOUR_END: u128 = SIX_TO_FOUR | u128::MAX >> 16;

/// Gives all names that exist for the addresses listed to `merge`, in canonical order.
pub(super) fn walk<V: Visitor>(
    section: &SweepSection<'_>,
    merge: &mut Merge<'_, '_, V>,
) -> Result<(), V::Error> {
    let none = Hits::from([]);
    let mut walk = Walk { merge, section, labels: labels().into(), none: none.clone() };
    let root = Subtree { name: vec![0], depth: 0, octets: Some(0), nibbles: Some(0) };
    walk.visit(&root, none)
}

struct Walk<'w, 'z, 'm, 'v, V> {
    merge: &'w mut Merge<'m, 'v, V>,
    section: &'w SweepSection<'z>,
    labels: Rc<[AddressLabel]>,
    none: Hits,
}

/// The addresses below a name.
struct Subtree {
    /// The name, in wire form.
    name: Vec<u8>,
    /// The number of its labels.
    depth: u32,
    /// The first IPv4 address, if the labels are octets.
    octets: Option<u32>,
    /// The first IPv6 address, if the labels are nibbles.
    nibbles: Option<u128>,
}

/// A label of an address.
struct AddressLabel {
    text: Vec<u8>,
    octet: Option<u8>,
    nibble: Option<u8>,
}

/// A child of a subtree.
struct Child<'l> {
    label: &'l AddressLabel,
    /// The hits that all its IPv4 addresses have; `Some(None)` if they differ.
    octets: Option<Option<Hits>>,
    /// The hits that all its IPv6 addresses have; `Some(None)` if they differ.
    nibbles: Option<Option<Hits>>,
}

impl Child<'_> {
    /// The hits that all its addresses have.
    fn hits(&self) -> Option<&Hits> {
        match (&self.octets, &self.nibbles) {
            (Some(hits), None) | (None, Some(hits)) => hits.as_ref(),
            (Some(octets), Some(nibbles)) => octets.as_ref().filter(|_| octets == nibbles),
            (None, None) => None,
        }
    }
}

impl<V: Visitor> Walk<'_, '_, '_, '_, V> {
    /// Gives the name of a subtree whose addresses differ, which itself has the hits `itself`, and the
    /// names below it.
    fn visit(&mut self, subtree: &Subtree, itself: Hits) -> Result<(), V::Error> {
        let labels = Rc::clone(&self.labels);
        let children = self.children(subtree, &labels);
        let wildcard = match subtree.depth == 0 || self.section.whole_blocks {
            true => self.none.clone(),
            false => self.wildcard(&children),
        };
        let node = AddressNode { itself, below: wildcard.clone(), has_more: true };
        self.merge.address(&subtree.name, node)?;
        for child in children {
            if child.hits() != Some(&wildcard) {
                self.child(&subtree.child(child.label), child)?;
            }
        }
        Ok(())
    }

    /// Gives the names of a child that the wildcard of its parent is not right for.
    fn child(&mut self, subtree: &Subtree, child: Child<'_>) -> Result<(), V::Error> {
        let full_ip4 = child.octets.is_some() && subtree.depth == IP4_DEPTH;
        let full_ip6 = child.nibbles.is_some() && subtree.depth == IP6_DEPTH;
        let longer = child.octets.is_some() && !full_ip4 || child.nibbles.is_some() && !full_ip6;
        let only = |wanted: bool, hits: &Hits| if wanted { hits } else { &self.none }.clone();
        if let Some(hits) = child.hits() {
            let itself = only(full_ip4 || full_ip6, hits);
            let node = AddressNode { itself, below: only(longer, hits), has_more: false };
            return self.merge.address(&subtree.name, node);
        }
        let itself = child.octets.flatten().filter(|_| full_ip4);
        self.visit(subtree, itself.unwrap_or_else(|| self.none.clone()))
    }

    /// The children of a subtree, in canonical order.
    fn children<'l>(&self, subtree: &Subtree, labels: &'l [AddressLabel]) -> Vec<Child<'l>> {
        let octets = subtree.octets.filter(|_| subtree.depth < IP4_DEPTH).map(|start| {
            self.hits_of_parts(start.into(), 256, 24 - 8 * subtree.depth, |address| {
                let (hits, last) = self.section.of_ip4(address as u32);
                (hits, last.into())
            })
        });
        let nibbles = subtree.nibbles.filter(|_| subtree.depth < IP6_DEPTH).map(|start| {
            let at = |address| self.section.of_ip6(address);
            self.hits_of_parts(start, 16, 124 - 4 * subtree.depth, at)
        });
        let child = |label: &'l AddressLabel| {
            let of = |parts: &Option<Vec<Option<Hits>>>, index: Option<u8>| {
                Some(parts.as_ref()?[usize::from(index?)].clone())
            };
            let (octets, nibbles) = (of(&octets, label.octet), of(&nibbles, label.nibble));
            let is_address = octets.is_some() || nibbles.is_some();
            is_address.then_some(Child { label, octets, nibbles })
        };
        labels.iter().filter_map(child).collect()
    }

    /// The hits of each of `count` parts of 2^`bits` addresses, from `start` on; `None` where the
    /// addresses of a part differ. `at` gives the hits of an address, and the last address up to which
    /// they are known to hold.
    fn hits_of_parts(
        &self,
        start: u128,
        count: u128,
        bits: u32,
        at: impl Fn(u128) -> (Vec<Hit>, u128),
    ) -> Vec<Option<Hits>> {
        let look_up = |address| {
            let (hits, last) = at(address);
            (if hits.is_empty() { self.none.clone() } else { Hits::from(hits) }, last)
        };
        let (mut hits, mut last) = look_up(start);
        let part = |index: u128| {
            let first = start + (index << bits);
            let end = first + ((1 << bits) - 1);
            if last < first {
                (hits, last) = look_up(first);
            }
            // The same hits may hold behind the last address up to which they are known to.
            while last < end {
                let (next, next_last) = look_up(last + 1);
                if next != hits {
                    return None;
                }
                last = next_last;
            }
            Some(hits.clone())
        };
        (0..count).map(part).collect()
    }

    /// The hits that a wildcard for all these children should have: those that most children have, if
    /// giving the others is shorter than giving those that are listed; else none. A wildcard also
    /// matches addresses that are not listed, so it gets no text that shows the key.
    fn wildcard(&mut self, children: &[Child<'_>]) -> Hits {
        let mut counts: HashMap<&Hits, usize> = HashMap::new();
        for hits in children.iter().filter_map(Child::hits) {
            *counts.entry(hits).or_default() += 1;
        }
        let unlisted = counts.get(&self.none).copied().unwrap_or(0);
        let most = children
            .iter()
            .filter_map(Child::hits)
            .filter(|hits| !hits.is_empty())
            .max_by_key(|hits| counts.get(*hits).copied().unwrap_or(0));
        match most {
            Some(hits) if counts[hits] > unlisted + 1 && !self.merge.shows_key(hits) => {
                hits.clone()
            }
            _ => self.none.clone(),
        }
    }
}

impl Subtree {
    fn child(&self, label: &AddressLabel) -> Self {
        let depth = self.depth + 1;
        let mut name = Vec::with_capacity(self.name.len() + 1 + label.text.len());
        name.push(label.text.len() as u8);
        name.extend_from_slice(&label.text);
        name.extend_from_slice(&self.name);
        let octets = self.octets.filter(|_| depth <= IP4_DEPTH).zip(label.octet);
        let nibbles = self.nibbles.filter(|_| depth <= IP6_DEPTH).zip(label.nibble);
        Self {
            name,
            depth,
            octets: octets.map(|(start, octet)| start | u32::from(octet) << (32 - 8 * depth)),
            nibbles: nibbles.map(|(start, nibble)| start | u128::from(nibble) << (128 - 4 * depth)),
        }
    }
}

/// All labels of addresses, in canonical order.
fn labels() -> Vec<AddressLabel> {
    let octet = |octet: u8| AddressLabel {
        text: octet.to_string().into_bytes(),
        octet: Some(octet),
        nibble: (octet < 10).then_some(octet),
    };
    let letter = |nibble: u8| AddressLabel {
        text: vec![b'a' + nibble - 10],
        octet: None,
        nibble: Some(nibble),
    };
    let mut labels: Vec<_> = (0..=255).map(octet).chain((10..16).map(letter)).collect();
    labels.sort_by(|a, b| a.text.cmp(&b.text));
    labels
}

impl SweepSection<'_> {
    /// The hits of an IPv4 address, and the last address up to which they are known to hold.
    pub(super) fn of_ip4(&self, address: u32) -> (Vec<Hit>, u32) {
        if !self.asks_ip4 {
            return (Vec::new(), u32::MAX);
        }
        let (hits, last, _) = self.look_up(Some(address), None, true);
        (hits, last)
    }

    /// The hits of an IPv6 address, and the last address up to which they are known to hold.
    pub(super) fn of_ip6(&self, address: u128) -> (Vec<Hit>, u128) {
        if !(self.asks_ip6 || self.has_ip4 && self.ip4_in_ip6) {
            return (Vec::new(), u128::MAX);
        }
        let v6_only = |end: u128| {
            let (hits, _, last) = self.look_up(None, Some(address), false);
            (hits, last.min(end))
        };
        match address {
            _ if !self.has_ip4 => v6_only(u128::MAX),
            ..MAPPED => v6_only(MAPPED - 1),
            MAPPED..=MAPPED_END if !self.ip4_in_ip6 => (Vec::new(), MAPPED_END),
            MAPPED..=MAPPED_END => {
                let (hits, last, _) = self.look_up(Some(address as u32), None, true);
                (hits, MAPPED | u128::from(last))
            }
            AFTER_MAPPED..SIX_TO_FOUR => v6_only(SIX_TO_FOUR - 1),
            SIX_TO_FOUR..=SIX_TO_FOUR_END => {
                let ip4 = (address >> 80) as u32;
                let (hits, last4, last) = self.look_up(Some(ip4), Some(address), self.ip4_in_ip6);
                let last4 = SIX_TO_FOUR | u128::from(last4) << 80 | u128::MAX >> 48;
                (hits, last.min(last4))
            }
            _ => v6_only(u128::MAX),
        }
    }

    /// The hits of a key that is one or both of these addresses, and the last address of each up to
    /// which they hold. Without `with_ip4` the lists of IPv4 addresses can only exclude the key.
    fn look_up(
        &self,
        ip4: Option<u32>,
        ip6: Option<u128>,
        with_ip4: bool,
    ) -> (Vec<Hit>, u32, u128) {
        let (mut last4, mut last6) = (u32::MAX, u128::MAX);
        let mut runs = |set: &Dataset| {
            let run4 = set.ip4.as_ref().zip(ip4).map(|(trie, address)| trie.run(address));
            let run6 = set.ip6.as_ref().zip(ip6).map(|(trie, address)| trie.run(address));
            last4 = last4.min(run4.map_or(u32::MAX, |(_, last)| last));
            last6 = last6.min(run6.map_or(u128::MAX, |(_, last)| last));
            let answer = |answer: AnswerId| answer.is_listed().then_some(answer);
            (run4.and_then(|(id, _)| answer(id)), run6.and_then(|(id, _)| answer(id)))
        };
        let mut hits = Vec::new();
        for (number, set) in self.datasets.iter().enumerate() {
            let (ip4, ip6) = runs(set);
            hits.extend(ip4.filter(|_| with_ip4).and_then(|id| self.hit(number, id, HitKind::Ip4)));
            hits.extend(ip6.and_then(|id| self.hit(number, id, HitKind::Ip6)));
        }
        // Those of a verdict zone stand among its lists.
        let allow = if self.zone.scoring.is_some() { &[][..] } else { &self.zone.allow };
        let is_allowed = allow.iter().fold(false, |allowed, set| {
            let (ip4, ip6) = runs(set);
            allowed || ip4.is_some() || ip6.is_some()
        });
        let never = match self.test_point(ip4, ip6, &mut last4, &mut last6) {
            Some(true) => {
                // Without `with_ip4`, an address of 6to4 is none of IPv4.
                let key = if ip4.is_some() { HitKind::Ip4 } else { HitKind::Ip6 };
                self.list_test_point(&mut hits, (with_ip4 || ip4.is_none()).then_some(key));
                false
            }
            Some(false) => true,
            None => is_allowed,
        };
        if never {
            hits.clear();
            hits.extend(self.has_names.then_some(Hit::NEVER));
        }
        if let Some(scoring) = &self.zone.scoring {
            self.weigh(scoring, &mut hits);
        }
        (hits, last4, last6)
    }

    /// Lists the test point that is always listed, if nothing else does; in a verdict zone that has all its data, by
    /// all lists with positive weights, and by none with a negative one. Without a `key` only what is listed anyway.
    fn list_test_point(&self, hits: &mut Vec<Hit>, key: Option<HitKind>) {
        if self.zone.scoring.is_none() {
            if hits.is_empty() {
                hits.extend(key.and_then(|key| self.test_hit(key)));
            }
            return;
        }
        hits.retain(|hit| self.weight(hit.dataset.into()) > 0);
        let Some(key) = key.filter(|_| self.zone.state == ZoneState::Live) else { return };
        for (number, set) in self.datasets.iter().enumerate() {
            let has_key = if key == HitKind::Ip4 { set.ip4.is_some() } else { set.ip6.is_some() };
            let dataset = number as u16;
            let is_missing = hits.iter().all(|hit| hit.dataset != dataset);
            if has_key && is_missing && self.weight(number) > 0 {
                hits.push(Hit { dataset, answer: AnswerId(1), key, test_point: true });
            }
        }
        hits.sort_by_key(|hit| hit.dataset);
    }

    /// True if the key is the test point that is always listed, false if it is one that is not listed: the one that
    /// never is, or any in a zone with a gap, which must not look healthy. `last4` and `last6` are cut off before the
    /// next test point.
    fn test_point(
        &self,
        ip4: Option<u32>,
        ip6: Option<u128>,
        last4: &mut u32,
        last6: &mut u128,
    ) -> Option<bool> {
        let has_gap = self.zone.unlisted().is_some();
        // Addresses are points of lists of addresses alone (RFC 5782 section 5).
        if !(self.zone.test_points || has_gap) || !self.has_addresses() {
            return None;
        }
        match Self::address_of_test(ip4, ip6, last4, last6)? {
            true => Some(!has_gap),
            false => self.zone.test_points.then_some(false),
        }
    }

    /// True for the address of the test point that is always listed, false for that of the other one.
    fn address_of_test(
        ip4: Option<u32>,
        ip6: Option<u128>,
        last4: &mut u32,
        last6: &mut u128,
    ) -> Option<bool> {
        const NEVER: u32 = TestPoint::UNLISTED;
        const ALWAYS: u32 = TestPoint::LISTED;
        if let Some(ip4) = ip4 {
            *last4 = (*last4).min(match ip4 {
                ..NEVER => NEVER - 1,
                NEVER | ALWAYS => ip4,
                _ => u32::MAX,
            });
            return (ip4 == NEVER || ip4 == ALWAYS).then_some(ip4 == ALWAYS);
        }
        let (never, always) = (MAPPED | u128::from(NEVER), MAPPED | u128::from(ALWAYS));
        let ip6 = ip6?;
        *last6 = (*last6).min(match ip6 {
            _ if ip6 < never => never - 1,
            _ if ip6 <= always => ip6,
            _ => u128::MAX,
        });
        (ip6 == never || ip6 == always).then_some(ip6 == always)
    }
}
