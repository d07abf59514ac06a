//! Digests (hashes of mail addresses, URLs and files): sorted rows of one width behind an index of their first
//! bits.
//!
//! # Layout
//!
//! Digests are uniform by their nature, so their first bits tell where a digest is: an index of 2^k numbers leads to
//! a bucket of four to eight rows in the mean, which a search halves. The row leaves out the whole bytes that the
//! index tells, and has the number of the answer at its end, unless all digests have one answer.
//!
//! ```text
//! form     alphabet (0 hex, 1 base32, 2 zbase32), digits of a label, bits of the index (k), bytes of an
//!          answer (a)
//! index    2^k + 1 numbers: for each value of the first k bits the rows before, and the number of all
//! rows     the bits of the digits, 4 or 5 each by the place of the digit in the order of ASCII, the last
//!          byte filled up with zeros, without the first k / 8 bytes; then the number of the answer (a
//!          bytes, the lowest first)
//! ```
//!
//! # Cost
//!
//! A lookup costs one read of the index and one or two cache lines of rows. A SHA-1 (20 bytes) of one answer takes
//! 18.5 bytes at a million of them. Whoever makes digests collide in their first bits slows down their bucket, in
//! which a search still halves the rows at each step.

mod form;

pub use form::{Alphabet, DigestForm, MIN_DIGITS};
pub(crate) use form::{LONG_HEX, ROOM, long_hex_label};

use super::names::NameEntry;
use crate::answer::AnswerId;
use crate::flat_array::{ArrayReader, ArrayWriter, FlatArray};
use crate::wire::name::NameBuf;

/// A listing of digests, immutable; [`crate::listing::digests::DigestsBuilder`] makes it.
///
/// Equal listings have equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestTable {
    form: DigestForm,
    /// The number of bits that the index tells.
    index_bits: u32,
    /// The bytes of a number of an answer.
    answer_bytes: usize,
    index: FlatArray<u32>,
    rows: FlatArray<u8>,
}

/// The most bits of an index: 64 MiB of it, for 64 million digests and more.
const MAX_INDEX_BITS: u32 = 24;

/// A bucket has from so many rows on, in the mean.
const FEWEST_IN_BUCKET: usize = 4;

impl Default for DigestTable {
    fn default() -> Self {
        Self::build(DigestForm::default(), 0, AnswerId::NONE, std::iter::empty::<(&[u8], _)>())
    }
}

impl DigestTable {
    /// A table of so many packed digests of this form, which come in ascending order, each with its answer; `last` is
    /// the highest number of an answer.
    pub(crate) fn build(
        form: DigestForm,
        count: usize,
        AnswerId(last): AnswerId,
        digests: impl Iterator<Item = (impl AsRef<[u8]>, AnswerId)>,
    ) -> Self {
        let index_bits = (count / FEWEST_IN_BUCKET).checked_ilog2().unwrap_or(0);
        let index_bits = index_bits.min(MAX_INDEX_BITS);
        // All answers are number 1 if that is the highest.
        let answer_bytes = if last > 1 { (4 - last.leading_zeros() / 8) as usize } else { 0 };
        let told = index_bits as usize / 8;
        let mut index = vec![0; (1 << index_bits) + 1];
        let mut rows = Vec::with_capacity(count * (form.size() - told + answer_bytes));
        for (packed, AnswerId(answer)) in digests {
            let packed = packed.as_ref();
            index[bucket(packed, index_bits) + 1] += 1;
            rows.extend_from_slice(&packed[told..]);
            rows.extend_from_slice(&answer.to_le_bytes()[..answer_bytes]);
        }
        let mut before = 0;
        for number in &mut index {
            before += *number;
            *number = before;
        }
        Self { form, index_bits, answer_bytes, index: index.into(), rows: rows.into() }
    }

    /// The answer for a label; [`AnswerId::NONE`] if it is not listed, or no digest of the form.
    #[inline]
    pub fn lookup(&self, label: &[u8]) -> AnswerId {
        let mut room = [0; ROOM];
        match self.form.pack(label, &mut room) {
            true => self.search(&room),
            false => AnswerId::NONE,
        }
    }

    #[inline]
    fn search(&self, packed: &[u8; ROOM]) -> AnswerId {
        let bucket = bucket(packed, self.index_bits);
        let Some(&[start, end]) = self.index.get(bucket..).and_then(<[u32]>::first_chunk) else {
            return AnswerId::NONE;
        };
        let key = &packed[self.told()..self.form.size()];
        let (mut low, mut high) = (start as usize, end as usize);
        while low < high {
            let middle = low + (high - low) / 2;
            let Some((digest, answer)) = self.row(middle) else { return AnswerId::NONE };
            match digest.cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return answer_id(answer),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        AnswerId::NONE
    }

    /// The bytes that the rows leave out.
    fn told(&self) -> usize {
        self.index_bits as usize / 8
    }

    /// The bytes of a digest in a row, and those of a row.
    fn widths(&self) -> (usize, usize) {
        let width = self.form.size() - self.told();
        (width, width + self.answer_bytes)
    }

    /// What a row has of its digest, and the number of its answer.
    #[inline]
    fn row(&self, number: usize) -> Option<(&[u8], &[u8])> {
        let (width, stride) = self.widths();
        let start = number.checked_mul(stride)?;
        self.rows.get(start..start.checked_add(stride)?)?.split_at_checked(width)
    }

    /// True if a name is a label of the form.
    pub fn takes(&self, name: &NameBuf) -> bool {
        let mut labels = name.labels();
        let only = labels.next().filter(|_| labels.next().is_none());
        only.is_some_and(|label| self.form.pack(label, &mut [0; ROOM]))
    }

    /// The form of the digests.
    pub fn form(&self) -> DigestForm {
        self.form
    }

    /// The digests, in the order of their labels.
    pub fn iter(&self) -> Digests<'_> {
        Digests { table: self, row: 0, bucket: 0 }
    }

