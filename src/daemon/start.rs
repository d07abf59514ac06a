//! The start: all datasets are loaded, for a server or without one. A server answers as soon as the first are
//! loaded, each zone as soon as all of its own are.

use super::alarms::Alarms;
use super::catalog_builder::{self, Loads};
use super::clock::Clock;
use super::command::{Command, commands, send_loads};
use super::confinement::Confinement;
use super::control::{self, Control};
use super::control_place;
use super::control_socket::ControlSocket;
use super::cookies::CookieKeeper;
use super::handover::Predecessor;
use super::http::HttpServers;
use super::keys;
use super::personality::Personality;
use super::phase::Phase;
use super::reloads::Reloads;
use super::request::{Asked, ControlAnswer, ControlRequest, EventsReport};
use super::servers::{Bound, Servers};
use super::signals::Signals;
use super::stats_reporter::StatsReporter;
use super::watchdog::Watchdog;
use crate::config::{ConfigSource, Settings};
use crate::dataset::acceptance::AcceptCommand;
use crate::dataset::manager::DatasetManager;
use crate::dataset::task::Finished;
use crate::event::{Event, EventSink};
use crate::monitor::{Monitor, WatchRecord};
use crate::server::Context;
use crate::server::http::Observation;
use crate::server::shared_catalog::SharedCatalog;
use crate::state::lock::StateLock;
use crate::state::overrides::OverrideLog;
use crate::state::serials::Serials;
use crate::state::traffic::TrafficHistory;
use crate::stats::top::TopReport;
use crate::stats::{Recorders, Taps, Workers};
use crate::status::{ConfinementStatus, LostQueries, Sockets, Sources, Status};
use crate::transfer::Secondaries;
use crate::tsig::TsigKeys;
use crate::util::time::unix_time;
use crate::zone::{Catalog, Zone};
use anyhow::Context as _;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::time::timeout;
use tracing::debug;

/// How long queries wait in the sockets at the start for all zones, before those are answered that are loaded;
/// then, how long a zone that is loaded waits for others, so that one catalog has all of them. A resolver
/// would not ask again so soon.
const PATIENCE: Duration = Duration::from_millis(200);

/// The first load of all datasets.
struct FirstLoad {
    start: Instant,
    /// The same in seconds since 1970.
    since: u64,
    clock: Clock,
    settings: Arc<Settings>,
    source: ConfigSource,
    confinement: Option<ConfinementStatus>,
    datasets: DatasetManager,
    builds: UnboundedReceiver<Finished>,
    serials: Serials,
    cookies: CookieKeeper,
    keys: TsigKeys,
    stats: StatsReporter,
    http: HttpServers,
    personality: Arc<dyn Personality>,
    /// A list that was loaded is served in another version.
    has_changed: bool,
    /// What clients have asked for that has to wait.
    later: Vec<Command>,
}

/// What answers queries.
struct Serving {
    catalog: Arc<SharedCatalog>,
    secondaries: Secondaries,
    servers: Servers,
    taps: Taps,
}

impl FirstLoad {
    /// Starts the threads, and to build; writes to the state folder only with its lock.
    fn begin(
        settings: Settings,
        source: ConfigSource,
        lock: Option<&StateLock>,
        accept: AcceptCommand,
        workers: Workers,
        personality: &Arc<dyn Personality>,
    ) -> anyhow::Result<Self> {
        let start = Instant::now();
        let since = unix_time();
        let clock = Clock::new(start, since);
        let sink: Arc<dyn EventSink> = Arc::clone(personality) as _;
        let serials = Serials::open(settings.server.state_dir.as_deref(), lock, &*sink);
        let cookies = CookieKeeper::open(&settings.server, lock, &*sink)?;
        let (mut datasets, builds) =
            DatasetManager::new(&settings.server, lock, accept, Arc::clone(&sink))?;
        datasets.apply(&settings);
        let keys = keys::read_all(&settings.keys, &TsigKeys::default(), &*sink);
        Ok(Self {
            start,
            since,
            clock,
            stats: StatsReporter::new(workers, settings.server.stats_file.clone(), sink),
            settings: Arc::new(settings),
            source,
            confinement: None,
            datasets,
            builds,
            serials,
            cookies,
            keys,
            http: HttpServers::default(),
            personality: Arc::clone(personality),
            has_changed: false,
            later: Vec::new(),
        })
    }

