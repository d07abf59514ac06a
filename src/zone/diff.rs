//! Two versions of a dataset, compared key by key.
//!
//! The listings are walked side by side in their order, so that memory does not grow with them. Access lists
//! are not compared: they list nothing.

use super::Dataset;
use crate::answer::AnswerId;
use crate::listing::records::{NameRecords, RecordSet};
use crate::range::{Int, Range};
use crate::trie::names::{NameEntry, encode_key};
use crate::wire::name::NameBuf;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// What has become of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Change {
    /// It is listed now.
    Added,
    /// It is not listed any more.
    Removed,
    /// It is listed with other values, or is an exclusion that was none, or the contrary.
    Changed,
}

/// A key, or a range of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Key {
    /// The first and the last of a range of IPv4 addresses.
    Ip4(u32, u32),
    /// The first and the last of a range of IPv6 addresses.
    Ip6(u128, u128),
    /// A name.
    Name(NameBuf),
    /// All names below a name.
    Below(NameBuf),
    /// The ordinary records of a name.
    Records(NameBuf),
}

impl Key {
    /// The number of addresses, or 1.
    pub fn width(&self) -> u128 {
        match self {
            Self::Ip4(start, end) => u128::from(end - start) + 1,
            Self::Ip6(start, end) => (end - start).saturating_add(1),
            Self::Name(_) | Self::Below(_) | Self::Records(_) => 1,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip4(start, end) => {
                let address = |bits: u32| Ipv4Addr::from(bits).to_string();
                f.write_str(&range(*start, *end, 32, address))
            }
            Self::Ip6(start, end) => {
                let address = |bits: u128| Ipv6Addr::from(bits).to_string();
                f.write_str(&range(*start, *end, 128, address))
            }
            Self::Name(name) | Self::Records(name) => name.fmt(f),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

/// An address, a prefix if the range is one, or its two ends.
fn range<K: Int>(start: K, end: K, bits: u32, address: impl Fn(K) -> String) -> String {
    let size = end - start;
    let host_bits = size.widen().count_ones();
    let is_prefix = size.widen() == u128::MAX.checked_shr(128 - host_bits).unwrap_or(0)
        && (start & size) == K::ZERO;
    match host_bits {
        0 => address(start),
        _ if is_prefix => format!("{}/{}", address(start), bits - host_bits),
        _ => format!("{}-{}", address(start), address(end)),
    }
}

/// A key of which something has become.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// What.
    pub change: Change,
    /// The apex that the key is below, relative to the zone: the root but for a `combined` dataset.
    pub apex: NameBuf,
    /// The key.
    pub key: Key,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
        };
        write!(f, "{sign} {}", self.key)?;
        if self.apex != NameBuf::ROOT {
            write!(f, " in {}", self.apex)?;
        }
        Ok(())
    }
}

/// Compares two versions of a dataset; `take` gets the differences apex by apex, those of addresses in their
/// order, before those of names in theirs.
pub fn diff(old: &Dataset, new: &Dataset, take: &mut dyn FnMut(Difference)) {
    compare(old, new, false, &mut |difference, _| take(difference));
}

/// Where a difference is, and what is said of its key now.
#[derive(Clone, Copy, Debug)]
pub struct Detail<'d> {
    /// The number of the list below the apex.
    pub list: usize,
    /// The list, as it is now.
    pub now: &'d Dataset,
    /// The answer of the key in it; [`AnswerId::NONE`] for an exclusion, `None` if nothing is said of it, and
    /// for ordinary records.
    pub answer: Option<AnswerId>,
}

