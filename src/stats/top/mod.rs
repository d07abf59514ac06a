//! What is asked most, and who asks most: estimates of some queries, in bounded room.
//!
//! Each worker looks at a few queries a second, however many there are, and writes to tables of its own; the weight
//! of a query that is looked at is the number of those that were passed over for it. Nobody waits: while the
//! tables are read, a worker passes its query over.

mod heavy;
mod misconfigured;
mod name;
mod report;
mod sampler;

pub use report::{TopClient, TopKey, TopMisconfigured, TopReport};
pub use sampler::TopSampler;

use crate::config;
use crate::engine::{Catalog, Request};
use heavy::HeavyHitters;
use misconfigured::{Misconfiguration, Misconfigured};
use name::NameKey;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

/// How many keys, and how many clients, each worker keeps.
const ROOM: usize = 256;

/// The time in seconds after which a query weighs half.
const HALF_LIFE: f64 = 300.0;

/// The bits of an address that are kept where clients are anonymised: those of the least that a site is given.
const NETWORK_BITS: (u32, u32) = (24, 48);

/// The tables of all workers. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tops(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    mode: AtomicU8,
    workers: Box<[Mutex<Tables>]>,
    /// When counting began, in seconds since 1970.
    since: u64,
}

/// The tables of one worker.
#[derive(Debug)]
struct Tables {
    listed: HeavyHitters<NameKey>,
    unlisted: HeavyHitters<NameKey>,
    clients: HeavyHitters<IpAddr>,
    misconfigured: HeavyHitters<Misconfigured>,
}

/// What is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Mode {
    Off,
    Anonymised,
    Full,
}

impl Mode {
    fn of(settings: config::Top) -> Self {
        match settings {
            config::Top { is_on: false, .. } => Self::Off,
            config::Top { anonymise_clients: true, .. } => Self::Anonymised,
            config::Top { .. } => Self::Full,
        }
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            listed: HeavyHitters::new(ROOM, HALF_LIFE),
            unlisted: HeavyHitters::new(ROOM, HALF_LIFE),
            clients: HeavyHitters::new(ROOM, HALF_LIFE),
            misconfigured: HeavyHitters::new(ROOM, HALF_LIFE),
        }
    }
}

impl Tops {
    /// For that many workers, from that time in seconds since 1970 on. Nothing is kept before
    /// [`apply`](Self::apply) allows it.
    pub fn new(workers: usize, since: u64) -> Self {
        let workers = (0..workers).map(|_| Mutex::default()).collect();
        Self(Arc::new(Shared { mode: AtomicU8::new(Mode::Off as u8), workers, since }))
    }

    /// Keeps what these settings allow from now on, and nothing of what was kept by others.
    pub fn apply(&self, settings: config::Top) {
        let mode = Mode::of(settings) as u8;
        if self.0.mode.swap(mode, Ordering::Relaxed) != mode {
            for mut tables in self.tables() {
                tables.listed.clear();
                tables.unlisted.clear();
                tables.clients.clear();
                tables.misconfigured.clear();
            }
        }
    }

    /// The sampler of this worker.
    pub fn sampler(&self, worker: usize) -> TopSampler {
        TopSampler::new(self.clone(), worker)
    }

    fn tables(&self) -> impl Iterator<Item = MutexGuard<'_, Tables>> {
        self.0.workers.iter().map(|tables| tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn has(&self, mode: Mode) -> bool {
        self.0.mode.load(Ordering::Relaxed) == mode as u8
    }

    /// Adds a query that stands for `weight` of them. `reply` starts with the answer, if there was one.
    fn add(
        &self,
        worker: usize,
        weight: f64,
        catalog: &Catalog,
        request: &Request<'_>,
        reply: &[u8],
    ) {
        let Some(mut tables) = self.0.workers.get(worker).and_then(|tables| tables.try_lock().ok())
        else {
            return;
        };
        // Looked at under the lock, so that nothing is added that was cleared for other settings.
        let client = match request.client {
            _ if self.has(Mode::Off) => return,
            client if self.has(Mode::Anonymised) => network(client),
            client => client,
        };
        let hash = match client {
            IpAddr::V4(client) => xxh3_64(&client.octets()),
            IpAddr::V6(client) => xxh3_64(&client.octets()),
        };
        tables.clients.add(client, hash, weight, request.now);
        let Some(name) = NameKey::of(request.query) else { return };
        if let Some(fault) = Misconfiguration::of(catalog, name.wire()) {
            let key = Misconfigured { client, fault, example: name };
            tables.misconfigured.add(key, hash ^ fault as u64, weight, request.now);
        }
        let is_listed = has_records(reply) && answers(reply, request.query, name);
        let table = if is_listed { &mut tables.listed } else { &mut tables.unlisted };
        table.add(name, xxh3_64(name.wire()), weight, request.now);
    }
}

/// The network that an address is in, as its first address.
fn network(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(client) => {
            IpAddr::V4((client.to_bits() & u32::MAX << (u32::BITS - NETWORK_BITS.0)).into())
        }
        IpAddr::V6(client) => {
            IpAddr::V6((client.to_bits() & u128::MAX << (u128::BITS - NETWORK_BITS.1)).into())
        }
    }
}

/// True if an answer has records in its answer section (RFC 1035 section 4.1.1).
fn has_records(answer: &[u8]) -> bool {
    matches!(answer, [_, _, _, flags, _, _, high, low, ..] if flags & 15 == 0 && (*high, *low) != (0, 0))
}

/// True if this answers the query for that name: what is in the room for an answer may be older.
fn answers(answer: &[u8], query: &[u8], name: NameKey) -> bool {
    const RESPONSE: u8 = 0x80;
    answer.get(..2) == query.get(..2)
        && answer.get(2).is_some_and(|flags| flags & RESPONSE != 0)
        && NameKey::of(answer) == Some(name)
}

#[cfg(test)]
mod tests;
