//! What the status of a dataset says to those who explain why a key is listed.

use super::{DatasetStatus, Status, Time};
use crate::explain::check::{DatasetFacts, ServedFile};

impl Status {
    /// What is known of a dataset.
    pub(crate) fn facts(&self, dataset: &str) -> DatasetFacts {
        let status = self.datasets.iter().find(|status| status.name == dataset);
        status.map_or_else(|| DatasetFacts::never_loaded(None), DatasetStatus::facts)
    }
}

impl DatasetStatus {
    fn facts(&self) -> DatasetFacts {
        let time = |time: Option<Time>| time.map(|time| time.to_string());
        let problem = self.problem.as_ref();
        let files = self.files.iter().map(|file| ServedFile {
            path: file.path.clone().into(),
            size: file.size,
            modified: file.modified.0,
        });
        DatasetFacts {
            state: self.state.clone(),
            problem: problem.map(|it| format!("{}: {}; {}", it.file, it.fault(), it.remedy)),
            made: time(self.changed.or(self.fetched)),
            accepted: time(self.accepted),
            files: files.collect(),
        }
    }
}
