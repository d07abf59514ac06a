//! What a log tells of the addresses of a prefix.

use super::block::{Body, ListPlace, ListedValues, LoadHead, Operation, Space};
use super::files::Step;
use super::query::{History, Turn};
use crate::zone::diff::Key;
use ipnet::IpNet;
use std::collections::{BTreeMap, VecDeque};

/// Something that became of addresses of a prefix at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrefixMoment {
    /// When, in seconds since 1970.
    pub time: u64,
    /// The list that they are in.
    pub place: ListPlace,
    /// The addresses.
    pub key: Key,
    /// What.
    pub turn: Turn,
    /// True if that was so already when the history begins.
    pub is_first_known: bool,
}

/// What a log tells of a prefix.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PrefixTimeline {
    /// The newest of what became of its addresses, the oldest first.
    pub moments: VecDeque<PrefixMoment>,
    /// How much became of them before.
    pub older: u64,
    /// How many of its addresses are listed in the end, in all lists.
    pub listed: u128,
    /// The times of the first and the last load that it looked at: nothing is known from before and after.
    pub known: Option<(u64, u64)>,
    /// What is listed now is not known, because a load is missing.
    pub is_cut: bool,
}

impl History {
    /// What became of the addresses of a prefix up to a time, in seconds since 1970: the newest `most` of it.
    pub fn within(&self, net: IpNet, until: u64, most: usize) -> PrefixTimeline {
        let (space, first, last) = match net {
            IpNet::V4(net) => {
                (Space::Ip4, net.network().to_bits().into(), net.broadcast().to_bits().into())
            }
            IpNet::V6(net) => (Space::Ip6, net.network().to_bits(), net.broadcast().to_bits()),
        };
        let timeline = PrefixTimeline::default();
        let mut walk = Walk { space, first, last, most, listed: BTreeMap::new(), timeline };
        self.0.walk_until(until, &mut |step| match step {
            Step::Load(head, body) => walk.load(&head, body),
            Step::Unconnected(head) => walk.cut(&head),
            Step::Refusal(_) => {}
        });
        let Walk { listed, mut timeline, .. } = walk;
        timeline.listed = listed.values().map(Ranges::width).fold(0, u128::saturating_add);
        timeline
    }
}

/// A walk through a log.
struct Walk {
    space: Space,
    first: u128,
    last: u128,
    most: usize,
    /// What is listed, by list.
    listed: BTreeMap<ListPlace, Ranges>,
    timeline: PrefixTimeline,
}

impl Walk {
    fn load(&mut self, head: &LoadHead, body: Body<'_>) {
        let is_first = self.timeline.known.is_none();
        self.know(head);
        let mut answers = None;
        // What a load that states all does not list is not listed any more.
        let mut left =
            if head.is_whole { std::mem::take(&mut self.listed) } else { BTreeMap::new() };
        self.timeline.is_cut &= !head.is_whole;
        let space = self.space;
        for mut group in body.groups().filter(|group| group.place.space == space) {
            while let Some((start, end)) = group.keys.next_range() {
                if start > self.last {
                    break;
                }
                if end < self.first {
                    continue;
                }
                let range = (start.max(self.first), end.min(self.last));
                let place = &group.place;
                let listed = self.listed.entry(place.clone()).or_default();
                let were = listed.take(range);
                match group.operation {
                    Operation::Delist => self.tell_all(head, place, &were, &Turn::Delisted, false),
                    Operation::Exclude => self.tell_all(head, place, &were, &Turn::Excluded, false),
                    Operation::List(answer) => {
                        listed.add(range);
                        let were = match left.get_mut(place) {
                            Some(left) => left.take(range),
                            None => were,
                        };
                        let answers = answers.get_or_insert_with(|| body.answers());
                        let values: ListedValues = answers.get(answer).cloned().unwrap_or_default();
                        let new = without(range, &were);
                        let turn = Turn::Listed(values.clone());
                        self.tell_all(head, place, &new, &turn, head.is_whole && is_first);
                        if !head.is_whole {
                            self.tell_all(head, place, &were, &Turn::Changed(values), false);
                        }
                    }
                }
            }
        }
        for (place, ranges) in left {
            let ranges: Vec<_> = ranges.0.into_iter().collect();
            self.tell_all(head, &place, &ranges, &Turn::Delisted, false);
        }
    }

    fn cut(&mut self, head: &LoadHead) {
        self.know(head);
        self.timeline.is_cut = true;
        for (place, ranges) in std::mem::take(&mut self.listed) {
            let ranges: Vec<_> = ranges.0.into_iter().collect();
            self.tell_all(head, &place, &ranges, &Turn::Unknown, false);
        }
    }

    fn know(&mut self, head: &LoadHead) {
        let first = self.timeline.known.map_or(head.time, |(first, _)| first);
        self.timeline.known = Some((first, head.time));
    }

    fn tell_all(
        &mut self,
        head: &LoadHead,
        place: &ListPlace,
        ranges: &[(u128, u128)],
        turn: &Turn,
        is_first_known: bool,
    ) {
        for &(start, end) in ranges {
            let key = match self.space {
                Space::Ip4 => Key::Ip4(start as u32, end as u32),
                _ => Key::Ip6(start, end),
            };
            let (place, turn) = (place.clone(), turn.clone());
            let moment = PrefixMoment { time: head.time, place, key, turn, is_first_known };
            self.timeline.moments.push_back(moment);
            if self.timeline.moments.len() > self.most {
                self.timeline.moments.pop_front();
                self.timeline.older += 1;
            }
        }
    }
}

/// Ranges that do not meet: the first and the last of each.
#[derive(Default)]
struct Ranges(BTreeMap<u128, u128>);

impl Ranges {
    /// Takes out what is in a range, and gives it.
    fn take(&mut self, (start, end): (u128, u128)) -> Vec<(u128, u128)> {
        let before = self.0.range(..start).next_back().filter(|(_, last)| **last >= start);
        let meets = before.map(|(first, _)| *first).into_iter();
        let meets: Vec<u128> =
            meets.chain(self.0.range(start..=end).map(|(first, _)| *first)).collect();
        let mut taken = Vec::new();
        for first in meets {
            let Some(last) = self.0.remove(&first) else { continue };
            if first < start {
                self.0.insert(first, start - 1);
            }
            if last > end {
                self.0.insert(end + 1, last);
            }
            taken.push((first.max(start), last.min(end)));
        }
        taken
    }

    /// Adds a range that meets no other.
    fn add(&mut self, (start, end): (u128, u128)) {
        self.0.insert(start, end);
    }

    fn width(&self) -> u128 {
        let widths = self.0.iter().map(|(start, end)| (end - start).saturating_add(1));
        widths.fold(0, u128::saturating_add)
    }
}

/// What of a range is in none of others, which are in it, sorted and disjoint.
fn without((start, end): (u128, u128), others: &[(u128, u128)]) -> Vec<(u128, u128)> {
    let mut rest = Vec::new();
    let mut next = Some(start);
    for &(first, last) in others {
        rest.extend(next.filter(|next| *next < first).map(|next| (next, first - 1)));
        next = last.checked_add(1);
    }
    rest.extend(next.filter(|next| *next <= end).map(|next| (next, end)));
    rest
}
