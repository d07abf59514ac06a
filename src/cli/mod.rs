//! The command line: one file and one structure per subcommand.

mod accept;
mod advise;
mod check;
mod check_config;
mod client;
mod compile;
mod diff;
mod doctor;
mod dump;
mod events;
mod export;
mod guard;
mod hash;
mod history;
mod init;
mod lint;
mod log;
mod log_format;
mod map;
mod migrate;
mod own;
mod preview;
mod reload;
mod replay;
mod report;
mod sample;
mod serve;
mod stats;
mod status;
mod sync;
mod top;
mod verify;
mod watch;
mod zones;

pub use accept::Accept;
pub use advise::Advise;
pub use check::Check;
pub use check_config::CheckConfig;
pub use compile::Compile;
pub use diff::Diff;
pub use doctor::Doctor;
pub use dump::Dump;
pub use events::Events;
pub use export::Export;
pub use guard::Guard;
pub use hash::Hash;
pub use history::History;
pub use init::Init;
pub use lint::Lint;
pub use map::Map;
pub use migrate::Migrate;
pub use own::{Allow, Block};
pub use reload::Reload;
pub use replay::Replay;
pub use report::Report;
pub use serve::Serve;
pub use stats::Stats;
pub use status::Status;
pub use sync::Sync;
pub use top::Top;
pub use verify::Verify;
pub use watch::Watch;

use crate::config::{self, ConfigSource, LogFormat};
use crate::daemon::NoRoom;
use crate::util::signals;
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use log::Lines;
use preview::UNKNOWN;
use serve::Prepared;
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// The exit code for a configuration that cannot be used (`EX_CONFIG` of sysexits.h).
pub const EX_CONFIG: u8 = 78;

/// The exit code for damaged data (`EX_DATAERR` of sysexits.h).
pub const EX_DATAERR: u8 = 65;

/// The exit code if the system gives no thread or no descriptor to start with (`EX_OSERR` of sysexits.h).
pub const EX_OSERR: u8 = 71;

/// The environment variable for the log level.
const LOG_VARIABLE: &str = "DNSBLD_LOG";

/// A DNSBL and DNSWL server that answers from rsync-mirrored plain text zone files.
#[derive(Parser, Debug)]
#[command(name = "dnsbld", version, max_term_width = 100)]
pub struct Cli {
    /// The least severe level to log: error, warn, info (the default), debug or trace; or levels by
    /// module, such as "info,dnsbld::config=debug". The environment variable DNSBLD_LOG does the same.
    #[arg(long, global = true, value_name = "LEVEL", value_parser = log_filter)]
    log_level: Option<String>,
    #[command(subcommand)]
    command: Command,
}

/// The configuration of this file, or the one that `dnsbld serve` takes without a file.
fn config_source(file: Option<&Path>) -> anyhow::Result<ConfigSource> {
    Ok(match file {
        Some(file) => ConfigSource::file(file),
        None => ConfigSource::default_file(&current_folder()?),
    })
}

fn current_folder() -> anyhow::Result<PathBuf> {
    std::env::current_dir().context("cannot determine the current folder")
}

#[derive(Subcommand, Debug)]
enum Command {
    Serve(Serve),
    Status(Status),
    Events(Events),
    Stats(Stats),
    Top(Top),
    Reload(Reload),
    Accept(Accept),
    Allow(Allow),
    Block(Block),
    #[command(visible_alias = "why")]
    Check(Check),
    Guard(Guard),
    Hash(Hash),
    Diff(Diff),
    History(History),
    Report(Report),
    Replay(Replay),
    Watch(Watch),
    Lint(Lint),
    Doctor(Doctor),
    Advise(Advise),
    Init(Init),
    CheckConfig(CheckConfig),
    Sync(Sync),
    Compile(Compile),
    Migrate(Migrate),
    Verify(Verify),
    Dump(Dump),
    Export(Export),
    Map(Map),
}