/// As [`diff`], but all keys of a difference have one answer now, and what that is.
pub fn diff_by_answer(old: &Dataset, new: &Dataset, take: &mut dyn FnMut(Difference, Detail<'_>)) {
    compare(old, new, true, take);
}

fn compare(
    old: &Dataset,
    new: &Dataset,
    by_answer: bool,
    take: &mut dyn FnMut(Difference, Detail<'_>),
) {
    let (old, new) = (sections(old), sections(new));
    let apexes: BTreeMap<&[u8], &NameBuf> =
        old.iter().chain(&new).map(|(apex, _)| (apex.as_wire(), apex)).collect();
    let empty = Dataset::default();
    for apex in apexes.into_values() {
        let [old, new] = [&old, &new].map(|sections| {
            let section = sections.iter().find(|(other, _)| other == apex);
            section.map_or(&[][..], |(_, datasets)| datasets)
        });
        for list in 0..old.len().max(new.len()) {
            let [old, new] = [old, new].map(|sets| sets.get(list).copied().unwrap_or(&empty));
            let same = HashMap::new();
            Comparison { old, new, apex, list, by_answer, same, take }.run();
        }
    }
}

/// How many keys of two versions of a dataset differ: addresses and names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Those that are listed now.
    pub added: u128,
    /// Those that are not listed any more.
    pub removed: u128,
    /// Those that are listed with other values, or are exclusions that were none, or the contrary.
    pub changed: u128,
}

impl Tally {
    /// Counts the keys in which two versions of a dataset differ.
    pub fn of(old: &Dataset, new: &Dataset) -> Self {
        let mut tally = Self::default();
        diff(old, new, &mut |difference| {
            let count = match difference.change {
                Change::Added => &mut tally.added,
                Change::Removed => &mut tally.removed,
                Change::Changed => &mut tally.changed,
            };
            *count = count.saturating_add(difference.key.width());
        });
        tally
    }
}

/// The datasets below each apex.
fn sections(dataset: &Dataset) -> Vec<(NameBuf, Vec<&Dataset>)> {
    let Some(subzones) = &dataset.subzones else { return vec![(NameBuf::ROOT, vec![dataset])] };
    let all = subzones.all().iter();
    all.map(|subzone| {
        let datasets = subzone.datasets.iter().map(Arc::as_ref);
        (subzone.apex.clone(), datasets.collect())
    })
    .collect()
}

/// Two lists below one apex.
struct Comparison<'c> {
    old: &'c Dataset,
    new: &'c Dataset,
    apex: &'c NameBuf,
    /// The number of the lists below the apex.
    list: usize,
    /// Whether keys of different answers are told apart.
    by_answer: bool,
    /// Whether two answers have the same values.
    same: HashMap<(AnswerId, AnswerId), bool>,
    take: &'c mut dyn FnMut(Difference, Detail<'_>),
}

