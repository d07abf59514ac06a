//! Events of folders, from `notify` (inotify on Linux), translated into what they mean for a file.
//!
//! Events only make the watcher look sooner, and tell whether a writer is still at work; the
//! stat poll beside them finds every change too. So whatever cannot be watched is no error.

use super::stability::FileEvent;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Called for each event that may mean something, on a thread of its own.
pub(super) type OnEvent = dyn Fn(Option<&Path>, FileEvent) + Send + Sync;

/// The folders that are being watched.
pub(super) struct FolderWatches {
    watcher: RecommendedWatcher,
    /// By path, the device and inode that was watched under it.
    watched: BTreeMap<PathBuf, (u64, u64)>,
}

impl FolderWatches {
    /// Fails if the system gives no more event queues (`fs.inotify.max_user_instances`).
    pub(super) fn new(on_event: Box<OnEvent>) -> notify::Result<Self> {
        let watcher = notify::recommended_watcher(move |event| match event {
            Ok(event) => translate(&event, &on_event),
            Err(_) => on_event(None, FileEvent::Unknown),
        })?;
        Ok(Self { watcher, watched: BTreeMap::new() })
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
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder.clone(), identity);
                }
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    /// Ends the watch on a folder that was removed or renamed, and says whether there was one.
    pub(super) fn forget(&mut self, folder: &Path) -> bool {
        let watched = self.watched.remove(folder).is_some();
        if watched {
            // An error says that the folder, and the watch with it, are gone already.
            let _ = self.watcher.unwatch(folder);
        }
        watched
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
        EventKind::Modify(ModifyKind::Metadata(_)) => FileEvent::Attributes,
        _ => FileEvent::Replaced,
    };
    for path in &event.paths {
        on_event(Some(path), change);
    }
}
