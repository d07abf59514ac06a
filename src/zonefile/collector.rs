//! Takes the entries of one dataset, or of one section of a combined one.

use super::batch::Batch;
use super::entry::{Entry, Place};
use super::fatal::Refused;
use super::list_builder::{ListBuilder, entry_number};
use super::rules::{Rules, duplicate};
use super::scan::Scan;
use super::special::Local;
use super::values::Values;
use super::{FatalCause, HashForm, Kind, Mistake, Options, Parsed};
use crate::listing::addresses::{self, PrefixesBuilder};
use crate::listing::{Overfull, ValueId};

/// The entries so far.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) kind: Kind,
    values: Values,
    list: ListBuilder,
    accepted: u64,
    places: Places,
}

impl Collector {
    /// No entries yet; `None` for a type that has no entries itself.
    pub(super) fn new(kind: Kind, options: &Options) -> Option<Self> {
        Some(Self {
            kind,
            values: Values::new(kind, options),
            list: ListBuilder::new(kind, options)?,
            accepted: 0,
            places: Places::default(),
        })
    }

    /// Starts the first file, or the next one.
    pub(super) fn start_file(&mut self) {
        self.values.start_file();
        if let ListBuilder::Acl(acl) = &mut self.list {
            acl.start_file();
        }
    }

    /// Takes a line if it sets the default value. A reason returned is a warning only.
    pub(super) fn default_line(
        &mut self,
        scan: &mut Scan<'_>,
    ) -> Option<Result<Option<Mistake>, Refused>> {
        let is_default = self.list.is_default_line(scan);
        is_default.then(|| self.list.default_line(scan, &mut self.values))
    }

    /// Takes an entry. A reason returned is a warning only.
    pub(super) fn entry(
        &mut self,
        entry: Entry<'_, '_>,
        rules: Rules<'_>,
        place: Place,
    ) -> Result<Option<Mistake>, Refused> {
        let number = entry_number(self.accepted)?;
        let warning = self.list.add(entry, &mut self.values, rules, number)?;
        self.remember(place);
        self.accepted += 1;
        Ok(warning)
    }

    /// The value of the entry that was taken last.
    pub(super) fn last_value(&self) -> ValueId {
        self.values.last
    }

    /// The form that the next hash must have, as far as it is known.
    pub(super) fn hash_form(&self) -> HashForm {
        match &self.list {
            ListBuilder::Hashset(hashes) => hashes.form(),
            _ => HashForm::default(),
        }
    }

    /// Takes entries of a batch up to the first that breaks a rule, and returns their number; their
    /// lines are in `chunk`, the first of them at `place`. `None` if the batch is of another type.
    pub(super) fn batch(
        &mut self,
        batch: Batch<'_>,
        chunk: &[u8],
        rules: Rules<'_>,
        place: Place,
    ) -> Result<Option<usize>, FatalCause> {
        let count = self.list.add_batch(batch, chunk, &mut self.values, rules, self.accepted)?;
        if let Some(count @ 1..) = count {
            self.remember(place);
            self.accepted += count as u64;
        }
        Ok(count)
    }

    /// Remembers where the next entries are, which lie in lines side by side, if that may be told at
    /// the end.
    fn remember(&mut self, place: Place) {
        if matches!(
            self.list,
            ListBuilder::Ip4Trie(..)
                | ListBuilder::Ip6Trie(_)
                | ListBuilder::Mixed(..)
                | ListBuilder::Acl(_)
        ) {
            self.places.add(self.accepted as u32, place);
        }
    }

