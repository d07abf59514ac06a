//! The one lookup: which datasets of a zone list what is asked.
//!
//! A `lookup` gives each [`Match`] to a sink. The fast path keeps one, the general path collects all.
//! A `View` is what the datasets below one apex see of a name; a zone has one, and one more for each
//! `combined` dataset that has a subzone for the name.

use super::key::{Below, MAPPED, QueryKey, TestPoint};
use super::{CompiledZone, Dataset, Scoring, SenderKey, Subzones};
use crate::answer::AnswerId;
use crate::listing::Answer;
use crate::trie::digests::MIN_DIGITS;
use crate::trie::names::NameLookup;
use crate::wire::name::{LowerName, NameBuf, PaddedName};
use std::sync::Arc;

/// A dataset that lists what is asked.
#[derive(Clone, Copy, Debug)]
pub struct Match<'z> {
    /// The dataset.
    pub dataset: &'z Dataset,
    /// The number of the answer, in [`Dataset::answers`] or, for a test point, in
    /// [`Dataset::default_answer`].
    pub answer: AnswerId,
    /// What is listed.
    pub key: MatchedKey,
    /// No dataset lists this test point; it is given the default value of the dataset.
    pub test_point: bool,
    /// The allow list that has the key, which is therefore not listed in the zone.
    pub allowed_by: Option<&'z Dataset>,
}

impl<'z> Match<'z> {
    /// What the dataset says of the key.
    pub fn answer(&self) -> Answer<'z> {
        let Self { dataset, answer, test_point, .. } = *self;
        if test_point { dataset.default_answer.get(answer) } else { dataset.answers.get(answer) }
    }
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchedKey {
    /// The IPv4 address asked.
    Ip4(u32),
    /// The IPv6 address asked.
    Ip6(u128),
    /// The `listed` labels before the last `apex` ones of the name asked.
    Name {
        /// The number of labels of the name that is listed.
        listed: u8,
        /// The number of labels of the apex of the subzone, 0 in the zone itself.
        apex: u8,
    },
}

impl MatchedKey {
    /// Who is asked for; `labels` are those of the name that was looked up, without the final zero.
    pub(crate) fn sender(self, labels: &[u8]) -> SenderKey<'_> {
        match self {
            Self::Ip4(address) => SenderKey::Ip4(address),
            Self::Ip6(address) => SenderKey::Ip6(address),
            Self::Name { .. } => SenderKey::Name(labels),
        }
    }
}

/// What there is besides the matches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Some dataset lists what is asked, whether it was given to the sink or not.
    pub listed: bool,
    /// A name below the one asked is listed.
    pub empty_non_terminal: bool,
}

/// What the lists of a verdict zone have of a name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weighed {
    /// The sum of the weights that count.
    pub(crate) sum: i32,
    /// What there is besides.
    pub(crate) found: Found,
}

/// What is looked up in each dataset.
pub(crate) trait Probe {
    /// Gives what the dataset has for it; true if it is an empty non-terminal there.
    fn ask(&self, dataset: &Dataset, listed: impl FnMut(AnswerId, MatchedKey)) -> bool;

    /// True if this allow list has it.
    #[inline(always)]
    fn is_allowed_by(&self, set: &Dataset) -> bool {
        let mut is_allowed = false;
        self.ask(set, |_, _| is_allowed = true);
        is_allowed
    }
}

/// Gives each dataset that lists what the probe is to the sink, and says which allow list has it.
/// `point` is the test point that it is: such a point is in no allow list, and one that is never listed
/// is given to no sink.
#[inline(always)]
pub(crate) fn lookup<'z, P: Probe>(
    datasets: &'z [Arc<Dataset>],
    allow: &'z [Arc<Dataset>],
    point: Option<TestPoint>,
    probe: &P,
    mut sink: impl FnMut(Match<'z>),
) -> Found {
    let (mut found, mut allowed_by) = (Found::default(), None);
    for dataset in datasets {
        let listed = &mut found.listed;
        let exists = probe.ask(dataset, |answer, key| {
            if !*listed && !allow.is_empty() && point.is_none() {
                let by = allow.iter().find(|set| probe.is_allowed_by(set));
                allowed_by = by.map(Arc::as_ref);
            }
            *listed = true;
            if point != Some(TestPoint::NeverListed) {
                sink(Match { dataset, answer, key, test_point: false, allowed_by });
            }
        });
        found.empty_non_terminal |= exists;
    }
    found
}

/// An IPv4 address in a zone that lists nothing else.
pub(crate) struct Ip4(pub(crate) u32);

