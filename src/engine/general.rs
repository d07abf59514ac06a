//! The general path: any message, any zone. For what the fast path takes, its answers are the same.

use super::admit::{Restriction, Verdict};
use super::compose::{self, Composer, RecordMatch};
use super::cookie::{self, Cookie};
use super::health::{self, HealthQuestion};
use super::score::Score;
use super::{Answered, Outcome, QueryType, Reason, Request, Transport, WorkerState};
use crate::listing::Asker;
use crate::listing::records::NameRecords;
use crate::wire::message::response;
use crate::wire::{
    CLASSIC_UDP, Class, Edns, ExtendedError, HEADER, MAX_UDP, Query, Rcode, Reject, ResponseWriter,
    Type,
};
use crate::zone::key::TestPoint;
use crate::zone::lookup::{Found, Match, View, Weighed, is_at_or_above_subzone, views};
use crate::zone::{
    Catalog, CompiledZone, Counters, Dataset, HealthName, Overrides, Scoring, Unlisted, ZoneMatch,
};
use std::mem;
use std::time::Duration;

/// Answers one query of any kind. `verdict` is what limits and access lists of the server say of the client.
#[inline(never)]
pub(super) fn answer<'c>(
    catalog: &'c Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    verdict: Verdict<'c>,
    cookie: &Cookie,
    out: &mut [u8],
) -> Answered<'c> {
    match Query::parse_with(request.query, |wire| state.name.read(wire)) {
        Ok(_) if matches!(cookie, Cookie::Malformed) => {
            header_only(catalog, request, Rcode::FormErr, Reason::FormErr, out)
        }
        Ok(query) => respond(catalog, state, request, verdict, cookie, &query, out),
        Err(Reject::Drop) => Answered::dropped(catalog.counters(), Reason::Dropped),
        Err(Reject::Malformed) => match cookie::answer_alone(catalog, request, out) {
            Some((len, reason)) => {
                let (counters, outcome) = (catalog.counters(), Outcome::Respond(len));
                Answered { counters, qtype: QueryType::Unread, reason, outcome }
            }
            None => header_only(catalog, request, Rcode::FormErr, Reason::FormErr, out),
        },
        Err(Reject::Opcode) => header_only(catalog, request, Rcode::NotImp, Reason::NotImp, out),
    }
}

/// Answers a query that was not read.
pub(super) fn header_only<'c>(
    catalog: &'c Catalog,
    request: &Request<'_>,
    rcode: Rcode,
    reason: Reason,
    out: &mut [u8],
) -> Answered<'c> {
    let len = response::header_only(request.query, out, rcode);
    let outcome = len.map_or(Outcome::Drop, Outcome::Respond);
    let (counters, qtype) = (catalog.counters(), QueryType::Unread);
    Answered { counters, qtype, reason, outcome }
}

