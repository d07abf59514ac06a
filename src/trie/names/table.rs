//! The table of a node with many names below it: which records a label is among. One unit with `record.rs`:
//! records have tables, and tables lead to records.

use super::label::Label;
use super::record;

/// A list of records of a table: where it starts, and two bits set for each label in it.
///
/// Most labels that are not there are told by the bits, without a look at the records.
pub(super) type Bucket = [u32; 2];

/// The seed of the hash that chooses a bucket.
const SEED: u8 = 1;

/// The buckets of a node with many names below it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Table {
    /// The index of the first bucket.
    pub(super) start: u32,
    /// The number of buckets.
    pub(super) count: u32,
}

impl Table {
    /// The bucket of a label, counted from the first, and the bits of the label.
    #[inline(always)]
    pub(super) fn place(self, label: Label<'_>) -> (u32, u32) {
        let hash = label.hash(SEED);
        let bucket = ((hash >> 32) * u64::from(self.count)) >> 32;
        (bucket as u32, 1_u32.wrapping_shl(hash as u32) | 1_u32.wrapping_shl((hash >> 5) as u32))
    }

    /// Where the records start among which a label is if it is anywhere.
    #[inline(always)]
    pub(super) fn find(self, buckets: &[Bucket], label: Label<'_>) -> Option<usize> {
        let (bucket, bits) = self.place(label);
        let &[start, filter] = buckets.get(self.start as usize + bucket as usize)?;
        (filter & bits == bits).then_some(start as usize)
    }

    /// Where the records start among which a label is if it is anywhere, in buckets that have the
    /// labels in their order.
    pub(super) fn find_sorted(
        self,
        buckets: &[Bucket],
        bytes: &[u8],
        label: &[u8],
    ) -> Option<usize> {
        let buckets = self.buckets(buckets);
        let starts_before = |&[start, _]: &Bucket| {
            #[cfg(test)]
            super::tests::count_step();
            record::read(bytes, start as usize).is_some_and(|first| first.label <= label)
        };
        let after = buckets.partition_point(starts_before);
        Some(buckets[after.checked_sub(1)?][0] as usize)
    }

    /// Calls `see` with the start of each list of records.
    pub(super) fn each_list(self, buckets: &[Bucket], bytes: &[u8], see: &mut impl FnMut(usize)) {
        for &[start, _] in self.buckets(buckets) {
            match record::sorted(bytes, start as usize) {
                None => see(start as usize),
                Some(table) => {
                    table.buckets(buckets).iter().for_each(|&[start, _]| see(start as usize));
                }
            }
        }
    }

    fn buckets(self, buckets: &[Bucket]) -> &[Bucket] {
        let buckets = buckets.get(self.start as usize..).unwrap_or(&[]);
        &buckets[..buckets.len().min(self.count as usize)]
    }
}
