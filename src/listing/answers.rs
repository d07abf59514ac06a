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
}

/// A condition on an answer: entry parameters (`@ ts= key= delay=`).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Gate {
    /// Not listed before this time, in seconds since 1970.
    pub not_before: Option<u64>,
    /// Listed only for clients that show this key.
    pub key: Option<Box<[u8]>>,
    /// The reply waits this long.
    pub delay: Duration,
}

/// What a listed key gives: one or more values, perhaps behind a gate.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    answers: &'a Answers,
    values: &'a [u32],
    gate: u32,
}

impl<'a> Answer<'a> {
    /// The values, in the order of the file.
    pub fn values(self) -> impl ExactSizeIterator<Item = Value<'a>> + Clone {
        let answers = self.answers;
        self.values.iter().map(move |&id| answers.value(id))
    }

    /// The condition to meet before the values are given.
    pub fn gate(self) -> Option<&'a Gate> {
        self.answers.gates.get((self.gate as usize).checked_sub(1)?)
    }
}

/// The answers of a dataset, immutable. Number 0 is "not listed" and has no values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The A record and the end of the text of each value; the text starts where the text of the
    /// value before ends.
    values: Flat<[u32; 2]>,
    texts: Flat<u8>,
    /// For each answer from number 1 on: the end of its values in `members`, and its gate plus 1.
    answers: Flat<[u32; 2]>,
    members: Flat<u32>,
    gates: Vec<Gate>,
}

impl Answers {
    /// The answer with this number; one without values for a number that was never given out.
    pub fn get(&self, id: AnswerId) -> Answer<'_> {
        let none = Answer { answers: self, values: &[], gate: 0 };
        let Some(index) = (id.0 as usize).checked_sub(1) else { return none };
        let Some(&[end, gate]) = self.answers.get(index) else { return none };
        let start = index.checked_sub(1).map_or(0, |before| self.answers[before][0]);
        let values = self.members.get(start as usize..end as usize).unwrap_or(&[]);
        Answer { answers: self, values, gate }
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
        let Self { values, texts, answers, members, gates } = self;
        let flat = values.heap() + texts.heap() + answers.heap() + members.heap();
        flat + gates.capacity() * size_of::<Gate>()
    }

    /// The size in shared memory, in bytes.
    pub fn mapped(&self) -> usize {
        let Self { values, texts, answers, members, gates: _ } = self;
        values.mapped() + texts.mapped() + answers.mapped() + members.mapped()
    }

    /// True if some answer has a condition.
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
        Some(Self {
            values: from.array()?,
            texts: from.array()?,
            answers: from.array()?,
            members: from.array()?,
            gates: Vec::new(),
        })
    }

    /// True if these are answers as [`AnswersBuilder::finish`] makes them: values and answers are
    /// in the order of their use, each is there once, and no text is left over. Gates are not
    /// looked at.
    pub fn is_canonical(&self) -> bool {
        let rises = |ends: &[[u32; 2]], of: usize, total: usize| {
            let last = ends.last().map_or(0, |end| end[of]);
            ends.is_sorted_by_key(|end| end[of]) && last as usize == total
        };
        rises(&self.values, 1, self.texts.len())
            && rises(&self.answers, 0, self.members.len())
            && self.rebuilt().is_some_and(|again| again == *self)
    }

    /// The same answers, put together anew.
    fn rebuilt(&self) -> Option<Self> {
        let mut builder = AnswersBuilder::default();
        let mut ids = Vec::with_capacity(self.len());
        for id in 1..=u32::try_from(self.len()).ok()? {
            let answer = self.get(AnswerId(id));
            let values = answer.values().map(|value| builder.value(value.a, value.text));
            let values: Vec<_> = values.collect::<Option<_>>()?;
            ids.push(builder.answer(&values, answer.gate().cloned()));
        }
        Some(builder.finish(ids).0)
    }

    fn value(&self, id: u32) -> Value<'_> {
        let index = id as usize;
        let Some(&[a, end]) = self.values.get(index) else {
            return Value { a: Ipv4Addr::UNSPECIFIED, text: &[] };
        };
        let start = index.checked_sub(1).map_or(0, |before| self.values[before][1]);
        let text = self.texts.get(start as usize..end as usize).unwrap_or(&[]);
        Value { a: Ipv4Addr::from(a), text }
    }
}

