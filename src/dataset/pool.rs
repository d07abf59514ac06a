//! Threads that build datasets, one per core.

use super::build;
use super::task::{Finished, Task};
use crate::event::{Event, EventSink};
use crate::util::allocator;
use crate::util::threads::{cores, keep_at, lower_priority};
use crate::util::time::unix_time;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use tokio::sync::mpsc::UnboundedSender;

/// What the threads do.
enum Job {
    Build(Task),
    /// Give back what builds have left in the heaps.
    Tidy,
}

/// The threads. They end, after the job they are at, when this is dropped.
pub(crate) struct Pool {
    jobs: mpsc::Sender<Job>,
    in_background: Arc<AtomicBool>,
}

impl Pool {
    /// Starts the threads; what they have done goes to `done`.
    pub(crate) fn start(
        done: UnboundedSender<Finished>,
        sink: &Arc<dyn EventSink>,
    ) -> std::io::Result<Self> {
        allocator::give_back_large_arrays();
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let in_background = Arc::new(AtomicBool::new(false));
        for _ in 0..cores() {
            let (queue, in_background, done) =
                (Arc::clone(&queue), Arc::clone(&in_background), done.clone());
            let told = Event::thread_panicked(sink, "load");
            let work = move || {
                loop {
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let task = match job {
                        Ok(Job::Build(task)) => task,
                        Ok(Job::Tidy) => {
                            allocator::give_back_the_rest();
                            continue;
                        }
                        Err(_) => return,
                    };
                    if done.send(run_apart(&task, in_background.load(Ordering::Relaxed))).is_err() {
                        return;
                    }
                }
            };
            thread::Builder::new().name("load".to_owned()).spawn(move || keep_at(told, work))?;
        }
        Ok(Self { jobs, in_background })
    }

    /// Has a dataset built.
    pub(crate) fn submit(&self, task: Task) {
        // The threads hold the other end for as long as the pool lives.
        let _ = self.jobs.send(Job::Build(task));
    }

    /// Has the system get the memory back that builds have left in the heaps.
    pub(crate) fn tidy(&self) {
        let _ = self.jobs.send(Job::Tidy);
    }

    /// Whether building may take all cores: there are several, and no queries are answered yet.
    pub(crate) fn uses_all_cores(&self) -> bool {
        cores() > 1 && !self.in_background.load(Ordering::Relaxed)
    }

    /// From now on, building gives way to answering.
    pub(crate) fn enter_background(&self) {
        self.in_background.store(true, Ordering::Relaxed);
    }
}

/// Builds on a thread of its own. What a thread has freed, glibc keeps for that thread while it
/// lives, and then for the next new one: threads that wait for work would hold the memory of
/// several builds.
fn run_apart(task: &Task, in_background: bool) -> Finished {
    let work = || {
        if in_background {
            lower_priority();
        }
        run(task)
    };
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("build".to_owned());
        builder.spawn_scoped(scope, work).ok().and_then(|thread| thread.join().ok())
    })
    .unwrap_or_else(|| run(task))
}

/// Builds; a panic of the parser or the builder is a fault of this dataset alone.
fn run(task: &Task) -> Finished {
    let mut events = Vec::new();
    let compiled = catch_unwind(AssertUnwindSafe(|| build::run(task, unix_time(), &mut events)));
    let (outcome, former) = compiled.unwrap_or_else(|_| (build::panicked(task), None));
    Finished { name: task.spec.name.clone(), token: task.token.clone(), outcome, former, events }
}
