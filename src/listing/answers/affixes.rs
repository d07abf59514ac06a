//! Texts that differ in one place only share what is before and behind it: their affixes.
//!
//! A list with evidence gives each entry a text of its own, in which only a number or a key differs. If a
//! dataset has many values, each text is stored as the number of its pair of affixes and the part between
//! them. The texts alone decide which part that is, and whether there are few enough pairs; so equal lists are
//! stored in equal bytes, whatever the order of their lines.

use super::hash::text_hash;
use super::index::HashIndex;
use super::template::Template;
use super::word::{ends_in_digits, last_word};
use crate::flat_array::{ArrayReader, ArrayWriter, FlatArray};
use std::ops::Range;

/// The most pairs of affixes. Few in unit tests, so that they meet it.
pub(super) const MOST_PAIRS: usize = if cfg!(test) { 8 } else { 4096 };
/// Shorter affixes save nothing; the text counts as one between two empty ones.
const MIN_AFFIXES: usize = 8;

/// A text in three parts: its own part is the last word with a digit, such as a number, an address or a name.
#[inline]
pub(super) fn split(text: &[u8]) -> [&[u8]; 3] {
    match last_word(text) {
        Some(own) if text.len() - own.len() >= MIN_AFFIXES => {
            [&text[..own.start], &text[own.clone()], &text[own.end..]]
        }
        _ => [&[], text, &[]],
    }
}

/// The affixes of the texts of a dataset, immutable; without any, texts are stored whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Affixes {
    /// Where the part before and the part behind end of each pair; the first starts where the pair before
    /// ends.
    ends: FlatArray<[u32; 2]>,
    bytes: FlatArray<u8>,
}

/// The number of the affixes of a text that is stored with one, and its own part.
#[inline]
pub(super) fn number_of(stored: &[u8]) -> (u16, &[u8]) {
    let Some((head, own)) = stored.split_first_chunk() else { return (0, &[]) };
    (u16::from_le_bytes(*head), own)
}

/// The parts of a text that is stored with the number of its affixes.
#[inline]
fn pieces<'a>(stored: &'a [u8], ends: &[[u32; 2]], bytes: &'a [u8]) -> [&'a [u8]; 3] {
    let (number, own) = number_of(stored);
    let number = usize::from(number);
    let start = number.checked_sub(1).and_then(|before| ends.get(before)).map_or(0, |ends| ends[1]);
    let [middle, end] = ends.get(number).copied().unwrap_or([start; 2]);
    let piece = |start: u32, end: u32| bytes.get(start as usize..end as usize).unwrap_or(&[]);
    [piece(start, middle), own, piece(middle, end)]
}

impl Affixes {
    /// False if texts are stored whole.
    #[inline(always)]
    pub(super) fn are_used(&self) -> bool {
        !self.ends.is_empty()
    }

    /// The template that is stored so.
    #[inline]
    pub(super) fn template<'a>(&'a self, stored: &'a [u8]) -> Template<'a> {
        match self.are_used() {
            false => Template::Whole(stored),
            true => Template::Pieces(pieces(stored, &self.ends, &self.bytes)),
        }
    }

    pub(super) fn heap(&self) -> usize {
        self.ends.heap() + self.bytes.heap()
    }

    pub(super) fn mapped(&self) -> usize {
        self.ends.mapped() + self.bytes.mapped()
    }

    pub(super) fn store(&self, out: &mut impl ArrayWriter) {
        out.array(&self.ends);
        out.array(&self.bytes);
    }

    pub(super) fn load(from: &mut impl ArrayReader) -> Option<Self> {
        Some(Self { ends: from.array()?, bytes: from.array()? })
    }
}

/// Pairs of affixes, numbered in the order in which they were first asked for.
#[derive(Debug)]
pub(super) struct AffixesBuilder {
    /// As in [`Affixes`].
    ends: Vec<[u32; 2]>,
    bytes: Vec<u8>,
    index: HashIndex,
    /// The pair that was asked for last: texts side by side mostly have the same one.
    last: u16,
    /// Where its two parts stand.
    last_places: [Range<usize>; 2],
}

