//! What a client that has an earlier version of a zone is sent (IXFR, RFC 1995 section 4).

use super::journal::Step;
use super::message::MessageWriter;
use super::packed::{Packed, PackedRecord};
use super::stream::{Gone, Outbox};
use super::zone_records::soa_data;
use crate::wire::message::query::split_record;
use crate::wire::{Query, Type};
use crate::zone::Zone;
use std::sync::Arc;

/// The serial that the client has, which stands in the authority section (RFC 1995 section 3); `None` if it says
/// none.
pub(super) fn client_serial(message: &[u8], query: &Query<'_>) -> Option<u32> {
    let (answers, authorities) = (message.get(6..8)?, message.get(8..10)?);
    if answers != [0, 0] || authorities == [0, 0] {
        return None;
    }
    let record = split_record(message.get(query.question_end()..)?)?;
    // Behind two names, which may be compressed, stand five numbers.
    let numbers = record.data.last_chunk::<20>().filter(|_| record.rtype == Type::SOA)?;
    numbers.first_chunk().map(|serial| u32::from_be_bytes(*serial))
}

/// Sends the changes that lead to this version of a zone: none, if the client has it.
pub(super) fn send_changes(
    zone: &Zone,
    steps: &[Arc<Step>],
    writer: MessageWriter,
    outbox: &Outbox,
) -> Result<(), Gone> {
    let soa = soa_data(&zone.soa);
    let mut send = Send { writer, outbox, records: 0 };
    send.record(Type::SOA, zone.soa.ttl, &soa)?;
    let mut steps = steps.iter().peekable();
    let is_current = steps.peek().is_none();
    while let Some(step) = steps.next() {
        let (_, ttl, old_soa) = &step.old_soa;
        send.soa(*ttl, old_soa)?;
        send.all(&step.deleted)?;
        match steps.peek() {
            Some(next) => send.soa(next.old_soa.1, &next.old_soa.2)?,
            None => send.soa(zone.soa.ttl, &soa)?,
        }
        send.all(&step.added)?;
    }
    if !is_current {
        send.soa(zone.soa.ttl, &soa)?;
    }
    outbox.send(send.writer.finish(), send.records, true)
}

struct Send<'o> {
    writer: MessageWriter,
    outbox: &'o Outbox,
    /// In the message at hand.
    records: u64,
}

impl Send<'_> {
    fn soa(&mut self, ttl: u32, data: &[u8]) -> Result<(), Gone> {
        self.writer.owner([&[]; 3]);
        self.record(Type::SOA, ttl, data)
    }

    fn all(&mut self, packed: &Packed) -> Result<(), Gone> {
        packed.records().try_for_each(|PackedRecord { owner, rtype, ttl, data }| {
            self.writer.owner([owner, &[], &[]]);
            self.record(rtype, ttl, data)
        })
    }

    fn record(&mut self, rtype: Type, ttl: u32, data: &[u8]) -> Result<(), Gone> {
        if let Some(full) = self.writer.record(rtype, ttl, data) {
            self.outbox.send(full, self.records, false)?;
            self.records = 0;
        }
        self.records += 1;
        Ok(())
    }
}
