//! Ordinary records by name: the content of a `generic` dataset.

use super::Overfull;
use crate::wire::Type;
use crate::wire::name::{MAX_NAME, NameBuf, reverse_labels};
use foldhash::fast::RandomState;
use hashbrown::{HashSet, HashTable};
use std::hash::BuildHasher;

/// The highest number of records of one name and type, as for lists: no answer has room for more.
pub const MAX_RECORDS: usize = 255;

/// Records by name and type, each RRset with one TTL (RFC 2181 section 5.2).
///
/// Names are relative to the zone, in lower case, in wire form with the final zero; the zone
/// itself is the root name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordSet {
    /// Sorted by key. The key and the records of a name start where those of the name before end.
    names: Vec<Name>,
    /// The labels of the names from right to left, so that the names below a name follow it.
    keys: Vec<u8>,
    /// The records; those of one name are sorted by type.
    records: Vec<StoredRecord>,
    data: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    keys_end: u32,
    records_end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StoredRecord {
    ttl: u32,
    rtype: Type,
    data: Data,
}

/// The place of the data of a record; equal data has one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Data {
    start: u32,
    len: u16,
}

/// One record of a [`RecordSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The type.
    pub rtype: Type,
    /// The TTL, in seconds.
    pub ttl: u32,
    /// The data in wire form, names in it uncompressed.
    pub data: &'a [u8],
}

/// The number of a name that has records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameId(u32);

/// The result of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRecords {
    /// The name has records, see [`RecordSet::records`].
    Records(NameId),
    /// The name has no records, but a name below it has.
    EmptyNonTerminal,
    /// Neither the name nor any name below it has records.
    Nothing,
}

impl RecordSet {
    /// Looks `name` up.
    pub fn lookup(&self, name: &[u8]) -> NameRecords {
        let mut key = [0; MAX_NAME];
        let key = reverse_labels(name, &mut key);
        let (mut low, mut high) = (0, self.names.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(middle) < key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        match self.key(low) {
            _ if low == self.names.len() => NameRecords::Nothing,
            found if found == key => NameRecords::Records(NameId(low as u32)),
            found if found.starts_with(key) => NameRecords::EmptyNonTerminal,
            _ => NameRecords::Nothing,
        }
    }

    /// The names that have records, each with its number for [`RecordSet::records`].
    pub fn iter(&self) -> impl Iterator<Item = (NameBuf, NameId)> + '_ {
        let name = |number: usize| Some((name_of(self.key(number))?, NameId(number as u32)));
        (0..self.names.len()).filter_map(name)
    }

    /// The records of a name, sorted by type, those of one type in the order of the files.
    pub fn records(&self, name: NameId) -> impl Iterator<Item = Record<'_>> + Clone {
        self.stored(name).iter().map(|&record| self.record(record))
    }

    /// The records of a name that have this type, in the order of the files.
    pub fn rrset(&self, name: NameId, rtype: Type) -> impl ExactSizeIterator<Item = Record<'_>> {
        let records = self.stored(name);
        let start = records.partition_point(|record| record.rtype < rtype);
        let end = records.partition_point(|record| record.rtype <= rtype);
        records[start..end].iter().map(|&record| self.record(record))
    }

    /// The first type of the records of a name that comes after another one.
    pub fn next_type(&self, name: NameId, other: Type) -> Option<Type> {
        let records = self.stored(name);
        let next = records.partition_point(|record| record.rtype <= other);
        records.get(next).map(|record| record.rtype)
    }

    /// Gives all records this TTL, in seconds.
    pub fn set_ttl(&mut self, ttl: u32) {
        self.records.iter_mut().for_each(|record| record.ttl = ttl);
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True if there is no record.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The size in memory, in bytes.
    pub fn memory(&self) -> usize {
        self.names.capacity() * size_of::<Name>()
            + self.keys.capacity()
            + self.records.capacity() * size_of::<StoredRecord>()
            + self.data.capacity()
    }

    fn stored(&self, NameId(name): NameId) -> &[StoredRecord] {
        let name = name as usize;
        let start = name.checked_sub(1).map_or(0, |before| self.names[before].records_end);
        let end = self.names.get(name).map_or(start, |name| name.records_end);
        self.records.get(start as usize..end as usize).unwrap_or(&[])
    }

    fn record(&self, StoredRecord { ttl, rtype, data }: StoredRecord) -> Record<'_> {
        Record { rtype, ttl, data: self.data.get(data.range()).unwrap_or(&[]) }
    }

    fn key(&self, name: usize) -> &[u8] {
        let start = name.checked_sub(1).map_or(0, |before| self.names[before].keys_end);
        let end = self.names.get(name).map_or(start, |name| name.keys_end);
        self.keys.get(start as usize..end as usize).unwrap_or(&[])
    }
}

impl Data {
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + usize::from(self.len)
    }
}