    /// Waits until all datasets are built, and tells who asks meanwhile how far that is.
    async fn build(&mut self, commands: &mut Receiver<Command>, serving: Option<&Serving>) {
        let watcher = self.datasets.watcher();
        while self.datasets.is_awaited() {
            tokio::select! {
                Some(finished) = self.builds.recv() => {
                    self.has_changed |= self.datasets.take(finished);
                }
                changes = watcher.changes() => self.datasets.files_changed(&changes),
                Some(command) = commands.recv() => self.answer(command, serving),
                else => break,
            }
        }
    }

    /// As [`build`](Self::build), for that long at most; breaks when a signal says to stop.
    async fn build_for(
        &mut self,
        time: Duration,
        commands: &mut Receiver<Command>,
        signals: &mut Signals,
        serving: Option<&Serving>,
    ) -> ControlFlow<()> {
        tokio::select! {
            _ = timeout(time, self.build(commands, serving)) => ControlFlow::Continue(()),
            () = signals.stop() => {
                control::tell_the_end(&*self.personality);
                ControlFlow::Break(())
            }
        }
    }

    fn answer(&mut self, command: Command, serving: Option<&Serving>) {
        match command {
            Command::Ask(Asked { request: ControlRequest::Status {}, reply }) => {
                reply.send(ControlAnswer::Status(Box::new(self.status(serving))));
            }
            Command::Ask(Asked { request: ControlRequest::Events { last, .. }, reply }) => {
                let recent = self.personality.recent_events();
                reply.send(ControlAnswer::Events(EventsReport::new(&recent, last)));
            }
            Command::Observe(reply) => {
                let _ = reply.send(self.observe(serving));
            }
            other => self.later.push(other),
        }
    }

    fn status(&self, serving: Option<&Serving>) -> Status {
        let catalog = serving.map(|serving| serving.catalog.load());
        let sockets = serving.map(|serving| serving.servers.sockets()).unwrap_or_default();
        let sockets = self.http.added_to(sockets);
        let zones = catalog.as_ref().map_or(&[][..], |catalog| catalog.zones());
        self.status_of(sockets, serving.map(|serving| serving.taps.lost()), zones)
    }

    fn status_of(&self, sockets: Sockets, lost: Option<LostQueries>, zones: &[Zone]) -> Status {
        Status::new(Sources {
            config: &self.source,
            since: self.since,
            sockets,
            lost: lost.unwrap_or_default(),
            confinement: self.confinement.as_ref(),
            events: &self.personality.recent_events(),
            settings: &self.settings,
            watched: &WatchRecord::default(),
            datasets: &self.datasets,
            zones,
        })
    }

    fn observe(&mut self, serving: Option<&Serving>) -> Observation {
        let servers = serving.map(|serving| &serving.servers);
        Observation {
            status: self.status(serving),
            traffic: self.stats.statistics().traffic(),
            quotas: self.stats.statistics().quotas(),
            times: self.stats.statistics().times(),
            faults: servers.map(|servers| Arc::clone(servers.counters())),
            events: self.personality.event_figures(),
            connections: self.http.with_connections(servers.map(Servers::connections)),
            uptime: self.start.elapsed(),
            top: TopReport::default(),
            history: Arc::default(),
            catalog: serving.map(|serving| Arc::clone(&serving.catalog)),
            settings: Arc::clone(&self.settings),
            overrides: None,
        }
    }

