//! What the rules compare of two versions of a dataset.

use super::abuse_code::{self, Abuse};
use super::{sentinel, test_entry};
use crate::config;
use crate::source::SourceFile;
use crate::trie::{Trie4, Trie6};
use crate::zone::Dataset;
use crate::zonefile::Stated;
use serde::{Deserialize, Serialize};

/// What is known of one version of the data. It outlives the data: the state folder remembers it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Facts {
    /// The lines that list or exclude something.
    pub entries: u64,
    /// The lines that could not be used.
    pub bad_lines: u64,
    /// The listed IPv4 addresses; `None` for a dataset that has no addresses of that family.
    pub ip4: Option<u64>,
    /// The listed IPv6 addresses; `None` for a dataset that has no addresses of that family.
    pub ip6: Option<u128>,
    /// The names, in a dataset that has names.
    pub names: Option<Names>,
    /// When the data was made by its own account, in seconds since 1970.
    pub stamp: Option<u64>,
    /// The serial that the files give.
    pub serial: Option<u32>,
    /// How many entries the files say that they have.
    pub records: Option<u64>,
    /// The test entries of RFC 5782 that are listed.
    pub test_entries: Vec<String>,
    /// The sentinels that are listed, the first of them.
    pub sentinels: Vec<String>,
    /// What an allow list allows by a value that refuses questions.
    #[serde(skip)]
    pub abuse: Option<Abuse>,
}

/// The names of a dataset, counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Names {
    /// How many there are, each once.
    pub names: u64,
    /// How many of them have one label.
    pub single_labels: u64,
    /// True if the last labels of all of them are numbers.
    pub are_numbers: bool,
}

impl Facts {
    /// The facts of a dataset that was made of these files.
    pub fn of(
        spec: &config::Dataset,
        dataset: &Dataset,
        sources: &[SourceFile],
        stamp: Option<u64>,
        stated: Stated,
    ) -> Self {
        let ip4 = dataset.flat().filter_map(|set| set.ip4.as_ref()).map(Trie4::covered);
        let ip6 = dataset.flat().filter_map(|set| set.ip6.as_ref()).map(Trie6::covered);
        let ip4 = ip4.reduce(u128::saturating_add);
        let names = dataset.flat().filter_map(Names::of);
        // A serial of the settings says nothing of the files.
        let soa = dataset.soa.as_ref().filter(|_| spec.soa.is_none());
        Self {
            entries: super::entries(sources),
            bad_lines: sources.iter().map(|source| source.bad_lines).sum(),
            ip4: ip4.map(|covered| u64::try_from(covered).unwrap_or(u64::MAX)),
            ip6: ip6.reduce(u128::saturating_add),
            names: names.reduce(Names::and),
            stamp,
            serial: soa.map(|soa| soa.serial).filter(|&serial| serial != 0),
            records: stated.records,
            test_entries: test_entry::listed(dataset),
            sentinels: sentinel::listed(dataset, &spec.guard),
            abuse: spec.usage.allows.then(|| abuse_code::abuse(dataset)).flatten(),
        }
    }

    /// The entries, each once: no more than there are names and listed addresses.
    pub(super) fn distinct(&self) -> u64 {
        let names = self.names.map(|names| u128::from(names.names));
        let listed = [names, self.addresses()].into_iter().flatten().reduce(u128::saturating_add);
        listed.map_or(self.entries, |listed| listed.min(self.entries.into()) as u64)
    }

    /// The listed addresses of both families, those of several sections several times; `None` for a dataset
    /// of names.
    pub fn addresses(&self) -> Option<u128> {
        [self.ip4.map(u128::from), self.ip6].into_iter().flatten().reduce(u128::saturating_add)
    }
}

impl Names {
    /// Those of a dataset of names, or of hashes, which are names of one label.
    fn of(set: &Dataset) -> Option<Self> {
        if let Some(digests) = &set.digests {
            let names = digests.len() as u64;
            return Some(Self { names, single_labels: names, are_numbers: false });
        }
        let names = set.names.as_ref()?;
        let top = names.top_level();
        Some(Self {
            names: names.entries() as u64,
            single_labels: top.alone as u64,
            are_numbers: top.labels > 0 && top.numbers == top.labels,
        })
    }

    /// Those of two sections together.
    fn and(self, other: Self) -> Self {
        Self {
            names: self.names + other.names,
            single_labels: self.single_labels + other.single_labels,
            are_numbers: self.are_numbers && other.are_numbers,
        }
    }
}
