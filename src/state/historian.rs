//! The thread that writes what loads listed and delisted to the history.
//!
//! It has the lowest priority, and begins when what was loaded is accepted: neither answering nor loading waits
//! for it. Of the loads of a dataset that wait, the first and the last are compared: so no more than three versions
//! of a dataset are kept in memory for it, however slow the disk is.

use crate::config::HistoryBounds;
use crate::event::{Event, EventSink};
use crate::history::{Bounds, HistoryLog, LoadHead, LoadedVersion, RefusedEntry, retain};
use crate::util::threads::{keep_at, lowest_priority};
use crate::util::time::unix_time;
use crate::zone::Dataset;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A load that was accepted.
pub(crate) struct AcceptedLoad {
    pub(crate) dataset: String,
    /// What was served before, and its content id.
    pub(crate) before: Option<(Arc<Dataset>, u64)>,
    /// What is served, and its content id.
    pub(crate) now: (Arc<Dataset>, u64),
    /// When it was accepted, in seconds since 1970.
    pub(crate) time: u64,
    /// The entries of the files.
    pub(crate) entries: u64,
    /// The bytes of the files.
    pub(crate) size: u64,
    pub(crate) bounds: HistoryBounds,
}

/// What waits to be written.
#[derive(Default)]
struct Waiting {
    refusals: Vec<(String, RefusedEntry)>,
    loads: BTreeMap<String, AcceptedLoad>,
    retained: Option<Vec<String>>,
}

/// The thread. It ends, after what it is at, when this is dropped.
pub(crate) struct Historian {
    waiting: Arc<Mutex<Waiting>>,
    wake: mpsc::Sender<()>,
}

impl Historian {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(crate) fn start(state_dir: &Path, sink: Arc<dyn EventSink>) -> io::Result<Self> {
        let (wake, wakes) = mpsc::channel();
        let waiting = Arc::<Mutex<Waiting>>::default();
        let told = Event::thread_panicked(&sink, "history");
        let mut writer = Writer {
            state_dir: state_dir.to_owned(),
            sink,
            waiting: Arc::clone(&waiting),
            logs: BTreeMap::new(),
            told: BTreeSet::new(),
            days: HistoryBounds::default().days,
        };
        thread::Builder::new().name("history".to_owned()).spawn(move || {
            lowest_priority();
            keep_at(told, || writer.run(&wakes));
        })?;
        Ok(Self { waiting, wake })
    }

    /// Has a load written.
    pub(crate) fn keep_load(&self, load: AcceptedLoad) {
        if load.now.0.acl.is_some() {
            return;
        }
        let mut waiting = lock(&self.waiting);
        let before = match waiting.loads.remove(&load.dataset) {
            Some(first) => first.before,
            None => load.before.clone(),
        };
        waiting.loads.insert(load.dataset.clone(), AcceptedLoad { before, ..load });
        self.go_on(waiting);
    }

    /// Has a refusal written.
    pub(crate) fn keep_refusal(&self, dataset: String, entry: RefusedEntry) {
        let mut waiting = lock(&self.waiting);
        waiting.refusals.push((dataset, entry));
        self.go_on(waiting);
    }

    /// Has the histories of all other datasets removed, when they are old.
    pub(crate) fn retain(&self, datasets: Vec<String>) {
        let mut waiting = lock(&self.waiting);
        waiting.retained = Some(datasets);
        self.go_on(waiting);
    }

    fn go_on(&self, waiting: MutexGuard<'_, Waiting>) {
        drop(waiting);
        // The thread holds the other end for as long as this lives.
        let _ = self.wake.send(());
    }
}

/// The state of the thread.
struct Writer {
    state_dir: PathBuf,
    sink: Arc<dyn EventSink>,
    waiting: Arc<Mutex<Waiting>>,
    logs: BTreeMap<String, HistoryLog>,
    /// The datasets whose history could not be written, which was told.
    told: BTreeSet<String>,
    /// For how many days histories are kept.
    days: u32,
}

impl Writer {
    fn run(&mut self, wakes: &mpsc::Receiver<()>) {
        while let Ok(()) = wakes.recv() {
            loop {
                let mut waiting = lock(&self.waiting);
                let refusals = std::mem::take(&mut waiting.refusals);
                let load = waiting.loads.pop_first();
                let retained = waiting.retained.take();
                drop(waiting);
                if refusals.is_empty() && load.is_none() && retained.is_none() {
                    break;
                }
                for (dataset, entry) in refusals {
                    let written = self.log(&dataset).and_then(|log| log.append_refusal(&entry));
                    self.tell(dataset, written);
                }
                if let Some((dataset, load)) = load {
                    let written = self.keep(&load);
                    self.tell(dataset, written);
                }
                if let Some(datasets) = retained {
                    self.logs.retain(|name, _| datasets.contains(name));
                    self.told.retain(|name| datasets.contains(name));
                    let removed = retain(&self.state_dir, &datasets, self.days, unix_time());
                    if let Err(error) = removed {
                        self.sink.emit(&Event::SnapshotsNotRemoved { error });
                    }
                }
            }
        }
    }

    fn log(&mut self, dataset: &str) -> io::Result<&mut HistoryLog> {
        if !self.logs.contains_key(dataset) {
            let log = HistoryLog::open(&self.state_dir, dataset)?;
            self.logs.insert(dataset.to_owned(), log);
        }
        self.logs.get_mut(dataset).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn keep(&mut self, load: &AcceptedLoad) -> io::Result<()> {
        let AcceptedLoad { dataset, before, now, time, entries, size, bounds } = load;
        self.days = bounds.days;
        if bounds.days == 0 {
            return Ok(());
        }
        let former = before.as_ref();
        let former =
            former.map(|(dataset, content_id)| LoadedVersion { dataset, content_id: *content_id });
        let head = LoadHead {
            time: *time,
            entries: *entries,
            size: *size,
            content_id: now.1,
            ..LoadHead::default()
        };
        let log = self.log(dataset)?;
        log.append_load(former, &now.0, head)?;
        log.keep_within(Bounds { days: bounds.days, size: bounds.max_size }, unix_time())
    }

    /// Tells, once until it is over, that the history of a dataset cannot be written.
    fn tell(&mut self, dataset: String, written: io::Result<()>) {
        match written {
            Ok(()) => {
                self.told.remove(&dataset);
            }
            Err(error) => {
                self.logs.remove(&dataset);
                if self.told.insert(dataset.clone()) {
                    let folder = self.state_dir.join("history");
                    self.sink.emit(&Event::HistoryNotWritten { dataset, folder, error });
                }
            }
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
