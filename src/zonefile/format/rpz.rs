//! Response policy zones in master file format (RFC 1035 section 5): `name CNAME .` lists a name.

use super::{Item, Refusal, Unread, words};
use crate::listing::names::Scope;
use std::borrow::Cow;

/// The last labels of owners that are about addresses or name servers, not about names.
const OTHER_TRIGGERS: [&[u8]; 4] = [b"rpz-ip", b"rpz-client-ip", b"rpz-nsip", b"rpz-nsdname"];

/// What a line leaves for those after it. Names are without their final dot.
#[derive(Clone, Debug, Default)]
pub(in crate::zonefile) struct Rpz {
    /// The name that relative owners are below.
    origin: Option<Vec<u8>>,
    apex: Apex,
    /// The owner of the last record, as it stands.
    owner: Vec<u8>,
    /// How many parentheses are open: a record goes on until they are closed.
    open: usize,
    /// The line and the column, both from 1, of the outermost of them.
    opened: (u32, u32),
    /// The number of the line at hand.
    number: u32,
}

/// The name of the zone, below which the policies stand.
#[derive(Clone, Debug, Default)]
enum Apex {
    /// No SOA was read.
    #[default]
    Unknown,
    /// The SOA belongs to `@`, and no origin was given: relative owners are below it.
    Nameless,
    Known(Vec<u8>),
}

impl Rpz {
    /// Takes a line of the zone.
    pub(super) fn line<'l>(
        &mut self,
        line: &'l [u8],
        say: &mut dyn FnMut(Item<'l>),
    ) -> Result<(), Refusal> {
        self.number = self.number.saturating_add(1);
        let goes_on = self.open > 0;
        let line = self.without_remark(line);
        if goes_on {
            return Ok(());
        }
        let mut words = words(line).peekable();
        let Some(&(start, first)) = words.peek() else { return Ok(()) };
        if first[0] == b'$' {
            if first.eq_ignore_ascii_case(b"$origin")
                && let Some((_, origin)) = words.nth(1)
            {
                self.origin = Some(self.full(origin));
            } else if !first.eq_ignore_ascii_case(b"$ttl") {
                return Err((start, Unread::OtherDirective));
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
        if rtype.eq_ignore_ascii_case(b"ns") {
            return Ok(());
        }
        let owner = match inherits {
            true => Cow::Owned(self.owner.clone()),
            false => Cow::Borrowed(first),
        };
        let owner =
            if &*owner == b"@" { Cow::Owned([&self.full(b"@")[..], b"."].concat()) } else { owner };
        let name = self.relative(owner).ok_or((start, Unread::OutOfZone))?;
        // What belongs to the zone itself is no policy.
        if name.is_empty() || &*name == b"@" {
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
            // The older way to write it: the name itself.
            [target @ .., b'.'] if target.eq_ignore_ascii_case(&name) => true,
            _ => return Err((at, Unread::NoPolicy)),
        };
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

    /// Where a parenthesis stands that is not closed.
    pub(super) fn open_parenthesis(&self) -> Option<(u32, u32)> {
        (self.open > 0).then_some(self.opened)
    }

    /// The line without its remark; counts parentheses. What is quoted has neither.
    fn without_remark<'l>(&mut self, line: &'l [u8]) -> &'l [u8] {
        let mut is_quoted = false;
        for (at, byte) in line.iter().enumerate() {
            match byte {
                b'"' => is_quoted = !is_quoted,
                _ if is_quoted => {}
                b'(' => {
                    if self.open == 0 {
                        self.opened = (self.number, u32::try_from(at + 1).unwrap_or(u32::MAX));
                    }
                    self.open += 1;
                }
                b')' => self.open = self.open.saturating_sub(1),
                b';' => return &line[..at],
                _ => {}
            }
        }
        line
    }

    /// The owner of the SOA is the apex.
    fn zone_begins(&mut self) {
        self.apex = match (&self.owner[..], &self.origin) {
            (b"@", None) => Apex::Nameless,
            _ => Apex::Known(self.full(&self.owner)),
        };
    }

    /// A name with the origin behind it, if it is relative.
    fn full(&self, name: &[u8]) -> Vec<u8> {
        match (name.strip_suffix(b"."), &self.origin) {
            (Some(name), _) => name.to_vec(),
            (None, Some(origin)) if name == b"@" => origin.clone(),
            (None, Some(origin)) if !origin.is_empty() => [name, origin].join(&b'.'),
            (None, _) => name.to_vec(),
        }
    }

    /// The owner below the apex; empty for the apex, `None` for a name elsewhere.
    fn relative<'l>(&self, owner: Cow<'l, [u8]>) -> Option<Cow<'l, [u8]>> {
        let apex = match (&self.apex, &self.origin) {
            (Apex::Known(apex), _) => apex,
            (Apex::Nameless, _) if owner.ends_with(b".") => return None,
            (Apex::Nameless, _) => return Some(owner),
            // A file without a SOA: its only origin is the zone.
            (Apex::Unknown, Some(origin)) => origin,
            (Apex::Unknown, None) => {
                let end = without_dot(&owner).len();
                return Some(cut(owner, ..end));
            }
        };
        if !owner.ends_with(b".") && self.origin.as_ref().is_none_or(|origin| origin == apex) {
            return Some(owner);
        }
        let full = self.full(&owner);
        let before = full.len().checked_sub(apex.len())?;
        if !full[before..].eq_ignore_ascii_case(apex) {
            return None;
        }
        match before {
            0 => Some(Cow::Borrowed(b"")),
            _ if apex.is_empty() => Some(Cow::Owned(full)),
            _ if full[before - 1] == b'.' => Some(Cow::Owned(full[..before - 1].to_vec())),
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

pub(super) fn is_ttl_or_class(word: &[u8]) -> bool {
    word[0].is_ascii_digit() || word.eq_ignore_ascii_case(b"in")
}
