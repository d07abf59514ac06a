//! A set of apexes, which finds the closest one at or above a name.

use super::apex_tree::ApexTree;
use crate::wire::name::Labels;

/// Numbered apexes.
#[derive(Debug, Default)]
pub(super) struct Apexes {
    names: Vec<Apex>,
    /// Their numbers plus 1, each at the first free place from its hash on, and zeros: half of the
    /// places at least, whose number is a power of two. Empty if the hashes are too much alike.
    index: Vec<u32>,
    /// How many labels they have: the distinct numbers, the greatest first.
    label_counts: Vec<u32>,
    /// The length of the longest apex, in bytes.
    longest: usize,
    /// For searches that the hashes and label counts do not make short.
    tree: ApexTree,
    /// There are names between an apex and the next one above it.
    has_between: bool,
}

/// The most places of the index that a search looks at.
const MAX_PROBES: usize = 64;

/// The most label counts that a search tries one by one.
const MAX_LABEL_COUNTS: usize = 8;

/// One apex, and what makes comparing quick: names are too short for a call to pay.
#[derive(Debug)]
struct Apex {
    /// In wire form and lower case; empty, as no name is, if an equal one came before.
    name: Box<[u8]>,
    labels: u32,
    /// Another apex lies below this one.
    is_above: bool,
    /// Its first eight bytes, its second, and its last, as far as it has that many.
    first: Folded,
    second: Folded,
    last: Folded,
}

/// Eight bytes in lower case, and bit 5 of each that is a letter: that is all by which the upper
/// case differs.
#[derive(Clone, Copy, Debug, Default)]
struct Folded {
    bytes: u64,
    case: u64,
}

