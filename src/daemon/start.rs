//! The start: all datasets are loaded, for a server or without one; then the server answers.

use super::alarms::Alarms;
use super::catalog_builder;
use super::clock::Clock;
use super::command::{Command, commands, send_loads};
use super::control::{self, Control};
use super::control_socket::ControlSocket;
use super::personality::Personality;
use super::phase::Phase;
use super::reloads::Reloads;
use super::request::{Asked, ControlAnswer, ControlRequest};
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
use crate::status::{Listening, Sources, Status};
use crate::util::time::unix_time;
use crate::zone::Catalog;
use anyhow::Context as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};

/// The first load of all datasets.
struct FirstLoad {
    start: Instant,
    clock: Clock,
    datasets: DatasetManager,
    builds: UnboundedReceiver<Finished>,
    serials: Serials,
    personality: Arc<dyn Personality>,
    /// What clients have asked for that has to wait.
    later: Vec<Command>,
}

impl FirstLoad {
    /// Starts the threads; writes to the state folder only with its lock.
    fn prepare(
        settings: &Settings,
        lock: Option<&StateLock>,
        personality: &Arc<dyn Personality>,
    ) -> anyhow::Result<Self> {
        let start = Instant::now();
        let clock = Clock::new(start, unix_time());
        let sink: Arc<dyn EventSink> = Arc::clone(personality) as _;
        let serials = Serials::open(settings.server.state_dir.as_deref(), lock, &*sink);
        let (datasets, builds) = DatasetManager::new(&settings.server, lock, sink)?;
        let personality = Arc::clone(personality);
        Ok(Self { start, clock, datasets, builds, serials, personality, later: Vec::new() })
    }

    /// Builds all datasets, and tells who asks meanwhile how far that is.
    async fn build(
        &mut self,
        settings: &Settings,
        source: &ConfigSource,
        commands: &mut Receiver<Command>,
    ) {
        self.datasets.apply(settings);
        while self.datasets.awaited() > 0 {
            tokio::select! {
                Some(finished) = self.builds.recv() => {
                    self.datasets.take(finished);
                }
                Some(command) = commands.recv() => self.answer(command, settings, source),
                else => break,
            }
        }
    }

    fn answer(&mut self, command: Command, settings: &Settings, source: &ConfigSource) {
        match command {
            Command::Ask(Asked { request: ControlRequest::Status {}, reply }) => {
                let (listening, zones) = (Listening::default(), &[][..]);
                let datasets = &self.datasets;
                let sources = Sources { config: source, listening, settings, datasets, zones };
                reply.send(ControlAnswer::Status(Box::new(Status::new(sources))));
            }
            other => self.later.push(other),
        }
    }

    /// What is served of them.
    fn catalog(
        &mut self,
        settings: &Settings,
        statistics: &mut Statistics,
    ) -> anyhow::Result<Catalog> {
        let loaded = self.datasets.loaded(SystemTime::now());
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
    let runtime = runtime.context("cannot wait for the threads that load")?;
    let (source, (_, mut nobody)) = (ConfigSource::given(settings.clone()), commands());
    runtime.block_on(load.build(settings, &source, &mut nobody));
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
        let (sender, mut commands) = commands();
        let _socket = ControlSocket::open(&settings.server.control, &sender, &*personality);
        tokio::select! {
            () = load.build(&settings, &source, &mut commands) => {}
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
        let FirstLoad { start, clock, datasets, builds, serials, later, .. } = load;
        datasets.enter_background();
        datasets.tidy();
        let status = Status::new(Sources {
            config: &source,
            listening: servers.listening(),
            settings: &settings,
            datasets: &datasets,
            zones: catalog.load().zones(),
        });
        personality.ready(&status.start_report(start.elapsed()))?;
        send_loads(&datasets, builds, &sender);
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
            clock,
            reloads: Reloads::default(),
        };
        control.run(commands, later).await;
        Ok(ExitCode::SUCCESS)
    })
}
