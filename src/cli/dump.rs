//! `dnsbld dump`

use super::config_source;
use crate::config::Settings;
use crate::daemon;
use crate::dump;
use crate::zone::{Catalog, ZoneState};
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

/// Write zones as master files, for name servers that cannot read lists.
///
/// A server that loads the file lists the same addresses and names. Several zones are written one
/// after the other, each with its own $ORIGIN; most servers want one file per zone. Access lists are
/// not dumped.
#[derive(Args, Debug)]
pub struct Dump {
    /// The configuration file [default: /etc/dnsbld/dnsbld.toml, in a checkout zones/dnsbld.toml].
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Also list IPv4 addresses as v4-mapped and 6to4 addresses, as the server does. The dump becomes
    /// about three times as long.
    #[arg(long)]
    ip4_in_ip6: bool,
    /// The zones [default: all].
    zones: Vec<String>,
}

impl Dump {
    /// Loads the zones and writes them to the standard output.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; an error if a zone is unknown or
    /// incomplete.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let source = config_source(self.config.as_deref())?;
        let mut settings = source.load()?.settings;
        self.select(&mut settings)?;
        let catalog = daemon::load(&settings)?;
        match self.write(&catalog) {
            // The reader closed the pipe, as `head` does.
            Err(error) if is_broken_pipe(&error) => Ok(ExitCode::FAILURE),
            done => done.map(|()| ExitCode::SUCCESS),
        }
    }

    /// Keeps the wanted zones and their datasets only.
    fn select(&self, settings: &mut Settings) -> anyhow::Result<()> {
        let wanted: Vec<_> =
            self.zones.iter().map(|zone| zone.trim_end_matches('.').to_lowercase()).collect();
        for zone in &wanted {
            let known = settings.zones.iter().any(|other| other.name.to_string() == *zone);
            ensure!(known, "there is no zone {zone} in the configuration");
        }
        if !wanted.is_empty() {
            settings.zones.retain(|zone| wanted.contains(&zone.name.to_string()));
        }
        let of_zones =
            settings.zones.iter().flat_map(|zone| [&zone.datasets, &zone.allow, &zone.acl]);
        let all = of_zones.chain([&settings.server.acl]);
        let used: HashSet<_> = all.flatten().cloned().collect();
        settings.datasets.retain(|dataset| used.contains(&dataset.name));
        Ok(())
    }

    fn write(&self, catalog: &Catalog) -> anyhow::Result<()> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let options = dump::SweepOptions { now: now.as_secs(), ip4_in_ip6: self.ip4_in_ip6 };
        // Check all zones before writing: a reader must not take a part for the whole.
        for zone in catalog.zones() {
            let name = &zone.apex;
            if zone.state != ZoneState::Live {
                bail!(
                    "zone {name} is incomplete: not all of its datasets are loaded; nothing is dumped"
                );
            }
            ensure!(
                zone.is_served(options.now),
                "zone {name} has expired ($TIMESTAMP); nothing is dumped"
            );
            dump::check(zone).with_context(|| format!("cannot dump zone {name}"))?;
        }
        let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        for zone in catalog.zones() {
            dump::zone(zone, options, &mut out)
                .with_context(|| format!("cannot dump zone {}", zone.apex))?;
        }
        out.flush().context("cannot write")
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
