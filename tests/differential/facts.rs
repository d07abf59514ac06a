//! What the wanted differences depend on, found out by asking the two servers: which zones have
//! an SOA record of their own, what dnsbld synthesises where they have none, and which names
//! below a question are listed.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::ops::Bound;

use super::keys::{self, PROBE};
use super::scenario::{Kind, Scenario, Spec};
use super::server::{Program, Server};
use crate::common::name::{self, Label, Name};
use crate::common::query::{Query, TYPE_A, TYPE_ANY, TYPE_MX, TYPE_NS, TYPE_SOA, TYPE_TXT};
use crate::common::reply::{Data, Record, Reply};

/// The return code for a zone without data.
pub(crate) const SERVFAIL: u16 = 2;
const REFUSED: u16 = 5;

/// One zone.
pub(crate) struct Zone {
    pub(crate) apex: Name,
    has: Has,
    /// Its only data are records of `generic` datasets.
    pub(crate) is_generic: bool,
    /// The subzones of its combined datasets, of all together: their whole names.
    subzones: Vec<(Name, Has)>,
    /// It has data to answer from.
    pub(crate) live: bool,
    /// One of its datasets is missing: what that lists is not known.
    pub(crate) is_partial: bool,
    /// Its datasets are all loaded, so that test points are listed that no file lists.
    has_test_points: bool,
    /// Its test points may be listed or not otherwise than its files say.
    minds_test_points: bool,
    /// A file of it has a `$SOA` line.
    pub(crate) has_soa: bool,
    /// The SOA and NS records that dnsbld gives at its apex.
    pub(crate) soa: Vec<Record>,
    pub(crate) ns: Vec<Record>,
    /// The other records that rbldnsd gives there.
    pub(crate) others: Vec<Record>,
}

/// What kinds of keys there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Has {
    ipv4: bool,
    ipv6: bool,
    names: bool,
}

