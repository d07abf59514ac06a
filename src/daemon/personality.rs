//! What a server does beside answering, so that it can behave as dnsbld or as rbldnsd.

use crate::config;
use crate::event::{Event, EventCounts, EventFigures, EventSink, Log, RecentEvents};
use sd_notify::NotifyState;
use std::io::Write as _;
use std::sync::Arc;
use std::thread;
use tracing::debug;

/// Says what happens, and what to do as it happens.
pub(crate) trait Personality: EventSink {
    /// Whether zones are answered whose data is loaded while that of others is not.
    fn answers_while_loading(&self) -> bool;

    /// The first load has ended.
    ///
    /// # Errors
    ///
    /// When what was loaded is not worth starting for.
    fn first_load(&self) -> anyhow::Result<()>;

    /// All zones are answered from now on; the report is for people who want to try it.
    ///
    /// # Errors
    ///
    /// When the server cannot go on.
    fn ready(&self, report: &str) -> anyhow::Result<()>;

    /// Tells the manager of services, if there is one.
    fn notify(&self, state: &[NotifyState<'_>]);

    /// The newest events, for those who ask.
    fn recent_events(&self) -> Arc<RecentEvents>;

    /// How often what has happened; nothing where there are no metrics.
    fn event_figures(&self) -> EventFigures {
        EventCounts::default().figures()
    }
}

/// dnsbld's own: the log, and a table at the start.
pub(super) struct Plain {
    /// The query log has standard output to itself.
    stdout_is_taken: bool,
    recent: Arc<RecentEvents>,
    counts: EventCounts,
}

impl Plain {
    pub(super) fn new(server: &config::Server) -> Self {
        let target = server.query_log.as_ref().map(|log| &log.target);
        let stdout_is_taken = matches!(target, Some(config::LogTarget::Stdout));
        Self { stdout_is_taken, recent: Arc::default(), counts: EventCounts::default() }
    }
}

impl EventSink for Plain {
    fn emit(&self, event: &Event) {
        Log.emit(event);
        self.recent.emit(event);
        self.counts.emit(event);
    }
}

impl Personality for Plain {
    fn answers_while_loading(&self) -> bool {
        true
    }

    fn first_load(&self) -> anyhow::Result<()> {
        Ok(())
    }

    fn ready(&self, report: &str) -> anyhow::Result<()> {
        let (report, stdout_is_taken) = (report.to_owned(), self.stdout_is_taken);
        // Nobody may read the report, which is no reason not to serve, or may not read it yet, which is no
        // reason to wait: a thread of its own writes it.
        let write = move || match stdout_is_taken {
            true => std::io::stderr().write_all(report.as_bytes()),
            false => std::io::stdout().write_all(report.as_bytes()),
        };
        let _ = thread::Builder::new().name("report".to_owned()).spawn(write);
        Ok(())
    }

    fn notify(&self, state: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(state) {
            debug!("cannot tell systemd: {error}");
        }
    }

    fn recent_events(&self) -> Arc<RecentEvents> {
        Arc::clone(&self.recent)
    }

    fn event_figures(&self) -> EventFigures {
        self.counts.figures()
    }
}
