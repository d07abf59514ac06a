//! The data: what a start would make of it, without one.

use super::allow::{self, Keys};
use super::report::{DatasetReport, Problem, Report, ZoneReport};
use crate::config::{self, ConfigSource, Settings};
use crate::daemon::{self, Personality};
use crate::event::{self, Event, EventSink, RecentEvents};
use crate::status::{DatasetStatus, FeedStatus, Health, ZoneStatus};
use crate::util::text::{counted, shell_word};
use sd_notify::NotifyState;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::Level;

/// Keeps what a start would tell of lines and lists beside its status.
#[derive(Default)]
struct Listener(Mutex<Vec<Problem>>);

impl EventSink for Listener {
    fn emit(&self, event: &Event) {
        let problem = match event {
            // The status tells these with their remedies.
            Event::DatasetRefused { .. }
            | Event::DatasetExpired { .. }
            | Event::DatasetOverdue { .. }
            | Event::ZoneExpired { .. }
            | Event::ZoneWithoutAllowList { .. }
            | Event::ZoneWithoutAccessList { .. } => return,
            Event::BadLine { dataset, file, line, column, reason, excerpt } => {
                let quoted =
                    excerpt.as_ref().map_or(String::new(), |excerpt| format!(": `{excerpt}`"));
                let message = format!("dataset {dataset}: {reason}{quoted}");
                Problem::warning(message, "").at(file, *line, *column)
            }
            _ if event::level(event) > Level::WARN => return,
            _ => Problem::warning(event::text(event), ""),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
    }
}

impl Personality for Listener {
    fn answers_while_loading(&self) -> bool {
        false
    }

    fn first_load(&self) -> anyhow::Result<()> {
        Ok(())
    }

    fn ready(&self, _: &str) -> anyhow::Result<()> {
        Ok(())
    }

