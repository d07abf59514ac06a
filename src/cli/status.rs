//! `dnsbld status`

use super::client::{Answer, Client};
use super::print;
use crate::daemon::request::ControlRequest;
use crate::status::Status as ServerStatus;
use clap::Args;
use std::process::ExitCode;

/// Tell how the running server is: its zones, datasets and feeds, and what is wrong.
///
/// The exit code is 0 if all is well, 1 if something is wrong, 2 if no server answers.
#[derive(Args, Debug)]
pub struct Status {
    #[command(flatten)]
    client: Client,
    /// Print JSON, as docs/status.md explains it.
    #[arg(long)]
    json: bool,
    /// Tell of this zone and its datasets, of this dataset and its zones, or of this feed, alone.
    #[arg(value_name = "ZONE|DATASET|FEED")]
    name: Option<String>,
}

impl Status {
    /// Asks the server and prints its answer.
    ///
    /// # Errors
    ///
    /// If the server refuses, if it has no such zone or dataset, or if the answer cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let status: ServerStatus = match self.client.ask(&ControlRequest::Status {})? {
            Err(unreachable) => return Ok(unreachable.tell()),
            Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
            Ok(Answer::Done(status)) => status,
        };
        let status = match &self.name {
            None => status,
            Some(name) => match status.of(name) {
                Some(part) => part,
                None => anyhow::bail!(
                    "the server has no zone, dataset or feed {name:?}; `dnsbld status` names those that it has"
                ),
            },
        };
        print(&if self.json { status.to_json() } else { status.to_text() })?;
        Ok(if status.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
