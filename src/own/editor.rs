//! Changes the bytes of a list by its lines. What is not changed stays as it is: the other lines, their order, their
//! comments and their ends.

use crate::listing::names::Scope;
use crate::util::time::Utc;
use crate::wire::name::NameBuf;
use crate::zonefile::{EntryLine, Kind, LineKey, Mistake};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// A list that is being changed.
pub(crate) struct Editor<'f> {
    kind: Kind,
    /// Each with its end. One that is removed is empty.
    lines: Vec<Cow<'f, [u8]>>,
    /// What is about a key, by the number of the line.
    entries: HashMap<LineKey, Vec<u32>>,
    /// The lines about a range of addresses that is no prefix.
    ranges: BTreeMap<u32, LineKey>,
    /// The lines that expire, and when.
    dated: BTreeMap<u32, u64>,
    /// What a new line ends with.
    end: &'static [u8],
}

/// What is written behind an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Note<'n> {
    /// When the entry is written, in seconds since 1970.
    pub(crate) now: u64,
    /// When it expires, in seconds since 1970; `None` for never.
    pub(crate) until: Option<u64>,
    /// Why it is there, on one line; empty to keep the reason that it has.
    pub(crate) reason: &'n str,
}

/// What came of an entry that was to be added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Added {
    /// The number of the line that it was before, from 1, and what that said.
    pub(crate) before: Option<OwnEntry>,
    /// The wider entry that covers it, too.
    pub(crate) covered_by: Option<OwnEntry>,
}

/// What came of an entry that was to be removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Removed {
    /// It stood in these lines.
    Done(Vec<OwnEntry>),
    /// It is in no line.
    Absent {
        /// The wider entry that covers it, which stays.
        covered_by: Option<OwnEntry>,
    },
}

/// An entry as it stands in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OwnEntry {
    /// What it is about.
    pub(crate) key: LineKey,
    /// The line, from 1.
    pub(crate) line: u32,
    /// It says that the key is not listed.
    pub(crate) is_excluded: bool,
    /// When it expires, in seconds since 1970; `None` for never.
    pub(crate) expires: Option<u64>,
    /// The date that the comment begins with, as `2026-11-30`.
    pub(crate) added: Option<String>,
    /// The rest of the comment.
    pub(crate) reason: String,
}

impl OwnEntry {
    fn new(entry: EntryLine<'_>, line: u32) -> Self {
        let comment = String::from_utf8_lossy(entry.comment);
        let (added, reason) = noted(&comment);
        Self {
            is_excluded: entry.is_excluded,
            line,
            expires: entry.expires.filter(|&ends| ends < u64::MAX),
            added: added.map(str::to_owned),
            reason: reason.to_owned(),
            key: entry.key,
        }
    }

    /// True if it has expired by then.
    pub(crate) fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|ends| ends <= now)
    }
}

/// The date and the reason of a comment.
fn noted(comment: &str) -> (Option<&str>, &str) {
    let is_date = |text: &str| {
        let shape = |(at, byte): (usize, u8)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        };
        text.bytes().enumerate().all(shape)
    };
    match comment.split_at_checked(10).filter(|(date, _)| is_date(date)) {
        Some((date, "")) => (Some(date), ""),
        Some((date, rest)) => match rest.strip_prefix(':') {
            Some(reason) => (Some(date), reason.trim()),
            None => (None, comment),
        },
        None => (None, comment),
    }
}

impl<'f> Editor<'f> {
    /// The lines of a file in rbldnsd's format, of a type of list.
    pub(crate) fn new(kind: Kind, text: &'f [u8]) -> Self {
        let mut editor = Self {
            kind,
            lines: text.split_inclusive(|&byte| byte == b'\n').map(Cow::Borrowed).collect(),
            entries: HashMap::new(),
            ranges: BTreeMap::new(),
            dated: BTreeMap::new(),
            end: if text.ends_with(b"\r\n") { b"\r\n" } else { b"\n" },
        };
        for number in 0..editor.lines.len() {
            editor.note(number as u32);
        }
        editor
    }

