//! Interned answers: what a listed key gives.
//!
//! A dataset has few distinct answers and many keys, so a key holds only a number. A text is kept
//! as it stands in the file; `$` and `$0`..`$9` are replaced when a query asks for it, because
//! variables defined at the end of a file hold for its beginning too.

mod affixes;
mod builder;
mod hash;
mod index;
mod known;
mod numbering;
mod template;
mod texts;
mod word;

pub use builder::{AnswersBuilder, Hashed, HashedA, Overfull};
pub use known::NewNumbers;
pub use numbering::Numbering;
pub use template::Template;

use super::AnswerId;
use crate::flat_array::{ArrayReader, ArrayWriter, FlatArray};
use affixes::Affixes;
use numbering::ProvisionalId;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::Duration;

/// The number of a [`Value`] in an [`AnswersBuilder`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ValueId(pub u32);

impl ValueId {
    /// The number that the answer with this value alone has in an [`AnswersBuilder`].
    #[inline]
    pub fn alone(self) -> AnswerId {
        ProvisionalId::Single(self.0).id()
    }

    /// The only value of this answer; `None` if it has several values or none.
    pub fn only_of(answer: AnswerId) -> Option<Self> {
        match ProvisionalId::of(answer) {
            ProvisionalId::Single(value) => Some(Self(value)),
            ProvisionalId::None | ProvisionalId::Several(_) => None,
        }
    }
}

/// One value of a key: an A record and the template of a TXT record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value<'a> {
    /// The A record, by convention in 127.0.0.0/8 (RFC 5782 section 2.1).
    pub a: Ipv4Addr,
    /// The template of the TXT record as it stands in the file; empty for none.
    pub text: Template<'a>,
    /// Restricts whom and when the value is for; `None` if it is for everybody, at once.
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

/// The client and the time of a query, as far as a [`Gate`] looks at them.
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
    /// The places of its values in `members`, or their numbers if each answer has its own value.
    start: u32,
    end: u32,
}

impl<'a> Answer<'a> {
    /// The values, in the order of the file.
    pub fn values(self) -> impl ExactSizeIterator<Item = Value<'a>> + Clone {
        let Self { answers, start, end } = self;
        (start..end).map(move |place| answers.value(answers.member(place)))
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
    values: FlatArray<[u32; 2]>,
    /// The texts as they are stored: what is around the own part of some is in `affixes`.
    texts: FlatArray<u8>,
    affixes: Affixes,
    /// The values that have a gate, in order.
    gates: Vec<(u32, Gate)>,
    /// For each answer from number 1 on: the end of its values in `members`. Both are empty if each answer
    /// has one value, which no other answer has: the number of the value is that of the answer less one.
    answers: FlatArray<u32>,
    members: FlatArray<u32>,
}

