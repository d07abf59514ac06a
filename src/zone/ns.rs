//! The NS records of a zone as they go into messages.

use super::Ns;
use crate::wire::message::response::{RECORD_HEAD, Section};
use crate::wire::name::NameBuf;
use crate::wire::{Class, ResponseWriter, Type};
use std::collections::HashMap;

/// The NS records of a zone, with names compressed (RFC 1035 section 4.1.4) against the apex, which each
/// message has elsewhere, and against the names before: what each begins with, and where it goes on, is
/// found once.
#[derive(Clone, Debug)]
pub struct NsRecords {
    records: Box<[NsRecord]>,
    /// In seconds.
    ttl: u32,
    /// Of all records, in bytes.
    size: usize,
}

#[derive(Clone, Debug)]
struct NsRecord {
    name: NameBuf,
    /// How much of the name is written out.
    written: usize,
    rest: Rest,
}

/// Where a name goes on.
#[derive(Clone, Copy, Debug)]
enum Rest {
    /// Nowhere: it is written out.
    Nothing,
    /// So many bytes behind the start of the apex.
    Apex(usize),
    /// So many bytes behind the start of the first record.
    Records(usize),
}

/// No pointer leads further into a message than up to here.
const REACH: usize = 1 << 14;

impl NsRecords {
    /// The records of the zone with this apex.
    pub fn new(ns: &Ns, apex: &NameBuf) -> Self {
        let ends = |name: &NameBuf| {
            let wire = name.to_lowercase().as_wire().to_vec();
            let mut starts = vec![0];
            starts.extend(name.labels().scan(0, |at, label| {
                *at += 1 + label.len();
                Some(*at)
            }));
            // The root is no shorter as a pointer.
            starts.pop();
            starts.into_iter().map(move |at| (at, wire[at..].to_vec())).collect::<Vec<_>>()
        };
        let mut known: HashMap<Vec<u8>, Rest> =
            ends(apex).into_iter().map(|(at, end)| (end, Rest::Apex(at))).collect();
        let mut size = 0;
        let record = |name: &NameBuf| {
            let ends = ends(name);
            let found = ends.iter().find_map(|(at, end)| Some((*at, *known.get(end)?)));
            let (written, rest) = found.unwrap_or((name.as_wire().len(), Rest::Nothing));
            for (at, end) in ends.into_iter().take_while(|(at, _)| *at < written) {
                known.insert(end, Rest::Records(size + RECORD_HEAD + at));
            }
            let pointer = if matches!(rest, Rest::Nothing) { 0 } else { 2 };
            size += RECORD_HEAD + written + pointer;
            NsRecord { name: name.clone(), written, rest }
        };
        let records = ns.names.iter().map(record).collect();
        Self { records, ttl: ns.ttl, size }
    }

    /// Appends the records to a message that has the apex `apex` bytes from its start, up to the first
    /// that does not fit: those behind it may point into it.
    pub fn write(&self, section: Section, apex: usize, writer: &mut ResponseWriter<'_>) {
        let start = writer.position();
        let is_in_reach = start + self.size <= REACH;
        for NsRecord { name, written, rest } in &self.records {
            let place = match rest {
                Rest::Apex(at) => Some(apex + at),
                Rest::Records(at) if is_in_reach => Some(start + at),
                Rest::Records(_) | Rest::Nothing => None,
            };
            let pointer = place.map(|place| (0xc000 | place as u16).to_be_bytes());
            let parts = match &pointer {
                Some(pointer) => [&name.as_wire()[..*written], &pointer[..]],
                None => [name.as_wire(), &[]],
            };
            let before = writer.position();
            writer.record(section, apex, Type::NS, Class::IN, self.ttl, &parts);
            if writer.position() == before {
                return;
            }
        }
    }
}
