//! What is listed of the networks and domains that are watched.

use super::Time;
use crate::config::Settings;
use crate::monitor::{WatchRecord, watched_datasets};
use crate::util::json;
use serde::{Deserialize, Serialize};

/// The most ranges or names of one dataset that are told.
const TOLD: usize = 20;

/// A network or a domain that is watched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WatchedStatus {
    /// What, as the settings write it.
    pub watched: String,
    /// What people call it.
    pub label: String,
    /// The datasets that list something of it.
    pub listed: Vec<WatchedListing>,
}

/// What one dataset lists of a network or a domain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WatchedListing {
    /// The dataset.
    pub dataset: String,
    /// The zones that list what it lists.
    pub zones: Vec<String>,
    /// The listed addresses, or names.
    #[serde(with = "json::count")]
    pub total: u128,
    /// The ranges or names that were listed last, the newest first.
    pub keys: Vec<WatchedKey>,
    /// How many more there are.
    pub more: u64,
}

/// Addresses or a name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WatchedKey {
    /// An address, a prefix, a range, a name, or all names below one as `*.name`.
    pub key: String,
    /// Since when it is listed.
    pub since: Time,
    /// The file of the line that listed it then; `None` if that was not known.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The line itself.
    pub text: Option<String>,
}

impl WatchedKey {
    /// The file and the number of the line that lists it, and the line.
    pub fn place(&self) -> Option<(String, &str)> {
        Some((format!("{}:{}", self.file.as_ref()?, self.line?), self.text.as_deref()?))
    }
}

impl WatchedStatus {
    /// All that is watched by these settings, in their order.
    pub(crate) fn all(settings: &Settings, record: &WatchRecord) -> Vec<Self> {
        let watched = settings.watch.iter().map(|entry| {
            let listed = watched_datasets(settings).filter_map(|set| {
                let zones = settings.zones.iter().filter(|zone| zone.datasets.contains(&set.name));
                let mut pieces: Vec<_> = record.of(&entry.subject, &set.name).iter().collect();
                let total = pieces.iter().map(|piece| piece.key.width());
                let total = total.fold(0, u128::saturating_add);
                let all = pieces.len();
                pieces.sort_by_key(|piece| std::cmp::Reverse(piece.since));
                pieces.truncate(TOLD);
                (all > 0).then(|| WatchedListing {
                    dataset: set.name.clone(),
                    zones: zones.map(|zone| zone.name.to_string()).collect(),
                    total,
                    more: (all - pieces.len()) as u64,
                    keys: pieces
                        .into_iter()
                        .map(|piece| {
                            let line = piece.line.as_ref();
                            WatchedKey {
                                key: piece.key.to_string(),
                                since: Time(piece.since.min(i64::MAX as u64) as i64),
                                file: line.map(|line| line.file.display().to_string()),
                                line: line.map(|line| line.line),
                                text: line.map(|line| line.text.clone()),
                            }
                        })
                        .collect(),
                })
            });
            Self {
                watched: entry.subject.to_string(),
                label: entry.label.clone(),
                listed: listed.collect(),
            }
        });
        watched.collect()
    }
}

impl WatchedListing {
    /// What is listed, where, and by which line.
    pub fn words(&self) -> String {
        let Self { dataset, zones, keys, more, .. } = self;
        let names: Vec<_> = keys.iter().map(|key| key.key.as_str()).collect();
        let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
        let line = keys.first().and_then(WatchedKey::place);
        let by = line.map_or(String::new(), |(place, text)| format!(" by {place}: {text}"));
        let zones = if zones.is_empty() { "no zone".to_owned() } else { zones.join(", ") };
        format!("{dataset} lists {}{more} in {zones}{by}", names.join(", "))
    }

    /// When something of it was listed last.
    pub fn newest(&self) -> Time {
        self.keys.iter().map(|key| key.since).max().unwrap_or_default()
    }
}
