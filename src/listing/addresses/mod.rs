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
pub use prefixes::{Duplicate, PREFIXES_OF_RANGE, PrefixesBuilder};
pub use sets::{SetBuilder4, SetBuilder6};

use super::answers::Numbering;
use super::{Answers, AnswersBuilder};
use crate::answer::AnswerId;
use crate::range::{Coalesce, Range};
use crate::trie::{Trie4, Trie6, free_apart};
use layers::Layers;
use prefixes::Prefixes;
use sets::{Set4, Set6};

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

    /// Builds the trie of the addresses, on up to that many threads where this helps.
    pub fn into_trie(self, threads: usize) -> Trie4 {
        /// From this size in bytes on, a thread that frees the memory is worth its start.
        const LARGE: usize = 1 << 20;
        let trie = match self.singles() {
            Some((singles, answer)) => Trie4::build_singles(singles, answer, threads),
            None => Trie4::build(self.segments()),
        };
        if threads > 1 && self.memory() > LARGE {
            free_apart(self);
        }
        trie
    }

    /// The segments of the listing: not joined, and with those that are excluded.
    fn segments(&self) -> impl Iterator<Item = Range<u32>> {
        match &self.0 {
            Form4::Layers(layers) => match layers.only_singles() {
                Some(singles) => OneOf::First(singles),
                None => OneOf::Second(layers.segments()),
            },
            Form4::Set(set) => OneOf::Third(set.segments()),
            Form4::Prefixes(prefixes) => OneOf::Fourth(prefixes.segments()),
        }
    }

    /// The listed addresses, sorted and distinct, and the answer of them all, if that is how they
    /// are kept.
    fn singles(&self) -> Option<(&[u32], AnswerId)> {
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

    /// Builds the trie of the addresses.
    pub fn into_trie(self) -> Trie6 {
        Trie6::build(self.segments())
    }

    /// The segments of the listing: not joined, and with those that are excluded.
    fn segments(&self) -> impl Iterator<Item = Range<u128>> {
        match &self.0 {
            Form6::Set(set) => OneOf::First(set.segments()),
            Form6::Prefixes(prefixes) => {
                type None = std::iter::Empty<Range<u128>>;
                OneOf::<_, _, None, None>::Second(prefixes.segments())
            }
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
    let numbering = numbering(ip4.as_deref(), ip6.as_deref(), &answers);
    renumber(ip4, ip6, &numbering);
    answers.finish_as(numbering)
}

/// Numbers the answers of addresses in the order of the addresses, IPv4 first.
pub(super) fn numbering(
    ip4: Option<&Addresses4>,
    ip6: Option<&Addresses6>,
    answers: &AnswersBuilder,
) -> Numbering {
    let mut numbering = answers.numbering();
    // The kind of the addresses is asked once, not with each segment.
    match ip4.map(|ip4| &ip4.0) {
        Some(Form4::Layers(layers)) => match layers.only_singles() {
            Some(singles) => number_all(singles, &mut numbering),
            None => number_all(layers.segments(), &mut numbering),
        },
        Some(Form4::Set(set)) => number_all(set.segments(), &mut numbering),
        Some(Form4::Prefixes(prefixes)) => number_all(prefixes.segments(), &mut numbering),
        None => {}
    }
    if let Some(ip6) = ip6 {
        number_all(ip6.segments(), &mut numbering);
    }
    numbering
}

/// Numbers the answers of segments, until all have a number.
fn number_all<K>(mut segments: impl Iterator<Item = Range<K>>, numbering: &mut Numbering) {
    while !numbering.is_complete()
        && let Some(segment) = segments.next()
    {
        numbering.number(segment.answer);
    }
}

/// Gives the answers of addresses these numbers.
pub(super) fn renumber(
    ip4: Option<&mut Addresses4>,
    ip6: Option<&mut Addresses6>,
    numbering: &Numbering,
) {
    if numbering.changes_nothing() {
        return;
    }
    let number = |old| numbering.get(old);
    if let Some(ip4) = ip4 {
        ip4.renumber(&number);
    }
    if let Some(ip6) = ip6 {
        ip6.renumber(&number);
    }
}

/// One of up to four kinds of iterators.
enum OneOf<A, B, C, D> {
    First(A),
    Second(B),
    Third(C),
    Fourth(D),
}

impl<T, A, B, C, D> Iterator for OneOf<A, B, C, D>
where
    A: Iterator<Item = T>,
    B: Iterator<Item = T>,
    C: Iterator<Item = T>,
    D: Iterator<Item = T>,
{
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self {
            Self::First(iter) => iter.next(),
            Self::Second(iter) => iter.next(),
            Self::Third(iter) => iter.next(),
            Self::Fourth(iter) => iter.next(),
        }
    }

    #[inline]
    fn fold<R, F: FnMut(R, T) -> R>(self, init: R, each: F) -> R {
        match self {
            Self::First(iter) => iter.fold(init, each),
            Self::Second(iter) => iter.fold(init, each),
            Self::Third(iter) => iter.fold(init, each),
            Self::Fourth(iter) => iter.fold(init, each),
        }
    }
}
