//! Watching the files of all datasets: says which have changed *and come to rest*.
//!
//! One thread looks at each file with one `stat` per second and compares what it sees with what
//! it last reported. Events of the folders (see [`folders`](super::folders)) make it look sooner
//! and tell whether a writer still has the file open; they are a help, not a need, so network
//! file systems, lost events and exhausted limits only cost the time until the next look.
//!
//! One thread serves all files: if a mirror lies on a network file system whose server is gone,
//! a look at it may hang, and with it the watching (not the answering) until the server is back.

use super::folders::Folders;
use super::identity::{Identity, Rest, Sight};
use super::inbox::{Inbox, Mail};
use super::route::Route;
use super::settle::{Pace, Settle, Touch, Touches, Verdict};
use notify::ErrorKind;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tracing::{info, warn};

/// The least time between two rounds that events caused: what many small writes may cost.
const BREATH: Duration = Duration::from_millis(20);

/// How often folders that could not be watched are tried again.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// How to watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchOptions {
    /// The time between two looks at a file at rest.
    pub poll: Duration,
    /// How long a file must have been at rest to be reported. An absence, and a file without a
    /// byte, must last five times as long.
    pub quiet: Duration,
    /// How long a file must have been at rest if somebody has written to it and not closed it.
    /// Also the time after which an unfinished change is remarked upon in the log.
    pub patience: Duration,
    /// Use the system's events beside the poll.
    pub events: bool,
}

impl Default for WatchOptions {
    /// A look per second, 200 ms of quiet, 30 s of patience, with events.
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            quiet: Duration::from_millis(200),
            patience: Duration::from_secs(30),
            events: true,
        }
    }
}

/// A file to watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watched {
    /// The file, as the configuration names it.
    pub path: PathBuf,
    /// The identity of the version that was loaded, from
    /// [`ReadReport::identity`](super::ReadReport::identity): anything else is reported. `None`
    /// for nothing: whatever is there is reported.
    pub loaded: Option<Identity>,
}

/// A file that has changed and come to rest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The file, as given to [`Watcher::set_files`].
    pub path: PathBuf,
    /// What is there now.
    pub sight: Sight,
}

/// Watches a set of files until it is dropped.
///
/// ```
/// # use dnsbld::load::{Sight, WatchOptions, Watched, Watcher};
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("list");
/// let watcher = Watcher::start(WatchOptions::default())?;
/// watcher.set_files(vec![Watched { path: path.clone(), loaded: None }]);
/// std::fs::write(&path, "1.2.3.4\n")?;
/// let changes = watcher.changes().await;
/// assert_eq!(changes[0].path, path);
/// assert!(matches!(changes[0].sight, Sight::File(identity) if identity.size == 8));
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Watcher {
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
}

impl Watcher {
    /// Starts the watcher's thread, without files. Fails if the system gives no thread.
    pub fn start(options: WatchOptions) -> io::Result<Self> {
        let (inbox, outbox) = (Arc::new(Inbox::default()), Arc::new(Outbox::default()));
        let round = Round {
            poll: options.poll.max(Duration::from_millis(10)),
            pace: Pace { quiet: options.quiet, patience: options.patience },
            events: options.events,
            inbox: inbox.clone(),
            outbox: outbox.clone(),
            files: BTreeMap::new(),
            folders: None,
            try_again: None,
            rerouted: false,
        };
        std::thread::Builder::new().name("watch".to_owned()).spawn(|| round.run())?;
        Ok(Self { inbox, outbox })
    }

    /// Replaces the set of files. A file that is watched already keeps its state; `loaded` counts
    /// for new ones only.
    pub fn set_files(&self, files: Vec<Watched>) {
        self.outbox.set_files(&files);
        self.inbox.set_files(files);
    }

    /// Asks for a report of this file as soon as it is at rest, changed or not: after a read that
    /// was [torn](super::Cause::Torn), or of a version that was not [at rest](Self::at_rest).
    pub fn recheck(&self, path: &Path) {
        self.inbox.recheck(path.to_owned());
    }

    /// The same of a file that was taken to grow, and does not begin with what was read of it before.
    pub fn begin_anew(&self, path: &Path) {
        self.inbox.begin_anew(path.to_owned());
    }

    /// Looks at all files now, without waiting for the next poll. A writer that is at work is
    /// still waited for, unless it seems to append.
    pub fn look_now(&self) {
        self.inbox.look_now();
    }

