//! The thread that keeps files aside: refused ones, and the text that was accepted last.
//!
//! It has the lowest priority: nobody waits for it. Of each dataset, only the newest of what waits is kept.

use super::accepted::{self, AcceptedFiles};
use super::quarantine::{Quarantine, RefusedFiles, Room};
use crate::event::{Event, EventSink};
use crate::util::threads::{keep_at, lowest_priority};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

enum Job {
    Refused(RefusedFiles),
    Accepted(AcceptedFiles),
    Retain(Vec<String>),
}

/// The thread. It ends, after what it is at, when this is dropped.
pub(crate) struct Archive(mpsc::Sender<Job>);

impl Archive {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(crate) fn start(state_dir: &Path, sink: Arc<dyn EventSink>) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let told = Event::thread_panicked(&sink, "archive");
        let mut archivist = Archivist {
            state_dir: state_dir.to_owned(),
            quarantine: Quarantine::of(state_dir, Room::USUAL),
            sink,
            told: BTreeSet::new(),
        };
        thread::Builder::new().name("archive".to_owned()).spawn(move || {
            lowest_priority();
            keep_at(told, || archivist.run(&queue));
        })?;
        Ok(Self(jobs))
    }

    /// Has refused files kept aside.
    pub(crate) fn keep_refused(&self, files: RefusedFiles) {
        // The thread holds the other end for as long as this lives.
        let _ = self.0.send(Job::Refused(files));
    }

    /// Has the text of accepted files kept.
    pub(crate) fn keep_accepted(&self, files: AcceptedFiles) {
        let _ = self.0.send(Job::Accepted(files));
    }

    /// Has the accepted text of all other datasets removed.
    pub(crate) fn retain(&self, datasets: Vec<String>) {
        let _ = self.0.send(Job::Retain(datasets));
    }
}

/// The state of the thread.
struct Archivist {
    state_dir: PathBuf,
    quarantine: Quarantine,
    sink: Arc<dyn EventSink>,
    /// The datasets of which it was told that something cannot be kept.
    told: BTreeSet<String>,
}

/// What waits, the newest of each dataset.
#[derive(Default)]
struct Waiting {
    refused: BTreeMap<String, RefusedFiles>,
    accepted: BTreeMap<String, AcceptedFiles>,
    retained: Option<Vec<String>>,
}

impl Waiting {
    fn add(&mut self, job: Job) {
        match job {
            Job::Refused(files) => drop(self.refused.insert(files.dataset.clone(), files)),
            Job::Accepted(files) => drop(self.accepted.insert(files.dataset.clone(), files)),
            Job::Retain(datasets) => self.retained = Some(datasets),
        }
    }
}

impl Archivist {
    fn run(&mut self, queue: &mpsc::Receiver<Job>) {
        let mut waiting = Waiting::default();
        loop {
            queue.try_iter().for_each(|job| waiting.add(job));
            if let Some((_, files)) = waiting.refused.pop_first() {
                self.keep_refused(files);
            } else if let Some((_, files)) = waiting.accepted.pop_first() {
                self.keep_accepted(files);
            } else if let Some(datasets) = waiting.retained.take() {
                self.retain(datasets);
            } else {
                match queue.recv() {
                    Ok(job) => waiting.add(job),
                    Err(mpsc::RecvError) => return,
                }
            }
        }
    }

    fn keep_refused(&mut self, files: RefusedFiles) {
        let kept = self.quarantine.keep(&files);
        let folder = self.quarantine.folder(&files.dataset);
        for file in self.told_of(kept, files.dataset.clone(), folder).into_iter().flatten() {
            self.sink.emit(&Event::RefusedFileKept { dataset: files.dataset.clone(), file });
        }
    }

    fn keep_accepted(&mut self, files: AcceptedFiles) {
        let kept = accepted::keep(&self.state_dir, &files);
        self.told_of(kept, files.dataset, accepted::folder(&self.state_dir));
    }

    fn retain(&mut self, datasets: Vec<String>) {
        self.told.retain(|told| datasets.contains(told));
        if let Err(error) = accepted::retain(&self.state_dir, &datasets) {
            self.sink.emit(&Event::SnapshotsNotRemoved { error });
        }
    }

    /// Tells, once until it is over, that something of a dataset cannot be kept.
    fn told_of<T>(&mut self, kept: io::Result<T>, dataset: String, folder: PathBuf) -> Option<T> {
        match kept {
            Ok(kept) => {
                self.told.remove(&dataset);
                Some(kept)
            }
            Err(error) => {
                if self.told.insert(dataset.clone()) {
                    self.sink.emit(&Event::FileNotKept { dataset, folder, error });
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Cause, FileState, Problem, Version};
    use std::fs;
    use std::sync::Mutex;
    use std::time::Duration;

    /// Remembers the names of what it takes.
    #[derive(Default)]
    struct Names(Mutex<Vec<&'static str>>);

    impl EventSink for Names {
        fn emit(&self, event: &Event) {
            self.0.lock().unwrap().push(event.name());
        }
    }

    impl Names {
        fn wait(&self, count: usize) -> Vec<&'static str> {
            for _ in 0..500 {
                if self.0.lock().unwrap().len() >= count {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
            self.0.lock().unwrap().clone()
        }
    }

    #[test]
    fn a_fault_is_told_once_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let (state, names) = (folder.path().join("state"), Arc::new(Names::default()));
        // A file in place of the folder.
        fs::write(&state, "").unwrap();
        let archive = Archive::start(&state, Arc::clone(&names) as _).unwrap();
        let refused = |text: &str| {
            let path = folder.path().join(text);
            fs::write(&path, text).unwrap();
            let FileState::File(identity) = FileState::of(&path) else { panic!("no file") };
            let versions = vec![Version { path: path.clone(), identity, hash: None }];
            let problem = Problem { file: path, cause: Cause::Markup };
            archive.keep_refused(RefusedFiles {
                dataset: "bl".to_owned(),
                versions,
                problem,
                accept: None,
                time: 1000,
            });
        };
        refused("one");
        assert_eq!(names.wait(1), ["file-not-kept"]);
        refused("two");
        thread::sleep(Duration::from_millis(100));
        fs::remove_file(&state).unwrap();
        refused("three");
        assert_eq!(names.wait(2), ["file-not-kept", "refused-file-kept"]);
    }
}
