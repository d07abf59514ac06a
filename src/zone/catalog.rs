//! All zones, found by name.

use super::apexes::Apexes;
use super::{
    Acl, Counters, Dataset, NsRecords, Overrides, Quota, RateLimit, Scoring, SoaRecord, Unlisted,
    Zone, ZoneHealth, ZoneState,
};
use crate::tsig::TsigKeys;
use crate::wire::cookie::CookieSecrets;
use crate::wire::name::MAX_NAME;
use crate::wire::reversed::{NIBBLES, OCTETS};
use ipnet::IpNet;
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
    overrides: Overrides,
    rate_limit: Option<RateLimit>,
    /// Somebody may have one of the zones whole.
    offers_transfers: bool,
    /// Access lists for all zones.
    acl: Vec<Arc<Dataset>>,
    minimal_any: bool,
    cookies: Option<Cookies>,
    explains: bool,
    proxies: Box<[IpNet]>,
    keys: TsigKeys,
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

/// The keys of a zone of lists alone, without ordinary records, subzones, gates, quotas and keys of clients, of
/// which no answer is explained: the fast path answers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SimpleZone {
    /// IPv4 addresses, and no other zone lies below: four octets before the apex are an address and
    /// nothing else, unless they are nibbles. The two make a name that is not too long.
    Ip4,
    /// IPv6 addresses, and no other zone lies below: 32 nibbles before the apex are an address and
    /// nothing else. The two make a name that is not too long.
    Ip6,
    /// Names, and no other zone lies below.
    Names,
    /// Hashes, and no other zone lies below.
    Digests,
    /// Of any kind.
    Mixed,
}

/// What queries need of a zone, in one place: a zone never changes once it is in a catalog.
#[derive(Debug)]
pub struct CompiledZone {
    /// The SOA record.
    pub soa: SoaRecord,
    /// The NS records.
    pub ns: NsRecords,
    /// See [`Zone::datasets`].
    pub datasets: Box<[Arc<Dataset>]>,
    /// See [`Zone::allow`]; none of a verdict zone.
    pub allow: Box<[Arc<Dataset>]>,
    /// See [`Zone::scoring`].
    pub scoring: Option<Arc<Scoring>>,
    /// See [`Zone::acl`].
    pub acl: Box<[Arc<Dataset>]>,
    /// See [`Zone::quotas`].
    pub quotas: Box<[Arc<Quota>]>,
    /// See [`Zone::counters`].
    pub counters: Counters,
    /// See [`Zone::test_points`].
    pub test_points: bool,
    /// See [`Zone::health`].
    pub health: Option<Box<ZoneHealth>>,
    /// Some names of one label are the zone's own, whatever it lists: test points, or its health.
    pub has_own_names: bool,
    /// The zone has all its data.
    pub is_live: bool,
    /// What is said of names that are not listed, if a dataset of the zone was never loaded.
    pub unlisted: Option<Unlisted>,
    /// See [`Zone::shows_ns`].
    pub shows_ns: bool,
    /// The kind of keys of a zone that is served, if it is a simple one.
    pub simple: Option<SimpleZone>,
    /// The last time at which the zone is served, in seconds since 1970.
    pub expires: u64,
}

