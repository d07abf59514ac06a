//! The two queues of the watcher's thread: commands and events go in, reports come out. Their size is
//! bounded by the number of watched names, however long the thread or the taker is busy.

use super::stability::{FileEvent, FileEvents};
use super::{FileChange, Watched};
use crate::source::{FileState, Stable};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// All commands and events since the last batch.
#[derive(Default)]
pub(super) struct Commands {
    /// The events, by name.
    pub(super) events: BTreeMap<PathBuf, FileEvents>,
    /// Events were lost.
    pub(super) lost: bool,
    /// The new set of files.
    pub(super) files: Option<Vec<Watched>>,
    /// The files to report again.
    pub(super) recheck: Vec<PathBuf>,
    /// The files that no longer begin with what was reported.
    pub(super) rewritten: Vec<PathBuf>,
    /// All files are to be looked at now.
    pub(super) look: bool,
}

impl Commands {
    fn is_empty(&self) -> bool {
        let Self { events, lost, files, recheck, rewritten, look } = self;
        let are_left = recheck.is_empty() && rewritten.is_empty();
        events.is_empty() && !lost && files.is_none() && are_left && !look
    }
}

#[derive(Default)]
struct State {
    batch: Commands,
    names: HashSet<PathBuf>,
    /// All commands before this batch are done, and no file is waited for.
    at_rest: bool,
    closed: bool,
}

/// What the watcher's thread is to do.
#[derive(Default)]
pub(super) struct CommandQueue {
    state: Mutex<State>,
    filled: Condvar,
}

impl CommandQueue {
    /// Waits for batch, but not beyond `until`. `None` when the commands was closed.
    pub(super) fn wait(&self, until: Instant) -> Option<Commands> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !state.batch.is_empty() {
                state.at_rest = false;
                return Some(std::mem::take(&mut state.batch));
            }
            let waited = self.filled.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Says whether a file is waited for, now that the last batch is done.
    pub(super) fn set_at_rest(&self, at_rest: bool) {
        self.lock().at_rest = at_rest;
    }

    /// True if all commands are done, and no file is waited for.
    pub(super) fn is_at_rest(&self) -> bool {
        let state = self.lock();
        state.at_rest && state.batch.is_empty()
    }

    /// Says which names matter; events of others are dropped.
    pub(super) fn listen_for(&self, names: HashSet<PathBuf>) {
        self.lock().names = names;
    }

    /// Takes note of an event; without a path, of events that were lost.
    pub(super) fn note_event(&self, path: Option<&Path>, event: FileEvent) {
        let mut state = self.lock();
        let Some(path) = path else {
            state.batch.lost = true;
            self.filled.notify_one();
            return;
        };
        if !state.names.contains(path) {
            return;
        }
        match state.batch.events.get_mut(path) {
            Some(events) => events.add(event),
            None => {
                state.batch.events.insert(path.to_owned(), event.into());
            }
        }
        self.filled.notify_one();
    }

    /// Hands over a new set of files; a set that was not taken yet is forgotten.
    pub(super) fn set_files(&self, files: Vec<Watched>) {
        self.lock().batch.files = Some(files);
        self.filled.notify_one();
    }

    /// Asks for a file to be reported again.
    pub(super) fn recheck(&self, path: PathBuf) {
        let mut state = self.lock();
        if !state.batch.recheck.contains(&path) {
            state.batch.recheck.push(path);
        }
        self.filled.notify_one();
    }

    /// Asks for a file to be reported when it is stable, not while it is appended to.
    pub(super) fn recheck_rewritten(&self, path: PathBuf) {
        self.lock().batch.rewritten.push(path);
        self.filled.notify_one();
    }

