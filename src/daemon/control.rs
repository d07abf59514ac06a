//! The control loop: changed files, finished builds, signals, and the clock.

use super::assemble::assemble;
use super::serials::Serials;
use super::servers::Servers;
use super::sets::{After, Finished, Sets};
use crate::config::{self, Settings, Source};
use crate::load::{Change, WatchOptions, Watcher};
use crate::net::live::Live;
use anyhow::Context;
use sd_notify::NotifyState;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, error, info, warn};

/// How often replaced catalogs are looked after, certificates are looked at, and expired zones
/// are told.
const TICK: Duration = Duration::from_secs(1);

/// Everything the control loop works on.
pub(super) struct Control {
    pub(super) settings: Settings,
    pub(super) source: Source,
    pub(super) sets: Sets,
    pub(super) serials: Serials,
    pub(super) live: Arc<Live>,
    pub(super) servers: Servers,
}

/// The signals the server obeys.
pub(super) struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on, these signals no longer end the process by themselves.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// What the loop keeps between its turns.
struct Turn {
    watcher: Watcher,
    retries: UnboundedSender<String>,
    /// Zones whose data has expired, so that each is told once.
    expired: HashSet<String>,
    /// New settings are published when the datasets they need are built.
    settings_wait: bool,
}

impl Control {
    /// Runs until a signal says to stop. `afters` are left from the first load.
    pub(super) async fn run(
        mut self,
        mut signals: Signals,
        afters: Vec<(String, After)>,
    ) -> anyhow::Result<()> {
        let server = &self.settings.server;
        let options = WatchOptions {
            poll: server.check_interval,
            quiet: server.quiet_period,
            ..WatchOptions::default()
        };
        let watcher =
            Watcher::start(options).context("cannot start the thread that watches the files")?;
        watcher.set_files(self.sets.watched());
        let (retries, mut due) = unbounded_channel();
        let mut turn = Turn { watcher, retries, expired: HashSet::new(), settings_wait: false };
        for (name, after) in afters {
            turn.follow_up(name, &after);
        }
        self.save_serials();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        notify(&[NotifyState::Ready]);
        loop {
            tokio::select! {
                changes = turn.watcher.changes() => self.files_changed(&changes),
                Some(finished) = self.sets.finished.recv() => self.builds_finished(finished, &mut turn),
                Some(name) = next(&mut due) => self.sets.retry(&name),
                _ = tick.tick() => self.look_around(&mut turn),
                _ = signals.hangup.recv() => self.reload(&mut turn),
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
            }
        }
        info!("stopping");
        notify(&[NotifyState::Stopping]);
        self.save_serials();
        self.servers.stop().await;
        Ok(())
    }

    fn files_changed(&mut self, changes: &[Change]) {
        for change in changes {
            debug!("{} has changed: {:?}", change.path.display(), change.sight);
        }
        self.sets.files_changed(changes.iter().map(|change| change.path.as_path()));
    }

    /// Takes all builds that have finished and publishes once for them.
    fn builds_finished(&mut self, first: Finished, turn: &mut Turn) {
        let mut publish = false;
        let mut next = Some(first);
        while let Some(finished) = next {
            let (name, after) = self.sets.take(finished);
            publish |= after.publish;
            turn.follow_up(name, &after);
            next = self.sets.finished.try_recv().ok();
        }
        if turn.settings_wait {
            if self.sets.building() > 0 {
                return;
            }
            turn.settings_wait = false;
            publish = true;
            self.finish_reload(turn);
        }
        if publish {
            self.publish();
        }
    }

    fn publish(&mut self) {
        let catalog = assemble(&self.settings, &self.sets.loaded(), &mut self.serials);
        self.live.publish(catalog);
        self.save_serials();
    }

    fn save_serials(&mut self) {
        if let Err(error) = self.serials.save() {
            warn!(
                "cannot remember the serials of the zones: {error}; check `state-dir` in the [server] settings"
            );
        }
    }

    fn look_around(&mut self, turn: &mut Turn) {
        self.live.sweep();
        self.servers.reload_certificate();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        for zone in self.live.load().zones() {
            let name = zone.apex.to_string();
            if zone.expires.is_none_or(|expires| expires >= now) {
                turn.expired.remove(&name);
            } else if turn.expired.insert(name) {
                warn!(
                    "zone {}: its data has expired by its $TIMESTAMP line, it answers SERVFAIL until newer data comes",
                    zone.apex
                );
            }
        }
    }

    /// Reads the configuration again.
    fn reload(&mut self, turn: &mut Turn) {
        notify(&[NotifyState::Reloading]);
        let loaded = match self.source.load() {
            Ok(loaded) => loaded,
            Err(errors) => {
                error!("keeps the settings it has: {errors}");
                notify(&[NotifyState::Ready]);
                return;
            }
        };
        for warning in &loaded.warnings {
            warn!("{}:{warning}", self.source);
        }
        let (settings, changes) = config::reload(&self.settings, loaded.settings);
        for change in &changes.live {
            info!("{change}");
        }
        for change in &changes.restart {
            warn!("{change}");
        }
        self.settings = settings;
        let building = self.sets.apply(&self.settings);
        turn.settings_wait = building > 0;
        if building == 0 {
            self.publish();
            self.finish_reload(turn);
        }
    }

    fn finish_reload(&mut self, turn: &mut Turn) {
        turn.watcher.set_files(self.sets.watched());
        info!("{} read again: {} zones", self.source, self.settings.zones.len());
        notify(&[NotifyState::Ready]);
    }
}

impl Turn {
    fn follow_up(&self, name: String, after: &After) {
        if let Some(path) = &after.recheck {
            self.watcher.recheck(path);
        }
        if let Some(delay) = after.retry {
            let retries = self.retries.clone();
            tokio::spawn(async move {
                sleep(delay).await;
                // Nobody listens any more when the server stops.
                let _ = retries.send(name);
            });
        }
    }
}

async fn next(due: &mut UnboundedReceiver<String>) -> Option<String> {
    due.recv().await
}

/// Tells systemd, if it is there to listen.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        debug!("cannot tell systemd: {error}");
    }
}
