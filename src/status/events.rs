//! The newest events, for programs and people.

use super::Time;
use crate::event::RecentEvent;
use serde::{Deserialize, Serialize};
use std::fmt;
use tracing::Level;

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EventStatus {
    /// The number of the event, from 1 for the first since the start.
    pub number: u64,
    /// When it happened.
    pub time: Time,
    /// How much attention it asks for.
    pub severity: Severity,
    /// The name of the event (`docs/events.md`).
    pub event: String,
    /// The dataset that it is about.
    pub dataset: Option<String>,
    /// The zone that it is about.
    pub zone: Option<String>,
    /// The file that it is about.
    pub file: Option<String>,
    /// What happened; the consequence; the remedy.
    pub text: String,
}

/// How much attention an event asks for, the most first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody has to look.
    Error,
    /// Something is not as it should be.
    Warning,
    /// It is good to know.
    Info,
}

impl From<&RecentEvent> for EventStatus {
    fn from(event: &RecentEvent) -> Self {
        Self {
            number: event.number,
            time: super::build::time(event.time),
            severity: match event.level {
                Level::ERROR => Severity::Error,
                Level::WARN => Severity::Warning,
                _ => Severity::Info,
            },
            event: event.name.to_owned(),
            dataset: event.dataset.clone(),
            zone: event.zone.clone(),
            file: event.file.clone(),
            text: event.text.clone(),
        }
    }
}

/// A line, as the log has it.
impl fmt::Display for EventStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.time, self.severity, self.text)
    }
}

/// The word, as wide as the widest.
impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "ERROR",
            Self::Warning => " WARN",
            Self::Info => " INFO",
        })
    }
}
