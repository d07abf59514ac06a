//! TCP: a small accept loop and one task per connection, with caps and deadlines (RFC 7766).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connections::{ConnectionCounts, Connections};
use super::stream_responder::{Reply, StreamResponder};
use super::throttle::Throttle;
use super::{AnswerFn, Context, ServerCounters};
use crate::config::TcpLimits;
use crate::engine::{self, Transport};
use crate::event::Event;
use crate::stats::Recorder;
use crate::util::threads::panic_message;

/// The shortest message: a header alone. Anything below is not DNS.
const MIN_QUERY: usize = 12;

/// The longest query accepted. Queries are a name and a few options; who announces more is
/// talking another protocol, or wants memory.
const MAX_QUERY: usize = 4096;

/// Answers to pipelined queries are sent together up to this size.
const FLUSH_ABOVE: usize = 16 * 1024;

/// The rest after the listener could not accept, above all for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The time for a client to take its answers.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long answers being written may take when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// The limits of what clients may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionLimits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one IPv4 address or one IPv6 /64.
    pub per_client: usize,
    /// Time from one complete query (or the start) to the next; it bounds slow writers too.
    pub idle: Duration,
    /// Time for the client to take the answers.
    pub write: Duration,
}

impl From<TcpLimits> for ConnectionLimits {
    fn from(limits: TcpLimits) -> Self {
        let TcpLimits { connections, per_client, idle_timeout } = limits;
        Self { connections, per_client, idle: idle_timeout, write: WRITE_TIMEOUT }
    }
}

#[cfg(test)]
impl Default for ConnectionLimits {
    fn default() -> Self {
        TcpLimits::default().into()
    }
}

/// What all TCP listeners share: the catalog, the limits and the count of connections.
#[derive(Clone)]
pub struct TcpService {
    context: Context,
    limits: ConnectionLimits,
    connections: Arc<Connections>,
}

impl TcpService {
    /// Prepares the service; [`TcpService::serve`] opens it on an address.
    pub fn new(context: Context, limits: ConnectionLimits) -> Self {
        let connections = Connections::new(limits.connections, limits.per_client);
        Self { context, limits, connections }
    }

    /// The connections of all listeners together.
    pub fn connections(&self) -> ConnectionCounts {
        self.connections.counts()
    }

    /// Accepts connections from a listener of [`super::listen::tcp`]. Call it inside a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// When the listener cannot be registered with the runtime.
    pub fn serve(
        &self,
        listener: std::net::TcpListener,
        recorder: Recorder,
    ) -> io::Result<TcpServer> {
        self.serve_with(listener, recorder, engine::answer)
    }

    fn serve_with(
        &self,
        listener: std::net::TcpListener,
        recorder: Recorder,
        answer: impl AnswerFn,
    ) -> io::Result<TcpServer> {
        let listener = Arc::new(TcpListener::from_std(listener)?);
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        let responder = Arc::new(StreamResponder::new(
            Arc::clone(&self.context.catalog),
            Transport::Tcp,
            recorder,
            address,
            answer,
        ));
        let service = self.clone();
        let told = Event::thread_panicked(&self.context.sink, &format!("tcp {address}"));
        let task = tokio::spawn(async move {
            loop {
                let acceptor = Acceptor {
                    address,
                    listener: Arc::clone(&listener),
                    service: service.clone(),
                    responder: Arc::clone(&responder),
                    stopped: stopped.clone(),
                    tasks: JoinSet::new(),
                    accept_errors: Throttle::default(),
                    panics: Throttle::default(),
                };
                let ended = tokio::spawn(acceptor.run()).await;
                let Err(Ok(panic)) = ended.map_err(JoinError::try_into_panic) else { return };
                told(panic_message(&*panic));
                sleep(ACCEPT_PAUSE).await;
            }
        });
        Ok(TcpServer { address, stop, task })
    }
}

