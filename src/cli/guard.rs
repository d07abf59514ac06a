//! `dnsbld guard`

use super::preview::{Place, UNKNOWN};
use super::print;
use crate::config::RULES;
use crate::dataset::{DatasetVersion, Preview};
use crate::event::odd;
use crate::guard::{Facts, Judgement};
use crate::source::Problem;
use clap::Args;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Tell what the guard would say of a file, beside what the server accepted last.
///
/// It reads what is served from the state folder of the configuration, and changes nothing. The exit code
/// is 0 if the file would be served, 1 if it would be refused, 2 if that cannot be told.
#[derive(Args, Debug)]
pub struct Guard {
    #[command(flatten)]
    place: Place,
    /// The file.
    file: PathBuf,
    /// The dataset that it is a new version of.
    #[arg(long = "as", value_name = "DATASET")]
    dataset: String,
}

impl Guard {
    /// Judges the file and prints the judgement.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; or if the result cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let preview = match self.place.preview(&self.dataset, Some(&self.file)) {
            Err(error) if error.is::<crate::config::Errors>() => return Err(error),
            Err(error) => {
                eprintln!("dnsbld: cannot tell: {error:#}");
                return Ok(ExitCode::from(UNKNOWN));
            }
            Ok(preview) => preview,
        };
        let accept = self.place.accept_command(&self.dataset);
        let (text, code) = judgement(&self.dataset, &preview, &accept);
        print(&text)?;
        Ok(ExitCode::from(code))
    }
}

fn judgement(dataset: &str, preview: &Preview, accept: &str) -> (String, u8) {
    let Preview { off, old, new, judgement: Judgement { broken, doubt } } = preview;
    let mut out = format!("dataset {dataset}:\n");
    if let Ok(new) = new {
        out.push_str(&figures(old.as_ref(), new));
    }
    out.push_str(&rules(off, broken));
    let code = match &broken[..] {
        [problem, ..] if problem.cause.is_absence() => {
            let _ = writeln!(out, "cannot tell: {problem}");
            UNKNOWN
        }
        [problem, ..] => {
            let remedy = problem.cause.remedy(Some(accept));
            let _ = writeln!(out, "would be refused: {problem}\n  {remedy}");
            1
        }
        [] if old.is_none() => {
            out.push_str("cannot tell: the state folder has nothing of it to compare with\n");
            UNKNOWN
        }
        [] => {
            let doubt = doubt.as_ref().map(|doubt| format!(", with a warning: {}", odd(doubt)));
            let _ = writeln!(out, "would be served{}", doubt.unwrap_or_default());
            0
        }
    };
    (out, code)
}

/// A line for each rule, with its verdict.
fn rules(off: &[&str], broken: &[Problem]) -> String {
    let mut out = String::new();
    for (rule, _) in RULES {
        let breaks = broken.iter().find(|problem| problem.cause.rule() == Some(rule));
        let says = match breaks {
            Some(problem) => format!("refuses: {}", problem.cause),
            None if off.contains(rule) => "is turned off".to_owned(),
            None => "passes".to_owned(),
        };
        let _ = writeln!(out, "  guard {rule:<20}{says}");
    }
    out
}

/// What the rules compare.
fn figures(old: Option<&DatasetVersion>, new: &DatasetVersion) -> String {
    let mut out = String::new();
    let before = old.map(|old| &old.facts);
    let mut line = |what: &str, now: Option<u128>, before: Option<u128>| {
        let Some(now) = now else { return };
        let before = before.map_or(String::new(), |before| format!(", before {before}"));
        let _ = writeln!(out, "  {what:<26}{now}{before}");
    };
    let facts = &new.facts;
    let (entries, bad) = (u128::from(facts.entries), u128::from(facts.bad_lines));
    line("entries", Some(entries), before.map(|before| before.entries.into()));
    line("bad lines", Some(bad), before.map(|before| before.bad_lines.into()));
    let ip4 = |facts: &Facts| facts.ip4.map(u128::from);
    line("IPv4 addresses", ip4(facts), before.and_then(ip4));
    line("IPv6 addresses", facts.ip6, before.and_then(|before| before.ip6));
    let stamp = |facts: &Facts| facts.stamp.map(u128::from);
    line("timestamp", stamp(facts), before.and_then(stamp));
    let serial = |facts: &Facts| facts.serial.map(u128::from);
    line("serial", serial(facts), before.and_then(serial));
    out
}
