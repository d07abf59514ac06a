//! `dnsbld advise`

use super::client::{Answer, Client};
use super::{print, with_failures_apart};
use crate::daemon::request::{CodesReport, ControlRequest};
use crate::explain::advise::{AdviceFinding, ListClient, ZoneCodes, codes, judge};
use crate::explain::offline::{load_all, zones};
use crate::status::SCHEMA;
use crate::util::text::counted;
use crate::util::time::unix_time;
use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Print the configuration of a program that asks the zones, made of the values that are in the data; or judge one
/// that exists.
///
/// It asks the running server, or reads the files of the configuration if none answers. The exit code is 0, with
/// --check 1 if something is found, and 2 if it could not be done.
#[derive(Args, Debug)]
pub struct Advise {
    #[command(flatten)]
    client: Client,
    /// Do not ask a server: read what it accepted last from the state folder, or else the files.
    #[arg(long, conflicts_with = "socket")]
    offline: bool,
    /// Judge this configuration of the program: main.cf, an ACL, rbl.conf, local.cf.
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    check: Option<PathBuf>,
    /// A zone that is asked in the public DNS on purpose; may be repeated.
    #[arg(long, value_name = "ZONE", requires = "check")]
    elsewhere: Vec<String>,
    /// Write the files into this folder, under the names that the program has for them.
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Print JSON, as docs/advise.md explains it.
    #[arg(long, conflicts_with = "output")]
    json: bool,
    /// The program.
    #[arg(value_enum)]
    program: ListClient,
    /// The zones to ask [default: all zones of the server].
    #[arg(value_name = "ZONE", conflicts_with = "check")]
    zones: Vec<String>,
}

/// What was found in a configuration.
#[derive(Serialize)]
struct Judgement<'j> {
    schema: u32,
    file: &'j Path,
    /// The places where it asks a zone.
    asked: usize,
    findings: Vec<AdviceFinding>,
}

impl Advise {
    /// Prints, writes or judges.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        with_failures_apart(self.advise())
    }

    fn advise(&self) -> anyhow::Result<ExitCode> {
        let mut zones = self.codes()?;
        if let Some(file) = &self.check {
            return self.judge(file, &zones);
        }
        for zone in &self.zones {
            let is_it = |known: &ZoneCodes| known.zone == zone.trim_end_matches('.').to_lowercase();
            ensure!(zones.iter().any(is_it), "there is no zone {zone}; `dnsbld status` names them");
        }
        if !self.zones.is_empty() {
            let wanted = |zone: &String| zone.trim_end_matches('.').to_lowercase();
            zones.retain(|zone| self.zones.iter().any(|other| wanted(other) == zone.zone));
        }
        if self.json {
            print(&to_json(&CodesReport { schema: SCHEMA, zones }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let files = self.program.files(&zones);
        match &self.output {
            None => {
                let parts = files.iter().map(|file| match files.len() {
                    1 => file.text.clone(),
                    _ => format!("# {}\n{}", file.name, file.text),
                });
                print(&parts.collect::<Vec<_>>().join("\n"))?;
            }
            Some(folder) => {
                for file in files {
                    let path = folder.join(file.name);
                    fs::write(&path, file.text)
                        .with_context(|| format!("cannot write {}", path.display()))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn judge(&self, file: &Path, zones: &[ZoneCodes]) -> anyhow::Result<ExitCode> {
        let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let asked = self.program.asked(&String::from_utf8_lossy(&text));
        let asked = asked.context("MDaemon keeps these settings in no file that can be judged")?;
        let findings = judge(&asked, zones, &self.elsewhere);
        let is_well = findings.is_empty();
        let judgement = Judgement { schema: SCHEMA, file, asked: asked.len(), findings };
        print(&if self.json { to_json(&judgement) } else { judgement.to_text() })?;
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The values of all zones, as the server or the files have them.
    fn codes(&self) -> anyhow::Result<Vec<ZoneCodes>> {
        if !self.offline {
            match self.client.wait::<CodesReport>(&ControlRequest::Codes {})? {
                Ok(Answer::Done(report)) => return Ok(report.zones),
                Ok(Answer::Refused(refused)) => bail!(refused.error),
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
        let now = unix_time();
        Ok(codes(&settings, &zones(&settings, load_all(&settings), now), now))
    }
}

impl Judgement<'_> {
    fn to_text(&self) -> String {
        let mut out = String::new();
        let file = self.file.display();
        for AdviceFinding { line, zone, text, change, .. } in &self.findings {
            let _ = writeln!(out, "{file}:{line}: {zone}: {text}\n    {change}");
        }
        let asked = counted(self.asked as u64, "question", "questions");
        let findings = self.findings.len() as u64;
        let _ = match findings {
            0 => writeln!(out, "{file}: {asked} of lists, no fault found"),
            _ => writeln!(
                out,
                "{file}: {asked} of lists, {}",
                counted(findings, "finding", "findings")
            ),
        };
        out
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).map_or_else(|error| error.to_string(), |text| text + "\n")
}
