//! The entries of prefixes, held compactly while files are read.

use super::super::sort::sort_by_u32;
use crate::answer::AnswerId;
use crate::flat_array::make_room;
use crate::range::Int;
use std::marker::PhantomData;

/// A prefix that is listed or excluded.
#[derive(Clone, Copy, Debug)]
pub(super) struct PrefixEntry<K> {
    pub(super) start: K,
    /// The number of the entry in the files, less than 2^31.
    pub(super) place: u32,
    pub(super) answer: AnswerId,
    pub(super) len: u8,
}

impl<K: Int> PrefixEntry<K> {
    fn order(&self) -> (K, u8, u32) {
        (self.start, self.len, self.place)
    }
}

/// Entries of one family of addresses. All IPv4 prefixes and nearly all IPv6 prefixes have up to 64
/// bits: of these only the upper half is held.
#[derive(Clone, Debug, Default)]
pub(super) struct PrefixStore<K> {
    short: Vec<ShortPrefix>,
    long: Vec<LongPrefix>,
    family: PhantomData<K>,
}

/// A prefix of up to 64 bits.
#[derive(Clone, Copy, Debug, Default)]
struct ShortPrefix {
    /// IPv4: the first address, and below it the length. IPv6: the first 64 bits of the address, of
    /// which the one behind the prefix is set.
    network: u64,
    /// The place, and as its lowest bit whether an IPv6 prefix has 64 bits, with none behind them.
    place: u32,
    answer: AnswerId,
}

/// A prefix of more than 64 bits.
#[derive(Clone, Copy, Debug)]
struct LongPrefix {
    /// The address in quarters, so that the struct has no padding.
    start: [u32; 4],
    place: u32,
    answer: AnswerId,
    len: u8,
}

impl ShortPrefix {
    #[inline]
    fn pack<K: Int>(PrefixEntry { start, place, answer, len }: PrefixEntry<K>) -> Self {
        let high = (start.widen() << (u128::BITS - K::BITS) >> 64) as u64;
        let (below, is_full) = if Self::is_ip4::<K>() {
            (u64::from(len), false)
        } else {
            let behind = 1_u64.checked_shl(63_u32.wrapping_sub(len.into())).unwrap_or(0);
            (behind, behind == 0)
        };
        Self { network: high | below, place: place << 1 | u32::from(is_full), answer }
    }

    #[inline]
    fn unpack<K: Int>(&self) -> PrefixEntry<K> {
        let start = u128::from(self.start::<K>()) << 64 >> (u128::BITS - K::BITS);
        let (start, len) = (K::truncate(start), self.len::<K>() as u8);
        PrefixEntry { start, place: self.place >> 1, answer: self.answer, len }
    }

    fn is_ip4<K: Int>() -> bool {
        K::BITS == u32::BITS
    }

    #[inline]
    fn start<K: Int>(&self) -> u64 {
        if Self::is_ip4::<K>() {
            return self.network >> 32 << 32;
        }
        self.network & self.network.wrapping_sub(u64::from(self.place & 1 ^ 1))
    }

    #[inline]
    fn len<K: Int>(&self) -> u32 {
        if Self::is_ip4::<K>() {
            return self.network as u32;
        }
        let len = 63_u32.wrapping_sub(self.network.trailing_zeros());
        if self.place & 1 == 0 { len } else { 64 }
    }

    /// The order of [`PrefixEntry::order`] as one integer.
    #[inline]
    fn rank<K: Int>(&self) -> u128 {
        let (start, len) = (self.start::<K>(), self.len::<K>());
        u128::from(start) << 64 | u128::from(len) << 32 | u128::from(self.place)
    }
}

impl LongPrefix {
    fn pack<K: Int>(PrefixEntry { start, place, answer, len }: PrefixEntry<K>) -> Self {
        let start = [96, 64, 32, 0].map(|bits| (start.widen() >> bits) as u32);
        Self { start, place, answer, len }
    }

    #[inline]
    fn unpack<K: Int>(&self) -> PrefixEntry<K> {
        let start = self.start.iter().fold(0, |start, &part| start << 32 | u128::from(part));
        let start = K::truncate(start);
        PrefixEntry { start, place: self.place, answer: self.answer, len: self.len }
    }
}

impl<K: Int> PrefixStore<K> {
    /// Adds an entry behind the others.
    #[inline(always)]
    pub(super) fn push(&mut self, entry: PrefixEntry<K>) {
        if entry.len > 64 {
            make_room(&mut self.long);
            self.long.push(LongPrefix::pack(entry));
        } else {
            make_room(&mut self.short);
            self.short.push(ShortPrefix::pack(entry));
        }
    }

    /// All entries; once they are sorted, in that order.
    pub(super) fn iter(&self) -> impl Iterator<Item = PrefixEntry<K>> {
        let mut short = self.short.iter();
        let mut long = self.long.iter().map(LongPrefix::unpack::<K>).peekable();
        std::iter::from_fn(move || {
            // The constant spares walks over IPv4 prefixes a look at the long ones.
            if K::BITS > u64::BITS
                && let Some(next) = long.peek()
                && short.as_slice().first().is_none_or(|a| next.order() < a.unpack().order())
            {
                return long.next();
            }
            short.next().map(ShortPrefix::unpack)
        })
    }

    /// Sorts by first address, length and place.
    pub(super) fn sort(&mut self) {
        let high = |entry: &ShortPrefix| (entry.start::<K>() >> 32) as u32;
        sort_by_u32(&mut self.short, |entry| high(&entry));
        let same_high = self.short.chunk_by_mut(|a, b| high(a) == high(b));
        same_high.for_each(|entries| entries.sort_unstable_by_key(ShortPrefix::rank::<K>));
        self.long.sort_unstable_by_key(|long| long.unpack::<K>().order());
    }

    /// Of sorted entries with one prefix, keeps the first, and gives the others away.
    pub(super) fn keep_first(&mut self, mut duplicate: impl FnMut(PrefixEntry<K>)) {
        keep_first(&mut self.short, ShortPrefix::unpack, &mut duplicate);
        keep_first(&mut self.long, LongPrefix::unpack, &mut duplicate);
    }

    /// Replaces the number of each answer.
    pub(super) fn renumber(&mut self, number: &impl Fn(AnswerId) -> AnswerId) {
        let short = self.short.iter_mut().map(|short| &mut short.answer);
        let answers = short.chain(self.long.iter_mut().map(|long| &mut long.answer));
        answers.for_each(|answer| *answer = number(*answer));
    }

    /// The size in memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.short.capacity() * size_of::<ShortPrefix>()
            + self.long.capacity() * size_of::<LongPrefix>()
    }
}

fn keep_first<T, K: Int>(
    entries: &mut Vec<T>,
    unpack: impl Fn(&T) -> PrefixEntry<K>,
    mut duplicate: impl FnMut(PrefixEntry<K>),
) {
    entries.dedup_by(|entry, first| {
        let (entry, first) = (unpack(entry), unpack(first));
        let same = (entry.start, entry.len) == (first.start, first.len);
        if same {
            duplicate(entry);
        }
        same
    });
}
