//! The thread that sees to secondaries when zones have changed: what has changed is noted, and then they are told.

use super::difference::difference;
use super::is_whole;
use super::journal::{Journal, MAX_SIZE};
use super::notify::Notifier;
use crate::config::Settings;
use crate::engine::Catalog;
use crate::event::{Event, EventSink};
use crate::util::threads::{keep_at, lower_priority};
use crate::util::time::unix_time;
use crate::zone::Zone;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use tokio::runtime::Handle;

/// Has secondaries told of new catalogs. Dropping it ends the thread, after what it is at.
pub struct Secondaries {
    inbox: Arc<Inbox>,
}

#[derive(Default)]
struct Inbox {
    mail: Mutex<Mail>,
    arrived: Condvar,
}

#[derive(Default)]
struct Mail {
    waiting: Option<Publication>,
    is_over: bool,
}

/// A catalog that has taken the place of another one.
struct Publication {
    old: Arc<Catalog>,
    new: Arc<Catalog>,
    settings: Arc<Settings>,
}

impl Secondaries {
    /// Starts the thread; call it inside the tokio runtime.
    ///
    /// # Errors
    ///
    /// When the system has no thread.
    pub(super) fn start(journal: Arc<Journal>, sink: Arc<dyn EventSink>) -> io::Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let own = Arc::clone(&inbox);
        let told = Event::thread_panicked(&sink, "secondaries");
        let mut notifier = Notifier::new(Handle::current(), sink);
        thread::Builder::new().name("secondaries".to_owned()).spawn(move || {
            // Not the lowest: secondaries wait for it, and the old version stays in memory as long.
            lower_priority();
            keep_at(told, || {
                while let Some(publication) = own.wait() {
                    publication.attend(&journal, &mut notifier);
                }
            });
        })?;
        Ok(Self { inbox })
    }

    /// Has what changes from one catalog to the next noted, and the secondaries told. Waits for nothing.
    pub fn published(&self, old: &Arc<Catalog>, new: &Arc<Catalog>, settings: &Arc<Settings>) {
        let notifies = |zone: &Zone| !settings.notify(&zone.apex).is_empty();
        let mut mail = self.inbox.mail();
        // Catalogs of a server without secondaries are not held.
        if !new.offers_transfers() && !old.offers_transfers() && !new.zones().iter().any(notifies) {
            return;
        }
        // Of several that wait, the first and the last count.
        let old = mail.waiting.take().map_or_else(|| Arc::clone(old), |waiting| waiting.old);
        let (new, settings) = (Arc::clone(new), Arc::clone(settings));
        mail.waiting = Some(Publication { old, new, settings });
        self.inbox.arrived.notify_one();
    }
}

impl Drop for Secondaries {
    fn drop(&mut self) {
        self.inbox.mail().is_over = true;
        self.inbox.arrived.notify_one();
    }
}

impl Inbox {
    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next one; `None` at the end.
    fn wait(&self) -> Option<Publication> {
        let mut mail = self.mail();
        loop {
            if mail.is_over {
                return None;
            }
            if let Some(publication) = mail.waiting.take() {
                return Some(publication);
            }
            mail = self.arrived.wait(mail).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Publication {
    fn attend(self, journal: &Journal, notifier: &mut Notifier) {
        let Self { old, new, settings } = self;
        let is_offered = |zone: &Zone| !zone.transfer.is_off();
        journal.retain(|name| new.zone(name.as_wire()).is_some_and(is_offered));
        notifier.retain(|name, address| {
            settings.notify(name).iter().any(|target| target.address == address)
        });
        let now = unix_time();
        for zone in new.zones().iter().filter(|zone| is_whole(zone, now)) {
            if is_offered(zone) {
                note(old.zone(zone.apex.as_wire()), zone, now, journal);
            }
            let targets = settings.notify(&zone.apex);
            notifier.tell(zone, targets, new.keys(), &settings.server.listen);
        }
    }
}

/// Notes what has changed in a zone.
fn note(old: Option<&Zone>, new: &Zone, now: u64, journal: &Journal) {
    let Some(old) = old.filter(|old| is_whole(old, now)) else { return journal.forget(&new.apex) };
    let serial = new.soa.serial;
    if old.soa.serial == serial {
        if (old.content_id, old.state) != (new.content_id, new.state) {
            journal.reuse(&new.apex, serial);
        }
        return;
    }
    match difference(old, new, now, MAX_SIZE) {
        Ok(difference) => journal.add(old, new, difference),
        Err(_) => journal.forget(&new.apex),
    }
}
