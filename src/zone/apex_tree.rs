//! Sorted apexes. Whoever chooses the names, a search takes no longer than for any others: the apexes of
//! `combined` files are other people's.

use crate::wire::name::{Labels, MAX_NAME, reverse_labels};

/// Numbered apexes, in the order of their labels from the right.
#[derive(Debug, Default)]
pub(super) struct ApexTree {
    /// The keys, see [`reverse_labels`], one behind the other. That of an apex begins with those of all
    /// apexes above it.
    keys: Vec<u8>,
    apexes: Vec<Sorted>,
}

#[derive(Debug)]
struct Sorted {
    /// The number it was given.
    number: u32,
    /// Where its key ends.
    end: u32,
    /// The place of the next apex above it.
    above: Option<u32>,
    labels: u8,
}

impl ApexTree {
    /// Numbers them from 0 (wire form, lower case); of equal ones the first is found.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n [u8]>) -> Self {
        let mut keys: Vec<(Box<[u8]>, u32)> = names.into_iter().map(key_of).zip(0..).collect();
        keys.sort_unstable();
        keys.dedup_by(|(other, _), (key, _)| other == key);
        let mut tree = Self::default();
        // The apexes at or above the one before, the longest last.
        let mut open: Vec<(u32, &[u8])> = Vec::new();
        for ((key, number), place) in keys.iter().zip(0..) {
            while open.last().is_some_and(|(_, upper)| !key.starts_with(upper)) {
                open.pop();
            }
            let above = open.last().map(|&(above, _)| above);
            open.push((place, key));
            tree.keys.extend_from_slice(key);
            let (number, end) = (*number, tree.keys.len() as u32);
            tree.apexes.push(Sorted { number, end, above, labels: count(key) });
        }
        tree
    }

    /// The number of the longest apex that a name is at or below, and the number of labels of that
    /// apex.
    pub(super) fn find(&self, name: &[u8]) -> Option<(u32, usize)> {
        let mut key = [0; MAX_NAME];
        let key = reverse_labels(name, &mut key);
        let mut place = self.places_before(|other| other <= key).checked_sub(1)?;
        // What is above the name is also above what is next to it.
        let common = key.iter().zip(self.key(place)).take_while(|(a, b)| a == b).count();
        while self.key(place).len() > common {
            place = self.apexes[place].above? as usize;
        }
        let Sorted { number, labels, .. } = self.apexes[place];
        Some((number, labels.into()))
    }

    /// True if an apex lies below this name, which is none itself.
    pub(super) fn is_above_apex(&self, name: &[u8]) -> bool {
        let mut key = [0; MAX_NAME];
        let key = reverse_labels(name, &mut key);
        let place = self.places_before(|other| other < key);
        place < self.apexes.len() && self.key(place).starts_with(key) && self.key(place) != key
    }

    /// The number of each apex, with that of the next one above it and of the labels between the two.
    pub(super) fn uppers(&self) -> impl Iterator<Item = (u32, u32, usize)> {
        self.apexes.iter().filter_map(|apex| {
            let above = &self.apexes[apex.above? as usize];
            Some((apex.number, above.number, usize::from(apex.labels - above.labels)))
        })
    }

    /// How many apexes, from the first on, this holds for.
    fn places_before(&self, is_before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.apexes.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(self.key(middle)) { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn key(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).map_or(0, |before| self.apexes[before].end);
        &self.keys[start as usize..self.apexes[place].end as usize]
    }
}

fn key_of(name: &[u8]) -> Box<[u8]> {
    reverse_labels(name, &mut [0; MAX_NAME]).into()
}

/// The number of labels of a key.
fn count(key: &[u8]) -> u8 {
    Labels::of(key).count() as u8
}
