//! Interned answers: what a listed key gives.
//!
//! A dataset has few distinct answers and many keys, so a key holds only a number. A text is kept
//! as it stands in the file; `$` and `$0`..`$9` are replaced when a query asks for it, because
//! variables defined at the end of a file hold for its beginning too.

use super::AnswerId;
use crate::flat::{Flat, Sink, Source};
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::net::Ipv4Addr;
use std::time::Duration;

/// The number of a [`Value`] in an [`AnswersBuilder`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ValueId(pub u32);

/// One value of a key: an A record and the template of a TXT record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value<'a> {
    /// The A record, by convention in 127.0.0.0/8 (RFC 5782 section 2.1).
    pub a: Ipv4Addr,
    /// The template of the TXT record as it stands in the file; empty for none.
    pub text: &'a [u8],
    /// Whom and when the value is for, if not for everybody at once.
    pub gate: Option<Gate>,
}

/// Whom and when a value is for: the entry parameters of rspamd's fork of rbldnsd (its manual,
/// "Per-entry parameters").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Gate {
    /// Not listed before this time, in seconds since 1970 (`ts=` plus `delay=`).
    pub not_before: u64,
    /// The reply waits this long (`delay=` without `ts=`).
    pub delay: Duration,
    /// Listed only for those who show a key of an `aclkey` dataset (`key=require`).
    pub needs_key: bool,
    /// Who shows a key is spared both times above (`key=nodelay`).
    pub key_spares: bool,
}

/// Who asks, and when, as far as a [`Gate`] looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asker {
    /// The time, in seconds since 1970.
    pub now: u64,
    /// A key of an `aclkey` dataset was shown.
    pub has_key: bool,
}

impl Gate {
    /// How long the reply to this client waits; `None` if the value is not for it.
    pub fn pass(&self, asker: Asker) -> Option<Duration> {
        if self.needs_key && !asker.has_key {
            None
        } else if self.key_spares && asker.has_key {
            Some(Duration::ZERO)
        } else {
            (self.not_before <= asker.now).then_some(self.delay)
        }
    }
}

/// What a listed key gives: one or more values.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    answers: &'a Answers,
    values: &'a [u32],
}

impl<'a> Answer<'a> {
    /// The values, in the order of the file.
    pub fn values(self) -> impl ExactSizeIterator<Item = Value<'a>> + Clone {
        let answers = self.answers;
        self.values.iter().map(move |&id| answers.value(id))
    }

    /// The values that are for this client, in the order of the file.
    pub fn values_for(self, asker: Asker) -> impl Iterator<Item = Value<'a>> + Clone {
        self.values().filter(move |value| value.gate.is_none_or(|gate| gate.pass(asker).is_some()))
    }
}

/// The answers of a dataset, immutable. Number 0 is "not listed" and has no values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The A record and the end of the text of each value; the text starts where the text of the
    /// value before ends.
    values: Flat<[u32; 2]>,
    texts: Flat<u8>,
    /// The values that have a gate, in order.
    gates: Vec<(u32, Gate)>,
    /// For each answer from number 1 on: the end of its values in `members`.
    answers: Flat<u32>,
    members: Flat<u32>,
    /// Each answer has one value, its own: they are numbered alike, but for the 1.
    alike: bool,
}

