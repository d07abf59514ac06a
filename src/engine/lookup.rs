//! Which answers the datasets of a zone have for a name.

use super::LowerName;
use super::acl::Restriction;
use super::key::{Below, Key};
use crate::listing::records::{Found, NameId, Record};
use crate::listing::{Answer, AnswerId, Asker};
use crate::trie::names::NameLookup;
use crate::wire::name::MAX_NAME;
use crate::zone::{Dataset, Subzones, Zone, ZoneState};
use std::sync::Arc;
use std::time::Duration;

/// Where a dataset stands in a zone.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Its number in the zone, or that of the combined dataset it is in.
    dataset: u16,
    /// In a combined dataset: the number of the subzone, and its own in that.
    part: Option<(u32, u16)>,
}

impl Place {
    fn dataset(self, zone: &Zone) -> Option<&Dataset> {
        let dataset = zone.datasets.get(usize::from(self.dataset))?;
        let Some((subzone, number)) = self.part else { return Some(dataset) };
        let subzone = dataset.subzones.as_ref()?.all().get(subzone as usize)?;
        subzone.datasets.get(usize::from(number)).map(Arc::as_ref)
    }
}

/// A dataset that lists what is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    place: Place,
    answer: AnswerId,
    pub(super) key: HitKey,
    /// This is the default value of the dataset, given for a test point it does not list.
    test_point: bool,
}

/// What is listed.
#[derive(Clone, Copy, Debug)]
pub(super) enum HitKey {
    Ip4(u32),
    /// The upper and the lower half, so that a hit is small.
    Ip6(u64, u64),
    /// The `listed` labels before the last `apex` ones of the name asked.
    Name {
        listed: u8,
        apex: u8,
    },
}

impl HitKey {
    #[inline(always)]
    pub(super) fn ip6(address: u128) -> Self {
        Self::Ip6((address >> 64) as u64, address as u64)
    }
}

impl Hit {
    /// In the dataset with this number of the zone.
    #[inline]
    pub(super) fn new(dataset: usize, answer: AnswerId, key: HitKey) -> Self {
        let place = Place { dataset: dataset as u16, part: None };
        Self { place, answer, key, test_point: false }
    }

    /// The dataset and the number of its answer, of a hit that is no test point.
    #[inline]
    pub(super) fn listed(self, zone: &Zone) -> Option<(&Dataset, AnswerId)> {
        Some((self.place.dataset(zone)?, self.answer))
    }

    /// The dataset and its answer.
    pub(super) fn resolve(self, zone: &Zone) -> Option<(&Dataset, Answer<'_>)> {
        let dataset = self.place.dataset(zone)?;
        let answers = if self.test_point { &dataset.default_answer } else { &dataset.answers };
        Some((dataset, answers.get(self.answer)))
    }
}

/// A dataset that has ordinary records for what is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordHit {
    place: Place,
    name: NameId,
}

impl RecordHit {
    /// The records, of all types.
    pub(super) fn resolve(self, zone: &Zone) -> impl Iterator<Item = Record<'_>> + Clone {
        let records = self.place.dataset(zone).and_then(|dataset| dataset.records.as_ref());
        records.into_iter().flat_map(move |records| records.records(self.name))
    }
}

/// What a name is in a zone, besides what lists it.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    /// The name exists: something below it is listed, or it is the apex of a subzone.
    pub(super) empty_non_terminal: bool,
    /// The name is a key of some list, and an access list has the value for all of them.
    pub(super) by_acl: bool,
    /// The reply waits this long.
    pub(super) delay: Duration,
    /// Some dataset lists the name, whether that is answered or not.
    listed: bool,
    /// What is given for a test point that no dataset lists.
    test_hit: Option<Hit>,
    /// Some dataset is a combined one.
    combined: bool,
}

/// A name to be looked up in a zone.
pub(super) struct Lookup<'a> {
    pub(super) zone: &'a Zone,
    /// The name relative to the zone, in lower case.
    pub(super) name: &'a LowerName,
    /// Who asks, and when.
    pub(super) asker: Asker,
    /// What access lists leave of the zone: not refused, not ignored.
    pub(super) restriction: Restriction,
}

/// The name as the datasets below one apex see it: that of the zone or of a subzone.
pub(super) struct View<'a> {
    datasets: &'a [Arc<Dataset>],
    /// The numbers of the combined dataset and of its subzone.
    part: Option<(u16, u32)>,
    /// The name relative to the apex.
    name: &'a [u8],
    /// Where its labels start, and its final zero.
    starts: &'a [u8],
    /// The number of labels of the apex of the subzone.
    apex: u8,
}

