//! The entries of one dataset, or of one section of a combined one.

use super::diagnostic::Refused;
use super::entries::{Entries, Rules};
use super::plain_prefixes::{Line, Prefix};
use super::prepared::Said;
use super::scan::Scan;
use super::special::Local;
use super::values::{BATCH, Values};
use super::{Diagnostic, Diagnostics, FatalCause, Kind, Options, Parsed, Reason};
use crate::listing::addresses::{self, Late, PrefixesBuilder};
use crate::range::Int;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The entries so far.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) kind: Kind,
    pub(super) values: Values,
    entries: Entries,
    accepted: u64,
    places: Places,
}

impl Body {
    /// None yet; `None` for a type that has no entries itself.
    pub(super) fn new(kind: Kind, options: &Options) -> Option<Self> {
        Some(Self {
            kind,
            values: Values::new(kind, options),
            entries: Entries::new(kind, options)?,
            accepted: 0,
            places: Places::default(),
        })
    }

    /// Starts the first file, or the next one.
    pub(super) fn start_file(&mut self) {
        self.values.start_file();
        if let Entries::Acl(acl) = &mut self.entries {
            acl.start_file();
        }
    }

    /// Takes a line that is neither special nor a comment. `true` says that it was an entry; a
    /// reason returned is a warning only.
    pub(super) fn line(
        &mut self,
        scan: &mut Scan<'_>,
        rules: Rules<'_>,
        at: (u16, u32),
    ) -> Result<(bool, Option<Reason>), Refused> {
        if self.entries.is_default_line(scan) {
            return Ok((false, self.entries.default_line(scan, &mut self.values)?));
        }
        let place = place(self.accepted)?;
        let warning = self.entries.line(scan, &mut self.values, rules, place)?;
        self.accepted += 1;
        if matches!(self.entries, Entries::Ip4Trie(..) | Entries::Ip6Trie(_) | Entries::Acl(_)) {
            let (file, line) = at;
            self.places.add(place, file, line);
        }
        Ok((true, warning))
    }

    /// The length that IPv4 prefixes of lines of the commonest kinds have to have at least.
    pub(super) fn shortest4(&self, rules: Rules<'_>) -> u8 {
        let most = rules.max_range.map_or(32, |most| most.max(1).ilog2());
        32 - most as u8
    }

    /// Takes lines of `chunk` of the commonest kinds, of which the first is at `at`, and returns their
    /// number. What it takes, [`Body::line`] would take, too. `None` says that lines of this type are
    /// read otherwise.
    pub(super) fn take_said(
        &mut self,
        chunk: &[u8],
        said: Said<'_>,
        rules: Rules<'_>,
        at: (u16, u32),
    ) -> Result<Option<u64>, FatalCause> {
        let shortest4 = self.shortest4(rules);
        let count = match (&mut self.entries, said) {
            (Entries::Ip4Set(set), Said::Addresses(addresses)) => {
                set.add_singles(addresses, self.values.default_id()?);
                addresses.len()
            }
            (Entries::Ip4Tset(set), Said::Addresses(addresses)) => {
                set.add_all(addresses);
                addresses.len()
            }
            (_, Said::Prefixes4(lines)) if lines.iter().any(|line| line.len < shortest4) => {
                return Ok(None);
            }
            (Entries::Ip4Set(set), Said::Prefixes4(lines)) => {
                for lines in lines.chunks(BATCH) {
                    let gives = lines.iter().map(|line| line.gives);
                    let values = self.values.of_batch(gives, chunk)?;
                    for (line, value) in lines.iter().zip(values) {
                        set.add_range(line.start, line.start.last_of_prefix(line.len), value);
                    }
                }
                lines.len()
            }
            (Entries::Ip4Trie(trie, _), Said::Prefixes4(lines)) => {
                add_prefixes(trie, &mut self.values, chunk, lines, self.accepted)?;
                self.add_places(at, lines.len());
                lines.len()
            }
            (Entries::Ip6Trie(trie), Said::Prefixes6(lines)) => {
                add_prefixes(trie, &mut self.values, chunk, lines, self.accepted)?;
                self.add_places(at, lines.len());
                lines.len()
            }
            (Entries::Dnset(names), Said::Names(mut written, gives)) => {
                // What goes wrong is told by the ordinary way.
                if !names.has_room(written, gives.len()) {
                    return Ok(None);
                }
                for gives in gives.chunks(BATCH) {
                    let values = self.values.of_batch(gives.iter().copied(), chunk)?;
                    for &value in &values[..gives.len()] {
                        written = names.add_written(written, value);
                    }
                }
                gives.len()
            }
            _ => return Ok(None),
        };
        self.accepted += count as u64;
        Ok(Some(count as u64))
    }

