//! The entries of one dataset, or of one section of a combined one.

use super::diagnostic::Refused;
use super::entries::{Entries, Rules, Values};
use super::plain_prefixes::{Gives, Line, Lines, Prefix};
use super::prepared::Said;
use super::scan::Scan;
use super::special::Local;
use super::{
    Diagnostic, Diagnostics, FatalCause, Kind, Options, Parsed, Reason, plain, plain_names,
};
use crate::listing::addresses::{self, Late, PrefixesBuilder};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The entries so far.
#[derive(Debug)]
pub(super) struct Body {
    kind: Kind,
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
        let place = u32::try_from(self.accepted).map_err(|_| FatalCause::TooLarge)?;
        let warning = self.entries.line(scan, &mut self.values, rules, place)?;
        self.accepted += 1;
        if matches!(self.entries, Entries::Ip4Trie(..) | Entries::Ip6Trie(_) | Entries::Acl(_)) {
            let (file, line) = at;
            self.places.add(place, file, line);
        }
        Ok((true, warning))
    }

    /// Takes the lines of the commonest kind for these entries at the beginning of `chunk`, and
    /// returns the rest and their number. What it takes, [`Body::line`] would take, too. The first
    /// line is at `at`.
    pub(super) fn plain_lines<'a>(
        &mut self,
        chunk: &'a [u8],
        rules: Rules<'_>,
        at: (u16, u32),
    ) -> Result<(&'a [u8], u64), FatalCause> {
        let mut lines = plain::Lines::new(chunk);
        match &mut self.entries {
            Entries::Ip4Set(set) => {
                let mut addresses = lines.by_ref().peekable();
                if addresses.peek().is_none() {
                    return Ok((chunk, 0));
                }
                let value = Some(self.values.default_id()?);
                addresses.for_each(|address| set.add_single(address, value));
            }
            Entries::Ip4Tset(set) => lines.by_ref().for_each(|address| set.add(address)),
            Entries::Ip4Trie(..) if rules.max_range.is_some() => return Ok((chunk, 0)),
            Entries::Ip4Trie(trie, _) => {
                let mut prefixes = Prefixes { values: &mut self.values, trie };
                let (rest, count) = prefixes.plain_lines(chunk, self.accepted)?;
                self.add_places(at, count);
                return Ok((rest, count));
            }
            Entries::Ip6Trie(trie) => {
                let mut prefixes = Prefixes { values: &mut self.values, trie };
                let (rest, count) = prefixes.plain_lines(chunk, self.accepted)?;
                self.add_places(at, count);
                return Ok((rest, count));
            }
            Entries::Dnset(names) => {
                let (mut rest, mut count) = (chunk, 0);
                while let Some(line) = plain_names::line(rest) {
                    // What goes wrong is told by the ordinary way.
                    let Ok(value) = self.values.default_id() else { break };
                    if names.add_plain(line.name, line.scope, Some(value)).is_err() {
                        break;
                    }
                    rest = &rest[line.len..];
                    count += 1;
                }
                self.accepted += count;
                return Ok((rest, count));
            }
            _ => return Ok((chunk, 0)),
        }
        self.accepted += lines.count;
        Ok((lines.rest, lines.count))
    }

    /// Takes what such lines of `chunk` say, and returns their number; `None` says that lines of
    /// this type are read otherwise. The first line is at `at`.
    pub(super) fn take_said(
        &mut self,
        chunk: &[u8],
        said: Said<'_>,
        rules: Rules<'_>,
        at: (u16, u32),
    ) -> Result<Option<u64>, FatalCause> {
        let count = match (&mut self.entries, said) {
            (Entries::Ip4Set(set), Said::Addresses(addresses)) => {
                if !addresses.is_empty() {
                    set.add_singles(addresses, self.values.default_id()?);
                }
                addresses.len()
            }
            (Entries::Ip4Tset(set), Said::Addresses(addresses)) => {
                set.add_all(addresses);
                addresses.len()
            }
            (Entries::Ip4Trie(trie, _), Said::Prefixes4(lines)) if rules.max_range.is_none() => {
                let mut prefixes = Prefixes { values: &mut self.values, trie };
                prefixes.take(chunk, lines, self.accepted)?;
                self.add_places(at, lines.len() as u64);
                return Ok(Some(lines.len() as u64));
            }
            (Entries::Ip6Trie(trie), Said::Prefixes6(lines)) => {
                let mut prefixes = Prefixes { values: &mut self.values, trie };
                prefixes.take(chunk, lines, self.accepted)?;
                self.add_places(at, lines.len() as u64);
                return Ok(Some(lines.len() as u64));
            }
            (Entries::Dnset(names), Said::Names(written, count)) => {
                // What goes wrong is told by the ordinary way.
                let Ok(value) = self.values.default_id() else { return Ok(None) };
                if names.add_written(written, count, value).is_err() {
                    return Ok(None);
                }
                count
            }
            _ => return Ok(None),
        };
        self.accepted += count as u64;
        Ok(Some(count as u64))
    }

    /// Counts entries that lie in lines side by side, and remembers where.
    fn add_places(&mut self, (file, line): (u16, u32), count: u64) {
        if count > 0 {
            self.places.add(self.accepted as u32, file, line);
            self.accepted += count;
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

/// The prefixes of one family, and where their values go.
struct Prefixes<'a, K: addresses::Key> {
    values: &'a mut Values,
    trie: &'a mut PrefixesBuilder<K>,
}

/// How many lines are looked at together.
const BATCH: usize = 32;

impl<K: Prefix> Prefixes<'_, K> {
    /// Takes the plain lines at the beginning of `chunk`, of which the first is entry `place`;
    /// returns the rest and their number.
    fn plain_lines<'c>(
        &mut self,
        chunk: &'c [u8],
        place: u64,
    ) -> Result<(&'c [u8], u64), FatalCause> {
        let mut lines = Lines::new(chunk, 0);
        let mut batch = Vec::new();
        let mut count = 0;
        loop {
            batch.clear();
            batch.extend(lines.by_ref().take(BATCH));
            self.take(chunk, &batch, place + count)?;
            count += batch.len() as u64;
            if batch.len() < BATCH {
                return Ok((&chunk[lines.at..], count));
            }
        }
    }

    /// Takes lines of `chunk`, of which the first is entry `place`.
    fn take(&mut self, chunk: &[u8], lines: &[Line<K>], mut place: u64) -> Result<(), FatalCause> {
        for batch in lines.chunks(BATCH) {
            let mut owns = [None; BATCH];
            for (line, own) in batch.iter().zip(&mut owns) {
                if let Gives::Own(value) = line.gives {
                    *own = Some(value.value(chunk));
                }
            }
            let guesses = self.values.answers.guess(&owns);
            for ((line, own), guess) in batch.iter().zip(owns).zip(guesses) {
                let value = match (line.gives, own) {
                    (Gives::Nothing, _) => None,
                    (_, None) => Some(self.values.default_id()?),
                    (_, Some(own)) => {
                        let value = self.values.answers.guessed_value(guess, own);
                        Some(value.ok_or(FatalCause::TooLarge)?)
                    }
                };
                let answer = self.values.answer(value);
                let number = u32::try_from(place).map_err(|_| FatalCause::TooLarge)?;
                self.trie.add(line.start, line.len, answer, number);
                place += 1;
            }
        }
        Ok(())
    }
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
