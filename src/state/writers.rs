//! The threads that write to the state folder.

use super::archive::Archive;
use super::historian::Historian;
use super::snapshot_writer::SnapshotWriter;
use crate::event::EventSink;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The threads. They end, after what they are at, when this is dropped.
pub(crate) struct Writers {
    /// Writes snapshots and records.
    pub(crate) snapshots: SnapshotWriter,
    /// Keeps files aside.
    pub(crate) archive: Archive,
    /// Writes the history.
    pub(crate) historian: Historian,
}

impl Writers {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// When the system gives none.
    pub(crate) fn start(state_dir: &Path, sink: &Arc<dyn EventSink>) -> io::Result<Self> {
        Ok(Self {
            snapshots: SnapshotWriter::start(state_dir, Arc::clone(sink))?,
            archive: Archive::start(state_dir, Arc::clone(sink))?,
            historian: Historian::start(state_dir, Arc::clone(sink))?,
        })
    }

    /// Waits until the snapshots and records that were given to their thread are written, for `patience` at the
    /// most. The other threads have what a server can do without: they end with the process.
    pub(crate) fn finish(self, patience: Duration) {
        let thread = self.snapshots.into_thread();
        let end = Instant::now() + patience;
        while !thread.is_finished() && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Has the files of all other datasets removed, but for refused ones.
    pub(crate) fn retain(&self, datasets: impl Iterator<Item = String>) {
        let datasets: Vec<_> = datasets.collect();
        self.archive.retain(datasets.clone());
        self.historian.retain(datasets.clone());
        self.snapshots.retain(datasets);
    }
}
