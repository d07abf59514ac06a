//! What has come and gone of what a dataset lists.

use crate::event::ListingLine;
use crate::zone::diff::Key;
use std::collections::{BTreeMap, BTreeSet};

/// Something that is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    /// Addresses from a first to a last one, or a name.
    pub(crate) key: Key,
    /// When it was listed, in seconds since 1970.
    pub(crate) since: u64,
    /// The line that listed it then, as far as that was known.
    pub(crate) line: Option<ListingLine>,
}

/// How what is listed differs from what was listed before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Changes {
    /// What is still listed.
    pub(super) kept: Vec<Piece>,
    /// What is listed now.
    pub(super) came: Vec<Key>,
    /// What is not listed any more.
    pub(super) went: Vec<Piece>,
}

impl Changes {
    /// Compares address by address, and name by name. Both are disjoint and sorted, and of one kind.
    pub(super) fn of(before: Vec<Piece>, now: &[Key]) -> Self {
        let is_ip4 = |key: &Key| matches!(key, Key::Ip4(..));
        let is_of =
            |is: fn(&Key) -> bool| now.iter().any(is) || before.iter().any(|piece| is(&piece.key));
        if is_of(is_ip4) {
            Self::of_ranges(&before, now, |start, end| Key::Ip4(start as u32, end as u32))
        } else if is_of(|key| matches!(key, Key::Ip6(..))) {
            Self::of_ranges(&before, now, Key::Ip6)
        } else {
            Self::of_names(before, now)
        }
    }

    fn of_ranges(before: &[Piece], now: &[Key], key: impl Fn(u128, u128) -> Key) -> Self {
        let old: Vec<_> = before.iter().filter_map(|piece| ends(&piece.key)).collect();
        let new: Vec<_> = now.iter().filter_map(ends).collect();
        let mut changes = Self::default();
        for (piece, range) in before.iter().zip(&old) {
            let part = |(start, end): (u128, u128)| Piece { key: key(start, end), ..piece.clone() };
            let (inside, outside) = split(*range, &new);
            changes.kept.extend(inside.into_iter().map(part));
            changes.went.extend(outside.into_iter().map(part));
        }
        for range in &new {
            let (_, outside) = split(*range, &old);
            changes.came.extend(outside.into_iter().map(|(start, end)| key(start, end)));
        }
        changes
    }

    fn of_names(before: Vec<Piece>, now: &[Key]) -> Self {
        let new: BTreeMap<String, &Key> = now.iter().map(|key| (key.to_string(), key)).collect();
        let old: BTreeSet<String> = before.iter().map(|piece| piece.key.to_string()).collect();
        let is_kept = |piece: &Piece| new.contains_key(&piece.key.to_string());
        let (kept, went) = before.into_iter().partition(is_kept);
        let came = new.into_iter().filter(|(text, _)| !old.contains(text));
        Self { kept, came: came.map(|(_, key)| key.clone()).collect(), went }
    }
}

/// Puts pieces into their order, and those together that lie side by side and were listed at once.
pub(super) fn tidy(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_by_cached_key(|piece| (ends(&piece.key), piece.key.to_string()));
    let mut tidied: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        if let (Some(last), Some((start, end))) = (tidied.last_mut(), ends(&piece.key))
            && ends(&last.key).is_some_and(|(_, end)| end.checked_add(1) == Some(start))
            && (last.since, &last.line) == (piece.since, &piece.line)
        {
            match &mut last.key {
                Key::Ip4(_, last) => *last = end as u32,
                Key::Ip6(_, last) => *last = end,
                Key::Name(_) | Key::Below(_) | Key::Records(_) => {}
            }
        } else {
            tidied.push(piece);
        }
    }
    tidied
}

/// The first and the last address.
pub(super) fn ends(key: &Key) -> Option<(u128, u128)> {
    match key {
        Key::Ip4(start, end) => Some(((*start).into(), (*end).into())),
        Key::Ip6(start, end) => Some((*start, *end)),
        Key::Name(_) | Key::Below(_) | Key::Records(_) => None,
    }
}

