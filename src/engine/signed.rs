//! Signed queries: the signature is checked, and the answer is signed (RFC 8945).

use super::admit::Verdict;
use super::cookie::Cookie;
use super::{Answered, Outcome, QueryType, Reason, Request, WorkerState, general};
use crate::tsig::{Proof, Signer, open};
use crate::wire::{Query, Rcode};
use crate::zone::Catalog;

/// Answers one query of any kind for a server that has keys.
#[inline(never)]
pub(super) fn answer<'c>(
    catalog: &'c Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    verdict: Verdict<'c>,
    cookie: &Cookie,
    out: &mut [u8],
) -> Answered<'c> {
    match open(request.query, catalog.keys(), request.now) {
        Proof::Unsigned => general::answer(catalog, state, request, verdict, cookie, out),
        Proof::Malformed => {
            general::header_only(catalog, request, Rcode::FormErr, Reason::FormErr, out)
        }
        Proof::Refused(refusal) => {
            let len = refusal.answer(request.query, out);
            let outcome = len.map_or(Outcome::Drop, Outcome::Respond);
            let (counters, qtype) = (catalog.counters(), QueryType::Unread);
            Answered { counters, qtype, reason: Reason::NotAuth, outcome }
        }
        Proof::Signed(signer) => {
            let edns = Query::parse(request.query).ok().and_then(|query| query.edns);
            let limit = general::limit(request, edns).min(out.len()).saturating_sub(signer.room());
            let room = &mut out[..limit];
            let unsigned = general::answer(catalog, state, request, verdict, cookie, room);
            Answered { outcome: sign(unsigned.outcome, signer, out, request.now), ..unsigned }
        }
    }
}

/// The outcome with a signature behind the answer.
fn sign(outcome: Outcome, mut signer: Signer, out: &mut [u8], now: u64) -> Outcome {
    let mut sign = |len| signer.sign(out, len, now);
    match outcome {
        Outcome::Respond(len) => sign(len).map_or(Outcome::Drop, Outcome::Respond),
        Outcome::RespondAfter(len, delay) => {
            sign(len).map_or(Outcome::Drop, |len| Outcome::RespondAfter(len, delay))
        }
        Outcome::Drop => Outcome::Drop,
    }
}
