//! Since when a list knew many addresses at once: one walk through the log for all of them.

use super::block::{Body, LoadHead, Operation, Space};
use super::files::Step;
use super::query::History;
use std::collections::HashMap;
use std::net::IpAddr;

/// What a log tells of an address around a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// Since when it was listed at the moment, in seconds since 1970; `None` if it was not.
    pub since: Option<u64>,
    /// It may have been listed earlier: `since` is where the history begins.
    pub or_earlier: bool,
    /// When it was listed first after the moment, if it was not at the moment.
    pub later: Option<u64>,
}

/// An address while the log is walked through.
struct Watched {
    moment: u64,
    /// The lists of the dataset that have it by now, by their number, since when, and whether perhaps earlier.
    listed: Vec<(usize, u64, bool)>,
    known: Known,
}

impl History {
    /// What it tells of each of these addresses around a moment, in seconds since 1970.
    pub fn known(&self, asked: &[(IpAddr, u64)]) -> Vec<Known> {
        let mut watch = Watch::new(asked);
        self.0.walk(&mut |step| match step {
            Step::Load(head, body) => watch.load(&head, body),
            Step::Unconnected(head) => watch.cut(head.time),
            Step::Refusal(_) => {}
        });
        watch.all.into_iter().map(|it| it.known).collect()
    }
}

struct Watch {
    all: Vec<Watched>,
    /// The addresses of each family in their order, with their places in `all`.
    ip4: Vec<(u128, usize)>,
    ip6: Vec<(u128, usize)>,
    places: HashMap<super::ListPlace, usize>,
    is_begun: bool,
}

impl Watch {
    fn new(asked: &[(IpAddr, u64)]) -> Self {
        let watched = |(_, moment): &(IpAddr, u64)| Watched {
            moment: *moment,
            listed: Vec::new(),
            known: Known::default(),
        };
        let (mut ip4, mut ip6) = (Vec::new(), Vec::new());
        for (place, (address, _)) in asked.iter().enumerate() {
            match address {
                IpAddr::V4(address) => ip4.push((u128::from(address.to_bits()), place)),
                IpAddr::V6(address) => ip6.push((address.to_bits(), place)),
            }
        }
        ip4.sort_unstable();
        ip6.sort_unstable();
        let all = asked.iter().map(watched).collect();
        Self { all, ip4, ip6, places: HashMap::new(), is_begun: false }
    }

    /// A load is missing: from this time on, nothing is known.
    fn cut(&mut self, time: u64) {
        self.is_begun = true;
        for it in &mut self.all {
            it.listed.clear();
            it.look(time);
        }
    }

    fn load(&mut self, head: &LoadHead, body: Body<'_>) {
        let Self { all, ip4, ip6, places, is_begun } = self;
        let is_first = head.is_whole && !*is_begun;
        *is_begun = true;
        // What a load that states all says nothing of is not listed.
        let mut said = HashMap::new();
        for mut group in body.groups() {
            let addresses = match group.place.space {
                Space::Ip4 => &*ip4,
                Space::Ip6 => &*ip6,
                Space::Name | Space::Below | Space::Records => continue,
            };
            let next = places.len();
            let list = *places.entry(group.place).or_insert(next);
            let mut at = 0;
            while let Some((start, end)) = group.keys.next_range() {
                at += addresses[at..].partition_point(|(address, _)| *address < start);
                let Some(rest) = addresses.get(at..).filter(|rest| !rest.is_empty()) else { break };
                for (_, place) in rest.iter().take_while(|(address, _)| *address <= end) {
                    let is_listed = matches!(group.operation, Operation::List(_));
                    said.insert((*place, list), is_listed);
                }
            }
        }
        for (place, it) in all.iter_mut().enumerate() {
            if head.is_whole {
                it.listed.retain(|(list, ..)| said.get(&(place, *list)).is_some_and(|is| *is));
            }
        }
        let mut touched: Vec<_> = said.into_iter().collect();
        touched.sort_unstable();
        for ((place, list), is_listed) in touched {
            all[place].turn(list, is_listed, head.time, is_first);
        }
        if head.is_whole {
            all.iter_mut().for_each(|it| it.look(head.time));
        }
    }
}

impl Watched {
    fn turn(&mut self, list: usize, is_listed: bool, time: u64, is_first: bool) {
        let known = self.listed.iter().position(|(other, ..)| *other == list);
        match (known, is_listed) {
            (None, true) => self.listed.push((list, time, is_first)),
            (Some(at), false) => _ = self.listed.swap_remove(at),
            _ => {}
        }
        self.look(time);
    }

    /// Notes how it is at a time, as far as that is about the moment.
    fn look(&mut self, time: u64) {
        let first = self.listed.iter().min_by_key(|(_, since, _)| *since);
        if time <= self.moment {
            self.known.since = first.map(|(_, since, _)| *since);
            self.known.or_earlier = first.is_some_and(|(.., or_earlier)| *or_earlier);
        } else if self.known.since.is_none() && self.known.later.is_none() {
            self.known.later = first.map(|(_, since, _)| *since);
        }
    }
}
