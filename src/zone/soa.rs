//! The SOA record of a zone as it goes into messages.

use super::Soa;
use crate::wire::ResponseWriter;
use crate::wire::name::NameBuf;
use crate::wire::response::Section;
use crate::wire::{Class, Type};

/// The data of a SOA record in wire form: every negative answer has one, so it is made ready once.
/// Names below the apex end in a pointer to it, which each message has elsewhere.
#[derive(Clone, Debug)]
pub struct SoaRecord {
    data: Box<[u8]>,
    /// Where in `data` the pointers are.
    pointers: Vec<usize>,
    /// The TTL in negative answers, in seconds (RFC 2308 section 3).
    pub minimum: u32,
    /// The TTL in positive answers, in seconds.
    pub ttl: u32,
}

impl SoaRecord {
    /// The record of the zone with this apex.
    pub fn new(soa: &Soa, apex: &NameBuf) -> Self {
        let mut data = Vec::new();
        let mut pointers = Vec::new();
        for name in [&soa.mname, &soa.rname] {
            match name.labels_before(apex) {
                Some(labels) => {
                    data.extend_from_slice(labels);
                    pointers.push(data.len());
                    data.extend([0, 0]);
                }
                None => data.extend_from_slice(name.as_wire()),
            }
        }
        for number in [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum] {
            data.extend(number.to_be_bytes());
        }
        Self { data: data.into(), pointers, minimum: soa.minimum, ttl: soa.ttl }
    }

    /// Appends the record to a message that has the apex `apex` bytes from its start.
    pub fn write(&self, section: Section, apex: usize, ttl: u32, writer: &mut ResponseWriter<'_>) {
        writer.record(section, apex, Type::SOA, Class::IN, ttl, &[&self.data]);
        for pointer in &self.pointers {
            writer.point(self.data.len() - pointer, apex);
        }
    }
}
