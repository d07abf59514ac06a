//! What is asked, in which zone, and how it is answered when that is known.

use crate::engine::compose::has_text;
use crate::engine::{Reason, Request};
use crate::listing::AnswerId;
use crate::wire::message::query::are_options;
use crate::wire::message::response::single::Room;
use crate::wire::message::response::{Section, record_head};
use crate::wire::{Class, Edns, HEADER, Rcode, SingleReply, Type};
use crate::zone::{Catalog, CompiledZone, Dataset, NEGATIVE_ROOM};
use std::net::Ipv4Addr;

/// The question of a usual query, and what stands around it.
#[derive(Clone, Copy)]
pub(super) struct Question<'q> {
    pub(super) qtype: Type,
    pub(super) reply: SingleReply<'q>,
    /// The size of the message, in bytes.
    pub(super) size: usize,
}

impl<'q> Question<'q> {
    /// Reads all of a message but the name, which has been found to end at `end`. `None` if the message
    /// is not a usual query.
    #[inline(always)]
    pub(super) fn read(message: &'q [u8], end: usize) -> Option<Self> {
        let header = message.first_chunk::<HEADER>()?;
        // A query (RFC 1035 section 4.1.1) with one question; behind that there may be one record.
        let additional = u64::from_be_bytes(*header.last_chunk()?) ^ 1 << 48;
        if header[2] & 0xf8 != 0 || additional > 1 {
            return None;
        }
        let (question, rest) = message.split_at_checked(end + 4)?;
        let fixed = u32::from_be_bytes(*question.last_chunk()?);
        let (qtype, class) = (Type((fixed >> 16) as u16), Class(fixed as u16));
        if class != Class::IN || (Type::FIRST_META..=Type::ANY).contains(&qtype) {
            return None;
        }
        let edns = if additional == 0 { None } else { Some(read_opt(rest)?) };
        Some(Self { qtype, reply: SingleReply { question, edns }, size: message.len() })
    }
}

impl Question<'_> {
    #[inline(always)]
    fn a(&self, dataset: &Dataset, a: Ipv4Addr, out: &mut Room) -> Option<usize> {
        let room: &mut [u8; HEAD + 4] = self.reply.room(out)?;
        let head = record_head(HEADER, Type::A, Class::IN, dataset.ttl, 4);
        room[..HEAD].copy_from_slice(&head);
        room[HEAD..].copy_from_slice(&a.octets());
        self.reply.finish(out, HEAD + 4, Rcode::NoError, Section::Answer)
    }

    #[inline(always)]
    fn txt(
        &self,
        dataset: &Dataset,
        template: &[u8],
        text: impl FnOnce(&[u8], &Dataset, &mut [u8]) -> Option<usize>,
        out: &mut Room,
    ) -> Option<usize> {
        // One character-string (RFC 1035 section 3.3).
        let room: &mut [u8; HEAD + 256] = self.reply.room(out)?;
        let len = text(template, dataset, &mut room[HEAD + 1..])?;
        let head = record_head(HEADER, Type::TXT, Class::IN, dataset.ttl, len as u16 + 1);
        room[..HEAD].copy_from_slice(&head);
        room[HEAD] = len as u8;
        self.reply.finish(out, HEAD + 1 + len, Rcode::NoError, Section::Answer)
    }
}

/// Reads an OPT record of the version we know (RFC 6891 section 6.1).
#[inline(always)]
fn read_opt(record: &[u8]) -> Option<Edns> {
    let (fixed, data) = record.split_first_chunk::<11>()?;
    let size = u16::from_be_bytes([fixed[9], fixed[10]]);
    if fixed[..3] != [0, 0, Type::OPT.0 as u8] || fixed[6] != 0 {
        return None;
    }
    if size != 0 && !are_options(data.get(..usize::from(size))?) {
        return None;
    }
    let payload = u16::from_be_bytes([fixed[3], fixed[4]]);
    Some(Edns { payload, version: 0, dnssec_ok: fixed[7] & 0x80 != 0 })
}

/// Where a name belongs to that is asked in a zone of plain lists which is served.
pub(super) struct ParsedQuestion<'a> {
    pub(super) compiled: &'a CompiledZone,
    /// Where the apex stands in the message, and the name ends.
    pub(super) apex: usize,
    pub(super) end: usize,
}

/// What a name is in a zone.
#[derive(Clone, Copy)]
pub(super) struct SingleHit<'a> {
    /// It exists even if it is not listed.
    pub(super) exists: bool,
    /// The dataset that lists it, or any.
    pub(super) dataset: &'a Dataset,
    /// The number of its answer; that of none if it is not listed.
    pub(super) answer: AnswerId,
}

impl<'a> ParsedQuestion<'a> {
    /// Reads the name of a query, which goes on with the apex of a zone at `apex`, if it does, and if
    /// `is_usual` says of that zone that it can be answered here. `recent` is the number of the zone
    /// asked last.
    #[inline(always)]
    pub(super) fn read(
        catalog: &'a Catalog,
        request: &Request<'_>,
        apex: usize,
        recent: &mut u32,
        is_usual: impl FnOnce(&CompiledZone) -> bool,
    ) -> Option<Self> {
        let (compiled, end) = catalog.read_apex(request.query, apex, recent)?;
        let is_served = is_usual(compiled) && request.now <= compiled.expires;
        is_served.then_some(Self { compiled, apex, end })
    }

    /// Reads what stands behind the name, answers and counts. `text` writes out the text of a template
    /// to the start of the room there is, and gives its length.
    ///
    /// What is behind the name is read this late so that it need not be kept while a listing is asked.
    #[inline(always)]
    pub(super) fn answer(
        &self,
        worker: usize,
        message: &[u8],
        out: &mut Room,
        found: SingleHit<'_>,
        text: impl FnOnce(&[u8], &Dataset, &mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let question = Question::read(message, self.end)?;
        let SingleHit { exists, dataset, answer } = found;
        let (reason, len) = if answer.is_listed() {
            // They stand behind the answer.
            if self.compiled.shows_ns {
                return None;
            }
            let (a, template) = dataset.answers.only_value(answer)?;
            match question.qtype {
                Type::A => (Reason::Answered, question.a(dataset, a, out)?),
                Type::TXT if has_text(template, &dataset.vars) => {
                    (Reason::Answered, question.txt(dataset, template, text, out)?)
                }
                _ => (Reason::NoData, self.negative(&question, Rcode::NoError, out)?),
            }
        } else if exists {
            (Reason::NoData, self.negative(&question, Rcode::NoError, out)?)
        } else {
            (Reason::NxDomain, self.negative(&question, Rcode::NxDomain, out)?)
        };
        self.compiled.counters.count(worker, reason, question.size, len);
        Some(len)
    }

    #[inline(always)]
    fn negative(&self, question: &Question<'_>, rcode: Rcode, out: &mut Room) -> Option<usize> {
        let room: &mut [u8; NEGATIVE_ROOM] = question.reply.room(out)?;
        let size = self.compiled.soa.write_negative(self.apex, room)?;
        question.reply.finish(out, size, rcode, Section::Authority)
    }
}

/// What stands before the data of a record, in bytes.
const HEAD: usize = 12;
