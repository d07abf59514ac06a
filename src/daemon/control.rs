//! The control loop: obeys the commands of signals, timers, builds and files, one after the other. No
//! query waits for it.

use super::alarms::Alarms;
use super::catalog_builder::{self, Loads};
use super::clock::Clock;
use super::command::Command;
use super::cookies::CookieKeeper;
use super::http::HttpServers;
use super::personality::Personality;
use super::phase::{Phase, Round};
use super::reloads::Reloads;
use super::request::{
    AcceptReport, Asked, CodesReport, ControlAnswer, ControlRequest, EventsReport, Handover,
    LookupReport, Reply,
};
use super::sandbox::Sandbox;
use super::servers::Servers;
use super::stats_reporter::StatsReporter;
use super::watchdog::Watchdog;
use crate::config::{ConfigSource, Settings};
use crate::dataset::manager::DatasetManager;
use crate::engine::Figures;
use crate::event::Event;
use crate::explain::Oracle;
use crate::explain::advise::codes;
use crate::monitor::Monitor;
use crate::server::http::Observation;
use crate::server::shared_catalog::SharedCatalog;
use crate::state::lock::StateLock;
use crate::state::overrides::OverrideLog;
use crate::state::serials::Serials;
use crate::state::traffic::{Count, TrafficHistory};
use crate::stats::Taps;
use crate::stats::report::StatsReport;
use crate::stats::top::TopReport;
use crate::status::{ConfinementStatus, OverridesStatus, SCHEMA, Sources, Status, TrafficStatus};
use crate::transfer::Secondaries;
use crate::tsig::TsigKeys;
use crate::util::time::unix_time;
use crate::watch::FileChange;
use crate::wire::name::NameBuf;
use crate::zone::{Zone, ZoneState};
use sd_notify::NotifyState;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::Receiver;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tracing::debug;

/// How often replaced catalogs are looked after, certificates are looked at, and expired zones
/// are told.
const TICK: Duration = Duration::from_secs(1);

/// The most commands that are taken at once: what builds of them have changed is published together.
const AT_ONCE: usize = 64;

/// How many of the senders that allow lists let in are told over HTTP.
const OVERRIDES: usize = 200;

/// Everything the control loop works on.
pub(super) struct Control {
    /// The settings that are served.
    pub(super) settings: Arc<Settings>,
    pub(super) source: ConfigSource,
    pub(super) sandbox: Sandbox,
    /// The rights that the server has kept.
    pub(super) confinement: Option<ConfinementStatus>,
    pub(super) datasets: DatasetManager,
    /// The right to write to the state folder.
    pub(super) lock: Option<StateLock>,
    pub(super) serials: Serials,
    pub(super) cookies: CookieKeeper,
    pub(super) keys: TsigKeys,
    pub(super) catalog: Arc<SharedCatalog>,
    /// Tells secondaries of what was published.
    pub(super) secondaries: Secondaries,
    pub(super) servers: Servers,
    pub(super) http: HttpServers,
    pub(super) personality: Arc<dyn Personality>,
    pub(super) stats: StatsReporter,
    pub(super) taps: Taps,
    pub(super) phase: Phase,
    pub(super) alarms: Alarms,
    pub(super) watchdog: Watchdog,
    pub(super) clock: Clock,
    /// When the server was started.
    pub(super) started: Instant,
    /// The same in seconds since 1970.
    pub(super) since: u64,
    /// How much was asked in the last day.
    pub(super) traffic: TrafficHistory,
    /// Whom allow lists let in.
    pub(super) overrides: OverrideLog,
    /// The reloads whose clients wait for their end.
    pub(super) reloads: Reloads,
    /// Looks what is listed of the networks and domains that are watched.
    pub(super) monitor: Monitor,
    /// The process that has the sockets, too, and is to take the place of this one.
    pub(super) successor: Option<u32>,
}

