//! What was found: a plain value, of which text and JSON are made. `docs/check-config.md` explains each field.

use crate::config::{ConfigDiagnostic, ConfigSource};
use crate::util::text::counted;
use serde::Serialize;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

/// The version of the form of the JSON. It changes when a field is removed or changes its meaning.
const SCHEMA: u32 = 1;

/// Everything that was found.
#[derive(Serialize, Debug)]
pub(super) struct Report {
    schema: u32,
    /// The configuration file.
    pub(super) config: String,
    /// The user that it was checked as.
    pub(super) user: String,
    /// A start would serve all zones.
    pub(super) ok: bool,
    pub(super) listen: Vec<Listen>,
    pub(super) datasets: Vec<DatasetReport>,
    pub(super) zones: Vec<ZoneReport>,
    problems: Vec<Problem>,
}

/// An address to listen on.
#[derive(Serialize, Debug)]
pub(super) struct Listen {
    pub(super) address: SocketAddr,
    /// `UDP and TCP`, `TLS` or `HTTP`.
    pub(super) protocol: &'static str,
    /// The process of the running server of this configuration that has it now.
    pub(super) served_by: Option<u32>,
}

/// A dataset that the settings have.
#[derive(Serialize, Debug)]
pub(super) struct DatasetReport {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) files: Vec<String>,
    /// The entries that would be served; `None` if there are none, or no data was read.
    pub(super) entries: Option<u64>,
}

/// A zone that the settings have.
#[derive(Serialize, Debug)]
pub(super) struct ZoneReport {
    pub(super) name: String,
    pub(super) datasets: Vec<String>,
    pub(super) allow: Vec<String>,
    pub(super) acl: Vec<String>,
    /// The entries of its datasets; `None` if no data was read.
    pub(super) entries: Option<u64>,
    /// A start would answer all its questions; `None` if no data was read.
    pub(super) served: Option<bool>,
}

/// How bad a problem is.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
enum Severity {
    /// A start would fail, or not serve all zones.
    Error,
    /// It would serve all zones, but something is probably not as it is meant.
    Warning,
}

/// Something that is wrong.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Problem {
    severity: Severity,
    file: Option<String>,
    line: Option<u64>,
    column: Option<u64>,
    message: String,
    remedy: Option<String>,
}

impl Problem {
    /// Something for which a start would fail or not serve all zones. An empty remedy is none.
    pub(super) fn error(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Error, message.into(), remedy.into())
    }

    /// Something that is probably not as it is meant. An empty remedy is none.
    pub(super) fn warning(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message.into(), remedy.into())
    }

    fn new(severity: Severity, message: String, remedy: String) -> Self {
        let remedy = Some(remedy).filter(|remedy| !remedy.is_empty());
        Self { severity, file: None, line: None, column: None, message, remedy }
    }

    /// A mistake of the configuration, or a warning about it.
    pub(super) fn of_config(config: &str, is_error: bool, diagnostic: ConfigDiagnostic) -> Self {
        let ConfigDiagnostic { place, message, help } = diagnostic;
        let severity = if is_error { Severity::Error } else { Severity::Warning };
        let problem = Self::new(severity, message, help).in_file(config);
        let (line, column) = place.map(|(line, column)| (line as u64, column as u64)).unzip();
        Self { line, column, ..problem }
    }

    /// Says which file it is about.
    pub(super) fn in_file(self, file: impl Into<String>) -> Self {
        Self { file: Some(file.into()), ..self }
    }

    /// Says which line of a file it is about; line 0 is none.
    pub(super) fn at(self, file: &Path, line: u32, column: u32) -> Self {
        let place = (line > 0).then_some((line.into(), column.into()));
        let (line, column) = place.unzip();
        Self { line, column, ..self.in_file(file.display().to_string()) }
    }
}

impl Report {
    /// Nothing is known yet.
    pub(super) fn new(source: &ConfigSource) -> Self {
        Self {
            schema: SCHEMA,
            config: source.to_string(),
            user: super::user::name(),
            ok: false,
            listen: Vec::new(),
            datasets: Vec::new(),
            zones: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Adds a problem, once.
    pub(super) fn tell(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Nothing more is found: the errors come first.
    pub(super) fn finish(mut self) -> Self {
        self.problems.sort_by_key(|problem| problem.severity != Severity::Error);
        self.ok = self.count(Severity::Error) == 0;
        self
    }

    fn count(&self, severity: Severity) -> u64 {
        self.problems.iter().filter(|problem| problem.severity == severity).count() as u64
    }

    /// One JSON object.
    pub(super) fn to_json(&self) -> String {
        // The strings and numbers of a report are always valid JSON.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The meaning of the configuration, a problem on each line with its remedy below, and the result.
    pub(super) fn to_text(&self) -> String {
        let mut out = format!("configuration {}\nuser    {}\n", self.config, self.user);
        let mut line = |text: std::fmt::Arguments<'_>| {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{text}");
        };
        for Listen { address, protocol, served_by } in &self.listen {
            let note = served_by.map_or(String::new(), |process| {
                format!(": process {process}, the running server of this configuration, has it")
            });
            line(format_args!("listen  {address} ({protocol}){note}"));
        }
        for DatasetReport { name, kind, files, entries } in &self.datasets {
            let entries = entries.map_or(String::new(), |entries| {
                format!(", {}", counted(entries, "entry", "entries"))
            });
            line(format_args!("dataset {name} ({kind}): {}{entries}", files.join(" ")));
        }
        for ZoneReport { name, datasets, allow, acl, served, .. } in &self.zones {
            let named = |what: &str, lists: &[String]| match lists {
                [] => String::new(),
                lists => format!(", {what} {}", lists.join(" ")),
            };
            let (allow, acl) = (named("allow", allow), named("acl", acl));
            let note = if *served == Some(false) { ": NOT served" } else { "" };
            line(format_args!("zone    {name}: {}{allow}{acl}{note}", datasets.join(" ")));
        }
        for problem in &self.problems {
            let Problem { severity, file, line: number, column, message, remedy } = problem;
            let severity = match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let mut place = file.as_ref().map_or(String::new(), |file| format!("{file}:"));
            for part in [number, column].into_iter().flatten() {
                let _ = write!(place, "{part}:");
            }
            let space = if place.is_empty() { "" } else { " " };
            line(format_args!("{severity}: {place}{space}{message}"));
            if let Some(remedy) = remedy {
                line(format_args!("    help: {remedy}"));
            }
        }
        let zones = counted(self.zones.len() as u64, "zone", "zones");
        let datasets = counted(self.datasets.len() as u64, "dataset", "datasets");
        let warnings = counted(self.count(Severity::Warning), "warning", "warnings");
        let errors = counted(self.count(Severity::Error), "error", "errors");
        match self.ok {
            true => line(format_args!("OK: {zones}, {datasets}, {warnings}")),
            false => line(format_args!(
                "NOT OK: a start would not serve all zones: {errors}, {warnings}"
            )),
        }
        out
    }
}