/// The subzone of a combined dataset that answers for a name.
struct Part<'a> {
    datasets: &'a [Arc<Dataset>],
    numbers: (u16, u32),
    /// The name relative to the subzone.
    name: [u8; MAX_NAME],
    starts: &'a [u8],
    apex: u8,
}

impl Part<'_> {
    /// `name` is the one of the part, or a copy.
    fn view<'a>(&'a self, name: &'a [u8; MAX_NAME]) -> View<'a> {
        let Self { datasets, starts, apex, .. } = *self;
        let end = starts.last().map_or(0, |&end| usize::from(end));
        View { datasets, part: Some(self.numbers), name: &name[..=end], starts, apex }
    }
}

impl View<'_> {
    /// The number of labels of the name.
    fn labels(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    fn with_ip4(&self) -> bool {
        self.datasets.iter().any(|set| set.ip4.is_some())
    }

    fn has_addresses(&self) -> bool {
        self.datasets.iter().any(|set| set.ip4.is_some() || set.ip6.is_some())
    }

    fn key(&self) -> Key {
        Key::parse(self.name, self.labels(), self.with_ip4())
    }

    fn below(&self) -> Option<Below> {
        Below::parse(self.name, self.labels(), self.with_ip4())
    }

    fn place(&self, number: usize) -> Place {
        let number = number as u16;
        match self.part {
            None => Place { dataset: number, part: None },
            Some((dataset, subzone)) => Place { dataset, part: Some((subzone, number)) },
        }
    }
}

/// The names and addresses of RFC 5782 section 5.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TestPoint {
    AlwaysListed,
    NeverListed,
}

