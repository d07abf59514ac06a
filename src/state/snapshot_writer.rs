//! The thread that writes snapshots and records.

use super::record::DatasetRecord;
use crate::event::{Event, EventSink};
use crate::snapshot::folder::Folder;
use crate::snapshot::{Origin, WriteError};
use crate::util::cancel::CancelToken;
use crate::util::threads::{keep_at, lower_priority};
use crate::zone::Dataset;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A dataset to be written as a snapshot.
pub(crate) struct WriteJob {
    pub(crate) dataset: Arc<Dataset>,
    pub(crate) origin: Origin,
    /// Tells when there is a newer one.
    pub(crate) token: CancelToken,
}

enum Job {
    Write(WriteJob),
    Record(Box<DatasetRecord>),
    Retain(Vec<String>),
}

/// A thread that writes snapshots, one after the other, so that neither answering nor loading
/// waits for a disk. It ends, after what it is at, when this is dropped.
pub(crate) struct SnapshotWriter {
    jobs: mpsc::Sender<Job>,
    thread: JoinHandle<()>,
}

impl SnapshotWriter {
    /// Starts the thread.
    pub(crate) fn start(state_dir: &Path, sink: Arc<dyn EventSink>) -> std::io::Result<Self> {
        Self::start_with(state_dir, sink, RETRY_AFTER)
    }

    /// Like [`start`](Self::start), with another time until a failed write is retried.
    pub(crate) fn start_with(
        state_dir: &Path,
        sink: Arc<dyn EventSink>,
        retry_after: Duration,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let told = Event::thread_panicked(&sink, "keep");
        let mut writer = Writer {
            folder: Folder::of(state_dir),
            sink,
            failed: BTreeMap::new(),
            failed_records: BTreeMap::new(),
            told: BTreeSet::new(),
            names: None,
            due: None,
            retry_after,
        };
        let thread = thread::Builder::new().name("keep".to_owned()).spawn(move || {
            lower_priority();
            keep_at(told, || writer.run(&queue));
        })?;
        Ok(Self { jobs, thread })
    }

    /// Gives the thread, which ends when all jobs that were given to it are done.
    pub(super) fn into_thread(self) -> JoinHandle<()> {
        self.thread
    }

    /// Has a snapshot written.
    pub(crate) fn write(&self, job: WriteJob) {
        // The thread holds the other end for as long as this lives.
        let _ = self.jobs.send(Job::Write(job));
    }

    /// Has a record written.
    pub(crate) fn write_record(&self, record: DatasetRecord) {
        let _ = self.jobs.send(Job::Record(Box::new(record)));
    }

    /// Has the files of all other datasets removed.
    pub(crate) fn retain(&self, names: Vec<String>) {
        let _ = self.jobs.send(Job::Retain(names));
    }
}

/// How long after it could not be written a snapshot is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// The state of the thread.
struct Writer {
    folder: Folder,
    sink: Arc<dyn EventSink>,
    /// The jobs that failed, by the name of the dataset, until a newer one replaces them.
    failed: BTreeMap<String, WriteJob>,
    /// The records that could not be written, until newer ones can.
    failed_records: BTreeMap<String, DatasetRecord>,
    /// The datasets whose failure was reported.
    told: BTreeSet<String>,
    /// The datasets whose snapshots are to stay, if others are to be removed.
    names: Option<Vec<String>>,
    /// When to retry the failed jobs.
    due: Option<Instant>,
    retry_after: Duration,
}

impl Writer {
    fn run(&mut self, queue: &mpsc::Receiver<Job>) {
        loop {
            let job = match self.due {
                None => queue.recv().map_err(RecvTimeoutError::from),
                Some(due) => queue.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match job {
                Ok(Job::Write(job)) => {
                    self.failed.remove(&job.origin.name);
                    self.write(job);
                }
                Ok(Job::Record(record)) => self.write_record(*record),
                Ok(Job::Retain(names)) => {
                    self.failed.retain(|name, _| names.contains(name));
                    self.failed_records.retain(|name, _| names.contains(name));
                    self.told.retain(|name| names.contains(name));
                    self.names = Some(names);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.due = None;
                    std::mem::take(&mut self.failed).into_values().for_each(|job| self.write(job));
                    let records: Vec<_> = self.failed_records.values().cloned().collect();
                    records.into_iter().for_each(|record| self.write_record(record));
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // The snapshot of a renamed dataset stays under the old name until it is under the new one.
            if self.failed.is_empty()
                && self.failed_records.is_empty()
                && let Some(names) = self.names.take()
            {
                self.remove_others(&names);
            }
        }
    }

    fn write(&mut self, job: WriteJob) {
        let WriteJob { dataset, origin, token } = &job;
        let name = &origin.name;
        if token.is_cancelled() {
            return;
        }
        let start = Instant::now();
        match self.folder.write(dataset, origin, &|| !token.is_cancelled()) {
            Ok(id) => self.sink.emit(&Event::SnapshotWritten {
                dataset: name.clone(),
                id,
                took: start.elapsed(),
                recovered: self.told.remove(name),
            }),
            Err(WriteError::Unwanted) => {}
            Err(WriteError::Unfit(reason)) => {
                let (dataset, reason) = (name.clone(), reason.to_string());
                self.sink.emit(&Event::SnapshotUnfit { dataset, reason });
            }
            Err(WriteError::Io(error)) => {
                if self.told.insert(name.clone()) {
                    let (dataset, file) = (name.clone(), self.folder.file(name));
                    self.sink.emit(&Event::SnapshotNotWritten { dataset, file, error });
                }
                self.due.get_or_insert_with(|| Instant::now() + self.retry_after);
                self.failed.insert(name.clone(), job);
            }
        }
    }

    /// A failure is told once until it has passed, however often the record changes meanwhile.
    fn write_record(&mut self, record: DatasetRecord) {
        let was_told = self.failed_records.remove(&record.name).is_some();
        let Err(error) = record.write(&self.folder) else { return };
        if !was_told {
            let (dataset, file) = (record.name.clone(), self.folder.record(&record.name));
            self.sink.emit(&Event::RecordNotWritten { dataset, file, error });
        }
        self.due.get_or_insert_with(|| Instant::now() + self.retry_after);
        self.failed_records.insert(record.name.clone(), record);
    }

    /// Removes the files of all datasets but these.
    fn remove_others(&self, names: &[String]) {
        match self.folder.retain(names.iter().map(String::as_str)) {
            Ok(gone) => {
                gone.into_iter().for_each(|file| self.sink.emit(&Event::SnapshotRemoved { file }))
            }
            Err(error) => self.sink.emit(&Event::SnapshotsNotRemoved { error }),
        }
    }
}
