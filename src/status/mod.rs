//! How the server, its zones and its datasets are: one plain value, of which texts for people and programs
//! are made.

mod text;

use crate::config::{ConfigSource, Settings, Zone as ZoneSettings};
use crate::dataset::manager::DatasetManager;
use crate::dataset::{Lifecycle, State};
use crate::trie::{Trie4, Trie6};
use crate::wire::name::NameBuf;
use crate::zone::{Dataset, Subzones, Zone, ZoneState};
use crate::zonefile::Kind;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Everything that can be told of a running server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The server.
    pub server: ServerStatus,
    /// Its zones, in the order of the settings.
    pub zones: Vec<ZoneStatus>,
    /// Its datasets, by name.
    pub datasets: Vec<DatasetStatus>,
}

/// The server as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerStatus {
    /// The version of dnsbld.
    pub version: &'static str,
    /// Where the settings come from.
    pub source: String,
    /// The addresses that it listens on.
    pub listening: Listening,
}

/// Addresses of sockets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listening {
    /// Those for UDP and TCP.
    pub plain: Vec<SocketAddr>,
    /// Those for TLS.
    pub tls: Vec<SocketAddr>,
}

/// One zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZoneStatus {
    /// The name.
    pub name: NameBuf,
    /// What can be expected of it.
    pub health: Health,
    /// The serial of its SOA record.
    pub serial: u32,
    /// The datasets whose entries are listed.
    pub datasets: Vec<String>,
    /// The datasets whose entries are not listed.
    pub allow: Vec<String>,
    /// The datasets that say who may ask.
    pub acl: Vec<String>,
    /// The entries of the files of `datasets`.
    pub entries: u64,
    /// The listed addresses of both families, those of several datasets several times; `None` for a zone
    /// of names.
    pub addresses: Option<u128>,
    /// The bytes that `datasets` take, in memory or mapped.
    pub bytes: usize,
    /// How long the last loads of `datasets` took together.
    pub load_time: Duration,
    /// A question, as dig takes it, that a zone of this health answers.
    pub question: String,
}

/// What can be expected of a zone, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Health {
    /// It serves what its files hold.
    Whole,
    /// It serves data of some dataset whose files hold something else, or nothing that can be served.
    Kept,
    /// It serves without some dataset.
    Partial,
    /// It answers SERVFAIL: its data has expired.
    Expired,
    /// It answers SERVFAIL: nothing of it was ever loaded.
    Unloaded,
}

/// One dataset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DatasetStatus {
    /// The name.
    pub name: String,
    /// The type.
    pub kind: Kind,
    /// The state of its data.
    pub state: State,
    /// What is served of it, if anything was ever loaded.
    pub served: Option<ServedStatus>,
    /// What is wrong with its files.
    pub problem: Option<ProblemStatus>,
}

/// The data of a dataset that is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServedStatus {
    /// The number of entries.
    pub entries: u64,
    /// The listed addresses of both families; `None` for a dataset of names.
    pub addresses: Option<u128>,
    /// The bytes that it takes in memory.
    pub memory: usize,
    /// The bytes of its snapshot that are mapped.
    pub mapped: usize,
    /// The files it was made of.
    pub files: Vec<FileStatus>,
    /// When it was accepted.
    pub since: SystemTime,
    /// How long the load took.
    pub load_time: Duration,
}

/// A file as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileStatus {
    /// The file, as the settings name it.
    pub path: PathBuf,
    /// The bytes it has on disk.
    pub size: u64,
    /// The time of its last change, in seconds since 1970.
    pub modified: i64,
    /// The number of valid entries.
    pub entries: u64,
    /// The number of lines that cannot be used.
    pub bad_lines: u64,
}

/// Why the files of a dataset are not what is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProblemStatus {
    /// The file that is wrong.
    pub file: PathBuf,
    /// What is wrong with it.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
    /// When it was first met.
    pub since: SystemTime,
    /// How often it was met.
    pub attempts: u32,
}

impl Status {
    /// The status of zones that were built of these settings and datasets, at `now` in seconds since 1970.
    pub(crate) fn new(
        source: &ConfigSource,
        listening: Listening,
        settings: &Settings,
        datasets: &DatasetManager,
        zones: &[Zone],
        now: u64,
    ) -> Self {
        let datasets: Vec<_> =
            datasets.all().map(|(name, kind, life)| DatasetStatus::new(name, kind, life)).collect();
        let by_name = datasets.iter().map(|dataset| (dataset.name.as_str(), dataset)).collect();
        let pairs = zones.iter().zip(&settings.zones);
        Self {
            server: ServerStatus {
                version: env!("CARGO_PKG_VERSION"),
                source: source.to_string(),
                listening,
            },
            zones: pairs
                .map(|(zone, wanted)| ZoneStatus::new(zone, wanted, &by_name, now))
                .collect(),
            datasets,
        }
    }
}

impl ZoneStatus {
    fn new(
        zone: &Zone,
        wanted: &ZoneSettings,
        datasets: &HashMap<&str, &DatasetStatus>,
        now: u64,
    ) -> Self {
        let served = || {
            let all = wanted.datasets.iter().filter_map(|name| datasets.get(name.as_str()));
            all.filter_map(|dataset| dataset.served.as_ref())
        };
        let health = Health::of(zone, now);
        Self {
            name: zone.apex.clone(),
            health,
            serial: zone.soa.serial,
            datasets: wanted.datasets.clone(),
            allow: wanted.allow.clone(),
            acl: wanted.acl.clone(),
            entries: served().map(|served| served.entries).sum(),
            addresses: addresses(zone.datasets.iter()),
            bytes: zone.datasets.iter().map(|set| set.memory() + set.mapped()).sum(),
            load_time: served().map(|served| served.load_time).sum(),
            question: question(zone, wanted, health),
        }
    }
}

impl Health {
    fn of(zone: &Zone, now: u64) -> Self {
        match zone.state {
            ZoneState::Unloaded => Self::Unloaded,
            _ if !zone.is_served(now) => Self::Expired,
            ZoneState::Live => Self::Whole,
            ZoneState::Partial(_) => Self::Partial,
            ZoneState::Degraded => Self::Kept,
        }
    }
}

impl DatasetStatus {
    fn new(name: &str, kind: Kind, lifecycle: &Lifecycle) -> Self {
        let served = lifecycle.served().map(|served| ServedStatus {
            entries: served.entries(),
            addresses: addresses([&served.dataset].into_iter()),
            memory: served.dataset.memory(),
            mapped: served.dataset.mapped(),
            files: served
                .sources
                .iter()
                .map(|file| FileStatus {
                    path: file.path.clone(),
                    size: file.report.identity.size,
                    modified: file.report.identity.modified.seconds,
                    entries: file.entries,
                    bad_lines: file.bad_lines,
                })
                .collect(),
            since: served.since,
            load_time: served.took,
        });
        let problem = lifecycle.failure().map(|failure| ProblemStatus {
            file: failure.problem.file.clone(),
            cause: failure.problem.cause.to_string(),
            remedy: failure.problem.cause.remedy(name).into_owned(),
            since: failure.since,
            attempts: failure.attempts,
        });
        Self { name: name.to_owned(), kind, state: lifecycle.state(), served, problem }
    }
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
    } else if sets.iter().any(|set| set.names.is_some()) {
        format!("test.{apex}")
    } else {
        apex.to_string()
    }
}