impl Probe for Ip4 {
    #[inline(always)]
    fn ask(&self, dataset: &Dataset, mut listed: impl FnMut(AnswerId, MatchedKey)) -> bool {
        if let Some(trie) = &dataset.ip4 {
            let answer = trie.lookup(self.0);
            if answer.is_listed() {
                listed(answer, MatchedKey::Ip4(self.0));
            }
        }
        false
    }
}

/// An IPv6 address in a zone that lists nothing else.
pub(crate) struct Ip6(pub(crate) u128);

impl Probe for Ip6 {
    #[inline(always)]
    fn ask(&self, dataset: &Dataset, mut listed: impl FnMut(AnswerId, MatchedKey)) -> bool {
        if let Some(trie) = &dataset.ip6 {
            let answer = trie.lookup(self.0);
            if answer.is_listed() {
                listed(answer, MatchedKey::Ip6(self.0));
            }
        }
        false
    }
}

/// A name in a zone that lists nothing else.
#[derive(Clone, Copy)]
pub(crate) struct Name<'n> {
    room: &'n PaddedName,
    /// The position of each label and of the final zero.
    starts: &'n [u8],
    /// See [`MatchedKey::Name`].
    apex: u8,
}

impl<'n> Name<'n> {
    #[inline(always)]
    pub(crate) fn new(name: &'n LowerName) -> Self {
        Self { room: name.padded(), starts: name.starts(), apex: 0 }
    }

    /// The number of labels.
    fn count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The labels, without a final zero.
    fn labels(&self) -> &'n [u8] {
        &self.room[..self.starts.last().map_or(0, |&end| usize::from(end))]
    }

    fn to_wire(self) -> NameBuf {
        NameBuf::from_labels(self.labels())
    }
}

impl Probe for Name<'_> {
    #[inline(always)]
    fn ask(&self, dataset: &Dataset, mut listed: impl FnMut(AnswerId, MatchedKey)) -> bool {
        let Some(names) = &dataset.names else { return false };
        match names.lookup_labels(self.room, self.starts) {
            NameLookup::Listed { answer, labels } => {
                listed(answer, MatchedKey::Name { listed: labels, apex: self.apex });
                false
            }
            NameLookup::EmptyNonTerminal => !dataset.hides_empty_non_terminals,
            NameLookup::Nothing => false,
        }
    }
}

/// A name of one label in a zone that lists hashes and nothing else.
#[derive(Clone, Copy)]
pub(crate) struct Digest<'n> {
    label: &'n [u8],
    /// See [`MatchedKey::Name`].
    apex: u8,
}

impl<'n> Digest<'n> {
    /// `None` if the name has another number of labels: no hash has them.
    #[inline(always)]
    pub(crate) fn new(name: &Name<'n>) -> Option<Self> {
        let &[start, end] = name.starts else { return None };
        let label = name.room.get(usize::from(start) + 1..usize::from(end))?;
        Some(Self { label, apex: name.apex })
    }

    /// False for a label that is none of a hash, as those are that a zone has itself.
    #[inline(always)]
    pub(crate) fn has_digits(&self) -> bool {
        self.label.len() >= MIN_DIGITS && self.label.first() != Some(&b'_')
    }
}

impl Probe for Digest<'_> {
    #[inline(always)]
    fn ask(&self, dataset: &Dataset, mut listed: impl FnMut(AnswerId, MatchedKey)) -> bool {
        if let Some(digests) = &dataset.digests {
            let answer = digests.lookup(self.label);
            if answer.is_listed() {
                listed(answer, MatchedKey::Name { listed: 1, apex: self.apex });
            }
        }
        false
    }
}

/// A name as the datasets below one apex see it: that of the zone or of a subzone.
pub(crate) struct View<'z, 'n> {
    zone: &'z CompiledZone,
    /// The name relative to the zone.
    whole: &'n LowerName,
    pub(crate) datasets: &'z [Arc<Dataset>],
    /// The name relative to the apex.
    name: Name<'n>,
    /// The addresses it stands for.
    pub(crate) key: QueryKey,
    /// The test point it is, if the zone looks after them.
    pub(crate) test_point: Option<TestPoint>,
}

/// What can be a key in a zone or subzone of several kinds of lists.
impl Probe for View<'_, '_> {
    #[inline(never)]
    fn ask(&self, dataset: &Dataset, mut listed: impl FnMut(AnswerId, MatchedKey)) -> bool {
        if let Some(ip4) = self.key.ip4 {
            Ip4(ip4).ask(dataset, &mut listed);
        }
        if let Some(ip6) = self.key.ip6 {
            Ip6(ip6).ask(dataset, &mut listed);
        }
        if let Some(digest) = Digest::new(&self.name) {
            digest.ask(dataset, &mut listed);
        }
        self.name.count() > 0 && self.name.ask(dataset, listed)
    }

