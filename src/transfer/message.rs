//! Records packed into the messages of a transfer (RFC 5936 section 2.2).

use crate::wire::message::response::opt_record;
use crate::wire::name::Labels;
use crate::wire::{Class, HEADER, Query, Rcode, Type};

/// A message is closed once it has so many bytes: up to here, pointers reach every name in it (RFC 1035 section
/// 4.1.4), and who reads slowly keeps no more than a few of them waiting.
const FULL: usize = 1 << 14;

/// The longest message with its records and OPT: what is left of 65,535 bytes is for a signature.
const MAX_MESSAGE: usize = u16::MAX as usize - 512;

/// The code of the option for extended errors.
const EXTENDED_ERROR: u8 = 15;

/// The longest data of a record that fits into a message with its owner and the question.
pub(super) const MAX_DATA: usize = MAX_MESSAGE - 1024;

/// An extended error (RFC 8914): its code, and what people are told.
pub(super) struct ExtendedError {
    pub(super) code: u16,
    pub(super) text: String,
}

/// The answer to a query for a transfer that is refused, with a reason if the client knows EDNS.
pub(super) fn refusal(
    message: &[u8],
    query: &Query<'_>,
    rcode: Rcode,
    why: &ExtendedError,
) -> Vec<u8> {
    let mut writer = MessageWriter::new(message, query);
    writer.bytes[3] = rcode as u8;
    if let [.., high, low] = &mut writer.opt[..] {
        let size = 2 + why.text.len();
        [*high, *low] = (4 + size as u16).to_be_bytes();
        writer.opt.extend([0, EXTENDED_ERROR, (size >> 8) as u8, size as u8]);
        writer.opt.extend(why.code.to_be_bytes());
        writer.opt.extend(why.text.bytes());
    }
    writer.finish()
}

/// Writes one message after the other. Each repeats the question, whose name is the apex of the zone: owners
/// point to it.
pub(super) struct MessageWriter {
    /// Header and question, which each message begins with.
    head: Vec<u8>,
    /// The OPT record that each message ends with; empty if the client has sent none.
    opt: Vec<u8>,
    bytes: Vec<u8>,
    answers: u16,
    /// The owner of the records to come, relative to the zone and without a final zero.
    owner: Vec<u8>,
    /// The owner of the record written last.
    last: Vec<u8>,
    /// Where each label of it stands, and in the message: that of the first label first.
    places: Vec<(usize, u16)>,
}

impl MessageWriter {
    /// For the answer to `query`, whose bytes are `message`.
    pub(super) fn new(message: &[u8], query: &Query<'_>) -> Self {
        let mut head = message[..query.question_end()].to_vec();
        // A response with authority, opcode and RD as in the query.
        head[2] = 0x84 | head[2] & 0x79;
        head[3] = 0;
        head[4..HEADER].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, query.edns.is_some().into()]);
        let opt = query.edns.map_or_else(Vec::new, |edns| opt_record(edns, Rcode::NoError).into());
        let bytes = head.clone();
        let (owner, last, places) = (Vec::new(), Vec::new(), Vec::new());
        Self { head, opt, bytes, answers: 0, owner, last, places }
    }

    /// The records to come are of the name with these labels before the apex.
    pub(super) fn owner(&mut self, parts: [&[u8]; 3]) {
        self.owner.clear();
        parts.iter().for_each(|part| self.owner.extend_from_slice(part));
    }

    /// Adds a record, whose data has at most [`MAX_DATA`] bytes. Gives the message before it, if that is full.
    pub(super) fn record(&mut self, rtype: Type, ttl: u32, data: &[u8]) -> Option<Vec<u8>> {
        // The owner and a pointer; type, class, TTL and the length of the data.
        let most = self.owner.len() + 2 + 10 + data.len();
        let is_full = self.answers > 0 && self.bytes.len() + most + self.opt.len() > FULL;
        let full = is_full.then(|| self.finish());
        self.write_owner();
        self.bytes.extend(rtype.0.to_be_bytes());
        self.bytes.extend(Class::IN.0.to_be_bytes());
        self.bytes.extend(ttl.to_be_bytes());
        self.bytes.extend((data.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(data);
        self.answers += 1;
        full
    }

    /// Closes the message and begins the next one.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let mut message = std::mem::replace(&mut self.bytes, self.head.clone());
        message[6..8].copy_from_slice(&self.answers.to_be_bytes());
        message.extend_from_slice(&self.opt);
        (self.answers, self.last) = (0, Vec::new());
        self.places.clear();
        message
    }

    /// Writes the labels that the owner does not share with the one before, and a pointer to the rest.
    fn write_owner(&mut self) {
        let (mut at, mut remaining) = (0, Labels::of(&self.owner).count());
        let mut places = Vec::with_capacity(remaining);
        let rest = loop {
            let Some(label) = self.owner.get(at..).filter(|rest| !rest.is_empty()) else {
                break HEADER as u16;
            };
            let other = self.places.len().checked_sub(remaining).map(|index| self.places[index]);
            if let Some((_, place)) = other.filter(|&(start, _)| self.last[start..] == *label) {
                break place;
            }
            places.push((at, self.bytes.len() as u16));
            let end = 1 + usize::from(label[0]);
            self.bytes.extend_from_slice(&label[..end]);
            (at, remaining) = (at + end, remaining - 1);
        };
        self.bytes.extend((0xc000 | rest).to_be_bytes());
        let (shared, ends) = (self.places.len() - remaining, self.last.len());
        let moved = |&(start, place): &(usize, u16)| (self.owner.len() + start - ends, place);
        places.extend(self.places[shared..].iter().map(moved));
        self.places = places;
        self.last.clone_from(&self.owner);
    }
}
