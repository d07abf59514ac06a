//! `dnsbld check`

use super::client::{Answer, Client};
use super::print;
use crate::config::{self, ConfigSource, Settings};
use crate::daemon::request::{ControlRequest, LookupReport, MAX_KEYS};
use crate::explain::check::{DatasetFacts, Effort, Explanation, ServedFile, explain};
use crate::explain::mail_log::Addresses;
use crate::explain::offline::{Loaded, load_all, zones};
use crate::explain::{Lookup, NotAKey, Oracle, SCHEMA};
use crate::status::{Status, Time};
use crate::util::text::{counted, table};
use crate::util::time::unix_time;
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, BufReader, Write as _};
use std::process::ExitCode;

/// The exit code if it cannot be told.
const CANNOT_TELL: u8 = 2;

/// Tell why a sender is listed or not: what each zone answers, which line of which file says so, and what lets
/// the sender in.
///
/// It asks the running server, or reads the files of the configuration if none answers. The exit code is 0 if
/// no zone lists any of the keys, 1 if one does, 2 if that cannot be told. What allow lists have does not count
/// as listed.
#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    client: Client,
    /// Do not ask a server: read what it accepted last from the state folder, or else the files.
    #[arg(long, conflicts_with = "socket")]
    offline: bool,
    /// Print JSON, as docs/check.md explains it.
    #[arg(long)]
    json: bool,
    /// An address, a prefix, a name, user@domain, or a query name as a log has it; - for all addresses in a log
    /// or a bounce on standard input.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<String>,
}

/// The server or the files that answer.
enum Teller {
    /// A running server, and how it is.
    Server(Box<Status>),
    /// The files, and what was read of them.
    Files(Box<Oracle>, BTreeMap<String, DatasetFacts>),
}

impl Check {
    /// Looks the keys up, explains them, and prints that.
    ///
    /// # Errors
    ///
    /// [`config::Errors`] if the configuration cannot be used; if a key is none, if the server refuses, or if the
    /// result cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (teller, settings) = match self.teller() {
            Ok(found) => found,
            Err(error) if error.is::<config::Errors>() => return Err(error),
            Err(error) => {
                // If standard error is closed, nobody can be told.
                let _ = writeln!(io::stderr(), "dnsbld: cannot tell: {error:#}");
                return Ok(ExitCode::from(CANNOT_TELL));
            }
        };
        if self.keys == ["-"] {
            return self.log(&teller, &settings);
        }
        let lookups = match self.look_up(&teller, &self.keys) {
            Ok(lookups) => lookups,
            Err(error) => {
                let _ = writeln!(io::stderr(), "dnsbld: cannot tell: {error:#}");
                return Ok(ExitCode::from(CANNOT_TELL));
            }
        };
        let from = teller.name();
        let facts = |name: &str| teller.facts(name);
        let explanations = explain(&settings, from, lookups, Effort::full(), facts);
        print(&match self.json {
            true => to_json(&explanations),
            false => explanations.iter().map(Explanation::to_text).collect::<Vec<_>>().join("\n"),
        })?;
        let any = |is: fn(&Explanation) -> bool| explanations.iter().any(is);
        Ok(exit_code(any(|it| it.blocked), any(|it| it.unknown)))
    }

    /// The server or the files that answer, and the configuration.
    fn teller(&self) -> anyhow::Result<(Teller, Settings)> {
        if !self.offline {
            match self.client.ask::<Status>(&ControlRequest::Status {})? {
                Ok(Answer::Done(status)) => {
                    let source = match self.client.configuration()? {
                        Some(source) => source,
                        None => ConfigSource::file(&status.server.config),
                    };
                    return Ok((Teller::Server(Box::new(status)), source.load()?.settings));
                }
                Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
                Err(unreachable) => {
                    let _ = writeln!(
                        io::stderr(),
                        "dnsbld: {unreachable}; the files of the configuration are read instead"
                    );
                }
            }
        }
        let source = self.client.configuration()?;
        let source =
            source.context("the files are not known without a configuration (--config FILE)")?;
        let settings = source.load()?.settings;
        let loaded = load_all(&settings);
        let facts = offline_facts(&loaded);
        let now = unix_time();
        let oracle = Oracle::new(&zones(&settings, loaded, now), now);
        Ok((Teller::Files(Box::new(oracle), facts), settings))
    }

    fn look_up(&self, teller: &Teller, keys: &[String]) -> anyhow::Result<Vec<Lookup>> {
        let mut all = Vec::new();
        match teller {
            Teller::Files(oracle, _) => {
                let lookups = keys.iter().map(|key| oracle.lookup(key));
                all = lookups.collect::<Result<_, NotAKey>>()?;
            }
            Teller::Server(_) => {
                for keys in keys.chunks(MAX_KEYS) {
                    let request = ControlRequest::Lookup { keys: keys.to_vec() };
                    match self.client.wait::<LookupReport>(&request)? {
                        Ok(Answer::Done(report)) => all.extend(report.lookups),
                        Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
                        Err(unreachable) => anyhow::bail!("{unreachable}"),
                    }
                }
            }
        }
        Ok(all)
    }

    /// Reports the addresses of a log.
    fn log(&self, teller: &Teller, settings: &Settings) -> anyhow::Result<ExitCode> {
        let addresses = Addresses::read(BufReader::new(io::stdin().lock()))
            .context("cannot read the standard input")?;
        let (lines, is_cut) = (addresses.lines, addresses.is_cut);
        let counts = addresses.into_counts();
        let keys: Vec<_> = counts.iter().map(|(address, _)| address.to_string()).collect();
        let lookups = self.look_up(teller, &keys)?;
        let rows = lookups
            .iter()
            .zip(&counts)
            .map(|(lookup, (_, count))| LogLine::new(lookup, *count, settings));
        let report = LogReport {
            schema: SCHEMA,
            from: teller.name(),
            lines,
            is_cut,
            addresses: rows.collect(),
        };
        print(&if self.json { to_json(&report) } else { report.to_text() })?;
        let any = |is: fn(&LogLine) -> bool| report.addresses.iter().any(is);
        Ok(exit_code(any(|line| line.blocked), any(|line| line.unknown)))
    }
}