    /// What is served of those that are built; tells when they are all.
    fn catalog(&mut self) -> anyhow::Result<Catalog> {
        let loaded = self.datasets.loaded(SystemTime::now());
        let loads = Loads { loaded, awaited: self.datasets.awaited().collect() };
        let (now, serials, statistics) = (unix_time(), &mut self.serials, self.stats.statistics());
        let catalog = catalog_builder::build(&self.settings, &loads, now, serials, statistics);
        let catalog = catalog.with_keys(self.keys.clone());
        if loads.awaited.is_empty() {
            let incomplete = control::incomplete(&self.settings, catalog.zones());
            let took = self.start.elapsed();
            self.personality.emit(&Event::LoadsFinished { took, changed: true, incomplete });
            self.personality.first_load()?;
        }
        Ok(catalog.with_cookies(self.cookies.cookies(&self.settings.server)))
    }

    /// Starts to answer.
    fn serve(
        &mut self,
        bound: Bound,
        descriptors: Vec<OwnedFd>,
        predecessor: Option<&Predecessor>,
    ) -> anyhow::Result<Serving> {
        let sink: Arc<dyn EventSink> = Arc::clone(&self.personality) as _;
        let catalog = self.catalog()?;
        predecessor.map_or(Ok(()), |predecessor| predecessor.ensure_answered(&catalog))?;
        let catalog = Arc::new(SharedCatalog::new(catalog));
        let taps = Taps::start(&self.settings.server, &sink);
        let taps = taps.context("cannot start the threads of the query log and of dnstap")?;
        let context = Context::new(Arc::clone(&catalog), sink);
        let statistics = self.stats.statistics();
        let (latency, tops) = (statistics.latency().clone(), statistics.tops().clone());
        tops.apply(self.settings.server.top);
        let recorders = Recorders::new(&taps, latency, tops);
        let secondaries = context.transfers.secondaries();
        let secondaries =
            secondaries.context("cannot start the thread that sees to secondaries")?;
        let servers =
            Servers::start(bound, descriptors, &self.settings.server, context, recorders)?;
        self.datasets.enter_background();
        control::save_serials(&mut self.serials, &*self.personality);
        Ok(Serving { catalog, secondaries, servers, taps })
    }

    /// Ends the server whose place this one takes, which answers already, and takes the state folder over.
    async fn take_over(
        &mut self,
        predecessor: Predecessor,
        commands: &mut Receiver<Command>,
        serving: &Serving,
    ) -> Option<StateLock> {
        let process = predecessor.process();
        let mut end = pin!(predecessor.release());
        let ended = loop {
            tokio::select! {
                ended = &mut end => break ended,
                Some(command) = commands.recv() => self.answer(command, Some(serving)),
            }
        };
        match ended {
            Ok(()) => self.personality.emit(&Event::TookOver { process }),
            Err(error) => debug!("process {process} has ended before: {error}"),
        }
        let folder = self.settings.server.state_dir.clone()?;
        let Some(lock) = StateLock::take(&folder) else {
            self.personality.emit(&Event::StateFolderBusy { folder });
            return None;
        };
        self.serials.keep(&folder, &lock);
        if let Err(error) = self.datasets.write_snapshots(&folder, &lock) {
            self.personality.emit(&Event::SnapshotWriterFailed { error });
        }
        control::save_serials(&mut self.serials, &*self.personality);
        Some(lock)
    }

    /// Answers from what is built by now.
    fn publish(&mut self, serving: &Serving) -> anyhow::Result<()> {
        serving.catalog.publish(self.catalog()?);
        serving.catalog.sweep();
        control::save_serials(&mut self.serials, &*self.personality);
        Ok(())
    }
}

impl Serving {
    /// Stops to answer; what is under way is finished.
    async fn stop(self) {
        self.servers.stop().await;
        self.taps.stop();
    }
}

