//! All zones, found by name.

use super::{Counters, Dataset, Zone};
use crate::wire::name::{Labels, MAX_LABELS};
use foldhash::fast::FixedState;
use hashbrown::{HashSet, HashTable};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

/// The zones a server answers for: an immutable snapshot, replaced as a whole.
#[derive(Debug, Default)]
pub struct Catalog {
    zones: Vec<Zone>,
    index: HashTable<u32>,
    hasher: FixedState,
    /// Bit n is set if some apex has n labels.
    label_counts: u128,
    /// The names between an apex and the apex of a zone above it: they exist, whatever that zone
    /// lists.
    above_apexes: HashSet<Box<[u8]>, FixedState>,
    chaos: Chaos,
    counters: Counters,
    /// Access lists for all zones.
    acl: Vec<Arc<Dataset>>,
}

/// What the server says about itself in class CH (RFC 4892); `None` is REFUSED.
#[derive(Clone, Debug, Default)]
pub struct Chaos {
    /// For `version.bind` and `version.server`.
    pub version: Option<Box<[u8]>>,
    /// For `id.server` and `hostname.bind`.
    pub id: Option<Box<[u8]>>,
}

impl Catalog {
    /// A catalog of these zones; of several with one apex, the first counts.
    pub fn new(zones: Vec<Zone>, chaos: Chaos) -> Self {
        let mut catalog = Self { zones, chaos, ..Self::default() };
        for number in 0..catalog.zones.len() {
            let apex = catalog.zones[number].apex.as_wire();
            let (zones, hasher) = (&catalog.zones, &catalog.hasher);
            let of = |number: u32| zones[number as usize].apex.as_wire();
            let hash = hash_name(hasher, apex);
            if catalog.index.find(hash, |&other| of(other) == apex).is_some() {
                continue;
            }
            catalog.label_counts |= 1 << zones[number].apex.labels().count();
            catalog.index.insert_unique(hash, number as u32, |&other| hash_name(hasher, of(other)));
        }
        catalog.above_apexes = catalog.names_above_apexes();
        catalog
    }

    /// Has the queries that belong to no zone counted there.
    pub fn with_counters(self, counters: Counters) -> Self {
        Self { counters, ..self }
    }

    /// The same with access lists that hold for all zones.
    pub fn with_acl(self, acl: Vec<Arc<Dataset>>) -> Self {
        Self { acl, ..self }
    }

    fn names_above_apexes(&self) -> HashSet<Box<[u8]>, FixedState> {
        let mut names = HashSet::with_hasher(FixedState::default());
        for zone in &self.zones {
            let mut between = Vec::new();
            let mut rest = zone.apex.as_wire();
            while let Some(label) = Labels::of(rest).next() {
                rest = &rest[label.len() + 1..];
                if self.zone_at(rest).is_some() {
                    names.extend(between.drain(..).map(Box::<[u8]>::from));
                    break;
                }
                between.push(rest);
            }
        }
        names
    }

    fn zone_at(&self, apex: &[u8]) -> Option<&Zone> {
        let zone = |number: u32| &self.zones[number as usize];
        let hash = hash_name(&self.hasher, apex);
        let number = self.index.find(hash, |&number| zone(number).apex.as_wire() == apex)?;
        Some(zone(*number))
    }

    /// True if the apex of a zone lies below this name (wire form, lower case).
    pub fn is_above_apex(&self, name: &[u8]) -> bool {
        !self.above_apexes.is_empty() && self.above_apexes.contains(name)
    }

    /// The zones, in the order of the configuration.
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// What the server says about itself.
    pub fn chaos(&self) -> &Chaos {
        &self.chaos
    }

    /// Where the queries that belong to no zone are counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The access lists that hold for all zones, and for what is asked of none.
    pub fn acl(&self) -> &[Arc<Dataset>] {
        &self.acl
    }

    /// The zone with the longest apex that `name` (wire form, lower case) is at or below, and
    /// the number of labels that stand before that apex. `starts` has the position of each label
    /// of the name and of its final zero.
    ///
    /// The cost grows with the number of different label counts of the apexes, not with the
    /// number of zones.
    pub fn find(&self, name: &[u8], starts: &[u8]) -> Option<(&Zone, usize)> {
        let labels = starts.len().checked_sub(1)?;
        let mut candidates =
            self.label_counts & (u128::MAX >> (MAX_LABELS - labels.min(MAX_LABELS)));
        while candidates != 0 {
            let count = MAX_LABELS - candidates.leading_zeros() as usize;
            let before = labels - count;
            if let Some(zone) = self.zone_at(name.get(usize::from(starts[before])..)?) {
                return Some((zone, before));
            }
            candidates &= !(1 << count);
        }
        None
    }
}

fn hash_name(state: &FixedState, name: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(name);
    hasher.finish()
}
