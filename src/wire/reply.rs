//! Writes a response of one record at one go.

use super::response::{OPT_SIZE, Section, opt_record};
use super::{CLASSIC_UDP, Edns, MAX_UDP, Rcode};

/// A response of the question and at most one record, small enough for every client: what
/// [`ResponseWriter`](super::ResponseWriter) writes, without its bookkeeping.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'q> {
    /// The query up to the end of its question.
    pub question: &'q [u8],
    /// What the query says of EDNS.
    pub edns: Option<Edns>,
}

/// The buffer of a [`Reply`]: larger than it gets, so that there is no end to be looked for when a
/// part of it is written.
pub type Room = [u8; MAX_UDP];

impl Reply<'_> {
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
        let counts = 1 << 48 | count | u64::from(self.edns.is_some());
        *out[4..].first_chunk_mut()? = counts.to_be_bytes();
        let mut end = self.question.len() + size;
        if let Some(edns) = self.edns {
            *out.get_mut(end..)?.first_chunk_mut()? = opt_record(edns, rcode);
            end += OPT_SIZE;
        }
        (end <= CLASSIC_UDP).then_some(end)
    }
}

/// Copies between slices of one length. What queries, records and texts have is copied without a call,
/// in blocks that overlap.
#[inline(always)]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    let copied = from.len() == to.len()
        && (copy_as::<32>(from, to)
            || copy_as::<8>(from, to)
            || copy_as::<16>(from, to)
            || copy_as::<64>(from, to));
    if !copied {
        to.copy_from_slice(from);
    }
}

/// The same for `N` to `2 * N` bytes; false for others.
#[inline(always)]
fn copy_as<const N: usize>(from: &[u8], to: &mut [u8]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
        return false;
    };
    if from.len() > 2 * N || from.len() != to.len() {
        return false;
    }
    if let Some(to) = to.first_chunk_mut() {
        *to = *first;
    }
    if let Some(to) = to.last_chunk_mut() {
        *to = *last;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_bytes_is_copied() {
        let from: Vec<u8> = (0..200).collect();
        for len in 0..from.len() {
            let mut to = vec![0xff; len];
            copy(&from[..len], &mut to);
            assert_eq!(to, from[..len]);
        }
    }
}
