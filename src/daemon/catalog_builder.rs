//! Zones from datasets: which SOA, which name servers, which serial, how healthy.

use super::{catalog_zone, zone_health};
use crate::config::{self, Settings, StalePolicy, TtlBounds, Zone as ZoneSettings};
use crate::dataset::State;
use crate::dataset::manager::LoadedDataset;
use crate::state::serials::Serials;
use crate::stats::{Statistics, Workers};
use crate::wire::name::NameBuf;
use crate::zone::{
    Catalog, Chaos, Dataset, Ns, Quota, QuotaAnswer, RateLimit, Soa, Unlisted, Zone, ZoneState,
};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// What zones are built from.
#[derive(Default)]
pub(super) struct Loads<'a> {
    /// What is served of each dataset; those that were never loaded are missing.
    pub(super) loaded: HashMap<&'a String, LoadedDataset<'a>>,
    /// The datasets of which nobody knows yet whether they can be loaded.
    pub(super) awaited: HashSet<&'a String>,
}

/// Builds the catalog of all zones. A zone with an awaited list serves nothing, and uses up no serial. Datasets
/// that have expired by `now`, in seconds since 1970, are left out of zones that have others.
pub(super) fn build(
    settings: &Settings,
    Loads { loaded, awaited }: &Loads<'_>,
    now: u64,
    serials: &mut Serials,
    statistics: &mut Statistics,
) -> Catalog {
    let server = &settings.server;
    let text = |text: &Option<String>| text.as_ref().map(|text| Box::from(text.as_bytes()));
    let chaos = Chaos { version: text(&server.version), id: text(&server.id) };
    let acl = parts(&server.acl, loaded);
    let has_access_lists = acl.len() == server.acl.len();
    let mut zone = |zone: &ZoneSettings| {
        if let Some(list) =
            zone_health::lists(zone, &server.acl).find(|list| awaited.contains(list))
        {
            let zone = build_zone(zone, settings, &HashMap::new(), now, serials, statistics);
            let health = zone.health.map(|health| zone_health::while_loading(health, list));
            return Zone { health, ..zone };
        }
        let zone = build_zone(zone, settings, loaded, now, serials, statistics);
        // Who may not ask at all is not known.
        if has_access_lists { zone } else { Zone { state: ZoneState::Unloaded, ..zone } }
    };
    let mut zones: Vec<_> = settings.zones.iter().map(&mut zone).collect();
    zones.extend(catalog_zone::build(settings, now, serials, statistics));
    Catalog::new(zones, chaos)
        .with_counters(statistics.rest())
        .with_overrides(statistics.overrides().clone())
        .with_acl(datasets(&acl))
        .with_minimal_any(server.minimal_any)
        .with_extended_errors(server.extended_errors)
        .with_proxies(server.proxies.clone())
        .with_rate_limit(rate_limit(server, statistics.workers()))
}

/// What each of the workers lets clients ask: a client comes to those of one address, or of the devices.
fn rate_limit(server: &config::Server, workers: Workers) -> Option<RateLimit> {
    let config::RateLimit { queries_per_second, burst, dry_run, exempt } = &server.rate_limit;
    let workers = workers.udp.div_ceil(server.listen.len().max(1)).max(workers.xdp);
    (*queries_per_second > 0)
        .then(|| RateLimit::new(*queries_per_second, *burst, *dry_run, exempt.clone(), workers))
}

