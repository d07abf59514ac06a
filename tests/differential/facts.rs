//! What the wanted differences depend on, found out by asking the two servers: which zones have
//! an SOA record of their own, what dnsbld synthesises where they have none, and which names
//! below a question are listed.

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::keys::{self, PROBE};
use crate::message::{Data, Record, Reply};
use crate::name::{self, Label, Name};
use crate::query::{Query, TYPE_A, TYPE_NS, TYPE_SOA};
use crate::scenario::{Kind, Scenario, Spec};
use crate::server::Server;

/// The return code for a zone without data.
pub(crate) const SERVFAIL: u16 = 2;

/// One zone.
pub(crate) struct Zone {
    pub(crate) apex: Name,
    has_ipv4: bool,
    has_ipv6: bool,
    has_names: bool,
    /// It has data to answer from.
    pub(crate) live: bool,
    /// Its datasets are all loaded, so that test points are listed that no file lists.
    has_test_points: bool,
    /// A file of it has a `$SOA` line.
    pub(crate) has_soa: bool,
    /// The SOA and NS records that dnsbld gives at its apex.
    pub(crate) soa: Vec<Record>,
    pub(crate) ns: Vec<Record>,
}

/// How a name relates to the test points of RFC 5782 section 5.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TestPoint {
    /// It is to be listed, or never to be.
    pub(crate) listed: bool,
    /// It is of a kind that the zone has data for; for other kinds dnsbld may or may not.
    pub(crate) due: bool,
}

/// What is known of all zones.
pub(crate) struct Facts {
    pub(crate) zones: Vec<Zone>,
    /// Listed names and apexes, labels last first.
    listed: BTreeSet<Name>,
    /// Test points that are listed in any case, and those that may be.
    due: BTreeSet<Name>,
    possible: BTreeSet<Name>,
}

/// Whether anything below a name is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Below {
    Listed,
    /// Only a test point of a kind that the zone has no data for.
    Possibly,
    Nothing,
}

impl Facts {
    /// Asks `left`, which serves `scenario`, and `right` what `queries` depend on. The zones of
    /// the apexes in `partial` have lost a dataset.
    pub(crate) fn gather(
        scenario: &Scenario,
        queries: &[Query],
        left: &Server,
        right: &Server,
        partial: &[Name],
    ) -> Result<Self, String> {
        let mut facts = Self {
            zones: zones(scenario),
            listed: BTreeSet::new(),
            due: BTreeSet::new(),
            possible: BTreeSet::new(),
        };
        for zone in &mut facts.zones {
            zone.has_test_points = !partial.contains(&zone.apex);
        }
        facts.ask_apexes(left, right)?;
        facts.ask_listed(scenario, queries, left)?;
        facts.add_test_points();
        Ok(facts)
    }

    /// The zone that answers for `name`: the longest apex that it ends in.
    pub(crate) fn zone_of(&self, name: &[Label]) -> Option<&Zone> {
        let name = name::lowercase(name);
        let zones = self.zones.iter().filter(|zone| name.ends_with(&zone.apex));
        zones.max_by_key(|zone| zone.apex.len())
    }

    /// Whether anything below `name` is listed.
    pub(crate) fn below(&self, name: &[Label]) -> Below {
        let key = self.key(name);
        let mut as_written = name::lowercase(name);
        as_written.reverse();
        let octets_end = self.zone_of(name).map_or(0, |zone| zone.apex.len()) + 4;
        let within = |names: &BTreeSet<Name>| {
            let after = (Bound::Excluded(&key), Bound::Unbounded);
            let mut below = names.range::<Name, _>(after).take_while(|next| next.starts_with(&key));
            // Leading zeros are for octets: 000.0.0.0 is an address, but no beginning of nibbles.
            below.any(|next| next.len() <= octets_end || next.starts_with(&as_written))
        };
        if within(&self.listed) || within(&self.due) {
            Below::Listed
        } else if within(&self.possible) {
            Below::Possibly
        } else {
            Below::Nothing
        }
    }