/// Interns values and answers while a file is read.
///
/// ```
/// use dnsbld::listing::AnswersBuilder;
///
/// let mut builder = AnswersBuilder::default();
/// let value = builder.value([127, 0, 0, 2].into(), b"see http://bl.example/$").unwrap();
/// let id = builder.answer(&[value], None);
/// let (answers, _) = builder.finish([id]);
/// assert_eq!(answers.get(id).values().next().unwrap().a.octets(), [127, 0, 0, 2]);
/// ```
#[derive(Debug, Default)]
pub struct AnswersBuilder {
    values: Vec<(u32, u32)>,
    texts: Vec<u8>,
    value_index: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
    /// As in [`Answers`]: no allocation per answer, of which there may be a million.
    answers: Vec<(u32, u32)>,
    members: Vec<ValueId>,
    gates: Vec<Gate>,
    /// The answers with several values or a gate.
    answer_index: HashTable<AnswerId>,
    /// The answers with one value and no gate, by the value.
    single_index: Vec<AnswerId>,
}

impl AnswersBuilder {
    /// The number of this value, new or known. `None` if the texts of the dataset exceed 4 GiB.
    pub fn value(&mut self, a: Ipv4Addr, text: &[u8]) -> Option<ValueId> {
        let a = u32::from(a);
        let hash = hash_value(&self.hasher, a, text);
        let (values, texts) = (&self.values, &self.texts);
        let found = self
            .value_index
            .find(hash, |&id| values[id as usize].0 == a && text_of(values, texts, id) == text);
        if let Some(&id) = found {
            return Some(ValueId(id));
        }
        let end = u32::try_from(self.texts.len() + text.len()).ok()?;
        let id = u32::try_from(self.values.len()).ok()?;
        self.texts.extend_from_slice(text);
        self.values.push((a, end));
        let (values, texts, hasher) = (&self.values, &self.texts, &self.hasher);
        self.value_index.insert_unique(hash, id, |&id| {
            hash_value(hasher, values[id as usize].0, text_of(values, texts, id))
        });
        Some(ValueId(id))
    }

    /// The number of the answer that gives these values, in this order, behind this gate.
    pub fn answer(&mut self, values: &[ValueId], gate: Option<Gate>) -> AnswerId {
        if let ([value], None) = (values, &gate) {
            let index = value.0 as usize;
            if let Some(&known) = self.single_index.get(index).filter(|id| id.is_listed()) {
                return known;
            }
            let id = self.push(values, None);
            if self.single_index.len() <= index {
                self.single_index.resize(index + 1, AnswerId::NONE);
            }
            self.single_index[index] = id;
            return id;
        }
        let hash = self.hasher.hash_one((values, &gate));
        let same = |&id: &AnswerId| self.parts(id) == (values, gate.as_ref());
        if let Some(&known) = self.answer_index.find(hash, same) {
            return known;
        }
        let id = self.push(values, gate);
        let mut index = std::mem::take(&mut self.answer_index);
        index.insert_unique(hash, id, |&id| self.hasher.hash_one(self.parts(id)));
        self.answer_index = index;
        id
    }

    /// The number of distinct answers so far.
    pub fn count(&self) -> usize {
        self.answers.len()
    }

    /// The value with this number.
    pub fn get_value(&self, id: ValueId) -> Value<'_> {
        let (a, _) = self.values[id.0 as usize];
        Value { a: Ipv4Addr::from(a), text: text_of(&self.values, &self.texts, id.0) }
    }

    /// The answers that `used` names, renumbered from 1 in the order of their first use, and the
    /// new number of every old one ([`AnswerId::NONE`] for those not used).
    ///
    /// With `used` in the order of the keys, equal content gives equal answers whatever the order
    /// of the lines was.
    pub fn finish(self, used: impl IntoIterator<Item = AnswerId>) -> (Answers, Vec<AnswerId>) {
        let mut renumbered = vec![AnswerId::NONE; self.answers.len() + 1];
        let mut value_numbers = vec![u32::MAX; self.values.len()];
        let (mut new_values, mut texts) = (Vec::new(), Vec::new());
        let (mut answers, mut members, mut gates) = (Vec::new(), Vec::new(), Vec::new());
        for id in used {
            let Some(slot) = renumbered.get_mut(id.0 as usize) else { continue };
            if slot.is_listed() || !id.is_listed() {
                continue;
            }
            let (values, gate) = self.parts(id);
            for value in values {
                let number = &mut value_numbers[value.0 as usize];
                if *number == u32::MAX {
                    *number = new_values.len() as u32;
                    let Value { a, text } = self.get_value(*value);
                    texts.extend_from_slice(text);
                    new_values.push([u32::from(a), texts.len() as u32]);
                }
                members.push(*number);
            }
            let gate = gate.map_or(0, |gate| {
                gates.push(gate.clone());
                gates.len() as u32
            });
            answers.push([members.len() as u32, gate]);
            *slot = AnswerId(answers.len() as u32);
        }
        new_values.shrink_to_fit();
        texts.shrink_to_fit();
        answers.shrink_to_fit();
        members.shrink_to_fit();
        let out = Answers {
            values: new_values.into(),
            texts: texts.into(),
            answers: answers.into(),
            members: members.into(),
            gates,
        };
        (out, renumbered)
    }

    /// The values and the gate of a listed answer.
    fn parts(&self, id: AnswerId) -> (&[ValueId], Option<&Gate>) {
        let index = id.0 as usize - 1;
        let start = index.checked_sub(1).map_or(0, |before| self.answers[before].0);
        let (end, gate) = self.answers[index];
        let gate = (gate as usize).checked_sub(1).map(|gate| &self.gates[gate]);
        (&self.members[start as usize..end as usize], gate)
    }

    fn push(&mut self, values: &[ValueId], gate: Option<Gate>) -> AnswerId {
        self.members.extend_from_slice(values);
        let gate = gate.map_or(0, |gate| {
            self.gates.push(gate);
            self.gates.len() as u32
        });
        self.answers.push((self.members.len() as u32, gate));
        AnswerId(self.answers.len() as u32)
    }
}