impl Answers {
    /// The answer with this number; one without values for a number that was never given out.
    pub fn get(&self, id: AnswerId) -> Answer<'_> {
        let Range { start, end } = self.places(id).unwrap_or(0..0);
        Answer { answers: self, start, end }
    }

    /// The places of the values of an answer in `members`, or their numbers if it is empty.
    #[inline]
    fn places(&self, id: AnswerId) -> Option<Range<u32>> {
        let index = id.0.checked_sub(1)?;
        if self.are_alike() {
            return ((index as usize) < self.values.len()).then_some(index..index + 1);
        }
        let &end = self.answers.get(index as usize)?;
        let start = index.checked_sub(1).map_or(0, |before| self.answers[before as usize]);
        (start <= end && end as usize <= self.members.len()).then_some(start..end)
    }

    /// The number of the value at a place in `members`.
    #[inline]
    fn member(&self, place: u32) -> u32 {
        if self.are_alike() {
            return place;
        }
        self.members.get(place as usize).copied().unwrap_or(u32::MAX)
    }

    /// True if each answer has one value, which no other answer has.
    #[inline]
    fn are_alike(&self) -> bool {
        self.answers.is_empty()
    }

    /// The A record of the only value that the answer with this number has, whatever its gate, and its
    /// template as it is [stored](Self::template).
    #[inline]
    pub fn only_stored(&self, id: AnswerId) -> Option<(Ipv4Addr, &[u8])> {
        let value = if self.are_alike() {
            id.0.checked_sub(1)?
        } else {
            let Range { start, end } = self.places(id)?;
            if end - start != 1 {
                return None;
            }
            self.member(start)
        } as usize;
        let &[a, end] = self.values.get(value)?;
        let start = value.checked_sub(1).map_or(0, |before| self.values[before][1]);
        Some((a.into(), self.texts.get(start as usize..end as usize)?))
    }

    /// The template that is stored so, in one piece: it is put together in `room` if it is not.
    #[inline(always)]
    pub fn template<'r>(&'r self, stored: &'r [u8], room: &'r mut Vec<u8>) -> &'r [u8] {
        match self.affixes.are_used() {
            false => stored,
            true => self.join(stored, room),
        }
    }

    /// Apart, so that texts in one piece save no registers for it.
    #[cold]
    #[inline(never)]
    fn join<'r>(&self, stored: &[u8], room: &'r mut Vec<u8>) -> &'r [u8] {
        self.affixes.template(stored).put_together(room);
        room
    }

    /// The number of distinct answers.
    pub fn len(&self) -> usize {
        if self.are_alike() { self.values.len() } else { self.answers.len() }
    }

    /// True if nothing can be listed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if some value has this A record, whatever its gate. Looks at each value once.
    pub fn has_value(&self, a: Ipv4Addr) -> bool {
        self.values.iter().any(|value| value[0] == a.to_bits())
    }

    /// The size in this process's own memory, in bytes.
    pub fn memory(&self) -> usize {
        let Self { values, texts, affixes, gates, answers, members } = self;
        let flat = values.heap() + texts.heap() + answers.heap() + members.heap();
        flat + affixes.heap() + gates.capacity() * size_of::<(u32, Gate)>()
    }

    /// The size in shared memory, in bytes.
    pub fn mapped(&self) -> usize {
        let Self { values, texts, affixes, gates: _, answers, members } = self;
        values.mapped() + texts.mapped() + affixes.mapped() + answers.mapped() + members.mapped()
    }

    /// True if some value has a gate.
    pub fn has_gates(&self) -> bool {
        !self.gates.is_empty()
    }

    /// Writes the arrays that [`load`](Self::load) reads, without the [gates](Self::has_gates).
    pub fn store(&self, out: &mut impl ArrayWriter) {
        out.array(&self.values);
        out.array(&self.texts);
        out.array(&self.answers);
        out.array(&self.members);
        self.affixes.store(out);
    }

    /// Reads answers that were [stored](Self::store). Damaged arrays give wrong answers, but safely.
    pub fn load(from: &mut impl ArrayReader) -> Option<Self> {
        Some(Self {
            values: from.array()?,
            texts: from.array()?,
            gates: Vec::new(),
            answers: from.array()?,
            members: from.array()?,
            affixes: Affixes::load(from)?,
        })
    }

    /// True if [`AnswersBuilder::finish`] could have made these answers: values and answers are
    /// distinct and in the order of their first use, and no text is unused.
    pub fn is_canonical(&self) -> bool {
        let text_end = self.values.last().map_or(0, |value| value[1]);
        let members_end = self.answers.last().copied().unwrap_or(0);
        self.values.is_sorted_by_key(|value| value[1])
            && text_end as usize == self.texts.len()
            && self.answers.is_sorted()
            && members_end as usize == self.members.len()
            && self.texts_are_short()
            && self.rebuilt().is_some_and(|again| again == *self)
    }

    /// True if a reader could give each text: a damaged snapshot, whose texts may share affixes of any length, is not
    /// worth the time that putting them together takes.
    fn texts_are_short(&self) -> bool {
        (0..self.values.len() as u32).all(|id| self.value(id).text.len() <= template::LONGEST)
    }

    /// The same answers, built again.
    fn rebuilt(&self) -> Option<Self> {
        let mut builder = AnswersBuilder::default();
        let mut ids = Vec::with_capacity(self.len());
        for id in 1..=u32::try_from(self.len()).ok()? {
            let values = self.get(AnswerId(id)).values();
            let values =
                values.map(|value| builder.gated_value(value.a, &value.text.whole(), value.gate));
            let values: Vec<_> = values.collect::<Option<_>>()?;
            ids.push(builder.answer(&values));
        }
        Some(builder.finish(ids).0)
    }

    fn value(&self, id: u32) -> Value<'_> {
        let index = id as usize;
        let Some(&[a, end]) = self.values.get(index) else {
            return Value { a: Ipv4Addr::UNSPECIFIED, text: Template::Whole(&[]), gate: None };
        };
        let start = index.checked_sub(1).map_or(0, |before| self.values[before][1]);
        let text = self.texts.get(start as usize..end as usize).unwrap_or(&[]);
        let text = self.affixes.template(text);
        Value { a: Ipv4Addr::from(a), text, gate: gate_of(&self.gates, id) }
    }
}

/// The gate of a value; `gates` are in the order of the values.
fn gate_of(gates: &[(u32, Gate)], id: u32) -> Option<Gate> {
    let place = gates.binary_search_by_key(&id, |(value, _)| *value).ok()?;
    Some(gates[place].1)
}

#[cfg(test)]
mod tests;
