//! Reads the lines of the files of one dataset.

use super::batch::{Batch, BatchBuffer, Batches};
use super::collector::Collector;
use super::entry::{Entry, EntryKey, EntryValue, Observer, Place, Says};
use super::fatal::Refused;
use super::format::{Item, Key, Reader};
use super::keys::ReadKey;
use super::rules::Rules;
use super::scan::{Scan, is_blank};
use super::search::{Finder, Search, SectionSeen, Wanted};
use super::section_reader::{SectionReader, Sections};
use super::special::Head;
use super::{
    BYTE_ORDER_MARK, Diagnostics, Dialect, Fatal, FatalCause, Kind, MAX_LINE, Mistake, Options,
    Parsed, Stated, generic, keys, native, params,
};
use crate::listing::names::Scope;
use crate::wire::Type;
use crate::wire::name::NameBuf;
use std::ops::Range;

/// Reads the files of one dataset; see the [module](super).
pub struct Parser<'o> {
    kind: Kind,
    options: Options,
    head: Head,
    content: Content,
    accepted: u64,
    /// When the next entry expires, in seconds since 1970.
    next_expiry: Option<u64>,
    diagnostics: Diagnostics,
    /// The number of `start_file` calls so far.
    files: u32,
    /// The number of the last line read.
    line: u32,
    /// The beginning of a line of which the end was not fed yet.
    partial: Vec<u8>,
    /// Memory for entries that are read many at a time.
    buffer: BatchBuffer,
    /// True if more of that line was fed than is kept.
    overlong: bool,
    /// The line at hand is the last one of its file, has no newline, and may be cut off.
    is_cut: bool,
    observer: Option<Box<Observer<'o>>>,
    search: Option<Search<'o>>,
    /// Reads lines of another form than rbldnsd's.
    reader: Option<Reader>,
}

/// What entry lines belong to.
enum Content {
    Whole(Box<Collector>),
    Combined(Sections),
}

impl Content {
    /// The type of what entry lines belong to, and which section that is.
    fn section(&self) -> Option<(Kind, Option<SectionSeen<'_>>)> {
        match self {
            Self::Whole(collector) => Some((collector.kind, None)),
            Self::Combined(sections) => {
                let section = sections.last.as_deref().filter(|_| sections.is_open)?;
                let seen = SectionSeen { number: sections.done.len(), apexes: &section.apexes };
                Some((section.collector.kind, Some(seen)))
            }
        }
    }
}

impl<'o> Parser<'o> {
    /// A parser for a dataset of this type.
    pub fn new(kind: Kind, options: Options) -> Self {
        Self {
            kind,
            head: Head::new(&options, kind),
            content: Collector::new(kind, &options).map_or_else(
                || Content::Combined(Sections::default()),
                |collector| Content::Whole(Box::new(collector)),
            ),
            reader: Reader::new(kind, options.format, options.column.as_deref()),
            options,
            accepted: 0,
            next_expiry: None,
            diagnostics: Diagnostics::default(),
            files: 0,
            line: 0,
            partial: Vec::new(),
            buffer: BatchBuffer::default(),
            overlong: false,
            is_cut: false,
            observer: None,
            search: None,
        }
    }

    /// The same, which tells the observer of every entry. It is slower: the fast readers, which do
    /// not look at places, are left out.
    pub fn observed(kind: Kind, options: Options, observer: Box<Observer<'o>>) -> Self {
        Self { observer: Some(observer), ..Self::new(kind, options) }
    }

    /// Keeps more diagnostics of each kind than [`MAX_OF_KIND`](super::MAX_OF_KIND), so many more.
    pub fn keep_more_diagnostics(&mut self, more: usize) {
        self.diagnostics.more_of_kind = more;
    }

    /// A parser that tells the finder of every entry which is about one of the keys wanted.
    pub fn searching(kind: Kind, options: Options, wanted: Wanted, find: Box<Finder<'o>>) -> Self {
        Self { search: Some(Search { wanted, find }), ..Self::new(kind, options) }
    }

