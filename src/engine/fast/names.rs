//! The way of names as nearly all are: of two labels or more, in the zone asked last, where names alone
//! are listed.

use super::Attempt;
use super::question::{ParsedQuestion, SingleHit};
use crate::engine::WorkerState;
use crate::engine::text::{expand_any, expand_quickly};
use crate::listing::AnswerId;
use crate::trie::names::{NameLookup, PaddedName};
use crate::wire::message::response::OPT_SIZE;
use crate::wire::name::{MAX_NAME, write_usual_text};
use crate::wire::{HEADER, Type};
use crate::zone::Dataset;
use std::sync::Arc;

impl Attempt<'_, '_> {
    /// As [`by_ip4`](Self::by_ip4), for such a name.
    ///
    /// It is read from its end: what stands behind it has a known size, and so has the apex. Only the
    /// labels before that are walked.
    #[inline(never)]
    pub(in crate::engine) fn by_usual_name(&mut self) -> Option<usize> {
        let Self { catalog, request, state, out } = self;
        let message = request.query;
        let end = question_name_end(message)?;
        let (compiled, apex) = catalog.read_apex_before(message, end, state.recent)?;
        if !compiled.is_names || request.now > compiled.expires || end > HEADER + MAX_NAME {
            return None;
        }
        let WorkerState { name, key_text, worker, .. } = &mut **state;
        name.read_before(message, apex)?;
        if name.labels() < 2 {
            return None;
        }
        let (found, listed) = only_name(&compiled.datasets, name.padded(), name.starts())?;
        let asked = ParsedQuestion { compiled, apex, end };
        asked.answer(*worker, message, out, found, |template, dataset, room| {
            let key = name.labels_before(listed, 0);
            let write = |room: &mut [u8]| write_usual_text(key, room);
            match expand_quickly(template, &dataset.vars, write, room) {
                None => expand_any(template, &dataset.vars, key_text.name(key), room),
                len => len,
            }
        })
    }
}

/// Where the name of a question ends if there is nothing behind that but an OPT record without options
/// (RFC 6891 section 6.1.2).
#[inline(always)]
fn question_name_end(message: &[u8]) -> Option<usize> {
    let behind = match message.get(HEADER - 1)? {
        0 => 0,
        _ => OPT_SIZE,
    };
    message.len().checked_sub(behind + size_of::<[Type; 2]>())
}

/// What datasets have for a name, and the number of labels of the name that is listed; `None`
/// if several list it.
#[inline(always)]
fn only_name<'z>(
    datasets: &'z [Arc<Dataset>],
    name: &PaddedName,
    starts: &[u8],
) -> Option<(SingleHit<'z>, u8)> {
    let dataset = datasets.first()?;
    let mut only = SingleHit { exists: false, dataset, answer: AnswerId::NONE };
    let mut labels = 0;
    for dataset in datasets {
        match dataset.names.as_ref()?.lookup_labels(name, starts) {
            NameLookup::Listed { .. } if only.answer.is_listed() => return None,
            NameLookup::Listed { answer, labels: listed } => {
                (only.dataset, only.answer, labels) = (dataset, answer, listed);
            }
            NameLookup::EmptyNonTerminal => only.exists |= !dataset.hides_empty_non_terminals,
            NameLookup::Nothing => {}
        }
    }
    Some((only, labels))
}
