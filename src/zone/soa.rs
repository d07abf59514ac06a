//! The SOA record of a zone as it goes into messages.

use super::Soa;
use crate::wire::ResponseWriter;
use crate::wire::message::response::{RECORD_HEAD, Section, record_head};
use crate::wire::name::NameBuf;
use crate::wire::{Class, Type};

/// The SOA record of a zone in wire form: every negative answer has it, so it is made once. Its owner,
/// and names in it below the apex, are pointers to the apex, which each message has elsewhere.
#[derive(Clone, Debug)]
pub struct SoaRecord {
    /// The record with its TTL in negative answers (RFC 2308 section 3). A fixed size needs no check
    /// when the record is copied.
    record: [u8; SOA_ROOM],
    len: usize,
    /// The positions of the pointers besides the owner; 0, which is that of the owner, for none.
    pointers: [u8; 2],
    /// The TTL in positive answers, in seconds.
    ttl: u32,
}

/// The room that [`SoaRecord::write`] needs, in bytes: for two names of 255 bytes.
pub const SOA_ROOM: usize = 544;

impl SoaRecord {
    /// The record of the zone with this apex.
    pub fn new(soa: &Soa, apex: &NameBuf) -> Self {
        // The pointers are filled in when the record is written.
        let mut bytes = record_head(0, Type::SOA, Class::IN, soa.minimum, 0).to_vec();
        let mut pointers = [0; 2];
        for (pointer, name) in pointers.iter_mut().zip([&soa.mname, &soa.rname]) {
            let labels = name.labels_before(apex).and_then(|labels| {
                *pointer = u8::try_from(bytes.len() + labels.len()).ok()?;
                Some(labels)
            });
            bytes.extend_from_slice(labels.unwrap_or(name.as_wire()));
            bytes.extend(labels.map_or(&[][..], |_| &[0, 0]));
        }
        for number in [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum] {
            bytes.extend(number.to_be_bytes());
        }
        let size = (bytes.len() - RECORD_HEAD) as u16;
        bytes[RECORD_HEAD - 2..RECORD_HEAD].copy_from_slice(&size.to_be_bytes());
        let (mut record, len) = ([0; SOA_ROOM], bytes.len());
        record[..len].copy_from_slice(&bytes);
        Self { record, len, pointers, ttl: soa.ttl }
    }

    /// Writes the record, with the TTL it has in negative answers, to the start of `room`, and gives
    /// its length. The message has the apex `apex` bytes from its start.
    #[inline(always)]
    pub fn write(&self, apex: usize, room: &mut [u8; SOA_ROOM]) -> usize {
        const USUAL: usize = 64;
        const LONG: usize = 128;
        room[..USUAL].copy_from_slice(&self.record[..USUAL]);
        if self.len > USUAL {
            room[USUAL..LONG].copy_from_slice(&self.record[USUAL..LONG]);
            if self.len > LONG {
                room[LONG..].copy_from_slice(&self.record[LONG..]);
            }
        }
        let pointer = (0xc000 | apex as u16).to_be_bytes();
        for at in [0, self.pointers[0], self.pointers[1]].map(usize::from) {
            [room[at], room[at + 1]] = pointer;
        }
        self.len
    }

    /// Appends the record to a message that has the apex `apex` bytes from its start: with the TTL of
    /// positive answers in the answer section, else with that of negative ones.
    pub fn append(&self, section: Section, apex: usize, writer: &mut ResponseWriter<'_>) {
        writer.record_by(section, |room| {
            let len = self.write(apex, room);
            if section == Section::Answer {
                room[6..10].copy_from_slice(&self.ttl.to_be_bytes());
            }
            len
        });
    }
}
