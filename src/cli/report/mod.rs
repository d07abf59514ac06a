//! `dnsbld report`

mod overrides;
mod unused;

use super::client::{Answer, Client};
use super::{print, with_failures_apart};
use crate::config::{ConfigSource, Settings, Usage};
use crate::daemon::request::ControlRequest;
use crate::explain::check::{DatasetFacts, whole};
use crate::status::{OverridesStatus, SCHEMA, Status, Time};
use anyhow::ensure;
use clap::{Args, Subcommand};
use overrides::OverridesReport;
use serde::Serialize;
use std::process::ExitCode;
use unused::UnusedAllowReport;

/// Tell what allow lists do, for the operators of blocklists and for your own: reports of what the running server
/// has counted.
///
/// The exit code is 0 if there is something to tell, 1 if there is nothing, 2 if that cannot be told.
#[derive(Args, Debug)]
pub struct Report {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Overrides(OverridesReport),
    UnusedAllow(UnusedAllowReport),
}

impl Report {
    /// Asks the server, reads the lists, and prints the report.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        with_failures_apart(match self.what {
            What::Overrides(report) => report.run(),
            What::UnusedAllow(report) => report.run(),
        })
    }
}

/// Of which server a report is, of which days, and its form.
#[derive(Args, Debug)]
struct Options {
    #[command(flatten)]
    client: Client,
    /// Print JSON, as docs/reports.md explains it.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV with a head line (RFC 4180).
    #[arg(long)]
    csv: bool,
    /// Look at the last so many days [default: at all that was counted].
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..))]
    days: Option<u64>,
    /// Tell of these lists alone: datasets, or sections of combined ones.
    #[arg(value_name = "LIST")]
    lists: Vec<String>,
}

/// What a server has counted, and what it serves.
struct Counted {
    overrides: OverridesStatus,
    /// The time from which on the report tells.
    since: Time,
    status: Status,
    settings: Settings,
}

#[derive(Serialize)]
struct JsonReport<'a, L> {
    schema: u32,
    time: Time,
    since: Time,
    floor: u64,
    unnamed: u64,
    lists: &'a [L],
}

impl Options {
    /// Asks the server; the exit code if none answers. The lists that are named must be of this use.
    fn ask(&self, is_of_use: fn(&Usage) -> bool) -> anyhow::Result<Result<Counted, ExitCode>> {
        let client = &self.client;
        let overrides: OverridesStatus = match client.ask(&ControlRequest::Overrides {})? {
            Err(unreachable) => return Ok(Err(unreachable.tell())),
            Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
            Ok(Answer::Done(overrides)) => overrides,
        };
        let status: Status = match client.ask(&ControlRequest::Status {})? {
            Err(unreachable) => return Ok(Err(unreachable.tell())),
            Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
            Ok(Answer::Done(status)) => status,
        };
        let source = match client.configuration()? {
            Some(source) => source,
            None => ConfigSource::file(&status.server.config),
        };
        let settings = source.load()?.settings;
        for list in &self.lists {
            let known = settings.datasets.iter().filter(|set| is_of_use(&set.usage));
            ensure!(
                whole(&settings, list).is_some_and(|set| is_of_use(&set.usage)),
                "there is no such list: {list:?}; there are {}",
                known.map(|set| &*set.name).collect::<Vec<_>>().join(", ")
            );
        }
        let days_ago = |days: u64| {
            let seconds = i64::try_from(days.saturating_mul(86_400)).unwrap_or(i64::MAX);
            overrides.time.0.saturating_sub(seconds)
        };
        let since = Time(self.days.map_or(i64::MIN, days_ago).max(overrides.since.0));
        Ok(Ok(Counted { overrides, since, status, settings }))
    }

    /// Prints the report in the form that is wanted.
    fn print<L: Serialize>(
        &self,
        counted: &Counted,
        lists: &[L],
        csv: impl FnOnce() -> String,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        print(&if self.json {
            counted.to_json(lists)?
        } else if self.csv {
            csv()
        } else {
            text()
        })
    }
}

impl Counted {
    fn facts(&self, dataset: &str) -> DatasetFacts {
        self.status.facts(dataset)
    }

    fn to_json<L: Serialize>(&self, lists: &[L]) -> anyhow::Result<String> {
        let OverridesStatus { time, floor, unnamed, .. } = self.overrides;
        let report = JsonReport { schema: SCHEMA, time, since: self.since, floor, unnamed, lists };
        Ok(serde_json::to_string_pretty(&report)? + "\n")
    }

    /// What must be known of a count that is not whole.
    fn caveat(&self) -> Option<String> {
        let OverridesStatus { floor, unnamed, .. } = &self.overrides;
        let mut notes = Vec::new();
        if *floor > 0 {
            notes.push(format!(
                "rarer senders gave way to others: a sender that is not told may have been let in up to {floor} times"
            ));
        }
        if *unnamed > 0 {
            notes.push(format!(
                "{unnamed} further answers were for senders that are not known: too many different ones at once"
            ));
        }
        (!notes.is_empty()).then(|| format!("Note: {}.\n", notes.join("; ")))
    }
}

/// A cell of a line of CSV (RFC 4180).
fn csv_cell(text: &str) -> String {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// A line of CSV with its end.
fn csv_line<'c>(cells: impl IntoIterator<Item = &'c str>) -> String {
    let cells: Vec<_> = cells.into_iter().map(csv_cell).collect();
    cells.join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_need_it_are_quoted() {
        assert_eq!(
            csv_line(["a", "b c", "", "1,2", "say \"x\""]),
            "a,b c,,\"1,2\",\"say \"\"x\"\"\"\r\n"
        );
    }
}
