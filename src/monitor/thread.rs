//! The thread that looks after each load which of the watched networks and domains have come or gone.

use super::changes::{Changes, Piece, tidy};
use super::listed::listed;
use super::record::WatchRecord;
use crate::config::{self, Settings, WatchEntry};
use crate::dataset::manager::LoadedDataset;
use crate::event::{Event, EventSink, WatchedChange};
use crate::explain::check::ServedFile;
use crate::explain::lines::listing_lines;
use crate::history::{History, Moment, Sought, Turn};
use crate::util::threads::{keep_at, lowest_priority};
use crate::zone::Dataset;
use crate::zone::diff::Key;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

/// The most ranges or names of a subject whose line and history are looked up after one load.
const LOOKED_UP: usize = 20;

/// The most of all subjects together.
const LOOKED_UP_IN_ALL: usize = 200;

/// The most ranges or names that an event names.
const TOLD: usize = 5;

/// A dataset to look at.
pub(crate) struct Look {
    pub(crate) dataset: Arc<Dataset>,
    pub(crate) spec: config::Dataset,
    pub(crate) server: config::Server,
    /// The files that it was made of.
    pub(crate) files: Vec<ServedFile>,
    /// The zones that list what it lists.
    pub(crate) zones: Vec<String>,
    /// When it was accepted, in seconds since 1970.
    pub(crate) time: u64,
}

/// The datasets of which it is told what they list: those that are lists, and no allow lists.
pub(crate) fn watched_datasets(settings: &Settings) -> impl Iterator<Item = &config::Dataset> {
    settings.datasets.iter().filter(|set| set.usage.lists && !set.usage.allows)
}

/// What waits for the thread.
#[derive(Default)]
struct Waiting {
    looks: BTreeMap<String, Look>,
    /// What is watched, and the datasets that there are, if one of these has changed.
    settings: Option<(Vec<WatchEntry>, Vec<String>)>,
    /// The state folder, if this server may write there.
    state_dir: Option<PathBuf>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    record: Mutex<Arc<WatchRecord>>,
}

/// The thread, which begins when something is watched, and what is given to it.
pub(crate) struct Monitor {
    shared: Arc<Shared>,
    sink: Arc<dyn EventSink>,
    wake: Option<mpsc::Sender<()>>,
    watch: Vec<WatchEntry>,
    datasets: Vec<String>,
    /// The content ids of what was given to the thread.
    given: HashMap<String, u64>,
}

impl Monitor {
    /// Without a thread yet.
    pub(crate) fn new(sink: Arc<dyn EventSink>) -> Self {
        Self {
            shared: Arc::default(),
            sink,
            wake: None,
            watch: Vec::new(),
            datasets: Vec::new(),
            given: HashMap::new(),
        }
    }

    /// Has the datasets looked at that are served in another version than before, all of them if other things are
    /// watched. What is listed is remembered in `state_dir`.
    ///
    /// # Errors
    ///
    /// When the system gives no thread; the next call tries it again.
    pub(crate) fn look(
        &mut self,
        settings: &Settings,
        loaded: &HashMap<&String, LoadedDataset<'_>>,
        state_dir: Option<&Path>,
    ) -> io::Result<()> {
        if settings.watch.is_empty() && self.wake.is_none() {
            return Ok(());
        }
        let wake = self.thread(state_dir)?;
        let specs: Vec<_> = watched_datasets(settings).collect();
        let datasets: Vec<_> = specs.iter().map(|spec| spec.name.clone()).collect();
        let mut waiting = lock(&self.shared.waiting);
        waiting.state_dir = state_dir.map(Path::to_owned);
        if (&self.watch, &self.datasets) != (&settings.watch, &datasets) {
            if self.watch != settings.watch {
                self.given.clear();
            }
            self.given.retain(|name, _| datasets.contains(name));
            self.watch.clone_from(&settings.watch);
            self.datasets = datasets;
            waiting.settings = Some((self.watch.clone(), self.datasets.clone()));
        }
        for spec in specs {
            let Some(LoadedDataset { served, .. }) = loaded.get(&spec.name) else { continue };
            let given = self.given.insert(spec.name.clone(), served.content_id);
            if given == Some(served.content_id) || served.dataset.acl.is_some() {
                continue;
            }
            let zones = settings.zones.iter().filter(|zone| zone.datasets.contains(&spec.name));
            let since = served.since.duration_since(UNIX_EPOCH);
            let look = Look {
                dataset: Arc::clone(&served.dataset),
                spec: spec.clone(),
                server: settings.server.clone(),
                files: served.sources.iter().map(ServedFile::from).collect(),
                zones: zones.map(|zone| zone.name.to_string()).collect(),
                time: since.map_or(0, |since| since.as_secs()),
            };
            waiting.looks.insert(spec.name.clone(), look);
        }
        drop(waiting);
        // The thread holds the other end for as long as this lives.
        let _ = wake.send(());
        Ok(())
    }

