//! Which datasets list an address, and up to where that is so.

use super::Options;
use crate::engine::key::{MAPPED, MAPPED_END, SIX_TO_FOUR};
use crate::listing::{Answer, AnswerId, Asker};
use crate::wire::name::NameBuf;
use crate::zone::{Dataset, Zone, ZoneState};
use std::rc::Rc;
use std::sync::Arc;

/// A dataset that lists a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Hit {
    /// The place of the dataset in the zone.
    dataset: u16,
    answer: AnswerId,
    /// What was looked up.
    pub(super) key: Key,
    /// The default value of the dataset, given for a test point it does not list.
    test_point: bool,
}

/// What was looked up, which is what `$` in a text stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Key {
    Ip4,
    Ip6,
    /// A name of that many labels, counted from the zone.
    Name(u8),
}

/// The datasets that list a key: empty if it is not listed.
pub(super) type Hits = Rc<[Hit]>;

impl Hit {
    /// Not a hit: whatever lists the key, it is not listed.
    pub(super) const NEVER: Self =
        Self { dataset: u16::MAX, answer: AnswerId::NONE, key: Key::Ip4, test_point: false };

    /// The dataset and its answer.
    pub(super) fn resolve<'z>(&self, lists: &Lists<'z>) -> Option<(&'z Dataset, Answer<'z>)> {
        let dataset = lists.datasets.get(usize::from(self.dataset))?;
        let answers = if self.test_point { &dataset.default_answer } else { &dataset.answers };
        Some((dataset, answers.get(self.answer)))
    }
}

/// The lists of a zone, or of a subzone of a `combined` dataset, as a client without a key sees them
/// at some time.
pub(super) struct Lists<'z> {
    pub(super) zone: &'z Zone,
    pub(super) datasets: &'z [Arc<Dataset>],
    /// What the names of the lists are relative to.
    pub(super) apex: NameBuf,
    /// Subzones that others answer for.
    pub(super) cuts: Vec<NameBuf>,
    pub(super) asker: Asker,
    has_ip4: bool,
    has_ip6: bool,
    /// Some dataset has names: what is never listed as an address must not be as a name.
    has_names: bool,
    /// IPv4 addresses are keys in the form of v4-mapped and 6to4 addresses too.
    ip4_in_ip6: bool,
}

impl<'z> Lists<'z> {
    pub(super) fn new(
        zone: &'z Zone,
        datasets: &'z [Arc<Dataset>],
        apex: NameBuf,
        Options { now, ip4_in_ip6 }: Options,
    ) -> Self {
        let any = |has: fn(&Dataset) -> bool| datasets.iter().any(|set| has(set));
        Self {
            zone,
            datasets,
            apex,
            cuts: Vec::new(),
            asker: Asker { now, has_key: false },
            has_ip4: any(|set| set.ip4.is_some()),
            has_ip6: any(|set| set.ip6.is_some()),
            has_names: any(|set| set.names.is_some()),
            ip4_in_ip6,
        }
    }

    /// True if addresses can be keys.
    pub(super) fn has_addresses(&self) -> bool {
        self.has_ip4 || self.has_ip6
    }

    /// What lists an IPv4 address, and the last address up to which that is known.
    pub(super) fn of_ip4(&self, address: u32) -> (Vec<Hit>, u32) {
        if !self.has_ip4 {
            return (Vec::new(), u32::MAX);
        }
        let (hits, last, _) = self.look_up(Some(address), None, true);
        (hits, last)
    }

    /// What lists an IPv6 address, and the last address up to which that is known.
    pub(super) fn of_ip6(&self, address: u128) -> (Vec<Hit>, u128) {
        if !(self.has_ip6 || self.has_ip4 && self.ip4_in_ip6) {
            return (Vec::new(), u128::MAX);
        }
        let v6_only = |end: u128| {
            let (hits, _, last) = self.look_up(None, Some(address), false);
            (hits, last.min(end))
        };
        match address {
            _ if !self.has_ip4 => v6_only(u128::MAX),
            ..MAPPED => v6_only(MAPPED - 1),
            MAPPED..=MAPPED_END if !self.ip4_in_ip6 => (Vec::new(), MAPPED_END),
            MAPPED..=MAPPED_END => {
                let (hits, last, _) = self.look_up(Some(address as u32), None, true);
                (hits, MAPPED | u128::from(last))
            }
            AFTER_MAPPED..SIX_TO_FOUR => v6_only(SIX_TO_FOUR - 1),
            SIX_TO_FOUR..=SIX_TO_FOUR_END => {
                let ip4 = (address >> 80) as u32;
                let (hits, last4, last) = self.look_up(Some(ip4), Some(address), self.ip4_in_ip6);
                let last4 = SIX_TO_FOUR | u128::from(last4) << 80 | u128::MAX >> 48;
                (hits, last.min(last4))
            }
            _ => v6_only(u128::MAX),
        }
    }

