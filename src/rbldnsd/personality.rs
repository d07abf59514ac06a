//! rbldnsd as the server's personality: its log, and how it starts as a daemon or a service.

use super::detach::Daemon;
use super::log::Log;
use super::syslog::Severity;
use super::words;
use crate::config::Settings;
use crate::daemon::Personality;
use crate::event::{Event, EventSink, RecentEvents, Refusal};
use anyhow::bail;
use sd_notify::NotifyState;
use std::collections::{BTreeMap, HashMap};
use std::env;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::debug;

/// What remains to be done when the server is ready.
pub(super) struct Ready {
    /// Say this.
    pub(super) text: String,
    /// Leave the terminal.
    pub(super) daemon: Option<Daemon>,
    /// But leave the standard output open.
    pub(super) keep_stdout: bool,
}

/// rbldnsd's personality.
pub(super) struct Rbldnsd {
    log: Arc<Log>,
    /// The files as typed.
    typed: HashMap<PathBuf, String>,
    manager: Manager,
    ready: Mutex<Option<Ready>>,
    refuse_gaps: bool,
    /// Some dataset could not be loaded, of a zone or an access list.
    has_gaps: AtomicBool,
    /// The place of each dataset on the command line.
    order: HashMap<String, usize>,
    loads: Mutex<Loads>,
}

/// What is known of the loads under way.
#[derive(Default)]
struct Loads {
    /// What is to be told of datasets when all are built, by their places: they are built side by side.
    lines: BTreeMap<usize, Vec<(Severity, String)>>,
    /// The time that building took.
    building: Duration,
}

impl Rbldnsd {
    pub(super) fn new(
        log: Arc<Log>,
        settings: &Settings,
        manager: Manager,
        ready: Option<Ready>,
    ) -> Self {
        let mut typed = HashMap::new();
        for set in &settings.datasets {
            let (_, files) = set.name.split_once(':').unwrap_or_default();
            let files = files.split([',', ':']).filter(|file| !file.is_empty());
            typed.extend(set.files.iter().cloned().zip(files.map(str::to_owned)));
        }
        Self {
            log,
            typed,
            manager,
            ready: Mutex::new(ready),
            refuse_gaps: false,
            has_gaps: AtomicBool::new(false),
            order: settings.datasets.iter().map(|set| set.name.clone()).zip(0..).collect(),
            loads: Mutex::default(),
        }
    }

    /// Whether a dataset that cannot be loaded at the start ends the program.
    pub(super) fn refuse_gaps(mut self, refuse: bool) -> Self {
        self.refuse_gaps = refuse;
        self
    }

    /// Says that the server has started, and leaves the terminal. Does so once.
    pub(super) fn started(&self) -> anyhow::Result<()> {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Ready { text, daemon, keep_stdout }) = ready else { return Ok(()) };
        self.log.say(Severity::Info, &text);
        if let Some(daemon) = daemon {
            self.log.leave_terminal();
            daemon.leave(keep_stdout)?;
        }
        Ok(())
    }

    fn typed(&self, path: &Path) -> String {
        self.typed.get(path).cloned().unwrap_or_else(|| path.display().to_string())
    }
}

impl EventSink for Rbldnsd {
    fn emit(&self, event: &Event) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = words::lines(event, &|path| self.typed(path), loads.building);
        match event {
            Event::DatasetLoaded { took, .. } => loads.building += *took,
            Event::DatasetRefused { refusal: Refusal { served: None, .. }, .. } => {
                self.has_gaps.store(true, Ordering::Relaxed);
            }
            Event::LoadsFinished { changed, incomplete, .. } => {
                self.has_gaps.fetch_or(!incomplete.is_empty(), Ordering::Relaxed);
                let held = std::mem::take(&mut loads.lines).into_values().flatten();
                held.for_each(|(severity, text)| self.log.say(severity, &text));
                if *changed {
                    loads.building = Duration::ZERO;
                }
            }
            _ => {}
        }
        match event.dataset().filter(|_| event.zone().is_none()) {
            Some(dataset) => {
                let place = self.order.get(dataset).copied().unwrap_or(usize::MAX);
                loads.lines.entry(place).or_default().extend(lines);
            }
            None => lines.iter().for_each(|(severity, text)| self.log.say(*severity, text)),
        }
    }
}

impl Personality for Rbldnsd {
    fn answers_while_loading(&self) -> bool {
        false
    }

    fn first_load(&self) -> anyhow::Result<()> {
        if self.refuse_gaps && self.has_gaps.load(Ordering::Relaxed) {
            bail!("zone loading errors, aborting");
        }
        Ok(())
    }

    fn ready(&self, _report: &str) -> anyhow::Result<()> {
        self.started()
    }

    fn notify(&self, state: &[NotifyState<'_>]) {
        self.manager.tell(state);
    }

    /// Under this name there is no control socket: nobody asks.
    fn recent_events(&self) -> Arc<RecentEvents> {
        Arc::default()
    }
}

/// The manager of services (systemd), if there is one: it cannot be reached any more from a root
/// folder of one's own.
#[derive(Default)]
pub(super) struct Manager(Option<UnixDatagram>);

impl Manager {
    /// The one that has started this process (sd_notify(3)).
    pub(super) fn from_environment() -> Self {
        let Some(path) = env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        Self(connect(&path).map_err(|error| debug!("no manager at {path:?}: {error}")).ok())
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    fn tell(&self, state: &[NotifyState<'_>]) {
        let Some(socket) = &self.0 else { return };
        let lines: Vec<String> = state.iter().map(ToString::to_string).collect();
        if let Err(error) = socket.send(lines.join("\n").as_bytes()) {
            debug!("cannot tell the manager: {error}");
        }
    }
}

fn connect(path: &OsStr) -> std::io::Result<UnixDatagram> {
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    Ok(socket)
}
