//! The control loop: changed files, finished builds, signals, and the clock.

use super::assemble::assemble;
use super::personality::Personality;
use super::reporter::Reporter;
use super::servers::Servers;
use crate::config::{self, Settings, Source};
use crate::dataset::manager::DatasetManager;
use crate::dataset::task::Finished;
use crate::event::Event;
use crate::server::shared_catalog::SharedCatalog;
use crate::state::lock::StateLock;
use crate::state::serials::Serials;
use crate::stats::query_log::QueryLog;
use crate::util::time::unix_time;
use crate::watch::Change;
use crate::wire::name::NameBuf;
use crate::zone::{Zone, ZoneState};
use sd_notify::NotifyState;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tracing::debug;

/// How often replaced catalogs are looked after, certificates are looked at, and expired zones
/// are told.
const TICK: Duration = Duration::from_secs(1);

/// Everything the control loop works on.
pub(super) struct Control {
    /// The settings that are served.
    pub(super) settings: Settings,
    pub(super) source: Source,
    pub(super) datasets: DatasetManager,
    /// Builds that have ended.
    pub(super) finished: UnboundedReceiver<Finished>,
    /// The right to write to the state folder.
    pub(super) lock: Option<StateLock>,
    pub(super) serials: Serials,
    pub(super) catalog: Arc<SharedCatalog>,
    pub(super) servers: Servers,
    pub(super) personality: Arc<dyn Personality>,
    pub(super) reporter: Reporter,
    pub(super) query_log: Option<QueryLog>,
    /// New settings that wait for datasets to be built. Meanwhile the old ones are served.
    pub(super) pending: Option<Settings>,
    /// When the builds under way began.
    pub(super) round: Option<Instant>,
    /// They have changed what is served.
    pub(super) changed: bool,
    /// Zones whose data has expired, so that each is told once.
    pub(super) expired: HashSet<String>,
    /// Zones that are without one of their allow or access lists, and the list: each is told once.
    pub(super) unguarded: HashSet<(String, String)>,
}

/// The signals the server obeys.
pub(super) struct Signals {
    hangup: Signal,
    user1: Signal,
    user2: Signal,
    alarm: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on, these signals no longer end the process by themselves.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            alarm: signal(SignalKind::alarm())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for a signal to stop.
    pub(super) async fn stop(&mut self) {
        stop(&mut self.terminate, &mut self.interrupt).await;
    }
}

