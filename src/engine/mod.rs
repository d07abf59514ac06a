//! What to answer: one function, [`answer`], without sockets, clocks or allocations.
//!
//! UDP, TCP, TLS, tests, fuzzers and benchmarks all call it. A query is parsed
//! ([`crate::wire::Query`]), its zone found ([`crate::zone::Catalog::find`]), its key looked up in
//! the datasets of the zone (`lookup`), and the records are written (`compose`).

mod compose;
mod counters;
mod key;
mod lookup;
#[cfg(test)]
mod tests;
mod text;

pub use crate::zone::Catalog;
pub use counters::{Counters, Reason};

use crate::wire::name::{LabelStarts, MAX_NAME, copy_lowercase};
use crate::wire::{
    CLASSIC_UDP, Class, HEADER, MAX_UDP, Query, Rcode, Reject, ResponseWriter, Type, response,
};
use crate::zone::Route;
use lookup::{Hit, Lookup};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How a query came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// A datagram: the answer must fit what the client said it can take.
    Udp,
    /// A stream: the answer may be up to 65,535 bytes.
    Tcp,
}

/// One query as it came from the network.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The message, without a length prefix.
    pub query: &'a [u8],
    /// The client's address.
    pub client: IpAddr,
    /// How the query came in.
    pub transport: Transport,
    /// The time, in seconds since 1970.
    pub now: u64,
}

/// What to do with a query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Outcome {
    /// Send that many bytes of the buffer.
    Respond(usize),
    /// Send that many bytes of the buffer after this time.
    RespondAfter(usize, Duration),
    /// Send nothing.
    Drop,
}

/// What changes per query; one per thread, never shared. The buffers in it are reused, so that
/// no query allocates.
#[derive(Debug, Default)]
pub struct WorkerState {
    name: LowerName,
    hits: Vec<Hit>,
    text: text::Text,
    key_text: text::KeyText,
    counters: Arc<Counters>,
}

impl WorkerState {
    /// What this worker has counted, to be read by others at any time.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }
}

/// Answers one query: writes the response into `out`, which should hold at least 1232 bytes for
/// UDP and 65,535 for TCP.
pub fn answer(
    catalog: &Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    out: &mut [u8],
) -> Outcome {
    let mut labels = LabelStarts::default();
    let (outcome, reason) = match Query::parse_with(request.query, &mut labels) {
        Ok(query) => respond(catalog, state, request, &query, labels.as_slice(), out),
        Err(Reject::Drop) => (Outcome::Drop, Reason::Dropped),
        Err(Reject::Malformed) => (header_only(request, out, Rcode::FormErr), Reason::FormErr),
        Err(Reject::Opcode) => (header_only(request, out, Rcode::NotImp), Reason::NotImp),
    };
    state.counters.count(reason);
    outcome
}

fn respond(
    catalog: &Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    query: &Query<'_>,
    starts: &[u8],
    out: &mut [u8],
) -> (Outcome, Reason) {
    let limit = match (request.transport, query.edns) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => CLASSIC_UDP,
        (Transport::Udp, Some(edns)) => usize::from(edns.payload).clamp(CLASSIC_UDP, MAX_UDP),
    };
    let Some(mut writer) = ResponseWriter::new(request.query, query, out, limit) else {
        return (Outcome::Drop, Reason::Dropped);
    };
    let refuse = |writer: ResponseWriter<'_>, rcode, reason| {
        (Outcome::Respond(writer.finish(rcode, false)), reason)
    };
    if query.edns.is_some_and(|edns| edns.version != 0) {
        return refuse(writer, Rcode::BadVers, Reason::BadVers);
    }
    if query.class != Class::IN && query.class != Class::ANY {
        return match compose::chaos(catalog, query, &mut writer) {
            true => refuse(writer, Rcode::NoError, Reason::Chaos),
            false => refuse(writer, Rcode::Refused, Reason::Refused),
        };
    }
    if (Type::FIRST_META..Type::ANY).contains(&query.qtype) {
        return refuse(writer, Rcode::NotImp, Reason::NotImp);
    }
    state.name.set(query);
    let Some(Route { zone, soa, before }) = catalog.find(state.name.wire(), starts) else {
        return refuse(writer, Rcode::Refused, Reason::Refused);
    };
    if !zone.is_served(request.now) {
        return refuse(writer, Rcode::ServFail, Reason::ServFail);
    }
    let is_above_apex = catalog.is_above_apex(state.name.wire());
    let starts = &starts[..=before];
    let apex = usize::from(starts[before]);
    state.name.cut(apex);
    let lookup = Lookup { zone, name: state.name.wire(), starts, now: request.now };
    let mut found = lookup.run(&mut state.hits);
    found.empty_non_terminal |= is_above_apex;
    let reason =
        compose::Composer { zone, soa, query, found: &found, starts, owner_of_zone: HEADER + apex }
            .write(state, &mut writer);
    let reason = if writer.is_truncated() { Reason::Truncated } else { reason };
    let rcode = if reason == Reason::NxDomain { Rcode::NxDomain } else { Rcode::NoError };
    let len = writer.finish(rcode, query.class == Class::IN);
    match found.delay {
        Duration::ZERO => (Outcome::Respond(len), reason),
        delay => (Outcome::RespondAfter(len, delay), reason),
    }
}

fn header_only(request: &Request<'_>, out: &mut [u8], rcode: Rcode) -> Outcome {
    response::header_only(request.query, out, rcode).map_or(Outcome::Drop, Outcome::Respond)
}

/// The name asked, in lower case.
#[derive(Clone, Debug)]
struct LowerName {
    bytes: [u8; MAX_NAME + 1],
    len: usize,
}

impl Default for LowerName {
    fn default() -> Self {
        Self { bytes: [0; MAX_NAME + 1], len: 1 }
    }
}

impl LowerName {
    fn set(&mut self, query: &Query<'_>) {
        copy_lowercase(query.name, &mut self.bytes);
        self.len = query.name.len();
    }

    fn wire(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Makes the name relative to the zone whose apex begins at this position.
    fn cut(&mut self, apex: usize) {
        self.bytes[apex] = 0;
        self.len = apex + 1;
    }
}