    /// The key that somebody has typed, as a list of this type has it.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub(crate) fn key(kind: Kind, typed: &str) -> Result<LineKey, Mistake> {
        match EntryLine::read(kind, typed.trim().as_bytes())? {
            Some(entry) if !entry.is_excluded && entry.spelled.len() == typed.trim().len() => {
                Ok(entry.key)
            }
            _ => Err(Mistake::NoKey),
        }
    }

    /// The entries, in the order of the file.
    pub(crate) fn entries(&self) -> impl Iterator<Item = OwnEntry> {
        let numbers = 0..self.lines.len() as u32;
        numbers.filter_map(|number| self.entry(number))
    }

    /// Adds an entry at the end; one that is there stays where it is, with the new note and its value.
    pub(crate) fn add(&mut self, key: &LineKey, note: Note<'_>) -> Added {
        let covered_by = self.cover(key, note.now);
        let known = self.entries.get(key).and_then(|numbers| numbers.first().copied());
        let before = known.and_then(|number| self.entry(number));
        match known {
            Some(number) => {
                let old = std::mem::take(&mut self.lines[number as usize]);
                self.lines[number as usize] = Cow::Owned(self.renewed(&old, key, note));
                // It may have been an exclusion.
                self.ranges.remove(&number);
                self.dated.remove(&number);
                if let Some(numbers) = self.entries.get_mut(key) {
                    numbers.remove(0);
                }
                self.note(number);
                if let Some(numbers) = self.entries.get_mut(key) {
                    numbers.sort_unstable();
                }
            }
            None => {
                if let Some(last) =
                    self.lines.last_mut().filter(|last| !last.is_empty() && !last.ends_with(b"\n"))
                {
                    last.to_mut().extend_from_slice(self.end);
                }
                let mut line = key.to_string().into_bytes();
                append_note(&mut line, b"", note, note.reason);
                line.extend_from_slice(self.end);
                self.lines.push(Cow::Owned(line));
                self.note(self.lines.len() as u32 - 1);
            }
        }
        Added { before, covered_by }
    }

    /// Removes all entries of exactly this key that list it.
    pub(crate) fn remove(&mut self, key: &LineKey, now: u64) -> Removed {
        let numbers = self.entries.get(key).cloned().unwrap_or_default();
        let listed: Vec<_> = numbers
            .into_iter()
            .filter_map(|number| self.entry(number).filter(|entry| !entry.is_excluded))
            .collect();
        if listed.is_empty() {
            return Removed::Absent { covered_by: self.cover(key, now) };
        }
        for entry in &listed {
            self.take_out(entry);
        }
        Removed::Done(listed)
    }

    /// Takes the entries out that have expired by then.
    pub(crate) fn drop_expired(&mut self, now: u64) -> Vec<OwnEntry> {
        let expired = self.dated.iter().filter(|(_, ends)| **ends <= now);
        let dropped: Vec<_> = expired.filter_map(|(number, _)| self.entry(*number)).collect();
        for entry in &dropped {
            self.take_out(entry);
        }
        dropped
    }

    /// The file as it is now.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.lines.concat()
    }

    fn take_out(&mut self, entry: &OwnEntry) {
        let number = entry.line - 1;
        self.lines[number as usize] = Cow::Borrowed(b"");
        if let Some(numbers) = self.entries.get_mut(&entry.key) {
            numbers.retain(|other| *other != number);
        }
        self.ranges.remove(&number);
        self.dated.remove(&number);
    }

    /// Takes note of what a line is about.
    fn note(&mut self, number: u32) {
        let Ok(Some(entry)) = EntryLine::read(self.kind, without_end(&self.lines[number as usize]))
        else {
            return;
        };
        let is_prefix = match &entry.key {
            LineKey::Ip4(start, end) => is_prefix((*start).into(), (*end).into()),
            LineKey::Ip6(start, end) => is_prefix(*start, *end),
            LineKey::Name(..) => true,
        };
        if !is_prefix {
            self.ranges.insert(number, entry.key.clone());
        }
        self.dated.extend(entry.expires.filter(|&ends| ends < u64::MAX).map(|ends| (number, ends)));
        self.entries.entry(entry.key).or_default().push(number);
    }

    /// What a line is about.
    fn entry(&self, number: u32) -> Option<OwnEntry> {
        let entry =
            EntryLine::read(self.kind, without_end(self.lines.get(number as usize)?)).ok()??;
        Some(OwnEntry::new(entry, number + 1))
    }

    /// The narrowest entry that covers a key, but for that of the key, and has not expired.
    fn cover(&self, key: &LineKey, now: u64) -> Option<OwnEntry> {
        let ranges = self.ranges.iter().filter(|(_, range)| *range != key && range.covers(key));
        let above = above(key).into_iter().filter_map(|above| self.entries.get(&above));
        let mut numbers: Vec<u32> = above.flatten().copied().collect();
        numbers.extend(ranges.map(|(number, _)| *number));
        numbers.sort_unstable();
        let entries = numbers.into_iter().filter_map(|number| self.entry(number));
        let mut live = entries.filter(|entry| !entry.is_excluded && !entry.is_expired(now));
        let first = live.next()?;
        Some(live.fold(first, |best, next| if best.key.covers(&next.key) { next } else { best }))
    }

    /// A line about this key, with another note.
    fn renewed(&self, line: &[u8], key: &LineKey, note: Note<'_>) -> Vec<u8> {
        let text = without_end(line);
        let end = &line[text.len()..];
        let Ok(Some(entry)) = EntryLine::read(self.kind, text) else { return line.to_vec() };
        let comment = String::from_utf8_lossy(entry.comment);
        let reason = if note.reason.is_empty() { noted(&comment).1 } else { note.reason };
        // An exclusion makes room for the entry; it has no value.
        let mut new = match entry.is_excluded {
            true => key.to_string().into_bytes(),
            false => {
                let lead = entry.spelled.as_ptr().addr() - text.as_ptr().addr();
                text[..lead + entry.spelled.len()].to_vec()
            }
        };
        let value = if entry.is_excluded { b"" } else { entry.value };
        let others = if entry.is_excluded { Vec::new() } else { entry.other_params() };
        if !value.is_empty() {
            new.push(b' ');
            new.extend_from_slice(value);
        }
        let others = match (&others[..], value) {
            // Without a parameter, a comment behind a value is a part of it.
            ([], [_, ..]) if note.until.is_none() => b"expires=never",
            (others, _) => others,
        };
        append_note(&mut new, others, note, reason);
        new.extend_from_slice(end);
        new
    }
}