    /// What lists a key that is one or both of these addresses, and up to where for each. Without
    /// `with_ip4` the lists of IPv4 addresses can only say that it is not listed.
    fn look_up(
        &self,
        ip4: Option<u32>,
        ip6: Option<u128>,
        with_ip4: bool,
    ) -> (Vec<Hit>, u32, u128) {
        let (mut last4, mut last6) = (u32::MAX, u128::MAX);
        let mut runs = |set: &Dataset| {
            let run4 = set.ip4.as_ref().zip(ip4).map(|(trie, key)| trie.run(key));
            let run6 = set.ip6.as_ref().zip(ip6).map(|(trie, key)| trie.run(key));
            last4 = last4.min(run4.map_or(u32::MAX, |(_, last)| last));
            last6 = last6.min(run6.map_or(u128::MAX, |(_, last)| last));
            let answer = |answer: AnswerId| answer.is_listed().then_some(answer);
            (run4.and_then(|(id, _)| answer(id)), run6.and_then(|(id, _)| answer(id)))
        };
        let mut hits = Vec::new();
        for (number, set) in self.datasets.iter().enumerate() {
            let (answer4, answer6) = runs(set);
            hits.extend(answer4.filter(|_| with_ip4).and_then(|id| self.hit(number, id, Key::Ip4)));
            hits.extend(answer6.and_then(|id| self.hit(number, id, Key::Ip6)));
        }
        let is_allowed = self.zone.allow.iter().fold(false, |allowed, set| {
            let (answer4, answer6) = runs(set);
            allowed || answer4.is_some() || answer6.is_some()
        });
        let never = match self.test_point(ip4, ip6, &mut last4, &mut last6) {
            Some(true) => {
                let key = if ip4.is_some() { Key::Ip4 } else { Key::Ip6 };
                if hits.is_empty() && (with_ip4 || ip4.is_none()) {
                    hits.extend(self.test_hit(key));
                }
                false
            }
            Some(false) => true,
            None => is_allowed,
        };
        if never {
            hits.clear();
            hits.extend(self.has_names.then_some(Hit::NEVER));
        }
        (hits, last4, last6)
    }

    /// The hit of an answer, if it has a value for who asks.
    pub(super) fn hit(&self, dataset: usize, answer: AnswerId, key: Key) -> Option<Hit> {
        let set = self.datasets.get(dataset)?;
        let any = set.answers.get(answer).values_for(self.asker).next().is_some();
        any.then_some(Hit { dataset: dataset as u16, answer, key, test_point: false })
    }

    /// Whether the key is a test point that is always (true) or never listed; what is known of it
    /// holds up to the next one.
    fn test_point(
        &self,
        ip4: Option<u32>,
        ip6: Option<u128>,
        last4: &mut u32,
        last6: &mut u128,
    ) -> Option<bool> {
        const NEVER: u32 = 0x7f00_0001;
        const ALWAYS: u32 = 0x7f00_0002;
        if !self.zone.test_points {
            return None;
        }
        if let Some(ip4) = ip4 {
            *last4 = (*last4).min(match ip4 {
                ..NEVER => NEVER - 1,
                NEVER | ALWAYS => ip4,
                _ => u32::MAX,
            });
            return (ip4 == NEVER || ip4 == ALWAYS).then_some(ip4 == ALWAYS);
        }
        let (never, always) = (MAPPED | u128::from(NEVER), MAPPED | u128::from(ALWAYS));
        let ip6 = ip6?;
        *last6 = (*last6).min(match ip6 {
            _ if ip6 < never => never - 1,
            _ if ip6 <= always => ip6,
            _ => u128::MAX,
        });
        (ip6 == never || ip6 == always).then_some(ip6 == always)
    }

    /// What the test point that is always listed gives if nothing lists it.
    pub(super) fn test_hit(&self, key: Key) -> Option<Hit> {
        let belongs = match key {
            Key::Ip4 => self.has_ip4,
            Key::Ip6 => self.has_ip6,
            Key::Name(_) => self.has_names,
        };
        if self.zone.state != ZoneState::Live || !belongs {
            return None;
        }
        let dataset = self.datasets.iter().position(|set| set.is_list())?;
        Some(Hit { dataset: dataset as u16, answer: AnswerId(1), key, test_point: true })
    }
}

const AFTER_MAPPED: u128 = MAPPED_END + 1;
const SIX_TO_FOUR_END: u128 = SIX_TO_FOUR | u128::MAX >> 16;
