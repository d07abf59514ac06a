//! The block of a load, from what was served before and what is served now.

use super::block::{KEY, ListPlace, ListedValue, LoadBuilder, LoadHead, Operation, Space};
use crate::answer::AnswerId;
use crate::engine::compose::shows_text;
use crate::engine::text::Text;
use crate::trie::names::encode_key;
use crate::wire::name::NameBuf;
use crate::zone::Dataset;
use crate::zone::diff::{Change, Detail, Difference, Key, diff_by_answer};
use std::collections::HashMap;

/// The block of a load: how `new` differs from `old`; without that, all that it lists. `None` if the block would
/// be too long. Fills in the counts.
pub(super) fn block(old: Option<&Dataset>, new: &Dataset, head: &mut LoadHead) -> Option<Vec<u8>> {
    head.is_whole = old.is_none();
    let mut changes = Changes::default();
    let nothing = Dataset::default();
    diff_by_answer(old.unwrap_or(&nothing), new, &mut |difference, detail| {
        let count = match difference.change {
            Change::Added => &mut head.tally.added,
            Change::Removed => &mut head.tally.removed,
            Change::Changed => &mut head.tally.changed,
        };
        *count = count.saturating_add(difference.key.width());
        changes.add(difference, &detail);
    });
    changes.finish(head)
}

#[derive(Default)]
struct Changes {
    block: LoadBuilder,
    /// The numbers of the answers of the lists.
    answers: HashMap<(usize, AnswerId), usize>,
    /// Names with records, which come in no order: the number of their place, and the name as it is sorted.
    records: Vec<(usize, Vec<u8>, Operation)>,
    text: Text,
}

impl Changes {
    fn add(&mut self, difference: Difference, detail: &Detail<'_>) {
        let Difference { change, apex, key } = difference;
        let space = match key {
            Key::Ip4(..) => Space::Ip4,
            Key::Ip6(..) => Space::Ip6,
            Key::Name(_) => Space::Name,
            Key::Below(_) => Space::Below,
            Key::Records(_) => Space::Records,
        };
        let place = self.block.place(&ListPlace { apex, number: detail.list, space });
        match &key {
            Key::Ip4(start, end) => {
                let operation = self.operation(place, detail);
                self.block.add_range(place, operation, ((*start).into(), (*end).into()));
            }
            Key::Ip6(start, end) => {
                let operation = self.operation(place, detail);
                self.block.add_range(place, operation, (*start, *end));
            }
            Key::Name(name) | Key::Below(name) => {
                let operation = self.operation(place, detail);
                self.block.add_name(place, operation, &sorted_by(name));
            }
            Key::Records(name) => {
                let operation = match change {
                    Change::Removed => Operation::Delist,
                    Change::Added | Change::Changed => {
                        Operation::List(self.block.answer(Vec::new()))
                    }
                };
                self.records.push((place, sorted_by(name), operation));
            }
        }
    }

    fn operation(&mut self, place: usize, detail: &Detail<'_>) -> Operation {
        let Some(answer) = detail.answer else { return Operation::Delist };
        if !answer.is_listed() {
            return Operation::Exclude;
        }
        let Self { block, answers, text, .. } = self;
        Operation::List(*answers.entry((place, answer)).or_insert_with(|| {
            let vars = &detail.now.vars;
            let values = detail.now.answers.get(answer).values();
            let values = values.map(|value| {
                text.expand(&value.text.whole(), vars, &[KEY]);
                let text = if shows_text(value.text, vars) { text.bytes() } else { b"" };
                ListedValue { a: value.a, text: text.to_vec() }
            });
            block.answer(values.collect())
        }))
    }

    fn finish(mut self, head: &LoadHead) -> Option<Vec<u8>> {
        self.records.sort_unstable();
        for (place, name, operation) in self.records {
            self.block.add_name(place, operation, &name);
        }
        self.block.finish(head)
    }
}

/// What a name is sorted by.
pub(super) fn sorted_by(name: &NameBuf) -> Vec<u8> {
    let mut key = Vec::new();
    encode_key(name.as_wire(), &mut key);
    key
}