impl Control {
    /// Runs until a command says to stop. `batch` is what was told before.
    pub(super) async fn run(mut self, mut commands: Receiver<Command>, mut batch: Vec<Command>) {
        self.datasets.settle_on(&self.settings);
        self.look_for_watched();
        self.save_serials();
        let catalog = Arc::clone(&self.catalog.load());
        self.secondaries.published(&catalog, &catalog, &self.settings);
        drop(catalog);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.stats.begin();
        self.personality.notify(&[NotifyState::Ready]);
        loop {
            let (retry_at, statistics_at) = (self.datasets.retry_at(), self.stats.next());
            let reloads_at = self.reloads.look_at();
            tokio::select! {
                // The signals hold a sender until they have sent the command to stop.
                _ = commands.recv_many(&mut batch, AT_ONCE) => {}
                () = at(retry_at) => batch.push(Command::Retry),
                () = at(statistics_at) => batch.push(Command::WriteStatistics),
                () = at(reloads_at) => {}
                _ = tick.tick() => batch.push(Command::Tick),
            }
            if self.obey(batch.drain(..)).is_break() {
                break;
            }
            self.answer_reloads();
        }
        tell_the_end(&*self.personality);
        self.save_serials();
        self.count_traffic(unix_time());
        self.report_traffic(TrafficHistory::save);
        self.count_overrides();
        let now = unix_time();
        self.report_overrides(|overrides| overrides.save(now));
        // The servers answer meanwhile.
        self.datasets.finish_writing();
        self.servers.stop().await;
        self.stats.end(zones(&self.settings));
        self.taps.stop();
    }

    fn obey(&mut self, commands: impl Iterator<Item = Command>) -> ControlFlow<()> {
        let mut built = None;
        for command in commands {
            match command {
                Command::TakeBuild(finished) => {
                    let changed = self.datasets.take(*finished);
                    built = Some(built.unwrap_or(false) || changed);
                }
                Command::TakeChanges(changes) => self.take_changes(&changes),
                Command::Retry => self.datasets.retry(),
                Command::Tick => self.look_around(),
                Command::WriteStatistics => self.stats.write(zones(&self.settings)),
                Command::LogStatistics { reset: false } => self.stats.tell(zones(&self.settings)),
                Command::LogStatistics { reset: true } => {
                    self.stats.tell_and_reset(zones(&self.settings));
                }
                Command::Reload => {
                    let _ = self.reload();
                }
                Command::Ask(asked) => self.answer(asked),
                Command::Observe(reply) => {
                    let _ = reply.send(self.observe());
                }
                Command::Check => self.check(),
                Command::EndHandover { is_ready } => {
                    let process = self.successor.take().unwrap_or_default();
                    if is_ready {
                        self.personality.emit(&Event::HandedOver { process });
                        // The other one takes the requests that come.
                        self.http = HttpServers::default();
                        return ControlFlow::Break(());
                    }
                    self.personality.emit(&Event::HandoverAbandoned { process });
                }
                Command::Stop => return ControlFlow::Break(()),
            }
        }
        if let Some(changed) = built {
            self.after_builds(changed);
        }
        self.datasets.reply();
        ControlFlow::Continue(())
    }

    fn answer(&mut self, Asked { request, reply }: Asked) {
        match request {
            ControlRequest::Status {} => reply.send(ControlAnswer::Status(Box::new(self.status()))),
            ControlRequest::Reload {} => {
                let (since, before) = (Instant::now(), self.status());
                let outcome = self.reload();
                self.reloads.begin(since, before, &outcome, reply);
            }
            ControlRequest::Accept { dataset } => self.accept(dataset, reply),
            ControlRequest::Lookup { keys } => self.look_up(keys, reply),
            ControlRequest::Codes {} => self.codes(reply),
            ControlRequest::Stats {} => {
                reply.send(ControlAnswer::Stats(Box::new(self.stats_report())));
            }
            ControlRequest::Traffic {} => {
                let traffic = TrafficStatus::new(&self.traffic, zones(&self.settings));
                reply.send(ControlAnswer::Traffic(traffic));
            }
            ControlRequest::Overrides {} => {
                self.count_overrides();
                reply.send(ControlAnswer::Overrides(OverridesStatus::new(&self.overrides)));
            }
            ControlRequest::Events { last, .. } => {
                let recent = self.personality.recent_events();
                reply.send(ControlAnswer::Events(EventsReport::new(&recent, last)));
            }
            ControlRequest::HandOver { process } => reply.send(self.hand_over(process)),
        }
    }

