//! The fast path for a key that several datasets list, as zones of stacked lists have many.

use super::{Attempt, Reason};
use crate::answer::AnswerId;
use crate::engine::WorkerState;
use crate::engine::compose::has_text;
use crate::engine::text::expand;
use crate::wire::message::response::{RECORD_HEAD, record_head};
use crate::wire::{Class, HEADER, Rcode, Type};
use crate::zone::lookup::{Match, MatchedKey};
use crate::zone::{CompiledZone, Dataset};
use std::mem;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;

/// A key that more datasets list takes the general path.
const MOST: usize = 4;

/// Room for the matches of such a key. It is kept from query to query: those for other keys do not touch it.
#[derive(Debug)]
pub(in crate::engine) struct Several([KeptMatch; MOST]);

/// The part of a [`Match`] that answers need.
#[derive(Clone, Copy, Debug)]
struct KeptMatch {
    /// The number of the dataset in the zone.
    dataset: usize,
    answer: AnswerId,
    key: MatchedKey,
}

impl Default for Several {
    fn default() -> Self {
        Self([KeptMatch { dataset: 0, answer: AnswerId::NONE, key: MatchedKey::Ip4(0) }; MOST])
    }
}

impl Several {
    /// Adds a match to so many; the first is added by the second. Gives their number, which may be more than there
    /// is room for.
    ///
    /// Cold, so that a key in one list alone saves no registers for it.
    #[cold]
    #[inline(never)]
    pub(super) fn add(
        &mut self,
        count: usize,
        first: &Match<'_>,
        found: &Match<'_>,
        datasets: &[Arc<Dataset>],
    ) -> usize {
        let mut keep = |place: usize, found: &Match<'_>| {
            let is_it = |dataset: &Arc<Dataset>| ptr::eq(Arc::as_ptr(dataset), found.dataset);
            let number = datasets.iter().position(is_it).unwrap_or(datasets.len());
            if let Some(place) = self.0.get_mut(place) {
                *place = KeptMatch { dataset: number, answer: found.answer, key: found.key };
            }
        };
        if count == 0 {
            keep(0, first);
        }
        let place = count.max(1);
        keep(place, found);
        place + 1
    }
}

impl<'a> Attempt<'a, '_> {
    /// Writes the answer for a key that so many datasets list and no allow list has.
    #[cold]
    #[inline(never)]
    pub(super) fn several(
        &mut self,
        zone: &'a CompiledZone,
        apex: usize,
        count: usize,
    ) -> Option<(Reason, usize)> {
        let len = match self.question.qtype {
            Type::A => Some(self.addresses(zone, count)?),
            Type::TXT => self.texts(zone, count)?,
            _ => None,
        };
        match len {
            Some(len) => Some((Reason::Answered, len)),
            None => Some((Reason::NoData, self.negative(zone, apex, Rcode::NoError)?)),
        }
    }

    /// One A record per distinct value, with the least TTL of all datasets (RFC 2181 section 5.2).
    fn addresses(&mut self, zone: &CompiledZone, count: usize) -> Option<usize> {
        const SIZE: usize = RECORD_HEAD + 4;
        let matches = self.state.several.0.get(..count)?;
        let (mut values, mut written, mut ttl) = ([Ipv4Addr::UNSPECIFIED; MOST], 0, u32::MAX);
        for found in matches {
            let dataset = zone.datasets.get(found.dataset)?;
            let (a, _) = dataset.answers.only_stored(found.answer)?;
            ttl = ttl.min(dataset.ttl);
            if !values[..written].contains(&a) {
                values[written] = a;
                written += 1;
            }
        }
        let (values, question) = (&values[..written], self.question);
        let head = record_head(HEADER, Type::A, Class::IN, ttl, 4);
        for (number, a) in values.iter().enumerate() {
            let room: &mut [u8; SIZE] = question.room(self.out, number * SIZE)?;
            room[..RECORD_HEAD].copy_from_slice(&head);
            room[RECORD_HEAD..].copy_from_slice(&a.octets());
        }
        let len = question.finish_answers(self.out, written * SIZE, written)?;
        for &a in values {
            zone.counters.count_value(self.state.worker, a);
        }
        Some(len)
    }

    /// One TXT record per distinct text, with the least TTL of the datasets that have one. The inner `None`: no
    /// dataset has a text.
    fn texts(&mut self, zone: &CompiledZone, count: usize) -> Option<Option<usize>> {
        let WorkerState { name, key_text, template: pieces, several, .. } = &mut *self.state;
        let matches = several.0.get(..count)?;
        let (mut ends, mut written, mut size) = ([0; MOST], 0, 0);
        let (mut ttl, mut last_kind) = (u32::MAX, None);
        for found in matches {
            let dataset = zone.datasets.get(found.dataset)?;
            let (_, stored) = dataset.answers.only_stored(found.answer)?;
            let template = dataset.answers.template(stored, pieces);
            if !has_text(template, &dataset.vars) {
                continue;
            }
            ttl = ttl.min(dataset.ttl);
            // Addresses of one kind are the same.
            let kind = mem::discriminant(&found.key);
            if last_kind.replace(kind) != Some(kind) || matches!(found.key, MatchedKey::Name { .. })
            {
                found.key.text(name, key_text);
            }
            // One character-string (RFC 1035 section 3.3).
            let room: &mut [u8; RECORD_HEAD + 256] = self.question.room(self.out, size)?;
            let (length, text) = room[RECORD_HEAD..].split_first_mut()?;
            let len = expand(template, &dataset.vars, key_text.written(), text)?;
            *length = len as u8;
            let end = size + RECORD_HEAD + 1 + len;
            let records = self.out.get(self.question.bytes.len()..)?;
            if !is_written(records, &ends[..written], size + RECORD_HEAD..end)? {
                (ends[written], size) = (end, end);
                written += 1;
            }
        }
        if written == 0 {
            return Some(None);
        }
        let mut start = 0;
        let mut head = record_head(HEADER, Type::TXT, Class::IN, ttl, 0);
        for &end in &ends[..written] {
            let size = (end - start - RECORD_HEAD) as u16;
            head[RECORD_HEAD - 2..].copy_from_slice(&size.to_be_bytes());
            let room: &mut [u8; RECORD_HEAD] = self.question.room(self.out, start)?;
            *room = head;
            start = end;
        }
        Some(Some(self.question.finish_answers(self.out, size, written)?))
    }
}

/// True if one of the records with these ends has the data that stands in this range.
fn is_written(records: &[u8], ends: &[usize], data: Range<usize>) -> Option<bool> {
    let data = records.get(data)?;
    let mut start = 0;
    for &end in ends {
        if records.get(start + RECORD_HEAD..end)? == data {
            return Some(true);
        }
        start = end;
    }
    Some(false)
}
