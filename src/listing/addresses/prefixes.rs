//! The rules of `ip4trie` and `ip6trie`: the longest prefix that covers an address counts, and of
//! several entries for one prefix the first.

use super::sort::sort_by_u32;
use super::{Addresses4, Addresses6, AnswerId, Form4, Form6, Key, Range};

/// Collects the entries of an `ip4trie` or `ip6trie` dataset.
#[derive(Clone, Debug)]
pub struct PrefixesBuilder<K> {
    entries: Vec<Entry<K>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry<K> {
    start: K,
    /// The number of the entry in the files.
    place: u32,
    answer: AnswerId,
    len: u8,
}

impl<K: Key> Entry<K> {
    fn order(&self) -> (K, u8, u32) {
        (self.start, self.len, self.place)
    }
}

impl<K> Default for PrefixesBuilder<K> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

/// An entry whose prefix had one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Late<K> {
    /// The place of the entry.
    pub place: u32,
    /// The first address of the prefix.
    pub start: K,
    /// The length of the prefix.
    pub len: u8,
}

impl<K: Key> PrefixesBuilder<K> {
    /// Lists a prefix, or excludes it with [`AnswerId::NONE`]. `start` is the first address of
    /// the prefix; `place` grows from entry to entry.
    pub fn add(&mut self, start: K, len: u8, answer: AnswerId, place: u32) {
        self.entries.push(Entry { start, place, answer, len });
    }

    /// The prefixes, and the entries that came too late, when the entries are in order.
    fn without_late(self) -> (Prefixes<K>, Vec<Late<K>>) {
        let mut entries = self.entries;
        let mut late = Vec::new();
        entries.dedup_by(|entry, first| {
            let same = (entry.start, entry.len) == (first.start, first.len);
            if same {
                late.push(Late { place: entry.place, start: entry.start, len: entry.len });
            }
            same
        });
        late.sort_unstable_by_key(|late| late.place);
        (Prefixes { entries }, late)
    }
}

impl PrefixesBuilder<u32> {
    /// The addresses, and the entries whose prefix had one before, in the order of their places.
    pub fn finish(mut self) -> (Addresses4, Vec<Late<u32>>) {
        sort_by_u32(&mut self.entries, |entry| entry.start);
        let same_start = self.entries.chunk_by_mut(|a, b| a.start == b.start);
        same_start.for_each(|entries| entries.sort_unstable_by_key(Entry::order));
        let (prefixes, late) = self.without_late();
        (Addresses4(Form4::Prefixes(prefixes)), late)
    }
}

impl PrefixesBuilder<u128> {
    /// The addresses, and the entries whose prefix had one before, in the order of their places.
    pub fn finish(mut self) -> (Addresses6, Vec<Late<u128>>) {
        self.entries.sort_unstable_by_key(Entry::order);
        let (prefixes, late) = self.without_late();
        (Addresses6(Form6::Prefixes(prefixes)), late)
    }
}

/// Distinct prefixes, sorted by their first address, shorter ones first.
#[derive(Clone, Debug)]
pub(super) struct Prefixes<K> {
    entries: Vec<Entry<K>>,
}

impl<K: Key> Prefixes<K> {
    pub(super) fn segments(&self) -> impl Iterator<Item = Range<K>> {
        Nest { entries: self.entries.iter(), open: Vec::new(), next: None }
    }

    pub(super) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry<K>>()
    }

    pub(super) fn renumber(&mut self, numbers: &[AnswerId]) {
        for entry in &mut self.entries {
            entry.answer = numbers[entry.answer.0 as usize];
        }
    }
}

/// Walks over nested prefixes and gives every stretch to the innermost one.
struct Nest<'a, K> {
    entries: std::slice::Iter<'a, Entry<K>>,
    /// The last address and the answer of the prefixes the walk is in, the outermost first.
    open: Vec<(K, AnswerId)>,
    /// The first address not yet given out; `None` past the last one there is.
    next: Option<K>,
}

impl<K: Key> Iterator for Nest<'_, K> {
    type Item = Range<K>;

    fn next(&mut self) -> Option<Range<K>> {
        loop {
            let upcoming = self.entries.as_slice().first();
            let Some(&(end, answer)) = self.open.last() else {
                let entry = self.entries.next()?;
                self.open.push((entry.start.last_of_prefix(entry.len), entry.answer));
                self.next = Some(entry.start);
                continue;
            };
            let start = self.next;
            let stretch_end;
            match upcoming {
                Some(entry) if entry.start <= end => {
                    self.entries.next();
                    self.open.push((entry.start.last_of_prefix(entry.len), entry.answer));
                    self.next = Some(entry.start);
                    if start == Some(entry.start) {
                        continue;
                    }
                    stretch_end = entry.start.predecessor();
                }
                _ => {
                    self.open.pop();
                    self.next = end.successor();
                    stretch_end = end;
                }
            }
            if let Some(start) = start
                && start <= stretch_end
            {
                return Some(Range { start, end: stretch_end, answer });
            }
        }
    }
}