    /// Gives the sockets to the server that is to take the place of this one.
    fn hand_over(&mut self, process: u32) -> ControlAnswer {
        if let Some(other) = self.successor {
            return ControlAnswer::refused(format!(
                "process {other} is taking its place already; wait until that is ready, or end it"
            ));
        }
        match self.servers.hand_over() {
            Ok(sockets) => {
                self.successor = Some(process);
                self.personality.emit(&Event::HandoverBegun { process });
                ControlAnswer::HandOver(Handover::new(sockets, self.catalog.load().zones()))
            }
            Err(error) => ControlAnswer::refused(format!("its sockets cannot be copied: {error}")),
        }
    }

    /// Answers for keys on a thread of its own: a wide prefix takes its time.
    fn look_up(&self, keys: Vec<String>, reply: Reply) {
        let (catalog, settings) = (Arc::clone(&self.catalog.load()), Arc::clone(&self.settings));
        tokio::task::spawn_blocking(move || {
            let oracle = Oracle::new(settings.zones_of_lists(catalog.zones()), unix_time());
            reply.send(match LookupReport::new(&oracle, &keys) {
                Ok(report) => ControlAnswer::Lookup(report),
                Err(error) => ControlAnswer::refused(error),
            });
        });
    }

    /// Tells the values of all zones on a thread of its own: it walks through all that is listed.
    fn codes(&self, reply: Reply) {
        let (catalog, settings) = (Arc::clone(&self.catalog.load()), Arc::clone(&self.settings));
        tokio::task::spawn_blocking(move || {
            let zones = codes(&settings, catalog.zones(), unix_time());
            reply.send(ControlAnswer::Codes(CodesReport { schema: SCHEMA, zones }));
        });
    }

    /// Has the files of a dataset served that are refused.
    fn accept(&mut self, dataset: String, reply: Reply) {
        let name = dataset.clone();
        self.datasets.accept(&name, move |acceptance| {
            let (served, outcome) = (acceptance.is_served(), acceptance.to_string());
            reply.send(ControlAnswer::Accept(AcceptReport {
                schema: SCHEMA,
                dataset,
                served,
                outcome,
            }));
        });
        self.note_builds();
    }

    fn note_builds(&mut self) {
        if matches!(self.phase, Phase::Idle) && self.datasets.is_building() {
            self.phase = Phase::Building(Round::begin());
        }
    }

    /// How the server is now.
    fn status(&self) -> Status {
        Status::new(Sources {
            config: &self.source,
            since: self.since,
            sockets: self.http.added_to(self.servers.sockets()),
            events: &self.personality.recent_events(),
            lost: self.taps.lost(),
            confinement: self.confinement.as_ref(),
            settings: &self.settings,
            watched: &self.monitor.record(),
            datasets: &self.datasets,
            zones: self.catalog.load().zones(),
        })
    }

    /// How the server is now, and what it has counted.
    fn observe(&mut self) -> Observation {
        Observation {
            status: self.status(),
            traffic: self.stats.statistics().traffic(),
            quotas: self.stats.statistics().quotas(),
            times: self.stats.statistics().times(),
            faults: Some(Arc::clone(self.servers.counters())),
            events: self.personality.event_figures(),
            connections: self.http.with_connections(Some(self.servers.connections())),
            uptime: self.started.elapsed(),
            top: self.top_report(),
            history: self.http.history(&self.traffic, zones(&self.settings)),
            catalog: Some(Arc::clone(&self.catalog)),
            settings: Arc::clone(&self.settings),
            overrides: Some(OverridesStatus::commonest(&self.overrides, OVERRIDES)),
        }
    }

    /// What was counted until now.
    fn stats_report(&mut self) -> StatsReport {
        let (now, top) = (unix_time(), self.top_report());
        let traffic = self.stats.statistics().traffic();
        let quotas = self.stats.statistics().quotas();
        let report = StatsReport::new(&traffic, top, self.since, now, self.started.elapsed());
        StatsReport { quotas, ..report }
    }

