//! The messages of one transfer, on their way from the thread that makes them to the client.

use crate::event::{Event, EventSink, TransferOutcome};
use crate::tsig::Signer;
use crate::util::time::unix_time;
use crate::wire::name::NameBuf;
use crate::zone::{TransferCounts, TransferFigures, TransferKind};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc::{self, error::TrySendError};

/// So many messages wait for the client, besides the one that it is taking: each has about 16 KiB.
const WAITING: usize = 2;

/// The answer to a query for a zone: messages, one after the other. What came of it is told when it is dropped.
pub struct Transfer {
    pieces: mpsc::Receiver<Piece>,
    sink: Arc<dyn EventSink>,
    query: Vec<u8>,
    about: About,
    started: Instant,
    /// What the client has taken.
    taken: Amount,
    /// What the client is taking, and its place.
    taking: (Amount, Place),
    is_over: bool,
}

/// Who gets what.
#[derive(Clone)]
pub(super) struct About {
    pub(super) zone: NameBuf,
    /// See [`crate::zone::Zone::content_id`].
    pub(super) content_id: u64,
    pub(super) serial: u32,
    pub(super) client: IpAddr,
    /// The serial that the client has, if it is sent the changes since.
    pub(super) since: Option<u32>,
    /// What it is counted as: what it asks for, until it is known what it gets.
    pub(super) kind: TransferKind,
    pub(super) counts: TransferCounts,
}

impl About {
    /// Counts what came of it.
    pub(super) fn count(&self, figures: TransferFigures) {
        self.counts.count(self.kind, figures);
    }
}

#[derive(Clone, Copy, Default)]
struct Amount {
    records: u64,
    bytes: u64,
}

/// A message, and what is in it.
struct Piece {
    message: Vec<u8>,
    records: u64,
    place: Place,
}

/// Where a message stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// More follow.
    Within,
    /// It is the last one.
    Last,
    /// It is the last one, and says no.
    Refusal,
}

impl Transfer {
    /// One that gives what the outbox is given, signed if its client has signed.
    pub(super) fn new(
        query: Vec<u8>,
        about: About,
        signer: Option<Signer>,
        sink: Arc<dyn EventSink>,
    ) -> (Self, Outbox) {
        let (sender, pieces) = mpsc::channel(WAITING);
        let (taken, taking) = (Amount::default(), (Amount::default(), Place::Within));
        let started = Instant::now();
        let outbox = Outbox { sender, signer: Mutex::new(signer) };
        (Self { pieces, sink, query, about, started, taken, taking, is_over: false }, outbox)
    }

    /// The query that it answers.
    pub fn query(&self) -> &[u8] {
        &self.query
    }

    /// The next message, without a length prefix, once the client has taken the one before; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::BrokenPipe`] when a fault of the server has ended the transfer: the client waits for more.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (amount, place) = self.taking;
        self.taken.records += amount.records;
        self.taken.bytes += amount.bytes;
        if place != Place::Within {
            (self.taking.0, self.is_over) = (Amount::default(), true);
            return Ok(None);
        }
        let piece = self.pieces.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
        let bytes = if piece.place == Place::Refusal { 0 } else { piece.message.len() as u64 };
        let amount = Amount { records: piece.records, bytes };
        self.taking = (amount, piece.place);
        Ok(Some(piece.message))
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let (Amount { records, bytes }, took) = (self.taken, self.started.elapsed());
        let taken = TransferFigures { records, bytes, ..Default::default() };
        // A refusal was counted and told when it was made, but not what the client had taken before it.
        if self.taking.1 == Place::Refusal {
            return self.about.count(taken);
        }
        let (sent, unfinished) = (u64::from(self.is_over), u64::from(!self.is_over));
        self.about.count(TransferFigures { sent, unfinished, ..taken });
        let About { zone, serial, client, since, .. } = self.about.clone();
        let outcome = match self.is_over {
            true => TransferOutcome::Sent { serial, since, records, bytes, took },
            false => TransferOutcome::Unfinished { records, took },
        };
        self.sink.emit(&Event::Transfer { zone, client, outcome });
    }
}

/// Where the messages of an answer go. All pass [`send`](Self::send) or [`refuse`](Self::refuse), which sign them.
pub(super) struct Outbox {
    sender: mpsc::Sender<Piece>,
    signer: Mutex<Option<Signer>>,
}

/// The client has gone, or was too slow.
pub(super) struct Gone;

impl Outbox {
    /// Sends a message of so many records, once there is room for it.
    pub(super) fn send(&self, message: Vec<u8>, records: u64, is_last: bool) -> Result<(), Gone> {
        let place = if is_last { Place::Last } else { Place::Within };
        let message = self.signed(message);
        self.sender.blocking_send(Piece { message, records, place }).map_err(|_| Gone)
    }

    /// Sends the last message of a transfer that is refused. Only if others were sent before, it waits for room.
    pub(super) fn refuse(&self, message: Vec<u8>) {
        let message = self.signed(message);
        let refusal = Piece { message, records: 0, place: Place::Refusal };
        // A client that has gone needs no answer.
        if let Err(TrySendError::Full(refusal)) = self.sender.try_send(refusal) {
            let _ = self.sender.blocking_send(refusal);
        }
    }

    /// The message with a signature: each one has its own, so that a client takes none on trust.
    fn signed(&self, mut message: Vec<u8>) -> Vec<u8> {
        let mut signer = self.signer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signer) = &mut *signer {
            let len = message.len();
            message.resize(len + signer.room(), 0);
            signer.sign(&mut message, len, unix_time());
        }
        message
    }
}
