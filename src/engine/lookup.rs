//! Which answers the datasets of a zone have for a name.

use super::acl::Restriction;
use super::key::Key;
use crate::listing::records::Found;
use crate::listing::{Answer, AnswerId, Asker};
use crate::trie::names::NameLookup;
use crate::zone::{Dataset, Zone, ZoneState};
use std::time::Duration;

/// A dataset that has an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    /// The place of the dataset in the zone.
    dataset: u16,
    answer: AnswerId,
    /// For a name, how many of its labels the listed name has; 0 for an address.
    pub(super) labels: u8,
    /// The key was looked up as an IPv6 address.
    pub(super) ip6: bool,
    /// This is the default value of the dataset, given for a test point it does not list.
    test_point: bool,
}

impl Hit {
    /// The dataset and its answer.
    pub(super) fn resolve(self, zone: &Zone) -> Option<(&Dataset, Answer<'_>)> {
        let dataset = zone.datasets.get(usize::from(self.dataset))?;
        let answers = if self.test_point { &dataset.default_answer } else { &dataset.answers };
        Some((dataset, answers.get(self.answer)))
    }
}

/// What a name is in a zone.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    /// The addresses the name stands for.
    pub(super) key: Key,
    /// The name has ordinary records, perhaps of other types than the one asked.
    pub(super) records: bool,
    /// The name is not listed, but something below it is.
    pub(super) empty_non_terminal: bool,
    /// The name is a key of some list, and an access list has the value for all of them.
    pub(super) by_acl: bool,
    /// The reply waits this long.
    pub(super) delay: Duration,
}

/// A name to be looked up in a zone.
pub(super) struct Lookup<'a> {
    pub(super) zone: &'a Zone,
    /// The name relative to the zone, in lower case.
    pub(super) name: &'a [u8],
    /// The number of its labels.
    pub(super) labels: usize,
    /// Who asks, and when.
    pub(super) asker: Asker,
    /// What access lists leave of the zone: not refused, not ignored.
    pub(super) restriction: Restriction,
}

/// The names and addresses of RFC 5782 section 5.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TestPoint {
    AlwaysListed,
    NeverListed,
}