    /// Asks for a look at all files.
    pub(super) fn look_now(&self) {
        self.lock().batch.look = true;
        self.filled.notify_one();
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread has to report.
#[derive(Default)]
pub(super) struct ReportQueue {
    reports: Mutex<Reports>,
    filled: Notify,
}

#[derive(Default)]
struct Reports {
    /// What is reported and not yet taken; by file, so that a slow reader costs no memory.
    changes: BTreeMap<PathBuf, FileState>,
    /// The last stable version of each watched file.
    last_stable: BTreeMap<PathBuf, Stable>,
    /// How often reports were taken and not dealt with yet.
    in_hand: usize,
}

impl ReportQueue {
    /// Replaces the set of files; forgets the reports of others.
    pub(super) fn set_files(&self, files: &[Watched]) {
        let mut reports = self.lock();
        let mut known = std::mem::take(&mut reports.last_stable);
        for Watched { path, loaded } in files {
            let stable = known.remove(path).unwrap_or_else(|| {
                let state = loaded.map_or(FileState::Vanished, FileState::File);
                Stable { state, appending: false }
            });
            reports.last_stable.insert(path.clone(), stable);
        }
        let Reports { changes, last_stable, .. } = &mut *reports;
        changes.retain(|path, _| last_stable.contains_key(path));
    }

    /// Reports what a file is now.
    pub(super) fn report(&self, path: &Path, now: Stable) {
        let mut reports = self.lock();
        // The owner may have dropped the file while the thread looked at it.
        let Some(stable) = reports.last_stable.get_mut(path) else { return };
        *stable = now;
        reports.changes.insert(path.to_owned(), now.state);
        drop(reports);
        self.filled.notify_one();
    }

    /// The last stable version of a file that is watched.
    pub(super) fn last_stable(&self, path: &Path) -> Option<Stable> {
        self.lock().last_stable.get(path).copied()
    }

    /// Waits for reports and takes them. For one task at a time; cancel safe.
    pub(super) async fn take(&self) -> Vec<FileChange> {
        loop {
            let changes = {
                let mut reports = self.lock();
                reports.in_hand += usize::from(!reports.changes.is_empty());
                std::mem::take(&mut reports.changes)
            };
            if !changes.is_empty() {
                let change = |(path, state)| FileChange { path, state };
                return changes.into_iter().map(change).collect();
            }
            self.filled.notified().await;
        }
    }

    /// Who took reports has dealt with those of one call of [`take`](Self::take).
    pub(super) fn done(&self) {
        let mut reports = self.lock();
        reports.in_hand = reports.in_hand.saturating_sub(1);
    }

    /// True if all reports were taken and dealt with.
    pub(super) fn is_empty(&self) -> bool {
        let reports = self.lock();
        reports.changes.is_empty() && reports.in_hand == 0
    }

    fn lock(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn events_of_one_name_are_kept_in_brief_and_others_dropped() {
        let commands = CommandQueue::default();
        commands.listen_for(HashSet::from(["/m/list".into()]));
        for event in
            [FileEvent::Replaced, FileEvent::Written, FileEvent::Closed, FileEvent::Attributes]
        {
            commands.note_event(Some(Path::new("/m/list")), event);
            commands.note_event(Some(Path::new("/m/.list.x1y2z3")), event);
        }
        let batch = commands.wait(Instant::now() + Duration::from_secs(60)).unwrap();
        let mut events = FileEvents::from(FileEvent::Replaced);
        events.add(FileEvent::Written);
        events.add(FileEvent::Closed);
        assert_eq!(batch.events, BTreeMap::from([("/m/list".into(), events)]));
        assert!(!batch.lost);
        assert!(commands.wait(Instant::now()).unwrap().is_empty());
    }

    #[test]
    fn lost_events_wake_and_a_closed_inbox_ends_the_wait() {
        let commands = CommandQueue::default();
        commands.note_event(None, FileEvent::Unknown);
        assert!(commands.wait(Instant::now() + Duration::from_secs(60)).unwrap().lost);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| commands.wait(Instant::now() + Duration::from_secs(60)));
            commands.close();
            assert!(waiting.join().unwrap().is_none());
        });
    }
}