fn text_of<'a>(values: &[(u32, u32)], texts: &'a [u8], id: u32) -> &'a [u8] {
    let index = id as usize;
    let start = index.checked_sub(1).map_or(0, |before| values[before].1);
    &texts[start as usize..values[index].1 as usize]
}

fn hash_value(state: &foldhash::fast::FixedState, a: u32, text: &[u8]) -> u64 {
    use std::hash::Hasher;
    let mut hasher = state.build_hasher();
    hasher.write_u32(a);
    hasher.write(text);
    hasher.finish()
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
        let single = builder.answer(&[one], None);
        assert_eq!(builder.answer(&[one], None), single);
        let pair = builder.answer(&[one, other], None);
        assert_eq!(builder.answer(&[one, other], None), pair);
        assert_ne!(pair, single);
        let gate = Some(Gate { not_before: Some(9), ..Gate::default() });
        let gated = builder.answer(&[one], gate.clone());
        assert_ne!(gated, single);
        assert_eq!(builder.answer(&[one], gate.clone()), gated);
        assert_ne!(builder.answer(&[one, other], gate), pair);
        // More than fit the index at first: the hashes stay right when it grows.
        let values: Vec<_> = (0..200).map(|n| builder.value(a(n), b"").unwrap()).collect();
        let ids: Vec<_> = values.windows(3).map(|three| builder.answer(three, None)).collect();
        let again: Vec<_> = values.windows(3).map(|three| builder.answer(three, None)).collect();
        assert_eq!(ids, again);
        assert_eq!(builder.answer(&[one, other], None), pair);
    }

    #[test]
    fn only_used_answers_are_kept_in_the_order_of_use() {
        let mut builder = AnswersBuilder::default();
        let values: Vec<_> = (2..6).map(|n| builder.value(a(n), &[n]).unwrap()).collect();
        let ids: Vec<_> = values.iter().map(|v| builder.answer(&[*v], None)).collect();
        let gate = Gate { delay: Duration::from_secs(1), ..Gate::default() };
        let gated = builder.answer(&[values[3], values[0]], Some(gate.clone()));
        let (answers, new) = builder.finish([gated, ids[1], AnswerId::NONE, gated]);
        assert_eq!(answers.len(), 2);
        assert_eq!(new[ids[0].0 as usize], AnswerId::NONE);
        assert_eq!(new[ids[1].0 as usize], AnswerId(2));
        assert_eq!(new[gated.0 as usize], AnswerId(1));
        let answer = answers.get(AnswerId(1));
        let got: Vec<_> = answer.values().collect();
        assert_eq!(got, [Value { a: a(5), text: &[5] }, Value { a: a(2), text: &[2] }]);
        assert_eq!(answer.gate(), Some(&gate));
        assert_eq!(answers.get(AnswerId(2)).gate(), None);
        assert_eq!(answers.get(AnswerId(3)).values().len(), 0);
        assert_eq!(answers.get(AnswerId::NONE).values().len(), 0);
        assert!(answers.is_canonical());
        for broken in [
            Answers { texts: b"\x05\x02\x03x".to_vec().into(), ..answers.clone() },
            Answers { members: vec![1, 0, 2].into(), ..answers.clone() },
            Answers { members: vec![0, 1, 1].into(), ..answers.clone() },
            Answers { members: vec![0, 1, 9].into(), ..answers.clone() },
            Answers { answers: vec![[2, 1], [1, 0], [3, 0]].into(), ..answers.clone() },
        ] {
            assert!(!broken.is_canonical(), "{broken:?}");
        }
    }
}
