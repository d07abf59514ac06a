//! Where the personality's lines go: the terminal, syslog, or both (rbldnsd(8), "-n" and "-F").

use super::syslog::{Severity, Syslog};
use anyhow::Context;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

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

    /// Takes what the rest of dnsbld says, too.
    pub(super) fn take_the_rest(self: &Arc<Self>) -> anyhow::Result<()> {
        // Small buffers of the system are nothing that rbldnsd would complain of at every start.
        let filter = Targets::new().with_target("dnsbld", LevelFilter::INFO);
        let layer = Rest(Arc::clone(self)).with_filter(filter);
        tracing_subscriber::registry().with(layer).try_init().context("unable to start the log")
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

/// Passes events on to the log.
struct Rest(Arc<Log>);

impl<S: Subscriber> Layer<S> for Rest {
    fn on_event(&self, event: &Event<'_>, _context: LayerContext<'_, S>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let severity = match *event.metadata().level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            _ => Severity::Info,
        };
        self.0.say(severity, &message.0);
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}
