//! What a reload has changed, for who asked for it.

use crate::config::{Changes, Errors};
use crate::event;
use crate::status::{DatasetStatus, ProblemStatus, Status};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a reload has changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct ReloadReport {
    /// [`SCHEMA`](crate::status::SCHEMA) of the server.
    pub(crate) schema: u32,
    /// The settings were read and hold.
    pub(crate) accepted: bool,
    /// What is wrong with the settings, one mistake each.
    pub(crate) mistakes: Vec<String>,
    /// The settings that changed, as sentences.
    pub(crate) settings: Vec<String>,
    /// The settings that wait for a restart, as sentences.
    pub(crate) restart: Vec<String>,
    /// The datasets that changed or have a problem.
    pub(crate) datasets: Vec<DatasetChange>,
    /// Files were still being read or written when this was told.
    pub(crate) loading: bool,
    /// How long it took, in milliseconds.
    pub(crate) milliseconds: u64,
}

/// A dataset that a reload has changed, or that has a problem.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct DatasetChange {
    /// The dataset.
    pub(crate) name: String,
    /// Its entries before; `None` if nothing of it was served.
    pub(crate) before: Option<u64>,
    /// Its entries now; `None` if nothing of it is served.
    pub(crate) now: Option<u64>,
    /// What is wrong with its files.
    pub(crate) problem: Option<ProblemStatus>,
}

impl ReloadReport {
    /// The settings as they were read.
    pub(super) fn new(schema: u32, settings: &Result<Changes, Errors>) -> Self {
        let (changes, mistakes) = match settings {
            Ok(changes) => (changes.clone(), Vec::new()),
            Err(errors) => {
                let line = |mistake| format!("{}:{mistake}", errors.origin);
                (Changes::default(), errors.list.iter().map(line).collect())
            }
        };
        Self {
            schema,
            accepted: settings.is_ok(),
            mistakes,
            settings: changes.live.iter().map(event::setting_change).collect(),
            restart: changes.restart.iter().map(event::setting_needs_restart).collect(),
            datasets: Vec::new(),
            loading: false,
            milliseconds: 0,
        }
    }

    /// Adds what has become of the datasets.
    pub(super) fn finish(mut self, before: &Status, now: &Status, took: Duration) -> Self {
        let old = |name: &str| before.datasets.iter().find(|dataset| dataset.name == name);
        let is_gone =
            |dataset: &&DatasetStatus| now.datasets.iter().all(|other| other.name != dataset.name);
        let gone = before.datasets.iter().filter(is_gone).map(|dataset| DatasetChange {
            name: dataset.name.clone(),
            before: dataset.entries,
            now: None,
            problem: None,
        });
        // Age is nothing that a reload could change.
        fn of_files(dataset: &DatasetStatus) -> Option<&ProblemStatus> {
            dataset.problem.as_ref().filter(|problem| problem.attempts > 0)
        }
        let changed = now.datasets.iter().filter(|dataset| {
            let same = old(&dataset.name).is_some_and(|old| old.content_id == dataset.content_id);
            !same || of_files(dataset).is_some()
        });
        let changed = changed.map(|dataset| DatasetChange {
            name: dataset.name.clone(),
            before: old(&dataset.name).and_then(|old| old.entries),
            now: dataset.entries,
            problem: of_files(dataset).cloned(),
        });
        self.datasets = changed.chain(gone).collect();
        self.loading = now.server.loading;
        self.milliseconds = took.as_millis() as u64;
        self
    }

    /// True if everything is as the settings and the files say.
    pub(crate) fn is_well(&self) -> bool {
        self.accepted && self.datasets.iter().all(|dataset| dataset.problem.is_none())
    }
}