    fn notify(&self, _: &[NotifyState<'_>]) {}

    fn recent_events(&self) -> Arc<RecentEvents> {
        Arc::default()
    }
}

/// Reads all data as a start would, and tells what would be served of it.
///
/// # Errors
///
/// When the system gives no thread.
pub(super) fn read(
    report: &mut Report,
    settings: Settings,
    source: ConfigSource,
) -> anyhow::Result<()> {
    let listener = Arc::new(Listener::default());
    let (catalog, status) = daemon::try_out(&settings, source, Arc::clone(&listener) as _)?;
    let told = std::mem::take(&mut *listener.0.lock().unwrap_or_else(PoisonError::into_inner));
    told.into_iter().for_each(|problem| report.tell(problem));
    let entries_of = |name: &String| status.datasets.iter().find(|set| set.name == *name)?.entries;
    report.datasets =
        settings.datasets.iter().map(|set| dataset(set, entries_of(&set.name))).collect();
    for set in &status.datasets {
        if let Some(problem) = of_dataset(set, fetch(&report.config, set, &status.feeds)) {
            report.tell(problem);
        }
    }
    for (zone, status) in settings.zones.iter().zip(&status.zones) {
        let is_served = status.state <= Health::Kept;
        let entries = Some(status.entries);
        report.zones.push(ZoneReport { entries, served: Some(is_served), ..zone_of(zone) });
        if !is_served {
            report.tell(of_zone(status));
        }
    }
    for zone in catalog.zones() {
        let listed = zone.datasets.iter().map(|set| Keys::of_data(set));
        let listed = listed.fold(Keys::default(), |one, other| one | other);
        for list in &zone.allow {
            let keys = Keys::of_data(list);
            if keys.never_match(listed) {
                let message = allow::message(&zone.apex.to_string(), &list.name, keys, listed);
                report
                    .tell(Problem::warning(message, allow::REMEDY).in_file(report.config.clone()));
            }
        }
    }
    Ok(())
}

/// Tells what can be told without reading the data.
pub(super) fn look(report: &mut Report, settings: &Settings) {
    report.datasets = settings.datasets.iter().map(|set| dataset(set, None)).collect();
    report.zones = settings.zones.iter().map(zone_of).collect();
    for set in &settings.datasets {
        for file in &set.files {
            let Err(error) = File::open(file) else { continue };
            let (name, path) = (&set.name, file.display().to_string());
            let problem = match error.kind() {
                ErrorKind::NotFound => {
                    let help = "fetch it before the start, or its zones answer SERVFAIL";
                    Problem::warning(format!("dataset {name}: there is no such file yet"), help)
                }
                _ => {
                    let help = "let the server's user read the file and search every folder on the way to it";
                    Problem::error(
                        format!("dataset {name}: the file cannot be read: {error}"),
                        help,
                    )
                }
            };
            report.tell(problem.in_file(path));
        }
    }
    let keys = |name: &String| settings.dataset(name).map(|set| Keys::of_kind(set.kind));
    for zone in &settings.zones {
        let listed = zone.datasets.iter().filter_map(keys);
        let listed = listed.fold(Keys::default(), |one, other| one | other);
        for list in &zone.allow {
            let keys = keys(list).unwrap_or_default();
            if keys.never_match(listed) {
                let message = allow::message(&zone.name.to_string(), list, keys, listed);
                report
                    .tell(Problem::warning(message, allow::REMEDY).in_file(report.config.clone()));
            }
        }
    }
}

fn dataset(set: &config::Dataset, entries: Option<u64>) -> DatasetReport {
    DatasetReport {
        name: set.name.clone(),
        kind: set.kind.to_string(),
        files: set.files.iter().map(|file| file.display().to_string()).collect(),
        entries,
    }
}

fn zone_of(zone: &config::Zone) -> ZoneReport {
    ZoneReport {
        name: zone.name.to_string(),
        datasets: zone.datasets.clone(),
        allow: zone.allow.clone(),
        acl: zone.acl.clone(),
        entries: None,
        served: None,
    }
}

/// The command that fetches the file of a dataset which is not there, if a feed brings it.
fn fetch(config: &str, set: &DatasetStatus, feeds: &[FeedStatus]) -> Option<String> {
    let file = &set.problem.as_ref()?.file;
    let feed = feeds.iter().find(|feed| feed.datasets.contains(&set.name))?;
    let command = format!("fetch it: dnsbld sync --config {} {}", shell_word(config), feed.name);
    (!Path::new(file).exists()).then_some(command)
}

/// What is wrong with the files of a dataset, and with `fetch` what to do about that. Where there is good data of
/// before, that is served.
fn of_dataset(set: &DatasetStatus, fetch: Option<String>) -> Option<Problem> {
    let DatasetStatus { name, entries, problem, .. } = set;
    let problem = problem.as_ref()?;
    let remedy = fetch.as_ref().unwrap_or(&problem.remedy);
    let shown = problem.shown.iter().map(|line| format!("; {line}")).collect::<String>();
    let fault = format!("dataset {name}: {}{shown}", problem.fault());
    let told = match entries {
        // It is too old, which its files say.
        Some(_) if problem.attempts == 0 => Problem::warning(fault, remedy),
        Some(entries) => {
            let entries = counted(*entries, "entry", "entries");
            let message = format!("{fault}; a start would serve the {entries} accepted before");
            Problem::warning(message, remedy)
        }
        None => Problem::error(format!("{fault}; nothing of it would be served"), remedy),
    };
    Some(told.in_file(problem.file.clone()))
}

/// Why a zone would not be served.
fn of_zone(zone: &ZoneStatus) -> Problem {
    let consequence = match zone.state {
        Health::Partial => "some of its questions would be answered SERVFAIL",
        _ => "it would answer SERVFAIL",
    };
    let reason = zone.reason.as_deref().unwrap_or("nothing of it can be loaded");
    let message = format!("zone {} would not be served: {reason}; {consequence}", zone.name);
    Problem::error(message, "remedy what is wrong with its datasets")
}