    /// What is listed of what is watched, as far as the thread has come.
    pub(crate) fn record(&self) -> Arc<WatchRecord> {
        Arc::clone(&lock(&self.shared.record))
    }

    /// The thread, which is started if there is none. What a server before this one remembered is taken over.
    fn thread(&mut self, state_dir: Option<&Path>) -> io::Result<mpsc::Sender<()>> {
        if let Some(wake) = &self.wake {
            return Ok(wake.clone());
        }
        let (wake, wakes) = mpsc::channel();
        let told = Event::thread_panicked(&self.sink, "watched");
        let mut worker = Worker {
            shared: Arc::clone(&self.shared),
            sink: Arc::clone(&self.sink),
            watch: Vec::new(),
            is_told: false,
        };
        if let Some(state_dir) = state_dir {
            *lock(&self.shared.record) = Arc::new(WatchRecord::read(state_dir));
        }
        thread::Builder::new().name("watched".to_owned()).spawn(move || {
            lowest_priority();
            keep_at(told, || worker.run(&wakes));
        })?;
        Ok(self.wake.insert(wake).clone())
    }
}

/// The state of the thread.
struct Worker {
    shared: Arc<Shared>,
    sink: Arc<dyn EventSink>,
    watch: Vec<WatchEntry>,
    /// It was told that the record cannot be written.
    is_told: bool,
}

impl Worker {
    fn run(&mut self, wakes: &mpsc::Receiver<()>) {
        while let Ok(()) = wakes.recv() {
            loop {
                let mut waiting = lock(&self.shared.waiting);
                let settings = waiting.settings.take();
                let look = waiting.looks.pop_first();
                let state_dir = waiting.state_dir.clone();
                drop(waiting);
                if settings.is_none() && look.is_none() {
                    break;
                }
                let mut record = WatchRecord::clone(&lock(&self.shared.record));
                let mut has_changed = false;
                if let Some((watch, datasets)) = settings {
                    let subjects: Vec<_> =
                        watch.iter().map(|entry| entry.subject.to_string()).collect();
                    has_changed |= record.retain(&subjects, &datasets);
                    self.watch = watch;
                }
                let mut events = Vec::new();
                if let Some((_, look)) = look {
                    events = look_at(&look, &self.watch, &mut record);
                    has_changed |= !events.is_empty();
                }
                if has_changed {
                    // First remembered, then told: a crash in between must not tell it twice.
                    self.write(&record, state_dir.as_deref());
                    *lock(&self.shared.record) = Arc::new(record);
                }
                events.iter().for_each(|event| self.sink.emit(event));
            }
        }
    }

    /// Writes the record; that it cannot be written is told once until it can.
    fn write(&mut self, record: &WatchRecord, state_dir: Option<&Path>) {
        let Some(state_dir) = state_dir else { return };
        match record.write(state_dir) {
            Ok(()) => self.is_told = false,
            Err(_) if self.is_told => {}
            Err(error) => {
                self.is_told = true;
                let file = WatchRecord::path(state_dir);
                self.sink.emit(&Event::WatchedNotWritten { file, error });
            }
        }
    }
}

