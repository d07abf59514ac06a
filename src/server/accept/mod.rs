//! The accept front: all connections come through it, those of TCP, TLS and HTTP.
//!
//! ```text
//! listener -> Front (who may connect; a place, or the idlest gives way) -> one task per connection
//! ```
//!
//! It bounds what connections hold: how many there are in all and of each client, and descriptors. How long a
//! connection may do nothing, what it is attended by bounds. Every end that the server decides is counted.

mod counts;
mod descriptors;
mod places;

pub use counts::{Closed, ConnectionCounts};
pub use places::Caps;

pub(super) use counts::Tally;
pub(super) use descriptors::Reserve;
pub(super) use places::Activity;

use super::client_address;
use super::throttle::Throttle;
use crate::event::{Event, EventSink};
use crate::util::threads::panic_message;
use ipnet::IpNet;
use places::{Place, Places};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// The rest after the listener could not accept, above all for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long answers being written may take when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// What attends connections: called in a task of their own for each.
pub(super) trait Attend<F>: Fn(Accepted) -> F + Clone + Send + Sync + 'static
where
    F: Future<Output = ()> + Send + 'static,
{
}

impl<A, F> Attend<F> for A
where
    A: Fn(Accepted) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
}

/// A connection that has a place.
pub(super) struct Accepted {
    /// The connection.
    pub(super) stream: TcpStream,
    /// The client that it counts for.
    pub(super) client: SocketAddr,
    /// Marked whenever a query or a request has come, or answers have been taken.
    pub(super) activity: Activity,
    /// Changes when the server stops.
    pub(super) stopped: watch::Receiver<()>,
    /// Counts how it ends.
    pub(super) tally: Arc<Tally>,
    /// The descriptors that no connection may use.
    pub(super) reserve: Reserve,
}

/// A connection that has a place, not attended yet.
struct Placed {
    stream: TcpStream,
    client: SocketAddr,
    place: Place,
}

/// The front of one transport. Fronts can share their places.
#[derive(Clone)]
pub(super) struct Front {
    places: Arc<Places>,
    tally: Arc<Tally>,
    reserve: Reserve,
    /// Who may connect; everybody if it is empty.
    allow: Arc<[IpNet]>,
    sink: Arc<dyn EventSink>,
    panicked: Arc<dyn PanicReport>,
}

/// Takes the address of a listener and a fault that ended one of its connections; and how many before it were not
/// to be told, if this one is.
pub(super) trait PanicReport:
    Fn(SocketAddr, &str, Option<u64>) + Send + Sync + 'static
{
}

impl<R: Fn(SocketAddr, &str, Option<u64>) + Send + Sync + 'static> PanicReport for R {}

impl Front {
    /// With places of its own.
    pub(super) fn new(
        caps: Caps,
        allow: Vec<IpNet>,
        sink: Arc<dyn EventSink>,
        panicked: impl PanicReport,
    ) -> Self {
        Self {
            places: Places::new(caps),
            tally: Arc::default(),
            reserve: Reserve::of_this_process(),
            allow: allow.into(),
            sink,
            panicked: Arc::new(panicked),
        }
    }

    /// For another transport, which shares the places of this one and has counters of its own.
    pub(super) fn beside(&self, panicked: impl PanicReport) -> Self {
        Self { tally: Arc::default(), panicked: Arc::new(panicked), ..self.clone() }
    }

    /// The connections of all its listeners together.
    pub(super) fn counts(&self) -> ConnectionCounts {
        self.tally.counts(self.places.limit())
    }

