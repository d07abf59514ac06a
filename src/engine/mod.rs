//! What to answer: one function, [`answer`], without sockets, clocks or allocations.
//!
//! UDP, TCP, TLS, tests, fuzzers and benchmarks all call it. A query is parsed
//! ([`crate::wire::Query`]), its zone found ([`crate::zone::Catalog::find`]), its key looked up in
//! the datasets of the zone (`lookup`), and the records are written (`compose`). Usual queries in zones
//! of plain lists take a shorter way with the same answers (`short`).

mod acl;
pub(crate) mod compose;
mod fast;
pub(crate) mod key;
mod lookup;
#[cfg(test)]
mod tests;
pub(crate) mod text;

pub use crate::zone::{Catalog, Counters, Figures, Reason};

use crate::listing::Asker;
use crate::trie::names::PaddedName;
use crate::wire::message::response;
use crate::wire::name::{LabelStarts, copy_lowercase, copy_lowercase_before};
use crate::wire::{
    CLASSIC_UDP, Class, Edns, HEADER, MAX_UDP, Query, Rcode, Reject, ResponseWriter, Type,
};
use crate::zone::ZoneMatch;
use acl::{Restriction, Verdict};
use lookup::{Hit, Lookup, RecordHit};
use std::net::IpAddr;
use std::time::Duration;

/// How a query came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// A datagram: the answer must fit what the client said it can take.
    Udp,
    /// A TCP stream: the answer may be up to 65,535 bytes.
    Tcp,
    /// A TLS stream over TCP (RFC 7858): the same holds.
    Tls,
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

impl Outcome {
    /// The length of the answer, if there is one.
    pub fn bytes(self) -> Option<usize> {
        match self {
            Self::Respond(len) | Self::RespondAfter(len, _) => Some(len),
            Self::Drop => None,
        }
    }
}

/// What changes per query; one per thread, never shared. The buffers in it are reused, so that
/// no query allocates.
#[derive(Debug, Default)]
pub struct WorkerState {
    name: LowerName,
    hits: Vec<Hit>,
    records: Vec<RecordHit>,
    text: text::Text,
    key_text: text::KeyText,
    worker: usize,
    /// The number of the zone asked last.
    recent: u32,
}

impl WorkerState {
    /// The state of the worker with this number, by which it has its own place in all
    /// [`Counters`].
    pub fn new(worker: usize) -> Self {
        Self { worker, ..Self::default() }
    }
}

/// Answers one query: writes the response into `out`, which should hold at least 1232 bytes for
/// UDP and 65,535 for TCP.
#[inline]
pub fn answer(
    catalog: &Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    out: &mut [u8],
) -> Outcome {
    let Some(room) = out.first_chunk_mut() else {
        return answer_any(catalog, state, request, out);
    };
    // In one place, so that none of them has to keep it for the next.
    let mut asked = fast::Attempt { catalog, state, request, out: room };
    let answered = match request.query.get(HEADER) {
        Some(1) if matches!(request.query[HEADER..], [_, _, 1, _, 1, _, 1, _, 1, ..]) => {
            asked.by_ip6().or_else(|| asked.by_ip4())
        }
        Some(1..=3) => asked.by_ip4(),
        _ => None,
    };
    if let Some(len) = answered {
        return Outcome::Respond(len);
    }
    let answered = match catalog.is_for_names(asked.state.recent) {
        true => asked.by_usual_name(),
        false => None,
    };
    match answered.or_else(|| asked.by_name()) {
        Some(len) => Outcome::Respond(len),
        None => answer_any(catalog, asked.state, request, out),
    }
}

/// Answers one query of any kind: the long way, which gives the same as the short one to all that
/// takes that.
#[inline(never)]
pub(crate) fn answer_any(
    catalog: &Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    out: &mut [u8],
) -> Outcome {
    // Not counted, as by rbldnsd: it is also what a socket gives that is shut down.
    if request.query.is_empty() {
        return Outcome::Drop;
    }
    let mut counters = catalog.counters();
    // Whom an access list of the whole server ignores gets no reply to anything at all.
    let mut verdict = Verdict::default();
    verdict.of_client(catalog.acl(), request.client);
    if verdict.restriction == Restriction::Ignore {
        counters.count(state.worker, Reason::Ignored, request.query.len(), 0);
        return Outcome::Drop;
    }
    let (outcome, reason) = match Query::parse_with(request.query, &mut state.name.starts) {
        Ok(query) => respond(catalog, state, request, verdict, &query, &mut counters, out),
        Err(Reject::Drop) => (Outcome::Drop, Reason::Dropped),
        Err(Reject::Malformed) => (header_only(request, out, Rcode::FormErr), Reason::FormErr),
        Err(Reject::Opcode) => (header_only(request, out, Rcode::NotImp), Reason::NotImp),
    };
    let sent = outcome.bytes().unwrap_or(0);
    counters.count(state.worker, reason, request.query.len(), sent);
    outcome
}