/// Notes in the record what a dataset lists of what is watched; what has come and gone are the events.
pub(crate) fn look_at(look: &Look, watch: &[WatchEntry], record: &mut WatchRecord) -> Vec<Event> {
    let name = &look.spec.name;
    let changes: Vec<_> = watch
        .iter()
        .map(|entry| {
            let before = record.of(&entry.subject, name).to_vec();
            (entry, Changes::of(before, &listed(&look.dataset, &entry.subject)))
        })
        .filter(|(_, changes)| !changes.came.is_empty() || !changes.went.is_empty())
        .collect();
    let sought = changes.iter().flat_map(|(_, changes)| changes.came.iter().take(LOOKED_UP));
    let sought: Vec<Key> = sought.take(LOOKED_UP_IN_ALL).cloned().collect();
    let mut found = found(look, &sought).into_iter();
    let mut events = Vec::new();
    for (entry, Changes { kept, came, went }) in changes {
        let came: Vec<Piece> = came
            .into_iter()
            .enumerate()
            .map(|(number, key)| {
                let piece = (number < LOOKED_UP).then(|| found.next()).flatten();
                piece.unwrap_or(Piece { key, since: look.time, line: None })
            })
            .collect();
        if let Some(first) = went.first() {
            let after = Duration::from_secs(look.time.saturating_sub(first.since));
            let is_part = !kept.is_empty() || !came.is_empty();
            let change = change(look, entry, &went);
            events.push(Event::WatchedDelisted { change, after, is_part });
        }
        if !came.is_empty() {
            events.push(Event::WatchedListed { change: change(look, entry, &came) });
        }
        record.set(&entry.subject, name, tidy(kept.into_iter().chain(came).collect()));
    }
    events
}

/// What has come, with its line, and since when it is listed by the history.
fn found(look: &Look, keys: &[Key]) -> Vec<Piece> {
    if keys.is_empty() {
        return Vec::new();
    }
    let lines = listing_lines(&look.spec, &look.server, &look.files, keys);
    let state_dir = look.server.state_dir.as_deref();
    let history = state_dir.and_then(|folder| History::read(folder, &look.spec.name).ok());
    let since = |key: &Key| history.as_ref().and_then(|history| listed_since(history, key));
    let piece = |(key, line): (&Key, _)| Piece {
        key: key.clone(),
        since: since(key).unwrap_or(look.time),
        line,
    };
    keys.iter().zip(lines).map(piece).collect()
}

/// Since when the first of it is listed without a break.
fn listed_since(history: &History, key: &Key) -> Option<u64> {
    let sought = match key {
        Key::Ip4(start, _) => Sought::Address(Ipv4Addr::from_bits(*start).into()),
        Key::Ip6(start, _) => Sought::Address(Ipv6Addr::from_bits(*start).into()),
        Key::Name(name) => Sought::Name(name.clone()),
        Key::Below(_) | Key::Records(_) => return None,
    };
    let timeline = history.timeline(&sought, u64::MAX);
    let is_listed = |moments: &&Vec<Moment>| moments.last().is_some_and(|it| it.turn.is_listed());
    let starts = timeline.entries.values().filter(is_listed).filter_map(|moments| {
        moments.iter().rev().find(|moment| matches!(moment.turn, Turn::Listed(_)))
    });
    starts.map(|moment| moment.time).min()
}

fn change(look: &Look, entry: &WatchEntry, pieces: &[Piece]) -> Box<WatchedChange> {
    Box::new(WatchedChange {
        subject: entry.subject.clone(),
        label: entry.label.clone(),
        dataset: look.spec.name.clone(),
        zones: look.zones.clone(),
        keys: pieces.iter().take(TOLD).map(|piece| piece.key.to_string()).collect(),
        total: pieces.len() as u64,
        line: pieces.first().and_then(|piece| piece.line.clone()),
    })
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
