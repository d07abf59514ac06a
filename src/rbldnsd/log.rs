//! Where the personality's lines go: the terminal, syslog, or both (rbldnsd(8), "-n" and "-F").

use super::syslog::{Severity, Syslog};
use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

/// Takes lines.
pub(super) struct Log {
    name: &'static str,
    to: Mutex<To>,
}

/// Where lines go.
#[derive(Default)]
struct To {
    /// Those that are as they should be.
    stdout: bool,
    /// The others.
    stderr: bool,
    syslog: Option<Syslog>,
}

impl Log {
    /// A log that takes nothing yet, for a program of this name.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, to: Mutex::default() }
    }

    /// `-n`.
    pub(super) fn to_terminal(&self) {
        self.set(To { stdout: true, stderr: true, syslog: None });
    }

    /// `-d`.
    pub(super) fn to_stderr(&self) {
        self.set(To { stdout: false, stderr: true, syslog: None });
    }

    /// For a daemon that has not left the terminal.
    pub(super) fn to_both(&self, syslog: Syslog, stdout: bool) {
        self.set(To { stdout, stderr: true, syslog: Some(syslog) });
    }

    /// For a service of systemd.
    pub(super) fn to_syslog_only(&self, syslog: Syslog) {
        self.set(To { stdout: false, stderr: false, syslog: Some(syslog) });
    }

    /// For a daemon that leaves the terminal.
    pub(super) fn leave_terminal(&self) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        (to.stdout, to.stderr) = (false, false);
    }

    fn set(&self, to: To) {
        *self.to.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Takes a line.
    pub(super) fn say(&self, severity: Severity, text: &str) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(syslog) = &mut to.syslog {
            syslog.send(severity, text);
        }
        // Nobody may be there to read it, which is no reason to stop.
        let line = format!("{}: {text}\n", self.name);
        let _ = match severity {
            Severity::Info if to.stdout => io::stdout().write_all(line.as_bytes()),
            Severity::Error | Severity::Warning if to.stderr => {
                io::stderr().write_all(line.as_bytes())
            }
            _ => Ok(()),
        };
    }

    /// Takes the reason why the program ends: it is always told on the standard error.
    pub(super) fn fatal(&self, text: &str) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(syslog) = &mut to.syslog {
            syslog.send(Severity::Error, text);
        }
        drop(to);
        self.complain(text);
    }

    /// Writes to the standard error.
    pub(super) fn complain(&self, text: &str) {
        let _ = io::stderr().write_all(format!("{}: {text}\n", self.name).as_bytes());
    }
}

/// An error of the system in rbldnsd's form: what failed, and why.
pub(super) fn failure(what: impl fmt::Display, error: &io::Error) -> anyhow::Error {
    anyhow::anyhow!("{what}: {}", reason(error))
}

/// What the system says of an error, without its number.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}