/// The DNS cookies of a server (RFC 7873).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cookies {
    /// What they are made with.
    pub secrets: CookieSecrets,
    /// Over UDP, a client that makes cookies gets no answer before it shows one of the server.
    pub is_demanded: bool,
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
        let compile =
            |(number, zone)| CompiledZone::new(zone, SimpleZone::of(zone, number, &apexes));
        let compiled = zones.iter().enumerate().map(compile).collect();
        let offers_transfers = zones.iter().any(|zone| !zone.transfer.is_off());
        Self { zones, compiled, apexes, chaos, offers_transfers, ..Self::default() }
    }

    /// Has the queries that belong to no zone counted there.
    pub fn with_counters(self, counters: Counters) -> Self {
        Self { counters, ..self }
    }

    /// Has the answers that allow lists change noted there.
    pub fn with_overrides(self, overrides: Overrides) -> Self {
        Self { overrides, ..self }
    }

    /// Limits how often clients may ask over UDP.
    pub fn with_rate_limit(self, rate_limit: Option<RateLimit>) -> Self {
        Self { rate_limit, ..self }
    }

    /// The same with access lists that hold for all zones.
    pub fn with_acl(self, acl: Vec<Arc<Dataset>>) -> Self {
        Self { acl, ..self }
    }

    /// The same, but if `minimal_any` is true, a question for all types over UDP gets one RRset (RFC 8482).
    pub fn with_minimal_any(self, minimal_any: bool) -> Self {
        Self { minimal_any, ..self }
    }

    /// The same with proxies, whose queries have the address of the client in a header before them.
    pub fn with_proxies(self, proxies: Vec<IpNet>) -> Self {
        Self { proxies: proxies.into(), ..self }
    }

    /// The same with cookies.
    pub fn with_cookies(self, cookies: Option<Cookies>) -> Self {
        Self { cookies, ..self }
    }

    /// The same with keys: signatures of queries are checked, and their answers signed.
    pub fn with_keys(self, keys: TsigKeys) -> Self {
        Self { keys, ..self }
    }

    /// The keys of the server.
    #[inline]
    pub fn keys(&self) -> &TsigKeys {
        &self.keys
    }

    /// True if this name (wire form, lower case) lies below the apex of one zone and above that of
    /// another: it exists, whatever the upper zone lists.
    pub fn is_above_apex(&self, name: &[u8]) -> bool {
        self.apexes.is_between(name)
    }

    /// The same, but if `explains` is true, answers say why they are what they are (extended DNS errors, RFC 8914).
    pub fn with_extended_errors(self, explains: bool) -> Self {
        Self { explains, ..self }
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

    /// Where the answers that allow lists change are noted.
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// The prefixes of the proxies.
    #[inline(always)]
    pub fn proxies(&self) -> &[IpNet] {
        &self.proxies
    }

    /// The cookies, if they are on.
    #[inline(always)]
    pub fn cookies(&self) -> Option<&Cookies> {
        self.cookies.as_ref()
    }

    /// True if answers say why they are what they are.
    pub fn explains(&self) -> bool {
        self.explains
    }

    /// True if a question for all types over UDP gets one RRset.
    pub fn minimal_any(&self) -> bool {
        self.minimal_any
    }

    /// How often clients may ask over UDP, if that is limited.
    #[inline(always)]
    pub fn rate_limit(&self) -> Option<&RateLimit> {
        self.rate_limit.as_ref()
    }

    /// The access lists that hold for all zones, and for what is asked of none.
    pub fn acl(&self) -> &[Arc<Dataset>] {
        &self.acl
    }

    /// True if somebody may have one of the zones whole.
    pub fn offers_transfers(&self) -> bool {
        self.offers_transfers
    }

    /// The zone with this apex (wire form, in any case).
    pub fn zone(&self, apex: &[u8]) -> Option<&Zone> {
        self.zones.get(self.apexes.find_whole(apex)? as usize)
    }

    /// The zone that `name` (wire form, in any case) belongs to. `starts` has the position of each
    /// label of the name and of its final zero.
    ///
    /// The zone with the number `recent`, which is that of the last query, is tried first. Otherwise
    /// the cost grows with the number of different label counts of the apexes, not with the number of
    /// zones.
    #[inline]
    pub fn find(&self, name: &[u8], starts: &[u8], recent: &mut u32) -> Option<ZoneMatch<'_>> {
        let is_start = |start: usize| starts.iter().position(|&other| usize::from(other) == start);
        match self.apexes.start(*recent, name, name.len()).and_then(is_start) {
            Some(before) => self.zone_match(*recent, before),
            None => self.search(name, starts, recent),
        }
    }

    /// The same, but the zone with the number `recent` is not tried.
    #[inline]
    pub(crate) fn search(
        &self,
        name: &[u8],
        starts: &[u8],
        recent: &mut u32,
    ) -> Option<ZoneMatch<'_>> {
        let before;
        (*recent, before) = self.apexes.find(name, starts)?;
        self.zone_match(*recent, before)
    }

    fn zone_match(&self, number: u32, before: usize) -> Option<ZoneMatch<'_>> {
        let number = number as usize;
        let (zone, compiled) = (self.zones.get(number)?, self.compiled.get(number)?);
        Some(ZoneMatch { zone, compiled, before })
    }

    /// The zone with this apex (in any case). The zone with the number `recent` is tried first.
    #[inline(always)]
    pub(crate) fn zone_at(&self, apex: &[u8], recent: &mut u32) -> Option<&CompiledZone> {
        match self.apexes.is(*recent, apex) {
            true => self.compiled.get(*recent as usize),
            false => self.search_whole(apex, recent),
        }
    }

    #[inline(never)]
    fn search_whole(&self, apex: &[u8], recent: &mut u32) -> Option<&CompiledZone> {
        *recent = self.apexes.find_whole(apex)?;
        self.compiled.get(*recent as usize)
    }

    /// The zone with the number `recent`, if a message has its apex (in any case) up to `end` and no
    /// other zone lies below it, and where the apex begins.
    #[inline(always)]
    pub(crate) fn recent_zone(
        &self,
        message: &[u8],
        end: usize,
        recent: u32,
    ) -> Option<(&CompiledZone, usize)> {
        let start = self.apexes.start(recent, message, end)?;
        Some((self.compiled.get(recent as usize)?, start))
    }
}