fn exit_code(blocked: bool, unknown: bool) -> ExitCode {
    match (blocked, unknown) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::from(CANNOT_TELL),
        (false, false) => ExitCode::SUCCESS,
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).map_or_else(|error| error.to_string(), |text| text + "\n")
}

impl Teller {
    fn name(&self) -> &'static str {
        match self {
            Self::Server(_) => "server",
            Self::Files(..) => "files",
        }
    }

    /// The facts about a dataset.
    fn facts(&self, name: &str) -> DatasetFacts {
        match self {
            Self::Server(status) => status.facts(name),
            Self::Files(_, facts) => {
                facts.get(name).cloned().unwrap_or_else(|| DatasetFacts::never_loaded(None))
            }
        }
    }
}

fn offline_facts(loaded: &Loaded<'_>) -> BTreeMap<String, DatasetFacts> {
    let facts = loaded.iter().map(|(name, loaded)| {
        let facts = match loaded {
            Ok(set) => {
                let newest =
                    set.sources.iter().map(|source| source.report.identity.modified.seconds).max();
                let stamp = set.stamp.and_then(|stamp| i64::try_from(stamp).ok());
                DatasetFacts {
                    state: if set.accepted.is_some() { "accepted" } else { "files" }.to_owned(),
                    problem: None,
                    made: stamp.or(newest).map(|time| Time(time).to_string()),
                    accepted: set.accepted.map(|time| Time::from(time).to_string()),
                    files: set.sources.iter().map(ServedFile::from).collect(),
                }
            }
            Err(problem) => DatasetFacts::never_loaded(Some(problem.clone())),
        };
        ((*name).to_owned(), facts)
    });
    facts.collect()
}

/// The addresses of a log.
#[derive(Serialize)]
struct LogReport {
    schema: u32,
    from: &'static str,
    /// The lines that were read.
    lines: u64,
    /// Further addresses were not counted.
    is_cut: bool,
    addresses: Vec<LogLine>,
}

/// An address of a log.
#[derive(Serialize)]
struct LogLine {
    address: String,
    /// The lines that have it.
    count: u64,
    /// Some zone lists it by a dataset that is not an allow list.
    blocked: bool,
    /// Some zone cannot tell.
    unknown: bool,
    /// The zones that list it.
    listed_in: Vec<String>,
    /// The allow lists that have it.
    allowed_by: Vec<String>,
}

impl LogLine {
    fn new(lookup: &Lookup, count: u64, settings: &Settings) -> Self {
        let zones = || lookup.zones.iter();
        let mut allowed_by: Vec<_> = zones().flat_map(|zone| zone.allowed_by.clone()).collect();
        allowed_by.sort();
        allowed_by.dedup();
        Self {
            address: lookup.key.clone(),
            count,
            blocked: lookup.is_blocked(settings),
            unknown: lookup.is_unknown(),
            listed_in: zones()
                .filter(|zone| zone.is_listed())
                .map(|zone| zone.zone.clone())
                .collect(),
            allowed_by,
        }
    }
}

impl LogReport {
    fn to_text(&self) -> String {
        let listed = self.addresses.iter().filter(|line| line.blocked).count() as u64;
        let mut out = format!(
            "{} in {}: {listed} listed\n",
            counted(self.addresses.len() as u64, "address", "addresses"),
            counted(self.lines, "line", "lines"),
        );
        let head = ["lines", "address", "listed in"].map(str::to_owned);
        let rows = self.addresses.iter().map(|line| {
            let allowed = line.allowed_by.iter().map(|list| format!("(allowed by {list})"));
            let places: Vec<_> = line.listed_in.iter().cloned().chain(allowed).collect();
            let places = if places.is_empty() { "-".to_owned() } else { places.join(" ") };
            [line.count.to_string(), line.address.clone(), places]
        });
        table(&mut out, head, rows.collect(), 3);
        if self.is_cut {
            out.push_str("further addresses were not counted; split the log\n");
        }
        out
    }
}
