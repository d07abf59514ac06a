//! The records of a verdict zone: one value for the sum, and one text with the reasons. One unit with `compose.rs`.

use super::WorkerState;
use super::compose::{Composer, shows_text};
use crate::wire::message::response::Section;
use crate::wire::{Class, HEADER, ResponseWriter, Type};
use crate::zone::Scoring;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// What the lists that have a key make together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score<'z> {
    /// The value of the threshold that is reached.
    pub(super) a: Ipv4Addr,
    /// Where the weights stand.
    pub(super) scoring: &'z Scoring,
}

impl Score<'_> {
    /// Writes the records of a key with the least TTL of the lists that have it.
    pub(super) fn write(
        &self,
        composer: &Composer<'_>,
        state: &mut WorkerState,
        writer: &mut ResponseWriter<'_>,
    ) {
        let Some(ttl) = composer.matches.iter().map(|found| found.dataset.ttl).min() else {
            return;
        };
        let qtype = composer.query.qtype;
        let record = |rtype, data: &[u8], writer: &mut ResponseWriter<'_>| {
            writer.record(Section::Answer, HEADER, rtype, Class::IN, ttl, &[data]);
        };
        if writer.wants(qtype, Type::A) {
            record(Type::A, &self.a.octets(), writer);
            composer.zone.counters.count_value(state.worker, self.a);
        }
        if writer.wants(qtype, Type::TXT) {
            self.reasons(composer, state);
            record(Type::TXT, state.text.character_strings(), writer);
        }
    }

    /// Writes the reasons, the strongest first, and of each the list, its weight, and its first text: as much of
    /// that as a text can have.
    fn reasons(&self, composer: &Composer<'_>, state: &mut WorkerState) {
        let WorkerState { name, text, template: pieces, key_text, .. } = state;
        text.clear();
        for (number, found) in composer.matches.iter().enumerate() {
            let (set, weight) = (found.dataset, self.scoring.weight(found.dataset));
            let separator = if number > 0 { "; " } else { "" };
            let weight = weight.unwrap_or_default();
            // What is cut is still a text.
            let _ = write!(text, "{separator}{} {weight:+}", set.name);
            let mut values = found.answer().values_for(composer.asker);
            if let Some(value) = values.find(|value| shows_text(value.text, &set.vars)) {
                text.push(b": ");
                let template = value.text.join(pieces);
                text.append(template, &set.vars, found.key.text(name, key_text));
            }
        }
    }
}

#[cfg(test)]
mod tests;