    /// Decides what every key gives. The diagnostics are those that only the end shows: lines that
    /// were taken for entries and are none.
    pub(super) fn finish(self, local: Local) -> Parsed {
        let Self { kind, mut values, accepted, places, mut list } = self;
        if let Some(numbers) = values.answers.settle() {
            list.renumber_values(&numbers);
        }
        let mut parsed = Parsed::new(kind, local);
        parsed.default_value = values.dataset_default();
        parsed.counts = list.counts();
        let (mut names, mut hashes) = (None, None);
        let (mut late, mut overfull) = (Vec::new(), Overfull::default());
        match list {
            ListBuilder::Ip4Set(set) => parsed.ip4 = Some(set.finish(&mut values.answers)),
            ListBuilder::Ip4Tset(set) => parsed.ip4 = Some(set.finish(values.only_answer())),
            ListBuilder::Ip6Tset(set) => parsed.ip6 = Some(set.finish(values.only_answer())),
            ListBuilder::Ip4Trie(trie4, trie6) => {
                finish_tries(trie4, trie6, &mut parsed, &mut late)
            }
            ListBuilder::Mixed(trie4, trie6, builder) => {
                finish_tries(trie4, trie6, &mut parsed, &mut late);
                names = Some(builder);
            }
            ListBuilder::Ip6Trie(trie) => {
                let (addresses6, late6) = trie.finish();
                parsed.ip6 = Some(addresses6);
                late.extend(late6.into_iter().map(duplicate));
            }
            ListBuilder::Dnset(builder) => names = Some(builder),
            ListBuilder::Hashset(builder) => hashes = Some(builder),
            ListBuilder::Generic(builder) => {
                let records;
                (records, overfull) = builder.finish_counted();
                parsed.records = Some(records);
            }
            ListBuilder::Acl(builder) => {
                let acl;
                (acl, late) = builder.finish(std::mem::take(&mut values.answers));
                parsed.acl = Some(acl);
            }
        }
        parsed.entries = accepted - late.len() as u64;
        for (number, reason) in late {
            parsed.diagnostics.push(places.get(number), 1, (reason, false), None);
        }
        parsed.answers = match (names, hashes) {
            (_, Some(builder)) => {
                let (table, answers, keys) = builder.finish(values.answers);
                (parsed.digests, overfull) = (Some(table), keys);
                answers
            }
            (Some(builder), None) => {
                let base = parsed.vars.base.as_deref().unwrap_or(b"");
                let (ip4, ip6) = (parsed.ip4.as_mut(), parsed.ip6.as_mut());
                let (names, answers, keys) = builder.finish_beside(ip4, ip6, values.answers, base);
                overfull = keys;
                parsed.names = Some(names);
                answers
            }
            (None, None) => {
                if parsed.records.is_none() {
                    overfull = values.answers.take_overfull();
                }
                addresses::number(parsed.ip4.as_mut(), parsed.ip6.as_mut(), values.answers)
            }
        };
        parsed.entries -= overfull.entries;
        let nowhere = Place { file: 0, line: 0 };
        for (key, values) in &overfull.first {
            let mistake = (Mistake::ManyValues { values: *values }, true);
            parsed.diagnostics.push(nowhere, 1, mistake, Some(key.as_bytes()));
        }
        for _ in overfull.first.len() as u64..overfull.keys {
            let mistake = (Mistake::ManyValues { values: 0 }, true);
            parsed.diagnostics.push(nowhere, 1, mistake, None);
        }
        parsed
    }
}

fn finish_tries(
    trie4: PrefixesBuilder<u32>,
    trie6: PrefixesBuilder<u128>,
    parsed: &mut Parsed,
    late: &mut Vec<(u32, Mistake)>,
) {
    let (addresses4, late4) = trie4.finish();
    let (addresses6, late6) = trie6.finish();
    (parsed.ip4, parsed.ip6) = (Some(addresses4), Some(addresses6));
    late.extend(late4.into_iter().map(duplicate));
    late.extend(late6.into_iter().map(duplicate));
}

/// Remembers in which line which entry was: one item for each unbroken run of entry lines.
#[derive(Clone, Debug, Default)]
struct Places {
    /// The number of the first entry of a run, and its place.
    runs: Vec<(u32, Place)>,
}

impl Places {
    fn add(&mut self, number: u32, place: Place) {
        if self.runs.last().map(|run| Self::of(run, number)) != Some(place) {
            self.runs.push((number, place));
        }
    }

    fn get(&self, number: u32) -> Place {
        let run = self.runs.partition_point(|&(first, _)| first <= number).checked_sub(1);
        run.map_or(Place { file: 0, line: 0 }, |run| Self::of(&self.runs[run], number))
    }

    /// The place of an entry of a run.
    fn of(&(first, Place { file, line }): &(u32, Place), number: u32) -> Place {
        Place { file, line: line.saturating_add(number - first) }
    }
}