    fn ask_apexes(&mut self, left: &Server, right: &Server) -> Result<(), String> {
        for zone in &mut self.zones {
            let asked = [TYPE_SOA, TYPE_NS].map(|qtype| Query::new(zone.apex.clone(), qtype));
            let [soa, _] = replies(left, &asked)?;
            let ours = replies(right, &asked)?;
            zone.live = soa.as_ref().is_some_and(|reply| reply.rcode != SERVFAIL);
            zone.has_soa = soa.is_some_and(|reply| !reply.answers.is_empty());
            [zone.soa, zone.ns] = ours.map(|reply| reply.map_or(Vec::new(), |reply| reply.answers));
        }
        Ok(())
    }

    fn ask_listed(
        &mut self,
        scenario: &Scenario,
        queries: &[Query],
        left: &Server,
    ) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for spec in scenario.specs.iter().filter(|spec| spec.kind != Kind::Acl) {
            let files = spec.files.iter().filter_map(|file| scenario.file(file));
            for line in files.flat_map(|file| &file.lines) {
                let keys = keys::borders(spec.kind, &line.text);
                let below = keys.iter().flat_map(keys::Key::names);
                names.extend(below.map(|labels| name::under(&labels, &spec.apex())));
            }
        }
        for query in queries {
            if let Some(zone) = self.zone_of(&query.name) {
                let name = name::lowercase(&query.name);
                let labels = name.len() - zone.apex.len();
                names.insert(name::under(&[PROBE.to_vec()], &name));
                for whole in [4, 32] {
                    if (1..whole).contains(&labels) {
                        names.insert(name::under(&vec![b"0".to_vec(); whole - labels], &name));
                    }
                }
            }
        }
        // An entry too long for its zone can never be asked for; names above it may be said to
        // exist all the same, because a dataset does not know its zones.
        let (names, too_long): (BTreeSet<Name>, BTreeSet<Name>) =
            names.into_iter().partition(|name| name::is_valid(name));
        self.possible.extend(too_long.iter().map(|name| self.key(name)).collect::<Vec<_>>());
        let asked: Vec<Query> = names.into_iter().map(|name| Query::new(name, TYPE_A)).collect();
        for (query, reply) in asked.iter().zip(left.ask(&asked)?) {
            let reply = Reply::parse(&reply.ok_or_else(|| format!("no reply to {query}"))?)?;
            if reply.rcode == 0 && !reply.answers.is_empty() {
                self.listed.insert(self.key(&query.name));
            }
        }
        let apexes: Vec<Name> = self.zones.iter().map(|zone| self.key(&zone.apex)).collect();
        self.listed.extend(apexes);
        Ok(())
    }

    fn add_test_points(&mut self) {
        let address = 0x7f00_0002;
        for zone in self.zones.iter().filter(|zone| zone.live) {
            for labels in [
                name::of_ipv4(address),
                name::of_ipv6(name::v4_mapped(address)),
                name::of_ipv6(name::six_to_four(address)),
                vec![b"test".to_vec()],
            ] {
                let Some(TestPoint { listed: true, due }) = zone.test_point(&labels) else {
                    continue;
                };
                let key = self.key(&name::under(&labels, &zone.apex));
                if due {
                    self.due.insert(key)
                } else {
                    self.possible.insert(key)
                };
            }
        }
    }

    /// The name's labels last first, in lower case, octets without leading zeros: the order in
    /// which all that is below a name stands right behind it.
    fn key(&self, name: &[Label]) -> Name {
        let apex = self.zone_of(name).map_or(0, |zone| zone.apex.len());
        let mut labels = name::lowercase(name);
        let below = name.len() - apex;
        canonical(&mut labels[..below]);
        labels.reverse();
        labels
    }
}

