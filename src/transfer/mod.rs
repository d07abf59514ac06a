//! Zones for secondaries: whole zones and their changes over TCP and TLS (AXFR, RFC 5936; IXFR, RFC 1995), and word of
//! changes (NOTIFY, RFC 1996).
//!
//! ```text
//! server::stream_responder -> Transfers::answer -> Transfer::next -> the client
//!                                 a thread: zone_records -> message -> Outbox
//!                                           journal -> changes -^
//! daemon::control -> Secondaries::published -> a thread: difference -> journal, then notify
//! ```
//!
//! [`Transfers::answer`] is the one place where a query is seen to ask for a zone. The records are those of the
//! sweep, as [`crate::dump`] has them, but wildcards stand for whole blocks of addresses alone: what is not listed
//! does not exist at the secondary either. A thread makes the messages while the client takes them: it holds the
//! catalog, which is shared, and a few messages. `docs/transfer.md` says where a secondary answers otherwise.

mod changes;
mod difference;
mod journal;
mod message;
mod notify;
mod packed;
mod secondaries;
mod stream;
#[cfg(test)]
mod tests;
mod zone_records;

pub use secondaries::Secondaries;
pub use stream::Transfer;

use crate::engine::{Catalog, Request, Transport};
use crate::event::{Event, EventSink, TransferOutcome, TransferRefusal};
use crate::tsig::{self, Proof, Signer};
use crate::util::threads::{lower_priority, panic_message};
use crate::wire::name::NameBuf;
use crate::wire::{Class, Query, Rcode, Type};
use crate::zone::{TransferFigures, TransferKind, Unlisted, Zone, ZoneState};
use changes::{client_serial, send_changes};
use journal::{Journal, Step};
use message::{ExtendedError, MessageWriter, refusal};
use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use stream::{About, Outbox};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zone_records::{Stop, send};

/// So many transfers are under way at one time: each has a thread.
pub const AT_ONCE: usize = 8;

/// One refusal, to be added.
const REFUSED: TransferFigures =
    TransferFigures { sent: 0, unfinished: 0, refused: 1, records: 0, bytes: 0 };

/// The transfers of a server.
#[derive(Clone)]
pub struct Transfers {
    places: Arc<Semaphore>,
    journal: Arc<Journal>,
    teller: Teller,
}

/// Refusals and the zones they are of, with the content id that the zone had last.
type Told = HashMap<(Vec<u8>, TransferRefusal), u64>;

/// Tells what becomes of transfers.
#[derive(Clone)]
struct Teller {
    sink: Arc<dyn EventSink>,
    /// The refusals that were told, each until the zone is sent whole.
    told: Arc<Mutex<Told>>,
}

impl Transfers {
    /// None yet; what becomes of them goes to `sink`.
    pub fn new(sink: Arc<dyn EventSink>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            journal: Arc::default(),
            teller: Teller { sink, told: Arc::default() },
        }
    }

    /// Starts the thread that tells secondaries of changes; call it inside the tokio runtime.
    ///
    /// # Errors
    ///
    /// When the system has no thread.
    pub fn secondaries(&self) -> io::Result<Secondaries> {
        Secondaries::start(Arc::clone(&self.journal), Arc::clone(&self.teller.sink))
    }

    /// The answer to a query for a zone that its client may have whole; `None` for any other query, which
    /// [`crate::engine::answer`] answers. A client that asks for changes alone (IXFR) gets the whole zone if they are
    /// not known.
    pub fn answer(&self, catalog: &Arc<Catalog>, request: &Request<'_>) -> Option<Transfer> {
        if !catalog.offers_transfers() || request.transport == Transport::Udp {
            return None;
        }
        let query = Query::parse(request.query).ok()?;
        let is_usual = query.class == Class::IN && query.edns.is_none_or(|edns| edns.version == 0);
        if ![Type::AXFR, Type::IXFR].contains(&query.qtype) || !is_usual {
            return None;
        }
        let zone = catalog.zone(query.name).filter(|zone| !zone.transfer.is_off())?;
        let (serial, client) = (zone.soa.serial, request.client);
        let (apex, content_id) = (zone.apex.clone(), zone.content_id);
        let counts = zone.counters.transfers().clone();
        let kind = match query.qtype {
            Type::IXFR => TransferKind::Changes,
            _ => TransferKind::Whole,
        };
        let about = About { zone: apex, content_id, serial, client, since: None, kind, counts };
        let signer = self.signer(catalog, request, &about)?;
        let key = signer.as_ref().map(|signer| signer.key().name());
        if !zone.transfer.admits(client, key) {
            about.count(REFUSED);
            return None;
        }
        let changes = self.changes(zone, request.query, &query);
        let about = match &changes {
            Some(changes) => About { since: Some(changes.since), ..about },
            None => About { kind: TransferKind::Whole, ..about },
        };
        let sink = Arc::clone(&self.teller.sink);
        let (transfer, outbox) = Transfer::new(request.query.to_vec(), about.clone(), signer, sink);
        let job = Job {
            catalog: Arc::clone(catalog),
            query: request.query.to_vec(),
            changes,
            now: request.now,
            about,
            outbox,
            teller: self.teller.clone(),
        };
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => job.start(place),
            Err(_) => job.refuse(TransferRefusal::Busy),
        }
        Some(transfer)
    }

    /// Who signs the answer, if the query is signed; `None` if its signature does not hold, which the engine answers.
    fn signer(
        &self,
        catalog: &Catalog,
        request: &Request<'_>,
        about: &About,
    ) -> Option<Option<Signer>> {
        if !catalog.keys().are_configured() {
            return Some(None);
        }
        match tsig::open(request.query, catalog.keys(), request.now) {
            Proof::Unsigned => Some(None),
            Proof::Signed(signer) => Some(Some(signer)),
            Proof::Malformed => None,
            Proof::Refused(refusal) => {
                self.teller.tell(about, TransferRefusal::Unproved(refusal.name()));
                None
            }
        }
    }

    /// The changes that a client asks for, if they are known.
    fn changes(&self, zone: &Zone, message: &[u8], query: &Query<'_>) -> Option<Changes> {
        if query.qtype != Type::IXFR {
            return None;
        }
        let (since, serial) = (client_serial(message, query)?, zone.soa.serial);
        // As serials are compared (RFC 1982 section 3.2).
        let is_current = since.wrapping_sub(serial).cast_signed() >= 0;
        let steps = match is_current {
            true => Vec::new(),
            false => self.journal.steps(&zone.apex, since, serial)?,
        };
        Some(Changes { since, steps })
    }
}