async fn stop(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

impl Control {
    /// Runs until a signal says to stop.
    pub(super) async fn run(mut self, mut signals: Signals) -> anyhow::Result<()> {
        self.datasets.settle_on(&self.settings);
        self.save_serials();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.reporter.begin();
        self.personality.notify(&[NotifyState::Ready]);
        loop {
            let retry_at = self.datasets.retry_at();
            let report_at = self.reporter.next();
            tokio::select! {
                changes = self.datasets.changes() => self.files_changed(&changes),
                Some(finished) = self.finished.recv() => self.builds_finished(finished),
                () = at(retry_at) => self.datasets.retry(),
                _ = tick.tick() => self.look_around(),
                () = at(report_at) => self.reporter.write(zones(&self.settings)),
                _ = signals.user1.recv() => self.reporter.tell(zones(&self.settings)),
                _ = signals.user2.recv() => self.reporter.tell_and_reset(zones(&self.settings)),
                _ = signals.hangup.recv() => self.reload(),
                _ = signals.alarm.recv() => self.check(),
                () = stop(&mut signals.terminate, &mut signals.interrupt) => break,
            }
        }
        tell_the_end(&*self.personality);
        self.save_serials();
        self.servers.stop().await;
        self.reporter.end(zones(&self.settings));
        if let Some(log) = self.query_log {
            log.stop();
        }
        Ok(())
    }

    fn files_changed(&mut self, changes: &[Change]) {
        for change in changes {
            debug!("{} has changed: {:?}", change.path.display(), change.state);
        }
        self.round.get_or_insert_with(Instant::now);
        self.datasets.files_changed(changes);
    }

    /// Takes all builds that have finished and publishes once for them.
    fn builds_finished(&mut self, first: Finished) {
        let mut publish = false;
        let mut next = Some(first);
        while let Some(finished) = next {
            publish |= self.datasets.take(finished);
            next = self.finished.try_recv().ok();
        }
        if self.pending.is_some() && self.datasets.awaited() == 0 {
            self.finish_reload();
        } else if publish {
            self.publish();
        }
        self.changed |= publish;
        if !self.datasets.is_building() {
            self.settled();
        }
    }

    /// Says that no build is under way any more.
    fn settled(&mut self) {
        self.datasets.tidy();
        let took = self.round.take().map_or(Duration::ZERO, |since| since.elapsed());
        let changed = std::mem::take(&mut self.changed);
        let incomplete = incomplete(&self.settings, self.catalog.load().zones());
        self.personality.emit(&Event::LoadsFinished { took, changed, incomplete });
    }

    fn publish(&mut self) {
        let loaded = self.datasets.loaded();
        let statistics = self.reporter.statistics();
        let now = unix_time();
        let catalog = assemble(&self.settings, &loaded, now, &mut self.serials, statistics);
        self.catalog.publish(catalog);
        self.save_serials();
    }

    fn save_serials(&mut self) {
        if let Err(error) = self.serials.save() {
            self.personality.emit(&Event::SerialsNotWritten { error });
        }
    }

    fn look_around(&mut self) {
        self.catalog.sweep();
        self.servers.reload_certificate(&*self.personality);
        self.lock_again();
        self.tell_unguarded();
        let now = unix_time();
        if self.datasets.tell_expired(&self.settings, now) {
            self.publish();
        }
        for zone in self.catalog.load().zones() {
            let name = zone.apex.to_string();
            if zone.expires.is_none_or(|expires| expires >= now) {
                self.expired.remove(&name);
            } else if self.expired.insert(name) {
                self.personality.emit(&Event::ZoneExpired { zone: zone.apex.clone() });
            }
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
                self.datasets.stop_writing_snapshots();
                self.personality.emit(&Event::StateFolderBusy { folder: folder.to_owned() });
            }
            _ => {}
        }
    }

    /// A zone without one of its allow lists goes on answering, and then lists what it must not:
    /// that is to be seen beside what is said of the list itself. Without one of its access lists it
    /// does not answer.
    fn tell_unguarded(&mut self) {
        let lists = |zone: &config::Zone| !zone.allow.is_empty() || !zone.acl.is_empty();
        if self.settings.server.acl.is_empty() && !self.settings.zones.iter().any(lists) {
            return;
        }
        let loaded = self.datasets.loaded();
        for zone in &self.settings.zones {
            for list in self.settings.server.acl.iter().chain(&zone.acl) {
                let told = (zone.name.to_string(), list.clone());
                if loaded.contains_key(list) {
                    self.unguarded.remove(&told);
                } else if self.unguarded.insert(told) {
                    let (zone, dataset) = (zone.name.clone(), list.clone());
                    self.personality.emit(&Event::ZoneWithoutAccessList { zone, dataset });
                }
            }
            for list in &zone.allow {
                let told = (zone.name.to_string(), list.clone());
                if loaded.contains_key(list) {
                    self.unguarded.remove(&told);
                } else if self.unguarded.insert(told) {
                    let (zone, dataset) = (zone.name.clone(), list.clone());
                    self.personality.emit(&Event::ZoneWithoutAllowList { zone, dataset });
                }
            }
        }
    }

    /// Has all files looked at, and writes a line of statistics: what rbldnsd does when its timer ends.
    /// Where there is none, it is then that data is found to have expired.
    fn check(&mut self) {
        self.datasets.look_now();
        if self.settings.server.check_interval.is_none() {
            self.publish();
        }
        self.reporter.write_now(zones(&self.settings));
    }

    /// Opens the query log anew, reads the configuration again, and has all files looked at.
    fn reload(&mut self) {
        self.notify_reloading();
        if let Some(log) = &self.query_log {
            log.reopen();
        }
        self.datasets.look_now();
        match self.source.load_again() {
            Ok(loaded) => {
                for warning in loaded.warnings {
                    let source = self.source.to_string();
                    self.personality.emit(&Event::SettingDoubtful { source, warning });
                }
                let running = self.pending.as_ref().unwrap_or(&self.settings);
                let (settings, changes) = config::reload(running, loaded.settings);
                for change in changes.live {
                    self.personality.emit(&Event::SettingChanged { change });
                }
                for change in changes.restart {
                    self.personality.emit(&Event::SettingNeedsRestart { change });
                }
                self.datasets.apply(&settings);
                self.pending = Some(settings);
            }
            Err(errors) => self.personality.emit(&Event::SettingsRefused { errors }),
        }
        if self.pending.is_none() {
            self.personality.notify(&[NotifyState::Ready]);
        } else if self.datasets.awaited() == 0 {
            self.finish_reload();
        }
    }

    /// Says that a reload begins. Without the time, systemd would take a `Type=notify-reload`
    /// service for one that does not reload (sd_notify(3)).
    fn notify_reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(time) => self.personality.notify(&[NotifyState::Reloading, time]),
            Err(error) => debug!("cannot tell systemd: there is no time: {error}"),
        }
    }

    /// Puts the new settings in place of the old.
    fn finish_reload(&mut self) {
        if let Some(settings) = self.pending.take() {
            self.settings = settings;
        }
        self.datasets.settle_on(&self.settings);
        self.publish();
        let (source, zones) = (self.source.to_string(), self.settings.zones.len());
        self.personality.emit(&Event::SettingsReloaded { source, zones });
        self.personality.notify(&[NotifyState::Ready]);
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

/// Says that the server stops.
pub(super) fn tell_the_end(personality: &dyn Personality) {
    personality.emit(&Event::Stopping);
    personality.notify(&[NotifyState::Stopping]);
}

/// The zones that lack a dataset, and whether they answer without it.
pub(super) fn incomplete(settings: &Settings, zones: &[Zone]) -> Vec<(NameBuf, bool)> {
    let lacks =
        |(wanted, zone): &(&config::Zone, &Zone)| zone.datasets.len() != wanted.datasets.len();
    let incomplete = settings.zones.iter().zip(zones).filter(lacks);
    incomplete.map(|(_, zone)| (zone.apex.clone(), zone.state != ZoneState::Unloaded)).collect()
}
