//! The newest events, kept in memory for those who ask what has happened lately, or who follow it.

use super::log::{level, text};
use super::{Event, EventSink};
use crate::util::time::unix_time;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tracing::Level;

/// How many events are kept.
const KEPT: usize = 200;

/// The most bytes of words that are kept of one event.
const MAX_TEXT: usize = 2000;

/// The newest events. They are the queue of everybody who follows, too: who is too slow loses the oldest, and
/// nobody waits.
#[derive(Debug)]
pub struct RecentEvents {
    kept: Mutex<VecDeque<Arc<RecentEvent>>>,
    /// The number of the newest event; 0 if there was none.
    newest: watch::Sender<u64>,
}

/// An event that has happened, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecentEvent {
    /// The number of the event, from 1 for the first since the start.
    pub number: u64,
    /// When it happened, in seconds since 1970.
    pub time: u64,
    /// How much attention it asks for.
    pub level: Level,
    /// Its [name](Event::name).
    pub name: &'static str,
    /// The dataset that it is about.
    pub dataset: Option<String>,
    /// The zone that it is about.
    pub zone: Option<String>,
    /// The file that it is about.
    pub file: Option<String>,
    /// What happened, in the words of the log.
    pub text: String,
}

/// What has happened since an event.
#[derive(Debug)]
pub struct News {
    /// How many events are no longer kept.
    pub lost: u64,
    /// The events, the oldest first.
    pub events: Vec<Arc<RecentEvent>>,
}

impl Default for RecentEvents {
    fn default() -> Self {
        let kept = Mutex::new(VecDeque::with_capacity(KEPT));
        Self { kept, newest: watch::Sender::new(0) }
    }
}

impl EventSink for RecentEvents {
    fn emit(&self, event: &Event) {
        // Lines of statistics are no news, and one for each zone would push out what is.
        if level(event) == Level::DEBUG || matches!(event, Event::Statistics { .. }) {
            return;
        }
        let mut recent = RecentEvent {
            number: 0,
            time: unix_time(),
            level: level(event),
            name: event.name(),
            dataset: event.dataset().map(str::to_owned),
            zone: event.zone().map(ToString::to_string),
            file: event.file().map(|file| file.display().to_string()),
            text: text(event),
        };
        if let Some(end) = (0..=MAX_TEXT).rev().find(|&end| recent.text.is_char_boundary(end)) {
            recent.text.truncate(end);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        recent.number = *self.newest.borrow() + 1;
        self.newest.send_replace(recent.number);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::new(recent));
    }
}

impl RecentEvents {
    /// The newest events, that many at most, the oldest of them first.
    pub fn last(&self, count: usize) -> Vec<Arc<RecentEvent>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().skip(kept.len().saturating_sub(count)).cloned().collect()
    }

    /// What has happened after the event with this number.
    pub fn since(&self, number: u64) -> News {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = kept.front().map_or(number + 1, |event| event.number);
        let events = kept.iter().filter(|event| event.number > number).cloned().collect();
        News { lost: oldest.saturating_sub(number + 1), events }
    }

    /// Tells the number of the newest event whenever there is a new one.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expired(zone: &str) -> Event {
        Event::ZoneExpired { zone: zone.parse().unwrap() }
    }

    fn numbers(events: &[Arc<RecentEvent>]) -> Vec<u64> {
        events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn the_newest_are_kept_and_who_is_too_slow_is_told_how_many_are_lost() {
        let recent = RecentEvents::default();
        assert_eq!((recent.last(9).len(), recent.since(0).lost), (0, 0));
        for number in 0..KEPT + 5 {
            recent.emit(&expired(&format!("zone{number}.example")));
        }
        assert_eq!(numbers(&recent.last(2)), [204, 205]);
        assert_eq!(recent.last(usize::MAX).len(), KEPT);
        let News { lost, events } = recent.since(3);
        assert_eq!((lost, events.len(), events[0].number), (2, KEPT, 6));
        let News { lost, events } = recent.since(5);
        assert_eq!((lost, events.len()), (0, KEPT));
        let News { lost, events } = recent.since(205);
        assert_eq!((lost, events.len()), (0, 0));
    }

    #[test]
    fn an_event_has_its_subject_its_severity_and_a_bounded_text() {
        let recent = RecentEvents::default();
        recent.emit(&expired("bl.example"));
        recent.emit(&Event::LoadStarted { dataset: "list".to_owned() });
        recent.emit(&Event::Statistics { line: "stats".to_owned() });
        let socket = format!("/{}", "\u{e4}".repeat(MAX_TEXT)).into();
        recent.emit(&Event::ControlSocketNotOpened {
            socket,
            fault: super::super::SocketFault::InUse,
        });
        let events = recent.last(9);
        assert_eq!(numbers(&events), [1, 2]);
        let RecentEvent { level, name, zone, dataset, text, .. } = &*events[0];
        assert_eq!((*level, *name), (Level::WARN, "zone-expired"));
        assert_eq!((zone.as_deref(), dataset), (Some("bl.example"), &None));
        assert!(text.starts_with("zone bl.example: its data has expired"), "{text}");
        assert!((MAX_TEXT - 1..=MAX_TEXT).contains(&events[1].text.len()));
    }

    #[tokio::test]
    async fn who_watches_wakes_for_each_event() {
        let recent = RecentEvents::default();
        let mut newest = recent.watch();
        recent.emit(&expired("bl.example"));
        newest.changed().await.unwrap();
        assert_eq!(*newest.borrow_and_update(), 1);
    }
}