/// Loads all datasets as a server does at its start, and gives what it would answer from, and what it would tell
/// of that. Writes nothing.
pub(super) fn load(
    settings: &Settings,
    source: ConfigSource,
    personality: &Arc<dyn Personality>,
) -> anyhow::Result<(Catalog, Status)> {
    let (settings, accept) = (settings.clone(), AcceptCommand::default());
    let workers = Workers { udp: 1, ..Workers::default() };
    let mut load = FirstLoad::begin(settings, source, None, accept, workers, personality)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.context("cannot wait for the threads that load")?;
    let (_, mut nobody) = commands();
    runtime.block_on(load.build(&mut nobody, None));
    let catalog = load.catalog()?;
    let status = load.status_of(Sockets::default(), None, catalog.zones());
    Ok((catalog, status))
}

/// Serves until told to stop; in place of another server, once all is loaded.
pub(super) fn serve(
    settings: Settings,
    source: ConfigSource,
    mut bound: Bound,
    predecessor: Option<Predecessor>,
    Confinement { sandbox, status: confinement }: Confinement,
    personality: Arc<dyn Personality>,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
        .context("cannot start the control threads")?;
    let state_dir = settings.server.state_dir.as_ref().filter(|_| predecessor.is_none());
    let mut lock = state_dir.and_then(|folder| StateLock::take(folder));
    if let (None, Some(folder)) = (&lock, state_dir) {
        personality.emit(&Event::StateFolderBusy { folder: folder.clone() });
    }
    let descriptors = bound.descriptors().context("cannot copy the sockets")?;
    runtime.block_on(async {
        let mut signals = Signals::listen().context("cannot listen to signals")?;
        let (sender, mut commands) = commands();
        let (place, serves) = (settings.server.control.clone(), source.clone());
        let open = |replaced| {
            let recent = personality.recent_events();
            ControlSocket::open(&place, replaced, &serves, &sender, recent, &*personality)
        };
        let mut socket = if predecessor.is_none() { open(None) } else { None };
        let at = predecessor.as_ref().map(Predecessor::socket);
        let at = at.or(socket.as_ref().map(ControlSocket::path));
        let options = at.map(control_place::client_options);
        let accept = options.map_or_else(AcceptCommand::default, AcceptCommand::with_options);
        let mut load = FirstLoad::begin(
            settings,
            source,
            lock.as_ref(),
            accept,
            bound.workers(),
            &personality,
        )?;
        load.confinement = confinement;
        let (http, listeners) = (load.settings.server.http.clone(), bound.take_http());
        let start_http = || {
            let sink = Arc::clone(&personality) as _;
            HttpServers::start(listeners, http.as_ref(), &sender, sink)
        };
        let mut start_http = Some(start_http);
        if predecessor.is_none()
            && let Some(start) = start_http.take()
        {
            load.http = start()?;
        }

        // Until all is loaded, the other server answers better.
        let answers = personality.answers_while_loading() && predecessor.is_none();
        let patience = if answers { PATIENCE } else { Duration::MAX };
        if load.build_for(patience, &mut commands, &mut signals, None).await.is_break() {
            return Ok(ExitCode::SUCCESS);
        }
        let serving = load.serve(bound, descriptors, predecessor.as_ref())?;
        if let Some(predecessor) = predecessor {
            if let Some(start) = start_http.take() {
                load.http = start()?;
            }
            socket = open(Some(predecessor.socket()));
            lock = load.take_over(predecessor, &mut commands, &serving).await;
        }
        while load.datasets.is_awaited() {
            // A list that takes long, or that hangs, holds up no change of another one.
            load.datasets.watch_loaded();
            load.datasets.retry();
            let awaited = load.datasets.awaited().count();
            let building = load.build_for(PATIENCE, &mut commands, &mut signals, Some(&serving));
            if building.await.is_break() {
                serving.stop().await;
                return Ok(ExitCode::SUCCESS);
            }
            let has_changed = std::mem::take(&mut load.has_changed);
            if has_changed || load.datasets.awaited().count() < awaited {
                load.publish(&serving)?;
            }
        }

        load.datasets.tidy();
        personality.ready(&load.status(Some(&serving)).start_report(load.start.elapsed()))?;
        let (folder, now) = (load.settings.server.state_dir.as_deref(), unix_time());
        let traffic = TrafficHistory::open(folder, lock.as_ref(), now, &*personality);
        let overrides = OverrideLog::open(folder, lock.as_ref(), now, &*personality);
        let FirstLoad {
            start: started,
            since,
            clock,
            settings,
            source,
            confinement,
            datasets,
            builds,
            serials,
            cookies,
            keys,
            stats,
            http,
            later,
            ..
        } = load;
        send_loads(&datasets, builds, &sender);
        tokio::spawn(signals.send_to(sender));
        let Serving { catalog, secondaries, servers, taps } = serving;
        let monitor = Monitor::new(Arc::clone(&personality) as _);
        let control = Control {
            settings,
            source,
            sandbox,
            confinement,
            datasets,
            lock,
            serials,
            cookies,
            keys,
            catalog,
            secondaries,
            servers,
            http,
            personality,
            stats,
            taps,
            phase: Phase::default(),
            alarms: Alarms::default(),
            watchdog: Watchdog::from_environment(),
            clock,
            started,
            since,
            traffic,
            overrides,
            reloads: Reloads::default(),
            monitor,
            successor: None,
        };
        control.run(commands, later).await;
        if let Some(socket) = socket {
            socket.close().await;
        }
        Ok(ExitCode::SUCCESS)
    })
}

