//! The start: all datasets are loaded, for a server or without one; then the server answers.

use super::alarms::Alarms;
use super::catalog_builder;
use super::command::commands;
use super::control::{self, Control};
use super::personality::Personality;
use super::phase::Phase;
use super::servers::{Bound, Servers};
use super::signals::Signals;
use super::stats_reporter::StatsReporter;
use crate::config::{ConfigSource, Settings};
use crate::dataset::manager::DatasetManager;
use crate::dataset::task::Finished;
use crate::event::{Event, EventSink};
use crate::server::Context;
use crate::server::shared_catalog::SharedCatalog;
use crate::state::lock::StateLock;
use crate::state::serials::Serials;
use crate::stats::Statistics;
use crate::stats::query_log::QueryLog;
use crate::status::Status;
use crate::util::time::unix_time;
use crate::zone::Catalog;
use anyhow::Context as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::UnboundedReceiver;

/// The first load of all datasets.
struct FirstLoad {
    start: Instant,
    datasets: DatasetManager,
    builds: UnboundedReceiver<Finished>,
    serials: Serials,
    personality: Arc<dyn Personality>,
}

impl FirstLoad {
    /// Starts the threads; writes to the state folder only with its lock.
    fn prepare(
        settings: &Settings,
        lock: Option<&StateLock>,
        personality: &Arc<dyn Personality>,
    ) -> anyhow::Result<Self> {
        let start = Instant::now();
        let sink: Arc<dyn EventSink> = Arc::clone(personality) as _;
        let serials = Serials::open(settings.server.state_dir.as_deref(), lock, &*sink);
        let (datasets, builds) = DatasetManager::new(&settings.server, lock, sink)?;
        let personality = Arc::clone(personality);
        Ok(Self { start, datasets, builds, serials, personality })
    }

    /// Builds all datasets.
    async fn build(&mut self, settings: &Settings) {
        self.datasets.apply(settings);
        while self.datasets.awaited() > 0
            && let Some(finished) = self.builds.recv().await
        {
            self.datasets.take(finished);
        }
    }

    /// What is served of them.
    fn catalog(
        &mut self,
        settings: &Settings,
        statistics: &mut Statistics,
    ) -> anyhow::Result<Catalog> {
        let loaded = self.datasets.loaded();
        let catalog =
            catalog_builder::build(settings, &loaded, unix_time(), &mut self.serials, statistics);
        let (took, incomplete) =
            (self.start.elapsed(), control::incomplete(settings, catalog.zones()));
        self.personality.emit(&Event::LoadsFinished { took, changed: true, incomplete });
        self.personality.first_load()?;
        Ok(catalog)
    }
}

/// Loads all datasets as a server does at its start, and gives what it would answer from.
pub(super) fn load(
    settings: &Settings,
    personality: &Arc<dyn Personality>,
) -> anyhow::Result<Catalog> {
    let mut load = FirstLoad::prepare(settings, None, personality)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.context("cannot wait for the threads that load")?.block_on(load.build(settings));
    load.catalog(settings, &mut Statistics::new(1, 0))
}

/// Serves until told to stop.
pub(super) fn serve(
    settings: Settings,
    source: ConfigSource,
    bound: Bound,
    personality: Arc<dyn Personality>,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
        .context("cannot start the control threads")?;
    let lock = settings.server.state_dir.as_deref().and_then(StateLock::take);
    if let (None, Some(folder)) = (&lock, &settings.server.state_dir) {
        personality.emit(&Event::StateFolderBusy { folder: folder.clone() });
    }
    let mut load = FirstLoad::prepare(&settings, lock.as_ref(), &personality)?;
    runtime.block_on(async {
        let mut signals = Signals::listen().context("cannot listen to signals")?;
        tokio::select! {
            () = load.build(&settings) => {}
            () = signals.stop() => {
                control::tell_the_end(&*personality);
                return Ok(ExitCode::SUCCESS);
            }
        }
        let sink: Arc<dyn EventSink> = Arc::clone(&personality) as _;
        let stats_file = settings.server.stats_file.clone();
        let mut stats = StatsReporter::new(bound.workers(), stats_file, Arc::clone(&sink));
        let catalog = Arc::new(SharedCatalog::new(load.catalog(&settings, stats.statistics())?));
        let query_log = settings.server.query_log.as_ref();
        let query_log = query_log.map(|log| QueryLog::start(log, &sink)).transpose();
        let query_log = query_log.context("cannot start the thread of the query log")?;
        let context = Context::new(Arc::clone(&catalog), sink);
        let servers = Servers::start(bound, &settings.server, context, query_log.as_ref())?;
        let FirstLoad { start, datasets, builds, serials, .. } = load;
        datasets.enter_background();
        datasets.tidy();
        let (listening, now) = (servers.listening(), unix_time());
        let zones = catalog.load();
        let status = Status::new(&source, listening, &settings, &datasets, zones.zones(), now);
        personality.ready(&status.start_report(start.elapsed()))?;
        drop(zones);
        let (sender, commands) = commands(&datasets, builds);
        tokio::spawn(signals.send_to(sender));
        let control = Control {
            settings,
            source,
            datasets,
            lock,
            serials,
            catalog,
            servers,
            personality,
            stats,
            query_log,
            phase: Phase::default(),
            alarms: Alarms::default(),
        };
        control.run(commands).await;
        Ok(ExitCode::SUCCESS)
    })
}
