//! All zones, found by name.

use super::Zone;
use super::apexes::Apexes;

/// The zones a server answers for: an immutable snapshot, replaced as a whole.
#[derive(Debug, Default)]
pub struct Catalog {
    zones: Vec<Zone>,
    apexes: Apexes,
    chaos: Chaos,
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
        let apexes = Apexes::new(zones.iter().map(|zone| zone.apex.as_wire()));
        Self { zones, apexes, chaos }
    }

    /// True if this name (wire form, lower case) lies below the apex of one zone and above that of
    /// another: it exists, whatever the upper zone lists.
    pub fn is_above_apex(&self, name: &[u8]) -> bool {
        self.apexes.is_between(name)
    }

    /// The zones, in the order of the configuration.
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// What the server says about itself.
    pub fn chaos(&self) -> &Chaos {
        &self.chaos
    }

    /// The zone with the longest apex that `name` (wire form, lower case) is at or below, and
    /// the number of labels that stand before that apex. `starts` has the position of each label
    /// of the name and of its final zero.
    ///
    /// The cost grows with the number of different label counts of the apexes, not with the
    /// number of zones.
    #[inline]
    pub fn find(&self, name: &[u8], starts: &[u8]) -> Option<(&Zone, usize)> {
        let (number, before) = self.apexes.find(name, starts)?;
        Some((&self.zones[number as usize], before))
    }
}
