//! The texts of values while a file is read.

use super::ValueId;
use super::affixes::{Affixes, AffixesBuilder, number_of, split, store_own};
use super::known::NewNumbers;
use super::template::Template;
use std::ops::Range;

/// So many values, and fewer, have their texts stored whole. Few in unit tests, so that they meet it.
pub(super) const FEW: usize = if cfg!(test) { 16 } else { 1 << 16 };

/// The texts of values, one behind the other. Where each ends, the values say.
#[derive(Debug, Default)]
pub(super) struct TextStore {
    bytes: Vec<u8>,
    /// The length of all texts, whole.
    size: u32,
    form: Form,
}

/// How texts are stored.
#[derive(Debug, Default)]
enum Form {
    /// Whole, because there are few.
    #[default]
    Few,
    Shared(AffixesBuilder),
    /// Whole, because they have too many affixes.
    Various,
}

/// The place of the text of a value.
#[inline]
pub(super) fn place_of(values: &[[u32; 2]], id: u32) -> Range<usize> {
    let index = id as usize;
    let start = index.checked_sub(1).map_or(0, |before| values[before][1]);
    start as usize..values[index][1] as usize
}

impl TextStore {
    /// The text at a place.
    #[inline]
    pub(super) fn get(&self, place: Range<usize>) -> Template<'_> {
        let stored = &self.bytes[place];
        match &self.form {
            Form::Shared(affixes) => Template::Pieces(affixes.pieces(stored)),
            Form::Few | Form::Various => Template::Whole(stored),
        }
    }

    /// True if this text is at a place.
    #[inline]
    pub(super) fn is(&self, place: Range<usize>, text: &[u8]) -> bool {
        match &self.form {
            Form::Shared(affixes) => is_made_of(affixes.pieces(&self.bytes[place]), text),
            Form::Few | Form::Various => self.bytes[place] == *text,
        }
    }

    /// False if this text is certainly not at a place; cheap.
    #[inline]
    pub(super) fn may_be(&self, place: Range<usize>, text: &[u8]) -> bool {
        let ends = |text: &[u8]| (text.len(), text.first().copied(), text.last().copied());
        let stored = ends(&self.bytes[place]);
        matches!(self.form, Form::Shared(_)) || stored == ends(text)
    }

    /// Adds the text of the value behind these; where it ends. `None` if all exceed 4 GiB.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8], values: &mut [[u32; 2]]) -> Option<u32> {
        self.size = self.size.checked_add(u32::try_from(text.len()).ok()?)?;
        if values.len() == FEW {
            self.share(values);
        }
        let is_stored = match &mut self.form {
            Form::Shared(affixes) => affixes.store(text, &mut self.bytes),
            Form::Few | Form::Various => false,
        };
        if !is_stored {
            if matches!(self.form, Form::Shared(_)) {
                self.spell_out(values);
            }
            self.bytes.extend_from_slice(text);
        }
        u32::try_from(self.bytes.len()).ok()
    }

    /// Stores all texts with their affixes, if there are not too many.
    #[cold]
    fn share(&mut self, values: &mut [[u32; 2]]) {
        let whole = std::mem::take(&mut self.bytes);
        let texts = || (0..values.len() as u32).map(|id| &whole[place_of(values, id)]);
        let Some(mut affixes) = affixes_of(texts()) else {
            (self.bytes, self.form) = (whole, Form::Various);
            return;
        };
        let mut start = 0;
        for [_, end] in values {
            affixes.store(&whole[start..*end as usize], &mut self.bytes);
            start = std::mem::replace(end, self.bytes.len() as u32) as usize;
        }
        self.form = Form::Shared(affixes);
    }

    /// Stores all texts whole, because they have too many affixes.
    #[cold]
    fn spell_out(&mut self, values: &mut [[u32; 2]]) {
        let mut whole = Vec::with_capacity(self.size as usize);
        let mut start = 0;
        for [_, end] in values {
            self.get(start..*end as usize).append_to(&mut whole);
            start = std::mem::replace(end, whole.len() as u32) as usize;
        }
        (self.bytes, self.form) = (whole, Form::Various);
    }

    /// Gives these values their new numbers, and drops those that were others again, with their texts.
    pub(super) fn renumber(&mut self, numbers: &NewNumbers, values: &mut Vec<[u32; 2]>) {
        // The texts from `start` on stay side by side; they go to `end`.
        let (mut count, mut start, mut end, mut old_start) = (0, 0, 0, 0);
        for number in 0..values.len() {
            let [a, old_end] = values[number].map(|it| it as usize);
            let is_kept = numbers.value(ValueId(number as u32)).0 as usize == count;
            if is_kept {
                values[count] = [a as u32, (end + old_end - start) as u32];
                count += 1;
            } else {
                self.size -= self.get(old_start..old_end).len() as u32;
                self.bytes.copy_within(start..old_start, end);
                (end, start) = (end + old_start - start, old_end);
            }
            old_start = old_end;
        }
        self.bytes.copy_within(start.., end);
        self.bytes.truncate(end + old_start - start);
        values.truncate(count);
    }

    /// All texts as they are stored.
    pub(super) fn finish(mut self) -> (Vec<u8>, Affixes) {
        self.bytes.shrink_to_fit();
        let affixes = match self.form {
            Form::Shared(affixes) => affixes.finish(),
            Form::Few | Form::Various => Affixes::default(),
        };
        (self.bytes, affixes)
    }

    /// What brings the texts of so many values, whose places these are, into another order.
    pub(super) fn mover(
        &self,
        all: usize,
        places: impl ExactSizeIterator<Item = Range<usize>>,
    ) -> TextMover<'_> {
        let few = places.len() <= FEW;
        let (affixes, numbers) = match &self.form {
            Form::Shared(old) if !few => (Some(AffixesBuilder::default()), vec![None; old.len()]),
            // Without the values that are left out, there may be fewer affixes.
            Form::Various if !few && places.len() < all => {
                (affixes_of(places.map(|place| &self.bytes[place])), Vec::new())
            }
            _ => (None, Vec::new()),
        };
        TextMover { old: self, bytes: Vec::with_capacity(self.bytes.len()), affixes, numbers }
    }
}

