//! The data of a dataset that is served.

use super::cached;
use super::lineage::Lineage;
use crate::config;
use crate::guard::Facts;
use crate::snapshot::Rules;
use crate::source::SourceFile;
use crate::zone::Dataset;
use crate::zone::diff::Tally;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Data of a dataset that is served, and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// What zones answer from.
    pub(crate) dataset: Arc<Dataset>,
    /// The files it was built from.
    pub(crate) sources: Vec<SourceFile>,
    /// When it was accepted.
    pub(crate) since: SystemTime,
    /// The settings that it was accepted under.
    pub(crate) spec: Arc<config::Dataset>,
    /// How it was read.
    pub(crate) rules: Rules,
    /// What the guards compare with other versions.
    pub(crate) facts: Facts,
    /// What tells what is served from anything else that could be, on every machine.
    pub(crate) content_id: u64,
    /// How it differs from what was served before, if that was counted.
    pub(crate) change: Option<Tally>,
    /// How long reading and building took.
    pub(crate) took: Duration,
}

impl Served {
    /// The number of entries.
    pub(crate) fn entries(&self) -> u64 {
        self.sources.iter().map(|source| source.entries).sum()
    }

    /// The modification time of the newest file, in seconds since 1970; 0 if that lies before.
    pub(crate) fn newest(&self) -> u64 {
        let times = self.sources.iter().map(|source| source.report.identity.modified.seconds);
        times.max().and_then(|newest| u64::try_from(newest).ok()).unwrap_or(0)
    }

    /// When it was made, by its own account or else by the time of its files, in seconds since 1970.
    pub(crate) fn made(&self) -> u64 {
        self.facts.stamp.unwrap_or_else(|| self.newest())
    }

    /// True if it is what these settings make of its files.
    pub(super) fn is_read_by(&self, spec: &config::Dataset, server: &config::Server) -> bool {
        *self.spec == *spec && self.rules == cached::rules(spec, server)
    }

    /// What it is a version of.
    pub(super) fn lineage(&self) -> Lineage<'_> {
        Lineage { sources: &self.sources, rules: &self.rules }
    }
}
