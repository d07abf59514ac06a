//! Who holds a connection, who gives way when there is no room, and how often.

use super::counts::{Closed, Tally};
use crate::config::ClientPrefixes;
use std::collections::BTreeSet;
use std::collections::hash_map::{Entry, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// How much of the idle timeout is left to connections when so many of a hundred places are taken, the
/// fullest first: an eighth, a quarter, a half.
const PRESSURE: [(usize, u32); 3] = [(90, 8), (75, 4), (50, 2)];

/// How many connections there may be, and for how long without a query.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caps {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one client.
    pub per_client: usize,
    /// What one client is.
    pub prefixes: ClientPrefixes,
    /// For how long a connection may be without a query when there is room for others.
    pub idle: Duration,
}

/// The places for the connections of some listeners.
///
/// When all are taken, or all of a client, the connection that has been idle for the longest time gives way
/// to a new one: who asks is served, who only holds a connection is not. The same happens before that to
/// connections idle for longer than the idle timeout under [`PRESSURE`].
#[derive(Debug)]
pub(super) struct Places {
    caps: Caps,
    /// When the clock of [`Activity`] started.
    start: Instant,
    table: Mutex<Table>,
    /// A place has been given back.
    freed: Notify,
}

/// When a connection was active last, in microseconds of the clock of its [`Places`]: when it was opened, when
/// its last whole query came or when the client took the last bytes of answers.
#[derive(Clone, Debug)]
pub(in crate::server) struct Activity {
    last: Arc<AtomicU64>,
    start: Instant,
}

/// A place that a connection has; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    tally: Arc<Tally>,
    activity: Activity,
    /// Tells that the connection is to give way.
    ends: oneshot::Receiver<()>,
}

/// Connections by the time at which they were active, as far as that is known here: they are moved when they
/// come to the front and turn out to have been active since.
type Order = BTreeSet<(u64, u64)>;

#[derive(Debug, Default)]
struct Table {
    /// Those that hold a place, by number.
    open: HashMap<u64, Holder>,
    /// Those of them that have not been told to give way.
    order: Order,
    clients: HashMap<IpAddr, Client>,
    next: u64,
}

/// The connections of one client.
#[derive(Debug, Default)]
struct Client {
    open: usize,
    order: Order,
}

#[derive(Debug)]
struct Holder {
    client: IpAddr,
    /// Where it stands in the orders.
    seen: u64,
    activity: Activity,
    tally: Arc<Tally>,
    /// Taken when it is told to give way.
    end: Option<oneshot::Sender<()>>,
}

impl Activity {
    fn new(start: Instant) -> Self {
        let activity = Self { last: Arc::default(), start };
        activity.mark();
        activity
    }

    /// The connection is active now.
    pub(in crate::server) fn mark(&self) {
        self.last.store(micros(self.start.elapsed()), Ordering::Relaxed);
    }

    fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }
}

impl Places {
    pub(super) fn new(caps: Caps) -> Arc<Self> {
        let (table, freed) = (Mutex::default(), Notify::new());
        Arc::new(Self { caps, start: Instant::now(), table, freed })
    }

    /// The most connections.
    pub(super) fn limit(&self) -> usize {
        self.caps.connections
    }

    /// A place for a connection of this client; waits for the one that gives way, if that is needed.
    pub(super) async fn admit(self: &Arc<Self>, client: IpAddr, tally: &Arc<Tally>) -> Place {
        let client = self.caps.prefixes.of(client);
        loop {
            // Made before the look at the table: what is freed meanwhile is not missed.
            let freed = self.freed.notified();
            if let Some(place) = self.try_admit(client, tally) {
                return place;
            }
            freed.await;
        }
    }

    /// Has the idlest connection give way, and waits until it has. False if there is none.
    pub(super) async fn make_room(&self, reason: Closed) -> bool {
        let freed = self.freed.notified();
        let given = self.table().end_idlest(None, reason);
        if given {
            freed.await;
        }
        given
    }