/// Answers a query whose name is in `state`.
fn respond<'c>(
    catalog: &'c Catalog,
    state: &mut WorkerState,
    request: &Request<'_>,
    mut verdict: Verdict<'c>,
    cookie: &Cookie,
    query: &Query<'_>,
    out: &mut [u8],
) -> Answered<'c> {
    let mut counters = catalog.counters();
    let qtype = QueryType::of(query.qtype);
    let limit = limit(request, query.edns);
    let Some(mut writer) = ResponseWriter::new(request.query, query, out, limit) else {
        return Answered::dropped(counters, Reason::Dropped);
    };
    if let Some(option) = cookie.option() {
        writer.add_cookie(option);
    }
    // The source of a datagram may be forged: it gets no more than it needs (RFC 8482).
    if query.qtype == Type::ANY && catalog.minimal_any() && request.transport == Transport::Udp {
        writer.minimize_any();
    }
    let refuse = |counters, writer: ResponseWriter<'_>, rcode, reason| {
        let outcome = Outcome::Respond(writer.finish(rcode, false));
        Answered { counters, qtype, reason, outcome }
    };
    if query.edns.is_some_and(|edns| edns.version != 0) {
        return refuse(counters, writer, Rcode::BadVers, Reason::BadVers);
    }
    // A dry run counts what would be cut short here, and nothing else.
    let worker = state.worker;
    let is_truncated = |verdict: &Verdict<'_>, counters: &Counters| {
        if verdict.is_spared && verdict.restriction < Restriction::Truncate {
            counters.count_spared(worker);
        }
        verdict.restriction == Restriction::Truncate
    };
    let explain = |writer: &mut ResponseWriter<'_>, error| {
        if catalog.explains() {
            writer.explain(error);
        }
    };
    let truncate = |counters, mut writer: ResponseWriter<'_>| {
        writer.leave_out();
        explain(&mut writer, ExtendedError::RateLimited);
        refuse(counters, writer, Rcode::NoError, Reason::RateLimited)
    };
    if query.class != Class::IN && query.class != Class::ANY {
        if is_truncated(&verdict, counters) {
            return truncate(counters, writer);
        }
        return match compose::chaos(catalog, query, &mut writer) {
            true => refuse(counters, writer, Rcode::NoError, Reason::Chaos),
            false => refuse(counters, writer, Rcode::Refused, Reason::Refused),
        };
    }
    if [Type::AXFR, Type::IXFR].contains(&query.qtype) && catalog.offers_transfers() {
        // Who may have the zone, and asks over a stream, does not come here.
        return match catalog.zone(query.name) {
            // Over UDP, a client learns from the serial whether to come by a stream (RFC 1995 section 4).
            Some(_) if query.qtype == Type::IXFR && request.transport == Transport::Udp => {
                let query = Query { qtype: Type::SOA, ..*query };
                respond(catalog, state, request, verdict, cookie, &query, out)
            }
            Some(zone) => refuse(&zone.counters, writer, Rcode::Refused, Reason::Denied),
            None => refuse(counters, writer, Rcode::NotAuth, Reason::NotAuth),
        };
    }
    if (Type::FIRST_META..Type::ANY).contains(&query.qtype) {
        return refuse(counters, writer, Rcode::NotImp, Reason::NotImp);
    }
    let (wire, starts) = (state.name.wire(), state.name.starts());
    let Some(ZoneMatch { zone, compiled, before }) = catalog.find(wire, starts, &mut state.recent)
    else {
        return refuse(counters, writer, Rcode::Refused, Reason::Refused);
    };
    counters = &zone.counters;
    let is_above_apex = catalog.is_above_apex(wire);
    let owner_of_zone = state.name.cut(before);
    verdict.of_key(catalog.acl(), &mut state.name, query.qtype);
    verdict.of_client(&compiled.acl, request.client);
    verdict.of_key(&compiled.acl, &mut state.name, query.qtype);
    if verdict.restriction == Restriction::Ignore {
        return Answered { counters, qtype, reason: Reason::Ignored, outcome: Outcome::Drop };
    }
    if is_truncated(&verdict, counters) {
        return truncate(counters, writer);
    }
    if !cookie.is_accepted() {
        return refuse(counters, writer, Rcode::BadCookie, Reason::BadCookie);
    }
    if let Some(health) = &compiled.health {
        writer.identify(|| health.content_digits());
        if let Some(name) = HealthName::of(&state.name)
            && verdict.restriction != Restriction::Refuse
        {
            let question = HealthQuestion { zone: compiled, health, name, query, owner_of_zone };
            let rcode = question.answer(request.now, &mut writer);
            let outcome = Outcome::Respond(writer.finish(rcode, true));
            return Answered { counters, qtype, reason: health::reason(rcode), outcome };
        }
    }
    if !zone.is_served(request.now) {
        explain(&mut writer, ExtendedError::NotReady);
        return refuse(counters, writer, Rcode::ServFail, Reason::ServFail);
    }
    if !compiled.quotas.is_empty() && verdict.restriction < Restriction::Refuse {
        if verdict.of_quotas(compiled, zone.apex.as_wire(), request) {
            explain(&mut writer, ExtendedError::OverQuota);
        }
        if verdict.restriction == Restriction::Ignore {
            return Answered { counters, qtype, reason: Reason::Ignored, outcome: Outcome::Drop };
        }
    }
    if verdict.restriction == Restriction::Refuse {
        explain(&mut writer, ExtendedError::Prohibited);
        return refuse(counters, writer, Rcode::Refused, Reason::Denied);
    }
    let asker = Asker { now: request.now, has_key: verdict.has_key };
    let mut findings = Findings {
        matches: mem::take(&mut state.matches),
        records: mem::take(&mut state.records),
        score: None,
        exists: is_above_apex,
        by_acl: false,
        delay: Duration::ZERO,
    };
    findings.look_up(compiled, state, verdict.restriction, asker, catalog.overrides());
    let Findings { matches, records, score, exists, by_acl, delay } = findings;
    let value = verdict.value.filter(|_| by_acl);
    let is_nothing = matches.is_empty() && records.is_empty() && value.is_none() && !exists;
    if is_nothing && owner_of_zone != HEADER && compiled.unlisted == Some(Unlisted::ServFail) {
        explain(&mut writer, ExtendedError::NotReady);
        return refuse(counters, writer, Rcode::ServFail, Reason::ServFail);
    }
    if verdict.restriction != Restriction::Pass {
        explain(&mut writer, ExtendedError::Prohibited);
    } else if zone.says_stale {
        explain(&mut writer, ExtendedError::StaleAnswer);
    }
    let composer = Composer {
        zone: compiled,
        query,
        matches: &matches,
        records: &records,
        score,
        exists,
        owner_of_zone,
        asker,
        value,
        client: request.client,
    };
    let reason = composer.write(state, &mut writer);
    state.matches = emptied(matches);
    state.records = emptied(records);
    // A negative answer stays one without the SOA record that does not fit.
    let (rcode, reason) = match reason {
        Reason::NxDomain => (Rcode::NxDomain, reason),
        _ if writer.is_truncated() => (Rcode::NoError, Reason::Truncated),
        _ => (Rcode::NoError, reason),
    };
    let len = writer.finish(rcode, query.class == Class::IN);
    let outcome = match delay {
        Duration::ZERO => Outcome::Respond(len),
        delay => Outcome::RespondAfter(len, delay),
    };
    Answered { counters, qtype, reason, outcome }
}

