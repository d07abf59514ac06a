//! Zones for secondaries: whole zones over TCP and TLS (AXFR, RFC 5936).
//!
//! ```text
//! server::stream_responder -> Transfers::answer -> Transfer::next -> the client
//!                                 a thread: zone_records -> message -> Outbox
//! ```
//!
//! [`Transfers::answer`] is the one place where a query is seen to ask for a zone. The records are those of the
//! sweep, as [`crate::dump`] has them, but wildcards stand for whole blocks of addresses alone: what is not listed
//! does not exist at the secondary either. A thread makes the messages while the client takes them: it holds the
//! catalog, which is shared, and a few messages. `docs/transfer.md` says where a secondary answers otherwise.

mod message;
mod stream;
#[cfg(test)]
mod tests;
mod zone_records;

pub use stream::Transfer;

use crate::engine::{Catalog, Request, Transport};
use crate::event::{Event, EventSink, TransferOutcome, TransferRefusal};
use crate::util::threads::{lower_priority, panic_message};
use crate::wire::name::NameBuf;
use crate::wire::{Class, Query, Rcode, Type};
use crate::zone::{Unlisted, Zone, ZoneState};
use message::{ExtendedError, MessageWriter, refusal};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use stream::{About, Outbox};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zone_records::{Stop, count, send};

/// So many transfers are under way at one time: each has a thread.
pub const AT_ONCE: usize = 8;

/// The transfers of a server.
#[derive(Clone)]
pub struct Transfers {
    places: Arc<Semaphore>,
    teller: Teller,
}

/// Tells what becomes of transfers.
#[derive(Clone)]
struct Teller {
    sink: Arc<dyn EventSink>,
    /// The refusals that were told, each until a transfer of the zone begins.
    told: Arc<Mutex<HashSet<(Vec<u8>, TransferRefusal)>>>,
}

impl Transfers {
    /// None yet; what becomes of them goes to `sink`.
    pub fn new(sink: Arc<dyn EventSink>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            teller: Teller { sink, told: Arc::default() },
        }
    }

    /// The answer to a query for a zone that its client may have whole; `None` for any other query, which
    /// [`crate::engine::answer`] answers. A client that asks for changes alone (IXFR, RFC 1995) gets the whole
    /// zone.
    pub fn answer(&self, catalog: &Arc<Catalog>, request: &Request<'_>) -> Option<Transfer> {
        if !catalog.offers_transfers() || request.transport == Transport::Udp {
            return None;
        }
        let query = Query::parse(request.query).ok()?;
        let is_usual = query.class == Class::IN && query.edns.is_none_or(|edns| edns.version == 0);
        if ![Type::AXFR, Type::IXFR].contains(&query.qtype) || !is_usual {
            return None;
        }
        let zone = catalog.zone(query.name).filter(|zone| zone.transfer.admits(request.client))?;
        let about =
            About { zone: zone.apex.clone(), serial: zone.soa.serial, client: request.client };
        let (transfer, outbox) = Transfer::new(about.clone(), Arc::clone(&self.teller.sink));
        let job = Job {
            catalog: Arc::clone(catalog),
            query: request.query.to_vec(),
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
}

/// A transfer, from the side of the thread that makes its messages.
struct Job {
    catalog: Arc<Catalog>,
    query: Vec<u8>,
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
        count(zone, self.now, &self.outbox)?;
        self.teller.forget(&self.about.zone);
        send(zone, self.now, MessageWriter::new(&self.query, &query), &self.outbox)
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
    fn tell(&self, about: &About, refusal: TransferRefusal) {
        let key = (about.zone.as_wire().to_vec(), refusal);
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(key) {
            let About { zone, client, .. } = about.clone();
            let outcome = TransferOutcome::Refused(refusal);
            self.sink.emit(&Event::Transfer { zone, client, outcome });
        }
    }

    fn forget(&self, zone: &NameBuf) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(name, _)| name != zone.as_wire());
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
        TransferRefusal::Busy => (NOT_READY, format!("{AT_ONCE} transfers are under way")),
    };
    ExtendedError { code, text }
}
