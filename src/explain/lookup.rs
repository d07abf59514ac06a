//! What a server answers for a key, in each of its zones that can have it: as clients see it, by the engine itself.

mod coverage;
mod key;

pub use coverage::{Coverage, DatasetCoverage};
pub use key::{LookupKey, NoKey};

use crate::engine::{Request, Transport, WorkerState, answer};
use crate::listing;
use crate::wire::name::{LowerName, NameBuf};
use crate::wire::{Class, Type};
use crate::zone::lookup::{View, views};
use crate::zone::{Catalog, Dataset, Scoring, Subzones, Zone};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RData;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};

/// A worker that there is not: what it answers is not counted.
const NOBODY: usize = usize::MAX;

/// What is answered for a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyLookup {
    /// The key, as it was understood.
    pub key: String,
    /// True if some zone lists it.
    pub listed: bool,
    /// The zones that can have such a key, in the order of the settings.
    pub zones: Vec<ZoneLookup>,
}

/// What one zone, or one subzone of a `combined` dataset, answers for a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ZoneLookup {
    /// The zone, or the subzone.
    pub zone: String,
    /// The name that is asked for.
    pub name: String,
    /// What the answer says.
    pub verdict: KeyVerdict,
    /// The response code of the answer for A, such as `NXDOMAIN`; `None` if there is no answer.
    pub rcode: Option<String>,
    /// The A records.
    pub addresses: Vec<Ipv4Addr>,
    /// The TXT records, each as one text.
    pub texts: Vec<String>,
    /// The datasets that list the key.
    pub listed_by: Vec<String>,
    /// The allow lists that have it, so that it is not listed.
    pub allowed_by: Vec<String>,
    /// What these lists make together in a verdict zone, if some list has the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<ZoneScore>,
    /// How long resolvers may remember the records, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// How much of a prefix is listed; of other keys nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// What the lists of a verdict zone make together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ZoneScore {
    /// The sum of the weights.
    pub sum: i32,
    /// The lists that have the key, with their weights, the strongest first.
    pub of: Vec<(String, i32)>,
    /// The sum from which on a key is listed.
    pub lowest: i32,
}

/// What an answer says of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyVerdict {
    /// The key is listed.
    Listed,
    /// Some dataset lists it, and an allow list has it: it is not listed.
    Allowed,
    /// It is not listed.
    NotListed,
    /// The zone cannot tell, or an access list refuses who asks.
    NoAnswer,
}

/// What `client` is answered for a key, at that time in seconds since 1970.
pub fn look_up(catalog: &Catalog, key: &LookupKey, client: IpAddr, now: u64) -> KeyLookup {
    let mut asker = Asker::new(catalog, client, now);
    let zones: Vec<_> = match key {
        LookupKey::Name(name) => match asker.in_its_zone(name) {
            Some(found) => vec![found],
            None => asker.in_all_zones(key),
        },
        LookupKey::Address(_) => asker.in_all_zones(key),
    };
    let listed = zones.iter().any(|zone| zone.verdict == KeyVerdict::Listed);
    KeyLookup { key: key.to_string(), listed, zones }
}

/// What `client` is answered in all zones, also for a name that is below the apex of one.
pub(super) fn look_up_in_all(
    catalog: &Catalog,
    key: &LookupKey,
    client: IpAddr,
    now: u64,
) -> Vec<ZoneLookup> {
    Asker::new(catalog, client, now).in_all_zones(key)
}

/// Asks as a client does.
struct Asker<'c> {
    catalog: &'c Catalog,
    client: IpAddr,
    now: u64,
    state: WorkerState,
    room: Vec<u8>,
}

impl<'c> Asker<'c> {
    fn new(catalog: &'c Catalog, client: IpAddr, now: u64) -> Self {
        let room = vec![0; usize::from(u16::MAX)];
        Self { catalog, client, now, state: WorkerState::new(NOBODY), room }
    }

    /// A name below the apex of a zone is one that clients ask for, and is asked for itself.
    fn in_its_zone(&mut self, name: &NameBuf) -> Option<ZoneLookup> {
        let zones = self.catalog.zones().iter();
        let is_below = |labels: &[u8]| !labels.is_empty();
        let below = zones.filter(|zone| name.labels_before(&zone.apex).is_some_and(is_below));
        let zone = below.max_by_key(|zone| zone.apex.as_wire().len())?;
        Some(self.ask(zone.apex.to_string(), name))
    }

    fn in_all_zones(&mut self, key: &LookupKey) -> Vec<ZoneLookup> {
        let mut found = Vec::new();
        for zone in self.catalog.zones() {
            for apex in apexes(zone, key, self.now) {
                // A name can be too long for the zone, and is not listed in it then.
                if let Some(name) = key.labels().join(&apex) {
                    found.push(self.ask(apex.to_string(), &name));
                }
            }
        }
        found
    }

