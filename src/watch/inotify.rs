//! Events of folders, from `notify` (inotify on Linux), translated into what they mean for a file.
//!
//! Events only make the watcher look sooner, and tell whether a writer is still at work; the
//! stat poll beside them finds every change too. So whatever cannot be watched is no error.

use super::stability::FileEvent;
use crate::util::cancel::{CancelSource, CancelToken};
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Called for each event that may mean something, on a thread of its own.
pub(super) type OnEvent = dyn Fn(Option<&Path>, FileEvent) + Send + Sync;

/// The folders that are being watched.
pub(super) struct FolderWatches {
    /// `None` once it was found that its thread has ended.
    watcher: Option<RecommendedWatcher>,
    /// Cancelled when the thread ends.
    thread: CancelToken,
    /// By path, the device and inode that was watched under it.
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

impl FolderWatches {
    /// Fails if the system gives no more event queues (`fs.inotify.max_user_instances`), or no thread.
    pub(super) fn new(on_event: Box<OnEvent>) -> notify::Result<Self> {
        let of_thread = CancelSource::default();
        let thread = of_thread.token();
        let watcher = notify::recommended_watcher(move |event| {
            let _held = &of_thread;
            match event {
                Ok(event) => translate(&event, &on_event),
                Err(_) => on_event(None, FileEvent::Unknown),
            }
        })?;
        let mut watches = Self { watcher: Some(watcher), thread, watched: BTreeMap::new() };
        // It does not say whether it got its thread.
        watches.call(|_| ())?;
        Ok(watches)
    }

    /// Watches these folders and no others. A folder that is now another one is watched anew.
    /// On errors the rest is watched all the same, and the first error is returned.
    pub(super) fn watch(&mut self, wanted: &BTreeSet<PathBuf>) -> notify::Result<()> {
        let mut result = Ok(());
        let gone: Vec<PathBuf> =
            self.watched.keys().filter(|folder| !wanted.contains(*folder)).cloned().collect();
        for folder in gone {
            self.forget(&folder);
        }
        for folder in wanted {
            // It vanished since its path was resolved: the next look at the file resolves it again.
            let Ok(metadata) = std::fs::metadata(folder) else { continue };
            let identity = (metadata.dev(), metadata.ino());
            if self.watched.get(folder) == Some(&identity) {
                continue;
            }
            self.forget(folder);
            match self.call(|watcher| watcher.watch(folder, RecursiveMode::NonRecursive)) {
                Ok(Ok(())) => {
                    self.watched.insert(folder.clone(), identity);
                }
                Ok(Err(error)) | Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    /// Ends the watch on a folder that was removed or renamed, and says whether there was one.
    pub(super) fn forget(&mut self, folder: &Path) -> bool {
        let watched = self.watched.remove(folder).is_some();
        if watched {
            // An error says that the folder, and the watch with it, are gone already.
            let _ = self.call(|watcher| watcher.unwatch(folder));
        }
        watched
    }

    /// True while events can come.
    pub(super) fn is_alive(&self) -> bool {
        !self.thread.is_cancelled()
    }

    /// Calls the library. Without its thread (the system gave none, or it has ended by a panic) it panics
    /// at each call, and when it is dropped.
    fn call<T>(&mut self, work: impl FnOnce(&mut RecommendedWatcher) -> T) -> notify::Result<T> {
        let ended = || notify::Error::io(io::Error::other("the thread of the events has ended"));
        let mut watcher = self.watcher.take().ok_or_else(ended)?;
        let done = match self.thread.is_cancelled() {
            false => catch_unwind(AssertUnwindSafe(|| work(&mut watcher))).ok(),
            true => None,
        };
        match done {
            Some(_) => self.watcher = Some(watcher),
            None => std::mem::forget(watcher),
        }
        done.ok_or_else(ended)
    }
}

impl Drop for FolderWatches {
    fn drop(&mut self) {
        // Forgets the watcher if its thread has ended.
        let _ = self.call(|_| ());
    }
}

fn translate(event: &Event, on_event: &OnEvent) {
    if event.need_rescan() {
        on_event(None, FileEvent::Unknown);
    }
    let change = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => FileEvent::Closed,
        EventKind::Modify(ModifyKind::Data(_)) => FileEvent::Written,
        // Both ends of a rename are told separately too.
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return,
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => FileEvent::Renamed,
        EventKind::Modify(ModifyKind::Metadata(_)) => FileEvent::Attributes,
        _ => FileEvent::Replaced,
    };
    for path in &event.paths {
        on_event(Some(path), change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// Regression: without the thread of the events, the next folder to watch ended the process.
    #[test]
    fn a_thread_of_events_that_has_ended_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let (told, events) = channel();
        let on_event = move |_: Option<&Path>, _: FileEvent| {
            let _ = told.send(());
            panic!("a test of what ends the thread");
        };
        let mut watches = FolderWatches::new(Box::new(on_event)).unwrap();
        let wanted = BTreeSet::from([folder.path().to_owned()]);
        watches.watch(&wanted).unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        events.recv().unwrap();
        // The other end hangs up when the thread has ended.
        assert!(events.recv().is_err());
        let other = tempfile::tempdir().unwrap();
        let error = watches.watch(&BTreeSet::from([other.path().to_owned()])).unwrap_err();
        assert!(error.to_string().contains("has ended") && !watches.is_alive(), "{error}");
        assert!(watches.watch(&wanted).is_err());
    }
}
