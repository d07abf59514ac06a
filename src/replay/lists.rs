//! The lists that a mail server can ask: a zone, or a subzone of a combined dataset.

use crate::config::Settings;
use crate::listing::Asker;
use crate::zone::lookup::{Ip4, Ip6, Match, lookup};
use crate::zone::{Dataset, Scoring, Zone};
use std::net::IpAddr;
use std::sync::Arc;

/// A list.
#[derive(Debug)]
pub(crate) struct List {
    /// The name that is asked below.
    pub(crate) name: String,
    pub(super) datasets: Vec<Arc<Dataset>>,
    pub(super) allow: Vec<Arc<Dataset>>,
    /// It is a verdict zone: the sum of its lists decides.
    pub(super) scoring: Option<Arc<Scoring>>,
    /// It lists whom to let in: being on it rejects nobody.
    pub(crate) is_allow_list: bool,
    /// It lacks data.
    pub(crate) is_incomplete: bool,
    /// It is a section of a combined dataset.
    pub(super) is_section: bool,
}

/// What a list says of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ListVerdict {
    NotListed,
    Listed,
    /// It is listed, and an allow list of the zone lets it in.
    Allowed,
}

/// The lists of addresses of these zones.
pub(crate) fn of_zones(settings: &Settings, zones: &[Zone]) -> Vec<List> {
    let mut lists = Vec::new();
    for (zone, wanted) in zones.iter().zip(&settings.zones) {
        let is_incomplete =
            zone.datasets.len() < wanted.datasets.len() || zone.allow.len() < wanted.allow.len();
        let is_allow_list = wanted
            .datasets
            .iter()
            .all(|name| settings.dataset(name).is_some_and(|set| set.usage.allows));
        let allow: Vec<_> = zone.allow.iter().flat_map(flat).collect();
        let mut add = |name: String, datasets: Vec<Arc<Dataset>>, is_section: bool| {
            if datasets.iter().any(|set| set.ip4.is_some() || set.ip6.is_some()) {
                let (allow, scoring) = (allow.clone(), zone.scoring.clone());
                lists.push(List {
                    name,
                    datasets,
                    allow,
                    scoring,
                    is_allow_list,
                    is_incomplete,
                    is_section,
                });
            }
        };
        let simple = zone.datasets.iter().filter(|set| set.subzones.is_none());
        add(zone.apex.to_string(), simple.cloned().collect(), false);
        let combined = zone.datasets.iter().filter_map(|set| set.subzones.as_ref());
        for subzone in combined.flat_map(|subzones| subzones.all()) {
            if let Some(apex) = subzone.apex.join(&zone.apex) {
                add(apex.to_string(), subzone.datasets.clone(), true);
            }
        }
    }
    lists
}

/// A dataset, or the datasets in it.
fn flat(set: &Arc<Dataset>) -> Vec<Arc<Dataset>> {
    match &set.subzones {
        None => vec![Arc::clone(set)],
        Some(subzones) => {
            subzones.all().iter().flat_map(|subzone| subzone.datasets.clone()).collect()
        }
    }
}

impl List {
    /// What it says of an address at that time, in seconds since 1970.
    pub(crate) fn verdict(&self, address: IpAddr, now: u64) -> ListVerdict {
        match &self.scoring {
            None => verdict(&self.datasets, &self.allow, address, now),
            Some(scoring) => weigh(scoring, address, now),
        }
    }

    /// The names of the datasets whose histories are its own: a combined dataset has one for all its sections.
    pub(crate) fn histories(&self) -> impl Iterator<Item = &str> {
        let names = self.datasets.iter().map(|set| set.name.as_str());
        names.filter(|_| !self.is_section)
    }
}

/// What datasets say of an address, and allow lists before them.
fn verdict(
    datasets: &[Arc<Dataset>],
    allow: &[Arc<Dataset>],
    address: IpAddr,
    now: u64,
) -> ListVerdict {
    let asker = Asker { now, has_key: false };
    let mut verdict = ListVerdict::NotListed;
    let sink = |found: Match<'_>| {
        let is_given =
            !found.dataset.answers.has_gates() || found.answer().values_for(asker).next().is_some();
        verdict = match found.allowed_by {
            _ if !is_given => verdict,
            Some(_) => ListVerdict::Allowed,
            None => ListVerdict::Listed,
        };
    };
    match address {
        IpAddr::V4(address) => lookup(datasets, allow, None, &Ip4(address.to_bits()), sink),
        IpAddr::V6(address) => lookup(datasets, allow, None, &Ip6(address.to_bits()), sink),
    };
    verdict
}

/// What a verdict zone says of an address.
fn weigh(scoring: &Scoring, address: IpAddr, now: u64) -> ListVerdict {
    let (mut sum, mut listed) = (0, 0);
    for (dataset, weight) in scoring.lists() {
        if verdict(std::slice::from_ref(dataset), &[], address, now) == ListVerdict::Listed {
            sum += weight;
            listed += weight.max(0);
        }
    }
    match (scoring.value(sum), scoring.value(listed)) {
        (Some(_), _) => ListVerdict::Listed,
        (None, Some(_)) => ListVerdict::Allowed,
        (None, None) => ListVerdict::NotListed,
    }
}