impl Comparison<'_> {
    fn run(mut self) {
        let (old, new) = (self.old, self.new);
        let ip4 = [old, new].map(|set| set.ip4.iter().flat_map(|trie| trie.iter()));
        self.ranges(ip4, Key::Ip4);
        let ip6 = [old, new].map(|set| set.ip6.iter().flat_map(|trie| trie.iter()));
        self.ranges(ip6, Key::Ip6);
        self.names([old, new].map(|set| set.name_entries()));
        let none = RecordSet::default();
        self.records([old, new].map(|set| set.records.as_ref().unwrap_or(&none)));
    }

    fn tell(&mut self, change: Change, key: Key, answer: Option<AnswerId>) {
        let detail = Detail { list: self.list, now: self.new, answer };
        (self.take)(Difference { change, apex: self.apex.clone(), key }, detail);
    }

    fn is_same(&mut self, old: AnswerId, new: AnswerId) -> bool {
        let (before, now) = (self.old.answers.get(old), self.new.answers.get(new));
        *self.same.entry((old, new)).or_insert_with(|| before.values().eq(now.values()))
    }

    /// What has become of a key that gave one answer and gives another; [`AnswerId::NONE`] is not listed.
    fn change(&mut self, old: AnswerId, new: AnswerId) -> Option<Change> {
        match (old.is_listed(), new.is_listed()) {
            (false, false) => None,
            (false, true) => Some(Change::Added),
            (true, false) => Some(Change::Removed),
            (true, true) => (!self.is_same(old, new)).then_some(Change::Changed),
        }
    }

    fn ranges<K: Int>(
        &mut self,
        [old, new]: [impl Iterator<Item = Range<K>>; 2],
        key: impl Fn(K, K) -> Key,
    ) {
        let mut run: Option<((Change, Option<AnswerId>), K, K)> = None;
        each_piece(old, new, |start, end, old, new| {
            let Some(change) = self.change(old, new) else { return };
            let said = (change, Some(new).filter(|new| self.by_answer && new.is_listed()));
            run = match run.take() {
                Some((before, first, last))
                    if before == said && last.successor() == Some(start) =>
                {
                    Some((said, first, end))
                }
                before => {
                    if let Some(((change, answer), first, last)) = before {
                        self.tell(change, key(first, last), answer);
                    }
                    Some((said, start, end))
                }
            };
        });
        if let Some(((change, answer), first, last)) = run {
            self.tell(change, key(first, last), answer);
        }
    }

    fn names(&mut self, [old, new]: [impl Iterator<Item = NameEntry>; 2]) {
        let (mut old, mut new) = (old.map(Keyed::new).peekable(), new.map(Keyed::new).peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.key.cmp(&new.key),
            };
            let before = old.next_if(|_| order.is_le()).map(|keyed| keyed.entry);
            let now = new.next_if(|_| order.is_ge()).map(|keyed| keyed.entry);
            let Some(name) = before.as_ref().or(now.as_ref()).map(|entry| entry.name.clone())
            else {
                return;
            };
            let of = |entry: &Option<NameEntry>, part: fn(&NameEntry) -> Option<AnswerId>| {
                entry.as_ref().and_then(part)
            };
            for (part, key) in [
                (
                    (|entry| entry.itself) as fn(&NameEntry) -> Option<AnswerId>,
                    Key::Name(name.clone()),
                ),
                (|entry| entry.below, Key::Below(name)),
            ] {
                let answer = of(&now, part);
                if let Some(change) = self.entry_change(of(&before, part), answer) {
                    self.tell(change, key, answer);
                }
            }
        }
    }

    /// Like [`change`](Self::change), for names, of which nothing may be said, or that they are excluded.
    fn entry_change(&mut self, old: Option<AnswerId>, new: Option<AnswerId>) -> Option<Change> {
        let (before, now) = (old.unwrap_or(AnswerId::NONE), new.unwrap_or(AnswerId::NONE));
        let is_excluded = |said: Option<AnswerId>| said == Some(AnswerId::NONE);
        let exclusion = (is_excluded(old) != is_excluded(new)).then_some(Change::Changed);
        self.change(before, now).or(exclusion)
    }

    fn records(&mut self, [old, new]: [&RecordSet; 2]) {
        for (name, id) in new.iter() {
            let change = match old.lookup(name.as_wire()) {
                NameRecords::Records(before) if old.records(before).eq(new.records(id)) => continue,
                NameRecords::Records(_) => Change::Changed,
                NameRecords::EmptyNonTerminal | NameRecords::Nothing => Change::Added,
            };
            self.tell(change, Key::Records(name), None);
        }
        for (name, _) in old.iter() {
            if !matches!(new.lookup(name.as_wire()), NameRecords::Records(_)) {
                self.tell(Change::Removed, Key::Records(name), None);
            }
        }
    }
}

/// An entry, and what it is sorted by.
struct Keyed {
    key: Vec<u8>,
    entry: NameEntry,
}

impl Keyed {
    fn new(entry: NameEntry) -> Self {
        let mut key = Vec::new();
        encode_key(entry.name.as_wire(), &mut key);
        Self { key, entry }
    }
}

