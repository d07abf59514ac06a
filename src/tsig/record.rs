//! The TSIG record of a message, found and read (RFC 8945 section 4.2).

use crate::wire::message::query::{RawRecord, split_record};
use crate::wire::name::{MAX_LABEL, MAX_NAME, NameBuf};
use crate::wire::{Class, HEADER, Type};

/// A TSIG record stands where none may, or cannot be read: FORMERR (RFC 8945 section 5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

/// A TSIG record, the last of a message.
#[derive(Clone, Debug)]
pub(super) struct Record<'m> {
    /// Where it starts in the message.
    pub(super) start: usize,
    /// The name of the key, in lower case.
    pub(super) key: NameBuf,
    /// The name of the algorithm, in lower case.
    pub(super) algorithm: NameBuf,
    pub(super) fields: Fields<'m>,
    pub(super) mac: &'m [u8],
    /// The number that the message had when it was signed.
    pub(super) original_id: [u8; 2],
}

/// What a signature says beside the MAC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'m> {
    /// When the message was signed, in seconds since 1970.
    pub(super) time: u64,
    /// How far the clocks may be apart, in seconds.
    pub(super) fudge: u16,
    pub(super) error: u16,
    pub(super) other: &'m [u8],
}

impl<'m> Record<'m> {
    /// Finds the record of a message with one question; what is no such message has none.
    pub(super) fn find(message: &'m [u8]) -> Result<Option<Self>, Malformed> {
        let Some((counts, mut rest)) = split_question(message) else { return Ok(None) };
        let [answers, authorities, additional] = counts.map(u32::from);
        let all = answers + authorities + additional;
        for index in 0..all {
            let start = message.len() - rest.len();
            let Some(record) = split_record(rest) else { return Ok(None) };
            rest = record.after;
            if record.rtype == Type::TSIG {
                let is_last = index + 1 == all && additional > 0 && rest.is_empty();
                let read = is_last.then(|| Self::read(message, start, &record)).flatten();
                return read.map(Some).ok_or(Malformed);
            }
        }
        Ok(None)
    }

    fn read(message: &'m [u8], start: usize, record: &RawRecord<'m>) -> Option<Self> {
        let class_and_ttl = message.get(start + record.start + 2..)?.first_chunk::<6>()?;
        if class_and_ttl[..2] != Class::ANY.0.to_be_bytes() || class_and_ttl[2..] != [0; 4] {
            return None;
        }
        let algorithm = NameBuf::from_wire(record.data)?;
        let rest = record.data.get(algorithm.as_wire().len()..)?;
        let (time, rest) = rest.split_first_chunk::<6>()?;
        let (fudge, rest) = split_number(rest)?;
        let (mac, rest) = split_sized(rest)?;
        let (original_id, rest) = rest.split_first_chunk()?;
        let (error, rest) = split_number(rest)?;
        let (other, rest) = split_sized(rest)?;
        let time = time.iter().fold(0, |time, &byte| time << 8 | u64::from(byte));
        rest.is_empty().then_some(Self {
            start,
            key: name_at(message, start)?.to_lowercase(),
            algorithm: algorithm.to_lowercase(),
            fields: Fields { time, fudge, error, other },
            mac,
            original_id: *original_id,
        })
    }
}

/// The counts of the records of a message with one question, and what follows the question.
fn split_question(message: &[u8]) -> Option<([u16; 3], &[u8])> {
    let (header, rest) = message.split_first_chunk::<HEADER>()?;
    if header[4..6] != [0, 1] {
        return None;
    }
    let name = NameBuf::from_wire(rest)?;
    let counts = [6, 8, 10].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
    Some((counts, rest.get(name.as_wire().len() + 4..)?))
}

fn split_number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (u16::from_be_bytes(*number), rest))
}

/// Bytes behind their number.
fn split_sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = split_number(bytes)?;
    rest.split_at_checked(usize::from(size))
}

/// The name at `at`, which may point at labels before it (RFC 1035 section 4.1.4).
fn name_at(message: &[u8], mut at: usize) -> Option<NameBuf> {
    let (mut labels, mut len) = ([0; MAX_NAME - 1], 0);
    let mut start = at;
    loop {
        let byte = *message.get(at)?;
        let size = usize::from(byte);
        if byte >= 0xc0 {
            let target = usize::from(u16::from_be_bytes([byte & 0x3f, *message.get(at + 1)?]));
            // Each pointer leads further back: there is no circle.
            if target >= start {
                return None;
            }
            (start, at) = (target, target);
        } else if size > MAX_LABEL {
            return None;
        } else if size == 0 {
            return Some(NameBuf::from_labels(&labels[..len]));
        } else {
            labels.get_mut(len..len + 1 + size)?.copy_from_slice(message.get(at..at + 1 + size)?);
            (at, len) = (at + 1 + size, len + 1 + size);
        }
    }
}