/// Both ends of a range of addresses.
type Ends = (u128, u128);

/// The parts of a range that are in others, which are sorted and disjoint, and those that are not.
fn split((start, end): Ends, others: &[Ends]) -> (Vec<Ends>, Vec<Ends>) {
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    let first = others.partition_point(|(_, last)| *last < start);
    let mut next = Some(start);
    for &(from, to) in others[first..].iter().take_while(|(from, _)| *from <= end) {
        let Some(at) = next else { break };
        if at < from {
            outside.push((at, from - 1));
        }
        inside.push((from.max(start), to.min(end)));
        next = to.checked_add(1);
    }
    outside.extend(next.filter(|next| *next <= end).map(|next| (next, end)));
    (inside, outside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(start: u8, end: u8) -> Key {
        Key::Ip4(start.into(), end.into())
    }

    /// The ranges of the addresses that are listed.
    fn ranges(listed: &[bool]) -> Vec<Key> {
        let mut ranges: Vec<Key> = Vec::new();
        for (address, _) in listed.iter().enumerate().filter(|(_, listed)| **listed) {
            let address = address as u32;
            match ranges.last_mut() {
                Some(Key::Ip4(_, end)) if *end + 1 == address => *end = address,
                _ => ranges.push(Key::Ip4(address, address)),
            }
        }
        ranges
    }

    fn has<'k>(keys: impl IntoIterator<Item = &'k Key>, address: usize) -> bool {
        let address = address as u128;
        keys.into_iter().filter_map(ends).any(|(start, end)| (start..=end).contains(&address))
    }

    proptest! {
        #[test]
        fn each_address_comes_goes_or_stays(
            loads in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 24), 1..6),
        ) {
            let mut pieces = Vec::new();
            let mut before = vec![false; 24];
            let mut since = [0; 24];
            for (time, now) in loads.iter().enumerate() {
                let time = time as u64 + 1;
                let Changes { kept, came, went } = Changes::of(pieces, &ranges(now));
                for address in 0..24 {
                    let (was, is) = (before[address], now[address]);
                    prop_assert_eq!(has(&came, address), is && !was);
                    prop_assert_eq!(has(went.iter().map(|piece| &piece.key), address), was && !is);
                    prop_assert_eq!(has(kept.iter().map(|piece| &piece.key), address), was && is);
                    if is && !was {
                        since[address] = time;
                    }
                }
                let came = came.into_iter().map(|key| Piece { key, since: time, line: None });
                pieces = tidy(kept.into_iter().chain(came).collect());
                for (address, since) in since.iter().enumerate() {
                    let of = pieces.iter().find(|piece| has([&piece.key], address));
                    prop_assert_eq!(of.map(|piece| piece.since), now[address].then_some(*since));
                }
                before.clone_from(now);
            }
        }
    }

    #[test]
    fn names_come_and_go() {
        let name = |text: &str| Key::Name(text.parse().unwrap());
        let piece = |key: Key| Piece { key, since: 1, line: None };
        let below = Key::Below("a.example".parse().unwrap());
        let before = vec![piece(name("a.example")), piece(below.clone())];
        let changes = Changes::of(before, &[name("a.example"), name("b.a.example")]);
        assert_eq!(changes.kept, [piece(name("a.example"))]);
        assert_eq!(changes.came, [name("b.a.example")]);
        assert_eq!(changes.went, [piece(below)]);
    }

    #[test]
    fn the_last_address_has_no_next() {
        let all = |start| Piece { key: Key::Ip6(start, u128::MAX), since: 1, line: None };
        let changes = Changes::of(vec![all(0)], &[Key::Ip6(5, u128::MAX)]);
        assert_eq!(changes.kept, [all(5)]);
        assert_eq!(changes.went, [Piece { key: Key::Ip6(0, 4), ..all(0) }]);
        let side_by_side =
            vec![Piece { key: range(5, 9), ..all(0) }, Piece { key: range(1, 4), ..all(0) }];
        assert_eq!(tidy(side_by_side), [Piece { key: range(1, 9), ..all(0) }]);
    }
}
