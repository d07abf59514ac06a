//! The sweep: one walk over all that a zone answers, for whoever copies a zone (a master file, a
//! transfer, an export, a comparison).
//!
//! A [`SweepSection`] is what is answered below one apex: a zone is one section, and a zone with a
//! `combined` dataset is one for each of its subzones. In a section all datasets count together, as
//! they do for a query of a client without a key: allow lists are taken off, test points are
//! included, and values that are not yet listed at that time are left out. What a sweep gives:
//!
//! | | in the order of | gives |
//! |---|---|---|
//! | [`SweepSection::ip4`], [`SweepSection::ip6`] | addresses | ranges, each with the datasets that list it |
//! | [`SweepSection::nodes`] | names (RFC 4034 section 6.1) | all names that exist, with wildcards and records |
//! | [`SweepSection::names`] | names | the same without those of addresses |
//!
//! A sweep reads the tries as it goes: its memory does not grow with the zone, but for the ordinary
//! records.

mod addresses;
mod names;
#[cfg(test)]
mod tests;

use super::{Dataset, Scoring, Subzones, Zone};
use crate::answer::AnswerId;
use crate::listing::records::Record;
use crate::listing::{Answer, Asker};
use crate::range::Int;
use crate::wire::name::{Labels, MAX_NAME, NameBuf};
use std::rc::Rc;
use std::sync::Arc;

/// Which answers to sweep.
#[derive(Clone, Copy, Debug)]
pub struct SweepOptions {
    /// The time, in seconds since 1970: values that are listed later (`ts=`) are left out.
    pub now: u64,
    /// List IPv4 addresses as v4-mapped and 6to4 addresses too, as the server does: the sweep is
    /// about three times as long.
    pub ip4_in_ip6: bool,
}

/// Why a zone cannot be swept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Unswept {
    /// A `combined` dataset stands beside others or is an allow list, and the answers of several subzones for
    /// one name are not merged.
    #[error("its combined dataset is not alone in it")]
    NotAlone,
    /// It is a verdict zone: what it lists is in no dataset.
    #[error("it is a verdict zone, which lists sums; take the zones of its datasets")]
    Verdict,
}

/// A dataset that lists a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Hit {
    /// The place of the dataset in the section.
    dataset: u16,
    answer: AnswerId,
    /// What the dataset lists, which `$` in a text stands for.
    pub key: HitKind,
    /// The default value of the dataset, given for a test point that no dataset lists.
    test_point: bool,
}

/// What a dataset lists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HitKind {
    /// An IPv4 address.
    Ip4,
    /// An IPv6 address.
    Ip6,
    /// A name of that many labels, counted from the apex.
    Name(u8),
}

/// The datasets that list a key, in their order: empty if it is not listed.
pub type Hits = Rc<[Hit]>;

/// A range of addresses that the same datasets list with the same answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedRange<K> {
    /// The first address.
    pub start: K,
    /// The last address.
    pub end: K,
    /// What lists them; not empty.
    pub hits: Hits,
}

/// A name. All names are relative to the apex of the section.
///
/// A name without data has names below it, or is not listed although one above it is: a copy of the
/// zone needs no record of it, unless it is an exclusion.
#[derive(Clone, Copy, Debug)]
pub struct Node<'n, 'z> {
    /// The name, in wire form.
    pub name: &'n [u8],
    /// The datasets that list the name itself.
    pub itself: &'n [Hit],
    /// The ordinary records of the name.
    pub records: &'n [Record<'z>],
    /// The datasets that list every name below it that does not exist: a wildcard (RFC 4592).
    pub wildcard: &'n [Hit],
    /// The name has no data and nothing below it, and exists so that the wildcard above it does not
    /// apply.
    pub is_exclusion: bool,
}

/// Takes what [`SweepSection::nodes`] gives.
pub trait Visitor {
    /// Why a visitor ends the sweep.
    type Error;

    /// Takes a name, all of whose predecessors in canonical order were given before.
    fn node(&mut self, node: Node<'_, '_>) -> Result<(), Self::Error>;

    /// True if the data of a hit differ from address to address, as a text that shows the address.
    /// Such a hit is no reason for a wildcard that would also cover addresses that are not listed.
    fn shows_key(&mut self, hit: &Hit) -> bool;
}

