//! dnstap (dnstap.info): each query and its answer as messages, over a unix socket on which a collector listens.
//!
//! A query thread only appends to its lane, which is bounded. A thread takes what is in
//! the lanes, makes messages of it (`message`) and sends them in frames (`frames`). When the collector is slow or
//! away, queries are lost to it and counted, and none waits.

mod frames;
mod message;
mod sender;
#[cfg(test)]
mod tests;

use super::lanes::{self, CAPACITY, LaneReader};
use crate::engine::{Request, Transport};
use crate::event::EventSink;
use sender::Sender;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// A running dnstap.
pub struct Dnstap(LaneReader<Exchanges>);

/// What one worker has seen and nobody has sent yet.
#[derive(Debug, Default)]
struct Exchanges {
    list: Vec<Exchange>,
    /// Of each exchange the query, the answer and the apex of the zone, one after the other.
    bytes: Vec<u8>,
    /// Queries there was no room for.
    lost: u64,
}

/// A query that was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Exchange {
    ends: Ends,
    transport: Transport,
    time: SystemTime,
    /// The lengths of the query, the answer and the apex.
    lengths: [usize; 3],
}

/// Where a query came from and went to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// The client.
    pub client: SocketAddr,
    /// The address that the server listens on.
    pub server: SocketAddr,
}

impl Dnstap {
    /// Starts to send. A collector that is not there is told of and tried again.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn start(socket: PathBuf, identity: &str, sink: &Arc<dyn EventSink>) -> io::Result<Self> {
        let lanes = Arc::default();
        let identity = identity.to_owned();
        let mut sender = Sender::new(socket, identity, Arc::clone(&lanes), Arc::clone(sink));
        Ok(Self(LaneReader::start(&lanes, "dnstap", sink, move || sender.run())?))
    }

    /// A lane for one worker.
    pub(super) fn lane(&self) -> Lane {
        Lane(self.0.lane())
    }

    /// How many queries were lost since the start.
    pub fn lost(&self) -> u64 {
        self.0.lost()
    }

    /// Sends what is left, unless that takes too long.
    pub fn stop(self) {
        self.0.stop();
    }
}

/// Where one worker puts what it has answered.
#[derive(Debug)]
pub(super) struct Lane(lanes::Lane<Exchanges>);

impl Lane {
    /// Takes a query, its answer and the apex of its zone, which is empty if there is none.
    pub(super) fn take(&self, request: &Request<'_>, answer: &[u8], ends: Ends, apex: &[u8]) {
        let mut exchanges = self.0.lock();
        let parts = [request.query, answer, apex];
        let before = exchanges.bytes.len();
        if before + parts.iter().map(|part| part.len()).sum::<usize>() > CAPACITY {
            exchanges.lost += 1;
            return;
        }
        parts.iter().for_each(|part| exchanges.bytes.extend_from_slice(part));
        exchanges.list.push(Exchange {
            ends,
            transport: request.transport,
            time: SystemTime::now(),
            lengths: parts.map(<[u8]>::len),
        });
        let after = exchanges.bytes.len();
        drop(exchanges);
        self.0.filled(before, after, false);
    }
}