impl Lookup<'_> {
    /// Fills `hits` and `records` and says what else there is.
    pub(super) fn run(&self, hits: &mut Vec<Hit>, records: &mut Vec<RecordHit>) -> Findings {
        hits.clear();
        records.clear();
        let mut found = Findings::default();
        if self.name.labels() == 0 && self.asker.has_key {
            // The key alone: what can be asked with it lies below.
            found.empty_non_terminal = self.restriction != Restriction::Empty;
            return found;
        }
        let mut view = self.view();
        let mut part;
        let mut combined = 0;
        // One loop for the view of the zone and those of subzones: the compiler then makes one
        // function of all that a zone without subzones needs.
        loop {
            self.look(&view, &mut found, hits, records);
            if !found.combined {
                break;
            }
            let Some(next) = self.next_part(&mut combined, &mut found) else { break };
            part = next;
            view = part.view(&part.name);
        }
        if !found.listed && records.is_empty() {
            hits.extend(found.test_hit);
        }
        found
    }

    /// The name as the datasets of the zone see it.
    pub(super) fn view(&self) -> View<'_> {
        let (name, starts) = (self.name.wire(), self.name.starts());
        View { datasets: &self.zone.datasets, part: None, name, starts, apex: 0 }
    }

    /// The subzone that answers in the next of the combined datasets, number `next` or later.
    #[cold]
    fn next_part(&self, next: &mut usize, found: &mut Findings) -> Option<Part<'_>> {
        loop {
            let number = *next;
            let dataset = self.zone.datasets.get(number)?;
            *next += 1;
            let Some(parts) = &dataset.subzones else { continue };
            found.empty_non_terminal |= parts.is_above_apex(self.name.wire());
            let Some(part) = self.part(parts, number) else { continue };
            found.empty_non_terminal |= part.starts.len() == 1;
            return Some(part);
        }
    }

    /// The subzone of the combined dataset with this number that answers for the name.
    fn part<'p>(&'p self, parts: &'p Subzones, number: usize) -> Option<Part<'p>> {
        let (subzone, before) = parts.find(self.name.wire(), self.name.starts())?;
        let datasets = &parts.all().get(subzone as usize)?.datasets;
        let starts = &self.name.starts()[..=before];
        let end = usize::from(starts[before]);
        let mut name = [0; MAX_NAME];
        name[..end].copy_from_slice(&self.name.wire()[..end]);
        let apex = (self.name.labels() - before) as u8;
        Some(Part { datasets, numbers: (number as u16, subzone), name, starts, apex })
    }

    fn look(
        &self,
        view: &View<'_>,
        found: &mut Findings,
        hits: &mut Vec<Hit>,
        records: &mut Vec<RecordHit>,
    ) {
        let key = view.key();
        if self.restriction != Restriction::Pass {
            return self.look_restricted(view, &key, found, records);
        }
        let start = hits.len();
        for (number, dataset) in view.datasets.iter().enumerate() {
            view.ask(number, dataset, &key, found, hits, records);
        }
        let was_listed = hits.len() > start;
        found.listed |= was_listed;
        // Those of addresses are points of lists of addresses alone (RFC 5782 section 5).
        let point_key = if view.has_addresses() { key } else { Key::default() };
        let point = if self.zone.test_points { test_point(view.name, &point_key) } else { None };
        match point {
            Some(TestPoint::NeverListed) => hits.truncate(start),
            Some(TestPoint::AlwaysListed) if !was_listed && found.test_hit.is_none() => {
                found.test_hit = self.test_hit(view, &key);
            }
            Some(TestPoint::AlwaysListed) => {}
            None if was_listed && self.is_allowed(view, &key) => hits.truncate(start),
            None => {}
        }
        if !hits.is_empty() {
            found.delay = self.pass_gates(hits);
        }
        if hits.is_empty() && records.is_empty() && !found.empty_non_terminal {
            // A name that is listed and yet not answered for can be above others that are.
            found.empty_non_terminal =
                was_listed && self.has_names_below(view, &key) || self.has_addresses_below(view);
        }
    }

    /// An access list makes the lists of the zone empty, or lists all their keys; allow lists and
    /// test points go with them. Ordinary records stay.
    #[cold]
    fn look_restricted(
        &self,
        view: &View<'_>,
        key: &Key,
        found: &mut Findings,
        records: &mut Vec<RecordHit>,
    ) {
        let below = view.below().unwrap_or_default();
        for (number, dataset) in view.datasets.iter().enumerate() {
            view.ask_records(number, dataset, found, records);
            if self.restriction == Restriction::Listed {
                let (ip4, ip6) = (dataset.ip4.is_some(), dataset.takes_ip6());
                found.by_acl |= ip4 && key.ip4.is_some()
                    || ip6 && key.ip6.is_some()
                    || dataset.names.is_some() && view.labels() > 0;
                found.empty_non_terminal |= ip4 && below.ip4.iter().any(Option::is_some)
                    || ip6 && below.ip6.iter().any(Option::is_some);
            }
        }
    }

    /// The default value of the first list, if there is a dataset this test point belongs to and
    /// the zone has all its data: a health check must not call a dead zone well.
    fn test_hit(&self, view: &View<'_>, key: &Key) -> Option<Hit> {
        let belongs = view.datasets.iter().any(|set| match key {
            Key { ip4: Some(_), .. } => set.ip4.is_some(),
            Key { ip6: Some(_), .. } => set.ip6.is_some(),
            _ => set.names.is_some(),
        });
        if self.zone.state != ZoneState::Live || !belongs {
            return None;
        }
        let key = match *key {
            Key { ip4: Some(ip4), .. } => HitKey::Ip4(ip4),
            Key { ip6: Some(ip6), .. } => HitKey::ip6(ip6),
            _ => HitKey::Name { listed: 1, apex: view.apex },
        };
        let number = view.datasets.iter().position(|set| set.is_list())?;
        Some(Hit { place: view.place(number), answer: AnswerId(1), key, test_point: true })
    }

    fn is_allowed(&self, view: &View<'_>, key: &Key) -> bool {
        self.any_allow(view, key, |set, key, view| {
            let ip4 = set.ip4.as_ref().zip(key.ip4);
            let ip6 = set.ip6.as_ref().zip(key.ip6);
            let names = || set.names.as_ref();
            ip4.is_some_and(|(trie, key)| trie.lookup(key).is_listed())
                || ip6.is_some_and(|(trie, key)| trie.lookup(key).is_listed())
                || names().is_some_and(|names| {
                    matches!(names.lookup(view.name), NameLookup::Listed { .. })
                })
        })
    }

    /// True if `test` holds for some allow list, for the name as that list sees it: as the datasets
    /// of the view do, or those of its own subzone.
    fn any_allow(
        &self,
        view: &View<'_>,
        key: &Key,
        test: impl Fn(&Dataset, &Key, &View<'_>) -> bool,
    ) -> bool {
        self.zone.allow.iter().enumerate().any(|(number, set)| match &set.subzones {
            None => test(set, key, view),
            Some(parts) => self.part(parts, number).is_some_and(|part| {
                let view = part.view(&part.name);
                let key = view.key();
                view.datasets.iter().any(|set| test(set, &key, &view))
            }),
        })
    }

    /// True if some name below this one is listed, whether it is itself or not, and not all of
    /// them are allowed.
    fn has_names_below(&self, view: &View<'_>, key: &Key) -> bool {
        let covers = |set: &Dataset, _: &Key, view: &View<'_>| {
            set.names.as_ref().is_some_and(|names| names.covers_below(view.name))
        };
        if self.any_allow(view, key, covers) {
            return false;
        }
        let shown = view.datasets.iter().filter(|set| !set.hides_empty_non_terminals);
        let mut names = shown.filter_map(|set| set.names.as_ref());
        names.any(|names| names.lists_below(view.name))
    }

    /// True if some address below this short name is listed, the test points included.
    pub(super) fn has_addresses_below(&self, view: &View<'_>) -> bool {
        let Some(below) = view.below() else { return false };
        let zone = self.zone;
        let with_points = zone.test_points && zone.state == ZoneState::Live;
        view.datasets.iter().any(|set| {
            let ip4 = set.ip4.as_ref().is_some_and(|trie| {
                below.ip4.iter().flatten().any(|range| {
                    trie.any_in(*range.start(), *range.end())
                        || with_points && range.contains(&0x7f00_0002)
                })
            });
            let ip6 = set.ip6.as_ref().is_some_and(|trie| {
                below.ip6.iter().flatten().any(|range| {
                    trie.any_in(*range.start(), *range.end())
                        || with_points && range.contains(&0xffff_7f00_0002)
                })
            });
            ip4 || ip6
        })
    }

    /// Drops the hits that have no value for who asks, and gives the longest delay of the values
    /// that remain.
    fn pass_gates(&self, hits: &mut Vec<Hit>) -> Duration {
        let mut delay = Duration::ZERO;
        let gates_of = |hit: &Hit| {
            hit.resolve(self.zone).is_some_and(|(dataset, _)| dataset.answers.has_gates())
        };
        if !hits.iter().any(gates_of) {
            return delay;
        }
        hits.retain(|hit| {
            let Some((dataset, answer)) = hit.resolve(self.zone) else { return false };
            if !dataset.answers.has_gates() {
                return true;
            }
            let mut any = false;
            for value in answer.values_for(self.asker) {
                any = true;
                let wait = value.gate.and_then(|gate| gate.pass(self.asker));
                delay = delay.max(wait.unwrap_or_default());
            }
            any
        });
        delay
    }
}

