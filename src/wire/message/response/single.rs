//! Writes a response of one record at one go.

use super::{OPT_SIZE, Section, opt_record};
use crate::wire::copy::copy;
use crate::wire::{CLASSIC_UDP, Edns, HEADER, MAX_UDP, Rcode};

/// A response of the question and at most one record, small enough for every client: what
/// [`ResponseWriter`](super::ResponseWriter) writes, without its bookkeeping.
#[derive(Clone, Copy, Debug)]
pub struct SingleReply<'q> {
    /// The query up to the end of its question.
    pub question: &'q [u8],
    /// What the query says of EDNS.
    pub edns: Option<Edns>,
}

/// The buffer of a [`SingleReply`]: larger than it gets, so that there is no end to be looked for when a
/// part of it is written.
pub type Room = [u8; MAX_UDP];

impl SingleReply<'_> {
    /// Where the record goes, behind the question.
    #[inline(always)]
    pub fn room<'o, const N: usize>(&self, out: &'o mut Room) -> Option<&'o mut [u8; N]> {
        out.get_mut(self.question.len()..)?.first_chunk_mut()
    }

    /// Writes all but the record, which is in its place and has `size` bytes, and gives the length of
    /// the response; `None` if that is more than every client takes. `section` is that of the record.
    #[inline(always)]
    pub fn finish(
        &self,
        out: &mut Room,
        size: usize,
        rcode: Rcode,
        section: Section,
    ) -> Option<usize> {
        let count = match section {
            Section::Answer => 1 << 32,
            Section::Authority => 1 << 16,
        };
        self.close(out, size, rcode, 0x84, count)
    }

    /// Writes a response without a record and without authority.
    #[inline(always)]
    pub fn refuse(&self, out: &mut Room, rcode: Rcode) -> Option<usize> {
        self.close(out, 0, rcode, 0x80, 0)
    }

    /// `flags` are QR and AA, `count` stands where the header has the number of records.
    #[inline(always)]
    fn close(
        &self,
        out: &mut Room,
        size: usize,
        rcode: Rcode,
        flags: u8,
        count: u64,
    ) -> Option<usize> {
        copy(self.question, out.get_mut(..self.question.len())?);
        // Opcode and RD are the query's (RFC 1035 section 4.1.1); RA, Z, AD and CD are clear.
        out[2] = flags | out[2] & 0x79;
        out[3] = rcode as u8 & 0x0f;
        *out[4..].first_chunk_mut()? = (1_u64 << 48 | count).to_be_bytes();
        let mut end = self.question.len() + size;
        if let Some(edns) = self.edns {
            out[HEADER - 1] = 1;
            *out.get_mut(end..)?.first_chunk_mut()? = opt_record(edns, rcode);
            end += OPT_SIZE;
        }
        (end <= CLASSIC_UDP).then_some(end)
    }
}