/// What the datasets below one apex answer.
pub struct SweepSection<'z> {
    zone: &'z Zone,
    datasets: &'z [Arc<Dataset>],
    apex: NameBuf,
    /// Subzones below the apex, which are sections of their own.
    cuts: Vec<NameBuf>,
    asker: Asker,
    has_ip4: bool,
    has_ip6: bool,
    /// Some dataset has names: an address that is never listed must not be listed as a name either.
    has_names: bool,
    /// Some address of the family is listed, or must not be as a name because an allow list has it.
    asks_ip4: bool,
    asks_ip6: bool,
    ip4_in_ip6: bool,
    /// A block of addresses gets a wildcard only if all of it is listed alike.
    whole_blocks: bool,
}

/// The sections of a zone, in the order of its files.
pub fn sections(
    zone: &Zone,
    options: SweepOptions,
) -> Result<impl Iterator<Item = SweepSection<'_>>, Unswept> {
    if zone.scoring.is_some() { Err(Unswept::Verdict) } else { address_sections(zone, options) }
}

/// The same, of verdict zones, too, but for addresses alone: an address has hits there if its sum reaches a
/// threshold, those of the lists with positive weights.
pub fn address_sections(
    zone: &Zone,
    options: SweepOptions,
) -> Result<impl Iterator<Item = SweepSection<'_>>, Unswept> {
    let combined = zone.datasets.iter().find_map(|set| set.subzones.as_ref());
    let is_alone = combined.is_none() || zone.datasets.len() == 1;
    if !is_alone || zone.allow.iter().any(|set| set.subzones.is_some()) {
        return Err(Unswept::NotAlone);
    }
    let datasets = zone.scoring.as_ref().map_or(&zone.datasets[..], |scoring| scoring.datasets());
    let whole = combined
        .is_none()
        .then(|| SweepSection::new(zone, datasets, zone.apex.clone(), Vec::new(), options));
    let subzones = combined.map_or(&[][..], Subzones::all);
    let parts = subzones.iter().filter_map(move |subzone| {
        let apex = subzone.apex.join(&zone.apex)?;
        let others = subzones.iter().filter(|other| other.apex != subzone.apex);
        let cuts = others.filter_map(|other| relative(&other.apex, &subzone.apex)).collect();
        Some(SweepSection::new(zone, &subzone.datasets, apex, cuts, options))
    });
    Ok(whole.into_iter().chain(parts))
}

impl Hit {
    /// Not a hit: no dataset can list the key, whatever it has.
    const NEVER: Self =
        Self { dataset: u16::MAX, answer: AnswerId::NONE, key: HitKind::Ip4, test_point: false };
}

impl<'z> SweepSection<'z> {
    fn new(
        zone: &'z Zone,
        datasets: &'z [Arc<Dataset>],
        apex: NameBuf,
        cuts: Vec<NameBuf>,
        SweepOptions { now, ip4_in_ip6 }: SweepOptions,
    ) -> Self {
        let any = |has: fn(&Dataset) -> bool| datasets.iter().any(|set| has(set));
        let has_names = any(Dataset::takes_names);
        let asks = |has: fn(&Dataset) -> bool| {
            any(has) || has_names && zone.allow.iter().any(|set| has(set))
        };
        Self {
            zone,
            datasets,
            apex,
            cuts,
            asker: Asker { now, has_key: false },
            has_ip4: any(|set| set.ip4.is_some()),
            has_ip6: any(|set| set.ip6.is_some()),
            has_names,
            asks_ip4: asks(|set| set.ip4.is_some()),
            asks_ip6: asks(|set| set.ip6.is_some()),
            ip4_in_ip6,
            whole_blocks: false,
        }
    }

    /// The same, but a block of addresses gets a wildcard only if all of it is listed alike: what is not listed
    /// does not exist, and the names are more.
    pub fn with_whole_blocks(self) -> Self {
        Self { whole_blocks: true, ..self }
    }

    /// The apex, absolute.
    pub fn apex(&self) -> &NameBuf {
        &self.apex
    }

    /// The datasets, in their order.
    pub fn datasets(&self) -> impl Iterator<Item = &'z Arc<Dataset>> + use<'z> {
        self.datasets.iter()
    }

