//! `dnsbld serve`

use super::current_folder;
use super::log::Lines;
use crate::config::{ConfigSource, Errors, Loaded, LogFormat};
use crate::event::{Event, EventSink as _, Log};
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
    /// The form of the log, in place of that in the configuration: text, json or journald.
    #[arg(long, value_name = "FORM", value_parser = crate::config::log_format)]
    log_format: Option<LogFormat>,
    /// Take the place of the server that runs with this configuration: it answers until all lists are loaded here, and no
    /// query is lost. If there is none, start as usual.
    #[arg(long, conflicts_with = "zones")]
    replace: bool,
    /// Zones as rbldnsd takes them, in place of a configuration file. Repeat a zone to give it
    /// several datasets. Files are relative to the current folder.
    #[arg(value_name = "ZONE:TYPE:FILE,FILE...")]
    zones: Vec<String>,
}

impl Serve {
    /// Reads the configuration. What is to be told waits for the log, whose form the configuration says.
    pub(super) fn prepare(&self) -> Prepared {
        let folder = current_folder();
        let is_chosen = self.config.is_none() && self.zones.is_empty();
        let source = folder.map(|folder| {
            let source = match (&self.config, is_chosen) {
                (Some(file), _) => ConfigSource::file(file),
                (None, true) => ConfigSource::default_file(&folder),
                (None, false) => ConfigSource::zone_specs(self.zones.clone(), folder),
            };
            source.or_zone_specs().with_listen(&self.listen).with_log_format(self.log_format)
        });
        let loaded = source.map(|source| {
            let loaded = source.load();
            (source, loaded)
        });
        Prepared { is_chosen, replaces: self.replace, log_format: self.log_format, loaded }
    }
}

/// A configuration that was read for a server.
pub(super) struct Prepared {
    /// Nobody named it.
    is_chosen: bool,
    /// It takes the place of the one that runs.
    replaces: bool,
    /// The form of the log that the command line says.
    log_format: Option<LogFormat>,
    loaded: anyhow::Result<(ConfigSource, Result<Loaded, Errors>)>,
}

impl Prepared {
    /// The form of the log; if the configuration cannot be used, for people unless the command line says otherwise.
    pub(super) fn log_format(&self) -> LogFormat {
        match &self.loaded {
            Ok((_, Ok(loaded))) => loaded.settings.server.log_format,
            _ => self.log_format.unwrap_or_default(),
        }
    }

    /// Serves it, once what it has told until then, and will tell, is written by `log`.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; else the failure that stopped
    /// the server.
    pub(super) fn run(self, log: Option<&Lines>) -> anyhow::Result<ExitCode> {
        let (source, loaded) = self.loaded?;
        if self.is_chosen {
            Log.emit(&Event::SettingsChosen { source: source.to_string() });
        }
        let loaded = loaded?;
        for warning in loaded.warnings {
            Log.emit(&Event::SettingDoubtful { source: source.to_string(), warning });
        }
        let server = crate::daemon::prepare(loaded.settings, source, self.replaces)?;
        // The thread of the log is confined, too.
        log.map_or(Ok(()), Lines::begin)?;
        server.serve()
    }
}
