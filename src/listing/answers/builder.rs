//! Interning values and answers.

use super::affixes::Affixes;
use super::hash::{a_hash, hash_members, hash_value, text_hash};
use super::index::HashIndex;
use super::known::{KnownValues, NewNumbers};
use super::numbering::{MOST, Numbering, ProvisionalId};
use super::texts::{TextStore, place_of};
use super::{AnswerId, Answers, Gate, Value, ValueId, gate_of};
use std::net::Ipv4Addr;

/// An A record, and its hash: in most lists, many values have the same one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HashedA {
    a: u32,
    hash: u32,
}

impl HashedA {
    /// The default, 0.0.0.0 without a hash, stands for another one.
    #[inline]
    pub fn or(self, other: Self) -> Self {
        if self == Self::default() { other } else { self }
    }

    /// That of this A record.
    pub fn new(a: Ipv4Addr) -> Self {
        Self { a: a.into(), hash: a_hash(a.into()) }
    }
}

/// A value without a gate, and its hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hashed<'a> {
    a: u32,
    text: &'a [u8],
    hash: u32,
}

impl<'a> Hashed<'a> {
    /// The value with this A record and this template of the TXT record, which has that
    /// [hash](AnswersBuilder::text_hash).
    #[inline]
    pub fn new(a: HashedA, text: &'a [u8], text_hash: u32) -> Self {
        Self { a: a.a, text, hash: hash_value(text_hash, a.hash, None) }
    }
}

/// So many values, and more, are seldom in the processor's cache with their texts. Few in unit tests, so that they
/// meet it.
const MANY: usize = if cfg!(test) { 2 } else { 1 << 12 };

/// Interns values and answers while a file is read.
///
/// ```
/// use dnsbld::listing::AnswersBuilder;
///
/// let mut builder = AnswersBuilder::default();
/// let value = builder.value([127, 0, 0, 2].into(), b"see http://bl.example/$").unwrap();
/// let id = builder.answer(&[value]);
/// let (answers, _) = builder.finish([id]);
/// assert_eq!(answers.get(id).values().next().unwrap().a.octets(), [127, 0, 0, 2]);
/// ```
#[derive(Debug, Default)]
pub struct AnswersBuilder {
    /// As in [`Answers`].
    values: Vec<[u32; 2]>,
    texts: TextStore,
    gates: Vec<(u32, Gate)>,
    known: KnownValues,
    /// How often a value was found among them.
    met_again: usize,
    /// The ends of the values of each answer that has several.
    answers: Vec<u32>,
    members: Vec<ValueId>,
    /// Those answers, by their hashes.
    answer_index: HashIndex,
    overfull: Overfull,
}

/// Keys with more values than an answer holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overfull {
    /// How many there are.
    pub keys: u64,
    /// How many entries were left out, at least: one for several addresses counts once.
    pub entries: u64,
    /// The first few of the keys, as people write them, each with the number of its values that were left
    /// out.
    pub first: Vec<(Box<str>, u64)>,
}

impl Overfull {
    /// How many keys are kept by name.
    const MOST_NAMED: usize = 5;

    /// Counts a key, of which so many values were left out, and so many entries with them.
    pub(in crate::listing) fn count(
        &mut self,
        values: u64,
        entries: u64,
        key: impl FnOnce() -> String,
    ) {
        self.keys += 1;
        self.entries += entries;
        if self.first.len() < Self::MOST_NAMED {
            self.first.push((key().into(), values));
        }
    }
}

impl AnswersBuilder {
    /// The keys with more values than an answer holds, as far as they were decided.
    pub fn take_overfull(&mut self) -> Overfull {
        std::mem::take(&mut self.overfull)
    }

    /// Where they are counted.
    pub(in crate::listing) fn overfull(&mut self) -> &mut Overfull {
        &mut self.overfull
    }

    /// The number of distinct values.
    pub(in crate::listing) fn values(&self) -> usize {
        self.values.len()
    }

    /// The number of the values of all answers with several.
    pub(in crate::listing) fn members(&self) -> usize {
        self.members.len()
    }

    /// The number of this value, new or known. `None` if the texts of the dataset exceed 4 GiB.
    pub fn value(&mut self, a: Ipv4Addr, text: &[u8]) -> Option<ValueId> {
        self.gated_value(a, text, None)
    }

    /// [`value`](Self::value) for a value behind a gate.
    pub fn gated_value(&mut self, a: Ipv4Addr, text: &[u8], gate: Option<Gate>) -> Option<ValueId> {
        let hash = hash_value(text_hash(text), a_hash(a.into()), gate);
        self.hashed_value(hash, a.into(), text, gate)
    }