/// The affixes of texts, unless there are too many.
fn affixes_of<'a>(mut texts: impl Iterator<Item = &'a [u8]>) -> Option<AffixesBuilder> {
    let mut affixes = AffixesBuilder::default();
    let are_few = texts.all(|text| {
        let [before, _, behind] = split(text);
        affixes.number(before, behind).is_some()
    });
    are_few.then_some(affixes)
}

/// True if a text is these pieces, one behind the other.
#[inline]
fn is_made_of([before, own, behind]: [&[u8]; 3], text: &[u8]) -> bool {
    let rest = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
    rest == Some(own)
}

/// Texts on their way into another order.
pub(super) struct TextMover<'a> {
    old: &'a TextStore,
    bytes: Vec<u8>,
    /// Those of the texts in their new order; `None` if these are stored whole.
    affixes: Option<AffixesBuilder>,
    /// The new number of each pair of the old affixes that has one.
    numbers: Vec<Option<u16>>,
}

impl TextMover<'_> {
    /// Reads the beginning of a text, which brings it into the cache.
    #[inline]
    pub(super) fn touch(&self, place: &Range<usize>) -> Option<u8> {
        self.old.bytes.get(place.start).copied()
    }

    /// Moves the next text; where it ends.
    #[inline]
    pub(super) fn carry(&mut self, place: Range<usize>) -> u32 {
        let Self { old, bytes, affixes, numbers } = self;
        let stored = &old.bytes[place.clone()];
        match (affixes, &old.form) {
            (None, _) => old.get(place).append_to(bytes),
            (Some(affixes), Form::Shared(old)) => {
                let (number, own) = number_of(stored);
                let number = &mut numbers[usize::from(number)];
                let number = *number.get_or_insert_with(|| {
                    let [before, _, behind] = old.pieces(stored);
                    affixes.number(before, behind).unwrap_or(0)
                });
                store_own(number, own, bytes);
            }
            (Some(affixes), Form::Few | Form::Various) => {
                let has_room = affixes.store(stored, bytes);
                debug_assert!(has_room, "its affixes were counted");
            }
        }
        bytes.len() as u32
    }

    /// All texts that were moved, as they are stored.
    pub(super) fn finish(mut self) -> (Vec<u8>, Affixes) {
        self.bytes.shrink_to_fit();
        (self.bytes, self.affixes.map(AffixesBuilder::finish).unwrap_or_default())
    }
}
