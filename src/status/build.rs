//! The status of a server, made of what it serves.

use super::{
    ChangeStatus, ConfinementStatus, DatasetStatus, FeedStatus, FileStatus, Health, LostQueries,
    ProblemStatus, RateLimitStatus, SCHEMA, ServerStatus, Sockets, Status, Time, WatchedStatus,
    ZoneStatus,
};
use crate::config::{self, ConfigSource, Settings, Zone as ZoneSettings};
use crate::dataset::manager::DatasetManager;
use crate::dataset::{Lifecycle, Served, State};
use crate::engine::{Figures, Reason};
use crate::event::{Overdue, RecentEvents};
use crate::monitor::WatchRecord;
use crate::source::SourceFile;
use crate::state::record::DatasetRecord;
use crate::trie::{Trie4, Trie6};
use crate::util::time::unix_time;
use crate::wire::name::NameBuf;
use crate::zone::{Dataset, Subzones, Zone, ZoneState};
use crate::zonefile::Kind;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

/// How many events a status tells.
const EVENTS: usize = 20;

/// What a status is made of.
pub(crate) struct Sources<'a> {
    /// Where the settings come from.
    pub(crate) config: &'a ConfigSource,
    /// When the server was started, in seconds since 1970.
    pub(crate) since: u64,
    /// What is listened on.
    pub(crate) sockets: Sockets,
    /// What the logs of queries have lost.
    pub(crate) lost: LostQueries,
    /// The rights that the server has kept.
    pub(crate) confinement: Option<&'a ConfinementStatus>,
    /// What has happened.
    pub(crate) events: &'a RecentEvents,
    /// The settings that are served.
    pub(crate) settings: &'a Settings,
    /// What is listed of the networks and domains that they watch.
    pub(crate) watched: &'a WatchRecord,
    /// Their datasets.
    pub(crate) datasets: &'a DatasetManager,
    /// The zones that were built of both, in the order of the settings; none before queries are answered.
    pub(crate) zones: &'a [Zone],
}

impl Status {
    /// The status as it is now.
    pub(crate) fn new(sources: Sources<'_>) -> Self {
        let Sources {
            config,
            since,
            sockets,
            lost,
            events,
            settings,
            watched,
            datasets,
            zones,
            ..
        } = sources;
        let (now, loading) = (unix_time(), datasets.is_building());
        let feeds = FeedStatus::all(settings, now);
        let datasets: Vec<_> = datasets
            .all()
            .map(|(name, kind, life)| {
                let mut status = {
                    let accept = datasets.accept_command(name);
                    DatasetStatus::new(name, kind, life, datasets.record(name), accept.as_deref())
                };
                status.take_feeds(&feeds);
                let overdue = datasets.overdue(name, SystemTime::now());
                status.overdue = overdue.is_some_and(|overdue| overdue.is_by_setting);
                let is_current = status.problem.is_none();
                if let Some(served) = life.served().filter(|_| is_current) {
                    status.take_age(served, overdue.as_ref(), now);
                }
                status
            })
            .collect();
        let by_name = datasets.iter().map(|dataset| (dataset.name.as_str(), dataset)).collect();
        let zone = |(number, wanted)| ZoneStatus::new(zones.get(number), wanted, &by_name, now);
        Self {
            schema: SCHEMA,
            time: Time(now as i64),
            server: ServerStatus {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                config: config.to_string(),
                since: self::time(since),
                listening: sockets.listening(),
                listeners: sockets.listeners,
                connections: sockets.connections,
                xdp: sockets.devices,
                certificates: sockets.certificates,
                loading,
                lost,
                rate_limit: RateLimitStatus::new(&settings.server.rate_limit, zones),
                confinement: sources.confinement.cloned(),
            },
            zones: settings.zones.iter().enumerate().map(zone).collect(),
            datasets,
            feeds,
            watched: WatchedStatus::all(settings, watched),
            events: events.last(EVENTS).iter().map(|event| (&**event).into()).collect(),
        }
    }
}

