//! What dnsbld tells at the start: what was loaded, and how to try it.

use super::servers::Addresses;
use crate::config::{Settings, Source, Zone as ZoneSettings};
use crate::dataset::manager::DatasetManager;
use crate::trie::{Trie4, Trie6};
use crate::util::text::counted;
use crate::util::time::unix_time;
use crate::wire::name::NameBuf;
use crate::zone::{Subzones, Zone, ZoneState};
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

/// A line per zone and a command to try.
pub(super) fn text(
    settings: &Settings,
    source: &Source,
    datasets: &DatasetManager,
    zones: &[Zone],
    addresses: &Addresses,
    took: Duration,
) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let zone_count = counted(settings.zones.len() as u64, "zone", "zones");
    let dataset_count = counted(settings.datasets.len() as u64, "dataset", "datasets");
    let mut out = format!("dnsbld {version}: {zone_count}, {dataset_count} from {source}\n\n");
    let now = unix_time();
    let width =
        zones.iter().map(|zone| zone.apex.to_string().len()).max().unwrap_or(0).max("zone".len());
    let _ = writeln!(
        out,
        "{:<width$}  {:>8}  {:>9}  {:>14}  {:>9}  {:>8}  state",
        "zone", "datasets", "entries", "addresses", "memory", "time"
    );
    for (zone, wanted) in zones.iter().zip(&settings.zones) {
        let figures: Vec<_> =
            wanted.datasets.iter().filter_map(|name| datasets.figures(name)).collect();
        let entries: u64 = figures.iter().map(|(entries, _)| entries).sum();
        let time: Duration = figures.iter().map(|(_, took)| took).sum();
        let memory: usize = zone.datasets.iter().map(|set| set.memory() + set.mapped()).sum();
        let _ = writeln!(
            out,
            "{:<width$}  {:>8}  {entries:>9}  {:>14}  {:>9}  {:>8}  {}",
            zone.apex.to_string(),
            wanted.datasets.len(),
            covered(zone),
            bytes(memory),
            milliseconds(time),
            Health::of(zone, wanted, now),
        );
    }
    let _ = writeln!(out, "\nready after {}", milliseconds(took));
    let list = |addresses: &[SocketAddr]| {
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let _ = writeln!(out, "listening on {} (UDP and TCP)", list(&addresses.plain));
    if !addresses.tls.is_empty() {
        let _ = writeln!(out, "listening on {} (TLS)", list(&addresses.tls));
    }
    let healthiest = zones
        .iter()
        .zip(&settings.zones)
        .min_by_key(|(zone, wanted)| Health::of(zone, wanted, now));
    if let (Some(address), Some((zone, wanted))) = (addresses.plain.first(), healthiest) {
        let question = question(zone, wanted, now);
        let _ = writeln!(out, "try: dig @{} -p {} {question}", address.ip(), address.port());
    }
    out
}

/// What can be expected of a zone, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Health {
    Whole,
    Kept,
    Partial,
    Expired,
    Unloaded,
}

impl Health {
    fn of(zone: &Zone, wanted: &ZoneSettings, now: u64) -> Self {
        let is_missing = zone.allow.len() < wanted.allow.len();
        match zone.state {
            ZoneState::Unloaded => Self::Unloaded,
            _ if !zone.is_served(now) => Self::Expired,
            ZoneState::Live => Self::Whole,
            ZoneState::Partial(_) => Self::Partial,
            ZoneState::Degraded if is_missing => Self::Partial,
            ZoneState::Degraded => Self::Kept,
        }
    }
}

/// The last column of the table.
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "serving",
            Self::Kept => "serving kept data, see the log",
            Self::Partial => "serving in part, see the log",
            Self::Expired => "SERVFAIL, its data has expired",
            Self::Unloaded => "SERVFAIL, see the log",
        })
    }
}

/// What dig is to ask. The entry that should be listed is certain to be there in a zone in order
/// alone; any zone that is served has a SOA record.
fn question(zone: &Zone, wanted: &ZoneSettings, now: u64) -> String {
    match (Health::of(zone, wanted, now), &wanted.example) {
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
    let lists = views.filter(|(_, datasets)| datasets.iter().any(|set| set.is_list()));
    let (below, datasets) = lists.into_iter().next().unwrap_or((NameBuf::ROOT, &zone.datasets));
    let apex = below.join(&zone.apex).unwrap_or(NameBuf::ROOT);
    if datasets.iter().any(|set| set.ip4.is_some()) {
        format!("2.0.0.127.{apex}")
    } else if datasets.iter().any(|set| set.ip6.is_some()) {
        format!("2.0.0.0.0.0.f.7.f.f.f.f{}.{apex}", ".0".repeat(20))
    } else if datasets.iter().any(|set| set.names.is_some()) {
        format!("test.{apex}")
    } else {
        apex.to_string()
    }
}

/// The number of listed addresses: of both families together, those in several datasets several
/// times; a dash for a zone of names.
fn covered(zone: &Zone) -> String {
    let datasets = || zone.datasets.iter().flat_map(|set| set.flat());
    let ip4 = datasets().filter_map(|set| set.ip4.as_ref()).map(Trie4::covered);
    let ip6 = datasets().filter_map(|set| set.ip6.as_ref()).map(Trie6::covered);
    let counts: Vec<u128> = ip4.chain(ip6).collect();
    if counts.is_empty() {
        return "-".to_owned();
    }
    match counts.iter().fold(0u128, |sum, count| sum.saturating_add(*count)) {
        sum if sum < 1_000_000_000_000 => sum.to_string(),
        sum => format!("{:.1e}", sum as f64),
    }
}

fn bytes(count: usize) -> String {
    match count {
        0..10_240 => format!("{count} B"),
        10_240..10_485_760 => format!("{} KiB", count / 1024),
        _ => format!("{} MiB", count / 1_048_576),
    }
}

fn milliseconds(time: Duration) -> String {
    match time.as_secs_f64() * 1000.0 {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms => format!("{ms:.0} ms"),
    }
}
