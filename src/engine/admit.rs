//! The stage before the lookup: whether a query is answered at all, and what limits and access lists make of it.

use super::Request;
use super::cookie::Cookie;
use super::limit::Limiter;
use crate::listing::{Action, Answer, Keyword};
use crate::wire::Type;
use crate::wire::name::LowerName;
use crate::zone::{Acl, Catalog, CompiledZone, Dataset, KeyAcl, QuotaAnswer, RateLimit};
use std::net::IpAddr;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Whether a query is answered, as far as that is known before it is read.
pub(super) enum Admission<'a> {
    /// It is, and neither limits nor access lists of the server restrict it.
    Open,
    /// It is, but they have a say.
    Restricted(Verdict<'a>),
    /// It gets no answer.
    Ignored,
}

/// Admits a query: an access list of the whole server can ignore its client.
#[inline(always)]
pub(super) fn admit<'a>(
    catalog: &'a Catalog,
    limiter: &mut Limiter,
    request: &Request<'_>,
    cookie: &Cookie,
) -> Admission<'a> {
    if let Some(limit) = catalog.rate_limit()
        && limiter.is_beyond(limit, request, cookie)
    {
        return Admission::beyond(limit, catalog.acl(), request.client);
    }
    match catalog.acl() {
        [] => Admission::Open,
        acl => Admission::of(acl, request.client),
    }
}

impl<'a> Admission<'a> {
    #[inline(never)]
    fn of(acl: &'a [Arc<Dataset>], client: IpAddr) -> Self {
        if all_pass(acl, client) {
            return Self::Open;
        }
        Self::restricted(Verdict::default(), acl, client)
    }

    /// A client that asks too often.
    #[cold]
    #[inline(never)]
    fn beyond(limit: &RateLimit, acl: &'a [Arc<Dataset>], client: IpAddr) -> Self {
        let verdict = match limit.is_dry_run {
            true => Verdict { is_spared: true, ..Verdict::default() },
            false => Verdict { restriction: Restriction::Truncate, ..Verdict::default() },
        };
        Self::restricted(verdict, acl, client)
    }

    fn restricted(mut verdict: Verdict<'a>, acl: &'a [Arc<Dataset>], client: IpAddr) -> Self {
        verdict.of_client(acl, client);
        match verdict.restriction {
            Restriction::Ignore => Self::Ignored,
            _ => Self::Restricted(verdict),
        }
    }
}

/// True if the access lists of a zone let the client of this query pass.
#[inline(always)]
pub(super) fn admits(zone: &CompiledZone, request: &Request<'_>) -> bool {
    zone.acl.is_empty() || all_pass(&zone.acl, request.client)
}

#[inline(never)]
fn all_pass(acl: &[Arc<Dataset>], client: IpAddr) -> bool {
    match client {
        IpAddr::V4(client) => {
            acl.iter().all(|set| set.acl.as_ref().is_none_or(|acl| acl.passes_ip4(client)))
        }
        IpAddr::V6(_) => all_pass_ip6(acl, client),
    }
}

/// Apart, so that the usual case saves no registers.
#[inline(never)]
fn all_pass_ip6(acl: &[Arc<Dataset>], client: IpAddr) -> bool {
    acl.iter().all(|set| set.acl.as_ref().is_none_or(|acl| acl.passes(client)))
}

/// What limits and access lists say of a query, together: the strictest action of any of them counts
/// (rbldnsd's manual, "acl Dataset").
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Verdict<'a> {
    pub(super) restriction: Restriction,
    /// The value that stands for every listed one, of the first list that has one.
    pub(super) value: Option<(&'a Dataset, Answer<'a>)>,
    /// A known key was in the name.
    pub(super) has_key: bool,
    /// The hash of that key.
    pub(super) key: Option<u64>,
    /// The client asks too often, but the limit is in a dry run.
    pub(super) is_spared: bool,
}

/// How far a query is restricted, the strictest last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) enum Restriction {
    /// Not at all.
    #[default]
    Pass,
    /// All keys of the lists are listed.
    Listed,
    /// No key of the lists is listed.
    Empty,
    /// The answer is empty and tells the client to use TCP.
    Truncate,
    /// The answer is REFUSED.
    Refuse,
    /// There is no answer.
    Ignore,
}

impl<'a> Verdict<'a> {
    /// Adds what lists say of a client.
    #[inline]
    pub(super) fn of_client(&mut self, acl: &'a [Arc<Dataset>], client: IpAddr) {
        if !acl.is_empty() {
            self.add_client(acl, client);
        }
    }

    fn add_client(&mut self, acl: &'a [Arc<Dataset>], client: IpAddr) {
        for set in acl {
            if let Some(Acl::Clients(clients)) = &set.acl {
                self.add(set, clients.action(client));
            }
        }
    }

    /// Adds what lists say of the key in a name relative to its zone, and takes the key off the
    /// name.
    #[inline]
    pub(super) fn of_key(&mut self, acl: &'a [Arc<Dataset>], name: &mut LowerName, query: Type) {
        if !acl.is_empty() {
            self.add_key(acl, name, query);
        }
    }

    fn add_key(&mut self, acl: &'a [Arc<Dataset>], name: &mut LowerName, query: Type) {
        // Who serves a zone is no secret: resolvers ask for it without a key.
        if name.labels() == 0 && !self.has_key && matches!(query, Type::SOA | Type::NS) {
            return;
        }
        for set in acl {
            if let Some(Acl::Keys(keys)) = &set.acl {
                let action = self.key_action(keys, name);
                self.add(set, action);
            }
        }
    }

    fn key_action(&mut self, keys: &'a KeyAcl, name: &mut LowerName) -> Option<Action<'a>> {
        let known = |label| Some((keys.known(label)?, xxh3_64(label)));
        let Some((action, key)) = name.last_label().and_then(known) else {
            return keys.unknown();
        };
        self.key = Some(key);
        name.cut(name.labels() - 1);
        self.has_key = true;
        Some(action)
    }

    /// Adds what quotas say of a query for the zone with this apex. True if it is beyond one of them.
    pub(super) fn of_quotas(
        &mut self,
        zone: &'a CompiledZone,
        apex: &[u8],
        request: &Request<'_>,
    ) -> bool {
        let (key, client, now) = (self.key, request.client, request.now);
        let Some(quota) = zone.quotas.iter().find(|quota| quota.is_beyond(key, client, apex, now))
        else {
            return false;
        };
        let restriction = match &quota.answer {
            QuotaAnswer::Refuse => Restriction::Refuse,
            QuotaAnswer::Empty => Restriction::Empty,
            QuotaAnswer::Ignore => Restriction::Ignore,
            QuotaAnswer::Listed(..) => Restriction::Listed,
        };
        self.value = self.value.or(quota.answer.value());
        self.restriction = self.restriction.max(restriction);
        true
    }

    fn add(&mut self, set: &'a Dataset, action: Option<Action<'a>>) {
        let restriction = match action {
            None | Some(Action::Keyword(Keyword::Pass)) => Restriction::Pass,
            Some(Action::Listed(answer)) => {
                self.value.get_or_insert((set, answer));
                Restriction::Listed
            }
            Some(Action::Keyword(Keyword::Empty)) => Restriction::Empty,
            Some(Action::Keyword(Keyword::Refuse)) => Restriction::Refuse,
            Some(Action::Keyword(Keyword::Ignore)) => Restriction::Ignore,
        };
        self.restriction = self.restriction.max(restriction);
    }
}

#[cfg(test)]
mod tests;
