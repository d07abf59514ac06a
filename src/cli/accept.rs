//! `dnsbld accept`

use super::client::{Answer, Client};
use super::print;
use crate::daemon::request::{AcceptReport, ControlRequest};
use clap::Args;
use std::process::ExitCode;

/// Have the running server serve the files of a dataset that it refuses, and wait for that.
///
/// This holds for exactly these files, once: the next version is judged beside what is served then.
/// `dnsbld status DATASET` says why they are refused, `dnsbld diff DATASET` what would change. The exit
/// code is 0 if they are served now, 1 if not, 2 if no server answers.
#[derive(Args, Debug)]
pub struct Accept {
    #[command(flatten)]
    client: Client,
    /// The dataset.
    dataset: String,
}

impl Accept {
    /// Asks the server and prints its answer.
    ///
    /// # Errors
    ///
    /// If the server refuses, or if the answer cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Self { client, dataset } = self;
        let report: AcceptReport = match client.wait(&ControlRequest::Accept { dataset })? {
            Err(unreachable) => return Ok(unreachable.tell()),
            Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
            Ok(Answer::Done(report)) => report,
        };
        print(&format!("dataset {}: {}\n", report.dataset, report.outcome))?;
        Ok(if report.served { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
