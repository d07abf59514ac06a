//! All records of a zone, sent as the sweep finds them.

use super::message::{MAX_DATA, MessageWriter};
use super::stream::{Gone, Outbox};
use crate::dump::default_ttl;
use crate::dump::records::{RecordSink, Records};
use crate::event::TransferRefusal;
use crate::wire::Type;
use crate::zone::sweep::{SweepOptions, SweepSection, sections};
use crate::zone::{Soa, Zone};

/// Why a transfer ends early.
pub(super) enum Stop {
    /// It is refused.
    Refused(TransferRefusal),
    /// The client has gone, or was too slow.
    Gone,
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

/// Sends the records of a zone as they are at `now`, in seconds since 1970: SOA and NS first, SOA once more at the
/// end. To count them before would take as long, and secondaries do not wait for so long. A zone of too many records is
/// refused when there are too many: an error in any message ends a transfer (RFC 5936 section 2.2). Gives the last
/// message, which is still to be sent, and the number of its records.
pub(super) fn send(
    zone: &Zone,
    now: u64,
    writer: MessageWriter,
    outbox: &Outbox,
) -> Result<(Vec<u8>, u64), Stop> {
    let max = zone.transfer.max_records;
    let mut send = Send { writer, outbox, section: Vec::new(), records: 0, left: max, max };
    let soa = soa_data(&zone.soa);
    send.record(Type::SOA, zone.soa.ttl, &soa)?;
    for name in &zone.ns.names {
        send.record(Type::NS, zone.ns.ttl, name.as_wire())?;
    }
    walk(zone, now, &mut send, |send, labels| send.section = labels.to_vec())?;
    send.writer.owner([&[]; 3]);
    send.record(Type::SOA, zone.soa.ttl, &soa)?;
    Ok((send.writer.finish(), send.records))
}

struct Send<'o> {
    writer: MessageWriter,
    outbox: &'o Outbox,
    /// The labels of the apex of the section before that of the zone.
    section: Vec<u8>,
    /// In the message at hand.
    records: u64,
    /// How many more there may be.
    left: u64,
    max: u64,
}

impl Send<'_> {
    fn record(&mut self, rtype: Type, ttl: u32, data: &[u8]) -> Result<(), Stop> {
        if data.len() > MAX_DATA {
            return Err(Stop::Refused(TransferRefusal::LongRecord));
        }
        let too_many = Stop::Refused(TransferRefusal::TooManyRecords { max: self.max });
        self.left = self.left.checked_sub(1).ok_or(too_many)?;
        if let Some(full) = self.writer.record(rtype, ttl, data) {
            self.outbox.send(full, self.records, false)?;
            self.records = 0;
        }
        self.records += 1;
        Ok(())
    }
}

impl RecordSink for Send<'_> {
    type Error = Stop;

    fn owner(&mut self, name: &[u8], is_wildcard: bool) {
        let star = if is_wildcard { &b"\x01*"[..] } else { &[] };
        let (_, labels) = name.split_last().unwrap_or((&0, &[]));
        self.writer.owner([star, labels, &self.section]);
    }

    fn record(&mut self, rtype: Type, ttl: u32, data: &[u8]) -> Result<(), Stop> {
        Send::record(self, rtype, ttl, data)
    }
}

/// Gives the records of all sections of a zone; `enter` gets the labels of the apex of each before that of the
/// zone.
fn walk<S: RecordSink<Error = Stop>>(
    zone: &Zone,
    now: u64,
    sink: &mut S,
    enter: impl Fn(&mut S, &[u8]),
) -> Result<(), Stop> {
    let options = SweepOptions { now, ip4_in_ip6: false };
    let sections = sections(zone, options)
        .map_err(|unswept| Stop::Refused(TransferRefusal::Unswept(unswept)))?;
    let ttl = default_ttl(zone);
    for section in sections.map(SweepSection::with_whole_blocks) {
        enter(sink, section.apex().labels_before(&zone.apex).unwrap_or_default());
        section.nodes(&mut Records::new(&section, ttl, sink))?;
    }
    Ok(())
}

/// The data of a SOA record (RFC 1035 section 3.3.13).
pub(super) fn soa_data(soa: &Soa) -> Vec<u8> {
    let mut data = [soa.mname.as_wire(), soa.rname.as_wire()].concat();
    for number in [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum] {
        data.extend(number.to_be_bytes());
    }
    data
}