    fn is_allowed_by(&self, set: &Dataset) -> bool {
        self.any_in(set, |view, set| {
            let mut is_allowed = false;
            view.ask(set, |_, _| is_allowed = true);
            is_allowed
        })
    }
}

/// The views of a name relative to a zone: that of the zone, then those of the subzones that answer for
/// the name.
pub(crate) fn views<'z, 'n>(
    zone: &'z CompiledZone,
    name: &'n LowerName,
) -> impl Iterator<Item = View<'z, 'n>> {
    let combined = zone.datasets.iter().filter_map(|set| set.subzones.as_ref());
    let subzones = combined.filter_map(move |subzones| View::of_subzone(zone, name, subzones));
    std::iter::once(View::new(zone, name)).chain(subzones)
}

/// True if a name relative to a zone is the apex of a subzone, or above one.
pub(crate) fn is_at_or_above_subzone(zone: &CompiledZone, name: &LowerName) -> bool {
    let mut combined = zone.datasets.iter().filter_map(|set| set.subzones.as_ref());
    combined.any(|subzones| {
        subzones.is_above_apex(name.wire())
            || subzones.find(name.wire(), name.starts()).is_some_and(|(_, before)| before == 0)
    })
}

impl<'z, 'n> View<'z, 'n> {
    /// The name as the datasets of the zone see it.
    pub(crate) fn new(zone: &'z CompiledZone, name: &'n LowerName) -> Self {
        Self::at(zone, name, &zone.datasets, name.labels())
    }

    /// The name as those of its `subzones` see it that answer for it.
    fn of_subzone(
        zone: &'z CompiledZone,
        name: &'n LowerName,
        subzones: &'z Subzones,
    ) -> Option<Self> {
        let (number, before) = subzones.find(name.wire(), name.starts())?;
        let datasets = &subzones.all().get(number as usize)?.datasets;
        Some(Self::at(zone, name, datasets, before))
    }

    fn at(
        zone: &'z CompiledZone,
        whole: &'n LowerName,
        datasets: &'z [Arc<Dataset>],
        labels: usize,
    ) -> Self {
        let apex = (whole.labels() - labels) as u8;
        let name = Name { room: whole.padded(), starts: &whole.starts()[..=labels], apex };
        let with_ip4 = datasets.iter().any(|set| set.ip4.is_some());
        let key = QueryKey::parse(name.labels(), labels, with_ip4);
        // Those of addresses are points of lists of addresses alone (RFC 5782 section 5).
        let has_addresses = || with_ip4 || datasets.iter().any(|set| set.ip6.is_some());
        let test_point = match key {
            _ if !zone.test_points && zone.unlisted.is_none() => None,
            QueryKey { ip4: Some(ip4), .. } if has_addresses() => TestPoint::of_ip4(ip4),
            QueryKey { ip6: Some(ip6), .. } if has_addresses() => TestPoint::of_ip6(ip6),
            _ => TestPoint::of_name(name.labels()),
        };
        let test_point = match test_point {
            // A zone with a gap must not look healthy, whatever its files list.
            Some(TestPoint::AlwaysListed) if zone.unlisted.is_some() => {
                Some(TestPoint::NeverListed)
            }
            point => point.filter(|_| zone.test_points),
        };
        Self { zone, whole, datasets, name, key, test_point }
    }

