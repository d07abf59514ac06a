//! `dnsbld stats`

use super::client::{Answer, Client};
use super::print;
use super::sample::{Sample, rate, scaled};
use crate::daemon::request::ControlRequest;
use crate::stats::report::{StatsReport, TransferStats, ZoneStats};
use crate::util::text::{age, counted, table};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

/// Tell how much the running server is asked, and what it answers: since the start, and a second now.
///
/// The exit code is 0, or 2 if no server answers.
#[derive(Args, Debug)]
pub struct Stats {
    #[command(flatten)]
    client: Client,
    /// Print JSON, as docs/stats.md explains it.
    #[arg(long)]
    json: bool,
    /// The seconds over which rates are measured; 0 for those since the start.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=3600))]
    interval: u64,
    /// Tell of this zone alone.
    #[arg(value_name = "ZONE")]
    zone: Option<String>,
}

/// A zone with its rates.
#[derive(Serialize)]
struct Rated<'a> {
    #[serde(flatten)]
    counts: &'a ZoneStats,
    queries_per_second: f64,
    listed_per_second: f64,
}

#[derive(Serialize)]
struct RatedReport<'a> {
    #[serde(flatten)]
    report: &'a StatsReport,
    zones: Vec<Rated<'a>>,
}

impl Stats {
    /// Asks the server and prints its answer.
    ///
    /// # Errors
    ///
    /// If the server refuses, if it has no such zone, or if the answer cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut sample = Sample::default();
        if self.interval > 0 {
            match self.ask()? {
                Ok(report) => sample.add(report),
                Err(code) => return Ok(code),
            }
            std::thread::sleep(Duration::from_secs(self.interval));
        }
        match self.ask()? {
            Ok(report) => sample.add(report),
            Err(code) => return Ok(code),
        }
        print(&match self.json {
            true => self.json(&sample)?,
            false => self.text(&sample),
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn ask(&self) -> anyhow::Result<Result<StatsReport, ExitCode>> {
        let mut report: StatsReport = match self.client.ask(&ControlRequest::Stats {})? {
            Err(unreachable) => return Ok(Err(unreachable.tell())),
            Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
            Ok(Answer::Done(report)) => report,
        };
        if let Some(zone) = &self.zone {
            let apex = zone.strip_suffix('.').unwrap_or(zone).to_lowercase();
            report.zones.retain(|zone| zone.name.as_ref() == Some(&apex));
            anyhow::ensure!(
                !report.zones.is_empty(),
                "the server has no zone {zone:?}; `dnsbld stats` names those that it has"
            );
            let top = &mut report.top;
            top.listed.retain(|key| key.zone.as_ref() == Some(&apex));
            top.unlisted.retain(|key| key.zone.as_ref() == Some(&apex));
        }
        Ok(Ok(report))
    }

    fn json(&self, sample: &Sample) -> anyhow::Result<String> {
        let rated = |zone| {
            let (queries_per_second, listed_per_second) = sample.rates(zone);
            Rated { counts: zone, queries_per_second, listed_per_second }
        };
        let zones = sample.now.zones.iter().map(rated).collect();
        let report = RatedReport { report: &sample.now, zones };
        Ok(serde_json::to_string_pretty(&report)? + "\n")
    }

    fn text(&self, sample: &Sample) -> String {
        let report = &sample.now;
        let all = report.all();
        let up = Duration::from_secs_f64(report.uptime_seconds.max(0.0));
        let mut out = format!("counted for {}; rates are those of {}\n\n", age(up), sample.span());
        let mut rows: Vec<_> = report.zones.iter().map(|zone| row(zone, sample)).collect();
        if report.zones.len() > 1 {
            let rates = report.zones.iter().map(|zone| sample.rates(zone));
            let rates = rates.fold((0.0, 0.0), |sum, rates| (sum.0 + rates.0, sum.1 + rates.1));
            rows.push(cells("all".to_owned(), &all, rates));
        }
        table(&mut out, HEAD.map(str::to_owned), rows, 1);
        out.push('\n');
        for (count, what) in [(all.limited, "told to use TCP"), (all.spared, "let pass (dry run)")]
        {
            if count > 0 {
                let queries = counted(count, "query", "queries");
                let _ = writeln!(out, "rate limit: {queries} beyond it, {what}");
            }
        }
        for (quota, beyond) in report.quotas.iter().filter(|(_, beyond)| **beyond > 0) {
            let queries = counted(*beyond, "query", "queries");
            let _ = writeln!(out, "quota {quota}: {queries} beyond it");
        }
        for (kind, transfers) in &all.transfers {
            let TransferStats { sent, unfinished, refused, bytes, .. } = *transfers;
            let bytes = scaled(bytes as f64);
            let _ = writeln!(
                out,
                "{kind}: {sent} sent, {unfinished} unfinished, {refused} refused; {bytes} taken"
            );
        }
        for (title, counts) in [
            ("answers", &all.rcodes),
            ("types", &all.types),
            ("over", &all.transports),
            ("A values", &all.values),
        ] {
            if !counts.is_empty() {
                let _ = writeln!(out, "{title:<9} {}", shares(counts));
            }
        }
        out
    }
}

const HEAD: [&str; 8] =
    ["zone", "queries", "a second", "listed", "a second", "no answer", "bytes in", "bytes out"];

fn row(zone: &ZoneStats, sample: &Sample) -> [String; 8] {
    let name = zone.name.clone().unwrap_or_else(|| "(no zone)".to_owned());
    cells(name, zone, sample.rates(zone))
}

fn cells(name: String, zone: &ZoneStats, (queries, listed): (f64, f64)) -> [String; 8] {
    [
        name,
        zone.queries.to_string(),
        rate(queries),
        zone.listed.to_string(),
        rate(listed),
        zone.dropped.to_string(),
        scaled(zone.bytes_in as f64),
        scaled(zone.bytes_out as f64),
    ]
}

/// Counts, the greatest first, with their shares.
fn shares(counts: &BTreeMap<String, u64>) -> String {
    let sum: u64 = counts.values().sum();
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let share = |(name, count): (&String, &u64)| {
        format!("{name} {count} ({:.1} %)", *count as f64 * 100.0 / sum.max(1) as f64)
    };
    counts.into_iter().map(share).collect::<Vec<_>>().join(", ")
}
