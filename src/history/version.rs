//! What was listed at a time, as a dataset that can be compared with another one.
//!
//! The texts are those of the log: the variables are put in, and [`super::KEY`] stands for the key. Names with
//! ordinary records are listed without values, which the log does not have.

use super::block::{BaseHead, Body, ListPlace, ListedValues, LoadHead, Space};
use super::changes;
use super::files::{LogBytes, MAGIC, Step, base};
use super::fold::{LeftKey, each_left};
use super::query::History;
use crate::answer::AnswerId;
use crate::listing::AnswersBuilder;
use crate::range::Range;
use crate::trie::names::NameTreeBuilder;
use crate::trie::{Trie4, Trie6};
use crate::wire::name::NameBuf;
use crate::zone::{Dataset, Subzones};
use std::collections::BTreeMap;

impl History {
    /// What was listed at a time, in seconds since 1970, and the load that had left it. `None` if that is not known:
    /// it was before the loads that are kept whole, or a load is missing.
    pub fn as_of(&self, time: u64) -> Option<(LoadHead, Dataset)> {
        let base = self.0.base.as_deref().and_then(base).map(|(head, _)| head);
        if base.is_some_and(|base| base.time > time) {
            return None;
        }
        let (newest, dataset) = version(&self.0, time)?;
        // The newest load in the base may have left nothing of its own.
        match (newest, base) {
            (Some(newest), None) => Some((newest, dataset)),
            (Some(newest), Some(base)) if newest.number > base.number => Some((newest, dataset)),
            (newest, Some(BaseHead { number, time, content_id, .. })) => {
                let newest = newest.unwrap_or_default();
                Some((LoadHead { number, time, content_id, ..newest }, dataset))
            }
            (None, None) => None,
        }
    }
}

/// A dataset in the same form. `None` if it is too long for a load of a log.
pub fn comparable(dataset: &Dataset) -> Option<Dataset> {
    let mut head = LoadHead { number: 1, ..LoadHead::default() };
    let block = changes::block(None, dataset, &mut head)?;
    let log = LogBytes { base: None, segments: vec![[MAGIC, &block].concat()] };
    version(&log, u64::MAX).map(|(_, dataset)| dataset)
}

/// The newest load up to a time, if one is left, and what was listed then. `None` if a load is missing.
fn version(log: &LogBytes, time: u64) -> Option<(Option<LoadHead>, Dataset)> {
    let mut loads: Vec<(LoadHead, Body<'_>)> = Vec::new();
    let mut is_cut = false;
    log.walk_until(time, &mut |step| match step {
        Step::Load(head, body) => {
            is_cut = false;
            loads.push((head, body));
        }
        Step::Unconnected(_) => {
            is_cut = true;
            loads.clear();
        }
        Step::Refusal(_) => {}
    });
    if is_cut {
        return None;
    }
    let newest = loads.last().map(|(head, _)| head.clone());
    let mut lists: BTreeMap<(Vec<u8>, usize), ListBuilder> = BTreeMap::new();
    each_left(&loads, &mut |place, key, values| {
        let list = (place.apex.as_wire().to_vec(), place.number);
        lists.entry(list).or_default().add(place, key, values);
    });
    let lists = lists.into_iter().filter_map(|((apex, number), list)| {
        Some((NameBuf::from_wire(&apex)?, number, list.finish()))
    });
    Some((newest, whole(lists.collect())))
}

/// The dataset that these lists make: below each apex those of the numbers from 0 on.
fn whole(mut lists: Vec<(NameBuf, usize, Dataset)>) -> Dataset {
    if let [(apex, 0, _)] = &lists[..]
        && apex.is_root()
        && let Some((_, _, list)) = lists.pop()
    {
        return list;
    }
    let mut sections = Vec::new();
    let mut next: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for (apex, number, list) in lists {
        let next = next.entry(apex.as_wire().to_vec()).or_default();
        // Lists that were empty then.
        sections.extend((*next..number).map(|_| (vec![apex.clone()], Dataset::default())));
        *next = number + 1;
        sections.push((vec![apex], list));
    }
    match sections.is_empty() {
        true => Dataset::default(),
        false => Dataset { subzones: Some(Subzones::new(sections)), ..Dataset::default() },
    }
}

/// One list. The keys of each space come in their order.
#[derive(Default)]
struct ListBuilder {
    answers: AnswersBuilder,
    ip4: Vec<Range<u32>>,
    ip6: Vec<Range<u128>>,
    /// What is said of each name, and of those below it.
    names: BTreeMap<Vec<u8>, [Option<AnswerId>; 2]>,
}

impl ListBuilder {
    fn add(&mut self, place: &ListPlace, key: LeftKey<'_>, values: Option<&ListedValues>) {
        let answer = values.map_or(AnswerId::NONE, |values| self.answer(values));
        match (key, place.space) {
            (LeftKey::Range(start, end), Space::Ip4) => {
                let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) else {
                    return;
                };
                self.ip4.push(Range { start, end, answer });
            }
            (LeftKey::Range(start, end), _) => self.ip6.push(Range { start, end, answer }),
            (LeftKey::Name(name), space) => {
                let said = self.names.entry(name.to_vec()).or_default();
                said[usize::from(space == Space::Below)] = Some(answer);
            }
        }
    }

    fn answer(&mut self, values: &ListedValues) -> AnswerId {
        let values: Vec<_> =
            values.iter().filter_map(|value| self.answers.value(value.a, &value.text)).collect();
        if !values.is_empty() {
            return self.answers.answer(&values);
        }
        // A name with ordinary records.
        let nothing = self.answers.value([0, 0, 0, 0].into(), b"");
        nothing.map_or(AnswerId::NONE, |nothing| self.answers.answer(&[nothing]))
    }

    fn finish(self) -> Dataset {
        let Self { answers, ip4, ip6, names } = self;
        let of_names = names.values().flatten().flatten().copied();
        let ip4s = ip4.iter().map(|range| range.answer);
        let all = ip4s.chain(ip6.iter().map(|range| range.answer)).chain(of_names);
        let (answers, numbering) = answers.finish(all.filter(|answer| answer.is_listed()));
        let new = |answer: AnswerId| match answer.is_listed() {
            true => numbering.get(answer),
            false => answer,
        };
        let mut tree = NameTreeBuilder::default();
        for (name, [itself, below]) in &names {
            tree.push(name, itself.map(new), below.map(new));
        }
        Dataset {
            ip4: Some(Trie4::build(
                ip4.into_iter().map(|range| Range { answer: new(range.answer), ..range }),
            )),
            ip6: Some(Trie6::build(
                ip6.into_iter().map(|range| Range { answer: new(range.answer), ..range }),
            )),
            names: Some(tree.finish()),
            answers,
            ..Dataset::default()
        }
    }
}