fn build_zone(
    settings: &ZoneSettings,
    all: &Settings,
    loaded: &HashMap<&String, LoadedDataset<'_>>,
    now: u64,
    serials: &mut Serials,
    statistics: &mut Statistics,
) -> Zone {
    let (parts, allow, acl) = (
        without_expired(parts(&settings.datasets, loaded), now),
        parts(&settings.allow, loaded),
        parts(&settings.acl, loaded),
    );
    let is_overdue =
        |part: &LoadedDataset<'_>| part.overdue.is_some_and(|overdue| overdue.is_by_setting);
    let is_good = |part: &LoadedDataset<'_>| part.state == State::Live && !is_overdue(part);
    let state = if parts.is_empty() || acl.len() < settings.acl.len() {
        ZoneState::Unloaded
    } else if settings.stale == StalePolicy::ServFail && parts.iter().any(is_overdue) {
        ZoneState::Withheld
    } else if parts.len() < settings.datasets.len() {
        ZoneState::Partial(settings.partial)
    } else if allow.len() < settings.allow.len() {
        // What is not listed is certain all the same.
        ZoneState::Partial(Unlisted::Answer)
    } else if parts.iter().chain(&allow).all(is_good) {
        ZoneState::Live
    } else {
        ZoneState::Degraded
    };
    let all_parts = || parts.iter().chain(&allow);
    let newest = all_parts().map(|part| part.served.newest()).max().unwrap_or(0);
    let mut listed = parts.clone();
    if settings.stale == StalePolicy::Unlist {
        listed.retain(|part| !is_overdue(part));
    }
    let scoring = settings.scoring.as_ref().map(|scoring| {
        let parts = listed.iter().chain(&allow);
        let lists = parts.map(|part| (&*part.served.spec.name, &part.served.dataset));
        Arc::new(scoring.of(lists))
    });
    let content_id = content_id(settings, &all.server, &listed, &allow);
    let found_soa = parts.iter().find_map(|part| part.served.dataset.soa.clone());
    let found_ns = parts.iter().find_map(|part| part.served.dataset.ns.clone());
    let mut soa =
        found_soa.clone().unwrap_or_else(|| stand_in_soa(found_ns.as_ref(), &all.server.ttl));
    if soa.serial == 0 && !parts.is_empty() {
        // A file from the future must not bring the serial so far that those of later ones look older.
        // rbldnsd takes its time all the same.
        let future_is_now = all_parts().all(|part| part.served.spec.policy.future_is_now);
        let latest = if future_is_now { now } else { u64::MAX };
        // Its test points are not listed then, which secondaries are to hear of.
        let is_less = state == ZoneState::Degraded && !settings.transfer.is_off();
        let content = if is_less { !content_id } else { content_id };
        soa.serial = serials.next(&settings.name, newest, latest, content);
    }
    let ns = found_ns.map(distinct).unwrap_or_else(|| Ns {
        names: vec![found_soa.map_or_else(localhost, |soa| soa.mname)],
        ttl: all.server.ttl.default,
        explicit: false,
    });
    Zone {
        apex: settings.name.clone(),
        soa,
        ns,
        says_stale: all.server.extended_errors && listed.iter().chain(&allow).any(is_overdue),
        expires: expiry(&parts, &all.server, now),
        datasets: datasets(&listed),
        allow: datasets(&allow),
        scoring,
        acl: datasets(&acl),
        transfer: settings.transfer.clone(),
        state,
        test_points: settings.test_points,
        minimal_answers: all.server.minimal_answers,
        health: settings
            .health
            .then(|| zone_health::of(settings, &all.server.acl, loaded, content_id, now)),
        content_id,
        quotas: quotas(settings, &all.server, statistics),
        counters: statistics.zone(&settings.name),
    }
}

/// What may be asked of a zone.
fn quotas(
    zone: &ZoneSettings,
    server: &config::Server,
    statistics: &mut Statistics,
) -> Vec<Arc<Quota>> {
    let holds = |quota: &&config::Quota| quota.zones.is_empty() || quota.zones.contains(&zone.name);
    let quota = |quota: &config::Quota| {
        Arc::new(Quota {
            subject: quota.subject,
            queries: quota.queries,
            period: quota.period.as_secs(),
            answer: match &quota.answer {
                config::QuotaAnswer::Refuse => QuotaAnswer::Refuse,
                config::QuotaAnswer::Empty => QuotaAnswer::Empty,
                config::QuotaAnswer::Ignore => QuotaAnswer::Ignore,
                config::QuotaAnswer::Listed(a, text) => {
                    QuotaAnswer::listed(*a, text, server.ttl.negative)
                }
            },
            exempt: quota.exempt.clone(),
            counts: statistics.quota(&quota.name),
        })
    };
    server.quotas.iter().filter(holds).map(quota).collect()
}