    /// The hash of a text, the same in every builder.
    #[inline]
    pub fn text_hash(text: &[u8]) -> u32 {
        text_hash(text)
    }

    /// For each value, a known value that is likely to equal it, for
    /// [`guessed_value`](Self::guessed_value).
    ///
    /// Each step reads memory that is seldom in the cache. Every step therefore runs for all values
    /// before the next step starts, so that the reads overlap.
    ///
    /// Who uses it has to [settle](Self::settle) the values in the end.
    pub fn guess<const N: usize>(
        &mut self,
        values: &[Option<Hashed<'_>>; N],
    ) -> [Option<ValueId>; N] {
        self.known.review(self.values.len(), self.met_again);
        let guesses = self.known.first_of_each(values.map(|value| Some(value?.hash)));
        let Some(guesses) = guesses else { return [None; N] };
        let mut guesses = guesses.map(|guess| guess.map(ValueId));
        // The texts of fewer values are mostly in the cache.
        if self.values.len() > MANY {
            let places = guesses.map(|guess| Some(place_of(&self.values, guess?.0)));
            for ((guess, place), value) in guesses.iter_mut().zip(places).zip(values) {
                if let (Some(place), Some(value)) = (place, value)
                    && !self.texts.may_be(place, value.text)
                {
                    *guess = None;
                }
            }
        }
        guesses
    }

    /// [`value`](Self::value) for a value with a [guess](Self::guess).
    #[inline]
    pub fn guessed_value(&mut self, guess: Option<ValueId>, value: Hashed<'_>) -> Option<ValueId> {
        let Hashed { a, text, hash } = value;
        match guess {
            Some(ValueId(id)) if self.is(id, a, text, None) => {
                self.met_again += 1;
                guess
            }
            _ => self.hashed_value(hash, a, text, None),
        }
    }

    /// True if the value with this number is this one.
    #[inline]
    fn is(&self, id: u32, a: u32, text: &[u8], gate: Option<Gate>) -> bool {
        self.values[id as usize][0] == a
            && self.texts.is(place_of(&self.values, id), text)
            && gate_of(&self.gates, id) == gate
    }

    fn hashed_value(
        &mut self,
        hash: u32,
        a: u32,
        text: &[u8],
        gate: Option<Gate>,
    ) -> Option<ValueId> {
        if let Some(id) = self.known.find(hash, |id| self.is(id, a, text, gate)) {
            self.met_again += 1;
            return Some(ValueId(id));
        }
        let id = Some(self.values.len()).filter(|&id| id < MOST)? as u32;
        let end = self.texts.push(text, &mut self.values)?;
        self.values.push([a, end]);
        if let Some(gate) = gate {
            self.gates.push((id, gate));
        }
        self.known.insert(hash, id);
        Some(ValueId(id))
    }

    /// Gives each value one number, if some were met again and not found: the new numbers of all. No answer may have
    /// several values before.
    pub fn settle(&mut self) -> Option<NewNumbers> {
        let mut known = std::mem::take(&mut self.known);
        let numbers = known.settle(|one, other| {
            self.values[one as usize][0] == self.values[other as usize][0]
                && self.get_value(ValueId(one)) == self.get_value(ValueId(other))
        });
        self.known = known;
        if let Some(numbers) = &numbers {
            self.texts.renumber(numbers, &mut self.values);
            for (value, _) in &mut self.gates {
                *value = numbers.value(ValueId(*value)).0;
            }
            self.gates.sort_unstable_by_key(|(value, _)| *value);
            self.gates.dedup_by_key(|(value, _)| *value);
        }
        numbers
    }

    /// The number of the answer that gives these values, in this order. A dataset can run out of
    /// numbers, which takes 16 GiB of answers; the answer then gives the first value alone.
    #[inline]
    pub fn answer(&mut self, values: &[ValueId]) -> AnswerId {
        match values {
            [] => AnswerId::NONE,
            [value] => value.alone(),
            [first, ..] => self
                .several(values)
                .map_or(first.alone(), |place| ProvisionalId::Several(place).id()),
        }
    }

    fn several(&mut self, values: &[ValueId]) -> Option<u32> {
        let Self { answers, members, answer_index, .. } = self;
        let hash = hash_members(values);
        let is_it = |&place: &u32| members_of(answers, members, place) == values;
        if let Some(known) = answer_index.find(hash).find(is_it) {
            return Some(known);
        }
        let end = u32::try_from(members.len() + values.len()).ok()?;
        let place = Some(answers.len()).filter(|&place| place < MOST)? as u32;
        answer_index.insert(hash, place);
        members.extend_from_slice(values);
        answers.push(end);
        Some(place)
    }

    #[cfg(test)]
    pub(super) fn longest_search(&self) -> usize {
        self.known.longest()
    }

    /// The value with this number.
    pub fn get_value(&self, id: ValueId) -> Value<'_> {
        let [a, _] = self.values[id.0 as usize];
        let text = self.texts.get(place_of(&self.values, id.0));
        Value { a: Ipv4Addr::from(a), text, gate: gate_of(&self.gates, id.0) }
    }