impl Facts {
    /// One live zone in which `listed` exist, for tests without servers; `soa` is what dnsbld
    /// has at its apex.
    pub(crate) fn of_zone(spec: Spec, listed: &[&str], soa: Record, has_soa: bool) -> Self {
        let scenario = Scenario { specs: vec![spec], files: Vec::new() };
        let mut facts = Self {
            zones: zones(&scenario),
            listed: BTreeSet::new(),
            due: BTreeSet::new(),
            possible: BTreeSet::new(),
        };
        for zone in &mut facts.zones {
            (zone.live, zone.has_test_points, zone.has_soa) = (true, true, has_soa);
            zone.soa = vec![soa.clone()];
        }
        let listed = listed.iter().map(|name| facts.key(&name::from_text(name.as_bytes())));
        facts.listed = listed.collect();
        facts.add_test_points();
        facts
    }
}

impl Zone {
    /// What the test points of RFC 5782 say of the name `labels` below the apex.
    pub(crate) fn test_point(&self, labels: &[Label]) -> Option<TestPoint> {
        let mut labels = name::lowercase(labels);
        canonical(&mut labels);
        for (listed, address, label) in
            [(true, 0x7f00_0002, "test"), (false, 0x7f00_0001, "invalid")]
        {
            let six_to_four = name::of_ipv6(name::six_to_four(address));
            let due = if labels == name::of_ipv4(address) {
                self.has_ipv4
            } else if labels == name::of_ipv6(name::v4_mapped(address)) {
                self.has_ipv4 || self.has_ipv6
            } else if labels == [label.as_bytes()] {
                self.has_names
            } else if labels.len() == 32 && labels[20..] == six_to_four[20..] {
                false
            } else {
                continue;
            };
            // Those never listed are so in any state of the zone.
            return (self.has_test_points || !listed).then_some(TestPoint { listed, due });
        }
        None
    }

    /// The SOA record that dnsbld puts into negative answers of a zone without one.
    pub(crate) fn negative_soa(&self) -> Vec<Record> {
        let mut soa = self.soa.clone();
        for record in &mut soa {
            record.owner = name::lowercase(&record.owner);
            if let Data::Soa { times, .. } = &record.data {
                record.ttl = times[3];
            }
        }
        soa
    }
}

/// Octets without leading zeros.
fn canonical(labels: &mut [Label]) {
    if labels.len() <= 4 {
        for label in labels {
            if let Some(octet) = name::octet(label) {
                *label = octet.to_string().into_bytes();
            }
        }
    }
}

fn zones(scenario: &Scenario) -> Vec<Zone> {
    let mut zones: Vec<Zone> = Vec::new();
    for spec in scenario.specs.iter().filter(|spec| spec.kind != Kind::Acl) {
        let apex = spec.apex();
        let known = zones.iter().position(|zone| zone.apex == apex);
        let at = known.unwrap_or(zones.len());
        if known.is_none() {
            zones.push(Zone {
                apex,
                has_ipv4: false,
                has_ipv6: false,
                has_names: false,
                live: false,
                has_test_points: false,
                has_soa: false,
                soa: Vec::new(),
                ns: Vec::new(),
            });
        }
        let zone = &mut zones[at];
        zone.has_ipv4 |= spec.kind.is_ipv4();
        zone.has_ipv6 |= spec.kind.is_ipv6();
        zone.has_names |= spec.kind.is_names();
    }
    zones
}

fn replies<const N: usize>(
    server: &Server,
    queries: &[Query; N],
) -> Result<[Option<Reply>; N], String> {
    let mut replies = server.ask(queries)?.into_iter();
    let mut parsed = [const { None }; N];
    for (query, parsed) in queries.iter().zip(&mut parsed) {
        if let Some(Some(reply)) = replies.next() {
            *parsed = Some(Reply::parse(&reply).map_err(|error| format!("{query}: {error}"))?);
        }
    }
    Ok(parsed)
}
