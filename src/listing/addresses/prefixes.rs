//! The rules of `ip4trie` and `ip6trie`: the longest prefix that covers an address counts, and of
//! several entries for one prefix the first.

mod store;

use super::{Addresses4, Addresses6, Form4, Form6};
use crate::answer::AnswerId;
use crate::listing::NewNumbers;
use crate::range::{Int, Range};
use ipnet::Ipv4Subnets;
use store::{PrefixEntry, PrefixStore};

/// Collects the entries of an `ip4trie` or `ip6trie` dataset.
#[derive(Clone, Debug, Default)]
pub struct PrefixesBuilder<K> {
    entries: PrefixStore<K>,
    /// The number of ranges that were added, and of the prefixes they are made of.
    ranges: u64,
    of_ranges: u64,
}

/// How many prefixes ranges may be made of for each of them in the mean: those of real lists are made of ten
/// and less, all hosts of a network (`.1-.254`) of 14, the worst of 62. So many take six times the memory of a
/// prefix in the file.
pub const PREFIXES_OF_RANGE: u64 = 14;

/// How many more they may be made of in all.
const FREE_PREFIXES: u64 = 1 << 16;

/// An entry whose prefix had one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Duplicate<K> {
    /// The place of the entry.
    pub place: u32,
    /// The first address of the prefix.
    pub start: K,
    /// The length of the prefix.
    pub len: u8,
}

impl<K: Int> PrefixesBuilder<K> {
    /// Lists a prefix, or excludes it with [`AnswerId::NONE`]. `start` is the first address of
    /// the prefix; `place` grows from entry to entry, and is less than 2^31.
    pub fn add(&mut self, start: K, len: u8, answer: AnswerId, place: u32) {
        self.entries.push(PrefixEntry { start, place, answer, len });
    }

    /// Gives values their new numbers.
    pub fn renumber_values(&mut self, numbers: &NewNumbers) {
        self.entries.renumber(&|answer| numbers.answer(answer));
    }

    /// The distinct prefixes, and the first duplicate of each place in the order of their places.
    fn sorted(self) -> (Prefixes<K>, Vec<Duplicate<K>>) {
        let mut entries = self.entries;
        entries.sort();
        let mut duplicates = Vec::new();
        entries.keep_first(|PrefixEntry { place, start, len, .. }| {
            duplicates.push(Duplicate { place, start, len });
        });
        duplicates.sort_unstable_by_key(|duplicate| duplicate.place);
        // A range is several prefixes, and one entry.
        duplicates.dedup_by_key(|duplicate| duplicate.place);
        (Prefixes { entries }, duplicates)
    }
}

impl PrefixesBuilder<u32> {
    /// [`add`](Self::add) for all prefixes of a range.
    ///
    /// # Errors
    ///
    /// If the ranges are made of so many prefixes, more than are held.
    pub fn add_range(
        &mut self,
        start: u32,
        end: u32,
        answer: AnswerId,
        place: u32,
    ) -> Result<(), u64> {
        self.ranges += 1;
        for net in Ipv4Subnets::new(start.into(), end.into(), 0) {
            self.of_ranges += 1;
            self.add(net.network().to_bits(), net.prefix_len(), answer, place);
        }
        let most = FREE_PREFIXES + PREFIXES_OF_RANGE * self.ranges;
        if self.of_ranges > most { Err(self.of_ranges) } else { Ok(()) }
    }

    /// The addresses, and the entries whose prefix had one before, in the order of their places.
    pub fn finish(self) -> (Addresses4, Vec<Duplicate<u32>>) {
        let (prefixes, duplicates) = self.sorted();
        (Addresses4(Form4::Prefixes(prefixes)), duplicates)
    }
}

impl PrefixesBuilder<u128> {
    /// The addresses, and the entries whose prefix had one before, in the order of their places.
    pub fn finish(self) -> (Addresses6, Vec<Duplicate<u128>>) {
        let (prefixes, duplicates) = self.sorted();
        (Addresses6(Form6::Prefixes(prefixes)), duplicates)
    }
}

/// Distinct prefixes, sorted by their first address, shorter ones first.
#[derive(Clone, Debug)]
pub(super) struct Prefixes<K> {
    entries: PrefixStore<K>,
}

impl<K: Int> Prefixes<K> {
    pub(super) fn segments(&self) -> impl Iterator<Item = Range<K>> {
        let mut entries = self.entries.iter();
        Flatten { upcoming: entries.next(), entries, open: Vec::new(), next: None }
    }

    pub(super) fn memory(&self) -> usize {
        self.entries.memory()
    }

    pub(super) fn renumber(&mut self, number: &impl Fn(AnswerId) -> AnswerId) {
        self.entries.renumber(number);
    }
}

/// Walks over nested prefixes and gives every stretch to the innermost one.
struct Flatten<K, I> {
    /// The entries behind the upcoming one.
    entries: I,
    upcoming: Option<PrefixEntry<K>>,
    /// The last address and the answer of the prefixes the walk is in, the outermost first.
    open: Vec<(K, AnswerId)>,
    /// The first address not yet given out; `None` past the last one there is.
    next: Option<K>,
}

impl<K: Int, I: Iterator<Item = PrefixEntry<K>>> Flatten<K, I> {
    /// Goes into the prefix of the upcoming entry.
    #[inline]
    fn open(&mut self, entry: &PrefixEntry<K>) {
        self.open.push((entry.start.last_of_prefix(entry.len), entry.answer));
        self.next = Some(entry.start);
        self.upcoming = self.entries.next();
    }
}

impl<K: Int, I: Iterator<Item = PrefixEntry<K>>> Iterator for Flatten<K, I> {
    type Item = Range<K>;

    fn next(&mut self) -> Option<Range<K>> {
        loop {
            let Some(&(end, answer)) = self.open.last() else {
                let entry = self.upcoming?;
                let end = entry.start.last_of_prefix(entry.len);
                self.upcoming = self.entries.next();
                if self.upcoming.is_none_or(|next| next.start > end) {
                    // No other prefix is in this one, as in most.
                    return Some(Range { start: entry.start, end, answer: entry.answer });
                }
                self.open.push((end, entry.answer));
                self.next = Some(entry.start);
                continue;
            };
            let start = self.next;
            let stretch_end;
            match self.upcoming {
                Some(entry) if entry.start <= end => {
                    self.open(&entry);
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
