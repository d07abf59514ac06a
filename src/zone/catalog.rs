//! All zones, found by name.

use super::apexes::Apexes;
use super::{Counters, Dataset, NsRecords, SoaRecord, Zone, ZoneState};
use crate::wire::name::MAX_NAME;
use crate::wire::reversed::{NIBBLES, OCTETS};
use std::sync::Arc;

/// The zones a server answers for: an immutable snapshot, replaced as a whole.
#[derive(Debug, Default)]
pub struct Catalog {
    zones: Vec<Zone>,
    /// The compiled zones, in the same order.
    compiled: Vec<CompiledZone>,
    apexes: Apexes,
    chaos: Chaos,
    counters: Counters,
    /// Access lists for all zones.
    acl: Vec<Arc<Dataset>>,
}

/// The zone that a name belongs to.
#[derive(Clone, Copy, Debug)]
pub struct ZoneMatch<'a> {
    /// The zone with the longest apex that the name is at or below.
    pub zone: &'a Zone,
    /// The compiled form of the zone.
    pub compiled: &'a CompiledZone,
    /// The number of labels that stand before the apex.
    pub before: usize,
}

/// What is in a zone that consists of lists alone: without allow lists, access lists, ordinary
/// records, subzones and gates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SimpleZone {
    /// Some dataset lists IPv4 addresses.
    pub ip4: bool,
    /// Some dataset lists IPv6 addresses.
    pub ip6: bool,
    /// Some dataset lists names.
    pub names: bool,
}

/// What usual queries need of a zone, in one place: a zone never changes once it is in a catalog.
#[derive(Debug)]
pub struct CompiledZone {
    /// The SOA record.
    pub soa: SoaRecord,
    /// The NS records.
    pub ns: NsRecords,
    /// See [`Zone::datasets`].
    pub datasets: Box<[Arc<Dataset>]>,
    /// See [`Zone::counters`].
    pub counters: Counters,
    /// See [`Zone::test_points`].
    pub test_points: bool,
    /// See [`Zone::shows_ns`].
    pub shows_ns: bool,
    /// Whether the zone is nothing but plain lists, and with which keys.
    pub simple: Option<SimpleZone>,
    /// The zone is served, is plain, has no other zone below, and lists IPv4 addresses and no names: four
    /// octets before its apex are an address and nothing else, unless they are nibbles. The two make a
    /// name that is not too long. No access list holds for all zones.
    pub is_ip4: bool,
    /// The zone is served, is plain, has no other zone below, and lists IPv6 addresses, no others and no
    /// names: 32 nibbles before its apex are an address and nothing else. The same holds as for the other.
    pub is_ip6: bool,
    /// The zone is served, is plain, has no other zone below, and lists names alone. No access list holds
    /// for all zones.
    pub is_names: bool,
    /// The last time at which the zone is served, in seconds since 1970.
    pub expires: u64,
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
        let numbered = zones.iter().enumerate();
        let compiled = numbered
            .map(|(number, zone)| CompiledZone::new(zone, apexes.is_above_another(number)))
            .collect();
        Self { zones, compiled, apexes, chaos, ..Self::default() }
    }

    /// Has the queries that belong to no zone counted there.
    pub fn with_counters(self, counters: Counters) -> Self {
        Self { counters, ..self }
    }

    /// The same with access lists that hold for all zones.
    pub fn with_acl(self, acl: Vec<Arc<Dataset>>) -> Self {
        let restrict = |zone| match acl.is_empty() {
            true => zone,
            false => CompiledZone { is_ip4: false, is_ip6: false, is_names: false, ..zone },
        };
        let compiled = self.compiled.into_iter().map(restrict).collect();
        Self { compiled, acl, ..self }
    }

    /// True if this name (wire form, lower case) lies below the apex of one zone and above that of
    /// another: it exists, whatever the upper zone lists.
    pub fn is_above_apex(&self, name: &[u8]) -> bool {
        self.apexes.is_between(name)
    }

    /// True if nothing but the zone itself decides what is answered in it.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.acl.is_empty() && !self.apexes.has_between()
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

    /// The zone that `name` (wire form, in any case) belongs to. `starts` has the position of each
    /// label of the name and of its final zero.
    ///
    /// The zone with the number `recent`, which is that of the last query, is tried first. Otherwise
    /// the cost grows with the number of different label counts of the apexes, not with the
    /// number of zones.
    #[inline(always)]
    pub fn find(&self, name: &[u8], starts: &[u8], recent: &mut u32) -> Option<ZoneMatch<'_>> {
        let (number, before) = self.apexes.find_recent(name, starts, recent)?;
        let number = number as usize;
        Some(ZoneMatch {
            zone: self.zones.get(number)?,
            compiled: self.compiled.get(number)?,
            before,
        })
    }

    /// The compiled zone whose apex is what a name in a message goes on with at `start`
    /// (in any case), and where the name ends. The zone with the number `recent` is tried first.
    #[inline(always)]
    pub fn read_apex(
        &self,
        message: &[u8],
        start: usize,
        recent: &mut u32,
    ) -> Option<(&CompiledZone, usize)> {
        let (number, end) = self.apexes.read(message, start, recent)?;
        Some((self.compiled.get(number as usize)?, end))
    }

    /// Whether the zone with this number [lists names alone](CompiledZone::is_names).
    #[inline(always)]
    pub fn is_for_names(&self, number: u32) -> bool {
        self.compiled.get(number as usize).is_some_and(|zone| zone.is_names)
    }

    /// The compiled zone with this number, if a message has its apex (in any case) up to
    /// `end`, and where that begins.
    #[inline(always)]
    pub fn read_apex_before(
        &self,
        message: &[u8],
        end: usize,
        number: u32,
    ) -> Option<(&CompiledZone, usize)> {
        let start = self.apexes.start(number, message, end)?;
        Some((self.compiled.get(number as usize)?, start))
    }
}

impl CompiledZone {
    fn new(zone: &Zone, is_above_another: bool) -> Self {
        let simple = SimpleZone::of(zone);
        let is_alone = zone.state != ZoneState::Unloaded && !is_above_another;
        let fits = |len: usize| len + zone.apex.as_wire().len() <= MAX_NAME;
        let lists = |wanted: fn(SimpleZone) -> bool| simple.is_some_and(wanted) && is_alone;
        Self {
            soa: SoaRecord::new(&zone.soa, &zone.apex),
            ns: NsRecords::new(&zone.ns, &zone.apex),
            datasets: zone.datasets.clone().into(),
            counters: zone.counters.clone(),
            test_points: zone.test_points,
            shows_ns: zone.shows_ns(),
            is_ip4: fits(OCTETS) && lists(|zone| zone.ip4 && !zone.names),
            is_ip6: fits(NIBBLES) && lists(|zone| zone.ip6 && !zone.ip4 && !zone.names),
            is_names: lists(|zone| zone.names && !zone.ip4 && !zone.ip6),
            expires: zone.expires.unwrap_or(u64::MAX),
            simple,
        }
    }
}

impl SimpleZone {
    fn of(zone: &Zone) -> Option<Self> {
        let is_simple = |set: &Arc<Dataset>| {
            set.records.is_none() && set.subzones.is_none() && !set.answers.has_gates()
        };
        let is_simple =
            zone.allow.is_empty() && zone.acl.is_empty() && zone.datasets.iter().all(is_simple);
        is_simple.then(|| Self {
            ip4: zone.datasets.iter().any(|set| set.ip4.is_some()),
            ip6: zone.datasets.iter().any(|set| set.ip6.is_some()),
            names: zone.datasets.iter().any(|set| set.names.is_some()),
        })
    }
}