/// True for the first and the last address of a prefix.
fn is_prefix(start: u128, end: u128) -> bool {
    let size = end.wrapping_sub(start);
    size & size.wrapping_add(1) == 0 && start & size == 0
}

/// The prefixes and names that cover a key, but for itself.
fn above(key: &LineKey) -> Vec<LineKey> {
    let mut all = Vec::new();
    match key {
        LineKey::Ip4(start, end) => {
            let nets = (0..=32).map(|hosts| u32::MAX.checked_shr(32 - hosts).unwrap_or(0));
            let nets = nets.map(|size| (start & !size, start | size));
            all.extend(nets.filter(|(_, last)| last >= end).map(|(at, to)| LineKey::Ip4(at, to)));
        }
        LineKey::Ip6(start, end) => {
            let nets = (0..=128).map(|hosts| u128::MAX.checked_shr(128 - hosts).unwrap_or(0));
            let nets = nets.map(|size| (start & !size, start | size));
            all.extend(nets.filter(|(_, last)| last >= end).map(|(at, to)| LineKey::Ip6(at, to)));
        }
        LineKey::Name(name, _) => {
            let mut wire = name.as_wire();
            while let Some(name) = NameBuf::from_wire(wire) {
                let scopes = [Scope::Below, Scope::Both].into_iter();
                all.extend(scopes.map(|scope| LineKey::Name(Box::new(name.clone()), scope)));
                let Some((&length @ 1.., _)) = wire.split_first() else { break };
                wire = &wire[usize::from(length) + 1..];
            }
        }
    }
    all.retain(|above| above != key && above.covers(key));
    all
}

/// A line without its end.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Writes the parameters and the comment behind an entry.
fn append_note(line: &mut Vec<u8>, others: &[u8], note: Note<'_>, reason: &str) {
    let until = note.until.map(|until| format!("expires={}", utc(until)).into_bytes());
    let params: Vec<_> =
        until.as_deref().into_iter().chain(Some(others)).filter(|part| !part.is_empty()).collect();
    if !params.is_empty() {
        line.extend_from_slice(b" @ ");
        line.extend_from_slice(&params.join(&b';'));
    }
    let Utc { year, month, day, .. } = utc(note.now);
    line.extend_from_slice(format!("  # {year:04}-{month:02}-{day:02}").as_bytes());
    if !reason.is_empty() {
        line.extend_from_slice(b": ");
        line.extend_from_slice(reason.as_bytes());
    }
}

/// A time in seconds since 1970.
pub(super) fn utc(seconds: u64) -> Utc {
    Utc::from_unix(i64::try_from(seconds).unwrap_or(i64::MAX / 4))
}

#[cfg(test)]
mod tests;