impl Answers {
    /// The answer with this number; one without values for a number that was never given out.
    pub fn get(&self, id: AnswerId) -> Answer<'_> {
        let none = Answer { answers: self, values: &[] };
        let Some(index) = (id.0 as usize).checked_sub(1) else { return none };
        let Some(&end) = self.answers.get(index) else { return none };
        let start = index.checked_sub(1).map_or(0, |before| self.answers[before]);
        let values = self.members.get(start as usize..end as usize).unwrap_or(&[]);
        Answer { answers: self, values }
    }

    /// The A record and the template of the only value that the answer with this number has, whatever its
    /// gate.
    #[inline]
    pub fn only_value(&self, id: AnswerId) -> Option<(Ipv4Addr, &[u8])> {
        let value = if self.alike {
            id.0.checked_sub(1)?
        } else {
            let &[value] = self.get(id).values else { return None };
            value
        } as usize;
        let &[a, end] = self.values.get(value)?;
        let start = value.checked_sub(1).map_or(0, |before| self.values[before][1]);
        Some((a.into(), self.texts.get(start as usize..end as usize)?))
    }

    /// With as many values as answers, each of which has a value of its own, since each value is there
    /// because an answer has it, and in the order of the answers.
    fn with_numbers_compared(mut self) -> Self {
        let count = self.values.len();
        self.alike = self.answers.len() == count && self.members.len() == count;
        self
    }

    /// The number of distinct answers.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// True if nothing can be listed.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// The size in this process's own memory, in bytes.
    pub fn memory(&self) -> usize {
        let Self { values, texts, gates, answers, members, alike: _ } = self;
        let flat = values.heap() + texts.heap() + answers.heap() + members.heap();
        flat + gates.capacity() * size_of::<(u32, Gate)>()
    }

    /// The size in shared memory, in bytes.
    pub fn mapped(&self) -> usize {
        let Self { values, texts, gates: _, answers, members, alike: _ } = self;
        values.mapped() + texts.mapped() + answers.mapped() + members.mapped()
    }

    /// True if some value has a gate.
    pub fn has_gates(&self) -> bool {
        !self.gates.is_empty()
    }

    /// Hands out what [`load`](Self::load) needs. [Gates](Self::has_gates) are left out.
    pub fn store(&self, out: &mut impl Sink) {
        out.array(&self.values);
        out.array(&self.texts);
        out.array(&self.answers);
        out.array(&self.members);
    }

    /// The answers that were [stored](Self::store). If the arrays are damaged, answers are wrong
    /// but safe.
    pub fn load(from: &mut impl Source) -> Option<Self> {
        let answers = Self {
            values: from.array()?,
            texts: from.array()?,
            gates: Vec::new(),
            answers: from.array()?,
            members: from.array()?,
            alike: false,
        };
        Some(answers.with_numbers_compared())
    }

    /// True if these are answers as [`AnswersBuilder::finish`] makes them: values and answers are
    /// in the order of their use, each is there once, and no text is left over.
    pub fn is_canonical(&self) -> bool {
        let text_end = self.values.last().map_or(0, |value| value[1]);
        let members_end = self.answers.last().copied().unwrap_or(0);
        self.values.is_sorted_by_key(|value| value[1])
            && text_end as usize == self.texts.len()
            && self.answers.is_sorted()
            && members_end as usize == self.members.len()
            && self.rebuilt().is_some_and(|again| again == *self)
    }

    /// The same answers, put together anew.
    fn rebuilt(&self) -> Option<Self> {
        let mut builder = AnswersBuilder::default();
        let mut ids = Vec::with_capacity(self.len());
        for id in 1..=u32::try_from(self.len()).ok()? {
            let values = self.get(AnswerId(id)).values();
            let values = values.map(|value| builder.gated_value(value.a, value.text, value.gate));
            let values: Vec<_> = values.collect::<Option<_>>()?;
            ids.push(builder.answer(&values));
        }
        Some(builder.finish(ids).0)
    }

    fn value(&self, id: u32) -> Value<'_> {
        let index = id as usize;
        let Some(&[a, end]) = self.values.get(index) else {
            return Value { a: Ipv4Addr::UNSPECIFIED, text: &[], gate: None };
        };
        let start = index.checked_sub(1).map_or(0, |before| self.values[before][1]);
        let text = self.texts.get(start as usize..end as usize).unwrap_or(&[]);
        Value { a: Ipv4Addr::from(a), text, gate: gate_of(&self.gates, id) }
    }
}

/// A value without a gate, and its hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hashed<'a> {
    a: Ipv4Addr,
    text: &'a [u8],
    hash: u32,
}

impl<'a> Hashed<'a> {
    /// The value with this A record and this template of the TXT record, which has that
    /// [hash](AnswersBuilder::text_hash).
    pub fn new(a: Ipv4Addr, text: &'a [u8], text_hash: u32) -> Self {
        Self { a, text, hash: hash_value(text_hash, a.into(), None) }
    }
}

/// The number of a value and its hash.
#[derive(Clone, Copy, Debug)]
struct Indexed {
    hash: u32,
    id: u32,
}

impl Indexed {
    /// The hash for the table, which takes the highest bits and the lowest.
    fn spread(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }
}