    /// A numbering with room for all answers that exist so far.
    pub fn numbering(&self) -> Numbering {
        Numbering::new(self.values.len(), self.answers.len())
    }

    /// Makes room in the numbering for answers with several values that came later.
    #[inline]
    pub(in crate::listing) fn extend(&self, numbering: &mut Numbering) {
        numbering.extend(self.answers.len());
    }

    /// The answers that `used` names, renumbered in the order of their first use.
    pub fn finish(self, used: impl IntoIterator<Item = AnswerId>) -> (Answers, Numbering) {
        let mut numbering = self.numbering();
        for id in used {
            numbering.number(id);
        }
        (self.finish_as(numbering.clone()), numbering)
    }

    /// The answers that are numbered, with these numbers.
    pub fn finish_as(mut self, numbering: Numbering) -> Answers {
        let keeps_order =
            self.answers.is_empty() && numbering.is_complete() && numbering.changes_nothing();
        // Putting the values in order takes as much memory again as they have: what is not needed for it goes
        // before.
        drop(std::mem::take(&mut self.known));
        let used = if keeps_order { Vec::new() } else { numbering.into_used() };
        let (mut answers, mut members) = (Vec::new(), Vec::new());
        // The values in the order of their first use. Nearly every value is used once.
        let mut order = Vec::new();
        if self.answers.is_empty() {
            order = used.into_iter().filter_map(ValueId::only_of).collect();
        } else {
            let mut numbers = vec![u32::MAX; self.values.len()];
            for id in used {
                let single;
                let its_values = match ProvisionalId::of(id) {
                    ProvisionalId::None => continue,
                    ProvisionalId::Single(value) => {
                        single = [ValueId(value)];
                        &single
                    }
                    ProvisionalId::Several(place) => {
                        members_of(&self.answers, &self.members, place)
                    }
                };
                for value in its_values {
                    let number = &mut numbers[value.0 as usize];
                    if *number == u32::MAX {
                        *number = order.len() as u32;
                        order.push(*value);
                    }
                    members.push(*number);
                }
                answers.push(members.len() as u32);
            }
            if answers.len() == order.len() && members.len() == order.len() {
                (answers, members) = (Vec::new(), Vec::new());
            }
        }
        let (mut values, (texts, affixes), mut gates) = match keeps_order {
            true => (self.values, self.texts.finish(), self.gates),
            false => self.in_order(&order),
        };
        values.shrink_to_fit();
        gates.shrink_to_fit();
        Answers {
            values: values.into(),
            texts: texts.into(),
            affixes,
            gates,
            answers: answers.into(),
            members: members.into(),
        }
    }

    /// The values with these numbers in this order, their texts and their gates.
    fn in_order(self, order: &[ValueId]) -> OrderedValues {
        let Self { values, texts, gates, .. } = self;
        let mut ordered = Vec::with_capacity(order.len());
        let mut its_gates = Vec::new();
        let places = order.iter().map(|value| place_of(&values, value.0));
        let mut its_texts = texts.mover(values.len(), places);
        // Neither the places of the texts nor the texts are likely to be in the cache. Reading them
        // in batches lets the reads overlap.
        const BATCH: usize = 64;
        for order in order.chunks(BATCH) {
            let mut places = [const { 0..0 }; BATCH];
            for (place, value) in places.iter_mut().zip(order) {
                *place = place_of(&values, value.0);
            }
            std::hint::black_box(places.each_ref().map(|place| its_texts.touch(place)));
            for (value, place) in order.iter().zip(places) {
                let number = ordered.len() as u32;
                let [a, _] = values[value.0 as usize];
                ordered.push([a, its_texts.carry(place)]);
                its_gates.extend(gate_of(&gates, value.0).map(|gate| (number, gate)));
            }
        }
        (ordered, its_texts.finish(), its_gates)
    }
}

/// Values, their texts, and the gates that some have.
type OrderedValues = (Vec<[u32; 2]>, (Vec<u8>, Affixes), Vec<(u32, Gate)>);

/// The values of an answer that has several.
fn members_of<'a>(answers: &[u32], members: &'a [ValueId], place: u32) -> &'a [ValueId] {
    let index = place as usize;
    let start = index.checked_sub(1).map_or(0, |before| answers[before]);
    &members[start as usize..answers[index] as usize]
}
