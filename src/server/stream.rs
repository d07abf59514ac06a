//! DNS over a stream, plain or encrypted: messages with their lengths before them (RFC 1035 section 4.2.2,
//! RFC 7766), and deadlines.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::AnswerFn;
use super::accept::{Activity, Caps, Closed, Tally};
use super::stream_responder::{Reply, StreamResponder};
use crate::config::TcpLimits;
use crate::transfer::Transfer;

/// The shortest message: a header alone. Anything below is not DNS.
const MIN_QUERY: usize = 12;

/// The longest query accepted. Queries are a name and a few options; who announces more is
/// talking another protocol, or wants memory.
pub(super) const MAX_QUERY: usize = 4096;

/// Answers to pipelined queries are sent together up to this size.
const FLUSH_ABOVE: usize = 16 * 1024;

/// The time for a TLS handshake, unless connections may be idle for less: five round trips over a satellite.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The time from there to the first whole query, unless connections may be idle for less.
const FIRST_QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// The time for a client to take its answers.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The limits of what clients may hold over TCP and TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamLimits {
    /// How many connections there may be. Their idle time goes from one complete query to the next; it bounds slow
    /// writers too.
    pub caps: Caps,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time from there, or from the start, to the first complete query.
    pub first_query: Duration,
    /// Time for the client to take the answers.
    pub write: Duration,
    /// How fast it has to take a zone.
    pub pace: Pace,
}

/// How fast a secondary has to take a zone: each transfer has one of few places ([`crate::transfer::AT_ONCE`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// So many bytes of the zone give it a second.
    pub bytes_per_second: u32,
    /// So much time it has besides.
    pub grace: Duration,
}

impl Pace {
    /// A line of 128 kbit/s is fast enough, and may be dead for a minute.
    const USUAL: Self = Self { bytes_per_second: 16 * 1024, grace: Duration::from_secs(60) };

    /// True if a client for which the server has waited for so long, and which has taken so many bytes, is too slow.
    fn is_too_slow(&self, waited: Duration, taken: u64) -> bool {
        let given = taken as f64 / f64::from(self.bytes_per_second);
        waited.as_secs_f64() > self.grace.as_secs_f64() + given
    }
}

impl From<TcpLimits> for StreamLimits {
    fn from(limits: TcpLimits) -> Self {
        let TcpLimits { connections, per_client, client: prefixes, idle_timeout: idle } = limits;
        let caps = Caps { connections, per_client, prefixes, idle };
        Self {
            caps,
            handshake: HANDSHAKE_TIMEOUT.min(idle),
            first_query: FIRST_QUERY_TIMEOUT.min(idle),
            write: WRITE_TIMEOUT,
            pace: Pace::USUAL,
        }
    }
}

