//! Ordinary records by name: the content of a `generic` dataset.

use crate::wire::Type;
use crate::wire::name::{Labels, MAX_NAME, NameBuf};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Records by name and type, each RRset with one TTL (RFC 2181 section 5.2).
///
/// Names are relative to the zone, in lower case, in wire form with the final zero; the zone
/// itself is the root name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordSet {
    /// Keyed by the labels of the name from right to left, so that what is below a name follows
    /// it; the value are the records, sorted by type.
    names: BTreeMap<Box<[u8]>, Vec<Record>>,
}

/// One record of a [`RecordSet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The type.
    pub rtype: Type,
    /// The TTL, in seconds.
    pub ttl: u32,
    /// The data in wire form, names in it uncompressed.
    pub data: Box<[u8]>,
}

/// What a name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// Records, sorted by type.
    Records(&'a [Record]),
    /// None itself, but some name below it has.
    EmptyNonTerminal,
    /// Nothing here or below.
    Nothing,
}

impl RecordSet {
    /// Adds a record; a second one with the same name, type and data is dropped, and all records
    /// of a name and type get the least of their TTLs.
    pub fn add(&mut self, name: &[u8], record: Record) {
        let mut key = [0; MAX_NAME];
        let len = reverse(name, &mut key);
        let records = self.names.entry(Box::from(&key[..len])).or_default();
        let Record { rtype, mut ttl, data } = record;
        for other in records.iter_mut().filter(|other| other.rtype == rtype) {
            ttl = ttl.min(other.ttl);
        }
        for other in records.iter_mut().filter(|other| other.rtype == rtype) {
            other.ttl = ttl;
        }
        if records.iter().any(|other| other.rtype == rtype && other.data == data) {
            return;
        }
        let at = records.partition_point(|other| other.rtype <= rtype);
        records.insert(at, Record { rtype, ttl, data });
    }

    /// What `name` has.
    pub fn lookup(&self, name: &[u8]) -> Found<'_> {
        let mut key = [0; MAX_NAME];
        let len = reverse(name, &mut key);
        let key = &key[..len];
        let from_here = (Bound::Included(key), Bound::Unbounded);
        match self.names.range::<[u8], _>(from_here).next() {
            Some((found, records)) if **found == *key => Found::Records(records),
            Some((found, _)) if found.starts_with(key) => Found::EmptyNonTerminal,
            _ => Found::Nothing,
        }
    }

    /// The names that have records, in no order that matters, with these sorted by type.
    pub fn iter(&self) -> impl Iterator<Item = (NameBuf, &[Record])> {
        self.names.iter().filter_map(|(key, records)| Some((name_of(key)?, &records[..])))
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.names.values().map(Vec::len).sum()
    }

    /// True if there is no record.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Writes the labels of a name from right to left, each with its length byte, and gives their
/// length in all.
fn reverse(name: &[u8], key: &mut [u8; MAX_NAME]) -> usize {
    let size: usize = Labels::of(name).map(|label| label.len() + 1).sum();
    let mut end = size.min(MAX_NAME);
    for label in Labels::of(name) {
        let Some(start) = end.checked_sub(label.len() + 1) else { break };
        key[start] = label.len() as u8;
        key[start + 1..end].copy_from_slice(label);
        end = start;
    }
    size.min(MAX_NAME)
}

/// The name a key was made of.
fn name_of(key: &[u8]) -> Option<NameBuf> {
    let mut labels = Vec::new();
    let mut rest = key;
    while let Some(&len) = rest.first() {
        let (label, next) = rest.split_at_checked(usize::from(len) + 1)?;
        labels.push(label);
        rest = next;
    }
    labels.reverse();
    let mut wire = labels.concat();
    wire.push(0);
    NameBuf::from_wire(&wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(ttl: u32, last: u8) -> Record {
        Record { rtype: Type::A, ttl, data: Box::new([127, 0, 0, last]) }
    }

    #[test]
    fn records_are_found_by_name_and_sorted_by_type() {
        let mut set = RecordSet::default();
        set.add(b"\x03www\0", Record { rtype: Type::TXT, ttl: 5, data: Box::new(*b"\x01t") });
        set.add(b"\x03www\0", a(30, 1));
        set.add(b"\x03www\0", a(20, 2));
        set.add(b"\x03www\0", a(40, 2));
        let Found::Records(records) = set.lookup(b"\x03www\0") else { panic!() };
        assert_eq!(records[..2], [a(20, 1), a(20, 2)]);
        assert_eq!(records[2].rtype, Type::TXT);
        assert_eq!(set.len(), 3);
    }

    #[test]
    fn names_above_a_record_are_empty_non_terminals() {
        let mut set = RecordSet::default();
        assert_eq!(set.lookup(b"\0"), Found::Nothing);
        set.add(b"\x01a\x02bc\x01d\0", a(1, 1));
        assert_eq!(set.lookup(b"\x02bc\x01d\0"), Found::EmptyNonTerminal);
        assert_eq!(set.lookup(b"\x01d\0"), Found::EmptyNonTerminal);
        assert_eq!(set.lookup(b"\0"), Found::EmptyNonTerminal);
        assert_eq!(set.lookup(b"\x01c\x01d\0"), Found::Nothing);
        assert_eq!(set.lookup(b"\x01x\x01a\x02bc\x01d\0"), Found::Nothing);
    }
}