    /// The client that the answers are for.
    pub fn asker(&self) -> Asker {
        self.asker
    }

    /// The dataset of a hit, and its answer.
    pub fn resolve(&self, hit: &Hit) -> Option<(&'z Dataset, Answer<'z>)> {
        let dataset = self.datasets.get(usize::from(hit.dataset))?;
        let answers = if hit.test_point { &dataset.default_answer } else { &dataset.answers };
        Some((dataset, answers.get(hit.answer)))
    }

    /// The listed IPv4 addresses: the fewest ranges, in order.
    pub fn ip4(&self) -> impl Iterator<Item = ListedRange<u32>> + '_ {
        ranges(|address| self.of_ip4(address))
    }

    /// The listed IPv6 addresses: the fewest ranges, in order.
    pub fn ip6(&self) -> impl Iterator<Item = ListedRange<u128>> + '_ {
        ranges(|address| self.of_ip6(address))
    }

    /// Those of the listed IPv4 addresses that are not before `start`.
    pub fn ip4_from(&self, start: u32) -> impl Iterator<Item = ListedRange<u32>> + '_ {
        ranges_from(start, |address| self.of_ip4(address))
    }

    /// Those of the listed IPv6 addresses that are not before `start`.
    pub fn ip6_from(&self, start: u128) -> impl Iterator<Item = ListedRange<u128>> + '_ {
        ranges_from(start, |address| self.of_ip6(address))
    }

    /// The last IPv4 address before `start` that some dataset lists, whether an allow list has it or not, and
    /// whatever the sum is of a verdict zone.
    pub fn last_ip4_before(&self, start: u32) -> Option<u32> {
        last_before(start, |from, to| {
            self.lists().filter_map(|set| set.ip4.as_ref()).any(|trie| trie.any_in(from, to))
        })
    }

    /// The last IPv6 address before `start` that some dataset lists, as [`last_ip4_before`](Self::last_ip4_before).
    pub fn last_ip6_before(&self, start: u128) -> Option<u128> {
        last_before(start, |from, to| {
            self.lists().filter_map(|set| set.ip6.as_ref()).any(|trie| trie.any_in(from, to))
        })
    }

    /// Gives all names that exist to a visitor, in canonical order, the apex first.
    ///
    /// # Errors
    ///
    /// The error of the visitor, which ends the sweep.
    pub fn nodes<V: Visitor>(&self, visitor: &mut V) -> Result<(), V::Error> {
        let mut merge = names::Merge::start(self, visitor)?;
        if self.asks_ip4 || self.asks_ip6 {
            addresses::walk(self, &mut merge)?;
        }
        merge.finish()
    }

    /// Gives the names that exist but for those of addresses, as [`nodes`](Self::nodes) does.
    ///
    /// # Errors
    ///
    /// The error of the visitor, which ends the sweep.
    pub fn names<V: Visitor>(&self, visitor: &mut V) -> Result<(), V::Error> {
        names::Merge::start(self, visitor)?.finish()
    }

    /// True if some dataset can list addresses.
    pub fn has_addresses(&self) -> bool {
        self.has_ip4 || self.has_ip6
    }

    /// True if some dataset can list names.
    pub fn has_names(&self) -> bool {
        self.has_names
    }

    /// The weight of the dataset at this place; 1 in other zones than verdict zones.
    fn weight(&self, dataset: usize) -> i32 {
        let scoring = self.zone.scoring.as_ref();
        scoring.map_or(1, |scoring| scoring.weights().get(dataset).copied().unwrap_or(0))
    }

    /// The datasets that list what they have.
    fn lists(&self) -> impl Iterator<Item = &'z Dataset> {
        let lists = self.datasets.iter().enumerate();
        lists.filter(|(number, _)| self.weight(*number) > 0).map(|(_, list)| &**list)
    }

    /// What is left in a verdict zone of the hits of an address: those that list it, if the sum of all is enough.
    fn weigh(&self, scoring: &Scoring, hits: &mut Vec<Hit>) {
        let place = |hit: &Hit| usize::from(hit.dataset);
        let mut counted: Vec<usize> = hits.iter().map(place).collect();
        counted.dedup();
        let sum = counted.into_iter().map(|number| self.weight(number)).sum();
        let is_listed = scoring.value(sum).is_some();
        hits.retain(|hit| is_listed && self.weight(place(hit)) > 0);
    }

    /// The hit of an answer, if it has a value for the client.
    fn hit(&self, dataset: usize, answer: AnswerId, key: HitKind) -> Option<Hit> {
        let set = self.datasets.get(dataset)?;
        let any = set.answers.get(answer).values_for(self.asker).next().is_some();
        any.then_some(Hit { dataset: dataset as u16, answer, key, test_point: false })
    }

    /// The hit of the test point that is always listed, if nothing lists it.
    fn test_hit(&self, key: HitKind) -> Option<Hit> {
        let belongs = match key {
            HitKind::Ip4 => self.has_ip4,
            HitKind::Ip6 => self.has_ip6,
            HitKind::Name(_) => self.has_names,
        };
        if self.zone.state != super::ZoneState::Live || !belongs {
            return None;
        }
        let dataset = self.datasets.iter().position(|set| set.is_list())?;
        Some(Hit { dataset: dataset as u16, answer: AnswerId(1), key, test_point: true })
    }

    /// True if names can stand below a name relative to the apex.
    fn has_room_below(&self, name: &[u8]) -> bool {
        name.len() + 2 + self.apex.as_wire().len() - 1 <= MAX_NAME
    }
}

