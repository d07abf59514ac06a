//! How often what has happened.

use super::{Event, EventSink};
use crate::util::time::unix_time;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counts events.
#[derive(Debug)]
pub struct EventCounts(Mutex<EventFigures>);

/// What was counted until some time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventFigures {
    /// How often each event happened, by its [name](Event::name).
    pub events: BTreeMap<&'static str, u64>,
    /// How often other data of a dataset was taken into service.
    pub loads: BTreeMap<String, u64>,
    /// How often files of a dataset were refused by a rule of the guard; without one, by a fault of the files.
    pub refusals: BTreeMap<(String, Option<&'static str>), u64>,
    /// How often the settings were read again and hold.
    pub reloads: u64,
    /// How often the settings were read again and could not be used.
    pub failed_reloads: u64,
    /// The settings that were read last hold.
    pub is_last_reload_good: bool,
    /// When settings that hold were read last, in seconds since 1970.
    pub last_good_reload: u64,
}

impl EventCounts {
    /// From a start at that time, in seconds since 1970, with settings that hold.
    fn since(now: u64) -> Self {
        Self(Mutex::new(EventFigures {
            events: BTreeMap::new(),
            loads: BTreeMap::new(),
            refusals: BTreeMap::new(),
            reloads: 0,
            failed_reloads: 0,
            is_last_reload_good: true,
            last_good_reload: now,
        }))
    }

    /// What was counted by now.
    pub fn figures(&self) -> EventFigures {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, event: &Event, now: u64) {
        let mut figures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *figures.events.entry(event.name()).or_default() += 1;
        match event {
            Event::DatasetLoaded { dataset, .. } => {
                *figures.loads.entry(dataset.clone()).or_default() += 1;
            }
            // What is told again is no other refusal.
            Event::DatasetRefused { dataset, refusal, .. } if refusal.told_for.is_none() => {
                let refused = (dataset.clone(), refusal.problem.cause.rule());
                *figures.refusals.entry(refused).or_default() += 1;
            }
            Event::SettingsReloaded { .. } => {
                figures.reloads += 1;
                (figures.is_last_reload_good, figures.last_good_reload) = (true, now);
            }
            Event::SettingsRefused { .. } => {
                figures.failed_reloads += 1;
                figures.is_last_reload_good = false;
            }
            _ => {}
        }
    }
}

impl Default for EventCounts {
    fn default() -> Self {
        Self::since(unix_time())
    }
}

impl EventSink for EventCounts {
    fn emit(&self, event: &Event) {
        self.count(event, unix_time());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::samples::samples;

    #[test]
    fn events_are_counted_by_what_they_say() {
        let counts = EventCounts::since(1000);
        let samples = samples();
        for event in &samples {
            counts.count(event, 2000);
        }
        let figures = counts.figures();
        assert_eq!(figures.events.values().sum::<u64>(), samples.len() as u64);
        let of = |is: fn(&&Event) -> bool| samples.iter().filter(is).count() as u64;
        assert_eq!(
            figures.loads.values().sum::<u64>(),
            of(|event| matches!(event, Event::DatasetLoaded { .. }))
        );
        let refused = |event: &&Event| matches!(event, Event::DatasetRefused { refusal, .. } if refusal.told_for.is_none());
        assert_eq!(figures.refusals.values().sum::<u64>(), of(refused));
        assert!(figures.reloads > 0 && figures.failed_reloads > 0);
    }

    #[test]
    fn the_last_reload_counts() {
        let counts = EventCounts::since(1000);
        let told = || {
            let EventFigures { is_last_reload_good, last_good_reload, .. } = counts.figures();
            (is_last_reload_good, last_good_reload)
        };
        assert_eq!(told(), (true, 1000));
        let errors = crate::config::Errors { origin: "a.toml".to_owned(), list: Vec::new() };
        counts.count(&Event::SettingsRefused { errors }, 2000);
        assert_eq!(told(), (false, 1000));
        counts.count(&Event::SettingsReloaded { source: "a.toml".to_owned(), zones: 1 }, 3000);
        assert_eq!(told(), (true, 3000));
    }
}
