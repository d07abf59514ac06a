//! `dnsbld replay`

mod text;

use super::{print, with_failures_apart};
use crate::explain::offline::{load_all, zones};
use crate::replay::{
    ClientTally, Clients, EarlierListing, ListFigures, LogFormat, Question, ReplayFigures,
    ReplayOutcome, Seen, StampRules, Weights, earlier, of_zones,
};
use crate::status::Time;
use crate::util::time::unix_time;
use anyhow::Context as _;
use clap::Args;
use flate2::bufread::MultiGzDecoder;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The first bytes of gzip (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The bytes that are read of a log at one time.
const BUFFER: usize = 1 << 20;

/// Tell what lists make of the clients in mail logs: hits of each list, what only it has, what they have in common,
/// and whom other lists, or weights, would have turned away.
///
/// It reads logs of Postfix, Exim, rspamd and MDaemon, which may be packed by gzip; the sort of each line is
/// recognised. The lists are what the server accepted last, or else the files of the configuration; no server is
/// asked. The exit code is 0, or 1 if no line has a client, 2 if that cannot be told.
#[derive(Args, Debug)]
pub struct Replay {
    /// The configuration with the lists [default: as for `dnsbld serve`].
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON, as docs/reports.md explains it.
    #[arg(long)]
    json: bool,
    /// The zones that the mail server rejects by now [default: all but those of allow lists].
    #[arg(long, value_name = "ZONE", value_delimiter = ',')]
    lists: Vec<String>,
    /// A zone that would be added.
    #[arg(long, value_name = "ZONE", value_delimiter = ',')]
    with: Vec<String>,
    /// A zone that would be dropped.
    #[arg(long, value_name = "ZONE", value_delimiter = ',')]
    without: Vec<String>,
    /// Weights in the place of rejecting by any list, as a.example=5,white.example=-10.
    #[arg(long, value_name = "ZONE=WEIGHT", value_delimiter = ',', value_parser = weight, requires = "at")]
    weights: Vec<(String, i64)>,
    /// The sum of the weights from which a client is rejected.
    #[arg(long, value_name = "SUM", requires = "weights", allow_negative_numbers = true)]
    at: Option<i64>,
    /// The offset from UTC of times in the log that have none, as +01:00.
    #[arg(long, value_name = "OFFSET", default_value = "+00:00", value_parser = offset, allow_hyphen_values = true)]
    utc_offset: i64,
    /// The logs; - for standard input.
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
}

/// What is told.
#[derive(Serialize)]
struct Report {
    schema: u32,
    lines: u64,
    formats: Vec<FormatLines>,
    addresses: u64,
    connections: u64,
    /// Further addresses were not counted.
    is_cut: bool,
    first: Option<Time>,
    last: Option<Time>,
    lists: Vec<ListFigures>,
    overlap: Vec<Overlap>,
    rejecting: Vec<String>,
    rejected: ClientTally,
    outcomes: Vec<ReplayOutcome>,
    /// Lists with a history, in the order of the settings.
    earlier: Vec<EarlierListing>,
    clients: Vec<ClientReport>,
}

#[derive(Serialize)]
struct FormatLines {
    format: &'static str,
    lines: u64,
}

/// How many addresses are on both of two lists.
#[derive(Serialize)]
struct Overlap {
    lists: [String; 2],
    addresses: u64,
}

/// A client that is on some list.
#[derive(Serialize)]
struct ClientReport {
    address: IpAddr,
    connections: u64,
    first: Option<Time>,
    last: Option<Time>,
    lists: Vec<String>,
}

impl Replay {
    /// Reads the lists and the logs, and prints what comes of it.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        with_failures_apart(self.tell())
    }

    fn tell(&self) -> anyhow::Result<ExitCode> {
        let settings = super::config_source(self.config.as_deref())?.load()?.settings;
        let now = unix_time();
        let rules =
            StampRules { now: i64::try_from(now).unwrap_or(i64::MAX), offset: self.utc_offset };
        let (loaded, clients) = std::thread::scope(|scope| {
            let loading = scope.spawn(|| load_all(&settings));
            let clients = self.read_logs(rules);
            let loaded =
                loading.join().map_err(|_| anyhow::anyhow!("loading the lists failed by a fault"));
            anyhow::Ok((loaded?, clients?))
        })?;
        for (name, problem) in
            loaded.iter().filter_map(|(name, set)| Some((name, set.as_ref().err()?)))
        {
            // If standard error is closed, nobody can be told.
            let _ = writeln!(
                io::stderr(),
                "dnsbld: dataset {name}: not loaded: {problem}; it lists nothing here"
            );
        }
        let lists = of_zones(&settings, &zones(&settings, loaded, now));
        let sorted = clients.sorted();
        let figures = ReplayFigures::new(&lists, &sorted, &self.question(), now)?;
        let state_dir = settings.server.state_dir.as_deref();
        let earlier = state_dir.map(|folder| earlier(folder, &lists, &sorted)).transpose();
        let earlier = earlier.context("the history of a list cannot be read")?.unwrap_or_default();
        let report = Report::new(&clients, &sorted, figures, earlier);
        print(&match self.json {
            true => serde_json::to_string_pretty(&report)? + "\n",
            false => text::of(&report),
        })?;
        Ok(ExitCode::from(u8::from(sorted.is_empty())))
    }

    fn question(&self) -> Question {
        let weights = self.at.map(|at| Weights { of: self.weights.clone(), at });
        let (lists, with, without) = (self.lists.clone(), self.with.clone(), self.without.clone());
        Question { lists, with, without, weights }
    }

    fn read_logs(&self, rules: StampRules) -> anyhow::Result<Clients> {
        let mut clients = Clients::default();
        for log in &self.logs {
            let read = match log == Path::new("-") {
                true => read_log(io::stdin().lock(), rules, &mut clients),
                false => File::open(log).and_then(|file| read_log(file, rules, &mut clients)),
            };
            read.with_context(|| format!("cannot read the log {}", log.display()))?;
        }
        Ok(clients)
    }
}

