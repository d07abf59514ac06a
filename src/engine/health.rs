//! The answers to `_health.ZONE` and `_ready.ZONE`: what a zone says of itself, to load balancers and monitors;
//! and to `_doctor-ANYTHING.ZONE`: which process answers.

use super::Reason;
use crate::wire::message::response::Section;
use crate::wire::{Class, HEADER, Query, Rcode, ResponseWriter, Type};
use crate::zone::{CompiledZone, HealthName, ZoneHealth};
use std::fmt::{self, Write};

/// The time to live of the records, in seconds: who asks wants to know how it is now.
const TTL: u32 = 5;

/// The value of a zone that is ready (RFC 5782 section 5 has it for the test point).
const READY: [u8; 4] = [127, 0, 0, 2];

/// A question for the health of a zone.
pub(super) struct HealthQuestion<'a> {
    pub(super) zone: &'a CompiledZone,
    pub(super) health: &'a ZoneHealth,
    /// The name asked.
    pub(super) name: HealthName,
    pub(super) query: &'a Query<'a>,
    /// Where in the message the name of the zone stands.
    pub(super) owner_of_zone: usize,
}

impl HealthQuestion<'_> {
    /// Writes the records: A `127.0.0.2` if the zone is ready, and a TXT record with a character-string for each
    /// of `state`, `age` (seconds since the oldest of its data changed), `id` and, if something is wrong,
    /// `reason`. The names of `dnsbld doctor` have the address at all times, and `instance`, not to be
    /// remembered. `now` is in seconds since 1970.
    pub(super) fn answer(&self, now: u64, writer: &mut ResponseWriter<'_>) -> Rcode {
        let Self { zone, health, name, query, owner_of_zone } = *self;
        let is_doctor = name == HealthName::Doctor;
        let exists = health.is_ready || name != HealthName::Ready;
        let ttl = if is_doctor { 0 } else { TTL };
        let qtype = query.qtype;
        if exists && writer.wants(qtype, Type::A) && (health.is_ready || is_doctor) {
            writer.record(Section::Answer, HEADER, Type::A, Class::IN, ttl, &[&READY]);
        }
        if exists && writer.wants(qtype, Type::TXT) {
            let strings = if is_doctor { instance(health) } else { strings(health, now) };
            writer.record(Section::Answer, HEADER, Type::TXT, Class::IN, ttl, &[strings.bytes()]);
        }
        if writer.answers() == 0 && !writer.is_truncated() {
            zone.soa.append(Section::Authority, owner_of_zone, writer);
        }
        if exists { Rcode::NoError } else { Rcode::NxDomain }
    }
}

/// The reason why a question for the health is counted, whose answer has this code: it is one about the server
/// itself, unless the name does not exist.
pub(super) fn reason(rcode: Rcode) -> Reason {
    if rcode == Rcode::NxDomain { Reason::NxDomain } else { Reason::Chaos }
}

fn strings(health: &ZoneHealth, now: u64) -> Strings {
    let mut strings = Strings::default();
    strings.add(format_args!("state={}", health.state));
    if let Some(changed) = health.changed {
        strings.add(format_args!("age={}", now.saturating_sub(changed)));
    }
    strings.add(format_args!("id={:016x}", health.content_id));
    if !health.reason.is_empty() {
        strings.add(format_args!("reason={}", health.reason));
    }
    strings
}

fn instance(health: &ZoneHealth) -> Strings {
    let mut strings = Strings::default();
    strings.add(format_args!("instance={:016x}", health.instance));
    strings
}

/// Character-strings of a TXT record (RFC 1035 section 3.3.14), without an allocation.
struct Strings {
    room: [u8; 400],
    len: usize,
    /// Where the length of the last string stands.
    last: usize,
}

impl Default for Strings {
    fn default() -> Self {
        Self { room: [0; 400], len: 0, last: 0 }
    }
}

impl Strings {
    /// Adds a string, cut at 255 bytes and where the room ends.
    fn add(&mut self, text: fmt::Arguments<'_>) {
        if self.len == self.room.len() {
            return;
        }
        self.last = self.len;
        self.room[self.last] = 0;
        self.len += 1;
        // A string that is cut is still one.
        let _ = self.write_fmt(text);
    }

    fn bytes(&self) -> &[u8] {
        &self.room[..self.len]
    }
}

impl Write for Strings {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let used = self.len - self.last - 1;
        let take = text.len().min(255 - used).min(self.room.len() - self.len);
        self.room[self.len..self.len + take].copy_from_slice(&text.as_bytes()[..take]);
        self.len += take;
        self.room[self.last] += take as u8;
        if take == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
pub(super) mod tests;