impl RateLimitStatus {
    fn new(limit: &config::RateLimit, zones: &[Zone]) -> Option<Self> {
        let config::RateLimit { queries_per_second, burst, dry_run, .. } = *limit;
        let figures: Figures = zones.iter().map(|zone| zone.counters.figures()).sum();
        let (limited, spared) = (figures.queries(Reason::RateLimited), figures.spared);
        let status = Self { queries_per_second, burst, dry_run, limited, spared };
        (queries_per_second > 0).then_some(status)
    }
}

impl ZoneStatus {
    fn new(
        zone: Option<&Zone>,
        wanted: &ZoneSettings,
        datasets: &HashMap<&str, &DatasetStatus>,
        now: u64,
    ) -> Self {
        let all = || wanted.datasets.iter().filter_map(|name| datasets.get(name.as_str()));
        let health = zone.map_or(Health::Unloaded, |zone| Health::of(zone, now));
        let figures = zone.map(|zone| zone.counters.figures()).unwrap_or_default();
        let sets = || zone.iter().flat_map(|zone| &zone.datasets);
        Self {
            name: wanted.name.to_string(),
            ready: zone
                .and_then(|zone| zone.health.as_ref())
                .map_or(health <= Health::Kept, |told| told.is_ready),
            reason: zone
                .and_then(|zone| zone.health.as_ref())
                .map(|told| told.reason.to_string())
                .filter(|reason| !reason.is_empty()),
            state: health,
            serial: zone.map(|zone| zone.soa.serial),
            datasets: wanted.datasets.clone(),
            allow: wanted.allow.clone(),
            acl: wanted.acl.clone(),
            entries: all().filter_map(|dataset| dataset.entries).sum(),
            addresses: addresses(sets()),
            bytes: sets().map(|set| (set.memory() + set.mapped()) as u64).sum(),
            load_time: all().filter_map(|dataset| dataset.load_time).sum(),
            queries: figures.all(),
            listed: figures.listed(),
            content_id: zone.map(|zone| format!("{:016x}", zone.content_id)),
            stale: wanted.stale.to_string(),
            question: zone.map_or_else(
                || format!("{} SOA", wanted.name),
                |zone| question(zone, wanted, health),
            ),
        }
    }
}

impl Health {
    fn of(zone: &Zone, now: u64) -> Self {
        match zone.state {
            ZoneState::Unloaded => Self::Unloaded,
            ZoneState::Withheld => Self::Withheld,
            _ if !zone.is_served(now) => Self::Expired,
            ZoneState::Live => Self::Whole,
            ZoneState::Partial(_) => Self::Partial,
            ZoneState::Degraded => Self::Kept,
        }
    }
}

impl DatasetStatus {
    fn new(
        name: &str,
        kind: Kind,
        lifecycle: &Lifecycle,
        record: Option<&DatasetRecord>,
        accept: Option<&str>,
    ) -> Self {
        let served = lifecycle.served();
        // What was remembered of another time is of no use while nothing is served.
        let record = record.filter(|_| served.is_some());
        let (memory, mapped) = served
            .map(|served| (served.dataset.memory() as u64, served.dataset.mapped() as u64))
            .unzip();
        Self {
            name: name.to_owned(),
            kind: kind.to_string(),
            state: lifecycle.state().to_string(),
            entries: served.map(|served| served.entries()),
            addresses: served.and_then(|served| addresses([&served.dataset].into_iter())),
            bytes: memory.zip(mapped).map(|(memory, mapped)| memory + mapped),
            mapped,
            files: served.map(|served| files(&served.sources)).unwrap_or_default(),
            fetched: record.map(|record| time(record.fetched)),
            changed: record.map(|record| time(record.changed)),
            accepted: served.map(|served| served.since.into()),
            expires: served.and_then(|served| served.dataset.expires).map(time),
            last_change: record.and_then(|record| record.last_change).map(|change| ChangeStatus {
                added: change.added,
                removed: change.removed,
                changed: change.changed,
            }),
            load_time: served.map(|served| served.took),
            content_id: served.map(|served| format!("{:016x}", served.content_id)),
            overdue: false,
            problem: lifecycle.failure().map(|failure| ProblemStatus {
                file: failure.problem.file.display().to_string(),
                rule: failure.problem.cause.rule().map(str::to_owned),
                cause: failure.problem.cause.to_string(),
                shown: failure.problem.cause.shown().to_vec(),
                remedy: failure.problem.cause.remedy(accept).into_owned(),
                since: failure.since.into(),
                attempts: failure.attempts,
            }),
        }
    }
}