    /// What is asked most, and who asks most.
    fn top_report(&mut self) -> TopReport {
        let zones: Vec<_> = zones(&self.settings).collect();
        self.stats.statistics().tops().report(&zones, unix_time())
    }

    /// Answers those who wait for the end of a reload, if that has come.
    fn answer_reloads(&mut self) {
        let is_at_rest = matches!(self.phase, Phase::Idle) && self.datasets.is_at_rest();
        if self.reloads.are_over(is_at_rest) {
            let now = self.status();
            self.reloads.finish(&now);
        }
    }

    fn take_changes(&mut self, changes: &[FileChange]) {
        for change in changes {
            debug!("{} has changed: {:?}", change.path.display(), change.state);
        }
        self.datasets.files_changed(changes);
        self.note_builds();
    }

    pub(super) fn tell_loads_finished(&self, took: Duration, changed: bool) {
        let incomplete = incomplete(&self.settings, self.catalog.load().zones());
        self.personality.emit(&Event::LoadsFinished { took, changed, incomplete });
    }

    pub(super) fn publish(&mut self) {
        // What new settings wait for does not change what the zones of now are served from.
        let loads = Loads { loaded: self.datasets.loaded(SystemTime::now()), ..Loads::default() };
        let statistics = self.stats.statistics();
        let now = unix_time();
        let catalog =
            catalog_builder::build(&self.settings, &loads, now, &mut self.serials, statistics);
        let old = Arc::clone(&self.catalog.load());
        let cookies = self.cookies.cookies(&self.settings.server);
        self.catalog.publish(catalog.with_cookies(cookies).with_keys(self.keys.clone()));
        self.secondaries.published(&old, &self.catalog.load(), &self.settings);
        self.look_for_watched();
        self.save_serials();
    }

    /// Has the datasets looked through for what is watched, as far as they have changed.
    fn look_for_watched(&mut self) {
        let folder = self.settings.server.state_dir.as_deref().filter(|_| self.lock.is_some());
        let loaded = self.datasets.loaded(SystemTime::now());
        if let Err(error) = self.monitor.look(&self.settings, &loaded, folder) {
            self.personality.emit(&Event::MonitorFailed { error });
        }
    }

    fn save_serials(&mut self) {
        save_serials(&mut self.serials, &*self.personality);
    }

    fn look_around(&mut self) {
        self.catalog.sweep();
        self.servers.reload_certificate(&*self.personality);
        self.lock_again();
        self.datasets.give_up_acceptances();
        let is_loaded = |list: &str| self.datasets.is_loaded(list);
        self.alarms.tell_missing(&self.settings, is_loaded, &*self.personality);
        let now = unix_time();
        if let Some(by) = self.clock.was_set(Instant::now(), now) {
            debug!("the clock was set by {by} s; what depends on it is looked at again");
            self.datasets.clock_was_set(by);
            self.datasets.look_now();
            self.publish();
            self.save_serials();
        }
        self.datasets.drop_expired_entries(now);
        self.note_builds();
        let has_expired = self.datasets.tell_expired(&self.settings, now);
        if self.datasets.tell_overdue(SystemTime::now()) || has_expired {
            self.publish();
        }
        self.alarms.tell_expired(self.catalog.load().zones(), now, &*self.personality);
        let (rounds, sink) = (self.servers.rounds(), &*self.personality);
        if self.watchdog.is_to_be_told(rounds, Instant::now(), sink) {
            self.personality.notify(&[NotifyState::Watchdog]);
        }
        self.alarms.tell_outside(&self.sandbox, &*self.personality);
        self.alarms.tell_certificates(&self.servers.certificates(), now, &*self.personality);
        self.count_overrides();
        self.report_overrides(|overrides| overrides.save_now_and_then(now));
        if self.traffic.is_due(now) {
            self.count_traffic(now);
            self.report_traffic(|traffic| traffic.save_now_and_then());
        }
    }