    /// What a file showed when it last came to rest, or when it was loaded: the one version of it
    /// that is known to be whole, unless it [grows](Rest::grows). [`Sight::Vanished`] if there was none yet; `None` for a file
    /// that is not watched.
    pub fn at_rest(&self, path: &Path) -> Option<Rest> {
        self.outbox.lock().rest.get(path).copied()
    }

    /// Waits for changes and takes them: each file at most once, with what it shows last. An
    /// absence is reported once, and so is the return. For one task at a time; cancel safe.
    pub async fn changes(&self) -> Vec<Change> {
        loop {
            let changes = std::mem::take(&mut self.outbox.lock().changes);
            if !changes.is_empty() {
                let change = |(path, sight)| Change { path, sight };
                return changes.into_iter().map(change).collect();
            }
            self.outbox.filled.notified().await;
        }
    }
}

impl Drop for Watcher {
    /// Does not wait for the thread: it may hang in a look at a network file system.
    fn drop(&mut self) {
        self.inbox.close();
    }
}

#[derive(Default)]
struct Outbox {
    board: Mutex<Board>,
    filled: Notify,
}

#[derive(Default)]
struct Board {
    /// What is reported and not yet taken; by file, so that a slow reader costs no memory.
    changes: BTreeMap<PathBuf, Sight>,
    /// What each watched file showed when it last came to rest.
    rest: BTreeMap<PathBuf, Rest>,
}

impl Outbox {
    fn set_files(&self, files: &[Watched]) {
        let mut board = self.lock();
        let mut known = std::mem::take(&mut board.rest);
        for Watched { path, loaded } in files {
            let rest = known.remove(path);
            let sight = loaded.map_or(Sight::Vanished, Sight::File);
            let rest = rest.unwrap_or(Rest { sight, grows: false });
            board.rest.insert(path.clone(), rest);
        }
        let Board { changes, rest } = &mut *board;
        changes.retain(|path, _| rest.contains_key(path));
    }

