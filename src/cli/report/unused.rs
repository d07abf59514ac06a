//! `dnsbld report unused-allow`

use super::{Counted, csv_line};
use crate::cli::client::Client;
use crate::cli::print;
use crate::explain::unused::{UnusedAllow, unused};
use crate::status::{SCHEMA, Time};
use crate::util::text::counted;
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Tell which allow entries have changed no answer: no sender that they let in was on a blocklist when it was asked
/// for.
#[derive(Args, Debug)]
pub(super) struct UnusedAllowReport {
    #[command(flatten)]
    client: Client,
    /// Print JSON, as docs/reports.md explains it.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV with a head line (RFC 4180).
    #[arg(long)]
    csv: bool,
    /// Look at the last so many days; otherwise at all that was counted.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..))]
    days: Option<u64>,
    /// Tell of these allow lists alone.
    #[arg(value_name = "LIST")]
    lists: Vec<String>,
}

#[derive(Serialize)]
struct JsonReport<'a> {
    schema: u32,
    time: Time,
    since: Time,
    floor: u64,
    unnamed: u64,
    lists: &'a [UnusedAllow],
}

impl UnusedAllowReport {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let counted = match Counted::ask(&self.client)? {
            Ok(counted) => counted,
            Err(code) => return Ok(code),
        };
        counted.know(&self.lists)?;
        let told = &counted.overrides;
        let began = told.since.0;
        let after = self.days.map_or(began, |days| counted.days_ago(days).max(began));
        let recent = told.overrides.iter().filter(|it| it.last.0 >= after);
        let senders: Vec<_> = recent.map(|it| it.key.clone()).collect();
        let mut lists = unused(&counted.settings, &senders, |name| counted.facts(name));
        lists.retain(|list| self.lists.is_empty() || self.lists.contains(&list.allow));
        print(&if self.json {
            json(&counted, Time(after), &lists)?
        } else if self.csv {
            csv(&lists)
        } else {
            text(&counted, Time(after), &lists)
        })?;
        let has_news = |list: &UnusedAllow| !list.unused.is_empty() || list.problem.is_some();
        Ok(ExitCode::from(u8::from(!lists.iter().any(has_news))))
    }
}

fn json(counted: &Counted, since: Time, lists: &[UnusedAllow]) -> anyhow::Result<String> {
    let told = &counted.overrides;
    let (floor, unnamed) = (told.floor, told.unnamed);
    let report = JsonReport { schema: SCHEMA, time: told.time, since, floor, unnamed, lists };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn csv(lists: &[UnusedAllow]) -> String {
    let mut out = csv_line(["allow list", "entry", "file", "line", "text"]);
    for list in lists {
        for it in &list.unused {
            let line = it.line.to_string();
            out.push_str(&csv_line([&*list.allow, &it.entry, &it.file, &line, &it.text]));
        }
    }
    out
}

fn text(told: &Counted, since: Time, lists: &[UnusedAllow]) -> String {
    let mut out = String::new();
    if lists.is_empty() {
        out.push_str("no zone has an allow list\n");
    }
    for list in lists {
        let UnusedAllow { allow, entries, unused, problem } = list;
        let entries = counted(*entries, "entry", "entries");
        let _ = writeln!(
            out,
            "{allow}: of {entries}, {} changed no answer since {since}",
            if unused.is_empty() { "none".to_owned() } else { unused.len().to_string() }
        );
        for it in unused {
            let _ = writeln!(out, "  {}:{}: {}", it.file, it.line, it.text);
        }
        if let Some(problem) = problem {
            let _ = writeln!(out, "  not read to the end: {problem}");
        }
    }
    out.extend(told.caveat());
    out
}