/// Reads a log, perhaps a packed one.
fn read_log(log: impl io::Read, rules: StampRules, clients: &mut Clients) -> io::Result<()> {
    let mut log = BufReader::with_capacity(BUFFER, log);
    match log.fill_buf()?.starts_with(&GZIP) {
        true => clients.read(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(log)), rules),
        false => clients.read(log, rules),
    }
}

impl Report {
    fn new(
        clients: &Clients,
        sorted: &[(IpAddr, Seen)],
        figures: ReplayFigures,
        earlier: Vec<EarlierListing>,
    ) -> Self {
        let ReplayFigures { lists, rejecting, overlap, now, outcomes, listed_in } = figures;
        let name = |list: usize| lists[list].list.clone();
        let listed = sorted.iter().zip(&listed_in).filter(|(_, on)| !on.is_empty());
        let clients_told = listed.map(|((address, seen), on)| ClientReport {
            address: *address,
            connections: seen.connections(),
            first: seen.times.map(|(first, _)| Time(first)),
            last: seen.times.map(|(_, last)| Time(last)),
            lists: on.iter().map(|list| name(*list)).collect(),
        });
        let times = || sorted.iter().filter_map(|(_, seen)| seen.times);
        let format =
            |(format, lines): (LogFormat, u64)| FormatLines { format: format.name(), lines };
        Self {
            schema: 1,
            lines: clients.lines,
            formats: clients.formats().map(format).collect(),
            addresses: sorted.len() as u64,
            connections: sorted.iter().map(|(_, seen)| seen.connections()).sum(),
            is_cut: clients.is_cut,
            first: times().map(|(first, _)| Time(first)).min(),
            last: times().map(|(_, last)| Time(last)).max(),
            overlap: overlap
                .into_iter()
                .map(|((one, other), addresses)| Overlap {
                    lists: [name(one), name(other)],
                    addresses,
                })
                .collect(),
            rejecting,
            rejected: now,
            outcomes,
            earlier,
            clients: clients_told.collect(),
            lists,
        }
    }
}

/// Reads `ZONE=WEIGHT`.
fn weight(text: &str) -> Result<(String, i64), String> {
    let pair = text
        .split_once('=')
        .and_then(|(zone, weight)| Some((zone.to_owned(), weight.parse().ok()?)));
    pair.filter(|(zone, _)| !zone.is_empty()).ok_or_else(|| "write it as ZONE=WEIGHT".to_owned())
}

/// Reads an offset as `+01:00`, in seconds.
fn offset(text: &str) -> Result<i64, String> {
    let read = || {
        let (sign, clock) = text.split_at_checked(1)?;
        let (hours, minutes) = clock.split_once(':')?;
        let number = |digits: &str, most: u8| {
            let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u8>().ok().filter(|number| is_number && *number <= most)
        };
        let seconds = (i64::from(number(hours, 14)?) * 60 + i64::from(number(minutes, 59)?)) * 60;
        match sign {
            "+" => Some(seconds),
            "-" => Some(-seconds),
            _ => None,
        }
    };
    read().ok_or_else(|| "write it as +01:00 or -05:30".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_and_offsets_are_read() {
        assert_eq!(weight("a.example=-5"), Ok(("a.example".to_owned(), -5)));
        for bad in ["", "=5", "a", "a=", "a=x", "a=1.5"] {
            assert!(weight(bad).is_err(), "{bad}");
        }
        assert_eq!([offset("+01:00"), offset("-05:30")], [Ok(3600), Ok(-19_800)]);
        for bad in ["", "1", "01:00", "+1:00", "+15:00", "+01:60", "+01:00:00"] {
            assert!(offset(bad).is_err(), "{bad}");
        }
    }
}