    /// Remembers where the next entries are, which lie in lines side by side.
    fn add_places(&mut self, (file, line): (u16, u32), count: usize) {
        if count > 0 {
            self.places.add(self.accepted as u32, file, line);
        }
    }

    /// Decides what every key gives. The diagnostics are those that only the end shows: lines that
    /// were taken for entries and are none.
    pub(super) fn finish(self, local: Local) -> Parsed {
        let Self { kind, mut values, accepted, places, entries } = self;
        let mut parsed = Parsed::new(kind, local);
        parsed.default_value = values.dataset_default();
        parsed.tally = entries.tally();
        let (mut names, mut late) = (None, Vec::new());
        match entries {
            Entries::Ip4Set(set) => parsed.ip4 = Some(set.finish(&mut values.answers)),
            Entries::Ip4Tset(set) => parsed.ip4 = Some(set.finish(values.only_answer())),
            Entries::Ip6Tset(set) => parsed.ip6 = Some(set.finish(values.only_answer())),
            Entries::Ip4Trie(trie4, trie6) => {
                let (addresses4, late4) = trie4.finish();
                let (addresses6, late6) = trie6.finish();
                (parsed.ip4, parsed.ip6) = (Some(addresses4), Some(addresses6));
                late.extend(late4.into_iter().map(duplicate4));
                late.extend(late6.into_iter().map(duplicate6));
            }
            Entries::Ip6Trie(trie) => {
                let (addresses6, late6) = trie.finish();
                parsed.ip6 = Some(addresses6);
                late.extend(late6.into_iter().map(duplicate6));
            }
            Entries::Dnset(builder) => names = Some(builder),
            Entries::Generic(records) => parsed.records = Some(records.finish()),
            Entries::Acl(entries) => {
                let acl;
                (acl, late) = entries.finish(std::mem::take(&mut values.answers));
                parsed.acl = Some(acl);
            }
        }
        parsed.entries = accepted - late.len() as u64;
        parsed.diagnostics = Diagnostics::default();
        parsed.diagnostics.merge(late.into_iter().map(|(place, reason)| {
            let (file, line) = places.get(place);
            Diagnostic { file, line, column: 1, reason }
        }));
        parsed.answers = match names {
            Some(names) => {
                let base = parsed.vars.base.as_deref().unwrap_or(b"");
                let (names, answers) = names.finish(values.answers, base);
                parsed.names = Some(names);
                answers
            }
            None => addresses::number(parsed.ip4.as_mut(), parsed.ip6.as_mut(), values.answers),
        };
        parsed
    }
}

/// The place of the entry with this number: there are fewer than 2^31 of them.
fn place(number: u64) -> Result<u32, FatalCause> {
    i32::try_from(number).map(i32::cast_unsigned).map_err(|_| FatalCause::TooLarge)
}

/// Takes lines of `chunk`, of which the first is entry `number`.
fn add_prefixes<K: Prefix>(
    trie: &mut PrefixesBuilder<K>,
    values: &mut Values,
    chunk: &[u8],
    lines: &[Line<K>],
    mut number: u64,
) -> Result<(), FatalCause> {
    for lines in lines.chunks(BATCH) {
        let batch = values.of_batch(lines.iter().map(|line| line.gives), chunk)?;
        for (line, value) in lines.iter().zip(batch) {
            trie.add(line.start, line.len, values.answer(value), place(number)?);
            number += 1;
        }
    }
    Ok(())
}

pub(super) fn duplicate4(late: Late<u32>) -> (u32, Reason) {
    let Late { place, start, len } = late;
    (place, Reason::Duplicate { start: Ipv4Addr::from_bits(start).into(), len })
}

pub(super) fn duplicate6(late: Late<u128>) -> (u32, Reason) {
    let Late { place, start, len } = late;
    (place, Reason::Duplicate { start: Ipv6Addr::from_bits(start).into(), len })
}

/// Remembers in which line which entry was: one item for each unbroken run of entry lines.
#[derive(Clone, Debug, Default)]
struct Places {
    /// The number of the first entry of a run, its file and its line.
    runs: Vec<(u32, u16, u32)>,
}

impl Places {
    fn add(&mut self, place: u32, file: u16, line: u32) {
        let expected =
            self.runs.last().map(|&(first, file, line)| (file, line.saturating_add(place - first)));
        if expected != Some((file, line)) {
            self.runs.push((place, file, line));
        }
    }

    fn get(&self, place: u32) -> (u16, u32) {
        let run = self.runs.partition_point(|&(first, ..)| first <= place).checked_sub(1);
        run.map_or((0, 0), |run| {
            let (first, file, line) = self.runs[run];
            (file, line.saturating_add(place - first))
        })
    }
}