impl CompiledZone {
    fn new(zone: &Zone, simple: Option<SimpleZone>) -> Self {
        Self {
            soa: SoaRecord::new(&zone.soa, &zone.apex),
            ns: NsRecords::new(&zone.ns, &zone.apex),
            datasets: zone.datasets.clone().into(),
            allow: if zone.scoring.is_some() { Box::default() } else { zone.allow.clone().into() },
            scoring: zone.scoring.clone(),
            acl: zone.acl.clone().into(),
            quotas: zone.quotas.clone().into(),
            counters: zone.counters.clone(),
            test_points: zone.test_points,
            health: zone.health.clone().map(Box::new),
            has_own_names: zone.test_points || zone.health.is_some(),
            is_live: zone.state == ZoneState::Live,
            unlisted: zone.unlisted(),
            shows_ns: zone.shows_ns(),
            simple,
            expires: zone.expires.unwrap_or(u64::MAX),
        }
    }
}

impl SimpleZone {
    fn of(zone: &Zone, number: usize, apexes: &Apexes) -> Option<Self> {
        let is_alone = !apexes.is_above_another(number);
        let is_list = |set: &Dataset| {
            set.records.is_none() && set.subzones.is_none() && !set.answers.has_gates()
        };
        let by_client = |set: &Dataset| matches!(set.acl, Some(Acl::Clients(_)));
        let is_simple = !matches!(zone.state, ZoneState::Unloaded | ZoneState::Withheld)
            && zone.unlisted().is_none()
            && !zone.says_stale
            && zone.scoring.is_none()
            && zone.quotas.is_empty()
            && zone.datasets.iter().all(|set| is_list(set))
            && zone.allow.iter().all(|set| set.subzones.is_none())
            && zone.acl.iter().all(|set| by_client(set))
            && (is_alone || !apexes.has_between());
        if !is_simple {
            return None;
        }
        let any = |sets: &[Arc<Dataset>], is: fn(&Dataset) -> bool| sets.iter().any(|set| is(set));
        let [ip4, ip6, names, digests]: [fn(&Dataset) -> bool; 4] = [
            |set| set.ip4.is_some(),
            |set| set.ip6.is_some(),
            |set| set.names.is_some(),
            |set| set.digests.is_some(),
        ];
        let (sets, allow) = (&zone.datasets[..], &zone.allow[..]);
        let fits = |len: usize| len + zone.apex.as_wire().len() <= MAX_NAME;
        let lists = (any(sets, ip4), any(sets, ip6), any(sets, names));
        let allows = (any(allow, ip4) || any(allow, ip6), any(allow, names));
        Some(match (lists, allows) {
            _ if !is_alone => Self::Mixed,
            ((false, false, false), (_, false)) if any(sets, digests) => Self::Digests,
            // Hashes are names, too.
            _ if any(sets, digests) || any(allow, digests) => Self::Mixed,
            // Addresses in names are looked up as IPv4 addresses where there are some.
            ((true, _, false), (_, false)) if fits(OCTETS) => Self::Ip4,
            ((false, true, false), (_, false)) if fits(NIBBLES) => Self::Ip6,
            ((false, false, true), (false, _)) => Self::Names,
            _ => Self::Mixed,
        })
    }
}
