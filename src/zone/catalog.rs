//! All zones, found by name.

use super::{SoaRecord, Zone};
use crate::trie::names::hash;
use crate::wire::name::Labels;
use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// The zones a server answers for: an immutable snapshot, replaced as a whole.
#[derive(Debug, Default)]
pub struct Catalog {
    zones: Vec<Zone>,
    /// Those of the zones, in the same order.
    soas: Vec<SoaRecord>,
    /// The numbers of the zones plus 1, each at the first free place from the hash of its apex on,
    /// and zeros: half of the places at least, whose number is a power of two.
    index: Vec<u32>,
    /// How many labels apexes have: the distinct numbers, the greatest first.
    label_counts: Vec<usize>,
    /// The names between an apex and the apex of a zone above it: they exist, whatever that zone
    /// lists.
    above_apexes: HashSet<Box<[u8]>, FixedState>,
    chaos: Chaos,
}

/// The zone that a name belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// The zone with the longest apex that the name is at or below.
    pub zone: &'a Zone,
    /// The SOA record of the zone.
    pub soa: &'a SoaRecord,
    /// The number of labels that stand before the apex.
    pub before: usize,
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
        let soas = zones.iter().map(|zone| SoaRecord::new(&zone.soa, &zone.apex)).collect();
        let mut catalog = Self { zones, soas, chaos, ..Self::default() };
        catalog.index = vec![0; 2 * catalog.zones.len().next_power_of_two()];
        for number in 0..catalog.zones.len() {
            let apex = &catalog.zones[number].apex;
            let Err(free) = catalog.search(apex.as_wire()) else { continue };
            catalog.label_counts.push(apex.labels().count());
            catalog.index[free] = number as u32 + 1;
        }
        catalog.label_counts.sort_unstable_by(|a, b| b.cmp(a));
        catalog.label_counts.dedup();
        catalog.above_apexes = catalog.names_above_apexes();
        catalog
    }

    fn names_above_apexes(&self) -> HashSet<Box<[u8]>, FixedState> {
        let mut names = HashSet::with_hasher(FixedState::default());
        for zone in &self.zones {
            let mut between = Vec::new();
            let mut rest = zone.apex.as_wire();
            while let Some(label) = Labels::of(rest).next() {
                rest = &rest[label.len() + 1..];
                if self.search(rest).is_ok() {
                    names.extend(between.drain(..).map(Box::<[u8]>::from));
                    break;
                }
                between.push(rest);
            }
        }
        names
    }

    /// The number of the zone with this apex, or the free place of the index where it would be.
    #[inline]
    fn search(&self, apex: &[u8]) -> Result<usize, usize> {
        let mask = self.index.len().wrapping_sub(1);
        let mut at = (hash(apex, 0) >> 32) as usize & mask;
        loop {
            let Some(number) = self.index.get(at).and_then(|&entry| entry.checked_sub(1)) else {
                return Err(at);
            };
            let number = number as usize;
            if self.zones[number].apex.as_wire() == apex {
                return Ok(number);
            }
            at = (at + 1) & mask;
        }
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

    /// The zone that `name` (wire form, lower case) belongs to. `starts` has the position of each
    /// label of the name and of its final zero.
    ///
    /// The cost grows with the number of different label counts of the apexes, not with the
    /// number of zones.
    pub fn find(&self, name: &[u8], starts: &[u8]) -> Option<Route<'_>> {
        let labels = starts.len().checked_sub(1)?;
        for &count in &self.label_counts {
            let Some(before) = labels.checked_sub(count) else { continue };
            if let Ok(number) = self.search(name.get(usize::from(starts[before])..)?) {
                let (zone, soa) = (&self.zones[number], &self.soas[number]);
                return Some(Route { zone, soa, before });
            }
        }
        None
    }
}