impl Cli {
    /// Runs the subcommand and returns its exit code: 0 for success, [`EX_CONFIG`] for a bad configuration,
    /// [`EX_DATAERR`] for a damaged file, [`EX_OSERR`] for want of threads or descriptors, 1 for any other
    /// failure. (Bad arguments never come here; clap's
    /// code is 2.)
    pub fn run(self) -> ExitCode {
        if !matches!(self.command, Command::Serve(_)) {
            signals::release();
        }
        let mut log = None;
        let prepared = match &self.command {
            Command::Serve(serve) => Some(serve.prepare()),
            _ => None,
        };
        let format = prepared.as_ref().map_or(LogFormat::Text, Prepared::log_format);
        let done = self.start_log(format).and_then(|lines| {
            log = lines;
            match self.command {
                Command::Serve(serve) => {
                    prepared.unwrap_or_else(|| serve.prepare()).run(log.as_ref())
                }
                Command::Status(status) => status.run(),
                Command::Events(events) => events.run(),
                Command::Stats(stats) => stats.run(),
                Command::Top(top) => top.run(),
                Command::Reload(reload) => reload.run(),
                Command::Accept(accept) => accept.run(),
                Command::Allow(allow) => allow.run(),
                Command::Block(block) => block.run(),
                Command::Check(check) => check.run(),
                Command::Guard(guard) => guard.run(),
                Command::Hash(hash) => hash.run(),
                Command::Diff(diff) => diff.run(),
                Command::History(history) => history.run(),
                Command::Report(report) => report.run(),
                Command::Replay(replay) => replay.run(),
                Command::Watch(watch) => watch.run(),
                Command::Lint(lint) => lint.run(),
                Command::Doctor(doctor) => doctor.run(),
                Command::Advise(advise) => advise.run(),
                Command::Init(init) => init.run(),
                Command::CheckConfig(check) => check.run(),
                Command::Sync(sync) => sync.run(),
                Command::Compile(compile) => compile.run(),
                Command::Migrate(migrate) => migrate.run(),
                Command::Verify(verify) => verify.run(),
                Command::Dump(dump) => dump.run(),
                Command::Export(export) => export.run(),
                Command::Map(map) => map.run(),
            }
        });
        let code = done.unwrap_or_else(|error| {
            let (text, code) = match error.downcast_ref::<config::Errors>() {
                Some(errors) => {
                    let count = errors.list.len();
                    let sum = format!("dnsbld: the configuration cannot be used (errors: {count})");
                    (format!("{errors}\n{sum}\n"), ExitCode::from(EX_CONFIG))
                }
                None if is_want_of_room(&error) => {
                    (format!("dnsbld: {error:#}\n"), ExitCode::from(EX_OSERR))
                }
                None => (format!("dnsbld: {error:#}\n"), ExitCode::FAILURE),
            };
            // If standard error is closed, nobody can be told.
            let _ = match &mut log {
                Some(_) if format != LogFormat::Text => {
                    tracing::error!("{}", text.trim_end());
                    Ok(())
                }
                Some(lines) => lines.write_all(text.as_bytes()),
                None => std::io::stderr().write_all(text.as_bytes()),
            };
            code
        });
        if let Some(lines) = log {
            lines.finish();
        }
        code
    }

    /// Starts the log, and returns that of a server, which must be finished at the end.
    fn start_log(&self, format: LogFormat) -> anyhow::Result<Option<Lines>> {
        let level = match (&self.log_level, std::env::var(LOG_VARIABLE)) {
            (Some(level), _) => level.clone(),
            (None, Ok(level)) if !level.is_empty() => {
                log_filter(&level).map_err(|e| e.context(LOG_VARIABLE))?
            }
            (None, _) => "info".to_owned(),
        };
        // hickory-server logs every query at info, which costs more than the answer, and warns of every
        // client that does not finish its handshake. notify reports each watched folder that was removed.
        let filter = EnvFilter::try_new(format!("hickory_server=error,notify=error,{level}"))?;
        let lines = match self.command {
            Command::Serve(_) => Some(Lines::new(std::io::stderr())),
            _ => None,
        };
        let writer = match lines.clone() {
            Some(lines) => BoxMakeWriter::new(move || lines.clone()),
            None => BoxMakeWriter::new(std::io::stderr),
        };
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(writer)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            // Otherwise a failed write to standard error is reported on standard error, which panics.
            .log_internal_errors(false);
        let started = match format {
            LogFormat::Text => log.try_init(),
            LogFormat::Json => log.event_format(log_format::Json).try_init(),
            LogFormat::Journald => log.event_format(log_format::Journald).try_init(),
        };
        started.map_err(|error| anyhow::anyhow!(error))?;
        Ok(lines)
    }
}

/// Whether the system did not give a thread or a descriptor.
fn is_want_of_room(error: &anyhow::Error) -> bool {
    let code = |cause: &io::Error| cause.raw_os_error();
    error.is::<NoRoom>()
        || error
            .chain()
            .filter_map(|cause| cause.downcast_ref().and_then(code))
            .any(|code| [libc::EAGAIN, libc::EMFILE, libc::ENFILE, libc::ENOMEM].contains(&code))
}

/// The outcome of a command whose exit code 1 is an answer: its failures are told here, and have a code of their own.
/// What is wrong with the configuration has one already.
fn with_failures_apart(done: anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    match done {
        Err(error) if !error.is::<config::Errors>() => {
            // If standard error is closed, nobody can be told.
            let _ = writeln!(io::stderr(), "dnsbld: {error:#}");
            Ok(ExitCode::from(UNKNOWN))
        }
        done => done,
    }
}

/// Writes a result to standard output.
fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot print the result")
}

/// Checks the argument of --log-level.
fn log_filter(text: &str) -> anyhow::Result<String> {
    let known = ["off", "error", "warn", "info", "debug", "trace"];
    let level = |part: &str| known.contains(&part.rsplit('=').next().unwrap_or(part).trim());
    anyhow::ensure!(text.split(',').all(level), "allowed: {}", known.join(", "));
    EnvFilter::try_new(text)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn log_levels_are_checked() {
        for good in ["info", "debug", "info,dnsbld::server=trace"] {
            assert_eq!(log_filter(good).unwrap(), good);
        }
        for bad in ["", "verbose", "info,dnsbld", "dnsbld=loud"] {
            assert!(log_filter(bad).is_err(), "{bad}");
        }
    }
}
