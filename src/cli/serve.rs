//! `dnsbld serve`

use crate::config::ConfigSource;
use crate::event::{Event, EventSink as _, Log};
use anyhow::Context;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// Answer queries until stopped.
///
/// SIGHUP reloads the configuration. Changed data files are reloaded without a signal.
#[derive(Args, Debug)]
pub struct Serve {
    /// The configuration file [default: /etc/dnsbld/dnsbld.toml, in a checkout zones/dnsbld.toml].
    #[arg(long, short, value_name = "FILE", conflicts_with = "zones")]
    config: Option<PathBuf>,
    /// An address and port for UDP and TCP, in place of those in the configuration; may be
    /// repeated.
    #[arg(long, short, value_name = "ADDR:PORT", value_parser = crate::config::listen_address)]
    listen: Vec<SocketAddr>,
    /// Zones as rbldnsd takes them, in place of a configuration file. Repeat a zone to give it
    /// several datasets. Files are relative to the current folder.
    #[arg(value_name = "ZONE:TYPE:FILE,FILE...")]
    zones: Vec<String>,
}

impl Serve {
    /// Reads the configuration and serves it.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; else the failure that stopped
    /// the server.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let folder = std::env::current_dir().context("cannot determine the current folder")?;
        let source = match (self.config, self.zones.is_empty()) {
            (Some(file), _) => ConfigSource::file(file),
            (None, false) => ConfigSource::zone_specs(self.zones, folder),
            (None, true) => {
                let source = ConfigSource::default_file(&folder);
                Log.emit(&Event::SettingsChosen { source: source.to_string() });
                source
            }
        };
        let source = source.or_zone_specs().with_listen(&self.listen);
        let loaded = source.load()?;
        for warning in loaded.warnings {
            Log.emit(&Event::SettingDoubtful { source: source.to_string(), warning });
        }
        crate::daemon::run(loaded.settings, source)
    }
}