#[cfg(test)]
mod tests {
    use super::super::personality::Plain;
    use super::*;
    use crate::config;
    use crate::zone::ZoneState;
    use std::fs::File;

    /// What zones wait for must use up no serial: a restart would change it though the content is the same.
    #[test]
    fn zones_are_served_when_all_their_lists_are_built_with_the_serial_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let list = |name: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, "192.0.2.1\n").unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
            File::options().append(true).open(&file).unwrap().set_modified(time).unwrap();
            config::Dataset::new(name.to_owned(), crate::zonefile::Kind::Ip4Set, vec![file])
        };
        let zone = |name: &str, lists: &[&str]| {
            let lists = lists.iter().map(|&list| list.to_owned()).collect();
            config::Zone::new(name.parse().unwrap(), lists)
        };
        let mut allowing = zone("allowing", &["fast"]);
        allowing.allow.push("slow".to_owned());
        let settings = Settings {
            server: config::Server::default(),
            datasets: vec![list("fast"), list("slow")],
            zones: vec![
                zone("fast", &["fast"]),
                zone("slow", &["slow"]),
                zone("both", &["slow", "fast"]),
                allowing,
            ],
            ..Settings::default()
        };
        let personality: Arc<dyn Personality> = Arc::new(Plain::new(&settings.server));
        let source = ConfigSource::given(settings.clone());
        let (accept, workers) = (AcceptCommand::default(), Workers::default());
        let mut load =
            FirstLoad::begin(settings, source, None, accept, workers, &personality).unwrap();
        let mut finished = [(); 2].map(|()| load.builds.blocking_recv().unwrap());
        finished.sort_by(|one, other| one.name.cmp(&other.name));

        for (finished, states) in finished.into_iter().zip([
            [ZoneState::Live, ZoneState::Unloaded, ZoneState::Unloaded, ZoneState::Unloaded],
            [ZoneState::Live; 4],
        ]) {
            load.datasets.take(finished);
            let catalog = load.catalog().unwrap();
            assert_eq!(catalog.zones().iter().map(|zone| zone.state).collect::<Vec<_>>(), states);
            for zone in catalog.zones() {
                let (is_live, health) =
                    (zone.state == ZoneState::Live, zone.health.as_ref().unwrap());
                let reason = if is_live { "" } else { "slow: still loading" };
                assert_eq!((health.is_ready, &*health.reason), (is_live, reason), "{}", zone.apex);
                assert_eq!(
                    zone.soa.serial,
                    if is_live { 1_600_000_000 } else { 0 },
                    "{}",
                    zone.apex
                );
            }
        }
    }
}
