//! What the server says as it goes, so that it can speak as dnsbld or as rbldnsd.

use crate::config;
use crate::load::{Message, Problem, Source, State};
use crate::util::text::counted;
use crate::wire::name::NameBuf;
use crate::zone::{Dataset, Zone};
use crate::zonefile::{Diagnostics, Tally};
use sd_notify::NotifyState;
use std::io::Write as _;
use std::thread;
use std::time::Duration;
use tracing::{Level, debug, error, info, warn};

/// How many lines that could not be used are logged for one load of a dataset.
const TOLD_DIAGNOSTICS: usize = 5;

/// A dataset that was read and is about to be served.
pub(crate) struct Loading<'a> {
    pub(crate) spec: &'a config::Dataset,
    /// Its files.
    pub(crate) sources: &'a [Source],
    /// What is wrong with single lines.
    pub(crate) diagnostics: &'a Diagnostics,
    /// What it lists, by size or scope.
    pub(crate) tally: Tally,
    /// What it has become.
    pub(crate) dataset: &'a Dataset,
    /// How long reading and building took.
    pub(crate) took: Duration,
    /// What its life says of it.
    pub(crate) message: Option<&'a Message>,
}

/// Who tells people, and the manager of services, what the server does.
pub(crate) trait Voice: Send + Sync {
    /// A dataset was read.
    fn loaded(&self, loading: &Loading<'_>);

    /// A dataset cannot be read. Without a message, that was told before.
    fn refused(
        &self,
        spec: &config::Dataset,
        problem: &Problem,
        state: State,
        message: Option<&Message>,
    );

    /// Something happened to a dataset that is neither of both.
    fn remark(&self, spec: &config::Dataset, message: &Message);

    /// All builds that were under way have ended, after this long; `changed` if they have changed
    /// what is served.
    fn settled(&self, zones: &[Zone], took: Duration, changed: bool);

    /// The first load has ended.
    ///
    /// # Errors
    ///
    /// When these zones are not worth starting for.
    fn first_load(&self, zones: &[Zone]) -> anyhow::Result<()>;

    /// Queries are answered from now on; the report is for people who want to try it.
    ///
    /// # Errors
    ///
    /// When the server cannot go on.
    fn ready(&self, report: &str) -> anyhow::Result<()>;

    /// The settings were read again.
    fn reread(&self, source: &config::Source, zones: usize);

    /// The data of a zone has expired.
    fn expired(&self, zone: &NameBuf);

    /// The server stops.
    fn stopping(&self);

    /// Tells the manager of services, if there is one.
    fn notify(&self, state: &[NotifyState<'_>]);
}

/// dnsbld's own voice: the log, and a table at the start.
pub(super) struct Plain {
    /// The query log has standard output to itself.
    stdout_is_taken: bool,
}

impl Plain {
    pub(super) fn new(server: &config::Server) -> Self {
        let target = server.query_log.as_ref().map(|log| &log.target);
        Self { stdout_is_taken: matches!(target, Some(config::LogTarget::Stdout)) }
    }
}

impl Voice for Plain {
    fn loaded(&self, loading: &Loading<'_>) {
        let Loading { spec, diagnostics, .. } = loading;
        let name = &spec.name;
        for bad in diagnostics.kept.iter().take(TOLD_DIAGNOSTICS) {
            let file = spec.files.get(usize::from(bad.file));
            let file = file.map_or("".into(), |file| file.to_string_lossy());
            warn!("dataset {name}: {file}:{}:{}: {}", bad.line, bad.column, bad.reason);
        }
        let more = diagnostics.total.saturating_sub(TOLD_DIAGNOSTICS as u64);
        if more > 0 {
            warn!("dataset {name}: {} more", counted(more, "such line", "such lines"));
        }
        if let Some(message) = loading.message {
            self.remark(spec, message);
        }
    }

    fn refused(
        &self,
        spec: &config::Dataset,
        _problem: &Problem,
        _state: State,
        message: Option<&Message>,
    ) {
        if let Some(message) = message {
            self.remark(spec, message);
        }
    }

    fn remark(&self, spec: &config::Dataset, message: &Message) {
        let (name, text) = (&spec.name, &message.text);
        match message.level {
            Level::ERROR => error!("dataset {name}: {text}"),
            Level::WARN => warn!("dataset {name}: {text}"),
            _ => info!("dataset {name}: {text}"),
        }
    }

    fn settled(&self, _zones: &[Zone], _took: Duration, _changed: bool) {}

    fn first_load(&self, _zones: &[Zone]) -> anyhow::Result<()> {
        Ok(())
    }

    fn ready(&self, report: &str) -> anyhow::Result<()> {
        let (report, stdout_is_taken) = (report.to_owned(), self.stdout_is_taken);
        // Nobody may be there to read it, which is no reason not to serve, or may not read it yet, which is
        // none to wait.
        let write = move || match stdout_is_taken {
            true => std::io::stderr().write_all(report.as_bytes()),
            false => std::io::stdout().write_all(report.as_bytes()),
        };
        let _ = thread::Builder::new().name("report".to_owned()).spawn(write);
        Ok(())
    }

    fn reread(&self, source: &config::Source, zones: usize) {
        info!("{source} read again: {}", counted(zones as u64, "zone", "zones"));
    }

    fn expired(&self, zone: &NameBuf) {
        warn!(
            "zone {zone}: its data has expired by its $TIMESTAMP line, it answers SERVFAIL until newer data comes"
        );
    }

    fn stopping(&self) {
        info!("stopping");
    }

    fn notify(&self, state: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(state) {
            debug!("cannot tell systemd: {error}");
        }
    }
}
