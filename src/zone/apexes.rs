//! Names that begin something, found from the names at and below them.

use crate::wire::name::{Labels, MAX_LABELS};
use foldhash::fast::FixedState;
use hashbrown::{HashSet, HashTable};
use std::hash::{BuildHasher, Hasher};

/// Numbered apexes, in wire form and lower case.
#[derive(Debug, Default)]
pub(super) struct Apexes {
    names: Vec<Box<[u8]>>,
    index: HashTable<u32>,
    hasher: FixedState,
    /// Bit n is set if some apex has n labels.
    label_counts: u128,
    /// The names between an apex and the next one above it.
    between: HashSet<Box<[u8]>, FixedState>,
}

impl Apexes {
    /// Numbers them from 0; of equal ones the first is found.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Self {
        let mut apexes = Self::default();
        for name in names {
            apexes.add(name);
        }
        apexes.between = apexes.names_between(|_| false);
        apexes
    }

    /// As [`Apexes::new`], of names relative to one that stands above all of them.
    pub(super) fn relative<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Self {
        let mut apexes = Self::new(names);
        apexes.between = apexes.names_between(|name| name == [0]);
        apexes
    }

    fn add(&mut self, name: &[u8]) {
        let number = self.names.len() as u32;
        self.names.push(name.into());
        if self.at(name).is_some() {
            return;
        }
        self.label_counts |= 1 << Labels::of(name).count();
        let (names, hasher) = (&self.names, &self.hasher);
        self.index.insert_unique(hash_name(hasher, name), number, |&other| {
            hash_name(hasher, &names[other as usize])
        });
    }

    fn names_between(&self, ends: impl Fn(&[u8]) -> bool) -> HashSet<Box<[u8]>, FixedState> {
        let mut names = HashSet::with_hasher(FixedState::default());
        for apex in &self.names {
            let mut between = Vec::new();
            let mut rest = &apex[..];
            while let Some(label) = Labels::of(rest).next() {
                rest = &rest[label.len() + 1..];
                if self.at(rest).is_some() || ends(rest) {
                    names.extend(between.drain(..).map(Box::<[u8]>::from));
                    break;
                }
                between.push(rest);
            }
        }
        names
    }

    /// The number of the apex that is this name.
    #[inline]
    pub(super) fn at(&self, name: &[u8]) -> Option<u32> {
        let hash = hash_name(&self.hasher, name);
        self.index.find(hash, |&number| *self.names[number as usize] == *name).copied()
    }

    /// True if this name lies below one apex and above another, and is none itself.
    #[inline]
    pub(super) fn is_between(&self, name: &[u8]) -> bool {
        !self.between.is_empty() && self.between.contains(name)
    }

    /// The number of the longest apex that `name` is at or below, and the number of labels that
    /// stand before that apex. `starts` has the position of each label of the name and of its
    /// final zero.
    ///
    /// The cost grows with the number of different label counts of the apexes, not with their
    /// number.
    #[inline]
    pub(super) fn find(&self, name: &[u8], starts: &[u8]) -> Option<(u32, usize)> {
        let labels = starts.len().checked_sub(1)?;
        let mut candidates =
            self.label_counts & (u128::MAX >> (MAX_LABELS - labels.min(MAX_LABELS)));
        while candidates != 0 {
            let count = MAX_LABELS - candidates.leading_zeros() as usize;
            let before = labels - count;
            if let Some(number) = self.at(name.get(usize::from(starts[before])..)?) {
                return Some((number, before));
            }
            candidates &= !(1 << count);
        }
        None
    }
}

fn hash_name(state: &FixedState, name: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(name);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::NameBuf;
    use proptest::prelude::*;

    fn wire(labels: &[u8]) -> Vec<u8> {
        labels.iter().flat_map(|&label| [1, b'a' + label]).chain([0]).collect()
    }

    proptest! {
        #[test]
        fn the_longest_apex_is_found_and_what_lies_between_exists(
            apexes in prop::collection::vec(prop::collection::vec(0_u8..3, 0..4), 0..8),
            asked in prop::collection::vec(0_u8..3, 0..6),
        ) {
            let names: Vec<_> = apexes.iter().map(|apex| wire(apex)).collect();
            let found = Apexes::relative(names.iter().map(Vec::as_slice));
            let starts: Vec<u8> = (0..=asked.len()).map(|label| 2 * label as u8).collect();
            let suffixes = apexes.iter().enumerate().filter(|(_, apex)| asked.ends_with(apex));
            // Of equal ones the first.
            let due = suffixes.rev().max_by_key(|(_, apex)| apex.len());
            prop_assert_eq!(
                found.find(&wire(&asked), &starts),
                due.map(|(number, apex)| (number as u32, asked.len() - apex.len()))
            );
            let above = apexes.iter().any(|apex| apex.ends_with(&asked) && *apex != asked);
            let between = !asked.is_empty() && above && !apexes.contains(&asked);
            prop_assert_eq!(found.is_between(&wire(&asked)), between);
        }
    }

    #[test]
    fn nothing_lies_above_the_apexes_of_a_server() {
        let apex: NameBuf = "bl.example.org".parse().unwrap();
        let apexes = Apexes::new([apex.as_wire()]);
        assert!(!apexes.is_between(b"\x07example\x03org\0"));
        assert!(!apexes.is_between(b"\x03org\0"));
    }
}