/// The same in every builder, as what is hashed may get to another one.
const HASHER: foldhash::fast::FixedState = foldhash::fast::FixedState::with_seed(0);

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
    texts: Vec<u8>,
    gates: Vec<(u32, Gate)>,
    /// The values by their hashes, which are kept so that none is reckoned, and no text read, twice.
    value_index: HashTable<Indexed>,
    /// As in [`Answers`], too: no allocation per answer, of which there may be a million.
    answers: Vec<u32>,
    members: Vec<ValueId>,
    /// The answers with several values.
    answer_index: HashTable<AnswerId>,
    /// The answers with one value, by the value.
    single_index: Vec<AnswerId>,
}

impl AnswersBuilder {
    /// The number of this value, new or known. `None` if the texts of the dataset exceed 4 GiB.
    pub fn value(&mut self, a: Ipv4Addr, text: &[u8]) -> Option<ValueId> {
        self.gated_value(a, text, None)
    }

    /// [`value`](Self::value) for a value behind a gate.
    pub fn gated_value(&mut self, a: Ipv4Addr, text: &[u8], gate: Option<Gate>) -> Option<ValueId> {
        let hash = hash_value(Self::text_hash(text), a.into(), gate);
        self.hashed_value(hash, a.into(), text, gate)
    }

    /// The hash of a text, the same in every builder.
    pub fn text_hash(text: &[u8]) -> u32 {
        use std::hash::Hasher;
        let mut hasher = HASHER.build_hasher();
        hasher.write(text);
        hasher.finish() as u32
    }

    /// Known values that are likely to be these, for [`guessed_value`](Self::guessed_value).
    ///
    /// Each step is done for all values before the next one: it reads memory that is seldom in the
    /// cache, and so they wait for it together.
    pub fn guess<const N: usize>(&self, values: &[Option<Hashed<'_>>; N]) -> [Option<ValueId>; N] {
        let mut guesses = values.map(|value| {
            let hash = value?.hash;
            let found = self.value_index.find(Indexed::spread(hash), |known| known.hash == hash);
            found.map(|known| ValueId(known.id))
        });
        let places = guesses.map(|guess| Some(place_of(&self.values, guess?.0)));
        let ends = |text: &[u8]| (text.len(), text.first().copied(), text.last().copied());
        for ((guess, place), value) in guesses.iter_mut().zip(places).zip(values) {
            if let (Some(place), Some(value)) = (place, value)
                && ends(&self.texts[place]) != ends(value.text)
            {
                *guess = None;
            }
        }
        guesses
    }

    /// The number of a value, of which there is a [`guess`](Self::guess), as
    /// [`value`](Self::value) gives it.
    #[inline]
    pub fn guessed_value(&mut self, guess: Option<ValueId>, value: Hashed<'_>) -> Option<ValueId> {
        let Hashed { a, text, hash } = value;
        match guess {
            Some(id) if self.get_value(id) == (Value { a, text, gate: None }) => guess,
            _ => self.hashed_value(hash, a.into(), text, None),
        }
    }

    fn hashed_value(
        &mut self,
        hash: u32,
        a: u32,
        text: &[u8],
        gate: Option<Gate>,
    ) -> Option<ValueId> {
        let (values, texts, gates) = (&self.values, &self.texts, &self.gates);
        let found = self.value_index.find(Indexed::spread(hash), |&Indexed { hash: known, id }| {
            known == hash
                && values[id as usize][0] == a
                && text_of(values, texts, id) == text
                && gate_of(gates, id) == gate
        });
        if let Some(&Indexed { id, .. }) = found {
            return Some(ValueId(id));
        }
        let end = u32::try_from(self.texts.len() + text.len()).ok()?;
        let id = u32::try_from(self.values.len()).ok()?;
        self.texts.extend_from_slice(text);
        self.values.push([a, end]);
        self.gates.extend(gate.map(|gate| (id, gate)));
        let new = Indexed { hash, id };
        self.value_index
            .insert_unique(Indexed::spread(hash), new, |known| Indexed::spread(known.hash));
        Some(ValueId(id))
    }

    /// The number of the answer that gives these values, in this order.
    pub fn answer(&mut self, values: &[ValueId]) -> AnswerId {
        if let [value] = values {
            let index = value.0 as usize;
            if let Some(&known) = self.single_index.get(index).filter(|id| id.is_listed()) {
                return known;
            }
            let id = self.push(values);
            if self.single_index.len() <= index {
                self.single_index.resize(index + 1, AnswerId::NONE);
            }
            self.single_index[index] = id;
            return id;
        }
        let hash = HASHER.hash_one(values);
        let same = |&id: &AnswerId| self.members_of(id) == values;
        if let Some(&known) = self.answer_index.find(hash, same) {
            return known;
        }
        let id = self.push(values);
        let mut index = std::mem::take(&mut self.answer_index);
        index.insert_unique(hash, id, |&id| HASHER.hash_one(self.members_of(id)));
        self.answer_index = index;
        id
    }

    /// The number of distinct answers so far.
    pub fn count(&self) -> usize {
        self.answers.len()
    }

    /// The value with this number.
    pub fn get_value(&self, id: ValueId) -> Value<'_> {
        let [a, _] = self.values[id.0 as usize];
        let text = text_of(&self.values, &self.texts, id.0);
        Value { a: Ipv4Addr::from(a), text, gate: gate_of(&self.gates, id.0) }
    }

