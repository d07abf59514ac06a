//! Response policy zones in master file format (RFC 1035 section 5): `name CNAME .` lists a name.

use super::{Item, Refusal, Unread, words};
use crate::listing::names::Scope;
use std::borrow::Cow;

/// The last labels of owners that are about addresses or name servers, not about names.
const OTHER_TRIGGERS: [&[u8]; 4] = [b"rpz-ip", b"rpz-client-ip", b"rpz-nsip", b"rpz-nsdname"];

/// What a line leaves for those after it.
#[derive(Clone, Debug, Default)]
pub(in crate::zonefile) struct Rpz {
    /// The name that relative owners are below, without its final dot.
    origin: Option<Box<[u8]>>,
    /// The owner of the last record.
    owner: Vec<u8>,
    /// How many parentheses are open: a record goes on until they are closed.
    open: usize,
}

impl Rpz {
    /// Takes a line of the zone.
    pub(super) fn line<'l>(
        &mut self,
        line: &'l [u8],
        say: &mut dyn FnMut(Item<'l>),
    ) -> Result<(), Refusal> {
        let end = memchr::memchr(b';', line).unwrap_or(line.len());
        let line = &line[..end];
        let goes_on = self.open > 0;
        let opened = memchr::memchr_iter(b'(', line).count();
        let closed = memchr::memchr_iter(b')', line).count();
        self.open = (self.open + opened).saturating_sub(closed);
        if goes_on {
            return Ok(());
        }
        let mut words = words(line).peekable();
        let Some(&(start, first)) = words.peek() else { return Ok(()) };
        if first[0] == b'$' {
            if first.eq_ignore_ascii_case(b"$origin") {
                self.origin = words.nth(1).map(|(_, origin)| without_dot(origin).into());
            }
            return Ok(());
        }
        let inherits = start > 0;
        if !inherits {
            words.next();
            self.owner.clear();
            self.owner.extend_from_slice(first);
        }
        let mut record = words.skip_while(|(_, word)| is_ttl_or_class(word));
        let Some((at, rtype)) = record.next() else { return Err((start, Unread::NoPolicy)) };
        if rtype.eq_ignore_ascii_case(b"soa") {
            self.zone_begins();
            return Ok(());
        }
        if self.owner == b"@" || rtype.eq_ignore_ascii_case(b"ns") {
            return Ok(());
        }
        let target = record.next().map_or(&b""[..], |(_, target)| target);
        if !rtype.eq_ignore_ascii_case(b"cname") {
            return Err((at, Unread::NoPolicy));
        }
        let excluded = match target {
            b"." | b"*." => false,
            _ if target.eq_ignore_ascii_case(b"rpz-drop.") => false,
            _ if target.eq_ignore_ascii_case(b"rpz-passthru.") => true,
            _ => return Err((at, Unread::NoPolicy)),
        };
        let owner = match inherits {
            true => Cow::Owned(self.owner.clone()),
            false => Cow::Borrowed(first),
        };
        let name = self.relative(owner).ok_or((start, Unread::OutOfZone))?;
        if name.is_empty() {
            return Ok(());
        }
        let last = name.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
        if OTHER_TRIGGERS.iter().any(|trigger| last.eq_ignore_ascii_case(trigger)) {
            return Err((start, Unread::NoPolicy));
        }
        let item = match name.strip_prefix(b"*.") {
            Some(_) => {
                let key = cut(name, 2..);
                Item { key, ..Item::new(b"", start + 2) }.scope(Scope::Below)
            }
            None => Item { key: name, ..Item::new(b"", start) },
        };
        say(item.excluded(excluded));
        Ok(())
    }

    /// The owner of the SOA is the apex: it is the origin where none was given.
    fn zone_begins(&mut self) {
        if self.origin.is_none() && self.owner.ends_with(b".") {
            self.origin = Some(without_dot(&self.owner).into());
        }
    }

    /// The owner below the origin; empty for the apex, `None` for a name elsewhere.
    fn relative<'l>(&self, owner: Cow<'l, [u8]>) -> Option<Cow<'l, [u8]>> {
        if !owner.ends_with(b".") {
            return Some(owner);
        }
        let end = owner.len() - 1;
        let Some(origin) = self.origin.as_deref().filter(|origin| !origin.is_empty()) else {
            return Some(cut(owner, ..end));
        };
        let before = end.checked_sub(origin.len())?;
        if !owner[before..end].eq_ignore_ascii_case(origin) {
            return None;
        }
        match before {
            0 => Some(Cow::Borrowed(b"")),
            _ if owner[before - 1] == b'.' => Some(cut(owner, ..before - 1)),
            _ => None,
        }
    }
}

/// Part of a name, borrowed where the name is.
fn cut<R: std::slice::SliceIndex<[u8], Output = [u8]>>(
    name: Cow<'_, [u8]>,
    range: R,
) -> Cow<'_, [u8]> {
    match name {
        Cow::Borrowed(name) => Cow::Borrowed(&name[range]),
        Cow::Owned(name) => Cow::Owned(name[range].to_vec()),
    }
}

fn without_dot(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}

fn is_ttl_or_class(word: &[u8]) -> bool {
    word[0].is_ascii_digit() || word.eq_ignore_ascii_case(b"in")
}
