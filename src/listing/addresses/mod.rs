//! Address datasets: from the entries of a file to sorted, disjoint ranges.
//!
//! One builder for each set of rules: [`LayersBuilder`] (`ip4set`), [`SetBuilder4`] (`ip4tset`),
//! [`SetBuilder6`] (`ip6tset`), [`PrefixesBuilder`] (`ip4trie`, `ip6trie`). Each ends in
//! [`Addresses4`] or [`Addresses6`], which hold the sorted entries at about the size they were
//! collected in, and list the ranges they amount to as often as asked. [`number`] comes last.

mod layers;
mod prefixes;
mod sets;
mod sort;
mod stream;
#[cfg(test)]
mod tests;

pub use layers::LayersBuilder;
pub use prefixes::{Late, PrefixesBuilder};
pub use sets::{SetBuilder4, SetBuilder6};

use super::{AnswerId, Answers, AnswersBuilder, Range};
use layers::Layers;
use prefixes::{Entries, Entries6, Entry, Prefixes};
use sets::{Set4, Set6};
use std::fmt::Debug;
use stream::Coalesce;

/// An address as a number: `u32` or `u128`.
pub trait Key: Copy + Ord + Debug {
    /// How entries of prefixes are kept.
    type Entries: Entries<Self>;

    /// The next address, if there is one.
    fn successor(self) -> Option<Self>;
    /// The address before; not to be asked of address zero.
    fn predecessor(self) -> Self;
    /// The last address of the prefix of this length that starts here.
    fn last_of_prefix(self, len: u8) -> Self;
}

macro_rules! impl_key {
    ($key:ty, $entries:ty) => {
        impl Key for $key {
            type Entries = $entries;

            fn successor(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn predecessor(self) -> Self {
                self.wrapping_sub(1)
            }

            fn last_of_prefix(self, len: u8) -> Self {
                self | Self::MAX.checked_shr(len.into()).unwrap_or(0)
            }
        }
    };
}

impl_key!(u32, Vec<Entry<u32>>);
impl_key!(u128, Entries6);

/// The IPv4 addresses of a dataset.
#[derive(Clone, Debug)]
pub struct Addresses4(Form4);

#[derive(Clone, Debug)]
enum Form4 {
    Layers(Layers),
    Set(Set4),
    Prefixes(Prefixes<u32>),
}

impl Addresses4 {
    /// The listed addresses: sorted, disjoint ranges, joined where neighbours have one answer.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u32>> {
        Coalesce::new(self.segments())
    }

    /// The same, but not joined, and with what is excluded.
    fn segments(&self) -> impl Iterator<Item = Range<u32>> {
        match &self.0 {
            Form4::Layers(layers) => OneOf::First(layers.segments()),
            Form4::Set(set) => OneOf::Second(set.segments()),
            Form4::Prefixes(prefixes) => OneOf::Third(prefixes.segments()),
        }
    }

    /// The listed addresses, sorted and distinct, and the answer of them all, if that is how they
    /// are kept.
    pub fn singles(&self) -> Option<(&[u32], AnswerId)> {
        match &self.0 {
            Form4::Set(set) => Some(set.singles()),
            Form4::Layers(_) | Form4::Prefixes(_) => None,
        }
    }

    /// The size in memory, in bytes.
    pub fn memory(&self) -> usize {
        match &self.0 {
            Form4::Layers(layers) => layers.memory(),
            Form4::Set(set) => set.memory(),
            Form4::Prefixes(prefixes) => prefixes.memory(),
        }
    }

    /// Puts other numbers in the place of those of the answers.
    pub(crate) fn renumber(&mut self, number: &impl Fn(AnswerId) -> AnswerId) {
        match &mut self.0 {
            Form4::Layers(layers) => layers.renumber(number),
            Form4::Set(set) => set.renumber(number),
            Form4::Prefixes(prefixes) => prefixes.renumber(number),
        }
    }
}

/// The IPv6 addresses of a dataset.
#[derive(Clone, Debug)]
pub struct Addresses6(Form6);

#[derive(Clone, Debug)]
enum Form6 {
    Set(Set6),
    Prefixes(Prefixes<u128>),
}

impl Addresses6 {
    /// The listed addresses: sorted, disjoint ranges, joined where neighbours have one answer.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u128>> {
        Coalesce::new(self.segments())
    }

    /// The same, but not joined, and with what is excluded.
    fn segments(&self) -> impl Iterator<Item = Range<u128>> {
        match &self.0 {
            Form6::Set(set) => OneOf::First(set.segments()),
            Form6::Prefixes(prefixes) => {
                OneOf::<_, std::iter::Empty<_>, _>::Third(prefixes.segments())
            }
        }
    }

    /// The size in memory, in bytes.
    pub fn memory(&self) -> usize {
        match &self.0 {
            Form6::Set(set) => set.memory(),
            Form6::Prefixes(prefixes) => prefixes.memory(),
        }
    }

    /// Puts other numbers in the place of those of the answers.
    pub(crate) fn renumber(&mut self, number: &impl Fn(AnswerId) -> AnswerId) {
        match &mut self.0 {
            Form6::Set(set) => set.renumber(number),
            Form6::Prefixes(prefixes) => prefixes.renumber(number),
        }
    }
}

/// Keeps the answers that a listed address has, numbered from 1 by their first use in the order
/// of the addresses, IPv4 before IPv6, and puts the new numbers into the addresses.
pub fn number(
    ip4: Option<&mut Addresses4>,
    ip6: Option<&mut Addresses6>,
    answers: AnswersBuilder,
) -> Answers {
    let mut numbering = answers.numbering();
    {
        let ids4 = ip4.iter().flat_map(|ip4| ip4.segments()).map(|segment| segment.answer);
        let ids6 = ip6.iter().flat_map(|ip6| ip6.segments()).map(|segment| segment.answer);
        let mut ids = ids4.chain(ids6);
        while !numbering.is_complete()
            && let Some(id) = ids.next()
        {
            numbering.number(id);
        }
    }
    if !numbering.changes_nothing() {
        let number = |old| numbering.get(old);
        if let Some(ip4) = ip4 {
            ip4.renumber(&number);
        }
        if let Some(ip6) = ip6 {
            ip6.renumber(&number);
        }
    }
    answers.finish_as(&numbering)
}

/// One of up to three kinds of iterators.
enum OneOf<A, B, C> {
    First(A),
    Second(B),
    Third(C),
}

impl<T, A, B, C> Iterator for OneOf<A, B, C>
where
    A: Iterator<Item = T>,
    B: Iterator<Item = T>,
    C: Iterator<Item = T>,
{
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self {
            Self::First(iter) => iter.next(),
            Self::Second(iter) => iter.next(),
            Self::Third(iter) => iter.next(),
        }
    }
}