/// The listed ranges of a family of addresses. `at` gives the hits of an address, and the last address
/// up to which they are known to hold.
fn ranges<K: Int>(at: impl Fn(K) -> (Vec<Hit>, K)) -> impl Iterator<Item = ListedRange<K>> {
    ranges_from(K::ZERO, at)
}

/// The same from an address on.
fn ranges_from<K: Int>(
    start: K,
    at: impl Fn(K) -> (Vec<Hit>, K),
) -> impl Iterator<Item = ListedRange<K>> {
    let mut next = Some(start);
    let mut pieces = std::iter::from_fn(move || {
        let start = next?;
        let (mut hits, end) = at(start);
        hits.retain(|hit| *hit != Hit::NEVER);
        next = end.successor();
        Some((start, end, hits))
    })
    .filter(|(.., hits)| !hits.is_empty())
    .peekable();
    std::iter::from_fn(move || {
        let (start, mut end, hits) = pieces.next()?;
        let goes_on = |end: K, (start, _, others): &(K, K, Vec<Hit>)| {
            end.successor() == Some(*start) && *others == hits
        };
        while let Some((_, last, _)) = pieces.next_if(|piece| goes_on(end, piece)) {
            end = last;
        }
        Some(ListedRange { start, end, hits: hits.into() })
    })
}

/// The last address before `start` that is listed; `any` says whether one from a first to a last address is.
fn last_before<K: Int>(start: K, any: impl Fn(K, K) -> bool) -> Option<K> {
    let end = (start > K::ZERO).then(|| start - K::ONE)?;
    if !any(K::ZERO, end) {
        return None;
    }
    // It is not before `low`, and not behind `high`.
    let (mut low, mut high) = (K::ZERO, end);
    while low < high {
        // Behind `low`, and not behind `high`.
        let middle = high - ((high - low - K::ONE) >> 1);
        match any(middle, high) {
            true => low = middle,
            false => high = middle - K::ONE,
        }
    }
    Some(low)
}

/// A name relative to one that it is at or below.
pub fn relative(name: &NameBuf, apex: &NameBuf) -> Option<NameBuf> {
    let labels = name.labels().count().checked_sub(apex.labels().count())?;
    let rest = suffix(name.as_wire(), labels);
    let head = &name.as_wire()[..name.as_wire().len() - rest.len()];
    (rest == apex.as_wire()).then(|| NameBuf::from_wire(&[head, &[0]].concat()))?
}

/// A name without that many of its first labels.
pub fn suffix(name: &[u8], without: usize) -> &[u8] {
    let mut rest = name;
    for _ in 0..without {
        rest = rest.get(usize::from(rest[0]) + 1..).unwrap_or(&[0]);
    }
    rest
}

fn label_count(name: &[u8]) -> usize {
    Labels::of(name).count()
}
