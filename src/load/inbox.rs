//! What the watcher's thread is told, by events and by its owner. Its size is bounded by the
//! number of names that matter, however long the thread is busy.

use super::settle::{Touch, Touches};
use super::watch::Watched;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// All that came in since the last time.
#[derive(Default)]
pub(super) struct Mail {
    /// The events, by name.
    pub(super) touches: BTreeMap<PathBuf, Touches>,
    /// Events were lost.
    pub(super) lost: bool,
    /// The new set of files.
    pub(super) files: Option<Vec<Watched>>,
    /// The files to report again.
    pub(super) recheck: Vec<PathBuf>,
    /// The files that do not begin with what was reported.
    pub(super) anew: Vec<PathBuf>,
    /// All files are to be looked at now.
    pub(super) look: bool,
}

impl Mail {
    fn is_empty(&self) -> bool {
        let Self { touches, lost, files, recheck, anew, look } = self;
        let are_left = recheck.is_empty() && anew.is_empty();
        touches.is_empty() && !lost && files.is_none() && are_left && !look
    }
}

#[derive(Default)]
struct State {
    mail: Mail,
    names: HashSet<PathBuf>,
    closed: bool,
}

/// The inbox of the watcher's thread.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    filled: Condvar,
}

impl Inbox {
    /// Waits for mail, but not beyond `until`. `None` when the inbox was closed.
    pub(super) fn wait(&self, until: Instant) -> Option<Mail> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !state.mail.is_empty() {
                return Some(std::mem::take(&mut state.mail));
            }
            let waited = self.filled.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Says which names matter; events of others are dropped.
    pub(super) fn listen_for(&self, names: HashSet<PathBuf>) {
        self.lock().names = names;
    }

    /// Takes note of an event; without a path, of events that were lost.
    pub(super) fn touch(&self, path: Option<&Path>, touch: Touch) {
        let mut state = self.lock();
        let Some(path) = path else {
            state.mail.lost = true;
            self.filled.notify_one();
            return;
        };
        if !state.names.contains(path) {
            return;
        }
        match state.mail.touches.get_mut(path) {
            Some(touches) => touches.add(touch),
            None => {
                state.mail.touches.insert(path.to_owned(), touch.into());
            }
        }
        self.filled.notify_one();
    }

    /// Hands over a new set of files; a set that was not taken yet is forgotten.
    pub(super) fn set_files(&self, files: Vec<Watched>) {
        self.lock().mail.files = Some(files);
        self.filled.notify_one();
    }

    /// Asks for a file to be reported again.
    pub(super) fn recheck(&self, path: PathBuf) {
        let mut state = self.lock();
        if !state.mail.recheck.contains(&path) {
            state.mail.recheck.push(path);
        }
        self.filled.notify_one();
    }

    /// Asks for a file to be reported when it is at rest, and not before.
    pub(super) fn begin_anew(&self, path: PathBuf) {
        self.lock().mail.anew.push(path);
        self.filled.notify_one();
    }

    /// Asks for a look at all files.
    pub(super) fn look_now(&self) {
        self.lock().mail.look = true;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn events_of_one_name_are_kept_in_brief_and_others_dropped() {
        let inbox = Inbox::default();
        inbox.listen_for(HashSet::from(["/m/list".into()]));
        for touch in [Touch::Replaced, Touch::Written, Touch::Closed, Touch::Attributes] {
            inbox.touch(Some(Path::new("/m/list")), touch);
            inbox.touch(Some(Path::new("/m/.list.x1y2z3")), touch);
        }
        let mail = inbox.wait(Instant::now() + Duration::from_secs(60)).unwrap();
        let mut touches = Touches::from(Touch::Replaced);
        touches.add(Touch::Written);
        touches.add(Touch::Closed);
        assert_eq!(mail.touches, BTreeMap::from([("/m/list".into(), touches)]));
        assert!(!mail.lost);
        assert!(inbox.wait(Instant::now()).unwrap().is_empty());
    }

    #[test]
    fn lost_events_wake_and_a_closed_inbox_ends_the_wait() {
        let inbox = Inbox::default();
        inbox.touch(None, Touch::Unknown);
        assert!(inbox.wait(Instant::now() + Duration::from_secs(60)).unwrap().lost);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| inbox.wait(Instant::now() + Duration::from_secs(60)));
            inbox.close();
            assert!(waiting.join().unwrap().is_none());
        });
    }
}