impl Default for AffixesBuilder {
    fn default() -> Self {
        // No pair stands there.
        let last_places = [const { usize::MAX..usize::MAX }; 2];
        Self {
            ends: Vec::new(),
            bytes: Vec::new(),
            index: HashIndex::default(),
            last: 0,
            last_places,
        }
    }
}

impl AffixesBuilder {
    /// The number of a pair, new or known; `None` if there are too many.
    #[inline]
    pub(super) fn number(&mut self, before: &[u8], behind: &[u8]) -> Option<u16> {
        let [its_before, its_behind] = &self.last_places;
        match self.bytes.get(its_before.clone()) == Some(before)
            && self.bytes.get(its_behind.clone()) == Some(behind)
        {
            true => Some(self.last),
            false => self.search(before, behind),
        }
    }

    #[inline(never)]
    fn search(&mut self, before: &[u8], behind: &[u8]) -> Option<u16> {
        let hash = text_hash(before) ^ text_hash(behind).rotate_left(16);
        let is_it = |&number: &u32| {
            let [its_before, its_behind] = self.places(number as usize);
            self.bytes[its_before] == *before && self.bytes[its_behind] == *behind
        };
        let known = self.index.find(hash).find(is_it);
        if known.is_none() {
            if self.ends.len() == MOST_PAIRS {
                return None;
            }
            self.index.insert(hash, self.ends.len() as u32);
            self.bytes.extend_from_slice(before);
            let middle = self.bytes.len() as u32;
            self.bytes.extend_from_slice(behind);
            self.ends.push([middle, self.bytes.len() as u32]);
        }
        let last = known.unwrap_or(self.ends.len() as u32 - 1);
        (self.last, self.last_places) = (last as u16, self.places(last as usize));
        Some(self.last)
    }

    /// Where the two parts of a pair stand.
    fn places(&self, number: usize) -> [Range<usize>; 2] {
        let [middle, end] = self.ends[number];
        let start = number.checked_sub(1).map_or(0, |pair| self.ends[pair][1]);
        [start as usize..middle as usize, middle as usize..end as usize]
    }

    /// Appends a text as it is stored; `false` if there are too many pairs.
    #[inline]
    pub(super) fn store(&mut self, text: &[u8], out: &mut Vec<u8>) -> bool {
        if let Some(own) = self.own_number(text) {
            store_own(self.last, own, out);
            return true;
        }
        let [before, own, behind] = split(text);
        let Some(number) = self.number(before, behind) else { return false };
        store_own(number, own, out);
        true
    }

    /// The own part of a text, if it is a number of up to 16 digits between the affixes that were asked for last.
    /// [`split`] gives the same parts: no word goes on into an affix, and the part behind has no digit.
    #[inline]
    fn own_number<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let [before, behind] = self.last_places.clone().map(|place| self.bytes.get(place));
        let (before, behind) = (before?, behind?);
        let own_end = text.len().checked_sub(behind.len())?;
        let own = text.get(before.len()..own_end)?;
        let is_it = before.len() + behind.len() >= MIN_AFFIXES
            && ends_in_digits(&text[..own_end], own.len())
            && text.starts_with(before)
            && text.ends_with(behind);
        is_it.then_some(own)
    }

    /// The parts of a text that is stored so.
    #[inline]
    pub(super) fn pieces<'a>(&'a self, stored: &'a [u8]) -> [&'a [u8]; 3] {
        pieces(stored, &self.ends, &self.bytes)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn finish(self) -> Affixes {
        Affixes { ends: self.ends.into(), bytes: self.bytes.into() }
    }
}

/// Appends the own part of a text behind the number of its affixes.
#[inline]
pub(super) fn store_own(number: u16, own: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_le_bytes());
    // Copies of constant size need no call: one from the first byte on, and one up to the last.
    const HALF: usize = 8;
    match (own.first_chunk::<HALF>(), own.last_chunk::<HALF>()) {
        (Some(first), Some(last)) if own.len() <= 2 * HALF => {
            out.extend_from_slice(first);
            out.truncate(out.len() + own.len() - 2 * HALF);
            out.extend_from_slice(last);
        }
        _ => out.extend_from_slice(own),
    }
}

#[cfg(test)]
mod tests;
