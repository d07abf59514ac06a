//! What time does to datasets whose files do not change.

use super::{DatasetManager, ManagedDataset};
use crate::config::Settings;
use crate::dataset::freshness::overdue;
use crate::event::{Event, Overdue, Role};
use std::time::SystemTime;

impl DatasetManager {
    /// Builds the datasets again of which entries have expired by `now`.
    pub(crate) fn drop_expired_entries(&mut self, now: u64) {
        for managed in self.datasets.values_mut() {
            if managed.building.is_none() && managed.has_expired_entries(now) {
                managed.request(&self.context);
            }
        }
    }

    /// Tells of the datasets of zones whose data has expired since this was called last. True if that,
    /// or the contrary after the clock was managed, is so of any.
    pub(crate) fn tell_expired(&mut self, settings: &Settings, now: u64) -> bool {
        let mut has_changed = false;
        let zones = &settings.zones;
        let blocks = zones.iter().flat_map(|zone| &zone.datasets).map(|name| (name, Role::Block));
        let allows = zones.iter().flat_map(|zone| &zone.allow).map(|name| (name, Role::Allow));
        for (name, role) in blocks.chain(allows) {
            let Some(managed) = self.datasets.get_mut(name) else { continue };
            let is_expired = managed.spec.policy.leaves_out_expired
                && managed.lifecycle.served().is_some_and(|served| served.dataset.is_expired(now));
            let was_expired = std::mem::replace(&mut managed.was_expired, is_expired);
            has_changed |= is_expired != was_expired;
            if is_expired && !was_expired {
                self.context.sink.emit(&Event::DatasetExpired { dataset: name.clone(), role });
            }
        }
        has_changed
    }

    /// The clock was set by so many seconds: what was wrong before stays wrong for as long as it was.
    pub(crate) fn clock_was_set(&mut self, by: i64) {
        for managed in self.datasets.values_mut() {
            managed.lifecycle.clock_was_set(by);
            managed.note_bad_since(&self.context);
        }
    }

    /// What is overdue of a dataset at `now`.
    pub(crate) fn overdue(&self, name: &str, now: SystemTime) -> Option<Overdue> {
        self.datasets.get(name)?.overdue(now)
    }

    /// Tells of the datasets whose data is older than their limits allow since this was called last. True if
    /// that, or the contrary, is so of any.
    pub(crate) fn tell_overdue(&mut self, now: SystemTime) -> bool {
        let mut has_changed = false;
        for (name, managed) in &mut self.datasets {
            let overdue = managed.overdue(now);
            let was_overdue = std::mem::replace(&mut managed.was_overdue, overdue);
            has_changed |= overdue != was_overdue;
            match overdue {
                Some(overdue) if was_overdue != Some(overdue) => {
                    let dataset = name.clone();
                    self.context.sink.emit(&Event::DatasetOverdue { dataset, overdue });
                }
                None if was_overdue.is_some() => {
                    self.context.sink.emit(&Event::DatasetRenewed { dataset: name.clone() });
                }
                _ => {}
            }
        }
        has_changed
    }
}

impl ManagedDataset {
    /// True if what is served has entries that have expired by `now`.
    pub(super) fn has_expired_entries(&self, now: u64) -> bool {
        let next = self.lifecycle.served().and_then(|served| served.dataset.next_expiry);
        next.is_some_and(|next| next <= now) && self.lifecycle.failure().is_none()
    }

    /// What is overdue of it at `now`.
    pub(super) fn overdue(&self, now: SystemTime) -> Option<Overdue> {
        let most = self.record.as_ref().and_then(|record| record.most_entries(&self.spec));
        overdue(&self.lifecycle, &self.spec.freshness, !self.spec.is_own(most), now)
    }
}