/// What has changed since a client has taken a zone.
struct Changes {
    /// The serial that it has.
    since: u32,
    steps: Vec<Arc<Step>>,
}

/// A transfer, from the side of the thread that makes its messages.
struct Job {
    catalog: Arc<Catalog>,
    query: Vec<u8>,
    changes: Option<Changes>,
    now: u64,
    about: About,
    outbox: Outbox,
    teller: Teller,
}

impl Job {
    /// Runs it on a thread, which gives the place back.
    fn start(self, place: OwnedSemaphorePermit) {
        let job = Arc::new(self);
        let own = Arc::clone(&job);
        let work = move || {
            let _place = place;
            lower_priority();
            let told = Event::thread_panicked(&own.teller.sink, "transfer");
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| own.run())) {
                told(panic_message(&*panic));
            }
        };
        if thread::Builder::new().name("transfer".to_owned()).spawn(work).is_err() {
            job.refuse(TransferRefusal::Busy);
        }
    }

    fn run(&self) {
        let Some(zone) = self.catalog.zone(self.about.zone.as_wire()) else { return };
        match self.send(zone) {
            Ok(()) | Err(Stop::Gone) => {}
            Err(Stop::Refused(refusal)) => self.refuse(refusal),
        }
    }

    fn send(&self, zone: &Zone) -> Result<(), Stop> {
        let Ok(query) = Query::parse(&self.query) else { return Ok(()) };
        if !is_whole(zone, self.now) {
            return Err(Stop::Refused(TransferRefusal::NotWhole));
        }
        let writer = MessageWriter::new(&self.query, &query);
        if let Some(changes) = &self.changes {
            return Ok(send_changes(zone, &changes.steps, writer, &self.outbox)?);
        }
        if self.teller.is_too_long(zone) {
            let max = zone.transfer.max_records;
            return Err(Stop::Refused(TransferRefusal::TooManyRecords { max }));
        }
        let (last, records) = send(zone, self.now, writer, &self.outbox)?;
        self.teller.forget(&self.about.zone);
        Ok(self.outbox.send(last, records, true)?)
    }

    fn refuse(&self, why: TransferRefusal) {
        self.teller.tell(&self.about, why);
        let Ok(query) = Query::parse(&self.query) else { return };
        let rcode = match why {
            TransferRefusal::NotWhole | TransferRefusal::Busy => Rcode::ServFail,
            _ => Rcode::Refused,
        };
        self.outbox.refuse(refusal(&self.query, &query, rcode, &extended_error(why)));
    }
}

impl Teller {
    /// Counts a refusal, and tells of it if that is new.
    fn tell(&self, about: &About, refusal: TransferRefusal) {
        about.count(REFUSED);
        let key = (about.zone.as_wire().to_vec(), refusal);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(key, about.content_id).is_none() {
            drop(told);
            let About { zone, client, .. } = about.clone();
            let outcome = TransferOutcome::Refused(refusal);
            self.sink.emit(&Event::Transfer { zone, client, outcome });
        }
    }

    fn forget(&self, zone: &NameBuf) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(name, _), _| name != zone.as_wire());
    }

    /// True if a zone with this content was found to have too many records.
    fn is_too_long(&self, zone: &Zone) -> bool {
        let refusal = TransferRefusal::TooManyRecords { max: zone.transfer.max_records };
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(&(zone.apex.as_wire().to_vec(), refusal)) == Some(&zone.content_id)
    }
}

/// True if a copy of the zone would answer as the zone itself does: a copy cannot say SERVFAIL of what it lacks.
fn is_whole(zone: &Zone, now: u64) -> bool {
    zone.is_served(now) && zone.state != ZoneState::Partial(Unlisted::ServFail)
}

/// What a client that knows EDNS is told (RFC 8914 section 4).
fn extended_error(why: TransferRefusal) -> ExtendedError {
    const OTHER: u16 = 0;
    const NOT_READY: u16 = 14;
    const NOT_SUPPORTED: u16 = 21;
    let (code, text) = match why {
        TransferRefusal::TooManyRecords { max } => {
            (OTHER, format!("more than transfer-max-records {max}"))
        }
        TransferRefusal::LongRecord => (OTHER, "a record is too long".to_owned()),
        TransferRefusal::Unswept(unswept) => (NOT_SUPPORTED, unswept.to_string()),
        TransferRefusal::NotWhole => (NOT_READY, "the zone lacks data".to_owned()),
        TransferRefusal::Unproved(error) => (OTHER, error.to_owned()),
        TransferRefusal::Busy => (NOT_READY, format!("{AT_ONCE} transfers are under way")),
    };
    ExtendedError { code, text }
}