    /// The number of the last line that was read whole, in the file at hand.
    pub fn line_number(&self) -> u32 {
        self.line
    }

    /// When the files were made by their own account (`$TIMESTAMP`, or in the way of their form), in seconds
    /// since 1970, as far as they were read.
    pub fn stamp(&self) -> Option<u64> {
        let stated = self.reader.as_ref().map_or(Stated::default(), Reader::stated);
        self.head.stamp.max(stated.timestamp)
    }

    /// Starts the first file, or the next one after [`Parser::end_file`].
    pub fn start_file(&mut self) {
        self.files += 1;
        self.line = 0;
        if let Some(reader) = &mut self.reader {
            reader.start_file();
        }
        match &mut self.content {
            Content::Whole(collector) => collector.start_file(),
            Content::Combined(sections) => sections.is_open = false,
        }
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, chunk: &[u8]) -> Result<(), Fatal> {
        let mut rest = chunk;
        if !self.partial.is_empty() || self.overlong {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.keep_partial(rest);
                return Ok(());
            };
            self.keep_partial(&rest[..end]);
            self.take_partial()?;
            rest = &rest[end + 1..];
        }
        loop {
            rest = &rest[self.fast_lines(rest)?..];
            let empty = self.empty_lines(rest);
            if empty > 0 {
                rest = &rest[empty..];
                continue;
            }
            let Some(end) = memchr::memchr(b'\n', rest) else { break };
            self.line(&rest[..end], false)?;
            rest = &rest[end + 1..];
        }
        self.keep_partial(rest);
        Ok(())
    }

    /// Takes the next bytes of the file, of which some entries were read before; the same as
    /// [`feed`](Self::feed) of them.
    pub fn feed_batches(&mut self, chunk: &[u8], batches: &Batches) -> Result<(), Fatal> {
        let mut fed = 0;
        if self.reads_batches() {
            for (place, batch) in batches.iter() {
                self.feed(&chunk[fed..place.start])?;
                fed = place.start;
                if self.batch(chunk, place.clone(), batch)? {
                    fed = place.end;
                }
            }
        }
        self.feed(&chunk[fed..])
    }

    /// Ends the file. Its last line counts also without a newline, natively if its key is whole.
    pub fn end_file(&mut self) -> Result<(), Fatal> {
        if !self.partial.is_empty() || self.overlong {
            self.is_cut = self.options.dialect == Dialect::Native;
            let told = self.diagnostics.total;
            let result = self.take_partial();
            self.is_cut = false;
            result?;
            // rbldnsd, too, tells it and takes the line.
            if self.options.dialect == Dialect::Rbldnsd && self.diagnostics.total == told {
                let place = Place { file: self.file(), line: self.line };
                self.diagnostics.push(place, 1, (Mistake::NoNewline, true), None);
            }
        }
        match self.reader.as_ref().and_then(Reader::open_parenthesis) {
            None => Ok(()),
            Some((line, column)) => {
                let cause = FatalCause::OpenParenthesis { column };
                Err(Fatal { line, ..self.fatal(cause) })
            }
        }
    }

    /// The number of entry lines so far; it never falls.
    pub fn entries(&self) -> u64 {
        self.accepted
    }

    /// What was wrong so far.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Decides what every key of the dataset gives.
    pub fn finish(mut self) -> Parsed {
        self.end_section();
        let Self { kind, head, content, mut diagnostics, reader, next_expiry, .. } = self;
        let stated = reader.map_or(Stated::default(), |reader| reader.stated());
        let Head { local, soa, ns, stamp, expires, .. } = head;
        let mut parsed = match content {
            Content::Whole(collector) => collector.finish(local),
            Content::Combined(sections) => Parsed {
                entries: sections.done.iter().map(|part| part.parsed.entries).sum(),
                diagnostics: sections.late,
                parts: sections.done,
                ..Parsed::new(kind, local)
            },
        };
        diagnostics.add_late(std::mem::take(&mut parsed.diagnostics));
        let stamp = stamp.max(stated.timestamp);
        Parsed { soa, ns, stamp, expires, next_expiry, stated, diagnostics, ..parsed }
    }

    /// Ends the section of a combined dataset that is being read, if there is one.
    fn end_section(&mut self) {
        let Content::Combined(sections) = &mut self.content else { return };
        sections.is_open = false;
        let Some(section) = sections.last.take() else { return };
        if section.apexes.is_empty() {
            return;
        }
        let mut part = section.finish();
        sections.late.add_late(std::mem::take(&mut part.parsed.diagnostics));
        sections.done.push(part);
    }

    fn keep_partial(&mut self, bytes: &[u8]) {
        let room = MAX_LINE - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.overlong |= bytes.len() > room;
    }

    fn take_partial(&mut self) -> Result<(), Fatal> {
        let mut line = std::mem::take(&mut self.partial);
        let overlong = std::mem::take(&mut self.overlong);
        let result = self.line(&line, overlong);
        line.clear();
        self.partial = line;
        result
    }

    /// Takes a line without its newline, or the beginning of an overlong one.
    fn line(&mut self, raw: &[u8], overlong: bool) -> Result<(), Fatal> {
        self.line = self.line.saturating_add(1);
        // No line of the commonest kinds begins with a mark, so it is met here.
        let raw =
            if self.line == 1 { raw.strip_prefix(BYTE_ORDER_MARK).unwrap_or(raw) } else { raw };
        let raw = &raw[..raw.len().min(MAX_LINE + 1)];
        let (raw, overlong) = match raw.split_at_checked(MAX_LINE) {
            Some((head, tail)) => (head, overlong || !tail.is_empty()),
            None => (raw, overlong),
        };
        if let Some(mut reader) = self.reader.take() {
            // The last word of a line that is too long may be cut.
            let is_blank = |byte: &u8| byte.is_ascii_whitespace();
            let whole =
                if overlong { raw.iter().rposition(is_blank).unwrap_or(0) } else { raw.len() };
            let result = self.line_of_form(&mut reader, raw[..whole].trim_ascii_end());
            self.reader = Some(reader);
            if overlong {
                self.report(raw, MAX_LINE, Mistake::LongLine, true);
            } else if self.is_cut {
                self.report(raw, raw.len(), Mistake::NoNewline, true);
            }
            return result;
        }
        let is_margin = |&byte: &u8| is_blank(byte);
        let start = raw.iter().position(|byte| !is_margin(byte)).unwrap_or(raw.len());
        let is_end = |byte: &u8| is_margin(byte) || *byte == b'\r';
        let end = raw[start..].iter().rposition(|byte| !is_end(byte)).map_or(0, |last| last + 1);
        let text = &raw[start..start + end];
        let text = &text[..memchr::memchr(0, text).unwrap_or(text.len())];
        let mut scan = Scan::new(text);
        let result = match text {
            [b'$', ..] => {
                scan.skip(1);
                self.special(&mut scan, raw, start).map(|warning| Some((warning?, scan.at())))
            }
            [b'#' | b';' | b':', b'$', ..] => {
                scan.skip(2);
                self.special(&mut scan, raw, start).map(|warning| Some((warning?, scan.at())))
            }
            [] | [b'#' | b';', ..] => Ok(None),
            _ => self.entry_line(&mut scan, start > 0),
        };
        match result {
            // What else is wrong with the line says more: it is told once.
            Ok(None) if overlong => self.report(raw, MAX_LINE, Mistake::LongLine, true),
            Ok(None) if self.is_cut && !text.is_empty() => {
                self.report(raw, raw.len(), Mistake::NoNewline, true);
            }
            Ok(None) => {}
            Ok(Some((reason, at))) => self.report(raw, start + at, reason, true),
            Err(Refused::Line(reason)) => self.report(raw, start + scan.at(), reason, false),
            Err(Refused::Dataset(cause)) => return Err(self.fatal(cause)),
        }
        Ok(())
    }

    /// Takes a special line from behind its `$`; `margin` bytes of it stand before what `scan` reads.
    fn special(
        &mut self,
        scan: &mut Scan<'_>,
        line: &[u8],
        margin: usize,
    ) -> Result<Option<Mistake>, Refused> {
        let Content::Combined(sections) = &mut self.content else {
            return self.head.line(scan, &self.options, None);
        };
        let begins_section = {
            let mut scan = scan.clone();
            scan.word().eq_ignore_ascii_case(b"dataset") && !scan.is_end()
        };
        if !begins_section {
            let local = sections.last.as_mut().map(|section| &mut section.local);
            let result = self.head.line(scan, &self.options, local);
            sections.is_open = sections.last.is_some();
            return result;
        }
        scan.word();
        self.end_section();
        let (section, warnings) = SectionReader::new(scan, &self.options, &self.head.local)?;
        for (at, reason) in warnings {
            self.report(line, margin + at, reason, true);
        }
        if let Content::Combined(sections) = &mut self.content {
            sections.begin(section)?;
        }
        Ok(None)
    }

    /// Takes a line that is neither special nor a comment, in rbldnsd's format. A reason returned is
    /// a warning only, with the byte where it was seen.
    fn entry_line(
        &mut self,
        scan: &mut Scan<'_>,
        is_indented: bool,
    ) -> Result<Option<(Mistake, usize)>, Refused> {
        let is_cut = self.is_cut;
        let (collector, rules, _) = self.collector().ok_or(FatalCause::NoSection)?;
        let (start, text) = (scan.at(), scan.rest());
        let (kind, dialect) = (collector.kind, rules.options.dialect);
        if let Some(taken) = collector.default_line(scan) {
            if is_cut && native::ends_in_a_value(text) {
                return Err(Mistake::CutKey.into());
            }
            let is_ip6 = text.starts_with(b"::") && dialect == Dialect::Native;
            return match taken {
                Err(Refused::Line(_)) if is_ip6 && kind.lists_ip4() && !kind.lists_ip6() => {
                    Err(Mistake::Ip6InIp4.into())
                }
                taken => taken.map(|warning| Some((warning?, scan.at()))),
            };
        }
        if kind == Kind::Generic {
            let mut data = generic::Data::default();
            let (name, record) = generic::read(scan, rules, is_indented, &mut data)?;
            // Other data than a text that was cut is other data.
            if is_cut && record.rtype != Type::TXT {
                return Err(Mistake::CutKey.into());
            }
            let is_star = dialect == Dialect::Native && name.as_wire().starts_with(b"\x01*");
            let key = EntryKey::Name { name: name.as_wire(), scope: Scope::Itself };
            let warning = self.emit(Entry { key, value: EntryValue::Record(record) })?;
            let star = is_star.then_some((Mistake::Star, start));
            return Ok(star.or(warning.map(|reason| (reason, scan.at()))));
        }
        let mut name = NameBuf::ROOT;
        let hash = collector.hash_form();
        let ReadKey { key, is_excluded, mut warning } =
            keys::read(kind, dialect, hash, scan, &mut name)?;
        let end = scan.at();
        let (spelled, rest) = text.split_at(end - start);
        let may_be_cut = match rest.is_empty() {
            // A hash of the length of the others is whole.
            true if kind == Kind::Hashset => hash.digits.is_none(),
            true => !native::is_whole(key, spelled),
            false => !is_excluded && native::ends_in_a_value(rest),
        };
        if is_cut && may_be_cut {
            return Err(Mistake::CutKey.into());
        }
        if warning.is_none()
            && rules.options.is_beside_ip4
            && matches!(key, EntryKey::Name { .. })
            && native::is_address(spelled)
        {
            warning = Some(Mistake::AddressInNames);
        }
        let ends = (dialect == Dialect::Native && !kind.is_access_list())
            .then(|| params::expires(rest))
            .flatten()
            .filter(|&ends| ends < u64::MAX && rules.options.now < u64::MAX);
        if let Some(ends) = ends {
            if ends <= rules.options.now {
                let place = Place { file: self.file(), line: self.line };
                if let (Some(search), Some((kind, section))) =
                    (&mut self.search, self.content.section())
                {
                    search.entry(place, key, is_excluded, Some(ends), kind, section);
                }
                return Ok(None);
            }
            self.next_expiry = Some(self.next_expiry.map_or(ends, |next| next.min(ends)));
        }
        let value = match is_excluded {
            true => EntryValue::Excluded,
            false if scan.is_end() => EntryValue::Default,
            false => EntryValue::Rest(scan),
        };
        let other = self.emit(Entry { key, value })?;
        Ok(warning.map(|reason| (reason, end)).or(other.map(|reason| (reason, scan.at()))))
    }

    /// Takes an entry of the line at hand. A reason returned is a warning only.
    pub(super) fn emit(&mut self, entry: Entry<'_, '_>) -> Result<Option<Mistake>, Refused> {
        let place = Place { file: self.file(), line: self.line };
        let (collector, rules, counts) = self.collector().ok_or(FatalCause::NoSection)?;
        let (key, is_excluded) = (entry.key, matches!(entry.value, EntryValue::Excluded));
        let warning = collector.entry(entry, rules, place)?;
        let says = if is_excluded { Says::Excluded } else { Says::Listed(collector.last_value()) };
        self.accepted += u64::from(counts);
        if let Some(observer) = &mut self.observer {
            observer(place, key, says);
        }
        if let (Some(search), Some((kind, section))) = (&mut self.search, self.content.section()) {
            search.entry(place, key, is_excluded, None, kind, section);
        }
        Ok(warning)
    }

    /// Whether lines of the commonest kinds are read many at a time.
    fn reads_batches(&self) -> bool {
        self.observer.is_none() && self.reader.is_none()
    }

    /// Takes a line of another form than rbldnsd's.
    fn line_of_form(&mut self, reader: &mut Reader, line: &[u8]) -> Result<(), Fatal> {
        let mut fatal = None;
        let read = reader.line(line, &mut |item| {
            if fatal.is_some() {
                return;
            }
            let ends_line = item.at + item.key.len() == line.len();
            match self.item(&item, ends_line) {
                Ok(None) => {}
                Ok(Some(reason)) => self.report(line, item.at, reason, true),
                Err(Refused::Line(reason)) => self.report(line, item.at, reason, false),
                Err(Refused::Dataset(cause)) => fatal = Some(self.fatal(cause)),
            }
        });
        if let Err((at, unread)) = read {
            self.report(line, at, Mistake::Unread(unread), false);
        }
        fatal.map_or(Ok(()), Err)
    }

    /// Takes a key of a line of another form than rbldnsd's.
    fn item(&mut self, item: &Item<'_>, ends_line: bool) -> Result<Option<Mistake>, Refused> {
        let key = Key::read(&item.key).ok_or(Mistake::NoKey)?;
        // A name of one label is a word out of place, unless it stands for all that is below it.
        let is_word = |name: &NameBuf| name.labels().count() == 1 && item.scope == Scope::Itself;
        match &key {
            Key::Name(name) if is_word(name) => return Err(Mistake::NoKey.into()),
            Key::Name(_) => {}
            _ if !self.options.format.has_addresses(self.kind) => return Err(Mistake::NoKey.into()),
            _ => {}
        }
        let value = || match (&item.text, item.excluded) {
            (_, true) => EntryValue::Excluded,
            (Some(text), _) => EntryValue::Text(text),
            (None, _) => EntryValue::Default,
        };
        let key = match &key {
            Key::Prefix4(address, len) => EntryKey::Prefix4 { address: *address, len: *len },
            Key::Prefix6(address, len) => EntryKey::Prefix6 { address: *address, len: *len },
            Key::Name(name) => EntryKey::Name { name: name.as_wire(), scope: item.scope },
            Key::Range4(start, end) => EntryKey::Range4 { start: *start, end: *end },
        };
        if self.is_cut && ends_line && !native::is_whole(key, &item.key) {
            return Err(Mistake::CutKey.into());
        }
        self.emit(Entry { key, value: value() })
    }

    /// Takes the lines of the commonest kinds at the beginning of `chunk`, and returns their end.
    fn fast_lines(&mut self, chunk: &[u8]) -> Result<usize, Fatal> {
        if !self.reads_batches() {
            return Ok(0);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut end = 0;
        while let Some((collector, ..)) = self.collector()
            && let Some(run) = buffer.read(collector.kind, chunk, end)
            && self.batch(chunk, run.place.clone(), buffer.batch(&run))?
        {
            end = run.place.end;
            buffer.clear();
        }
        buffer.clear();
        self.buffer = buffer;
        Ok(end)
    }

    /// Passes over empty lines of rbldnsd's format, many at a time, and returns their number.
    fn empty_lines(&mut self, chunk: &[u8]) -> usize {
        if self.reader.is_some() {
            return 0;
        }
        let count = chunk.iter().take_while(|&&byte| byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        count
    }

    /// Takes a batch of entries, of lines at a place of `chunk`; `false` says that they are of
    /// another type than those at hand.
    fn batch(
        &mut self,
        chunk: &[u8],
        lines: Range<usize>,
        mut batch: Batch<'_>,
    ) -> Result<bool, Fatal> {
        let mut at = lines.start;
        loop {
            let (file, line) = (self.file(), self.line);
            let Some((collector, rules, counts)) = self.collector() else { return Ok(false) };
            let place = Place { file, line: line.saturating_add(1) };
            let taken = collector.batch(batch, chunk, rules, place);
            let Some(taken) = taken.map_err(|cause| Fatal { file, line, cause })? else {
                return Ok(false);
            };
            self.accepted += if counts { taken as u64 } else { 0 };
            if let (Some(search), Some((kind, section))) =
                (&mut self.search, self.content.section())
            {
                search.batch(batch.first(taken), place, kind, section);
            }
            self.line = line.saturating_add(u32::try_from(taken).unwrap_or(u32::MAX));
            if taken == batch.len() {
                return Ok(true);
            }
            // The next entry breaks a rule: its line is read again, to say where.
            let mut ends = memchr::memchr_iter(b'\n', &chunk[at..lines.end]);
            let start =
                at + taken.checked_sub(1).and_then(|n| ends.nth(n)).map_or(0, |end| end + 1);
            at += ends.next().map_or(0, |end| end + 1);
            self.line(&chunk[start..at - 1], false)?;
            batch = batch.after(taken + 1);
        }
    }

    /// What takes entries, if anything does, with its rules, and whether entries count.
    fn collector(&mut self) -> Option<(&mut Collector, Rules<'_>, bool)> {
        let (collector, ttl, counts) = match &mut self.content {
            Content::Whole(collector) => (&mut **collector, self.head.local.ttl, true),
            Content::Combined(sections) => {
                let section = sections.open()?;
                (&mut section.collector, section.local.ttl, !section.apexes.is_empty())
            }
        };
        let rules = Rules { options: &self.options, max_range: self.head.max_range, ttl };
        Some((collector, rules, counts))
    }

    fn report(&mut self, line: &[u8], at: usize, reason: Mistake, is_used: bool) {
        let column = u32::try_from(at + 1).unwrap_or(u32::MAX);
        let place = Place { file: self.file(), line: self.line };
        self.diagnostics.push(place, column, (reason, is_used), Some(line));
    }

    fn fatal(&self, cause: FatalCause) -> Fatal {
        Fatal { file: self.file(), line: self.line, cause }
    }

    fn file(&self) -> u16 {
        u16::try_from(self.files.saturating_sub(1)).unwrap_or(u16::MAX)
    }
}