#[cfg(test)]
impl Default for StreamLimits {
    fn default() -> Self {
        TcpLimits::default().into()
    }
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The client has closed it, or cannot be reached: its affair.
    Gone,
    /// The server ends it.
    Closed(Closed),
    /// The server stops.
    Stopped,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// A connection whose queries are answered.
pub(super) struct Connection<S, A> {
    stream: S,
    client: SocketAddr,
    limits: StreamLimits,
    responder: Arc<StreamResponder<A>>,
    activity: Activity,
    tally: Arc<Tally>,
    input: Input,
    /// Answers not sent yet, with their length prefixes.
    output: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, A: AnswerFn> Connection<S, A> {
    pub(super) fn new(
        stream: S,
        client: SocketAddr,
        limits: StreamLimits,
        responder: Arc<StreamResponder<A>>,
        activity: Activity,
        tally: Arc<Tally>,
    ) -> Self {
        let (input, output) = (Input::default(), Vec::new());
        Self { stream, client, limits, responder, activity, tally, input, output }
    }

    /// Answers queries in order until the client closes, misbehaves or is too slow, or the server stops.
    pub(super) async fn serve(&mut self, stopped: &mut watch::Receiver<()>) {
        if let End::Closed(reason) = self.answer_until_end(stopped).await {
            self.tally.closed(reason);
        }
    }

    async fn answer_until_end(&mut self, stopped: &mut watch::Receiver<()>) -> End {
        let mut deadline = Instant::now() + self.limits.first_query;
        let mut late = Closed::FirstQuery;
        loop {
            let read = tokio::select! {
                biased;
                _ = stopped.changed() => return End::Stopped,
                read = timeout_at(deadline, self.stream.read(self.input.room())) => read,
            };
            match read {
                Err(_) => return End::Closed(late),
                Ok(Err(_) | Ok(0)) => return End::Gone,
                Ok(Ok(read)) => self.input.end += read,
            }
            match self.answer_all().await {
                Ok(false) => {}
                Ok(true) => {
                    self.activity.mark();
                    deadline = Instant::now() + self.limits.caps.idle;
                    late = Closed::Idle;
                }
                Err(end) => return end,
            }
        }
    }

    /// Answers the complete queries; returns whether there were any.
    async fn answer_all(&mut self) -> Result<bool, End> {
        let mut any = false;
        while let Some(query) = self.input.next_message().map_err(End::Closed)? {
            any = true;
            let start = self.output.len();
            let output = &mut self.output;
            let reply = self.responder.answer(query, self.client, |answer| {
                let len = u16::try_from(answer.len()).expect("the responder's limit");
                output.extend_from_slice(&len.to_be_bytes());
                output.extend_from_slice(answer);
            });
            match reply {
                Reply::Now | Reply::Nothing => {}
                Reply::After(wait) => {
                    let delayed = self.output.split_off(start);
                    self.flush().await?;
                    sleep(wait).await;
                    self.output = delayed;
                }
                Reply::Transfer(transfer) => self.send_zone(*transfer).await?,
            }
            if self.output.len() > FLUSH_ABOVE {
                self.flush().await?;
            }
        }
        self.flush().await?;
        self.output.shrink_to(FLUSH_ABOVE);
        Ok(any)
    }

    /// Sends the messages of a transfer, each once the client has taken those before. Only the time counts in which the
    /// client has to take something.
    async fn send_zone(&mut self, mut transfer: Transfer) -> Result<(), End> {
        let (mut waited, mut taken) = (Duration::ZERO, 0);
        let mut unlogged = true;
        loop {
            let (started, len) = (Instant::now(), self.output.len() as u64);
            self.flush().await?;
            (waited, taken) = (waited + started.elapsed(), taken + len);
            if self.limits.pace.is_too_slow(waited, taken) {
                return Err(End::Closed(Closed::Unread));
            }
            let Some(message) = transfer.next().await? else { return Ok(()) };
            if std::mem::take(&mut unlogged) {
                self.responder.log_transfer(transfer.query(), self.client, &message);
            }
            let len = u16::try_from(message.len()).expect("the limit of messages");
            self.output.extend_from_slice(&len.to_be_bytes());
            self.output.extend_from_slice(&message);
        }
    }

    async fn flush(&mut self) -> Result<(), End> {
        if !self.output.is_empty() {
            let sent = async {
                self.stream.write_all(&self.output).await?;
                self.stream.flush().await
            };
            timeout(self.limits.write, sent).await.map_err(|_| End::Closed(Closed::Unread))??;
            self.activity.mark();
            self.output.clear();
        }
        Ok(())
    }
}

/// Received bytes, cut into messages by their two-byte length prefix (RFC 1035, 4.2.2).
struct Input {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self { bytes: vec![0; 2 + MAX_QUERY].into_boxed_slice(), start: 0, end: 0 }
    }
}

impl Input {
    /// Where to put the next bytes: never empty, as no message is longer than the buffer.
    fn room(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        &mut self.bytes[self.end..]
    }

    /// The next complete message, if there is one.
    fn next_message(&mut self) -> Result<Option<&[u8]>, Closed> {
        let unread = &self.bytes[self.start..self.end];
        let Some((prefix, rest)) = unread.split_first_chunk() else { return Ok(None) };
        let len = usize::from(u16::from_be_bytes(*prefix));
        if !(MIN_QUERY..=MAX_QUERY).contains(&len) {
            return Err(Closed::Malformed);
        }
        let Some(message) = rest.get(..len) else { return Ok(None) };
        self.start += 2 + len;
        Ok(Some(message))
    }
}
