//! The thread that watches the files of all datasets.
//!
//! It looks at each file with one `stat` per second and compares what it sees with what it last
//! reported. Events of the folders (see [`inotify`](super::inotify)) make it look sooner and tell
//! whether a writer still has the file open. They are not required: on network file systems, after
//! lost events and at exhausted limits, a change is only found later, at the next look.
//!
//! One thread serves all files: if a mirror lies on a network file system whose server is gone, a
//! look at it may hang, and the watching (not the answering) hangs until the server is back.

use super::inotify::FolderWatches;
use super::path::ResolvedPath;
use super::queue::{CommandQueue, Commands, ReportQueue};
use super::stability::{FileEvent, FileEvents, Observation, Stability, Timing};
use super::{FileChange, WatchOptions, Watched};
use crate::event::{Event, EventSink, WatchFault};
use crate::source::{FileState, Stable};
use crate::util::threads::keep_at;
use notify::ErrorKind;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The least time between two rounds that events caused: it bounds what many small writes cost.
const MIN_PAUSE: Duration = Duration::from_millis(20);

/// How long after it failed the watch on folders is tried again.
const RETRY_WATCH: Duration = Duration::from_secs(60);

/// Watches a set of files until it is dropped.
///
/// ```
/// # use dnsbld::event::Log;
/// # use dnsbld::source::FileState;
/// # use std::sync::Arc;
/// # use dnsbld::watch::{WatchOptions, Watched, Watcher};
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("list");
/// let watcher = Watcher::start(WatchOptions::default(), Arc::new(Log))?;
/// watcher.set_files(vec![Watched { path: path.clone(), loaded: None }]);
/// std::fs::write(&path, "1.2.3.4\n")?;
/// let changes = watcher.changes().await;
/// assert_eq!(changes[0].path, path);
/// assert!(matches!(changes[0].state, FileState::File(identity) if identity.size == 8));
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Watcher {
    commands: Arc<CommandQueue>,
    reports: Arc<ReportQueue>,
}

impl Watcher {
    /// Starts the watcher's thread, without files. Fails if the system gives no thread.
    pub fn start(options: WatchOptions, sink: Arc<dyn EventSink>) -> io::Result<Self> {
        let (commands, reports) =
            (Arc::new(CommandQueue::default()), Arc::new(ReportQueue::default()));
        let mut worker = WatchLoop {
            poll: options.poll.max(Duration::from_millis(10)),
            timing: Timing { quiet: options.quiet, quiet_while_open: options.quiet_while_open },
            events: options.events,
            sink,
            commands: commands.clone(),
            reports: reports.clone(),
            files: BTreeMap::new(),
            folders: None,
            try_again: None,
            paths_changed: false,
        };
        let told = Event::thread_panicked(&worker.sink, "watch");
        std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || keep_at(told, || worker.run()))?;
        Ok(Self { commands, reports })
    }

    /// Replaces the set of files. A file that is watched already keeps its state; `loaded` counts
    /// for new ones only.
    pub fn set_files(&self, files: Vec<Watched>) {
        self.reports.set_files(&files);
        self.commands.set_files(files);
    }

    /// Asks for a report of this file as soon as it is stable, changed or not: after a read that was
    /// [torn](crate::source::Cause::Torn), or of a version other than the [last stable](Self::last_stable).
    pub fn recheck(&self, path: &Path) {
        self.commands.recheck(path.to_owned());
    }

    /// Like [`recheck`](Self::recheck), for a file that was taken to be appended to and no longer begins with
    /// what was read of it before.
    pub fn recheck_rewritten(&self, path: &Path) {
        self.commands.recheck_rewritten(path.to_owned());
    }

    /// Looks at all files now, before the next poll is due. A file that is being written is still waited
    /// for, unless its writer seems to append.
    pub fn look_now(&self) {
        self.commands.look_now();
    }

    /// The last stable version of a file, or the one that was loaded: the only version that is known to be
    /// whole, unless the file is being [appended to](Stable::appending). [`FileState::Vanished`] if there was
    /// none yet; `None` for a file that is not watched.
    pub fn last_stable(&self, path: &Path) -> Option<Stable> {
        self.reports.last_stable(path)
    }

    /// True if all that was asked of the watcher is done, no file is waited for to become stable, and all
    /// changes were taken and [dealt with](Self::done).
    pub fn is_at_rest(&self) -> bool {
        // In this order: a report comes before the rest.
        self.commands.is_at_rest() && self.reports.is_empty()
    }

    /// Says that the changes of one call of [`changes`](Self::changes) were dealt with.
    pub fn done(&self) {
        self.reports.done();
    }

    /// Waits for changes and takes them: each file at most once, with what it shows last. An
    /// absence is reported once, and so is the return. For one task at a time; cancel safe.
    pub async fn changes(&self) -> Vec<FileChange> {
        self.reports.take().await
    }
}