/// Gives the pieces in which two lists of sorted, disjoint ranges have one answer each.
fn each_piece<K: Int>(
    mut old: impl Iterator<Item = Range<K>>,
    mut new: impl Iterator<Item = Range<K>>,
    mut give: impl FnMut(K, K, AnswerId, AnswerId),
) {
    let (mut before, mut now) = (old.next(), new.next());
    // What is left of a range behind `end`.
    let rest = |range: Range<K>, end: K, next: &mut dyn Iterator<Item = Range<K>>| {
        if range.end == end { next.next() } else { Some(Range { start: end + K::ONE, ..range }) }
    };
    loop {
        match (before, now) {
            (None, None) => return,
            (Some(range), None) => {
                give(range.start, range.end, range.answer, AnswerId::NONE);
                before = old.next();
            }
            (None, Some(range)) => {
                give(range.start, range.end, AnswerId::NONE, range.answer);
                now = new.next();
            }
            (Some(a), Some(b)) if a.start < b.start => {
                let end = a.end.min(b.start.predecessor());
                give(a.start, end, a.answer, AnswerId::NONE);
                before = rest(a, end, &mut old);
            }
            (Some(a), Some(b)) if b.start < a.start => {
                let end = b.end.min(a.start.predecessor());
                give(b.start, end, AnswerId::NONE, b.answer);
                now = rest(b, end, &mut new);
            }
            (Some(a), Some(b)) => {
                let end = a.end.min(b.end);
                give(a.start, end, a.answer, b.answer);
                before = rest(a, end, &mut old);
                now = rest(b, end, &mut new);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::AnswersBuilder;
    use crate::trie::Trie4;
    use proptest::prelude::*;

    /// A dataset that gives the values 127.0.0.N to ranges that start where they say and are that long, in
    /// order; a value of 0 is a gap.
    fn dataset(runs: &[(u32, u8)]) -> Dataset {
        let mut builder = AnswersBuilder::default();
        let (mut start, mut ranges) = (0, Vec::new());
        for &(length, value) in runs {
            if value > 0 {
                let value = builder.value([127, 0, 0, value].into(), b"").unwrap();
                let answer = builder.answer(&[value]);
                ranges.push(Range { start, end: start + length - 1, answer });
            }
            start += length;
        }
        let (answers, numbering) = builder.finish(ranges.iter().map(|range| range.answer));
        let ranges =
            ranges.into_iter().map(|range| Range { answer: numbering.get(range.answer), ..range });
        Dataset { ip4: Some(Trie4::build(ranges)), answers, ..Dataset::default() }
    }

    fn value(set: &Dataset, address: u32) -> Option<Ipv4Addr> {
        let answer = set.ip4.as_ref()?.lookup(address);
        set.answers.get(answer).values().next().map(|value| value.a)
    }

    fn all(old: &Dataset, new: &Dataset) -> Vec<Difference> {
        let mut all = Vec::new();
        diff(old, new, &mut |difference| all.push(difference));
        all
    }

    proptest! {
        /// Address by address, the differences say what lookups say; no range could be longer.
        #[test]
        fn differences_of_addresses_are_those_of_lookups(
            old in prop::collection::vec((1u32..9, 0u8..4), 0..20),
            new in prop::collection::vec((1u32..9, 0u8..4), 0..20),
        ) {
            let (old, new) = (dataset(&old), dataset(&new));
            let (found, mut tally) = (all(&old, &new), Tally::default());
            for address in 0..200 {
                let wanted = match (value(&old, address), value(&new, address)) {
                    (before, now) if before == now => None,
                    (None, _) => Some(Change::Added),
                    (_, None) => Some(Change::Removed),
                    _ => Some(Change::Changed),
                };
                let is_in = |it: &&Difference| match it.key {
                    Key::Ip4(start, end) => (start..=end).contains(&address),
                    _ => false,
                };
                let told: Vec<_> = found.iter().filter(is_in).map(|it| it.change).collect();
                prop_assert_eq!(told, Vec::from_iter(wanted), "{}", address);
                match wanted {
                    None => {}
                    Some(Change::Added) => tally.added += 1,
                    Some(Change::Removed) => tally.removed += 1,
                    Some(Change::Changed) => tally.changed += 1,
                }
            }
            prop_assert_eq!(Tally::of(&old, &new), tally);
            for pair in found.windows(2) {
                let (Key::Ip4(_, end), Key::Ip4(start, _)) = (&pair[0].key, &pair[1].key) else {
                    panic!("{pair:?}")
                };
                prop_assert!(end < start);
                prop_assert!(end + 1 < *start || pair[0].change != pair[1].change);
            }
        }
    }

    #[test]
    fn keys_are_shown_as_they_are_written() {
        let shown = |key: Key| key.to_string();
        assert_eq!(shown(Key::Ip4(0, u32::MAX)), "0.0.0.0/0");
        assert_eq!(shown(Key::Ip4(0x0a00_0001, 0x0a00_0001)), "10.0.0.1");
        assert_eq!(shown(Key::Ip4(0x0a00_0000, 0x0a00_00ff)), "10.0.0.0/24");
        assert_eq!(shown(Key::Ip4(0x0a00_0001, 0x0a00_0100)), "10.0.0.1-10.0.1.0");
        assert_eq!(shown(Key::Ip4(0x0a00_0000, 0x0a00_0002)), "10.0.0.0-10.0.0.2");
        assert_eq!(shown(Key::Ip6(0, u128::MAX)), "::/0");
        assert_eq!(shown(Key::Ip6(1 << 64, (2 << 64) - 1)), "0:0:0:1::/64");
        let name = || "bad.example".parse().unwrap();
        assert_eq!(shown(Key::Below(name())), "*.bad.example");
        let apex = "sub".parse().unwrap();
        let told = Difference { change: Change::Removed, apex, key: Key::Name(name()) };
        assert_eq!(told.to_string(), "- bad.example in sub");
    }
}