/// The test point that a name relative to its zone, or the key it stands for, is.
#[inline(always)]
pub(super) fn test_point(name: &[u8], key: &Key) -> Option<TestPoint> {
    match *key {
        Key { ip4: Some(0x7f00_0002), .. } => Some(TestPoint::AlwaysListed),
        Key { ip4: Some(0x7f00_0001), .. } => Some(TestPoint::NeverListed),
        Key { ip4: Some(_), .. } => None,
        Key { ip6: Some(0xffff_7f00_0002), .. } => Some(TestPoint::AlwaysListed),
        Key { ip6: Some(0xffff_7f00_0001), .. } => Some(TestPoint::NeverListed),
        Key { ip6: Some(_), .. } => None,
        _ if name == b"\x04test\0" => Some(TestPoint::AlwaysListed),
        _ if name == b"\x07invalid\0" => Some(TestPoint::NeverListed),
        _ => None,
    }
}

impl View<'_> {
    fn ask(
        &self,
        number: usize,
        dataset: &Dataset,
        key: &Key,
        found: &mut Findings,
        hits: &mut Vec<Hit>,
        records: &mut Vec<RecordHit>,
    ) {
        let mut hit = |answer: AnswerId, key| {
            if answer.is_listed() {
                hits.push(Hit { place: self.place(number), answer, key, test_point: false });
            }
        };
        if let (Some(trie), Some(key)) = (&dataset.ip4, key.ip4) {
            hit(trie.lookup(key), HitKey::Ip4(key));
        }
        if let (Some(trie), Some(key)) = (&dataset.ip6, key.ip6) {
            hit(trie.lookup(key), HitKey::ip6(key));
        }
        if let (Some(names), 1..) = (&dataset.names, self.labels()) {
            match names.lookup(self.name) {
                NameLookup::Listed { answer, labels } => {
                    hit(answer, HitKey::Name { listed: labels, apex: self.apex });
                }
                NameLookup::EmptyNonTerminal => {
                    found.empty_non_terminal |= !dataset.hides_empty_non_terminals;
                }
                NameLookup::Nothing => {}
            }
        }
        self.ask_records(number, dataset, found, records);
    }

    fn ask_records(
        &self,
        number: usize,
        dataset: &Dataset,
        found: &mut Findings,
        records: &mut Vec<RecordHit>,
    ) {
        if let Some(set) = &dataset.records {
            match set.lookup(self.name) {
                Found::Records(name) => records.push(RecordHit { place: self.place(number), name }),
                Found::EmptyNonTerminal => found.empty_non_terminal = true,
                Found::Nothing => {}
            }
        }
        found.combined |= dataset.subzones.is_some();
    }
}
