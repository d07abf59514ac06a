//! `dnsbld events`

use super::client::{Answer, Client};
use super::print;
use crate::daemon::control_socket::follow::FollowLine;
use crate::daemon::request::{ControlRequest, EventsReport};
use crate::util::text::counted;
use clap::Args;
use std::ops::ControlFlow;
use std::process::ExitCode;

/// How many events are told at first to those who follow.
const BEFORE: usize = 10;

/// Tell what has happened lately in the running server.
///
/// The server keeps its newest 200 events, but for details that the log tells at the level debug. The exit code
/// is 0, or 2 if no server answers.
#[derive(Args, Debug)]
pub struct Events {
    #[command(flatten)]
    client: Client,
    /// Go on with each event that happens, until the server stops.
    #[arg(long, short)]
    follow: bool,
    /// Print JSON, one event a line, as docs/status.md explains it.
    #[arg(long)]
    json: bool,
    /// The most events to tell, the newest [default: all that are kept, with --follow 10].
    #[arg(short = 'n', value_name = "N")]
    last: Option<usize>,
}

impl Events {
    /// Asks the server and prints its answer.
    ///
    /// # Errors
    ///
    /// If the server refuses, or if the answer cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.follow {
            true => self.follow(),
            false => self.tell(),
        }
    }

    fn tell(&self) -> anyhow::Result<ExitCode> {
        let request = ControlRequest::Events { last: self.last, follow: false };
        let report: EventsReport = match self.client.ask(&request)? {
            Err(unreachable) => return Ok(unreachable.tell()),
            Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
            Ok(Answer::Done(report)) => report,
        };
        let mut out = String::new();
        for event in report.events {
            out.push_str(&self.line(&FollowLine::Event(Box::new(event)))?);
        }
        print(&out)?;
        Ok(ExitCode::SUCCESS)
    }

    fn follow(&self) -> anyhow::Result<ExitCode> {
        let last = self.last.or(Some(BEFORE));
        let mut is_over = false;
        let ended = self.client.follow(
            &ControlRequest::Events { last, follow: true },
            |line: FollowLine| {
                print(&self.line(&line)?)?;
                is_over = matches!(&line, FollowLine::Event(event) if event.event == "stopping");
                Ok(if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
        )?;
        match ended {
            Err(unreachable) => Ok(unreachable.tell()),
            Ok(Answer::Refused(refused)) => anyhow::bail!(refused.error),
            Ok(Answer::Done(())) => Ok(ExitCode::SUCCESS),
        }
    }

    fn line(&self, line: &FollowLine) -> anyhow::Result<String> {
        let mut text = match line {
            _ if self.json => serde_json::to_string(line)?,
            FollowLine::Event(event) => event.to_string(),
            FollowLine::Lost { lost } => format!(
                "{} lost: this program is too slow",
                counted(*lost, "event is", "events are")
            ),
        };
        text.push('\n');
        Ok(text)
    }
}
