//! Names that begin something, found from the names at and below them.

use crate::wire::name::Labels;
use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// Numbered apexes, in wire form and lower case.
#[derive(Debug, Default)]
pub(super) struct Apexes {
    names: Vec<Box<[u8]>>,
    /// Their numbers plus 1, each at the first free place from its hash on, and zeros: half of the
    /// places at least, whose number is a power of two.
    index: Vec<u32>,
    /// How many labels they have: the distinct numbers, the greatest first.
    label_counts: Vec<usize>,
    /// The names between an apex and the next one above it.
    between: HashSet<Box<[u8]>, FixedState>,
}

impl Apexes {
    /// Numbers them from 0; of equal ones the first is found.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Self {
        let names: Vec<Box<[u8]>> = names.into_iter().map(Box::from).collect();
        let index = vec![0; 2 * names.len().next_power_of_two()];
        let mut apexes = Self { names, index, ..Self::default() };
        for (number, name) in apexes.names.iter().enumerate() {
            let Err(free) = apexes.place(name) else { continue };
            apexes.label_counts.push(Labels::of(name).count());
            apexes.index[free] = number as u32 + 1;
        }
        apexes.label_counts.sort_unstable_by(|a, b| b.cmp(a));
        apexes.label_counts.dedup();
        apexes.between = apexes.names_between(|_| false);
        apexes
    }

    /// As [`Apexes::new`], of names relative to one that stands above all of them.
    pub(super) fn relative<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Self {
        let mut apexes = Self::new(names);
        apexes.between = apexes.names_between(|name| name == [0]);
        apexes
    }

    fn names_between(&self, ends: impl Fn(&[u8]) -> bool) -> HashSet<Box<[u8]>, FixedState> {
        let mut names = HashSet::with_hasher(FixedState::default());
        for apex in &self.names {
            let mut between = Vec::new();
            let mut rest = &apex[..];
            while let Some(label) = Labels::of(rest).next() {
                rest = &rest[label.len() + 1..];
                if self.search(rest).is_some() || ends(rest) {
                    names.extend(between.drain(..).map(Box::<[u8]>::from));
                    break;
                }
                between.push(rest);
            }
        }
        names
    }

    /// The number of the apex that is this name. A call of its own for each number of labels: the
    /// callers have few, and many things to keep in registers.
    #[inline(never)]
    fn search(&self, name: &[u8]) -> Option<u32> {
        self.place(name).ok()
    }

    /// The number of the apex that is this name, or the free place of the index where it would be.
    #[inline(always)]
    fn place(&self, name: &[u8]) -> Result<u32, usize> {
        let mask = self.index.len().wrapping_sub(1);
        let mut at = hash(name) as usize & mask;
        loop {
            let Some(number) = self.index.get(at).and_then(|&entry| entry.checked_sub(1)) else {
                return Err(at);
            };
            if self.names.get(number as usize).is_some_and(|apex| is_same(apex, name)) {
                return Ok(number);
            }
            at = (at + 1) & mask;
        }
    }

    /// True if this name lies below one apex and above another, and is none itself.
    #[inline]
    pub(super) fn is_between(&self, name: &[u8]) -> bool {
        !self.between.is_empty() && self.between.contains(name)
    }

    /// True if there are such names.
    #[inline]
    pub(super) fn has_between(&self) -> bool {
        !self.between.is_empty()
    }

    /// The number of the longest apex that `name` is at or below, and the number of labels that
    /// stand before that apex. `starts` has the position of each label of the name and of its
    /// final zero.
    ///
    /// The cost grows with the number of different label counts of the apexes, not with their
    /// number.
    #[inline(always)]
    pub(super) fn find(&self, name: &[u8], starts: &[u8]) -> Option<(u32, usize)> {
        let labels = starts.len().checked_sub(1)?;
        for &count in &self.label_counts {
            let Some(before) = labels.checked_sub(count) else { continue };
            if let Some(number) = self.search(name.get(usize::from(starts[before])..)?) {
                return Some((number, before));
            }
        }
        None
    }
}

/// A hash of all bytes of a name. It need not withstand anybody: the apexes are the
/// administrator's, and a name that is asked is only compared with those at its place.
#[inline(always)]
fn hash(name: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(29) ^ word).wrapping_mul(FACTOR);
    let Some(last) = name.last_chunk() else {
        return name.iter().fold(0, |hash, &byte| mix(hash, byte.into())) >> 32;
    };
    let mut hash = mix(name.len() as u64, u64::from_le_bytes(*last));
    let mut rest = name;
    while let Some((word, after)) = rest.split_first_chunk().filter(|(_, after)| !after.is_empty())
    {
        hash = mix(hash, u64::from_le_bytes(*word));
        rest = after;
    }
    hash >> 32
}

/// Compares names eight bytes at a time, as they are too short for a call to pay.
#[inline(always)]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    let (Some(last_a), Some(last_b)) = (a.last_chunk::<8>(), b.last_chunk::<8>()) else {
        return a == b;
    };
    if a.len() != b.len() || last_a != last_b {
        return false;
    }
    let mut rest = (a, b);
    while let (Some((word_a, after_a)), Some((word_b, after_b))) =
        (rest.0.split_first_chunk::<8>(), rest.1.split_first_chunk::<8>())
    {
        if word_a != word_b {
            return false;
        }
        rest = (after_a, after_b);
    }
    true
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
