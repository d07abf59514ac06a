//! Which records of an RRset stand in a message already: each search takes the same time, however many do.

use crate::wire::message::response::RECORD_HEAD;
use foldhash::fast::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Up to so many bytes of records are compared one by one, which is quicker: about four of addresses.
const FEW: usize = 64;

/// The places of the index, a power of two: a message of 65,535 bytes has less than 5,500 records.
const PLACES: usize = 1 << 13;

/// The records of one RRset at a time, which stand side by side.
#[derive(Clone, Debug, Default)]
pub(super) struct Distinct {
    /// Each record at the first free place from its hash on: the number of the RRset, and where the record
    /// starts, counted from the first one. The places of other RRsets are free. None until it is needed.
    places: Vec<[u16; 2]>,
    /// The number of the RRset, from 1 on.
    rrset: u16,
    /// Up to where the records are in the index.
    end: usize,
    /// The free place for what was looked for last, and where its record starts if it was written.
    next: Option<(usize, usize)>,
    /// Nobody can tell the hashes beforehand, and make records that all have one.
    hasher: RandomState,
}

impl Distinct {
    /// Begins with the next RRset.
    pub(super) fn begin(&mut self) {
        (self.end, self.next) = (0, None);
        self.rrset = self.rrset.checked_add(1).unwrap_or_else(|| {
            self.places.clear();
            1
        });
    }

    /// True if one of the records so far has this data. Between two calls for one RRset, `records` only
    /// grow, by nothing or by a record with the data of the first call.
    pub(super) fn has(&mut self, records: &[u8], data: &[u8]) -> bool {
        if records.len() <= FEW {
            return data_of(records).any(|record| record == data);
        }
        self.places.resize(PLACES, [0; 2]);
        while let Some((record, end)) = data_at(records, self.end) {
            let known = self.next.take().filter(|(_, at)| *at == self.end);
            let free = known.map_or_else(|| self.free_place(record, |_| false), |it| Some(it.0));
            if let Some(free) = free {
                self.places[free] = [self.rrset, self.end as u16];
            }
            self.end = end;
        }
        let is_it = |at: usize| data_at(records, at).is_some_and(|(record, _)| record == data);
        let free = self.free_place(data, is_it);
        self.next = free.map(|free| (free, records.len()));
        free.is_none()
    }

    /// The first free place for this data; none if one of the records before it is what is looked for.
    fn free_place(&self, data: &[u8], is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(data);
        let first = hasher.finish() as usize % PLACES;
        for place in (first..first + PLACES).map(|place| place % PLACES) {
            match *self.places.get(place)? {
                [rrset, at] if rrset == self.rrset => {
                    if is_it(at.into()) {
                        return None;
                    }
                }
                _ => return Some(place),
            }
        }
        None
    }
}

/// The data of each of these records.
pub(super) fn data_of(records: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (data, end) = data_at(records, at)?;
        at = end;
        Some(data)
    })
}

/// The data of the record at `at`, and where the record ends.
fn data_at(records: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (head, rest) = records.get(at..)?.split_first_chunk::<RECORD_HEAD>()?;
    let data = rest.get(..usize::from(u16::from_be_bytes([head[10], head[11]])))?;
    Some((data, at + RECORD_HEAD + data.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_there_is_found(
            rrsets in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(0_u8..3, 0..4), 0..80), 1..4,
            ),
            number in prop_oneof![0..3_u16, u16::MAX - 2..=u16::MAX],
        ) {
            let mut distinct = Distinct { rrset: number, ..Distinct::default() };
            for rrset in rrsets {
                distinct.begin();
                let (mut records, mut written) = (Vec::new(), Vec::new());
                for data in rrset {
                    let is_known = written.contains(&data);
                    prop_assert_eq!(distinct.has(&records, &data), is_known);
                    if !is_known {
                        records.extend([0; RECORD_HEAD - 1]);
                        records.push(data.len() as u8);
                        records.extend(&data);
                        written.push(data);
                    }
                }
            }
        }
    }
}