    /// Accepts connections from a listener of [`super::listen::tcp`]. Call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the listener cannot be registered with the runtime.
    pub(super) fn serve<F: Future<Output = ()> + Send + 'static>(
        &self,
        listener: std::net::TcpListener,
        name: &str,
        attend: impl Attend<F>,
    ) -> io::Result<StreamServer> {
        let listener = Arc::new(TcpListener::from_std(listener)?);
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        let told = Event::thread_panicked(&self.sink, &format!("{name} {address}"));
        let front = self.clone();
        let task = tokio::spawn(async move {
            loop {
                let acceptor = Acceptor {
                    address,
                    listener: Arc::clone(&listener),
                    front: front.clone(),
                    attend: attend.clone(),
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
        Ok(StreamServer { address, stop, task })
    }

    /// A place for a new connection, if it gets one.
    ///
    /// This is where it is decided which client a connection counts for: the address it comes from. That of a proxy
    /// is then attended as [another's](super::proxies).
    async fn place(&self, mut stream: TcpStream, peer: SocketAddr) -> Option<Placed> {
        if self.reserve.has(&stream) {
            self.places.make_room(Closed::Descriptors).await;
            stream = self.reserve.leave(stream).ok()?;
            if self.reserve.has(&stream) {
                self.tally.closed(Closed::Descriptors);
                return None;
            }
        }
        let client = peer;
        let place = self.places.admit(client.ip(), &self.tally).await;
        Some(Placed { stream, client, place })
    }

    fn allows(&self, client: IpAddr) -> bool {
        let client = client_address(client);
        self.allow.is_empty() || self.allow.iter().any(|net| net.contains(&client))
    }
}

/// One listener being served. Dropping it stops it as well, without waiting.
#[derive(Debug)]
pub struct StreamServer {
    address: SocketAddr,
    /// Dropping the sender is the signal.
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl StreamServer {
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
    front: Front,
    attend: A,
    stopped: watch::Receiver<()>,
    tasks: JoinSet<()>,
    accept_errors: Throttle,
    panics: Throttle,
}

impl<A> Acceptor<A> {
    async fn run<F>(mut self)
    where
        A: Attend<F>,
        F: Future<Output = ()> + Send + 'static,
    {
        let mut stopped = self.stopped.clone();
        loop {
            tokio::select! {
                biased;
                _ = stopped.changed() => break,
                Some(ended) = self.tasks.join_next() => self.report_panic(ended),
                accepted = self.listener.accept() => tokio::select! {
                    biased;
                    _ = stopped.changed() => break,
                    () = self.take(accepted) => {}
                },
            }
        }
        drop(self.listener);
        let _ =
            timeout(STOP_GRACE, async { while self.tasks.join_next().await.is_some() {} }).await;
        self.tasks.shutdown().await;
    }

    async fn take<F>(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>)
    where
        A: Attend<F>,
        F: Future<Output = ()> + Send + 'static,
    {
        match accepted {
            // Whoever may not connect takes nobody's place.
            Ok((_, peer)) if !self.front.allows(peer.ip()) => {}
            Ok((stream, peer)) => {
                if let Some(placed) = self.front.place(stream, peer).await {
                    self.open(placed);
                }
            }
            Err(error) => self.after_accept_error(error).await,
        }
    }

    fn open<F>(&mut self, placed: Placed)
    where
        A: Attend<F>,
        F: Future<Output = ()> + Send + 'static,
    {
        let Placed { stream, client, mut place } = placed;
        // Fails if the client has gone, which shows soon enough. Answers to clients that do not wait for the one
        // before would be held back for 40 ms.
        let _ = stream.set_nodelay(true);
        let attended = (self.attend)(Accepted {
            stream,
            client,
            activity: place.activity().clone(),
            stopped: self.stopped.clone(),
            tally: Arc::clone(&self.front.tally),
            reserve: self.front.reserve,
        });
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = place.gives_way() => {}
                () = attended => {}
            }
        });
    }

    /// Without descriptors `accept` fails at once, again and again, until one is closed.
    async fn after_accept_error(&mut self, error: io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            return;
        }
        self.front.tally.failed();
        if let Some(suppressed) = self.accept_errors.pass() {
            let address = self.address;
            self.front.sink.emit(&Event::AcceptFailed { address, error, suppressed });
        }
        self.front.places.make_room(Closed::Descriptors).await;
        sleep(ACCEPT_PAUSE).await;
    }

    fn report_panic(&mut self, ended: Result<(), JoinError>) {
        let Some(panic) = ended.err().and_then(|error| error.try_into_panic().ok()) else { return };
        (self.front.panicked)(self.address, panic_message(&*panic), self.panics.pass());
    }
}
