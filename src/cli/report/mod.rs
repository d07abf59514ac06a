//! `dnsbld report`

mod overrides;
mod unused;

use super::client::{Answer, Client};
use crate::config::{ConfigSource, Settings};
use crate::daemon::request::ControlRequest;
use crate::explain::check::DatasetFacts;
use crate::status::{OverridesStatus, Status};
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Tell what allow lists do, for the operators of blocklists and for your own: reports of what the running server
/// has counted.
///
/// The exit code is 0 if there is something to tell, 1 if there is nothing, 2 if no server answers.
#[derive(Args, Debug)]
pub struct Report {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Overrides(overrides::OverridesReport),
    UnusedAllow(unused::UnusedAllowReport),
}

impl Report {
    /// Asks the server, reads the lists, and prints the report.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; if the server refuses, or if the report
    /// cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.what {
            What::Overrides(report) => report.run(),
            What::UnusedAllow(report) => report.run(),
        }
    }
}

/// What a server has counted, and what it serves.
struct Counted {
    overrides: OverridesStatus,
    status: Status,
    settings: Settings,
}

impl Counted {
    /// Asks the server; the exit code if none answers.
    fn ask(client: &Client) -> anyhow::Result<Result<Self, ExitCode>> {
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
        Ok(Ok(Self { overrides, status, settings }))
    }

    /// Makes sure that the lists that were named are there: datasets, or sections of combined ones.
    fn know(&self, lists: &[String]) -> anyhow::Result<()> {
        for list in lists {
            let dataset = list.split_once('/').map_or(&**list, |(dataset, _)| dataset);
            anyhow::ensure!(
                self.settings.dataset(list).or_else(|| self.settings.dataset(dataset)).is_some(),
                "there is no dataset {dataset:?}; there are {}",
                self.settings.datasets.iter().map(|set| &*set.name).collect::<Vec<_>>().join(", ")
            );
        }
        Ok(())
    }

    fn facts(&self, dataset: &str) -> DatasetFacts {
        self.status.facts(dataset)
    }

    /// The time so many days ago, in seconds since 1970.
    fn days_ago(&self, days: u64) -> i64 {
        let seconds = i64::try_from(days.saturating_mul(86_400)).unwrap_or(i64::MAX);
        self.overrides.time.0.saturating_sub(seconds)
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
