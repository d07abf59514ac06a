//! `dnsbld dump`

use super::{config_source, zones};
use crate::daemon;
use crate::dump;
use crate::zone::Catalog;
use anyhow::Context as _;
use clap::Args;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

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
        zones::select(&mut settings, &self.zones)?;
        let catalog = daemon::load(&settings)?;
        match self.write(&catalog) {
            // The reader closed the pipe, as `head` does.
            Err(error) if zones::is_broken_pipe(&error) => Ok(ExitCode::FAILURE),
            done => done.map(|()| ExitCode::SUCCESS),
        }
    }

    fn write(&self, catalog: &Catalog) -> anyhow::Result<()> {
        let options = dump::SweepOptions { now: zones::now(), ip4_in_ip6: self.ip4_in_ip6 };
        // Check all zones before writing: a reader must not take a part for the whole.
        for zone in catalog.zones() {
            let name = &zone.apex;
            zones::ensure_whole(zone, options.now, "dumped")?;
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
