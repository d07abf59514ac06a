//! `dnsbld map`

use super::{config_source, zones};
use crate::config;
use crate::export::Earlier;
use crate::export::entries::ip4_ranges;
use crate::export::map::Map as Drawing;
use anyhow::{Context as _, ensure};
use clap::Args;
use ipnet::Ipv4Net;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Draw a map of the IPv4 addresses that a zone or a dataset lists, as PNG.
///
/// The map is a Hilbert curve in the usual order (xkcd 195): neighbouring networks are neighbours, and a /8 is
/// a square. The colour says how many addresses of a point are listed.
#[derive(Args, Debug)]
pub struct Map {
    /// The configuration file [default: /etc/dnsbld/dnsbld.toml, in a checkout zones/dnsbld.toml].
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The file to write.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Draw only this network, enlarged.
    #[arg(long, value_name = "NETWORK", default_value = "0.0.0.0/0")]
    prefix: Ipv4Net,
    /// Draw what has changed since this export of the zone, which `dnsbld export --save` has written.
    #[arg(long, value_name = "FILE")]
    diff: Option<PathBuf>,
    /// The zone, the subzone of one with a `combined` dataset, or the dataset.
    #[arg(value_name = "ZONE|DATASET")]
    zone: String,
}

impl Map {
    /// Loads the zone, and draws it.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; an error if the zone is unknown or
    /// incomplete, or the file cannot be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut settings = config_source(self.config.as_deref())?.load()?.settings;
        let is_dataset = settings.datasets.iter().any(|dataset| dataset.name == self.zone);
        if is_dataset && !settings.zones.iter().any(|zone| zone.name.to_string() == self.zone) {
            // The dataset alone, without the test points that a zone has by itself.
            let name = self.zone.parse().with_context(|| self.zone.clone())?;
            let alone = config::Zone::new(name, vec![self.zone.clone()]);
            settings.zones = vec![config::Zone { test_points: false, ..alone }];
        }
        let (catalog, apex) = zones::load(settings, &self.zone)?;
        let (_, section) = zones::section(&catalog, &apex, "drawn")?;
        ensure!(section.has_addresses(), "{apex} lists names alone, which have no place on a map");
        let listed = ip4_ranges(&section);
        let mut map = Drawing::new(self.prefix, self.diff.is_some());
        let title = match &self.diff {
            None => {
                map.add(listed);
                self.zone.clone()
            }
            Some(file) => {
                let mut lines = zones::open(file)?;
                let earlier = Earlier { lines: &mut lines }.ip4(&apex.to_string());
                let (since, before) = earlier.with_context(|| file.display().to_string())?;
                map.add_changes(before.into_iter(), listed);
                format!("{} since {since}", self.zone)
            }
        };
        let write = || {
            let mut out = BufWriter::new(File::create(&self.output)?);
            map.picture(&title).write_png(&mut out)?;
            out.flush()
        };
        write().with_context(|| format!("cannot write {}", self.output.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}
