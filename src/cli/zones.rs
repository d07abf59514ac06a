//! Zones that a command loads by itself, to write them down.

use crate::config::Settings;
use crate::daemon;
use crate::wire::name::NameBuf;
use crate::zone::sweep::{SweepOptions, SweepSection, sections};
use crate::zone::{Catalog, Zone, ZoneState};
use anyhow::{Context as _, bail, ensure};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::time::SystemTime;

/// Keeps the wanted zones and their datasets only; all if none is named.
///
/// # Errors
///
/// When there is no such zone.
pub(super) fn select(settings: &mut Settings, zones: &[String]) -> anyhow::Result<()> {
    let wanted: Vec<_> =
        zones.iter().map(|zone| zone.trim_end_matches('.').to_lowercase()).collect();
    let known: Vec<_> = settings.zones.iter().map(|zone| zone.name.to_string()).collect();
    for zone in &wanted {
        let names = || known.join(", ");
        ensure!(known.contains(zone), "there is no zone {zone}; the configuration has {}", names());
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

/// Loads the zone with this name, or the one that has a subzone of this name, and nothing else; the name comes back
/// as an apex.
///
/// # Errors
///
/// When there is no such zone, or the system gives no thread.
pub(super) fn load(mut settings: Settings, zone: &str) -> anyhow::Result<(Catalog, NameBuf)> {
    let apex: NameBuf = zone.parse().with_context(|| zone.to_owned())?;
    let apex = apex.to_lowercase();
    let above = settings.zones.iter().map(|zone| &zone.name);
    let above = above.filter(|zone| apex.labels_before(zone).is_some());
    let nearest = above.max_by_key(|zone| zone.labels().count());
    let name = nearest.map_or_else(|| zone.to_owned(), NameBuf::to_string);
    select(&mut settings, &[name])?;
    Ok((daemon::load(&settings)?, apex))
}

/// The part with this apex of the only zone of a catalog; `done` says what is not done with it if it is not
/// loaded whole.
///
/// # Errors
///
/// When there is none, or the zone is not whole.
pub(super) fn section<'c>(
    catalog: &'c Catalog,
    apex: &NameBuf,
    done: &str,
) -> anyhow::Result<(&'c Zone, SweepSection<'c>)> {
    let options = SweepOptions { now: now(), ip4_in_ip6: false };
    let zone = catalog.zones().first().context("the zone is not there")?;
    ensure_whole(zone, options.now, done)?;
    let all = sections(zone, options).with_context(|| format!("zone {}", zone.apex))?;
    let mut others = Vec::new();
    for section in all {
        if section.apex() == apex {
            return Ok((zone, section));
        }
        others.push(section.apex().to_string());
    }
    bail!("nothing is listed at {apex}, but at {}", others.join(", "))
}

/// Opens a file to be read.
///
/// # Errors
///
/// When it cannot be opened.
pub(super) fn open(file: &Path) -> anyhow::Result<BufReader<File>> {
    let opened = File::open(file).with_context(|| file.display().to_string())?;
    Ok(BufReader::with_capacity(1 << 16, opened))
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