    fn report(&self, path: &Path, now: Rest) {
        let mut board = self.lock();
        // The owner may have dropped the file while the thread looked at it.
        let Some(rest) = board.rest.get_mut(path) else { return };
        *rest = now;
        board.changes.insert(path.to_owned(), now.sight);
        drop(board);
        self.filled.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One file as the thread knows it.
struct File {
    settle: Settle,
    route: Route,
    /// When to look next, if that is before the next poll.
    due: Option<Instant>,
    /// What was seen last.
    sight: Option<Sight>,
}

/// The thread's own state.
struct Round {
    poll: Duration,
    pace: Pace,
    events: bool,
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
    files: BTreeMap<PathBuf, File>,
    folders: Option<Folders>,
    /// Set while some folder could not be watched.
    try_again: Option<Instant>,
    /// A way has changed: the folders must be told.
    rerouted: bool,
}

impl Round {
    fn run(mut self) {
        let mut next_poll = Instant::now();
        loop {
            let due = self.files.values().filter_map(|file| file.due).fold(next_poll, Instant::min);
            let Some(mail) = self.inbox.wait(due) else { return };
            let woken = !mail.touches.is_empty();
            self.take(mail);

            let now = Instant::now();
            let poll = now >= next_poll;
            if poll {
                next_poll = now + self.poll;
            }
            self.look(poll);
            if self.rerouted || self.try_again.is_some_and(|again| now >= again) {
                self.watch_folders();
            }
            if woken {
                std::thread::sleep(BREATH);
            }
        }
    }

    /// Takes in what has happened.
    fn take(&mut self, mail: Mail) {
        let now = Instant::now();
        if let Some(files) = mail.files {
            self.set_files(now, files);
        }
        for path in mail.recheck {
            if let Some(file) = self.files.get_mut(&path) {
                file.settle.want();
                file.due = Some(now);
            }
        }
        for path in mail.anew {
            if let Some(file) = self.files.get_mut(&path) {
                file.settle.begin_anew();
                file.due = Some(now);
            }
        }
        for (name, touches) in mail.touches {
            if touches.replaced
                && let Some(folders) = &mut self.folders
            {
                self.rerouted |= folders.forget(&name);
            }
            self.touch(now, touches, |route| {
                route.names.contains(&name) || route.folders.contains(&name)
            });
        }
        if mail.lost {
            self.touch(now, Touch::Unknown.into(), |_| true);
        }
        if mail.look {
            for file in self.files.values_mut() {
                file.settle.ask();
                file.due = Some(now);
            }
        }
    }

    fn set_files(&mut self, now: Instant, files: Vec<Watched>) {
        let mut known = std::mem::take(&mut self.files);
        for Watched { path, loaded } in files {
            let file = known.remove(&path).unwrap_or_else(|| File {
                settle: Settle::new(now, loaded.map(Sight::File)),
                route: Route::to(&path),
                due: Some(now),
                sight: None,
            });
            self.files.insert(path, file);
        }
        self.rerouted = true;
    }

    fn touch(&mut self, now: Instant, touches: Touches, concerns: impl Fn(&Route) -> bool) {
        for (path, file) in &mut self.files {
            if concerns(&file.route) {
                file.settle.touch(now, touches);
                file.due = Some(now);
                if touches.replaced {
                    let route = Route::to(path);
                    self.rerouted |= route != file.route;
                    file.route = route;
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
            let sight = Sight::of(path);
            let now = Instant::now();
            if file.sight.is_some_and(|before| !sight.is_same_file(&before)) {
                // Even on the same way: a file system may have been mounted over a folder.
                file.route = Route::to(path);
                self.rerouted = true;
            }
            file.sight = Some(sight);
            file.due = match file.settle.look(now, sight, &self.pace) {
                Verdict::Still => None,
                Verdict::Wait(until) => Some(until),
                Verdict::Restless(until) => {
                    warn!(
                        "{}: has kept changing for {} s and is not loaded before it has been at \
                         rest; if this stays, check what writes to it",
                        path.display(),
                        self.pace.patience.as_secs()
                    );
                    Some(until)
                }
                Verdict::Settled(sight) => {
                    self.outbox.report(path, Rest { sight, grows: false });
                    None
                }
                Verdict::Growing(sight) => {
                    self.outbox.report(path, Rest { sight, grows: true });
                    Some(now + self.pace.quiet)
                }
            };
        }
    }

    /// Watches the folders on the ways to all files, and only those.
    fn watch_folders(&mut self) {
        self.rerouted = false;
        if !self.events {
            return;
        }
        let routes = || self.files.values().map(|file| &file.route);
        let wanted: BTreeSet<PathBuf> = routes().flat_map(|r| &r.folders).cloned().collect();
        let names = routes().flat_map(|r| r.names.iter().chain(&r.folders)).cloned().collect();
        self.inbox.listen_for(names);

        let failed = match self.folders() {
            Ok(folders) => folders.watch(&wanted).err(),
            Err(error) => Some(error),
        };
        match failed {
            None => {
                if self.try_again.take().is_some() {
                    info!("all folders are watched by events again");
                }
            }
            Some(error) => {
                if self.try_again.is_none() {
                    warn!(
                        "not all folders can be watched by events ({error}); changes are found by \
                         a look every {:?} instead{}",
                        self.poll,
                        remedy(&error)
                    );
                }
                self.try_again = Some(Instant::now() + TRY_AGAIN);
            }
        }
    }

    fn folders(&mut self) -> notify::Result<&mut Folders> {
        let folders = match self.folders.take() {
            Some(folders) => folders,
            None => {
                let inbox = self.inbox.clone();
                Folders::new(Box::new(move |path, touch| inbox.touch(path, touch)))?
            }
        };
        Ok(self.folders.insert(folders))
    }
}

/// What to do where the system's events cannot be had.
fn remedy(error: &notify::Error) -> &'static str {
    const WATCHES: &str = "; perhaps raise the sysctl fs.inotify.max_user_watches";
    let code = match &error.kind {
        ErrorKind::MaxFilesWatch => return WATCHES,
        ErrorKind::PathNotFound => return "; the folder is watched when it is there again",
        ErrorKind::Io(error) => error.raw_os_error(),
        _ => None,
    };
    match code {
        Some(libc::ENOSPC) => WATCHES,
        Some(libc::EMFILE) => {
            "; perhaps raise the sysctl fs.inotify.max_user_instances, or the limit of open files \
             (LimitNOFILE= of a systemd unit)"
        }
        Some(libc::EACCES | libc::EPERM) => {
            "; let the server's user read the folder and search every folder on the way to it"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests;