/// The memory of a vector, for items that borrow something else.
fn emptied<T, U>(mut items: Vec<T>) -> Vec<U> {
    items.clear();
    // Collecting in place keeps the memory: no query allocates.
    items.into_iter().filter_map(|_| None).collect()
}

/// The most bytes that the answer to a query may have.
pub(super) fn limit(request: &Request<'_>, edns: Option<Edns>) -> usize {
    match (request.transport, edns) {
        (Transport::Tcp | Transport::Tls, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => CLASSIC_UDP,
        (Transport::Udp, Some(edns)) => usize::from(edns.payload).clamp(CLASSIC_UDP, MAX_UDP),
    }
}

/// How long the answer waits for a match; `None` if it has no value for who asks.
fn wait(found: &Match<'_>, asker: Asker) -> Option<Duration> {
    if !found.dataset.answers.has_gates() {
        return Some(Duration::ZERO);
    }
    let mut values = found.answer().values_for(asker).peekable();
    values.peek()?;
    Some(values.filter_map(|value| value.gate?.pass(asker)).fold(Duration::ZERO, Duration::max))
}

/// What a name is in a zone.
struct Findings<'z> {
    /// The lists that have it, and give it to who asks.
    matches: Vec<Match<'z>>,
    /// The ordinary records it has.
    records: Vec<RecordMatch<'z>>,
    /// What these lists make together in a verdict zone.
    score: Option<Score<'z>>,
    /// The name exists; said only where it has no matches and no records.
    exists: bool,
    /// The name is a key of some list, and an access list has the value for all of them.
    by_acl: bool,
    /// The reply waits this long.
    delay: Duration,
}

