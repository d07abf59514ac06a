//! What stands between a client and hickory-server: copies bytes both ways, and ends what holds too much or does
//! too little.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::server::accept::{Accepted, Activity, Closed};
use crate::server::stream::StreamLimits;

/// The most bytes that a client may send within the idle timeout, with those of the handshake: some thousand requests
/// that are begun and not ended, each of which hickory-server keeps for that time, or a hundred whole ones. Answers
/// make it no more, or one query would buy a thousand requests.
pub(super) const MAX_SENT: usize = 16 << 10;

/// How long hickory-server may take for an answer before the relay ends.
const ANSWER: Duration = Duration::from_millis(200);

/// Bytes that are copied at a time.
const CHUNK: usize = 4 << 10;

/// The clients that are relayed, by the port that the relay of each has.
#[derive(Debug)]
pub(super) struct Relays {
    private: SocketAddr,
    clients: Mutex<HashMap<u16, Relayed>>,
}

#[derive(Debug)]
pub(super) struct Relayed {
    client: SocketAddr,
    /// Told of each whole query.
    asked: Arc<Notify>,
}

impl Relayed {
    pub(super) fn of(client: SocketAddr) -> Self {
        Self { client, asked: Arc::default() }
    }
}

/// The entry of a relay; removed when it is dropped.
struct Entry<'r> {
    relays: &'r Relays,
    port: u16,
}

impl Relays {
    /// To hickory-server at this address.
    pub(super) fn to(private: SocketAddr) -> Arc<Self> {
        Arc::new(Self { private, clients: Mutex::default() })
    }

    /// Whose query came from this address, if it is that of a relay; the relay is told of it.
    pub(super) fn asked(&self, from: SocketAddr) -> Option<SocketAddr> {
        let clients = self.clients();
        let relayed = clients.get(&from.port()).filter(|_| from.ip() == self.private.ip())?;
        relayed.asked.notify_one();
        Some(relayed.client)
    }

    /// Relays a connection until it ends.
    pub(super) async fn attend(self: Arc<Self>, accepted: Accepted, limits: StreamLimits) {
        let Accepted { stream, client, activity, mut stopped, tally, reserve } = accepted;
        let private = match TcpStream::connect(self.private).await {
            Ok(private) if !reserve.has(&private) => private,
            Ok(_) => return tally.closed(Closed::Descriptors),
            Err(error) => {
                tracing::debug!("HTTPS: no connection to hickory-server: {error}");
                return tally.closed(Closed::Descriptors);
            }
        };
        let relayed = Relayed::of(client);
        let asked = Arc::clone(&relayed.asked);
        let Ok(_entry) = self.enter(&private, relayed) else { return };
        let ended = copy(stream, private, limits, &activity, &asked, &mut stopped).await;
        if let Ok(Some(reason)) = ended {
            tally.closed(reason);
        }
    }

    fn enter(&self, private: &TcpStream, relayed: Relayed) -> io::Result<Entry<'_>> {
        private.set_nodelay(true)?;
        let port = private.local_addr()?.port();
        self.clients().insert(port, relayed);
        Ok(Entry { relays: self, port })
    }

    pub(super) fn clients(&self) -> MutexGuard<'_, HashMap<u16, Relayed>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.relays.clients().remove(&self.port);
    }
}

/// Copies until a side closes, fails or must be ended; then says why the server ends it.
async fn copy(
    mut client: TcpStream,
    mut private: TcpStream,
    limits: StreamLimits,
    activity: &Activity,
    asked: &Notify,
    stopped: &mut watch::Receiver<()>,
) -> io::Result<Option<Closed>> {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_private, mut to_private) = private.split();
    let (mut up, mut down) = ([0; CHUNK], [0; CHUNK]);
    let (mut sent, mut since) = (0, Instant::now());
    let mut deadline = Instant::now() + limits.handshake + limits.first_query;
    let mut late = Closed::FirstQuery;
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => {
                pass_rest(&mut from_private, &mut to_client, limits.write).await?;
                return Ok(None);
            }
            () = asked.notified() => {
                activity.mark();
                deadline = Instant::now() + limits.caps.idle;
                late = Closed::Idle;
            }
            read = from_private.read(&mut down) => match read? {
                0 => return Ok(None),
                len => if !pass(&mut to_client, &down[..len], limits.write).await? {
                    return Ok(Some(Closed::Unread));
                }
            },
            read = from_client.read(&mut up) => {
                let len = read?;
                if len == 0 {
                    return Ok(None);
                }
                if since.elapsed() >= limits.caps.idle {
                    (sent, since) = (0, Instant::now());
                }
                sent += len;
                if sent > MAX_SENT {
                    pass_rest(&mut from_private, &mut to_client, limits.write).await?;
                    return Ok(Some(Closed::Volume));
                }
                if !pass(&mut to_private, &up[..len], limits.write).await? {
                    return Ok(Some(Closed::Unread));
                }
            }
            () = sleep_until(deadline) => return Ok(Some(late)),
        }
    }
}

/// Passes on the answers to what was asked before the end.
async fn pass_rest(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    time: Duration,
) -> io::Result<()> {
    let mut bytes = [0; CHUNK];
    while let Ok(len @ 1..) = timeout(ANSWER, from.read(&mut bytes)).await.unwrap_or(Ok(0)) {
        if !pass(to, &bytes[..len], time).await? {
            break;
        }
    }
    Ok(())
}

/// Passes bytes on; false if they are not taken in time.
async fn pass(
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    time: Duration,
) -> io::Result<bool> {
    match timeout(time, to.write_all(bytes)).await {
        Ok(written) => written.map(|()| true),
        Err(_) => Ok(false),
    }
}