/// A dataset has more records than a [`RecordSet`] can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than 4 GiB of names or of data")]
pub struct TooManyRecords;

/// Collects the records of a dataset in the order of its files.
///
/// ```
/// use dnsbld::listing::records::{NameRecords, RecordsBuilder};
/// use dnsbld::wire::Type;
///
/// let mut builder = RecordsBuilder::default();
/// builder.add(b"\x03www\0", Type::A, 300, &[192, 0, 2, 1]).unwrap();
/// builder.add(b"\x03www\0", Type::A, 200, &[192, 0, 2, 2]).unwrap();
/// let set = builder.finish();
/// let NameRecords::Records(www) = set.lookup(b"\x03www\0") else { panic!() };
/// assert!(set.records(www).all(|record| record.ttl == 200));
/// ```
#[derive(Debug, Default)]
pub struct RecordsBuilder {
    keys: Vec<u8>,
    entries: Vec<Added>,
    data: Vec<u8>,
    index: HashTable<Data>,
    /// A random seed, so that nobody can make data whose hashes are all equal.
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Added {
    key: Data,
    entry: StoredRecord,
}

impl RecordsBuilder {
    /// Adds a record: the name relative to the zone, in wire form and lower case, the TTL in
    /// seconds, and the data in wire form.
    pub fn add(
        &mut self,
        name: &[u8],
        rtype: Type,
        ttl: u32,
        data: &[u8],
    ) -> Result<(), TooManyRecords> {
        let mut key = [0; MAX_NAME];
        let key = reverse_labels(name, &mut key);
        let key = match self.entries.last() {
            // Records of one name mostly follow each other in files.
            Some(last) if self.keys[last.key.range()] == *key => last.key,
            _ => append(&mut self.keys, key)?,
        };
        let data = self.intern(data)?;
        self.entries.push(Added { key, entry: StoredRecord { ttl, rtype, data } });
        Ok(())
    }

    /// Builds the set. It drops a second record with the same name, type and data, and gives all records
    /// of a name and type the least of their TTLs.
    pub fn finish(self) -> RecordSet {
        self.finish_counted().0
    }

    /// Builds the set, and counts the records that are more than [`MAX_RECORDS`] of a name and type.
    pub fn finish_counted(mut self) -> (RecordSet, Overfull) {
        let mut overfull = Overfull::default();
        let key = |added: &Added| &self.keys[added.key.range()];
        self.entries
            .sort_by(|a, b| key(a).cmp(key(b)).then_with(|| a.entry.rtype.cmp(&b.entry.rtype)));
        let mut set = RecordSet { data: self.data, ..RecordSet::default() };
        set.records.reserve_exact(self.entries.len());
        let mut seen = HashSet::new();
        for name in self.entries.chunk_by(|a, b| key(a) == key(b)) {
            for rrset in name.chunk_by(|a, b| a.entry.rtype == b.entry.rtype) {
                seen.clear();
                let ttl = rrset.iter().map(|added| added.entry.ttl).min().unwrap_or(0);
                let distinct = rrset.iter().filter(|added| seen.insert(added.entry.data));
                let mut distinct = distinct.map(|added| StoredRecord { ttl, ..added.entry });
                set.records.extend(distinct.by_ref().take(MAX_RECORDS));
                let left_out = distinct.count() as u64;
                if left_out > 0 {
                    overfull.count(left_out, left_out, || match name_of(key(&rrset[0])) {
                        Some(name) if !name.is_root() => name.to_string(),
                        _ => "@".to_owned(),
                    });
                }
            }
            set.keys.extend_from_slice(key(&name[0]));
            let (keys_end, records_end) = (set.keys.len() as u32, set.records.len() as u32);
            set.names.push(Name { keys_end, records_end });
        }
        set.records.shrink_to_fit();
        set.names.shrink_to_fit();
        set.keys.shrink_to_fit();
        set.data.shrink_to_fit();
        (set, overfull)
    }

