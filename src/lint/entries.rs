//! The entries of a file, with their lines.

use super::ListForm;
use super::cover::{Cover, EXCLUDED, Interval};
use super::quote::Lines;
use crate::listing::names::Scope;
use crate::trie::names::encode_key;
use crate::wire::name::NameBuf;
use crate::zone::diff::Key;
use crate::zonefile::{
    Dialect, EntryKey, Fatal, Kind, MAX_OF_KIND, Options, Parsed, Parser, Place, Says,
};

/// The prefix of the IPv6 addresses that stand for IPv4 ones (RFC 4291 section 2.5.5.2).
const MAPPED: u128 = 0xffff << 32;

/// What comes of reading a file.
pub(super) struct Entries {
    pub(super) ip4: Cover<u32>,
    pub(super) ip6: Cover<u128>,
    pub(super) names: Names,
    pub(super) parsed: Result<Parsed, Fatal>,
}

/// The entries for names: each name has a place, and right behind it one for all other names below it.
pub(super) struct Names {
    pub(super) cover: Cover<u64>,
    /// The names by their places, in wire form.
    sorted: Vec<Box<[u8]>>,
}

impl Names {
    /// The key of an entry as it is written.
    pub(super) fn shown(&self, entry: &Interval<u64>) -> String {
        let wire = self.sorted.get((entry.start / 2) as usize);
        let name = wire.and_then(|wire| NameBuf::from_wire(wire)).unwrap_or(NameBuf::ROOT);
        match (entry.start.is_multiple_of(2), entry.end > entry.start) {
            (true, false) => name.to_string(),
            (true, true) => format!(".{name}"),
            (false, _) => format!("*.{name}"),
        }
    }

    /// The place of a name, if an entry is about it.
    pub(super) fn place(&self, name: &NameBuf) -> Option<u64> {
        let at = self.sorted.iter().position(|known| **known == *name.as_wire());
        at.map(|at| 2 * at as u64)
    }
}

/// An entry for a name, while the file is read.
struct Named {
    key: Box<[u8]>,
    wire: Box<[u8]>,
    scope: Scope,
    value: u32,
    line: u32,
}

#[derive(Default)]
struct Seen {
    ip4: Vec<Interval<u32>>,
    ip6: Vec<Interval<u128>>,
    names: Vec<Named>,
}

impl Seen {
    fn add(&mut self, kind: Kind, key: EntryKey<'_>, value: u32, line: u32) {
        match key {
            EntryKey::Prefix4 { address, len } => {
                let end = last(address.into(), len, 32) as u32;
                self.ip4.push(Interval { start: address, end, value, line });
            }
            EntryKey::Range4 { start, end } => {
                self.ip4.push(Interval { start, end, value, line });
            }
            EntryKey::Prefix6 { address, len } => {
                let end = last(address, len, 128);
                let is_ip4 = address >> 32 == MAPPED >> 32 && len >= 96;
                if is_ip4 && matches!(kind, Kind::Ip4Trie | Kind::Mixed) {
                    let (start, end) = (address as u32, end as u32);
                    self.ip4.push(Interval { start, end, value, line });
                } else {
                    self.ip6.push(Interval { start: address, end, value, line });
                }
            }
            EntryKey::Name { name, scope } => {
                let mut key = Vec::with_capacity(name.len());
                encode_key(name, &mut key);
                let (key, wire) = (key.into(), name.into());
                self.names.push(Named { key, wire, scope, value, line });
            }
            EntryKey::AccessKey(_) => {}
        }
    }
}

/// The last address of a prefix, of addresses with so many bits.
fn last(address: u128, len: u8, bits: u8) -> u128 {
    let hosts = bits.saturating_sub(len);
    address | 1u128.checked_shl(hosts.into()).map_or(u128::MAX, |size| size - 1)
}

