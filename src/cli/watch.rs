//! `dnsbld watch`

use super::client::{Answer, Client};
use super::print;
use crate::config::{self, Settings};
use crate::daemon::request::ControlRequest;
use crate::explain::check::ServedFile;
use crate::explain::offline::load_all;
use crate::monitor::{Look, WatchRecord, look_at, watched_datasets};
use crate::status::{Status, WatchedKey, WatchedListing, WatchedStatus};
use crate::util::text::counted;
use crate::util::time::unix_time;
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// The exit code if it cannot be told.
const CANNOT_TELL: u8 = 2;

/// The version of the form of [`Report`].
const SCHEMA: u32 = 1;

/// Tell which of your networks and domains (`[watch]` of the configuration) are listed now, where, since
/// when and by which line.
///
/// It asks the running server, or reads the files of the configuration if none answers. The exit code is 0 if
/// nothing of them is listed, 1 if something is, 2 if that cannot be told.
#[derive(Args, Debug)]
pub struct Watch {
    #[command(flatten)]
    client: Client,
    /// Do not ask a server: read what it accepted last from the state folder, or else the files.
    #[arg(long, conflicts_with = "socket")]
    offline: bool,
    /// Print JSON, as docs/watch.md explains it.
    #[arg(long)]
    json: bool,
}

/// What is watched, and what is listed of it.
#[derive(Serialize)]
struct Report {
    schema: u32,
    /// Who answered: the `server`, or the `files` without one.
    from: &'static str,
    watched: Vec<WatchedStatus>,
    /// The datasets that are not loaded.
    unknown: Vec<String>,
}

impl Watch {
    /// Asks the server, or looks itself, and prints what is listed.
    ///
    /// # Errors
    ///
    /// [`config::Errors`] if the configuration cannot be used; or if the result cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let report = match self.report() {
            Ok(report) => report,
            Err(error) if error.is::<config::Errors>() => return Err(error),
            Err(error) => {
                // If standard error is closed, nobody can be told.
                let _ = writeln!(io::stderr(), "dnsbld: cannot tell: {error:#}");
                return Ok(ExitCode::from(CANNOT_TELL));
            }
        };
        let text = if self.json { report.to_json() } else { report.to_text() };
        print(&text)?;
        let is_listed = report.watched.iter().any(|it| !it.listed.is_empty());
        Ok(match (is_listed, report.unknown.is_empty()) {
            (true, _) => ExitCode::FAILURE,
            (false, true) => ExitCode::SUCCESS,
            (false, false) => ExitCode::from(CANNOT_TELL),
        })
    }

    fn report(&self) -> anyhow::Result<Report> {
        let report = match self.ask_server()? {
            Some(report) => report,
            None => {
                let source = self.client.configuration()?;
                let source = source
                    .context("the files are not known without a configuration (--config FILE)")?;
                from_files(&source.load()?.settings)
            }
        };
        anyhow::ensure!(
            !report.watched.is_empty(),
            "nothing is watched: name your networks and domains in the table [watch] of the configuration"
        );
        Ok(report)
    }

    fn ask_server(&self) -> anyhow::Result<Option<Report>> {
        if self.offline {
            return Ok(None);
        }
        match self.client.ask::<Status>(&ControlRequest::Status {})? {
            Ok(Answer::Done(status)) => {
                let is_unknown = |name: &&String| {
                    let set = status.datasets.iter().find(|set| set.name == **name);
                    set.is_none_or(|set| set.entries.is_none())
                };
                let zones = || status.zones.iter();
                let allows = |name: &&String| zones().any(|zone| zone.allow.contains(name));
                let lists = zones().flat_map(|zone| &zone.datasets);
                let mut unknown: Vec<_> =
                    lists.filter(is_unknown).filter(|name| !allows(name)).cloned().collect();
                unknown.sort();
                unknown.dedup();
                let from = "server";
                Ok(Some(Report { schema: SCHEMA, from, watched: status.watched, unknown }))
            }
            Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
            Err(unreachable) => {
                let _ = writeln!(
                    io::stderr(),
                    "dnsbld: {unreachable}; the files of the configuration are read instead"
                );
                Ok(None)
            }
        }
    }
}

/// What the datasets list as a server would have them.
fn from_files(settings: &Settings) -> Report {
    let state_dir = settings.server.state_dir.as_deref();
    let mut record = state_dir.map(WatchRecord::read).unwrap_or_default();
    let mut loaded = load_all(settings);
    let mut unknown = Vec::new();
    for spec in watched_datasets(settings) {
        let Some(Ok(set)) = loaded.remove(&*spec.name) else {
            unknown.push(spec.name.clone());
            continue;
        };
        let zones = settings.zones.iter().filter(|zone| zone.datasets.contains(&spec.name));
        let accepted = set.accepted.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let look = Look {
            files: set.sources.iter().map(ServedFile::from).collect(),
            dataset: Arc::new(set.dataset),
            spec: spec.clone(),
            server: settings.server.clone(),
            zones: zones.map(|zone| zone.name.to_string()).collect(),
            time: accepted.map_or_else(unix_time, |since| since.as_secs()),
        };
        // Only a server tells what has changed.
        look_at(&look, &settings.watch, &mut record);
    }
    let watched = WatchedStatus::all(settings, &record);
    Report { schema: SCHEMA, from: "files", watched, unknown }
}

impl Report {
    fn to_json(&self) -> String {
        serde_json::to_string_pretty(self)
            .map_or_else(|error| error.to_string(), |text| text + "\n")
    }

    fn to_text(&self) -> String {
        let mut out = String::new();
        for WatchedStatus { watched, label, listed } in &self.watched {
            let lists = match listed.len() as u64 {
                0 => "not listed".to_owned(),
                count => format!("listed in {}", counted(count, "list", "lists")),
            };
            let _ = writeln!(out, "{watched} ({label}): {lists}");
            listed.iter().for_each(|listing| write_listing(&mut out, listing));
        }
        if !self.unknown.is_empty() {
            let unknown = self.unknown.join(", ");
            let _ = writeln!(out, "not loaded, so that nothing is known of them: {unknown}");
        }
        out
    }
}

fn write_listing(out: &mut String, listing: &WatchedListing) {
    let WatchedListing { dataset, zones, keys, more, .. } = listing;
    let zones = if zones.is_empty() { "no zone".to_owned() } else { zones.join(", ") };
    let _ = writeln!(out, "  {dataset} (in {zones})");
    for key in keys {
        let WatchedKey { key: listed, since, .. } = key;
        let by = key.place().map_or(String::new(), |(place, text)| format!("  {place}: {text}"));
        let _ = writeln!(out, "    {listed} since {since}{by}");
    }
    if *more > 0 {
        let _ = writeln!(out, "    and {more} more");
    }
}
