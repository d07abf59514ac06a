//! Writes a response of a few records of one type at one go.

use super::{OPT_SIZE, Section, close_header, opt_record};
use crate::wire::copy::copy;
use crate::wire::message::query::ParsedQuestion;
use crate::wire::{CLASSIC_UDP, HEADER, MAX_UDP, Rcode};

/// The buffer of such a response: larger than the response gets, so that no part of it needs to look
/// for the end.
pub type Room = [u8; MAX_UDP];

/// A response of the question and a few records, small enough for every client: what
/// [`ResponseWriter`](super::ResponseWriter) writes, without its bookkeeping.
impl ParsedQuestion<'_> {
    /// Where a record goes, behind the question and `size` bytes of records.
    #[inline(always)]
    pub fn room<'o, const N: usize>(
        &self,
        out: &'o mut Room,
        size: usize,
    ) -> Option<&'o mut [u8; N]> {
        out.get_mut(self.bytes.len() + size..)?.first_chunk_mut()
    }

    /// Writes all but the record, which is in its place and has `size` bytes, and gives the length of
    /// the response; `None` if that is more than every client takes. `section` is that of the record.
    #[inline(always)]
    pub fn finish(
        self,
        out: &mut Room,
        size: usize,
        rcode: Rcode,
        section: Section,
    ) -> Option<usize> {
        let count = match section {
            Section::Answer => 1 << 32,
            Section::Authority => 1 << 16,
        };
        self.close(out, size, rcode, 0x04, count)
    }

    /// The same for `count` records of the answer, which have `size` bytes together.
    #[inline(always)]
    pub fn finish_answers(self, out: &mut Room, size: usize, count: usize) -> Option<usize> {
        self.close(out, size, Rcode::NoError, 0x04, (count as u64) << 32)
    }

    /// Writes a response without a record and without authority.
    #[inline(always)]
    pub fn refuse(self, out: &mut Room, rcode: Rcode) -> Option<usize> {
        self.close(out, 0, rcode, 0, 0)
    }

    /// `count` stands where the header has the number of records.
    #[inline(always)]
    fn close(
        self,
        out: &mut Room,
        size: usize,
        rcode: Rcode,
        flags: u8,
        count: u64,
    ) -> Option<usize> {
        let mut end = self.bytes.len() + size;
        copy(self.bytes, out.get_mut(..self.bytes.len())?);
        close_header(out.first_chunk_mut()?, flags, rcode, 1 << 48 | count);
        if let Some(edns) = self.edns {
            out[HEADER - 1] = 1;
            *out.get_mut(end..)?.first_chunk_mut()? = opt_record(edns, rcode);
            end += OPT_SIZE;
        }
        (end <= CLASSIC_UDP).then_some(end)
    }
}
