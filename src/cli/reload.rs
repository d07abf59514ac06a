//! `dnsbld reload`

use super::client::{Answer, Client};
use super::print;
use crate::daemon::reload_report::{DatasetChange, ReloadReport};
use crate::daemon::request::ControlRequest;
use crate::util::text::counted;
use clap::Args;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Have the running server read its configuration and all changed files again, and wait for that.
///
/// It prints what has changed, or why not. The exit code is 0 if all is well, 1 if the settings or some
/// files were not taken, 2 if no server answers.
#[derive(Args, Debug)]
pub struct Reload {
    #[command(flatten)]
    client: Client,
}

impl Reload {
    /// Asks the server and prints its answer.
    ///
    /// # Errors
    ///
    /// If the server refuses, or if the answer cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let report: ReloadReport = match self.client.wait(&ControlRequest::Reload {})? {
            Err(unreachable) => return Ok(unreachable.tell()),
            Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
            Ok(Answer::Done(report)) => report,
        };
        print(&text(&report))?;
        Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn text(report: &ReloadReport) -> String {
    let mut out = String::new();
    for mistake in &report.mistakes {
        let _ = writeln!(out, "{mistake}");
    }
    if !report.accepted {
        out.push_str("configuration not reloaded: the settings read before stay in use\n");
    }
    for change in report.settings.iter().chain(&report.restart) {
        let _ = writeln!(out, "{change}");
    }
    for change in &report.datasets {
        let _ = writeln!(out, "dataset {}: {}", change.name, dataset(change));
    }
    if report.loading {
        out.push_str("some files are still being written or read; see `dnsbld status`\n");
    }
    if out.is_empty() {
        out.push_str("nothing has changed\n");
    }
    let _ = writeln!(out, "done in {} ms", report.milliseconds);
    out
}

fn dataset(change: &DatasetChange) -> String {
    let entries = |count| counted(count, "entry", "entries");
    let data = match (change.before, change.now) {
        (None, None) => "nothing of it is served".to_owned(),
        (None, Some(now)) => format!("loaded {}", entries(now)),
        (Some(before), Some(now)) if change.problem.is_none() => {
            format!("reloaded: {}, before {before}", entries(now))
        }
        (Some(_), Some(now)) => counted(now, "entry is kept", "entries are kept"),
        (Some(before), None) => format!("removed, with {}", entries(before)),
    };
    match &change.problem {
        None => data,
        Some(problem) => {
            let (file, fault, remedy) = (&problem.file, problem.fault(), &problem.remedy);
            format!("not reloaded: {file}: {fault}; {data}; {remedy}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{ProblemStatus, Time};

    #[test]
    fn the_report_says_what_changed_or_why_not() {
        let problem = ProblemStatus {
            file: "/lists/one".to_owned(),
            rule: None,
            cause: "holds no bytes".to_owned(),
            shown: Vec::new(),
            remedy: "fetch the file again".to_owned(),
            since: Time(0),
            attempts: 1,
        };
        let change = |name: &str, before, now, problem| DatasetChange {
            name: name.to_owned(),
            before,
            now,
            problem,
        };
        let mut report = ReloadReport {
            schema: 1,
            accepted: true,
            mistakes: Vec::new(),
            settings: vec!["dataset a is new".to_owned()],
            restart: Vec::new(),
            datasets: vec![
                change("a", None, Some(1), None),
                change("b", Some(3), Some(2), None),
                change("c", Some(3), Some(3), Some(problem.clone())),
                change("d", None, None, Some(problem)),
                change("e", Some(3), None, None),
            ],
            loading: false,
            milliseconds: 7,
        };
        let want = "\
dataset a is new
dataset a: loaded 1 entry
dataset b: reloaded: 2 entries, before 3
dataset c: not reloaded: /lists/one: holds no bytes; 3 entries are kept; fetch the file again
dataset d: not reloaded: /lists/one: holds no bytes; nothing of it is served; fetch the file again
dataset e: removed, with 3 entries
done in 7 ms
";
        assert_eq!(text(&report), want);
        assert!(!report.is_well());
        report.datasets.clear();
        report.settings.clear();
        assert_eq!(text(&report), "nothing has changed\ndone in 7 ms\n");
        assert!(report.is_well());
    }
}
