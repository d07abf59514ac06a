//! Answers for all sorts of keys in all zones: what the control socket and `dnsbld check` tell.

use super::key::{AskedKey, NotAKey};
use super::lookup::{Coverage, KeyVerdict, LookupKey, ZoneLookup, look_up_in_all};
use crate::history::Sought;
use crate::wire::name::NameBuf;
use crate::zone::sweep::{SweepOptions, address_sections};
use crate::zone::{Catalog, Chaos, Counters, Dataset, Subzones, TransferAccess, Zone};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The version of the form of [`Lookup`]: new fields do not change it.
pub(crate) const SCHEMA: u32 = 1;

/// What all zones answer for a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Lookup {
    pub(crate) schema: u32,
    /// The key as it was understood: of a query name, what stands before the zone.
    pub(crate) key: String,
    /// `address`, `prefix`, `name` or `mail`.
    pub(crate) sort: String,
    /// The zone of the query name that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asked_in: Option<String>,
    /// Some zone lists it, or a part of it.
    pub(crate) listed: bool,
    /// What each zone says that can have it, and of a combined dataset each subzone.
    pub(crate) zones: Vec<ZoneLookup>,
}

impl ZoneLookup {
    /// True if it lists the key, or a part of it.
    pub(crate) fn is_listed(&self) -> bool {
        self.verdict == KeyVerdict::Listed
    }

    /// True if it cannot tell.
    pub(crate) fn is_unknown(&self) -> bool {
        self.verdict == KeyVerdict::NoAnswer
    }
}

impl Lookup {
    /// The key.
    pub(crate) fn asked(&self) -> Option<AskedKey> {
        AskedKey::again(&self.sort, &self.key)
    }

    /// The key as histories have it; none for a prefix.
    pub(crate) fn sought(&self) -> Option<Sought> {
        match self.asked()? {
            AskedKey::Address(address) => Some(Sought::Address(address)),
            AskedKey::Name(name) | AskedKey::Mail(_, name) => Some(Sought::Name(name)),
            AskedKey::Prefix(_) => None,
        }
    }
}

/// Answers for keys as the zones of a catalog answer queries. The answers are those for clients that no access
/// list knows, and nothing is counted.
pub(crate) struct Oracle {
    catalog: Catalog,
    /// The apexes of all zones and subzones, absolute.
    apexes: Vec<NameBuf>,
    now: u64,
}

impl Oracle {
    /// One for these zones at this time, in seconds since 1970.
    pub(crate) fn new<'z>(zones: impl IntoIterator<Item = &'z Zone>, now: u64) -> Self {
        let zones: Vec<_> = zones.into_iter().map(without_clients).collect();
        let apexes = zones.iter().flat_map(apexes).collect();
        Self { catalog: Catalog::new(zones, Chaos::default()), apexes, now }
    }

    /// What all zones answer.
    ///
    /// # Errors
    ///
    /// If the text is no key.
    pub(crate) fn lookup(&self, typed: &str) -> Result<Lookup, NotAKey> {
        let (key, asked_in) = AskedKey::read(typed, &self.apexes)?;
        let in_all = |key: LookupKey| {
            look_up_in_all(&self.catalog, &key, Ipv4Addr::LOCALHOST.into(), self.now)
        };
        let zones = match &key {
            AskedKey::Prefix(net) => {
                self.catalog.zones().iter().flat_map(|zone| self.of_prefix(zone, *net)).collect()
            }
            AskedKey::Address(address) => in_all(LookupKey::Address(*address)),
            AskedKey::Name(name) => in_all(LookupKey::Name(Box::new(name.clone()))),
            AskedKey::Mail(..) => {
                let mut zones: Vec<ZoneLookup> = Vec::new();
                for name in key.names() {
                    for found in in_all(LookupKey::Name(Box::new(name))) {
                        match zones.iter_mut().find(|known| known.zone == found.zone) {
                            Some(known) if found.is_listed() && !known.is_listed() => {
                                *known = found
                            }
                            Some(_) => {}
                            None => zones.push(found),
                        }
                    }
                }
                zones
            }
        };
        Ok(Lookup {
            schema: SCHEMA,
            sort: key.sort().to_owned(),
            key: key.to_string(),
            asked_in: asked_in.map(|apex| apex.to_string()),
            listed: zones.iter().any(ZoneLookup::is_listed),
            zones,
        })
    }

    /// What the sections of a zone list of a prefix.
    fn of_prefix(&self, zone: &Zone, net: IpNet) -> Vec<ZoneLookup> {
        let options = SweepOptions { now: self.now, ip4_in_ip6: false };
        let told = |apex: &NameBuf, coverage: Option<Coverage>| ZoneLookup {
            zone: apex.to_string(),
            name: String::new(),
            verdict: match &coverage {
                None => KeyVerdict::NoAnswer,
                Some(coverage) if coverage.listed > 0 => KeyVerdict::Listed,
                Some(_) => KeyVerdict::NotListed,
            },
            rcode: None,
            addresses: Vec::new(),
            texts: Vec::new(),
            listed_by: coverage
                .iter()
                .flat_map(|coverage| &coverage.by)
                .map(|by| by.dataset.clone())
                .collect(),
            allowed_by: Vec::new(),
            score: None,
            ttl: None,
            coverage,
        };
        let mut found = Vec::new();
        for part in parts(zone, net) {
            match address_sections(&part, options) {
                Ok(sections) if zone.is_served(self.now) => {
                    found
                        .extend(sections.map(|section| {
                            told(section.apex(), Some(Coverage::of(&section, net)))
                        }));
                }
                _ => found.push(told(&zone.apex, None)),
            }
        }
        found
    }
}

/// What of a zone can list a prefix, in parts that can be swept: each combined dataset is one.
fn parts(zone: &Zone, net: IpNet) -> Vec<Zone> {
    let part = |datasets| Zone { datasets, ..without_clients(zone) };
    let (combined, others): (Vec<_>, Vec<_>) =
        zone.datasets.iter().cloned().partition(|set| set.subzones.is_some());
    let takes = |set: &Arc<Dataset>| match net {
        IpNet::V4(_) => set.ip4.is_some(),
        IpNet::V6(_) => set.ip6.is_some(),
    };
    // What nobody has loaded may be of any sort.
    let is_other = others.iter().any(takes) || zone.datasets.is_empty();
    let others = is_other.then(|| part(others));
    others.into_iter().chain(combined.into_iter().map(|set| part(vec![set]))).collect()
}

/// A zone that answers everybody, and counts nothing.
fn without_clients(zone: &Zone) -> Zone {
    let Zone { apex, soa, ns, datasets, allow, scoring, health, .. } = zone;
    Zone {
        apex: apex.clone(),
        soa: soa.clone(),
        ns: ns.clone(),
        datasets: datasets.clone(),
        allow: allow.clone(),
        scoring: scoring.clone(),
        acl: Vec::new(),
        transfer: TransferAccess::default(),
        health: health.clone(),
        counters: Counters::default(),
        quotas: Vec::new(),
        ..*zone
    }
}

/// The apex of a zone, if it has more than a combined dataset, and those of its subzones.
fn apexes(zone: &Zone) -> Vec<NameBuf> {
    let subzones = zone.datasets.iter().filter_map(|set| set.subzones.as_ref());
    let subzones =
        subzones.flat_map(Subzones::all).filter_map(|subzone| subzone.apex.join(&zone.apex));
    let mut apexes = vec![zone.apex.clone()];
    for apex in subzones {
        if !apexes.contains(&apex) {
            apexes.push(apex);
        }
    }
    apexes
}