impl DatasetStatus {
    /// Files of a feed are as fresh as its last success, whether they changed or not.
    fn take_feeds(&mut self, feeds: &[FeedStatus]) {
        let is_ours = |feed: &&FeedStatus| feed.datasets.contains(&self.name);
        let successes = feeds.iter().filter(is_ours).filter_map(|feed| feed.last_success);
        self.fetched = successes.min().or(self.fetched);
    }

    /// The files can be served, and were: tells of data that is too old all the same.
    fn take_age(&mut self, served: &Served, overdue: Option<&Overdue>, now: u64) {
        let aged = match (served.dataset.expires, overdue) {
            (Some(expires), _) if expires < now => {
                let cause = "its data has expired by its $TIMESTAMP line".to_owned();
                Some((cause, "fetch newer data".to_owned(), expires))
            }
            (_, Some(overdue)) => {
                let since = served.made().saturating_add(overdue.limit.as_secs());
                Some((overdue.cause(), overdue.remedy(), since))
            }
            (_, None) => None,
        };
        let Some((cause, remedy, since)) = aged else { return };
        self.state = State::Stale.to_string();
        self.problem = Some(ProblemStatus {
            file: self.files.first().map(|file| file.path.clone()).unwrap_or_default(),
            rule: None,
            cause,
            shown: Vec::new(),
            remedy,
            since: time(since),
            attempts: 0,
        });
    }
}

/// A time in seconds since 1970.
pub(super) fn time(seconds: u64) -> Time {
    Time(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn files(sources: &[SourceFile]) -> Vec<FileStatus> {
    let file = |file: &SourceFile| FileStatus {
        path: file.path.display().to_string(),
        size: file.report.identity.size,
        modified: Time(file.report.identity.modified.seconds),
        entries: file.entries,
        bad_lines: file.bad_lines,
    };
    sources.iter().map(file).collect()
}

/// The number of listed addresses, if any of the datasets is of addresses.
fn addresses<'d>(datasets: impl Iterator<Item = &'d Arc<Dataset>>) -> Option<u128> {
    datasets.flat_map(|set| set.flat()).fold(None, |sum: Option<u128>, set| {
        let ip4 = set.ip4.as_ref().map(Trie4::covered);
        let ip6 = set.ip6.as_ref().map(Trie6::covered);
        [sum, ip4, ip6].into_iter().flatten().reduce(u128::saturating_add)
    })
}

/// What dig is to ask. The entry that should be listed is certain to be there in a zone in order
/// alone; any zone that is served has a SOA record.
fn question(zone: &Zone, wanted: &ZoneSettings, health: Health) -> String {
    match (health, &wanted.example) {
        (Health::Whole | Health::Kept, Some(example)) => format!("{example} A"),
        (Health::Whole, None) => format!("{} A", test_point(zone)),
        _ => format!("{} SOA", zone.apex),
    }
}

/// The entry that every list should have (RFC 5782 section 5).
fn test_point(zone: &Zone) -> String {
    let subzones =
        zone.datasets.iter().filter_map(|set| set.subzones.as_ref()).flat_map(Subzones::all);
    let views = std::iter::once((NameBuf::ROOT, &zone.datasets))
        .chain(subzones.map(|subzone| (subzone.apex.clone(), &subzone.datasets)));
    let lists = views.filter(|(_, sets)| sets.iter().any(|set| set.is_list()));
    let (below, sets) = lists.into_iter().next().unwrap_or((NameBuf::ROOT, &zone.datasets));
    let apex = below.join(&zone.apex).unwrap_or(NameBuf::ROOT);
    if sets.iter().any(|set| set.ip4.is_some()) {
        format!("2.0.0.127.{apex}")
    } else if sets.iter().any(|set| set.ip6.is_some()) {
        format!("2.0.0.0.0.0.f.7.f.f.f.f{}.{apex}", ".0".repeat(20))
    } else if sets.iter().any(|set| set.takes_names()) {
        format!("test.{apex}")
    } else {
        apex.to_string()
    }
}
