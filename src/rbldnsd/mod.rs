//! The personality: under the name `rbldnsd`, the binary takes rbldnsd's command line and behaves
//! as a process as rbldnsd does, for the init scripts and log readers that know it.
//!
//! The order of the start is rbldnsd's, because scripts and folders rely on it:
//!
//! 1. The command line is read; a mistake in it is told by the process that was started.
//! 2. Unless `-n`, the daemon is started (`detach`); the first process waits for it.
//! 3. Sockets are bound (`bind`), the user is looked up, the pid file is written.
//! 4. The root folder, the working folder and the user change (`user`).
//! 5. The zone specs are read (`specs`): files are named as seen from the working folder.
//! 6. The zones are loaded; with `-q`, after the next step.
//! 7. The first process ends, with 0, or with 1 if any of this went wrong.

mod bind;
mod detach;
mod getopt;
mod log;
pub mod migrate;
mod options;
mod personality;
mod specs;
mod syslog;
mod usage;
mod user;
mod words;

use crate::config::{ConfigSource, Settings};
use crate::daemon::{self, Bound};
use crate::dump;
use crate::util::signals;
use crate::zone::Catalog;
use anyhow::Context;
use bind::HandedOver;
use detach::Daemon;
use log::Log;
use options::{Asked, Options};
use personality::{Manager, Rbldnsd, Ready};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;
use syslog::Syslog;
use user::Identity;

/// The name that asks for the personality.
const NAME: &str = "rbldnsd";

/// What is served is named after the version of rbldnsd whose behaviour it has.
const VERSION: &str = concat!("1.0 (dnsbld ", env!("CARGO_PKG_VERSION"), ")");

/// True if a program started by this name (`argv[0]`) is to behave as rbldnsd.
///
/// ```
/// assert!(dnsbld::rbldnsd::is_meant_by("/usr/sbin/rbldnsd".as_ref()));
/// assert!(!dnsbld::rbldnsd::is_meant_by("/usr/bin/dnsbld".as_ref()));
/// ```
pub fn is_meant_by(name: &OsStr) -> bool {
    Path::new(name).file_name() == Some(NAME.as_ref())
}

/// The list of options that `rbldnsd -h` prints: an option a line, indented by a space.
pub fn help() -> String {
    usage::text()
}

/// Runs as rbldnsd with this command line, the first argument of which is the program's name.
/// The exit code is 0 for well and 1 for anything else.
pub fn run(arguments: &[OsString]) -> ExitCode {
    let log = Arc::new(Log::new(NAME));
    obey(arguments, &log).unwrap_or_else(|error| {
        log.fatal(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn obey(arguments: &[OsString], log: &Arc<Log>) -> anyhow::Result<ExitCode> {
    let words = arguments.get(1..).unwrap_or_default();
    if words.is_empty() {
        return Ok(usage::print(ExitCode::FAILURE));
    }
    let handed_over = HandedOver::from_environment();
    let complain = |complaint: &str| log.complain(complaint);
    let options = match Options::read(words, !handed_over.is_empty(), complain)? {
        Asked::Help => return Ok(usage::print(ExitCode::SUCCESS)),
        Asked::Run(options) => *options,
    };
    if options.dump || options.dry_run {
        signals::release();
        return look(&options, log);
    }
    let manager = Manager::from_environment();
    // A daemon of its own would not be the process that the sockets are for.
    if manager.is_there() || !handed_over.is_empty() && !options.foreground {
        log.to_syslog_only(Syslog::open(NAME, options.facility));
    } else if options.foreground {
        log.to_terminal();
    } else if let Some(daemon) = Daemon::of_parent() {
        log.to_both(Syslog::open(NAME, options.facility), options.is_talkative());
        return serve(&options, log, handed_over, manager, Some(daemon?));
    } else {
        signals::release();
        return detach::start_and_wait(arguments);
    }
    serve(&options, log, handed_over, manager, None)
}

/// Starts to serve, and does so until told to stop.
fn serve(
    options: &Options,
    log: &Arc<Log>,
    handed_over: HandedOver,
    manager: Manager,
    daemon: Option<Daemon>,
) -> anyhow::Result<ExitCode> {
    daemon::ensure_room(&options.server())?;
    let sockets = bind::bind(&options.bind, handed_over, options.family, options.workers, log)?;
    let identity = Identity::find(options.user.as_deref())?;
    if let Some(path) = &options.pid_file {
        write_pid_file(path).map_err(|error| log::failure("unable to write pidfile", &error))?;
    }
    user::enter(options.root.as_deref(), options.folder.as_deref())?;
    identity.assume()?;
    let settings = settings(options)?;
    let started = format!(
        "rbldnsd version {VERSION} started ({} socket(s), {} zone(s))",
        sockets.count,
        settings.zones.len()
    );
    let keep_stdout = options.query_log_on_stdout();
    let ready = Ready { text: started, daemon, keep_stdout };
    let personality = Rbldnsd::new(Arc::clone(log), &settings, manager, Some(ready));
    if options.quick {
        personality.started()?;
    }
    let personality = Arc::new(personality.refuse_gaps(!options.quick));
    daemon::serve(settings.clone(), ConfigSource::given(settings), sockets.bound, personality)
}

/// Writes the number of this process, as root perhaps, to a file that no link may lead to, for the user and
/// the group alone.
fn write_pid_file(path: &Path) -> std::io::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o640);
    let mut file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    writeln!(file, "{}", std::process::id())
}

/// `-d` and `-D`: loads the zones and says what came of it.
fn look(options: &Options, log: &Arc<Log>) -> anyhow::Result<ExitCode> {
    log.to_stderr();
    user::enter(options.root.as_deref(), options.folder.as_deref())?;
    let settings = settings(options)?;
    let personality = Rbldnsd::new(Arc::clone(log), &settings, Manager::default(), None);
    let catalog = daemon::load_with(&settings, Arc::new(personality.refuse_gaps(true)))?;
    if options.dump {
        return dump(&catalog);
    }
    std::io::stdout().write_all(b"zones loaded successfully\n").context("cannot print")?;
    Ok(ExitCode::SUCCESS)
}

fn dump(catalog: &Catalog) -> anyhow::Result<ExitCode> {
    let what = |zone: &crate::zone::Zone| format!("cannot dump zone {}", zone.apex);
    // Who reads the output must not take a part for the whole.
    for zone in catalog.zones() {
        dump::check(zone).with_context(|| what(zone))?;
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let options = dump::SweepOptions { now: now.as_secs(), ip4_in_ip6: false };
    writeln!(out, "; rbldnsd version {VERSION}").context("cannot write")?;
    for zone in catalog.zones() {
        dump::zone(zone, options, &mut out).with_context(|| what(zone))?;
    }
    out.flush().context("cannot write")?;
    Ok(ExitCode::SUCCESS)
}

fn settings(options: &Options) -> anyhow::Result<Settings> {
    let folder = std::env::current_dir().context("unable to tell the working directory")?;
    specs::settings(&options.zones, &folder, options.server())
}

/// Sockets, and how many rbldnsd would count.
struct Sockets {
    bound: Bound,
    count: usize,
}