    /// The place of this data, new or known.
    fn intern(&mut self, data: &[u8]) -> Result<Data, TooManyRecords> {
        let hash = self.hasher.hash_one(data);
        let known = self.index.find(hash, |known| self.data[known.range()] == *data);
        if let Some(&known) = known {
            return Ok(known);
        }
        let new = append(&mut self.data, data)?;
        let (all, hasher) = (&self.data, &self.hasher);
        self.index.insert_unique(hash, new, |other| hasher.hash_one(&all[other.range()]));
        Ok(new)
    }
}

fn append(bytes: &mut Vec<u8>, more: &[u8]) -> Result<Data, TooManyRecords> {
    let start = u32::try_from(bytes.len()).map_err(|_| TooManyRecords)?;
    let len = u16::try_from(more.len()).map_err(|_| TooManyRecords)?;
    if u32::try_from(bytes.len() + more.len()).is_err() {
        return Err(TooManyRecords);
    }
    bytes.extend_from_slice(more);
    Ok(Data { start, len })
}

/// The name that a key was made of.
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
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn records<'a>(set: &'a RecordSet, name: &[u8]) -> Vec<(Type, u32, &'a [u8])> {
        let NameRecords::Records(name) = set.lookup(name) else { return Vec::new() };
        set.records(name).map(|Record { rtype, ttl, data }| (rtype, ttl, data)).collect()
    }

    #[test]
    fn records_are_found_by_name_and_sorted_by_type() {
        let mut builder = RecordsBuilder::default();
        builder.add(b"\x03www\0", Type::TXT, 5, b"\x01t").unwrap();
        builder.add(b"\x03www\0", Type::A, 30, &[127, 0, 0, 2]).unwrap();
        builder.add(b"\x01x\0", Type::A, 1, &[127, 0, 0, 2]).unwrap();
        builder.add(b"\x03www\0", Type::A, 20, &[127, 0, 0, 1]).unwrap();
        builder.add(b"\x03www\0", Type::A, 40, &[127, 0, 0, 2]).unwrap();
        let mut set = builder.finish();
        let due = [
            (Type::A, 20, &[127, 0, 0, 2][..]),
            (Type::A, 20, &[127, 0, 0, 1]),
            (Type::TXT, 5, b"\x01t"),
        ];
        assert_eq!(records(&set, b"\x03www\0"), due);
        assert_eq!(set.len(), 4);
        assert_eq!(set.data.len(), 10, "equal data stands in one place");
        set.set_ttl(7);
        assert!(records(&set, b"\x03www\0").iter().all(|record| record.1 == 7));
    }

    #[test]
    fn names_above_a_record_are_empty_non_terminals() {
        assert_eq!(RecordSet::default().lookup(b"\0"), NameRecords::Nothing);
        let mut builder = RecordsBuilder::default();
        builder.add(b"\x01a\x02bc\x01d\0", Type::A, 1, &[1, 2, 3, 4]).unwrap();
        let set = builder.finish();
        assert_eq!(set.lookup(b"\x02bc\x01d\0"), NameRecords::EmptyNonTerminal);
        assert_eq!(set.lookup(b"\x01d\0"), NameRecords::EmptyNonTerminal);
        assert_eq!(set.lookup(b"\0"), NameRecords::EmptyNonTerminal);
        assert_eq!(set.lookup(b"\x01c\x01d\0"), NameRecords::Nothing);
        assert_eq!(set.lookup(b"\x01x\x01a\x02bc\x01d\0"), NameRecords::Nothing);
    }

    #[test]
    fn a_name_with_very_many_records_is_cut_and_takes_no_time() {
        let mut builder = RecordsBuilder::default();
        for number in 0..100_000_u32 {
            builder.add(b"\0", Type::A, 60, &number.to_be_bytes()).unwrap();
        }
        assert_eq!(builder.finish().len(), MAX_RECORDS);
    }

    proptest! {
        #[test]
        fn the_set_says_what_a_scan_of_the_records_says(
            added in prop::collection::vec(
                (prop::collection::vec(0_u8..3, 0..4), 0_u16..3, 1_u32..4, 0_u8..3),
                0..40,
            ),
            asked in prop::collection::vec(0_u8..3, 0..5),
        ) {
            let name = |labels: &[u8]| -> Vec<u8> {
                labels.iter().flat_map(|&label| [1, b'a' + label]).chain([0]).collect()
            };
            let mut builder = RecordsBuilder::default();
            for (labels, rtype, ttl, data) in &added {
                builder.add(&name(labels), Type(*rtype), *ttl, &[*data]).unwrap();
            }
            let set = builder.finish();
            let mut due: BTreeMap<u16, (u32, Vec<u8>)> = BTreeMap::new();
            for (_, rtype, ttl, data) in added.iter().filter(|(labels, ..)| *labels == asked) {
                let rrset = due.entry(*rtype).or_insert((*ttl, Vec::new()));
                rrset.0 = rrset.0.min(*ttl);
                if !rrset.1.contains(data) {
                    rrset.1.push(*data);
                }
            }
            let due: Vec<_> = due
                .iter()
                .flat_map(|(rtype, (ttl, all))| all.iter().map(|data| (*rtype, *ttl, vec![*data])))
                .collect();
            let found: Vec<_> = records(&set, &name(&asked))
                .into_iter()
                .map(|(Type(rtype), ttl, data)| (rtype, ttl, data.to_vec()))
                .collect();
            prop_assert_eq!(&found, &due);
            let below = added.iter().any(|(labels, ..)| labels.ends_with(&asked));
            let exists = set.lookup(&name(&asked)) != NameRecords::Nothing;
            prop_assert_eq!(exists, below);
        }
    }
}