    /// The labels of the name, without a final zero.
    pub(crate) fn labels(&self) -> &'n [u8] {
        self.name.labels()
    }

    /// See [`lookup`].
    pub(crate) fn lookup(&self, sink: impl FnMut(Match<'z>)) -> Found {
        lookup(self.datasets, &self.zone.allow, self.test_point, self, sink)
    }

    /// The sum of the weights of the lists of a verdict zone that have the name. Each match is given to `counts`,
    /// the strongest first and one of a list at the most, and counts if that is true.
    ///
    /// Of the test points, the one that is always listed is so by every list with a positive weight that can
    /// have it, as long as the zone has all its data, and by no list with a negative one.
    pub(crate) fn weigh(
        &self,
        scoring: &'z Scoring,
        mut counts: impl FnMut(Match<'z>, i32) -> bool,
    ) -> Weighed {
        let mut weighed = Weighed::default();
        if self.test_point == Some(TestPoint::NeverListed) {
            return weighed;
        }
        for (dataset, weight) in scoring.lists() {
            if weight < 0 && self.test_point.is_some() {
                continue;
            }
            let mut is_counted = false;
            let exists = self.ask(dataset, |answer, key| {
                weighed.found.listed = true;
                let found = Match { dataset, answer, key, test_point: false, allowed_by: None };
                is_counted = is_counted || counts(found, weight);
            });
            if let (false, Some(key)) = (is_counted, self.test_key(dataset)) {
                let answer = AnswerId(1);
                let found = Match { dataset, answer, key, test_point: true, allowed_by: None };
                is_counted = counts(found, weight);
            }
            weighed.sum += if is_counted { weight } else { 0 };
            weighed.found.empty_non_terminal |= exists && weight > 0;
        }
        weighed
    }

    /// The default value of the first list, if there is a dataset that the test point asked belongs to
    /// and the zone has all its data: a health check must not call a dead zone well.
    pub(crate) fn test_match(&self) -> Option<Match<'z>> {
        let key = self.datasets.iter().find_map(|set| self.test_key(set))?;
        let dataset = self.datasets.iter().find(|set| set.is_list())?;
        Some(Match { dataset, answer: AnswerId(1), key, test_point: true, allowed_by: None })
    }

    /// The test point that is always listed, if it is asked, can be in this dataset, and the zone has all its
    /// data.
    fn test_key(&self, dataset: &Dataset) -> Option<MatchedKey> {
        if self.test_point != Some(TestPoint::AlwaysListed) || !self.zone.is_live {
            return None;
        }
        match self.key {
            QueryKey { ip4: Some(ip4), .. } => {
                dataset.ip4.is_some().then_some(MatchedKey::Ip4(ip4))
            }
            QueryKey { ip6: Some(ip6), .. } => {
                dataset.ip6.is_some().then_some(MatchedKey::Ip6(ip6))
            }
            _ => {
                let key = MatchedKey::Name { listed: 1, apex: self.name.apex };
                dataset.takes_names().then_some(key)
            }
        }
    }

    /// True if the name exists although it has no answer: something below it is listed. `was_listed`
    /// says that the name is listed, which can be above others that are.
    #[inline(never)]
    pub(crate) fn exists(&self, was_listed: bool) -> bool {
        was_listed && self.has_names_below() || self.has_addresses_below()
    }

    /// True if some name below this one is listed, whether it is itself or not, and not all of
    /// them are allowed.
    fn has_names_below(&self) -> bool {
        let covers = |view: &View<'_, '_>, set: &Dataset| {
            let names = set.names.as_ref();
            names.is_some_and(|names| names.covers_below(view.name.to_wire().as_wire()))
        };
        if self.zone.allow.iter().any(|set| self.any_in(set, covers)) {
            return false;
        }
        let name = self.name.to_wire();
        let shown = self.datasets.iter().filter(|set| !set.hides_empty_non_terminals);
        let mut names = shown.filter_map(|set| set.names.as_ref());
        names.any(|names| names.lists_below(name.as_wire()))
    }

    /// True if `test` holds for an allow list, for the name as that list sees it: as the datasets
    /// of the view do, or those of its own subzone.
    fn any_in(&self, set: &Dataset, test: impl Fn(&View<'_, '_>, &Dataset) -> bool) -> bool {
        match &set.subzones {
            None => test(self, set),
            Some(subzones) => View::of_subzone(self.zone, self.whole, subzones)
                .is_some_and(|view| view.datasets.iter().any(|set| test(&view, set))),
        }
    }

    /// The addresses whose names end in this one.
    pub(crate) fn below(&self) -> Option<Below> {
        let with_ip4 = self.datasets.iter().any(|set| set.ip4.is_some());
        Below::parse(self.name.labels(), self.name.count(), with_ip4)
    }

    /// True if some address below this short name is listed, the test points included.
    fn has_addresses_below(&self) -> bool {
        let Some(below) = self.below() else { return false };
        let with_points = self.zone.test_points && self.zone.is_live;
        let mapped = MAPPED | u128::from(TestPoint::LISTED);
        self.datasets.iter().any(|set| {
            let ip4 = set.ip4.as_ref().is_some_and(|trie| {
                below.ip4.iter().flatten().any(|range| {
                    trie.any_in(*range.start(), *range.end())
                        || with_points && range.contains(&TestPoint::LISTED)
                })
            });
            let ip6 = set.ip6.as_ref().is_some_and(|trie| {
                below.ip6.iter().flatten().any(|range| {
                    trie.any_in(*range.start(), *range.end())
                        || with_points && range.contains(&mapped)
                })
            });
            ip4 || ip6
        })
    }
}
