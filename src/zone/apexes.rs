//! A set of apexes, which finds the closest one at or above a name.

use crate::wire::name::Labels;
use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// Numbered apexes.
#[derive(Debug, Default)]
pub(super) struct Apexes {
    names: Vec<Apex>,
    /// Their numbers plus 1, each at the first free place from its hash on, and zeros: half of the
    /// places at least, whose number is a power of two.
    index: Vec<u32>,
    /// How many labels they have: the distinct numbers, the greatest first.
    label_counts: Vec<u32>,
    /// The length of the longest apex, in bytes.
    longest: usize,
    /// The names between an apex and the next one above it.
    between: HashSet<Box<[u8]>, FixedState>,
}

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
        let names: Vec<Apex> = names.into_iter().map(Apex::new).collect();
        let index = vec![0; 2 * names.len().next_power_of_two()];
        let mut apexes = Self { names, index, ..Self::default() };
        for number in 0..apexes.names.len() {
            match apexes.place(&apexes.names[number].name) {
                Err(free) => {
                    apexes.label_counts.push(apexes.names[number].labels);
                    apexes.index[free] = number as u32 + 1;
                }
                // Nor may it be found as the zone asked last, by a number from before a reload.
                Ok(_) => apexes.names[number].name = Box::default(),
            }
        }
        apexes.label_counts.sort_unstable_by(|a, b| b.cmp(a));
        apexes.label_counts.dedup();
        apexes.longest = apexes.names.iter().map(|apex| apex.name.len()).max().unwrap_or(0);
        apexes.find_between(|_| false);
        apexes
    }

    /// As [`Apexes::new`], of names relative to one that stands above all of them.
    pub(super) fn relative<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Self {
        let mut apexes = Self::new(names);
        apexes.find_between(|name| name == [0]);
        apexes
    }

    /// Finds what stands between each apex and the next one above it, or the name that `ends` the search.
    fn find_between(&mut self, ends: impl Fn(&[u8]) -> bool) {
        let mut above = Vec::new();
        for apex in &self.names {
            let mut between = Vec::new();
            let mut rest = &apex.name[..];
            while let Some(label) = Labels::of(rest).next() {
                rest = &rest[label.len() + 1..];
                let upper = self.find_whole(rest);
                above.extend(upper);
                if upper.is_some() || ends(rest) {
                    self.between.extend(between.drain(..).map(Box::<[u8]>::from));
                    break;
                }
                between.push(rest);
            }
        }
        for number in above {
            self.names[number as usize].is_above = true;
        }
    }

    /// The number of the apex that is this name, in upper or lower case. A call of its own: the
    /// callers have many things to keep in registers.
    #[inline(never)]
    pub(super) fn find_whole(&self, name: &[u8]) -> Option<u32> {
        // What is longer than all is not worth a hash.
        if name.len() > self.longest {
            return None;
        }
        self.place(name).ok()
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

    /// The number of the apex that is this name, or the free place of the index where it would be.
    #[inline(always)]
    fn place(&self, name: &[u8]) -> Result<u32, usize> {
        let mask = self.index.len().wrapping_sub(1);
        let mut at = hash(name) as usize & mask;
        loop {
            let Some(number) = self.index.get(at).and_then(|&entry| entry.checked_sub(1)) else {
                return Err(at);
            };
            if self.names.get(number as usize).is_some_and(|apex| apex.is(name)) {
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
    #[inline]
    pub(super) fn find(&self, name: &[u8], starts: &[u8]) -> Option<(u32, usize)> {
        let labels = starts.len().checked_sub(1)?;
        for &count in &self.label_counts {
            let Some(before) = labels.checked_sub(count as usize) else { continue };
            if let Some(number) = self.find_whole(name.get(usize::from(starts[before])..)?) {
                return Some((number, before));
            }
        }
        None
    }
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

/// A hash of all bytes of a name, the same in upper and lower case. It need not withstand anybody: the
/// apexes are the administrator's, and a name that is asked is only compared with those at its place.
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
        ) {
            let names: Vec<_> = apexes.iter().map(|apex| wire(apex)).collect();
            let found = Apexes::relative(names.iter().map(Vec::as_slice));
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
            let between = !asked.is_empty() && above && !apexes.contains(&asked);
            prop_assert_eq!(found.is_between(&wire(&asked)), between);
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
    fn nothing_lies_above_the_apexes_of_a_server() {
        let apex: NameBuf = "bl.example.org".parse().unwrap();
        let apexes = Apexes::new([apex.as_wire()]);
        assert!(!apexes.is_between(b"\x07example\x03org\0"));
        assert!(!apexes.is_between(b"\x03org\0"));
    }
}