/// `counters` becomes those of the zone asked, if there is one.
fn respond<'c>(
    catalog: &'c Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    mut verdict: Verdict<'c>,
    query: &Query<'_>,
    counters: &mut &'c Counters,
    out: &mut [u8],
) -> (Outcome, Reason) {
    let Some(mut writer) =
        ResponseWriter::new(request.query, query, out, limit(request, query.edns))
    else {
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
    state.name.set(query.name);
    let Some(ZoneMatch { zone, compiled, before }) =
        catalog.find(state.name.wire(), state.name.starts(), &mut state.recent)
    else {
        return refuse(writer, Rcode::Refused, Reason::Refused);
    };
    *counters = &zone.counters;
    let is_above_apex = catalog.is_above_apex(state.name.wire());
    let owner_of_zone = state.name.cut(before);
    verdict.of_key(catalog.acl(), &mut state.name, query.qtype);
    verdict.of_client(&zone.acl, request.client);
    verdict.of_key(&zone.acl, &mut state.name, query.qtype);
    if verdict.restriction == Restriction::Ignore {
        return (Outcome::Drop, Reason::Ignored);
    }
    if !zone.is_served(request.now) {
        return refuse(writer, Rcode::ServFail, Reason::ServFail);
    }
    if verdict.restriction == Restriction::Refuse {
        return refuse(writer, Rcode::Refused, Reason::Denied);
    }
    let asker = Asker { now: request.now, has_key: verdict.has_key };
    let lookup = Lookup { zone, name: &state.name, asker, restriction: verdict.restriction };
    let found = lookup.run(&mut state.hits, &mut state.records);
    let exists = found.empty_non_terminal || is_above_apex;
    let value = verdict.value.filter(|_| found.by_acl);
    let client = request.client;
    let reason = compose::Composer {
        zone,
        soa: &compiled.soa,
        ns: &compiled.ns,
        query,
        exists,
        owner_of_zone,
        asker,
        value,
        client,
    }
    .write(state, &mut writer);
    // The SOA record that does not fit into a negative answer makes it no other answer.
    let (rcode, reason) = match reason {
        Reason::NxDomain => (Rcode::NxDomain, reason),
        _ if writer.is_truncated() => (Rcode::NoError, Reason::Truncated),
        _ => (Rcode::NoError, reason),
    };
    let len = writer.finish(rcode, query.class == Class::IN);
    match found.delay {
        Duration::ZERO => (Outcome::Respond(len), reason),
        delay => (Outcome::RespondAfter(len, delay), reason),
    }
}

/// The most bytes that the answer to a query may have.
#[inline]
fn limit(request: &Request<'_>, edns: Option<Edns>) -> usize {
    match (request.transport, edns) {
        (Transport::Tcp | Transport::Tls, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => CLASSIC_UDP,
        (Transport::Udp, Some(edns)) => usize::from(edns.payload).clamp(CLASSIC_UDP, MAX_UDP),
    }
}

fn header_only(request: &Request<'_>, out: &mut [u8], rcode: Rcode) -> Outcome {
    response::header_only(request.query, out, rcode).map_or(Outcome::Drop, Outcome::Respond)
}

/// The name asked, in lower case.
#[derive(Clone, Debug)]
struct LowerName {
    bytes: PaddedName,
    len: usize,
    /// Set when the query is parsed.
    starts: LabelStarts,
}

impl Default for LowerName {
    fn default() -> Self {
        Self { bytes: [0; size_of::<PaddedName>()], len: 1, starts: LabelStarts::default() }
    }
}

impl LowerName {
    /// Takes a name (wire form) whose label starts have been read.
    fn set(&mut self, name: &[u8]) {
        copy_lowercase(name, &mut self.bytes);
        self.len = name.len();
    }

    /// Takes the labels of a message from the start of its question up to `apex`.
    #[inline(always)]
    fn read_before(&mut self, message: &[u8], apex: usize) -> Option<()> {
        let (wire, len) = (message.get(HEADER..)?, apex.checked_sub(HEADER)?);
        self.starts.read_before(wire, len)?;
        copy_lowercase_before(wire, len, &mut self.bytes)?;
        *self.bytes.get_mut(len)? = 0;
        self.len = len + 1;
        Some(())
    }

    #[inline(always)]
    fn wire(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The name, with other bytes behind it.
    #[inline(always)]
    fn padded(&self) -> &PaddedName {
        &self.bytes
    }

    #[inline(always)]
    fn labels(&self) -> usize {
        self.starts.count()
    }

    #[inline(always)]
    fn starts(&self) -> &[u8] {
        self.starts.as_slice()
    }

    /// The last label of a name that was cut.
    fn last_label(&self) -> Option<&[u8]> {
        let start = usize::from(self.starts()[self.labels().checked_sub(1)?]);
        self.bytes.get(start + 1..self.len - 1)
    }

    /// The `count` labels before the last `tail` ones, without a final zero.
    fn labels_before(&self, count: u8, tail: u8) -> &[u8] {
        let end = self.labels().saturating_sub(usize::from(tail));
        let start = end.saturating_sub(usize::from(count));
        &self.bytes[usize::from(self.starts()[start])..usize::from(self.starts()[end])]
    }

    /// Makes the name relative to the zone whose apex follows the first `before` labels, and
    /// gives the position of that apex in the message.
    #[inline(always)]
    fn cut(&mut self, before: usize) -> usize {
        self.starts.truncate(before);
        let apex = usize::from(self.starts.end());
        self.bytes[apex] = 0;
        self.len = apex + 1;
        HEADER + apex
    }
}
