//! Becoming a daemon. The program starts itself again and waits until the second process reports that
//! it serves, so that the exit code tells an init script whether the server runs.
//!
//! The program does not fork, because fork(2) needs `unsafe`. Nobody sees the difference from outside.

use super::NAME;
use anyhow::Context;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{self, Command, ExitCode};

/// The environment variable that tells the second process the process number of the first.
const PARENT: &str = "DNSBLD_RBLDNSD_PARENT";

/// The running program, even if its file was replaced or removed.
const MYSELF: &str = "/proc/self/exe";

/// Starts the daemon and waits for it. The exit code is 0 once it serves, and 1 if it gives up.
///
/// # Errors
///
/// The second process cannot be started.
pub(super) fn start_and_wait(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let (mut reader, writer) = io::pipe().context("pipe() failed")?;
    let mut command = Command::new(MYSELF);
    command
        .arg0(arguments.first().map_or(OsStr::new(NAME), OsString::as_os_str))
        .args(arguments.get(1..).unwrap_or_default())
        .env(PARENT, process::id().to_string())
        .stdin(writer);
    command.spawn().context("unable to start the daemon")?;
    // The command holds the writing end; the read below would never end while it is open.
    drop(command);
    let served = reader.read_exact(&mut [0]).is_ok();
    Ok(if served { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The second process. It tells the first one through its standard input, a pipe.
pub(super) struct Daemon {
    null: File,
}

impl Daemon {
    /// The daemon, if this is the second process. Call it before the root folder changes.
    pub(super) fn of_parent() -> Option<anyhow::Result<Self>> {
        let parent = env::var(PARENT).ok()?;
        (parent == parent_id().to_string()).then(|| {
            // Without a name of its own the process would be called "exe".
            if let Ok(name) = CString::new(NAME) {
                let _ = rustix::thread::set_name(&name);
            }
            let null = OpenOptions::new().read(true).write(true).open("/dev/null");
            Ok(Self { null: null.context("unable to open /dev/null")? })
        })
    }

    /// Lets the first process end and leaves its terminal.
    pub(super) fn leave(self, keep_stdout: bool) -> anyhow::Result<()> {
        let first =
            io::stdin().as_fd().try_clone_to_owned().context("unable to tell the parent")?;
        nix::unistd::dup2_stdin(&self.null).context("unable to close the standard input")?;
        nix::unistd::dup2_stderr(&self.null).context("unable to close the standard error")?;
        if !keep_stdout {
            nix::unistd::dup2_stdout(&self.null).context("unable to close the standard output")?;
        }
        nix::unistd::setsid().context("setsid() failed")?;
        // The daemon goes on even if its parent was killed meanwhile.
        let _ = File::from(first).write_all(&[0]);
        Ok(())
    }
}