impl Apexes {
    /// Numbers them from 0 (wire form, lower case); of equal ones the first is found.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Self {
        let mut names: Vec<Apex> = names.into_iter().map(Apex::new).collect();
        let tree = ApexTree::new(names.iter().map(|apex| &*apex.name));
        for (apex, number) in names.iter_mut().zip(0..) {
            // Nor may it be found as the zone asked last, by a number from before a reload.
            if tree.find(&apex.name).is_none_or(|(first, _)| first != number) {
                apex.name = Box::default();
            }
        }
        let mut label_counts: Vec<_> = names.iter().map(|apex| apex.labels).collect();
        label_counts.sort_unstable_by(|a, b| b.cmp(a));
        label_counts.dedup();
        let longest = names.iter().map(|apex| apex.name.len()).max().unwrap_or(0);
        let mut has_between = false;
        for (_, above, between) in tree.uppers() {
            names[above as usize].is_above = true;
            has_between |= between > 1;
        }
        let index = index(&names, hash).unwrap_or_default();
        Self { names, index, label_counts, longest, tree, has_between }
    }

    /// The number of the apex that is this name, in upper or lower case. A call of its own: the
    /// callers have many things to keep in registers.
    #[inline(never)]
    pub(super) fn find_whole(&self, name: &[u8]) -> Option<u32> {
        // What is longer than all is not worth a hash.
        if name.len() > self.longest {
            return None;
        }
        match self.index.is_empty() {
            false => self.search(name),
            true => self.search_tree(name),
        }
    }

    #[cold]
    fn search_tree(&self, name: &[u8]) -> Option<u32> {
        let (number, _) = self.tree.find(&name.to_ascii_lowercase())?;
        self.is(number, name).then_some(number)
    }

    /// True if the apex with this number is this name, in upper or lower case.
    #[inline(always)]
    pub(super) fn is(&self, number: u32, name: &[u8]) -> bool {
        self.names.get(number as usize).is_some_and(|apex| apex.is(name))
    }

    /// Where the apex with this number begins, if it is what ends at `end` of a message (in any case)
    /// and no other apex lies below it.
    #[inline(always)]
    pub(super) fn start(&self, number: u32, message: &[u8], end: usize) -> Option<usize> {
        let apex = self.names.get(number as usize).filter(|apex| !apex.is_above)?;
        let start = end.checked_sub(apex.name.len())?;
        apex.is(message.get(start..end)?).then_some(start)
    }

    /// True if another apex lies below the one with this number.
    pub(super) fn is_above_another(&self, number: usize) -> bool {
        self.names.get(number).is_some_and(|apex| apex.is_above)
    }

    /// The number of the apex that is this name, by the index.
    #[inline(always)]
    fn search(&self, name: &[u8]) -> Option<u32> {
        let mask = self.index.len().wrapping_sub(1);
        let mut at = hash(name) as usize & mask;
        loop {
            let number = self.index.get(at)?.checked_sub(1)?;
            if self.names.get(number as usize).is_some_and(|apex| apex.is(name)) {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
    }

    /// True if this name (in lower case) lies below one apex and above another, and is none itself.
    #[inline]
    pub(super) fn is_between(&self, name: &[u8]) -> bool {
        self.has_between && self.tree.is_above_apex(name) && self.tree.find(name).is_some()
    }

    /// True if there are such names.
    #[inline]
    pub(super) fn has_between(&self) -> bool {
        self.has_between
    }

    /// The number of the longest apex that `name` is at or below, and the number of labels that
    /// stand before that apex. `starts` has the position of each label of the name and of its
    /// final zero.
    ///
    /// The cost grows with the number of different label counts of the apexes, up to
    /// [`MAX_LABEL_COUNTS`], not with their number.
    #[inline]
    pub(super) fn find(&self, name: &[u8], starts: &[u8]) -> Option<(u32, usize)> {
        let labels = starts.len().checked_sub(1)?;
        if self.label_counts.len() > MAX_LABEL_COUNTS {
            let (number, count) = self.tree.find(&name.to_ascii_lowercase())?;
            return Some((number, labels.checked_sub(count)?));
        }
        for &count in &self.label_counts {
            let Some(before) = labels.checked_sub(count as usize) else { continue };
            if let Some(number) = self.find_whole(name.get(usize::from(starts[before])..)?) {
                return Some((number, before));
            }
        }
        None
    }
}

/// The index of distinct names by a hash; `None` if a search would look at too many places.
fn index(names: &[Apex], hash: impl Fn(&[u8]) -> u64) -> Option<Vec<u32>> {
    let mut index = vec![0; 2 * names.len().next_power_of_two()];
    let mask = index.len() - 1;
    for (apex, number) in names.iter().zip(1..).filter(|(apex, _)| !apex.name.is_empty()) {
        let first = hash(&apex.name) as usize & mask;
        let mut places = (first..first + MAX_PROBES).map(|place| place & mask);
        let free = places.find(|&place| index[place] == 0)?;
        index[free] = number;
    }
    Some(index)
}

impl Apex {
    fn new(name: &[u8]) -> Self {
        let folded = |word: Option<&[u8; 8]>| word.map_or_else(Folded::default, Folded::new);
        Self {
            name: name.into(),
            labels: Labels::of(name).count() as u32,
            is_above: false,
            first: folded(name.first_chunk()),
            second: folded(name.get(8..).and_then(<[u8]>::first_chunk)),
            last: folded(name.last_chunk()),
        }
    }

    /// True if it is this name, in upper or lower case.
    #[inline(always)]
    fn is(&self, name: &[u8]) -> bool {
        if name.len() != self.name.len() {
            return false;
        }
        let (8..=USUAL, Some(first), Some(last)) =
            (name.len(), name.first_chunk(), name.last_chunk())
        else {
            return is_same(name, &self.name);
        };
        let second = name[8..].first_chunk().is_none_or(|word| self.second.is(word));
        self.first.is(first) && self.last.is(last) && second
    }
}

/// Apart, so that the usual case stays small.
#[inline(never)]
fn is_same(name: &[u8], apex: &[u8]) -> bool {
    !apex.is_empty() && name.eq_ignore_ascii_case(apex)
}

/// The longest apex that is compared by its first, second and last eight bytes: without a call and a
/// loop.
const USUAL: usize = 24;

impl Folded {
    fn new(lower: &[u8; 8]) -> Self {
        let case = lower.map(|byte| u8::from(byte.is_ascii_lowercase()) << 5);
        Self { bytes: u64::from_le_bytes(*lower), case: u64::from_le_bytes(case) }
    }

    #[inline(always)]
    fn is(self, word: &[u8; 8]) -> bool {
        u64::from_le_bytes(*word) | self.case == self.bytes
    }
}

/// A hash of all bytes of a name, the same in upper and lower case. It need not withstand anybody: if
/// many apexes have like hashes, the [index] is not used.
#[inline(always)]
fn hash(name: &[u8]) -> u64 {
    let (8..=USUAL, Some(first), Some(last)) = (name.len(), name.first_chunk(), name.last_chunk())
    else {
        return hash_bytes(name) >> 32;
    };
    let hash = mix(mix(name.len() as u64, last), first);
    name[8..].first_chunk().map_or(hash, |second| mix(hash, second)) >> 32
}

#[inline(never)]
fn hash_bytes(name: &[u8]) -> u64 {
    name.iter().fold(0, |hash, &byte| mix(hash, &[byte; 8]))
}

#[inline(always)]
fn mix(hash: u64, word: &[u8; 8]) -> u64 {
    // Takes more for the same than only letters, which does no harm.
    const CASE: u64 = 0x2020_2020_2020_2020;
    (hash.rotate_left(29) ^ (u64::from_le_bytes(*word) | CASE)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
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
            by_tree: bool,
        ) {
            let names: Vec<_> = apexes.iter().map(|apex| wire(apex)).collect();
            let mut found = Apexes::new(names.iter().map(Vec::as_slice));
            if by_tree {
                found.index = Vec::new();
            }
            let starts: Vec<u8> = (0..=asked.len()).map(|label| 2 * label as u8).collect();
            let suffixes = apexes.iter().enumerate().filter(|(_, apex)| asked.ends_with(apex));
            // Of equal ones the first.
            let due = suffixes.rev().max_by_key(|(_, apex)| apex.len());
            let due = due.map(|(number, apex)| (number as u32, asked.len() - apex.len()));
            prop_assert_eq!(found.find(&wire(&asked), &starts), due);
            for recent in 0..=apexes.len() as u32 {
                let start = found.start(recent, &wire(&asked), wire(&asked).len());
                if let (Some(start), Some((number, before))) = (start, due) {
                    prop_assert_eq!((recent, start), (number, 2 * before));
                }
                let whole = apexes.iter().position(|apex| *apex == asked);
                let whole = whole.map(|number| number as u32);
                prop_assert_eq!(found.find_whole(&wire(&asked)), whole);
                prop_assert_eq!(found.is(recent, &wire(&asked)), whole == Some(recent));
            }
            for (number, apex) in apexes.iter().enumerate() {
                if apexes[..number].contains(apex) {
                    continue;
                }
                let below = apexes.iter().any(|lower| lower.ends_with(apex) && lower != apex);
                prop_assert_eq!(found.is_above_another(number), below);
            }
            let above = apexes.iter().any(|apex| apex.ends_with(&asked) && *apex != asked);
            let is_above = above && !apexes.contains(&asked);
            prop_assert_eq!(found.is_between(&wire(&asked)), is_above && due.is_some());
            prop_assert_eq!(found.tree.is_above_apex(&wire(&asked)), is_above);
            let by_tree = due.map(|(number, before)| (number, asked.len() - before));
            prop_assert_eq!(found.tree.find(&wire(&asked)), by_tree);
        }
    }

    proptest! {
        #[test]
        fn apexes_are_found_in_upper_and_lower_case(name in "[a-z0-9@\\[`{-]{1,9}(\\.[a-z]{1,7}){0,3}", mask: u64) {
            let name: NameBuf = name.parse().unwrap();
            let apexes = Apexes::new([name.as_wire()]);
            let mut other = name.as_wire().to_vec();
            for (at, byte) in other.iter_mut().enumerate() {
                // Only of letters is this the other case.
                if byte.is_ascii_alphabetic() && mask >> (at % 64) & 1 != 0 {
                    *byte ^= 0x20;
                }
            }
            prop_assert_eq!(apexes.find_whole(&other), Some(0));
            prop_assert!(apexes.is(0, &other) && !apexes.is(1, &other));
            prop_assert!(!apexes.is(0, &other[1..]));
            let message = [&b"xx"[..], &other].concat();
            prop_assert_eq!(apexes.start(0, &message, message.len()), Some(2));
            for at in 0..other.len() {
                let mut damaged = other.clone();
                damaged[at] ^= 0x20;
                let same = damaged.eq_ignore_ascii_case(name.as_wire());
                prop_assert_eq!(apexes.find_whole(&damaged), same.then_some(0));
                prop_assert_eq!(apexes.is(0, &damaged), same);
            }
        }
    }

    #[test]
    fn apexes_with_like_hashes_cost_no_more_than_others() {
        // Bit 5 of digits is none of the case, and the hash does not see it.
        let name = |bits: u32| -> Vec<u8> {
            let digit = |bit: u32| if bits >> bit & 1 == 0 { b'0' } else { 0x10 };
            [&[7][..], &(0..7).map(digit).collect::<Vec<u8>>(), &[0]].concat()
        };
        let names: Vec<_> = (0..128).map(name).collect();
        let apexes = Apexes::new(names.iter().map(Vec::as_slice));
        assert!(apexes.index.is_empty(), "the search would look at each of them");
        for (name, number) in names.iter().zip(0..) {
            assert_eq!(apexes.find_whole(name), Some(number));
            assert_eq!(
                apexes.find(&[b"\x01x", &name[..]].concat(), &[0, 2, 10]),
                Some((number, 1))
            );
        }
        assert_eq!(apexes.find_whole(&name(0)[..1]), None);
        let few = Apexes::new(names[..60].iter().map(Vec::as_slice));
        assert!(!few.index.is_empty());
    }

    #[test]
    fn apexes_of_all_depths_are_found() {
        let names: Vec<Vec<u8>> =
            (0..127).map(|labels| [b"\x01a".repeat(labels), vec![0]].concat()).collect();
        let apexes = Apexes::new(names.iter().map(Vec::as_slice));
        let starts: Vec<u8> = (0..127).map(|label| 2 * label).collect();
        for labels in 0..127 {
            let mut name = names[126].clone();
            name[2 * (126 - labels)..].copy_from_slice(&names[labels]);
            if let Some(at) = (2 * (126 - labels)).checked_sub(1) {
                name[at] = b'b';
            }
            let found = apexes.find(&name.to_ascii_uppercase(), &starts);
            assert_eq!(found, Some((labels as u32, 126 - labels)));
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
