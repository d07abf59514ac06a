//! The SOA record of a zone as it goes into messages.

use super::Soa;
use crate::wire::ResponseWriter;
use crate::wire::message::response::Section;
use crate::wire::name::NameBuf;
use crate::wire::{Class, Type};

/// The SOA record of a zone in wire form: every negative answer has it, so it is made ready once.
/// Its owner, and names in it below the apex, are pointers to the apex, which each message has
/// elsewhere.
#[derive(Clone, Debug)]
pub struct SoaRecord {
    record: Box<[u8]>,
    /// Where in `record` the pointers are; of fewer, some are there twice.
    pointers: [u16; 3],
    /// The TTL in negative answers, in seconds (RFC 2308 section 3).
    pub minimum: u32,
    /// The TTL in positive answers, in seconds.
    pub ttl: u32,
    negative: Option<Negative>,
}

/// The record for negative answers, in a size that needs no check when it is copied.
#[derive(Clone, Debug)]
struct Negative {
    record: [u8; MAX_NEGATIVE],
    len: usize,
    pointers: [u8; 3],
}

const MAX_NEGATIVE: usize = 256;

/// The room that [`SoaRecord::write_negative`] needs, in bytes.
pub const NEGATIVE_ROOM: usize = MAX_NEGATIVE + 1;

impl SoaRecord {
    /// The record of the zone with this apex.
    pub fn new(soa: &Soa, apex: &NameBuf) -> Self {
        // Pointers are filled in when it is written, and another TTL.
        let mut record = vec![0; 2];
        let mut pointers = [0; 3];
        for word in [Type::SOA.0, Class::IN.0] {
            record.extend(word.to_be_bytes());
        }
        record.extend(soa.minimum.to_be_bytes());
        record.extend([0; 2]);
        let data = record.len();
        for (pointer, name) in pointers.iter_mut().skip(1).zip([&soa.mname, &soa.rname]) {
            match name.labels_before(apex) {
                Some(labels) => {
                    record.extend_from_slice(labels);
                    *pointer = record.len() as u16;
                    record.extend([0, 0]);
                }
                None => record.extend_from_slice(name.as_wire()),
            }
        }
        for number in [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum] {
            record.extend(number.to_be_bytes());
        }
        let size = (record.len() - data) as u16;
        record[data - 2..data].copy_from_slice(&size.to_be_bytes());
        let negative = Negative::new(&record, pointers);
        Self { record: record.into(), pointers, minimum: soa.minimum, ttl: soa.ttl, negative }
    }

    /// Writes the record, with the TTL it has in negative answers, to the start of `room`, and gives
    /// its length. The message has the apex `apex` bytes from its start. `None` if the record is too
    /// long for that.
    #[inline(always)]
    pub fn write_negative(&self, apex: usize, room: &mut [u8; NEGATIVE_ROOM]) -> Option<usize> {
        const USUAL: usize = 64;
        let Negative { record, len, pointers } = self.negative.as_ref()?;
        room[..USUAL].copy_from_slice(&record[..USUAL]);
        if *len > USUAL {
            room[USUAL..MAX_NEGATIVE].copy_from_slice(&record[USUAL..]);
        }
        let pointer = (0xc000 | apex as u16).to_be_bytes();
        for &at in pointers {
            let at = usize::from(at);
            [room[at], room[at + 1]] = pointer;
        }
        Some(*len)
    }

    /// Appends the record to a message that has the apex `apex` bytes from its start.
    #[inline(always)]
    pub fn write(&self, section: Section, apex: usize, ttl: u32, writer: &mut ResponseWriter<'_>) {
        writer.prepared(section, &self.record, ttl, &self.pointers, apex);
    }
}

impl Negative {
    fn new(bytes: &[u8], pointers: [u16; 3]) -> Option<Self> {
        let mut record = [0; MAX_NEGATIVE];
        record.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { record, len: bytes.len(), pointers: pointers.map(|at| at as u8) })
    }
}