    fn try_admit(self: &Arc<Self>, client: IpAddr, tally: &Arc<Tally>) -> Option<Place> {
        let mut table = self.table();
        self.end_idle(&mut table);
        let of_client = table.clients.get(&client);
        if of_client.is_some_and(|of_client| of_client.open >= self.caps.per_client) {
            table.end_idlest(Some(client), Closed::Client);
            return None;
        }
        if table.open.len() >= self.caps.connections {
            table.end_idlest(None, Closed::Full);
            return None;
        }
        Some(self.add(&mut table, client, tally))
    }

    /// Ends those that are idle for too long when so many places are taken.
    fn end_idle(&self, table: &mut Table) {
        let open = table.open.len();
        let step = PRESSURE.iter().find(|(share, _)| open * 100 >= self.caps.connections * share);
        let Some((_, divisor)) = step else { return };
        let longest = micros(self.caps.idle / *divisor);
        let now = micros(self.start.elapsed());
        while let Some((number, last)) = table.idlest(None) {
            if now.saturating_sub(last) < longest {
                break;
            }
            table.end(number, Closed::Pressure);
        }
    }

    fn add(self: &Arc<Self>, table: &mut Table, client: IpAddr, tally: &Arc<Tally>) -> Place {
        let number = table.next;
        table.next += 1;
        let (end, ends) = oneshot::channel();
        let activity = Activity::new(self.start);
        let seen = activity.last();
        table.order.insert((seen, number));
        let of_client = table.clients.entry(client).or_default();
        of_client.open += 1;
        of_client.order.insert((seen, number));
        let holder = Holder {
            client,
            seen,
            activity: activity.clone(),
            tally: Arc::clone(tally),
            end: Some(end),
        };
        table.open.insert(number, holder);
        tally.opened();
        Place { places: Arc::clone(self), number, tally: Arc::clone(tally), activity, ends }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The idlest connection, of a client or of all, and when it was active last.
    fn idlest(&mut self, client: Option<IpAddr>) -> Option<(u64, u64)> {
        loop {
            let order = match client {
                Some(client) => &self.clients.get(&client)?.order,
                None => &self.order,
            };
            let &(seen, number) = order.first()?;
            let last = self.open.get(&number)?.activity.last();
            if last == seen {
                return Some((number, last));
            }
            self.take_from_orders(number);
            self.put_in_orders(number, last);
        }
    }

    /// Tells the idlest connection, of a client or of all, to give way, unless one is about to. False if there
    /// is none.
    fn end_idlest(&mut self, client: Option<IpAddr>, reason: Closed) -> bool {
        let (open, waiting) = match client.map(|client| self.clients.get(&client)) {
            Some(Some(client)) => (client.open, client.order.len()),
            Some(None) => return false,
            None => (self.open.len(), self.order.len()),
        };
        if waiting == open
            && let Some((number, _)) = self.idlest(client)
        {
            self.end(number, reason);
        }
        open > 0
    }

    /// Tells a connection to give way.
    fn end(&mut self, number: u64, reason: Closed) {
        self.take_from_orders(number);
        let Some(holder) = self.open.get_mut(&number) else { return };
        if let Some(end) = holder.end.take() {
            holder.tally.closed(reason);
            // Who has ended by itself meanwhile gives the place back, too.
            let _ = end.send(());
        }
    }

    fn take_from_orders(&mut self, number: u64) {
        let Some(holder) = self.open.get(&number) else { return };
        let key = (holder.seen, number);
        self.order.remove(&key);
        if let Some(client) = self.clients.get_mut(&holder.client) {
            client.order.remove(&key);
        }
    }

    fn put_in_orders(&mut self, number: u64, seen: u64) {
        let Some(holder) = self.open.get_mut(&number) else { return };
        holder.seen = seen;
        self.order.insert((seen, number));
        if let Some(client) = self.clients.get_mut(&holder.client) {
            client.order.insert((seen, number));
        }
    }

    fn remove(&mut self, number: u64) {
        self.take_from_orders(number);
        let Some(holder) = self.open.remove(&number) else { return };
        if let Entry::Occupied(mut client) = self.clients.entry(holder.client) {
            client.get_mut().open -= 1;
            if client.get().open == 0 {
                client.remove();
            }
        }
    }
}

impl Place {
    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Waits until the connection is to give way to another.
    pub(super) async fn gives_way(&mut self) {
        if (&mut self.ends).await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().remove(self.number);
        self.tally.gone();
        self.places.freed.notify_waiters();
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