    /// Adds what was asked since the last time to the history.
    fn count_traffic(&mut self, now: u64) {
        let figures: Vec<_> = self.stats.statistics().figures().collect();
        let count = |figures: &Figures| Count { queries: figures.all(), listed: figures.listed() };
        let all: Figures = figures.iter().map(|(_, figures)| *figures).sum();
        let zones =
            figures.iter().filter_map(|(zone, figures)| Some((Some((*zone)?), count(figures))));
        self.traffic.count(now, std::iter::once((None, count(&all))).chain(zones));
        self.http.forget_history();
    }

    fn report_traffic(&mut self, save: impl FnOnce(&mut TrafficHistory) -> io::Result<()>) {
        if let Err(error) = save(&mut self.traffic) {
            self.personality.emit(&Event::TrafficNotWritten { error });
        }
    }

    /// Adds what workers have noted since the last time.
    fn count_overrides(&mut self) {
        self.overrides.add(&self.stats.statistics().overrides().take());
    }

    fn report_overrides(&mut self, save: impl FnOnce(&mut OverrideLog) -> io::Result<()>) {
        if let Err(error) = save(&mut self.overrides) {
            self.personality.emit(&Event::OverridesNotWritten { error });
        }
    }

    /// Takes the state folder over when the server that had it has ended, or when it was removed; what
    /// could not be locked is tried again.
    fn lock_again(&mut self) {
        let Some(folder) = self.settings.server.state_dir.as_deref() else { return };
        if self.lock.as_ref().is_some_and(|lock| lock.holds(folder)) {
            return;
        }
        match StateLock::take(folder) {
            Some(lock) if lock.is_locked() => {
                self.personality.emit(&Event::StateFolderTaken { folder: folder.to_owned() });
                self.serials.keep(folder, &lock);
                self.traffic.keep(folder, &lock);
                self.overrides.keep(folder, &lock);
                if let Err(error) = self.datasets.write_snapshots(folder, &lock) {
                    self.personality.emit(&Event::SnapshotWriterFailed { error });
                }
                self.lock = Some(lock);
                self.save_serials();
            }
            // Nobody can lock the folder (NFS, for example), so the current writer keeps writing.
            Some(unlocked) if self.lock.is_some() => self.lock = Some(unlocked),
            None if self.lock.is_some() => {
                self.lock = None;
                self.serials.keep_no_more();
                self.traffic.keep_no_more();
                self.overrides.keep_no_more();
                self.datasets.stop_writing_snapshots();
                self.personality.emit(&Event::StateFolderBusy { folder: folder.to_owned() });
            }
            _ => {}
        }
    }

    /// Has all files looked at, and writes a line of statistics: what rbldnsd does when its timer ends.
    /// Where there is none, it is then that data is found to have expired.
    fn check(&mut self) {
        self.datasets.look_now();
        if self.settings.server.check_interval.is_none() {
            self.publish();
        }
        self.stats.write_now(zones(&self.settings));
    }
}

fn zones(settings: &Settings) -> impl Iterator<Item = &NameBuf> + Clone {
    settings.zones.iter().map(|zone| &zone.name)
}

/// Waits until then; without a time, for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// Writes the serials that have changed.
pub(super) fn save_serials(serials: &mut Serials, personality: &dyn Personality) {
    if let Err(error) = serials.save() {
        personality.emit(&Event::SerialsNotWritten { error });
    }
}

/// Says that the server stops.
pub(super) fn tell_the_end(personality: &dyn Personality) {
    personality.emit(&Event::Stopping);
    personality.notify(&[NotifyState::Stopping]);
}

/// The zones that lack a dataset, and whether they answer without it.
pub(super) fn incomplete(settings: &Settings, zones: &[Zone]) -> Vec<(NameBuf, bool)> {
    let pairs = settings.zones.iter().zip(zones);
    pairs
        .filter(|(wanted, zone)| zone.datasets.len() != wanted.datasets.len())
        .map(|(_, zone)| (zone.apex.clone(), zone.state != ZoneState::Unloaded))
        .collect()
}