    /// The answers that `used` names, renumbered from 1 in the order of their first use, and the
    /// new number of every old one ([`AnswerId::NONE`] for those not used).
    ///
    /// With `used` in the order of the keys, equal content gives equal answers whatever the order
    /// of the lines was.
    pub fn finish(self, used: impl IntoIterator<Item = AnswerId>) -> (Answers, Vec<AnswerId>) {
        let mut renumbered = vec![AnswerId::NONE; self.answers.len() + 1];
        let mut value_numbers = vec![u32::MAX; self.values.len()];
        let (mut answers, mut members) = (Vec::new(), Vec::new());
        // The values in the order of their first use.
        let mut values = Vec::new();
        for id in used {
            let Some(slot) = renumbered.get_mut(id.0 as usize) else { continue };
            if slot.is_listed() || !id.is_listed() {
                continue;
            }
            for value in self.members_of(id) {
                let number = &mut value_numbers[value.0 as usize];
                if *number == u32::MAX {
                    *number = values.len() as u32;
                    values.push(*value);
                }
                members.push(*number);
            }
            answers.push(members.len() as u32);
            *slot = AnswerId(answers.len() as u32);
        }
        drop(value_numbers);
        answers.shrink_to_fit();
        members.shrink_to_fit();
        let (values, texts, gates) = self.into_order(&values);
        let out = Answers {
            values: values.into(),
            texts: texts.into(),
            gates,
            answers: answers.into(),
            members: members.into(),
            alike: false,
        };
        (out.with_numbers_compared(), renumbered)
    }

    /// The values in this order, their texts, and the gates of some.
    fn into_order(self, order: &[ValueId]) -> (Vec<[u32; 2]>, Vec<u8>, Vec<(u32, Gate)>) {
        let Self { mut values, mut texts, mut gates, .. } = self;
        let are_in_order = order.iter().zip(0..).all(|(&value, number)| value == ValueId(number));
        if !are_in_order || order.len() < values.len() {
            let mut ordered = Vec::with_capacity(order.len());
            let mut its_texts = Vec::with_capacity(texts.len());
            let mut its_gates = Vec::new();
            // Where the texts are is in memory that is seldom in the cache, and so are they: as many
            // places are asked for at once, and then texts, they wait for it together.
            for order in order.chunks(16) {
                let mut places = [const { 0..0 }; 16];
                for (place, value) in places.iter_mut().zip(order) {
                    *place = place_of(&values, value.0);
                }
                for (value, place) in order.iter().zip(places) {
                    its_texts.extend_from_slice(&texts[place]);
                    let number = ordered.len() as u32;
                    let [a, _] = values[value.0 as usize];
                    ordered.push([a, its_texts.len() as u32]);
                    its_gates.extend(gate_of(&gates, value.0).map(|gate| (number, gate)));
                }
            }
            (values, texts, gates) = (ordered, its_texts, its_gates);
        }
        values.shrink_to_fit();
        texts.shrink_to_fit();
        gates.shrink_to_fit();
        (values, texts, gates)
    }