    fn ask(&mut self, zone: String, name: &NameBuf) -> ZoneLookup {
        let Lists { listed_by, allowed_by, score } = self.lists(name);
        let mut found = ZoneLookup {
            zone,
            name: name.to_string(),
            verdict: KeyVerdict::NoAnswer,
            rcode: None,
            addresses: Vec::new(),
            texts: Vec::new(),
            listed_by,
            allowed_by,
            score,
            ttl: None,
            coverage: None,
        };
        let text = self.exchange(name, Type::TXT);
        let Some(message) = self.exchange(name, Type::A) else { return found };
        found.rcode = Some(rcode(message.metadata.response_code));
        let records = text.iter().flat_map(|text| &text.answers).chain(&message.answers);
        for record in records {
            match &record.data {
                RData::A(address) => found.addresses.push(address.0),
                RData::TXT(text) => {
                    let text: Vec<u8> = text.txt_data.iter().flatten().copied().collect();
                    found.texts.push(String::from_utf8_lossy(&text).into_owned());
                }
                _ => continue,
            }
            found.ttl = Some(found.ttl.map_or(record.ttl, |ttl| ttl.min(record.ttl)));
        }
        found.verdict = match message.metadata.response_code {
            _ if !found.addresses.is_empty() || !found.texts.is_empty() => KeyVerdict::Listed,
            ResponseCode::NoError | ResponseCode::NXDomain
                if found.allowed_by.is_empty() || found.score.is_some() =>
            {
                KeyVerdict::NotListed
            }
            ResponseCode::NoError | ResponseCode::NXDomain => KeyVerdict::Allowed,
            _ => KeyVerdict::NoAnswer,
        };
        found
    }

    /// The answer of the engine.
    fn exchange(&mut self, name: &NameBuf, rtype: Type) -> Option<Message> {
        let query = query(name, rtype);
        let (client, transport) = (self.client, Transport::Tcp);
        let request = Request { query: &query, client, transport, now: self.now };
        let len = answer(self.catalog, &mut self.state, &request, &mut self.room).bytes()?;
        Message::from_vec(self.room.get(..len)?).ok()
    }

    /// The lists of a zone that have a name.
    fn lists(&self, name: &NameBuf) -> Lists {
        let mut lists = Lists::default();
        let mut lower = LowerName::default();
        let found = lower
            .read(name.as_wire())
            .and_then(|_| self.catalog.find(lower.wire(), lower.starts(), &mut 0));
        let Some(zone) = found else { return lists };
        lower.cut(zone.before);
        for view in views(zone.compiled, &lower) {
            if view.labels().is_empty() {
                continue;
            }
            match &zone.compiled.scoring {
                Some(scoring) => lists.weigh(&view, scoring, self.now),
                None => {
                    view.lookup(|found| {
                        add(&mut lists.listed_by, &found.dataset.name);
                        let allowed_by = &mut lists.allowed_by;
                        found.allowed_by.iter().for_each(|list| add(allowed_by, &list.name));
                    });
                }
            }
        }
        lists
    }
}

/// The lists of a zone that have a key.
#[derive(Default)]
struct Lists {
    listed_by: Vec<String>,
    allowed_by: Vec<String>,
    score: Option<ZoneScore>,
}

impl Lists {
    fn weigh(&mut self, view: &View<'_, '_>, scoring: &Scoring, now: u64) {
        let asker = listing::Asker { now, has_key: false };
        let mut of = Vec::new();
        let weighed = view.weigh(scoring, |found, weight| {
            let counts = found.test_point || found.answer().values_for(asker).next().is_some();
            if counts {
                let names = if weight > 0 { &mut self.listed_by } else { &mut self.allowed_by };
                names.push(found.dataset.name.clone());
                of.push((found.dataset.name.clone(), weight));
            }
            counts
        });
        let score = ZoneScore { sum: weighed.sum, of, lowest: scoring.lowest() };
        self.score = (!score.of.is_empty()).then_some(score);
    }
}

fn add(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|other| other == name) {
        names.push(name.to_owned());
    }
}

/// The apexes below which a zone can have this key: its own, and those of its subzones.
fn apexes(zone: &Zone, key: &LookupKey, now: u64) -> Vec<NameBuf> {
    // A zone that answers nothing does not say what it would list.
    let is_silent = !zone.is_served(now);
    let own = is_silent || zone.datasets.iter().any(|set| takes(set, key));
    let subzones =
        zone.datasets.iter().filter_map(|set| set.subzones.as_ref()).flat_map(Subzones::all);
    let below = subzones.filter(|subzone| subzone.datasets.iter().any(|set| takes(set, key)));
    let mut apexes: Vec<NameBuf> = own.then(|| zone.apex.clone()).into_iter().collect();
    for apex in below.filter_map(|subzone| subzone.apex.join(&zone.apex)) {
        if !apexes.contains(&apex) {
            apexes.push(apex);
        }
    }
    apexes
}

/// True if a dataset can list such a key.
fn takes(set: &Dataset, key: &LookupKey) -> bool {
    let is_of_kind = match key {
        LookupKey::Address(IpAddr::V4(_)) => set.ip4.is_some(),
        // An address that stands for one of IPv4 is in lists of these, too.
        LookupKey::Address(IpAddr::V6(_)) => set.ip6.is_some() || set.ip4.is_some(),
        LookupKey::Name(name) => {
            set.names.is_some() || set.digests.as_ref().is_some_and(|digests| digests.takes(name))
        }
    };
    is_of_kind || set.records.is_some()
}

/// A question for records of a name (RFC 1035 section 4.1).
fn query(name: &NameBuf, rtype: Type) -> Vec<u8> {
    let head = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let (rtype, class) = (rtype.0.to_be_bytes(), Class::IN.0.to_be_bytes());
    [&head[..], name.as_wire(), &rtype, &class].concat()
}

fn rcode(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("RCODE{}", u16::from(other)),
    }
}

#[cfg(test)]
mod tests;