/// A hash of what a zone serves and of the settings that change its answers.
fn content_id(
    settings: &ZoneSettings,
    server: &config::Server,
    parts: &[LoadedDataset<'_>],
    allow: &[LoadedDataset<'_>],
) -> u64 {
    let ids =
        |parts: &[LoadedDataset<'_>]| parts.iter().map(|part| part.served.content_id).collect();
    let (parts, allow): (Vec<u64>, Vec<u64>) = (ids(parts), ids(allow));
    let (ttl, minimal) = (server.ttl, server.minimal_answers);
    let rules = (settings.test_points, settings.partial, ttl, minimal);
    let mut all = format!("{parts:?} {allow:?} {rules:?}");
    // Other zones keep the ids that they have, and with these their serials.
    if let Some(scoring) = &settings.scoring {
        let _ = write!(all, " {scoring:?}");
    }
    xxh3_64(all.as_bytes())
}

/// Those of the datasets that were ever loaded.
fn parts<'a>(
    names: &[String],
    loaded: &HashMap<&String, LoadedDataset<'a>>,
) -> Vec<LoadedDataset<'a>> {
    names.iter().filter_map(|name| loaded.get(name).copied()).collect()
}

/// What has expired is as good as not loaded; if all parts have, the zone has. Under rbldnsd's name, a
/// part that has expired takes the zone with it.
fn without_expired(parts: Vec<LoadedDataset<'_>>, now: u64) -> Vec<LoadedDataset<'_>> {
    let is_served = |part: &LoadedDataset<'_>| {
        !part.served.spec.policy.leaves_out_expired || !part.served.dataset.is_expired(now)
    };
    if parts.iter().any(is_served) { parts.into_iter().filter(is_served).collect() } else { parts }
}

/// When the zone expires: with the last of its parts, if all do; under rbldnsd's name with the first,
/// and if files are not looked at (`-c 0`), not by itself: only what has expired by `now`, at a reload.
fn expiry(parts: &[LoadedDataset<'_>], server: &config::Server, now: u64) -> Option<u64> {
    let times = || parts.iter().map(|part| part.served.dataset.expires);
    if parts.iter().any(|part| !part.served.spec.policy.leaves_out_expired) {
        let first = times().flatten().min();
        return first.filter(|&expires| server.check_interval.is_some() || expires < now);
    }
    times().collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn datasets(parts: &[LoadedDataset<'_>]) -> Vec<Arc<Dataset>> {
    parts.iter().map(|part| Arc::clone(&part.served.dataset)).collect()
}

/// Each name server once (RFC 2181 section 5).
fn distinct(mut ns: Ns) -> Ns {
    let mut seen = HashSet::new();
    ns.names.retain(|name| seen.insert(name.to_lowercase()));
    ns
}

/// The SOA of a zone whose files have none, with the names RFC 6303 section 3 uses for zones
/// that exist only here. Without it, negative answers could not be cached, and resolvers take
/// them for failures.
fn stand_in_soa(ns: Option<&Ns>, ttl: &TtlBounds) -> Soa {
    Soa {
        mname: ns.and_then(|ns| ns.names.first().cloned()).unwrap_or_else(localhost),
        rname: NameBuf::from_text(b"nobody.invalid").unwrap_or(NameBuf::ROOT),
        serial: 0,
        refresh: 3600,
        retry: 1200,
        expire: 604_800,
        minimum: ttl.negative,
        ttl: ttl.default,
    }
}

fn localhost() -> NameBuf {
    NameBuf::from_text(b"localhost").unwrap_or(NameBuf::ROOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_rate_from_the_workers_that_it_comes_to() {
        let rate_limit_of = |udp, xdp, addresses| {
            let listen = vec![([127, 0, 0, 1], 53).into(); addresses];
            let limit =
                config::RateLimit { queries_per_second: 8, burst: 16, ..Default::default() };
            let server = config::Server { listen, rate_limit: limit, ..Default::default() };
            let costs = |limit: RateLimit| limit.ip4_costs[0];
            rate_limit(&server, Workers { udp, xdp, ..Workers::default() }).map(costs)
        };
        let cost_of_one = rate_limit_of(1, 0, 1).unwrap();
        for ((udp, xdp, addresses), workers) in [
            ((4, 0, 1), 4),
            ((8, 0, 2), 4),
            // A query comes by a socket or by a queue.
            ((4, 1, 1), 4),
            ((2, 4, 1), 4),
            ((0, 0, 1), 1),
        ] {
            assert_eq!(rate_limit_of(udp, xdp, addresses), Some(workers * cost_of_one));
        }
    }
}
