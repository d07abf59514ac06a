//! The entries of one dataset, or of one section of a combined one.

use super::diagnostic::Refused;
use super::entries::{Entries, Rules, Values};
use super::plain::Ready;
use super::scan::Scan;
use super::special::Local;
use super::{
    Diagnostic, Diagnostics, FatalCause, Kind, Options, Parsed, Reason, plain, plain_names,
};
use crate::listing::addresses::{self, Late};
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

    /// Takes the lines at the beginning of `chunk` that are nothing but a whole IPv4 address or a
    /// plain name and a newline, and returns the rest and their number. What it takes,
    /// [`Body::line`] would take, too.
    pub(super) fn plain_lines<'a>(
        &mut self,
        chunk: &'a [u8],
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

    /// Takes what was read of such lines and returns their number; `None` says that lines of this
    /// type are read otherwise, or that the ordinary way will tell what is wrong.
    pub(super) fn take_ready(&mut self, ready: Ready<'_>) -> Result<Option<u64>, FatalCause> {
        let count = match (&mut self.entries, ready) {
            (_, Ready::Addresses([])) => 0,
            (Entries::Ip4Set(set), Ready::Addresses(addresses)) => {
                let value = Some(self.values.default_id()?);
                addresses.iter().for_each(|&address| set.add_single(address, value));
                addresses.len()
            }
            (Entries::Ip4Tset(set), Ready::Addresses(addresses)) => {
                set.add_all(addresses);
                addresses.len()
            }
            (Entries::Dnset(names), Ready::Names(written, count)) => {
                let Ok(value) = self.values.default_id() else { return Ok(None) };
                if names.add_written(written, count, value).is_err() {
                    return Ok(None);
                }
                count
            }
            _ => return Ok(None),
        } as u64;
        self.accepted += count;
        Ok(Some(count))
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
