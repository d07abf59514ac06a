//! `dnsbld top`

mod screen;
mod terminal;
mod view;

use super::client::{Answer, Client, Unreachable};
use super::print;
use crate::daemon::request::ControlRequest;
use crate::stats::report::StatsReport;
use crate::status::Status;
use clap::Args;
use serde::de::DeserializeOwned;
use std::io::{IsTerminal as _, stdout};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use view::View;

/// Show what the running server is asked and how it is, as it changes.
///
/// On a terminal: q quits, tab and the arrows show one section and its rows, s changes the order of the zones, p
/// pauses, ? tells the keys. Elsewhere, a block of lines is printed at each interval. The exit code is 0, or 2 if
/// no server answers.
#[derive(Args, Debug)]
pub struct Top {
    #[command(flatten)]
    client: Client,
    /// The seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Print so many blocks of lines, and end; also on a terminal.
    #[arg(short = 'n', value_name = "N")]
    blocks: Option<u64>,
}

/// What a server tells of itself.
type Answers = (StatsReport, Status);

impl Top {
    /// Shows it until the user, the server or the number of blocks ends it.
    ///
    /// # Errors
    ///
    /// If the server refuses, or if nothing can be shown.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let interval = Duration::from_secs(self.interval);
        if self.blocks.is_some() || !stdout().is_terminal() {
            return self.print(interval);
        }
        let Self { client, .. } = self;
        let ask = move || match ask(&client) {
            Ok(Ok(answers)) => Ok(answers),
            Ok(Err(fault)) => Err(fault.to_string()),
            Err(error) => Err(format!("{error:#}")),
        };
        terminal::show(View::default(), interval, ask)?;
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, interval: Duration) -> anyhow::Result<ExitCode> {
        let mut view = View::default();
        let mut left = self.blocks.map(|blocks| blocks + 1);
        let mut is_first = true;
        while left != Some(0) {
            match ask(&self.client)? {
                Ok(answers) => view.take(Ok(answers)),
                Err(fault) => return Ok(fault.tell()),
            }
            // The first look gives no rates yet.
            if !is_first {
                print(&screen::block(&view))?;
            }
            is_first = false;
            left = left.map(|left| left - 1);
            if left != Some(0) {
                thread::sleep(interval);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks the server for both answers; why it does not answer, if it does not.
fn ask(client: &Client) -> anyhow::Result<Result<Answers, Unreachable>> {
    let stats = one(client, &ControlRequest::Stats {})?;
    let status = one(client, &ControlRequest::Status {})?;
    Ok(stats.and_then(|stats| Ok((stats, status?))))
}

fn one<T: DeserializeOwned>(
    client: &Client,
    request: &ControlRequest,
) -> anyhow::Result<Result<T, Unreachable>> {
    Ok(match client.ask(request)? {
        Err(unreachable) => Err(unreachable),
        Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
        Ok(Answer::Done(answer)) => Ok(answer),
    })
}
