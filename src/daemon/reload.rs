//! Reading the settings again: the old ones are served until what the new ones need is built.

use super::control::Control;
use super::keys;
use super::phase::{Phase, Round};
use crate::config::{self, Changes, Errors, Loaded, Settings};
use crate::event::Event;
use sd_notify::NotifyState;
use std::sync::Arc;
use tracing::debug;

impl Control {
    /// Opens the query log anew, reads the settings again, and has all files looked at: what has changed in
    /// the settings, or why they do not hold.
    pub(super) fn reload(&mut self) -> Result<Changes, Errors> {
        self.notify_reloading();
        self.taps.reopen();
        self.datasets.look_now();
        let allowed = |loaded: Loaded| match self.sandbox.outside(&loaded.settings) {
            list if list.is_empty() => Ok(loaded),
            list => Err(Errors { origin: self.source.to_string(), list }),
        };
        let loaded = match self.source.load_again().and_then(allowed) {
            Ok(loaded) => loaded,
            Err(errors) => {
                self.personality.emit(&Event::SettingsRefused { errors: errors.clone() });
                if !matches!(self.phase, Phase::Reloading(..)) {
                    self.personality.notify(&[NotifyState::Ready]);
                }
                return Err(errors);
            }
        };
        for warning in loaded.warnings {
            let source = self.source.to_string();
            self.personality.emit(&Event::SettingDoubtful { source, warning });
        }
        let running: &Settings = match &self.phase {
            Phase::Reloading(settings, _) => settings,
            Phase::Idle | Phase::Building(_) => &self.settings,
        };
        let (settings, changes) = config::reload(running, loaded.settings);
        for change in &changes.live {
            self.personality.emit(&Event::SettingChanged { change: change.clone() });
        }
        for change in &changes.restart {
            self.personality.emit(&Event::SettingNeedsRestart { change: change.clone() });
        }
        self.datasets.apply(&settings);
        let round = self.phase.round().copied();
        if self.datasets.is_awaited() {
            let round = round.unwrap_or_else(Round::begin);
            self.phase = Phase::Reloading(Box::new(settings), round);
        } else {
            self.phase = round.map_or(Phase::Idle, Phase::Building);
            self.adopt(settings);
            // What was built for settings that were never served may have been the last of it.
            if round.is_some() {
                self.finish_round();
            }
        }
        Ok(changes)
    }

    /// Goes on when builds have ended and were judged; `changed` if they have changed what is served.
    pub(super) fn after_builds(&mut self, changed: bool) {
        if let Some(round) = self.phase.round() {
            round.changed |= changed;
        }
        match std::mem::take(&mut self.phase) {
            Phase::Reloading(settings, round) if !self.datasets.is_awaited() => {
                self.phase = Phase::Building(Round { changed: true, ..round });
                self.adopt(*settings);
            }
            phase => {
                self.phase = phase;
                if changed {
                    self.publish();
                }
            }
        }
        self.finish_round();
    }

    /// Tells that no build is under way any more, if that is so.
    fn finish_round(&mut self) {
        if self.datasets.is_building() {
            return;
        }
        self.datasets.tidy();
        let round = std::mem::take(&mut self.phase).round().copied();
        let Round { since, changed } = round.unwrap_or_else(Round::begin);
        self.tell_loads_finished(since.elapsed(), changed);
    }

    /// Puts new settings in place of the old.
    fn adopt(&mut self, settings: Settings) {
        self.settings = Arc::new(settings);
        self.keys = keys::read_all(&self.settings.keys, &self.keys, &*self.personality);
        self.http.forget_history();
        self.stats.statistics().tops().apply(self.settings.server.top);
        self.cookies.reload(&self.settings.server, self.lock.as_ref(), &*self.personality);
        self.datasets.settle_on(&self.settings);
        self.publish();
        let (source, zones) = (self.source.to_string(), self.settings.zones.len());
        self.personality.emit(&Event::SettingsReloaded { source, zones });
        self.personality.notify(&[NotifyState::Ready]);
    }

    /// Says that a reload begins. Without the time, systemd would take a `Type=notify-reload`
    /// service for one that does not reload (sd_notify(3)).
    fn notify_reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(time) => self.personality.notify(&[NotifyState::Reloading, time]),
            Err(error) => debug!("the time for systemd is not to be had: {error}"),
        }
    }
}
