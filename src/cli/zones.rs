//! Zones that a command loads by itself, to write them down.

use crate::config::Settings;
use crate::zone::{Zone, ZoneState};
use anyhow::ensure;
use std::collections::HashSet;
use std::io;
use std::time::SystemTime;

/// Keeps the wanted zones and their datasets only; all if none is named.
///
/// # Errors
///
/// When there is no such zone.
pub(super) fn select(settings: &mut Settings, zones: &[String]) -> anyhow::Result<()> {
    let wanted: Vec<_> =
        zones.iter().map(|zone| zone.trim_end_matches('.').to_lowercase()).collect();
    for zone in &wanted {
        let known = settings.zones.iter().any(|other| other.name.to_string() == *zone);
        ensure!(known, "there is no zone {zone} in the configuration");
    }
    if !wanted.is_empty() {
        settings.zones.retain(|zone| wanted.contains(&zone.name.to_string()));
    }
    let of_zones = settings.zones.iter().flat_map(|zone| [&zone.datasets, &zone.allow, &zone.acl]);
    let all = of_zones.chain([&settings.server.acl]);
    let used: HashSet<_> = all.flatten().cloned().collect();
    settings.datasets.retain(|dataset| used.contains(&dataset.name));
    Ok(())
}

/// A reader must not take a part for the whole; `done` says what is not done with it.
///
/// # Errors
///
/// When some dataset of the zone is not loaded, or it has expired.
pub(super) fn ensure_whole(zone: &Zone, now: u64, done: &str) -> anyhow::Result<()> {
    let name = &zone.apex;
    ensure!(
        zone.state == ZoneState::Live,
        "zone {name} is incomplete: not all of its datasets are loaded; nothing is {done}"
    );
    ensure!(zone.is_served(now), "zone {name} has expired ($TIMESTAMP); nothing is {done}");
    Ok(())
}

/// The time, in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// True if the reader of what is written has closed the pipe.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
