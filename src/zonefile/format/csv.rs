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
}

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
        Self { column, place: Place::Start, separator: b',' }
    }

    pub(super) fn start_file(&mut self) {
        self.place = Place::Start;
    }

    /// Takes a line of fields; the first may be the header.
    pub(super) fn line<'l>(
        &mut self,
        line: &'l [u8],
        say: &mut dyn FnMut(Item<'l>),
    ) -> Result<(), Refusal> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
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
        if self.column.is_some() && matches!(self.place, Place::Start | Place::Missing) {
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
        // An address or a name that is worth listing has a dot or a colon, a title of a column has none.
        let first = names.next()?.ok()?;
        let is_key = first.iter().any(|byte| matches!(byte, b'.' | b':'));
        (!is_key).then_some(Place::Column(0))
    }
}

/// The separator that stands most often in a line.
fn separator_of(line: &[u8]) -> u8 {
    let count = |separator: u8| memchr::memchr_iter(separator, line).count();
    [b'\t', b';', b','].into_iter().max_by_key(|&separator| count(separator)).unwrap_or(b',')
}

/// The fields of a line, each with where its content starts.
fn fields(
    line: &[u8],
    separator: u8,
) -> impl Iterator<Item = Result<(usize, Cow<'_, [u8]>), Refusal>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
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
