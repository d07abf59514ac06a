//! What the rules compare of two versions of a dataset.

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
    /// When the data was made by its own account, in seconds since 1970.
    pub stamp: Option<u64>,
    /// The serial that the files give.
    pub serial: Option<u32>,
    /// How many entries the files say that they have.
    pub records: Option<u64>,
}

impl Facts {
    /// The facts of a dataset that was made of these files. Walks its listing once.
    pub fn of(dataset: &Dataset, sources: &[SourceFile], stamp: Option<u64>, said: Stated) -> Self {
        let ip4 = dataset.flat().filter_map(|set| set.ip4.as_ref()).map(Trie4::covered);
        let ip6 = dataset.flat().filter_map(|set| set.ip6.as_ref()).map(Trie6::covered);
        let ip4 = ip4.reduce(u128::saturating_add);
        Self {
            entries: super::entries(sources),
            bad_lines: sources.iter().map(|source| source.bad_lines).sum(),
            ip4: ip4.map(|covered| u64::try_from(covered).unwrap_or(u64::MAX)),
            ip6: ip6.reduce(u128::saturating_add),
            stamp,
            serial: dataset.soa.as_ref().map(|soa| soa.serial).filter(|&serial| serial != 0),
            records: said.records,
        }
    }

    /// The listed addresses of both families, those of several sections several times; `None` for a dataset
    /// of names.
    pub fn addresses(&self) -> Option<u128> {
        [self.ip4.map(u128::from), self.ip6].into_iter().flatten().reduce(u128::saturating_add)
    }
}
