//! Watching the files of all datasets: which have changed *and are stable again*.
//!
//! - [`Watcher`] has one thread, which looks at each file and reports what changed.
//! - `stability` decides, from what the thread sees and when, whether a file is stable (a debounce).
//! - `queue` carries commands and events to the thread, and its reports back.
//! - `inotify` makes the thread look sooner; `path` finds the folders in which that matters.
//!
//! Nothing here reads a file.

mod inotify;
mod path;
mod queue;
mod stability;
mod watcher;

pub use watcher::Watcher;

use crate::source::{FileState, Identity};
use std::path::PathBuf;
use std::time::Duration;

/// How to watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WatchOptions {
    /// The time between two looks at an unchanged file.
    pub poll: Duration,
    /// How long a file must stay unchanged to be reported. An absence must last five times as long, an
    /// empty file three times.
    pub quiet: Duration,
    /// How long a file must stay unchanged while a writer has it open. Also the time after which the log
    /// reports that a file keeps changing.
    pub quiet_while_open: Duration,
    /// Use the system's events beside the poll.
    pub events: bool,
}

impl Default for WatchOptions {
    /// A look per second, 200 ms of quiet, 30 s while a writer has the file open, with events.
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            quiet: Duration::from_millis(200),
            quiet_while_open: Duration::from_secs(30),
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
    /// [`ReadReport::identity`](crate::source::ReadReport::identity): anything else is reported. `None`
    /// for nothing: whatever is there is reported.
    pub loaded: Option<Identity>,
}

/// A file that has changed and is stable again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileChange {
    /// The file, as given to [`Watcher::set_files`].
    pub path: PathBuf,
    /// What is there now.
    pub state: FileState,
}