impl Drop for Watcher {
    /// Does not wait for the thread: it may hang in a look at a network file system.
    fn drop(&mut self) {
        self.commands.close();
    }
}

/// One file as the thread knows it.
struct File {
    stability: Stability,
    resolved: ResolvedPath,
    /// When to look next, if that is before the next poll.
    due: Option<Instant>,
    /// What was seen last.
    state: Option<FileState>,
}

/// The thread's own state.
struct WatchLoop {
    poll: Duration,
    timing: Timing,
    events: bool,
    sink: Arc<dyn EventSink>,
    commands: Arc<CommandQueue>,
    reports: Arc<ReportQueue>,
    files: BTreeMap<PathBuf, File>,
    folders: Option<FolderWatches>,
    /// Set while some folder could not be watched.
    try_again: Option<Instant>,
    /// The way to a file leads through other folders than before: those are to be watched.
    paths_changed: bool,
}

impl WatchLoop {
    fn run(&mut self) {
        let mut next_poll = Instant::now();
        loop {
            let due = self.files.values().filter_map(|file| file.due).fold(next_poll, Instant::min);
            let Some(batch) = self.commands.wait(due) else { return };
            let woken = !batch.events.is_empty();
            self.take(batch);

            let now = Instant::now();
            let poll = now >= next_poll;
            if poll {
                next_poll = now + self.poll;
            }
            self.look(poll);
            self.commands.set_at_rest(self.files.values().all(|file| file.due.is_none()));
            if poll && self.folders.as_ref().is_some_and(|folders| !folders.is_alive()) {
                self.paths_changed |= self.try_again.is_none();
            }
            if self.paths_changed || self.try_again.is_some_and(|again| now >= again) {
                self.watch_folders();
            }
            if woken {
                std::thread::sleep(MIN_PAUSE);
            }
        }
    }

    /// Takes in what has happened.
    fn take(&mut self, batch: Commands) {
        let now = Instant::now();
        if let Some(files) = batch.files {
            self.set_files(now, files);
        }
        for path in batch.recheck {
            if let Some(file) = self.files.get_mut(&path) {
                file.stability.want();
                file.due = Some(now);
            }
        }
        for path in batch.rewritten {
            if let Some(file) = self.files.get_mut(&path) {
                file.stability.rewritten();
                file.due = Some(now);
            }
        }
        for (name, events) in batch.events {
            if events.replaced
                && let Some(folders) = &mut self.folders
            {
                self.paths_changed |= folders.forget(&name);
            }
            self.note_events(now, events, |resolved| {
                resolved.names.contains(&name) || resolved.folders.contains(&name)
            });
        }
        if batch.lost {
            self.note_events(now, FileEvent::Unknown.into(), |_| true);
        }
        if batch.look {
            for file in self.files.values_mut() {
                file.stability.ask();
                file.due = Some(now);
            }
        }
    }

    fn set_files(&mut self, now: Instant, files: Vec<Watched>) {
        let mut known = std::mem::take(&mut self.files);
        for Watched { path, loaded } in files {
            let file = known.remove(&path).unwrap_or_else(|| File {
                stability: Stability::new(now, loaded.map(FileState::File)),
                resolved: ResolvedPath::of(&path),
                due: Some(now),
                state: None,
            });
            self.files.insert(path, file);
        }
        self.paths_changed = true;
    }

