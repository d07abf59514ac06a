//! Answers that need files: on threads of their own, which give way to those that answer queries, few at once and for
//! a short time.

use crate::explain::check::Effort;
use crate::util::threads::lower_priority;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// What those who read may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ReadLimits {
    /// How many read at once.
    places: usize,
    /// How long a request waits for a place; then it is answered without what is in files.
    wait: Duration,
    /// How long one may read; what it has by then is told.
    time: Duration,
    /// How long it is waited for beyond that: a disk or a network folder may hang.
    grace: Duration,
}

impl Default for ReadLimits {
    fn default() -> Self {
        let [wait, time, grace] = [2, 2, 3].map(Duration::from_secs);
        Self { places: 2, wait, time, grace }
    }
}

/// The places for those who read.
#[derive(Clone)]
pub(super) struct Readers {
    places: Arc<Semaphore>,
    limits: ReadLimits,
}

impl Readers {
    pub(super) fn new(limits: ReadLimits) -> Self {
        Self { places: Arc::new(Semaphore::new(limits.places)), limits }
    }

    /// What `read` makes with the effort that it may take, or without one if no place becomes free. `None` if it
    /// takes too long, or if no thread can be started.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(Option<Effort>) -> T + Send + 'static,
    ) -> Option<T> {
        let ReadLimits { wait, time, grace, .. } = self.limits;
        let place = timeout(wait, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.ok().and_then(Result::ok);
        let (sender, made) = oneshot::channel();
        let work = move || {
            // With the lowest priority, a busy machine would tell nothing in time (decision 007).
            lower_priority();
            let until = Some(Instant::now() + time);
            let effort = place.is_some().then_some(Effort { until, threads: 1 });
            let made = read(effort);
            drop(place);
            // Whoever has asked may be gone.
            let _ = sender.send(made);
        };
        thread::Builder::new().name("page".to_owned()).spawn(work).ok()?;
        timeout(time + grace, made).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn who_finds_no_place_is_answered_without_and_who_hangs_is_not_waited_for() {
        let [wait, time, grace] = [50, 1000, 1000].map(Duration::from_millis);
        let readers = Readers::new(ReadLimits { places: 1, wait, time, grace });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let is_given = |effort: Option<Effort>| effort.is_some();
        runtime.block_on(async {
            assert_eq!(readers.run(is_given).await, Some(true));
            let (end, hangs) = mpsc::channel::<()>();
            let hanging = {
                let readers = readers.clone();
                tokio::spawn(async move { readers.run(move |_| hangs.recv().is_ok()).await })
            };
            while readers.places.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(readers.run(is_given).await, Some(false));
            assert_eq!(hanging.await.unwrap(), None);
            // It has its place until it ends.
            assert_eq!(readers.run(is_given).await, Some(false));
            end.send(()).unwrap();
            while readers.places.available_permits() == 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(readers.run(is_given).await, Some(true));
        });
    }
}
