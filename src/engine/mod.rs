//! What to answer: one function, [`answer`], without sockets, clocks or allocations.
//!
//! UDP, TCP, TLS, tests, fuzzers and benchmarks all call it. Its stages:
//!
//! 0. `cookie`, where cookies are on: what those of the query prove;
//! 1. `admit`: limits and access lists of the server, which can cut an answer short or ignore a client;
//! 2. the first parse ([`ParsedQuestion`]), which all queries share;
//! 3. `fast`, for usual questions in zones of lists, or else `general`: both find the zone in the
//!    [`Catalog`] and look the key up by [`crate::zone::lookup`]; `general` has `compose` write the
//!    records;
//! 4. `done`: the counters.
//!
//! Of a server with keys, `signed` stands around `general`: it checks signatures, and signs.

mod admit;
pub(crate) mod compose;
mod cookie;
mod distinct;
mod fast;
mod general;
mod health;
mod limit;
mod score;
mod signed;
#[cfg(test)]
mod tests;
pub(crate) mod text;

pub use crate::zone::{Catalog, Counters, Figures, MAX_VALUES, QueryType, Reason, Values};

use crate::wire::cookie::CookieOption;
use crate::wire::name::LowerName;
use crate::wire::{CLASSIC_UDP, Edns, ParsedQuestion};
use crate::zone::lookup::Match;
use admit::{Admission, Verdict, admit};
use compose::RecordMatch;
use cookie::Cookie;
use fast::Attempt;
use limit::Limiter;
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

impl Transport {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
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
    /// Empty between queries.
    matches: Vec<Match<'static>>,
    records: Vec<RecordMatch<'static>>,
    text: text::Text,
    /// Room for a template that is kept in pieces.
    template: Vec<u8>,
    distinct: distinct::Distinct,
    key_text: text::KeyText,
    several: fast::several::Several,
    limiter: Limiter,
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

/// What became of a query, for those who count and log.
#[derive(Clone, Copy, Debug)]
struct Answered<'c> {
    /// Where it counts: of the zone asked, or of the server.
    counters: &'c Counters,
    qtype: QueryType,
    reason: Reason,
    outcome: Outcome,
}

impl<'c> Answered<'c> {
    /// A query that was not read and gets no answer.
    fn dropped(counters: &'c Counters, reason: Reason) -> Self {
        Self { counters, qtype: QueryType::Unread, reason, outcome: Outcome::Drop }
    }
}

/// Answers one query: writes the response into `out`, which should hold at least 1232 bytes for
/// UDP and 65,535 for TCP and TLS.
#[inline]
pub fn answer(
    catalog: &Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    out: &mut [u8],
) -> Outcome {
    match catalog.cookies() {
        None => answer_by::<true>(catalog, state, request, &Cookie::None, out),
        Some(cookies) => answer_with(&Cookie::of(cookies, request), catalog, state, request, out),
    }
}

/// Apart, so that the usual case has no instruction for cookies.
#[inline(never)]
fn answer_with(
    cookie: &Cookie,
    catalog: &Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    out: &mut [u8],
) -> Outcome {
    answer_by::<true>(catalog, state, request, cookie, out)
}

/// The stages of a query. `FAST` is false for tests of the general path alone.
#[inline(always)]
fn answer_by<const FAST: bool>(
    catalog: &Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    cookie: &Cookie,
    out: &mut [u8],
) -> Outcome {
    let verdict = match admit(catalog, &mut state.limiter, request, cookie) {
        Admission::Ignored => {
            let ignored = Answered::dropped(catalog.counters(), Reason::Ignored);
            return done(state, request, ignored);
        }
        Admission::Restricted(verdict) => verdict,
        Admission::Open => {
            if FAST
                && cookie.is_accepted()
                && let Some(question) = ParsedQuestion::read(request.query)
                && has_room(question.edns, cookie)
                && let Some(room) = out.first_chunk_mut()
            {
                let (counters, reason) = (catalog.counters(), Reason::Dropped);
                let mut attempt =
                    Attempt { catalog, state, request, question, out: room, counters, reason };
                if let Some(len) = attempt.answer() {
                    let (counters, reason) = (attempt.counters, attempt.reason);
                    let len = match cookie.option() {
                        Some(option) => append(option, out, len),
                        None => len,
                    };
                    let (qtype, outcome) = (QueryType::of(question.qtype), Outcome::Respond(len));
                    return done(state, request, Answered { counters, qtype, reason, outcome });
                }
            }
            Verdict::default()
        }
    };
    let answered = match catalog.keys().are_configured() {
        false => general::answer(catalog, state, request, verdict, cookie, out),
        true => signed::answer(catalog, state, request, verdict, cookie, out),
    };
    // As by rbldnsd, an empty message is not counted: a socket that is shut down gives one, too.
    if request.query.is_empty() {
        return Outcome::Drop;
    }
    done(state, request, answered)
}

/// True if a client that takes the answers of the fast path takes them with cookies, too.
#[inline(always)]
fn has_room(edns: Option<Edns>, cookie: &Cookie) -> bool {
    match (cookie.option(), edns) {
        (None, _) => true,
        (Some(option), Some(edns)) => usize::from(edns.payload) >= CLASSIC_UDP + option.len(),
        (Some(_), None) => false,
    }
}

/// Appends an option to a message of this length that ends in an OPT record without options; gives its length then.
fn append(option: &CookieOption, out: &mut [u8], len: usize) -> usize {
    let end = len + option.len();
    let rest = len.checked_sub(2).and_then(|size_at| out.get_mut(size_at..end));
    let Some((size, data)) = rest.and_then(|rest| rest.split_first_chunk_mut()) else { return len };
    *size = (option.len() as u16).to_be_bytes();
    data.copy_from_slice(option);
    end
}

/// The stage behind all others: counts the query.
#[inline(always)]
fn done(state: &WorkerState, request: &Request<'_>, answered: Answered<'_>) -> Outcome {
    let Answered { counters, qtype, reason, outcome } = answered;
    let (bytes_in, bytes_out) = (request.query.len(), outcome.bytes().unwrap_or(0));
    counters.count(state.worker, qtype, reason, bytes_in, bytes_out);
    outcome
}