impl Has {
    fn add(&mut self, kind: Kind) {
        self.ipv4 |= kind.is_ipv4();
        self.ipv6 |= kind.is_ipv6();
        self.names |= kind == Kind::Dnset;
    }
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
    /// Answers have no NS records in their authority section.
    pub(crate) is_minimal: bool,
    /// Listed names and apexes, labels last first.
    listed: BTreeSet<Name>,
    /// Test points that are listed in any case, and those that may be.
    due: BTreeSet<Name>,
    possible: BTreeSet<Name>,
    /// Clients that get no answer to anything, and those that a zone refuses.
    ignored: BTreeSet<Ipv4Addr>,
    refused: BTreeSet<(Ipv4Addr, Name)>,
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
        let mut facts = Self::of_zones(zones(scenario));
        for zone in &mut facts.zones {
            zone.minds_test_points = right.program == Program::Dnsbld;
            zone.is_partial = partial.contains(&zone.apex);
            zone.has_test_points = zone.minds_test_points && !zone.is_partial;
        }
        facts.is_minimal = scenario.is_minimal();
        facts.ask_apexes(left, right)?;
        facts.ask_listed(scenario, queries, left)?;
        facts.ask_for_clients(queries, left)?;
        facts.add_test_points();
        Ok(facts)
    }

    fn of_zones(zones: Vec<Zone>) -> Self {
        let (listed, due, possible) = Default::default();
        let (ignored, refused) = Default::default();
        Self { zones, is_minimal: true, listed, due, possible, ignored, refused }
    }

    /// True if the client gets no answer to anything.
    pub(crate) fn ignores(&self, query: &Query) -> bool {
        query.from.is_some_and(|from| self.ignored.contains(&from))
    }

    /// True if access lists refuse the client in this zone.
    pub(crate) fn refuses(&self, query: &Query, zone: &Zone) -> bool {
        query.from.is_some_and(|from| self.refused.contains(&(from, zone.apex.clone())))
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
        let octets_end = self.apex_of(name) + 4;
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

    /// The number of labels of the apex that the keys in a name stand before: that of its zone, or
    /// of the longest subzone.
    fn apex_of(&self, name: &[Label]) -> usize {
        let Some(zone) = self.zone_of(name) else { return 0 };
        zone.subzone_of(name).map_or(zone.apex.len(), |(apex, _)| apex.len())
    }

    fn ask_apexes(&mut self, left: &Server, right: &Server) -> Result<(), String> {
        for zone in &mut self.zones {
            let asked = [TYPE_SOA, TYPE_NS].map(|qtype| Query::new(zone.apex.clone(), qtype));
            let [soa, _] = replies(left, &asked)?;
            let ours = replies(right, &asked)?;
            let others = [TYPE_A, TYPE_TXT, TYPE_MX];
            let others = others.map(|qtype| Query::new(zone.apex.clone(), qtype).in_full());
            let others = replies(left, &others)?.into_iter().flatten();
            zone.others = others.flat_map(|reply| reply.answers).collect();
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
            for (section, line) in scenario.lines(spec) {
                let keys = keys::borders(section.kind, &line.text);
                for labels in keys.iter().flat_map(keys::Key::names) {
                    names.extend(section.apexes.iter().map(|apex| name::under(&labels, apex)));
                }
            }
        }
        for query in queries {
            if let Some(zone) = self.zone_of(&query.name) {
                let name = name::lowercase(&query.name);
                let apex = zone.subzone_of(&name).map_or(zone.apex.len(), |(apex, _)| apex.len());
                let labels = name.len() - apex;
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
        let asked: Vec<Query> = names.into_iter().map(|name| Query::new(name, TYPE_ANY)).collect();
        for (query, reply) in asked.iter().zip(left.ask(&asked)?) {
            let reply = Reply::parse(&reply.ok_or_else(|| format!("no reply to {query}"))?)?;
            if reply.rcode == 0 && !reply.answers.is_empty() {
                self.listed.insert(self.key(&query.name));
            }
        }
        let mut apexes: Vec<Name> = self.zones.iter().map(|zone| self.key(&zone.apex)).collect();
        for zone in self.zones.iter().filter(|zone| zone.live) {
            apexes.extend(zone.subzones.iter().map(|(apex, _)| self.key(apex)));
        }
        self.listed.extend(apexes);
        Ok(())
    }

    fn ask_for_clients(&mut self, queries: &[Query], left: &Server) -> Result<(), String> {
        let clients: BTreeSet<Ipv4Addr> = queries.iter().filter_map(|query| query.from).collect();
        let apexes = self.zones.iter().map(|zone| zone.apex.clone());
        // The root is no zone, so it is refused for everybody who is not ignored.
        let names: Vec<Name> = apexes.chain([Name::new()]).collect();
        let asked: Vec<Query> = clients
            .iter()
            .flat_map(|&from| names.iter().map(move |name| (from, name.clone())))
            .map(|(from, name)| Query { from: Some(from), ..Query::new(name, TYPE_A) })
            .collect();
        for (query, reply) in asked.iter().zip(left.ask(&asked)?) {
            let Some(from) = query.from else { continue };
            let reply = reply.map(|reply| Reply::parse(&reply)).transpose()?;
            match reply {
                None if query.name.is_empty() => drop(self.ignored.insert(from)),
                Some(Reply { rcode: REFUSED, .. }) => {
                    self.refused.insert((from, query.name.clone()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add_test_points(&mut self) {
        let address = 0x7f00_0002;
        for zone in self.zones.iter().filter(|zone| zone.live && !zone.is_partial) {
            for labels in [
                name::of_ipv4(address),
                name::of_ipv6(name::v4_mapped(address)),
                name::of_ipv6(name::six_to_four(address)),
                vec![b"test".to_vec()],
            ] {
                let subzones = zone.subzones.iter().map(|(apex, _)| apex);
                for apex in subzones.chain([&zone.apex]) {
                    let name = name::under(&labels, apex);
                    let below = &name[..name.len() - zone.apex.len()];
                    let Some(TestPoint { listed: true, due }) = zone.test_point(below) else {
                        continue;
                    };
                    let key = self.key(&name);
                    if due {
                        self.due.insert(key)
                    } else {
                        self.possible.insert(key)
                    };
                }
            }
        }
    }

    /// The name's labels last first, in lower case, octets without leading zeros: the order in
    /// which all that is below a name stands right behind it.
    fn key(&self, name: &[Label]) -> Name {
        let apex = self.apex_of(name);
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
        let scenario = Scenario { specs: vec![spec], ..Scenario::default() };
        let mut facts = Self::of_zones(zones(&scenario));
        for zone in &mut facts.zones {
            zone.minds_test_points = true;
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
        let whole = name::under(labels, &self.apex);
        let of_subzone = self
            .subzone_of(&whole)
            .and_then(|(apex, has)| self.test_point_of(&whole[..whole.len() - apex.len()], *has));
        of_subzone.or_else(|| self.test_point_of(labels, self.has))
    }

    /// The longest subzone that a name is in.
    fn subzone_of(&self, name: &[Label]) -> Option<&(Name, Has)> {
        let name = name::lowercase(name);
        let subzones = self.subzones.iter().filter(|(apex, _)| name.ends_with(apex));
        subzones.max_by_key(|(apex, _)| apex.len())
    }

    fn test_point_of(&self, labels: &[Label], has: Has) -> Option<TestPoint> {
        let mut labels = name::lowercase(labels);
        canonical(&mut labels);
        for (listed, address, label) in
            [(true, 0x7f00_0002, "test"), (false, 0x7f00_0001, "invalid")]
        {
            let six_to_four = name::of_ipv6(name::six_to_four(address));
            let due = if labels == name::of_ipv4(address) {
                has.ipv4
            } else if labels == name::of_ipv6(name::v4_mapped(address)) {
                has.ipv4 || has.ipv6
            } else if labels == [label.as_bytes()] {
                has.names
            } else if labels.len() == 32 && labels[20..] == six_to_four[20..] {
                false
            } else {
                continue;
            };
            // Those never listed are so in any state of the zone, and so are all of a partial one.
            let counts = match listed {
                true => self.has_test_points || self.is_partial,
                false => self.minds_test_points,
            };
            return counts.then_some(TestPoint { listed, due });
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
                has: Has::default(),
                is_generic: true,
                subzones: Vec::new(),
                live: false,
                is_partial: false,
                has_test_points: false,
                minds_test_points: false,
                has_soa: false,
                soa: Vec::new(),
                ns: Vec::new(),
                others: Vec::new(),
            });
        }
        let zone = &mut zones[at];
        let apexes: Vec<Name> = scenario.specs.iter().map(Spec::apex).collect();
        // What lies below another zone is that zone's.
        let is_hidden = |name: &Name| {
            let of = apexes.iter().filter(|apex| name.ends_with(apex)).max_by_key(|of| of.len());
            of != Some(&spec.apex())
        };
        zone.has.add(spec.kind);
        zone.is_generic &= spec.kind == Kind::Generic;
        for section in scenario.sections(spec) {
            for apex in section.apexes.into_iter().filter(|apex| !is_hidden(apex)) {
                let known = zone.subzones.iter().position(|(known, _)| *known == apex);
                let at = known.unwrap_or(zone.subzones.len());
                if known.is_none() {
                    zone.subzones.push((apex, Has::default()));
                }
                zone.subzones[at].1.add(section.kind);
            }
        }
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
            let reply = Reply::parse(&reply).map_err(|error| format!("{query}: {error}"))?;
            *parsed = Some(reply.in_lower_case());
        }
    }
    Ok(parsed)
}