impl<'z> Findings<'z> {
    /// Looks up the name in `state`, which is relative to the zone.
    fn look_up(
        &mut self,
        zone: &'z CompiledZone,
        state: &WorkerState,
        restriction: Restriction,
        asker: Asker,
        overrides: &Overrides,
    ) {
        let name = &state.name;
        if name.labels() == 0 && asker.has_key {
            // The key alone: the names that can be asked with it lie below.
            self.exists |= restriction != Restriction::Empty;
            return;
        }
        let (mut listed, mut test_match) = (false, None);
        for view in views(zone, name) {
            self.look_up_records(&view);
            if view.labels().is_empty() {
                continue;
            }
            if restriction != Restriction::Pass {
                self.restrict(&view, restriction);
                continue;
            }
            let note = |found: &Match<'_>, allow: &Dataset| {
                let sender = found.key.sender(view.labels());
                overrides.note(state.worker, found.dataset, allow, sender, asker.now);
            };
            let found = match &zone.scoring {
                Some(scoring) => self.weigh(&view, scoring, asker, note),
                None => view.lookup(|found| {
                    if let Some(allow) = self.take(found, asker) {
                        note(&found, allow);
                    }
                }),
            };
            self.exists |= found.empty_non_terminal;
            if !found.listed
                && zone.scoring.is_none()
                && view.test_point == Some(TestPoint::AlwaysListed)
            {
                test_match = test_match.or_else(|| view.test_match());
            }
            if self.is_empty() && !self.exists {
                self.exists = view.exists(found.listed);
            }
            listed |= found.listed;
        }
        if !listed && self.records.is_empty() {
            self.matches.extend(test_match);
        }
        self.exists |= self.is_empty() && is_at_or_above_subzone(zone, name);
    }

    fn is_empty(&self) -> bool {
        self.matches.is_empty() && self.records.is_empty()
    }

    /// Keeps a match that has a value for who asks, unless an allow list has the key: that list is given then.
    fn take(&mut self, found: Match<'z>, asker: Asker) -> Option<&'z Dataset> {
        let delay = wait(&found, asker)?;
        if found.allowed_by.is_none() {
            self.delay = self.delay.max(delay);
            self.matches.push(found);
        }
        found.allowed_by
    }

    /// Looks a name up in a verdict zone. What reaches no threshold is not listed, and not late; if allow lists
    /// are the reason, each match is given to `note` with the strongest of them.
    fn weigh(
        &mut self,
        view: &View<'z, '_>,
        scoring: &'z Scoring,
        asker: Asker,
        note: impl Fn(&Match<'_>, &Dataset),
    ) -> Found {
        let (mut listed, mut allow) = (0, None);
        let Weighed { sum, found } = view.weigh(scoring, |found, weight| {
            let Some(delay) = wait(&found, asker) else { return false };
            self.delay = self.delay.max(delay);
            if weight < 0 {
                allow = allow.or(Some(found.dataset));
            } else {
                listed += weight;
            }
            self.matches.push(found);
            true
        });
        if let Some(a) = scoring.value(sum) {
            self.score = Some(Score { a, scoring });
            return found;
        }
        if let (Some(allow), Some(_)) = (allow, scoring.value(listed)) {
            let blocking =
                self.matches.iter().take_while(|found| !std::ptr::eq(found.dataset, allow));
            blocking.for_each(|found| note(found, allow));
        }
        self.matches.clear();
        self.delay = Duration::ZERO;
        found
    }

    fn look_up_records(&mut self, view: &View<'z, '_>) {
        for records in view.datasets.iter().filter_map(|set| set.records.as_ref()) {
            match records.lookup(view.labels()) {
                NameRecords::Records(name) => self.records.push(RecordMatch { records, name }),
                NameRecords::EmptyNonTerminal => self.exists = true,
                NameRecords::Nothing => {}
            }
        }
    }

    /// An access list makes the lists of the zone empty, or lists all their keys; allow lists and
    /// test points go with them. Ordinary records stay.
    fn restrict(&mut self, view: &View<'_, '_>, restriction: Restriction) {
        if restriction != Restriction::Listed {
            return;
        }
        let below = view.below().unwrap_or_default();
        for set in view.datasets {
            let (ip4, ip6) = (set.ip4.is_some(), set.takes_ip6());
            self.by_acl |=
                ip4 && view.key.ip4.is_some() || ip6 && view.key.ip6.is_some() || set.takes_names();
            self.exists |= ip4 && below.ip4.iter().any(Option::is_some)
                || ip6 && below.ip6.iter().any(Option::is_some);
        }
    }
}