    /// The values of a listed answer.
    fn members_of(&self, id: AnswerId) -> &[ValueId] {
        let index = id.0 as usize - 1;
        let start = index.checked_sub(1).map_or(0, |before| self.answers[before]);
        &self.members[start as usize..self.answers[index] as usize]
    }

    fn push(&mut self, values: &[ValueId]) -> AnswerId {
        debug_assert!(!values.is_empty(), "an answer has a value");
        self.members.extend_from_slice(values);
        self.answers.push(self.members.len() as u32);
        AnswerId(self.answers.len() as u32)
    }
}

fn text_of<'a>(values: &[[u32; 2]], texts: &'a [u8], id: u32) -> &'a [u8] {
    &texts[place_of(values, id)]
}

/// Where the text of a value is.
fn place_of(values: &[[u32; 2]], id: u32) -> std::ops::Range<usize> {
    let index = id as usize;
    let start = index.checked_sub(1).map_or(0, |before| values[before][1]);
    start as usize..values[index][1] as usize
}

/// The gate of a value; `gates` are in the order of the values.
fn gate_of(gates: &[(u32, Gate)], id: u32) -> Option<Gate> {
    let place = gates.binary_search_by_key(&id, |(value, _)| *value).ok()?;
    Some(gates[place].1)
}

