//! Records in one piece of memory, one behind the other.

use crate::wire::Type;

/// Records of a zone: each has the length of its owner, the labels of it before the apex, type, TTL, the length of
/// its data, and the data.
#[derive(Debug, Default)]
pub(super) struct Packed {
    bytes: Vec<u8>,
}

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PackedRecord<'p> {
    /// The labels before the apex.
    pub(super) owner: &'p [u8],
    pub(super) rtype: Type,
    /// In seconds.
    pub(super) ttl: u32,
    pub(super) data: &'p [u8],
}

impl Packed {
    /// The part of a record behind its owner.
    pub(super) fn body(rtype: Type, ttl: u32, data: &[u8]) -> Vec<u8> {
        let size = (data.len() as u16).to_be_bytes();
        [&rtype.0.to_be_bytes()[..], &ttl.to_be_bytes(), &size, data].concat()
    }

    /// Adds a record with this [body](Self::body).
    pub(super) fn push(&mut self, owner: &[u8], body: &[u8]) {
        self.bytes.push(owner.len() as u8);
        self.bytes.extend_from_slice(owner);
        self.bytes.extend_from_slice(body);
    }

    /// The size, in bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The records, in the order in which they were added.
    pub(super) fn records(&self) -> impl Iterator<Item = PackedRecord<'_>> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let (&len, after) = rest.split_first()?;
            let (owner, after) = after.split_at_checked(len.into())?;
            let ([t0, t1, ttl @ .., s0, s1], after) = after.split_first_chunk::<8>()?;
            let (data, after) = after.split_at_checked(u16::from_be_bytes([*s0, *s1]).into())?;
            rest = after;
            let (rtype, ttl) = (Type(u16::from_be_bytes([*t0, *t1])), u32::from_be_bytes(*ttl));
            Some(PackedRecord { owner, rtype, ttl, data })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut packed = Packed::default();
        let records = [
            (&b""[..], Type::NS, 7, &b"\x01a\0"[..]),
            (b"\x01*\x0210", Type::A, u32::MAX, &[127, 0, 0, 2]),
            (&[63; 254], Type::TXT, 0, &[7; 60_000]),
        ];
        for (owner, rtype, ttl, data) in records {
            packed.push(owner, &Packed::body(rtype, ttl, data));
        }
        let want =
            records.map(|(owner, rtype, ttl, data)| PackedRecord { owner, rtype, ttl, data });
        assert!(packed.records().eq(want));
    }
}