impl Lookup<'_> {
    /// Fills `hits` and says what else there is.
    pub(super) fn run(&self, hits: &mut Vec<Hit>) -> Findings {
        hits.clear();
        let zone = self.zone;
        let mut found = Findings {
            key: Key::parse(self.name, self.labels, zone.has_ip4()),
            ..Findings::default()
        };
        if self.labels == 0 && self.asker.has_key {
            // The key alone: what can be asked with it lies below.
            found.empty_non_terminal = self.restriction != Restriction::Empty;
            return found;
        }
        if self.restriction != Restriction::Pass {
            self.restricted(&mut found);
            return found;
        }
        for (number, dataset) in zone.datasets.iter().enumerate() {
            self.ask(number as u16, dataset, &mut found, hits);
        }
        let was_listed = !hits.is_empty();
        match self.test_point(&found.key) {
            Some(TestPoint::NeverListed) => hits.clear(),
            Some(TestPoint::AlwaysListed) if hits.is_empty() => {
                hits.extend(self.test_hit(&found.key))
            }
            Some(TestPoint::AlwaysListed) => {}
            None if !hits.is_empty() && self.is_allowed(&found.key) => hits.clear(),
            None => {}
        }
        found.delay = self.pass_gates(hits);
        if hits.is_empty() && !found.records && !found.empty_non_terminal {
            // A name that is listed and yet not answered for can be above others that are.
            found.empty_non_terminal =
                was_listed && self.has_names_below() || self.has_addresses_below(&found.key);
        }
        found
    }

    fn ask(&self, number: u16, dataset: &Dataset, found: &mut Findings, hits: &mut Vec<Hit>) {
        let mut hit = |answer: AnswerId, labels, ip6| {
            if answer.is_listed() {
                hits.push(Hit { dataset: number, answer, labels, ip6, test_point: false });
            }
        };
        if let (Some(trie), Some(key)) = (&dataset.ip4, found.key.ip4) {
            hit(trie.lookup(key), 0, false);
        }
        if let (Some(trie), Some(key)) = (&dataset.ip6, found.key.ip6) {
            hit(trie.lookup(key), 0, true);
        }
        if let (Some(names), 1..) = (&dataset.names, self.labels) {
            match names.lookup(self.name) {
                NameLookup::Listed(found) => hit(found.answer, found.labels, false),
                NameLookup::EmptyNonTerminal => {
                    found.empty_non_terminal |= !dataset.hides_empty_non_terminals;
                }
                NameLookup::Nothing => {}
            }
        }
        self.ask_records(dataset, found);
    }

    fn ask_records(&self, dataset: &Dataset, found: &mut Findings) {
        if let Some(records) = &dataset.records {
            match records.lookup(self.name) {
                Found::Records(_) => found.records = true,
                Found::EmptyNonTerminal => found.empty_non_terminal = true,
                Found::Nothing => {}
            }
        }
    }

    /// An access list makes the lists of the zone empty, or lists all their keys; allow lists and
    /// test points go with them. Ordinary records stay.
    fn restricted(&self, found: &mut Findings) {
        for dataset in &self.zone.datasets {
            self.ask_records(dataset, found);
            if self.restriction == Restriction::Listed {
                let (ip4, ip6) = (dataset.ip4.is_some(), dataset.takes_ip6());
                found.by_acl |= ip4 && found.key.ip4.is_some()
                    || ip6 && found.key.ip6.is_some()
                    || dataset.names.is_some() && self.labels > 0;
                let below = &found.key.below;
                found.empty_non_terminal |= ip4 && below.ip4.iter().any(Option::is_some)
                    || ip6 && below.ip6.iter().any(Option::is_some);
            }
        }
    }

    fn test_point(&self, key: &Key) -> Option<TestPoint> {
        if !self.zone.test_points {
            return None;
        }
        match (key, self.name) {
            (Key { ip4: Some(0x7f00_0002), .. }, _)
            | (Key { ip4: None, ip6: Some(0xffff_7f00_0002), .. }, _)
            | (_, b"\x04test\0") => Some(TestPoint::AlwaysListed),
            (Key { ip4: Some(0x7f00_0001), .. }, _)
            | (Key { ip4: None, ip6: Some(0xffff_7f00_0001), .. }, _)
            | (_, b"\x07invalid\0") => Some(TestPoint::NeverListed),
            _ => None,
        }
    }

    /// The default value of the first list, if the zone has a dataset this test point belongs to
    /// and all its data: a health check must not call a dead zone well.
    fn test_hit(&self, key: &Key) -> Option<Hit> {
        let zone = self.zone;
        let is_name = key.ip4.is_none() && key.ip6.is_none();
        let belongs = zone.datasets.iter().any(|set| match key {
            Key { ip4: Some(_), .. } => set.ip4.is_some(),
            Key { ip6: Some(_), .. } => set.ip6.is_some(),
            _ => set.names.is_some(),
        });
        if zone.state != ZoneState::Live || !belongs {
            return None;
        }
        let dataset = zone.datasets.iter().position(|set| set.is_list())?;
        Some(Hit {
            dataset: dataset as u16,
            answer: AnswerId(1),
            labels: u8::from(is_name),
            ip6: key.ip4.is_none() && key.ip6.is_some(),
            test_point: true,
        })
    }

    fn is_allowed(&self, key: &Key) -> bool {
        self.zone.allow.iter().any(|set| {
            let ip4 = set
                .ip4
                .as_ref()
                .zip(key.ip4)
                .is_some_and(|(trie, key)| trie.lookup(key).is_listed());
            let ip6 = set
                .ip6
                .as_ref()
                .zip(key.ip6)
                .is_some_and(|(trie, key)| trie.lookup(key).is_listed());
            ip4 || ip6
                || set
                    .names
                    .as_ref()
                    .is_some_and(|names| matches!(names.lookup(self.name), NameLookup::Listed(_)))
        })
    }

    /// True if some name below this one is listed, whether it is itself or not, and not all of
    /// them are allowed.
    fn has_names_below(&self) -> bool {
        let mut allow = self.zone.allow.iter().filter_map(|set| set.names.as_ref());
        if allow.any(|names| names.covers_below(self.name)) {
            return false;
        }
        let shown = self.zone.datasets.iter().filter(|set| !set.hides_empty_non_terminals);
        let names = shown.filter_map(|set| set.names.as_ref());
        names.into_iter().any(|names| names.lists_below(self.name))
    }

    /// True if some address below this short name is listed, the test points included.
    fn has_addresses_below(&self, key: &Key) -> bool {
        let below = &key.below;
        let zone = self.zone;
        let with_points = zone.test_points && zone.state == ZoneState::Live;
        zone.datasets.iter().any(|set| {
            let ip4 = set.ip4.as_ref().is_some_and(|trie| {
                below.ip4.iter().flatten().any(|range| {
                    trie.any_in(*range.start(), *range.end())
                        || with_points && range.contains(&0x7f00_0002)
                })
            });
            let ip6 = set.ip6.as_ref().is_some_and(|trie| {
                below.ip6.iter().flatten().any(|range| {
                    trie.any_in(*range.start(), *range.end())
                        || with_points && range.contains(&0xffff_7f00_0002)
                })
            });
            ip4 || ip6
        })
    }

    /// Drops the hits that have no value for who asks, and gives the longest delay of the values
    /// that remain.
    fn pass_gates(&self, hits: &mut Vec<Hit>) -> Duration {
        let mut delay = Duration::ZERO;
        hits.retain(|hit| {
            let Some((dataset, answer)) = hit.resolve(self.zone) else { return false };
            if !dataset.answers.has_gates() {
                return true;
            }
            let mut any = false;
            for value in answer.values_for(self.asker) {
                any = true;
                let wait = value.gate.and_then(|gate| gate.pass(self.asker));
                delay = delay.max(wait.unwrap_or_default());
            }
            any
        });
        delay
    }
}