    fn note_events(
        &mut self,
        now: Instant,
        events: FileEvents,
        concerns: impl Fn(&ResolvedPath) -> bool,
    ) {
        for (path, file) in &mut self.files {
            if concerns(&file.resolved) {
                file.stability.note_events(now, events);
                file.due = Some(now);
                if events.replaced {
                    let resolved = ResolvedPath::of(path);
                    self.paths_changed |= resolved != file.resolved;
                    file.resolved = resolved;
                }
            }
        }
    }

    /// Looks at the files that are due, or at all of them.
    fn look(&mut self, all: bool) {
        for (path, file) in &mut self.files {
            if !all && file.due.is_none_or(|due| due > Instant::now()) {
                continue;
            }
            let state = FileState::of(path);
            let now = Instant::now();
            if file.state.is_some_and(|before| !state.is_same_file(&before)) {
                // Perhaps through the same folders: a file system may have been mounted over one.
                file.resolved = ResolvedPath::of(path);
                self.paths_changed = true;
            }
            file.state = Some(state);
            file.due = match file.stability.look(now, state, &self.timing) {
                Observation::Unchanged => None,
                Observation::Wait(until) => Some(until),
                Observation::KeepsChanging(until) => {
                    let (file, time) = (path.clone(), self.timing.quiet_while_open);
                    self.sink.emit(&Event::FileKeepsChanging { file, time });
                    Some(until)
                }
                Observation::Stable(state) => {
                    self.reports.report(path, Stable { state, appending: false });
                    None
                }
                Observation::Appending(state) => {
                    self.reports.report(path, Stable { state, appending: true });
                    Some(now + self.timing.quiet)
                }
            };
        }
    }

    /// Watches the folders through which the paths of all files lead, and no others.
    fn watch_folders(&mut self) {
        self.paths_changed = false;
        if !self.events {
            return;
        }
        let paths = || self.files.values().map(|file| &file.resolved);
        let wanted: BTreeSet<PathBuf> = paths().flat_map(|r| &r.folders).cloned().collect();
        let names = paths().flat_map(|r| r.names.iter().chain(&r.folders)).cloned().collect();
        self.commands.listen_for(names);

        let failed = match self.folders() {
            Ok(folders) => folders.watch(&wanted).err(),
            Err(error) => Some(error),
        };
        match failed {
            None => {
                if self.try_again.take().is_some() {
                    self.sink.emit(&Event::FoldersWatched);
                }
            }
            Some(error) => {
                if self.try_again.is_none() {
                    let (fault, reason) = (fault(&error), error.to_string());
                    self.sink.emit(&Event::FoldersNotWatched { fault, reason, poll: self.poll });
                }
                self.try_again = Some(Instant::now() + RETRY_WATCH);
            }
        }
    }

    fn folders(&mut self) -> notify::Result<&mut FolderWatches> {
        let folders = match self.folders.take().filter(FolderWatches::is_alive) {
            Some(folders) => folders,
            None => {
                let commands = self.commands.clone();
                FolderWatches::new(Box::new(move |path, event| commands.note_event(path, event)))?
            }
        };
        Ok(self.folders.insert(folders))
    }
}

/// Why the system's events cannot be had.
fn fault(error: &notify::Error) -> WatchFault {
    let code = match &error.kind {
        ErrorKind::MaxFilesWatch => return WatchFault::Watches,
        ErrorKind::PathNotFound => return WatchFault::Absent,
        ErrorKind::Io(error) => error.raw_os_error(),
        _ => None,
    };
    match code {
        Some(libc::ENOSPC) => WatchFault::Watches,
        Some(libc::EMFILE) => WatchFault::Instances,
        Some(libc::EACCES | libc::EPERM) => WatchFault::Forbidden,
        _ => WatchFault::Other,
    }
}

#[cfg(test)]
mod tests;