/// Reads a file; up to `kept` lines of each sort are told that are wrong.
pub(super) fn read(text: &[u8], lines: &Lines<'_>, form: &ListForm, kept: usize) -> Entries {
    let mut seen = Seen::default();
    // Access lists and records have rules of their own, and the sections of a combined file each its values.
    let is_list =
        !form.kind.is_access_list() && !matches!(form.kind, Kind::Generic | Kind::Combined);
    let kind = form.kind;
    // What expires says something else than what stays.
    let may_expire = memchr::memmem::find(text, b"expires=").is_some();
    let expires = |line| may_expire && memchr::memmem::find(lines.get(line), b"expires=").is_some();
    let observe = |place: Place, key: EntryKey<'_>, says: Says| {
        let value = match says {
            _ if expires(place.line) => EXCLUDED - place.line,
            Says::Excluded => EXCLUDED,
            Says::Listed(value) => value.0,
        };
        if is_list {
            seen.add(kind, key, value, place.line);
        }
    };
    let mut parser = Parser::observed(kind, options(form), Box::new(observe));
    parser.keep_more_diagnostics(kept.saturating_sub(MAX_OF_KIND));
    parser.start_file();
    let fed = parser.feed(text).and_then(|()| parser.end_file());
    let parsed = fed.map(|()| parser.finish());
    let Seen { ip4, ip6, names } = seen;
    Entries { ip4: Cover::new(ip4), ip6: Cover::new(ip6), names: placed(names), parsed }
}

/// As dnsbld reads a list for a zone that has lists of addresses, too.
pub(super) fn options(form: &ListForm) -> Options {
    Options {
        dialect: Dialect::Native,
        is_beside_ip4: form.kind == Kind::Dnset,
        format: form.format,
        column: form.column.clone(),
        ..Options::default()
    }
}

/// Gives names their places.
fn placed(mut named: Vec<Named>) -> Names {
    named.sort_unstable_by(|a, b| (&a.key, a.line).cmp(&(&b.key, b.line)));
    let groups: Vec<&[Named]> = named.chunk_by(|a, b| a.key == b.key).collect();
    // The last place below each name.
    let mut ends: Vec<u64> = (0..groups.len() as u64).collect();
    let mut above: Vec<usize> = Vec::new();
    for at in 0..=groups.len() {
        let key = groups.get(at).map(|group| &group[0].key);
        while let Some(&parent) = above.last()
            && !key.is_some_and(|key| key.starts_with(&groups[parent][0].key))
        {
            ends[parent] = at as u64 - 1;
            above.pop();
        }
        above.push(at);
    }
    let mut entries = Vec::with_capacity(named.len());
    for (at, (group, end)) in groups.iter().zip(ends).enumerate() {
        let (itself, below, last) = (2 * at as u64, 2 * at as u64 + 1, 2 * end + 1);
        for &Named { scope, value, line, .. } in *group {
            let (start, end) = match scope {
                Scope::Itself => (itself, itself),
                Scope::Below => (below, last),
                Scope::Both => (itself, last),
            };
            entries.push(Interval { start, end, value, line });
        }
    }
    let sorted = groups.iter().map(|group| group[0].wire.clone()).collect();
    Names { cover: Cover::new(entries), sorted }
}

/// Addresses as they are written.
pub(super) trait Shown: crate::range::Int {
    fn shown(start: Self, end: Self) -> String;
}

impl Shown for u32 {
    fn shown(start: Self, end: Self) -> String {
        Key::Ip4(start, end).to_string()
    }
}

impl Shown for u128 {
    fn shown(start: Self, end: Self) -> String {
        Key::Ip6(start, end).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lie_right_behind_what_they_are_below() {
        let text = b"b.example\n.example\n*.a.b.example\nc.b.example\nxb.example\n!d.example\n";
        let form = ListForm::of(Kind::Dnset);
        let Entries { names, .. } = read(text, &Lines::new(text), &form, 0);
        let told: Vec<_> =
            names.cover.entries().iter().map(|it| (names.shown(it), it.line, it.end)).collect();
        let want = [
            (".example", 2, 11),
            ("b.example", 1, 2),
            ("*.a.b.example", 3, 5),
            ("c.b.example", 4, 6),
            ("d.example", 6, 8),
            ("xb.example", 5, 10),
        ];
        assert_eq!(told, want.map(|(name, line, end)| (name.to_owned(), line, end)));
        assert_eq!(names.place(&"b.example".parse().unwrap()), Some(2));
        assert_eq!(names.place(&"y.example".parse().unwrap()), None);
    }
}
