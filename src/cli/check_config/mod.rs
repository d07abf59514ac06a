//! `dnsbld check-config`

mod allow;
mod data;
mod places;
mod ports;
mod report;
mod user;

use super::{EX_CONFIG, config_source, print};
use crate::config::{self, Checked, Settings};
use clap::Args;
use report::{Problem, Report};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use user::ServerUser;

/// Check whether a server would start with a configuration, and serve all its zones.
///
/// Reads the data files as a start would, and looks at ports, certificates, files and folders; changes
/// nothing, and does not disturb a running server. Prints what the configuration means, and every mistake with
/// its place and remedy. The exit code is 0 if a start would serve all zones, 78 if the configuration has a
/// mistake, 1 if something else stands in the way.
#[derive(Args, Debug)]
pub struct CheckConfig {
    /// The configuration file [default: /etc/dnsbld/dnsbld.toml, in a checkout zones/dnsbld.toml].
    file: Option<PathBuf>,
    /// Read no data files.
    #[arg(long)]
    no_data: bool,
    /// Print JSON, as docs/check-config.md explains it.
    #[arg(long)]
    json: bool,
    /// Check as this user, whom the server is to run as. Only root can.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
}

impl CheckConfig {
    /// Checks the configuration and prints the result.
    ///
    /// # Errors
    ///
    /// If the user does not exist or cannot be assumed, or the result cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let user = self.user.as_deref().map(ServerUser::find).transpose()?;
        let source = config_source(self.file.as_deref())?;
        let Checked { settings, errors, warnings } = source.check();
        let mut report = Report::new(&source);
        let is_usable = errors.is_empty();
        for (is_error, diagnostic) in errors
            .into_iter()
            .map(|error| (true, error))
            .chain(warnings.into_iter().map(|warning| (false, warning)))
        {
            report.tell(Problem::of_config(&report.config, is_error, diagnostic));
        }
        if let Some(settings) = settings {
            let settings = whole_zones(settings);
            let running = ports::Running::find(&source);
            // Root binds them for the server, or systemd gives it the right to.
            ports::check(&mut report, &settings.server, running.as_ref());
            if let Some(user) = user {
                user.assume()?;
                if let Err(error) = config::open(Path::new(&report.config)) {
                    let message = format!("cannot read the configuration: {error}");
                    let help = "make the file readable to the user that dnsbld runs as";
                    report.tell(Problem::error(message, help).in_file(report.config.clone()));
                }
            }
            report.user = user::name();
            places::check(&mut report, &settings, running.as_ref());
            match self.no_data {
                true => data::look(&mut report, &settings),
                false => data::read(&mut report, settings, source)?,
            }
        }
        let report = report.finish();
        print(&if self.json { report.to_json() } else { report.to_text() })?;
        Ok(match (report.ok, is_usable) {
            (true, _) => ExitCode::SUCCESS,
            (false, true) => ExitCode::FAILURE,
            (false, false) => ExitCode::from(EX_CONFIG),
        })
    }
}

/// The zones whose datasets are all there, as every start has them.
fn whole_zones(mut settings: Settings) -> Settings {
    let names: Vec<_> = settings.datasets.iter().map(|dataset| dataset.name.clone()).collect();
    let is_there = |name: &String| names.contains(name);
    settings
        .zones
        .retain(|zone| zone.datasets.iter().chain(&zone.allow).chain(&zone.acl).all(is_there));
    settings.server.acl.retain(is_there);
    settings
}