fn hash_value(text_hash: u32, a: u32, gate: Option<Gate>) -> u32 {
    let a = a.wrapping_mul(0x9e37_79b9);
    let gate = gate.map_or(0, |gate| HASHER.hash_one(gate) as u32);
    text_hash.wrapping_add(a).wrapping_add(gate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 0, last)
    }

    #[test]
    fn equal_values_and_answers_share_a_number() {
        let mut builder = AnswersBuilder::default();
        let one = builder.value(a(2), b"text").unwrap();
        let other = builder.value(a(3), b"text").unwrap();
        assert_eq!(builder.value(a(2), b"text"), Some(one));
        assert_ne!(one, other);
        let hashed = |text| Hashed::new(a(2), text, AnswersBuilder::text_hash(text));
        let guesses = builder.guess(&[Some(hashed(b"text")), None, Some(hashed(b"other"))]);
        assert_eq!(guesses, [Some(one), None, None]);
        // A guess that is wrong does no harm.
        for guess in [None, Some(one), Some(other)] {
            assert_eq!(builder.guessed_value(guess, hashed(b"text")), Some(one));
        }
        let single = builder.answer(&[one]);
        assert_eq!(builder.answer(&[one]), single);
        let pair = builder.answer(&[one, other]);
        assert_eq!(builder.answer(&[one, other]), pair);
        assert_ne!(pair, single);
        let gate = Some(Gate { not_before: 9, ..Gate::default() });
        let gated = builder.gated_value(a(2), b"text", gate).unwrap();
        assert_ne!(gated, one);
        assert_eq!(builder.gated_value(a(2), b"text", gate), Some(gated));
        assert_ne!(builder.gated_value(a(2), b"text", Some(Gate::default())), Some(gated));
        assert_ne!(builder.answer(&[gated]), single);
        // More than fit the index at first: the hashes stay right when it grows.
        let values: Vec<_> = (0..200).map(|n| builder.value(a(n), b"").unwrap()).collect();
        let ids: Vec<_> = values.windows(3).map(|three| builder.answer(three)).collect();
        let again: Vec<_> = values.windows(3).map(|three| builder.answer(three)).collect();
        assert_eq!(ids, again);
        assert_eq!(builder.answer(&[one, other]), pair);
    }

    #[test]
    fn answers_with_one_value_each_are_found_by_their_numbers() {
        let mut builder = AnswersBuilder::default();
        let values: Vec<_> = (2..6).map(|n| builder.value(a(n), &[n]).unwrap()).collect();
        let ids: Vec<_> = values.iter().map(|v| builder.answer(&[*v])).collect();
        let used = [ids[2], ids[0], ids[3]];
        let (answers, new) = builder.finish(used);
        assert!(answers.alike);
        for (id, n) in used.iter().zip([4, 2, 5]) {
            let id = new[id.0 as usize];
            assert_eq!(answers.only_value(id), Some((a(n), &[n][..])));
            assert_eq!(answers.get(id).values().next().unwrap().a, a(n));
        }
        for none in [AnswerId::NONE, AnswerId(4)] {
            assert_eq!(answers.only_value(none), None);
        }
    }

    #[test]
    fn only_used_answers_are_kept_in_the_order_of_use() {
        let mut builder = AnswersBuilder::default();
        let values: Vec<_> = (2..6).map(|n| builder.value(a(n), &[n]).unwrap()).collect();
        let ids: Vec<_> = values.iter().map(|v| builder.answer(&[*v])).collect();
        let gate = Gate { delay: Duration::from_secs(1), ..Gate::default() };
        let behind = builder.gated_value(a(5), &[5], Some(gate)).unwrap();
        let gated = builder.answer(&[behind, values[0]]);
        let (answers, new) = builder.finish([gated, ids[1], AnswerId::NONE, gated]);
        assert_eq!(answers.len(), 2);
        assert_eq!(new[ids[0].0 as usize], AnswerId::NONE);
        assert_eq!(new[ids[1].0 as usize], AnswerId(2));
        assert_eq!(new[gated.0 as usize], AnswerId(1));
        let answer = answers.get(AnswerId(1));
        let got: Vec<_> = answer.values().collect();
        let first = Value { a: a(5), text: &[5], gate: Some(gate) };
        assert_eq!(got, [first, Value { a: a(2), text: &[2], gate: None }]);
        assert!(answers.has_gates());
        assert_eq!(answers.get(AnswerId(2)).values().next().unwrap().gate, None);
        assert_eq!(answers.get(AnswerId(3)).values().len(), 0);
        assert_eq!(answers.only_value(AnswerId(1)), None, "it has two");
        assert_eq!(answers.only_value(AnswerId(2)), Some((a(3), &[3][..])));
        assert_eq!(answers.only_value(AnswerId(3)), None);
        assert_eq!(answers.get(AnswerId::NONE).values().len(), 0);
        assert!(answers.is_canonical());
        for broken in [
            Answers { texts: b"\x05\x02\x03x".to_vec().into(), ..answers.clone() },
            Answers { members: vec![1, 0, 2].into(), ..answers.clone() },
            Answers { members: vec![0, 1, 1].into(), ..answers.clone() },
            Answers { members: vec![0, 1, 9].into(), ..answers.clone() },
            Answers { answers: vec![2, 1, 3].into(), ..answers.clone() },
        ] {
            assert!(!broken.is_canonical(), "{broken:?}");
        }
    }

    #[test]
    fn gates_open_by_time_and_key() {
        let asker = |now, has_key| Asker { now, has_key };
        let delay = Duration::from_secs(5);
        let later = Gate { not_before: 10, ..Gate::default() };
        assert_eq!(later.pass(asker(9, true)), None);
        assert_eq!(later.pass(asker(10, false)), Some(Duration::ZERO));
        let slow = Gate { delay, ..Gate::default() };
        assert_eq!(slow.pass(asker(0, true)), Some(delay));
        let spared = Gate { not_before: 10, delay, key_spares: true, ..Gate::default() };
        assert_eq!(spared.pass(asker(0, true)), Some(Duration::ZERO));
        assert_eq!(spared.pass(asker(0, false)), None);
        assert_eq!(spared.pass(asker(10, false)), Some(delay));
        let locked = Gate { needs_key: true, ..slow };
        assert_eq!(locked.pass(asker(0, false)), None);
        assert_eq!(locked.pass(asker(0, true)), Some(delay));
        let both = Gate { needs_key: true, ..spared };
        assert_eq!(both.pass(asker(99, false)), None);
        assert_eq!(both.pass(asker(0, true)), Some(Duration::ZERO));
    }

    #[test]
    fn values_are_given_to_those_they_are_for() {
        let mut builder = AnswersBuilder::default();
        let gate = Gate { not_before: 10, ..Gate::default() };
        let values = [
            builder.gated_value(a(2), b"", Some(gate)).unwrap(),
            builder.value(a(3), b"").unwrap(),
        ];
        let id = builder.answer(&values);
        let (answers, _) = builder.finish([id]);
        let given = |now| {
            let asker = Asker { now, has_key: false };
            answers.get(id).values_for(asker).map(|value| value.a).collect::<Vec<_>>()
        };
        assert_eq!(given(9), [a(3)]);
        assert_eq!(given(10), [a(2), a(3)]);
    }
}