    /// The number of digests.
    pub fn len(&self) -> usize {
        self.rows.len() / self.widths().1
    }

    /// True if nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The size in this process's own memory, in bytes.
    pub fn memory(&self) -> usize {
        self.index.heap() + self.rows.heap()
    }

    /// The size in shared memory, in bytes.
    pub fn mapped(&self) -> usize {
        self.index.mapped() + self.rows.mapped()
    }

    /// Hands out what [`load`](Self::load) needs.
    pub fn store(&self, out: &mut impl ArrayWriter) {
        let alphabet = Alphabet::NAMES.iter().position(|(_, it)| *it == self.form.alphabet());
        let form = [alphabet.unwrap_or(0), self.form.digits()].map(|number| number as u32);
        out.array(&[form[0], form[1], self.index_bits, self.answer_bytes as u32]);
        out.array(&self.index);
        out.array(&self.rows);
    }

    /// The table that was [stored](Self::store). If the arrays are damaged, lookups are wrong but safe.
    pub fn load(from: &mut impl ArrayReader) -> Option<Self> {
        let [alphabet, digits, index_bits, answer_bytes] = from.numbers::<u32, 4>()?;
        let (_, alphabet) = *Alphabet::NAMES.get(alphabet as usize)?;
        let form = DigestForm::new(alphabet, digits as usize)?;
        let is_valid = index_bits <= MAX_INDEX_BITS && answer_bytes <= 4;
        let (index, rows) = (from.array()?, from.array()?);
        let answer_bytes = answer_bytes as usize;
        is_valid.then_some(Self { form, index_bits, answer_bytes, index, rows })
    }
}

/// The value of the first bits of a packed digest, which has eight bytes at least.
#[inline]
fn bucket(packed: &[u8], bits: u32) -> usize {
    let head = packed.first_chunk().map_or(0, |head| u32::from_be_bytes(*head));
    (u64::from(head) << bits >> u32::BITS) as usize
}

#[inline]
fn answer_id(bytes: &[u8]) -> AnswerId {
    match bytes {
        [] => AnswerId(1),
        bytes => AnswerId(bytes.iter().rev().fold(0, |id, &byte| id << 8 | u32::from(byte))),
    }
}

/// An iterator over the digests of a table, see [`DigestTable::iter`].
#[derive(Debug)]
pub struct Digests<'a> {
    table: &'a DigestTable,
    row: usize,
    /// The bucket of the row before.
    bucket: usize,
}

impl Iterator for Digests<'_> {
    type Item = (Vec<u8>, AnswerId);

    /// The next digest, packed, and its answer.
    fn next(&mut self) -> Option<Self::Item> {
        let table = self.table;
        let (digest, answer) = table.row(self.row)?;
        while *table.index.get(self.bucket + 1)? as usize <= self.row {
            self.bucket += 1;
        }
        let bits = table.index_bits;
        let head = ((self.bucket as u64) << u32::BITS >> bits) as u32;
        let mut packed = head.to_be_bytes()[..table.told()].to_vec();
        packed.extend_from_slice(digest);
        self.row += 1;
        Some((packed, answer_id(answer)))
    }
}

impl Digests<'_> {
    /// As entries for the names that the labels are.
    pub fn names(self) -> impl Iterator<Item = NameEntry> {
        let form = self.table.form;
        self.map(move |(packed, answer)| {
            let mut label = vec![form.digits() as u8];
            form.unpack(&packed, &mut label);
            NameEntry { name: NameBuf::from_labels(&label), itself: Some(answer), below: None }
        })
    }
}

impl<'a> IntoIterator for &'a DigestTable {
    type Item = (Vec<u8>, AnswerId);
    type IntoIter = Digests<'a>;

    fn into_iter(self) -> Digests<'a> {
        self.iter()
    }
}

#[cfg(any(test, fuzzing))]
impl DigestTable {
    /// Overwrites something at random: lookups must survive it.
    pub fn damage(&mut self, random: &mut dyn FnMut() -> u64) {
        use super::damage::damage;
        match random() % 8 {
            0 => self.index_bits = random() as u32 % (MAX_INDEX_BITS + 1),
            1 => self.answer_bytes = random() as usize % 5,
            2..5 => damage(self.index.to_mut(), random, |bits| bits as u32),
            _ => damage(self.rows.to_mut(), random, |bits| bits as u8),
        }
    }
}
