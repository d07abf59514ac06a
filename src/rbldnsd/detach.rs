//! Becoming a daemon. The program starts itself again and waits until that second process says
//! that it serves, so that an init script learns from the exit code whether it does.
//!
//! A fork would do the same; but only a fresh process may safely start threads in Rust without
//! `unsafe`, and the difference is not seen from outside.

use super::NAME;
use anyhow::Context;
use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{self, Command, ExitCode};

/// In the environment of the second process: the number of the first.
const PARENT: &str = "DNSBLD_RBLDNSD_PARENT";

/// The program itself, whatever has become of its file.
const MYSELF: &str = "/proc/self/exe";

/// Starts the daemon and waits for it: 0 when it serves, 1 when it has given up.
///
/// # Errors
///
/// When there is no second process.
pub(super) fn start_and_wait(arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let (mut reader, writer) = io::pipe().context("pipe() failed")?;
    let mut command = Command::new(MYSELF);
    command
        .arg0(arguments.first().map_or(OsStr::new(NAME), OsString::as_os_str))
        .args(arguments.get(1..).unwrap_or_default())
        .env(PARENT, process::id().to_string())
        .stdin(writer);
    command.spawn().context("unable to start the daemon")?;
    // It holds the end to write to.
    drop(command);
    let served = reader.read_exact(&mut [0]).is_ok();
    Ok(if served { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The second process: its standard input is the way to tell the first.
pub(super) struct Daemon {
    null: File,
}

impl Daemon {
    /// Tells whether this is the second process. Call it before the root folder changes.
    pub(super) fn of_parent() -> Option<anyhow::Result<Self>> {
        let parent = env::var(PARENT).ok()?;
        (parent == parent_id().to_string()).then(|| {
            // Else it would be called "exe".
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
        // A parent that was killed meanwhile is no reason to stop.
        let _ = File::from(first).write_all(&[0]);
        Ok(())
    }
}
