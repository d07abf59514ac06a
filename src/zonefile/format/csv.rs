//! Comma-separated values (RFC 4180), also with semicolons or tabs: one column has the keys.

use super::{Item, Refusal, Unread, is_remark, scoped};
use std::borrow::Cow;

/// The reader of a CSV file.
#[derive(Clone, Debug)]
pub(in crate::zonefile) struct Csv {
    /// The column by its name in the header; `None` is the first column.
    column: Option<Box<[u8]>>,
    place: Place,
    separator: u8,
    /// A line of fields was read, behind which no header can come.
    has_rows: bool,
    /// How many more lines a quote that is open may go on.
    open: usize,
}

/// The most lines that a quoted field may go on over.
const MOST_LINES: usize = 16;

/// What is known of the file so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// No line of fields was read.
    Start,
    /// The number of the column.
    Column(usize),
    /// The header has no such column.
    Missing,
}

impl Csv {
    pub(super) fn new(column: Option<&str>) -> Self {
        let column = column.map(|name| name.as_bytes().into());
        Self { column, place: Place::Start, separator: b',', has_rows: false, open: 0 }
    }

    pub(super) fn start_file(&mut self) {
        (self.place, self.has_rows, self.open) = (Place::Start, false, 0);
    }

    /// Takes a line of fields; the first may be the header.
    pub(super) fn line<'l>(
        &mut self,
        line: &'l [u8],
        say: &mut dyn FnMut(Item<'l>),
    ) -> Result<(), Refusal> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.open > 0 {
            // The rest of a field that goes on over lines: its row was told.
            let closes = memchr::memchr_iter(b'"', line).count() % 2 == 1;
            self.open = if closes { 0 } else { self.open - 1 };
            return Ok(());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        if is_remark(line) {
            self.remark(line);
            return Ok(());
        }
        if self.place == Place::Start {
            self.separator = separator_of(line);
            if let Some(place) = self.header(line) {
                self.place = place;
                return match place {
                    Place::Missing => Err((0, Unread::NoColumn)),
                    _ => Ok(()),
                };
            }
            self.place = Place::Column(0);
        }
        self.has_rows = true;
        if fields(line, self.separator).any(|field| field.is_err()) {
            self.open = MOST_LINES;
            return Err((0, Unread::OpenQuote));
        }
        let Place::Column(column) = self.place else { return Ok(()) };
        let (at, field) = match fields(line, self.separator).nth(column) {
            Some(field) => field?,
            None => return Err((line.len(), Unread::NoKey)),
        };
        let item = match field {
            Cow::Borrowed(field) => {
                let key = field.trim_ascii();
                let margin = field.len() - field.trim_ascii_start().len();
                scoped(key, at + margin)
            }
            Cow::Owned(field) => Item { key: field.into(), ..Item::new(b"", at) },
        };
        if item.key.is_empty() {
            return Err((at, Unread::NoKey));
        }
        say(item);
        Ok(())
    }

    /// The header of some feeds is the last of the remarks before the data.
    fn remark(&mut self, line: &[u8]) {
        if self.column.is_some() && !self.has_rows {
            let line = line[1..].trim_ascii_start();
            self.separator = separator_of(line);
            if let Some(place @ Place::Column(_)) = self.header(line) {
                self.place = place;
            }
        }
    }

    /// The column that the header names; `None` if the line is no header.
    fn header(&self, line: &[u8]) -> Option<Place> {
        let mut names = fields(line, self.separator).map(|field| field.map(|(_, name)| name));
        if let Some(wanted) = &self.column {
            let is_wanted = |name: Result<Cow<'_, [u8]>, Refusal>| {
                name.is_ok_and(|name| name.trim_ascii().eq_ignore_ascii_case(wanted))
            };
            return Some(names.position(is_wanted).map_or(Place::Missing, Place::Column));
        }
        // An address or a name that is worth listing has a dot or a colon, a title of a column has none. A
        // line of one word is no header: it may be all that a failed download left.
        let first = names.next()?.ok()?;
        let _second = names.next()?;
        let is_key = first.iter().any(|byte| matches!(byte, b'.' | b':'));
        (!is_key).then_some(Place::Column(0))
    }
}

/// The separator behind the first field of a line.
fn separator_of(line: &[u8]) -> u8 {
    let mut is_quoted = false;
    let is_separator = |&&byte: &&u8| {
        is_quoted ^= byte == b'"';
        !is_quoted && matches!(byte, b',' | b';' | b'\t')
    };
    line.iter().find(is_separator).copied().unwrap_or(b',')
}

/// The fields of a line, each with where its content starts.
fn fields(
    line: &[u8],
    separator: u8,
) -> impl Iterator<Item = Result<(usize, Cow<'_, [u8]>), Refusal>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let mut start = next?;
        // Blanks may stand before an opening quote.
        let margin = line[start..].iter().take_while(|&&byte| byte == b' ').count();
        if line.get(start + margin) == Some(&b'"') {
            start += margin;
        }
        if line.get(start) != Some(&b'"') {
            let end = memchr::memchr(separator, &line[start..]).map(|len| start + len);
            next = end.map(|end| end + 1);
            return Some(Ok((start, Cow::Borrowed(&line[start..end.unwrap_or(line.len())]))));
        }
        let Some(end) = closing_quote(line, start + 1) else {
            next = None;
            return Some(Err((start, Unread::OpenQuote)));
        };
        next = memchr::memchr(separator, &line[end..]).map(|len| end + len + 1);
        let content = &line[start + 1..end];
        let field = match memchr::memchr(b'"', content) {
            None => Cow::Borrowed(content),
            Some(_) => Cow::Owned(undouble(content)),
        };
        Some(Ok((start + 1, field)))
    })
}

/// Where the field that began before `from` ends: a doubled quote is part of it.
fn closing_quote(line: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let quote = from + memchr::memchr(b'"', line.get(from..)?)?;
        if line.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        from = quote + 2;
    }
}

/// The content of a quoted field, its doubled quotes as one.
fn undouble(content: &[u8]) -> Vec<u8> {
    let mut field = Vec::with_capacity(content.len());
    let mut bytes = content.iter();
    while let Some(&byte) = bytes.next() {
        field.push(byte);
        if byte == b'"' {
            bytes.next();
        }
    }
    field
}