/// One TCP listener being served. Dropping it stops it as well, without waiting.
#[derive(Debug)]
pub struct TcpServer {
    address: SocketAddr,
    /// Dropping the sender is the signal.
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl TcpServer {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, lets answers under way finish for up to a second, closes the rest.
    pub async fn stop(self) {
        drop(self.stop);
        // Panics of connections were logged by the acceptor.
        let _ = self.task.await;
    }
}

struct Acceptor<A> {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    service: TcpService,
    responder: Arc<StreamResponder<A>>,
    stopped: watch::Receiver<()>,
    tasks: JoinSet<()>,
    accept_errors: Throttle,
    panics: Throttle,
}

impl<A: AnswerFn> Acceptor<A> {
    async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                _ = self.stopped.changed() => break,
                Some(ended) = self.tasks.join_next() => self.report_panic(ended),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, client)) => self.open(stream, client),
                    Err(error) => self.after_accept_error(error).await,
                }
            }
        }
        drop(self.listener);
        let _ =
            timeout(STOP_GRACE, async { while self.tasks.join_next().await.is_some() {} }).await;
        self.tasks.shutdown().await;
    }

    fn open(&mut self, stream: TcpStream, client: SocketAddr) {
        let Some(admission) = Connections::admit(&self.service.connections, client.ip()) else {
            return;
        };
        let mut connection = Connection {
            stream,
            client,
            limits: self.service.limits,
            responder: Arc::clone(&self.responder),
            input: Input::default(),
            output: Vec::new(),
        };
        let mut stopped = self.stopped.clone();
        self.tasks.spawn(async move {
            let _admission = admission;
            // How a connection ends is the client's affair and not worth a line in the log.
            let _ = connection.serve(&mut stopped).await;
        });
    }

    /// Without descriptors `accept` fails at once, again and again, until one is closed.
    async fn after_accept_error(&mut self, error: io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            return;
        }
        if let Some(suppressed) = self.accept_errors.pass() {
            let address = self.address;
            self.service.context.sink.emit(&Event::AcceptFailed { address, error, suppressed });
        }
        sleep(ACCEPT_PAUSE).await;
    }

    fn report_panic(&mut self, ended: Result<(), JoinError>) {
        let Some(panic) = ended.err().and_then(|error| error.try_into_panic().ok()) else { return };
        ServerCounters::add(&self.service.context.counters.panics, 1);
        if let Some(suppressed) = self.panics.pass() {
            self.service.context.sink.emit(&Event::AnswerPanicked {
                transport: Transport::Tcp,
                address: self.address,
                panic: panic_message(&*panic).to_owned(),
                suppressed,
            });
        }
    }
}

struct Connection<A> {
    stream: TcpStream,
    client: SocketAddr,
    limits: ConnectionLimits,
    responder: Arc<StreamResponder<A>>,
    input: Input,
    /// Answers not sent yet, with their length prefixes.
    output: Vec<u8>,
}

impl<A: AnswerFn> Connection<A> {
    /// Answers queries in order until the client closes, misbehaves or is too slow.
    async fn serve(&mut self, stopped: &mut watch::Receiver<()>) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut deadline = Instant::now() + self.limits.idle;
        loop {
            let read = tokio::select! {
                biased;
                _ = stopped.changed() => return Ok(()),
                read = timeout_at(deadline, self.stream.read(self.input.room())) => read??,
            };
            if read == 0 {
                return Ok(());
            }
            self.input.end += read;
            if self.answer_all().await? {
                deadline = Instant::now() + self.limits.idle;
            }
        }
    }

    /// Answers the complete queries; returns whether there were any.
    async fn answer_all(&mut self) -> io::Result<bool> {
        let mut any = false;
        while let Some(query) = self.input.next_message()? {
            any = true;
            let start = self.output.len();
            let output = &mut self.output;
            let reply = self.responder.answer(query, self.client, |answer| {
                let len = u16::try_from(answer.len()).expect("the responder's limit");
                output.extend_from_slice(&len.to_be_bytes());
                output.extend_from_slice(answer);
            });
            if let Reply::After(wait) = reply {
                let delayed = self.output.split_off(start);
                self.flush().await?;
                sleep(wait).await;
                self.output = delayed;
            }
            if self.output.len() > FLUSH_ABOVE {
                self.flush().await?;
            }
        }
        self.flush().await?;
        self.output.shrink_to(FLUSH_ABOVE);
        Ok(any)
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            timeout(self.limits.write, self.stream.write_all(&self.output)).await??;
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
    fn next_message(&mut self) -> io::Result<Option<&[u8]>> {
        let unread = &self.bytes[self.start..self.end];
        let Some((prefix, rest)) = unread.split_first_chunk() else { return Ok(None) };
        let len = usize::from(u16::from_be_bytes(*prefix));
        if !(MIN_QUERY..=MAX_QUERY).contains(&len) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Some(message) = rest.get(..len) else { return Ok(None) };
        self.start += 2 + len;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests;
