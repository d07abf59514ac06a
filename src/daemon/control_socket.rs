//! The control socket: programs on this machine ask the server how it is, and tell it what to do.
//!
//! Each client has a task of its own, which hands a bounded request to the loop and writes the answer. Neither
//! the loop nor another client waits for a client that is slow or does not read: where there are too many that
//! have not sent their requests, the one that came first gives way.

pub(crate) mod follow;

use super::command::Command;
use super::control_place;
use super::handover;
use super::request::{Asked, ControlAnswer, ControlRequest, ReceivedRequest, Reply};
use crate::config::{ConfigSource, ControlPath};
use crate::event::{Event, EventSink, RecentEvents, SocketFault};
use follow::Followers;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use socket2::{Domain, SockAddr, Socket, Type};
use std::collections::VecDeque;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::Sender;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::timeout;
use tracing::debug;

/// The longest request in bytes, with its line feed.
const MAX_REQUEST: usize = 64 << 10;

/// How long a client may take to send its request, and to read the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a request may take. What it began goes on.
const LONGEST: Duration = Duration::from_secs(3600);

/// The most clients that have not sent their requests; as many may wait to be told something.
const MAX_CLIENTS: usize = 32;

/// The most clients in all. Those that wait until others have been told something hold a descriptor, too.
const MAX_OPEN: usize = 96;

/// The most clients that wait for the end of a change: it takes as long as the files do.
const MAX_CHANGES: usize = 16;

/// Who may connect: the server's user and its group.
const MODE: u32 = 0o660;

/// A control socket that is open; the file is removed when this is dropped.
pub(super) struct ControlSocket {
    path: PathBuf,
    /// The device and the number of the file.
    file: (u64, u64),
    followers: Followers,
}

impl ControlSocket {
    /// Opens the socket and serves its clients, inside the tokio runtime. Without one, the server can only
    /// not be asked. `replaced` is the socket of a server that is about to end, whose place it may take.
    pub(super) fn open(
        place: &ControlPath,
        replaced: Option<&Path>,
        serves: &ConfigSource,
        commands: &Sender<Command>,
        recent: Arc<RecentEvents>,
        sink: &dyn EventSink,
    ) -> Option<Self> {
        let is_usual = matches!(place, ControlPath::Usual);
        let mut places = control_place::of_server(place).into_iter();
        let mut path = places.next()?;
        let opened = loop {
            match (bind(&path, is_usual, replaced == Some(&*path)), places.next()) {
                (Err(SocketFault::InUse), Some(next)) => path = next,
                (opened, _) => break opened,
            }
        };
        match opened {
            Ok((listener, file)) => {
                let followers = Followers::of(recent);
                let server = Server::new(serves.clone(), commands.clone(), followers.clone());
                tokio::spawn(server.serve(listener));
                Some(Self { path, file, followers })
            }
            Err(fault) => {
                sink.emit(&Event::ControlSocketNotOpened { socket: path, fault });
                None
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until those who follow the events have the last of them, but not for those who do not read.
    pub(super) async fn close(self) {
        self.followers.end().await;
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // The file may be that of another server by now.
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl From<io::Error> for SocketFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Binds the socket; in place of that of a server that has ended, but not of one that lives, unless this one replaces
/// it: then clients find the one or the other at any moment.
fn bind(
    path: &Path,
    is_usual: bool,
    replaces: bool,
) -> Result<(UnixListener, (u64, u64)), SocketFault> {
    let made = if replaces { path.with_extension("new") } else { path.to_owned() };
    let address = SockAddr::unix(&made)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    control_place::make_folder(folder)?;
    // Whoever names a place knows its folder.
    if is_usual && !control_place::is_trusted(folder)? {
        return Err(SocketFault::ForeignFolder);
    }
    // Two servers that start at one time must not both remove what they find. The system lets go of the lock
    // with the file.
    let lock = File::open(folder)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(io::Error::from)?;
    remove_stale(&made, &address)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&address)?;
    // Nobody can connect before it listens.
    fs::set_permissions(&made, Permissions::from_mode(MODE))?;
    socket.listen(MAX_CLIENTS as i32)?;
    if replaces {
        fs::rename(&made, path)?;
    }
    socket.set_nonblocking(true)?;
    Ok((UnixListener::from_std(socket.into())?, identity(path)?))
}

/// Removes the socket of a server that has ended.
fn remove_stale(path: &Path, address: &SockAddr) -> Result<(), SocketFault> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(file) if !file.file_type().is_socket() => return Err(SocketFault::NotASocket),
        Ok(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(address) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(error.into()),
        // A server that has no room for a client lives, too.
        Ok(()) | Err(_) => Err(SocketFault::InUse),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// What answers clients.
struct Server {
    /// Its configuration.
    serves: ConfigSource,
    commands: Sender<Command>,
    followers: Followers,
    /// Room for all clients.
    open: Arc<Semaphore>,
    /// Room for those who wait to be told something.
    asking: Semaphore,
    /// Room for those who wait for the end of a change.
    changing: Semaphore,
}

impl Server {
    fn new(serves: ConfigSource, commands: Sender<Command>, followers: Followers) -> Arc<Self> {
        let (asking, changing) = (Semaphore::new(MAX_CLIENTS), Semaphore::new(MAX_CHANGES));
        let open = Arc::new(Semaphore::new(MAX_OPEN));
        Arc::new(Self { serves, commands, followers, open, asking, changing })
    }

    async fn serve(self: Arc<Self>, listener: UnixListener) {
        // Those whose requests have not come, in the order of their arrival.
        let mut silent: VecDeque<oneshot::Sender<()>> = VecDeque::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let Ok(place) = Arc::clone(&self.open).try_acquire_owned() else {
                        refuse(&stream);
                        continue;
                    };
                    silent.retain(|client| !client.is_closed());
                    if silent.len() == MAX_CLIENTS {
                        silent.pop_front();
                    }
                    let (client, gives_way) = oneshot::channel();
                    silent.push_back(client);
                    let server = Arc::clone(&self);
                    tokio::spawn(async move {
                        server.attend(stream, gives_way, PATIENCE).await;
                        drop(place);
                    });
                }
                // No descriptor is left, for example: that passes.
                Err(error) => {
                    debug!("control socket: cannot accept: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Takes one request of a client, which has `patience` to send it and to read the answer, and answers it;
    /// before the request has come, the client may have to give way to another.
    async fn attend(
        &self,
        mut stream: UnixStream,
        gives_way: oneshot::Receiver<()>,
        patience: Duration,
    ) {
        let user = stream.peer_cred().ok().map(|peer| peer.uid());
        let request = tokio::select! {
            request = timeout(patience, read_request(&mut stream)) => request,
            _ = gives_way => return,
        };
        let (answer, _room) = match request {
            Ok(Ok(ReceivedRequest { config: Some(config), .. }))
                if !self.serves.is_file(&config) =>
            {
                (ControlAnswer::of_another(&self.serves), None)
            }
            Ok(Ok(ReceivedRequest {
                request: ControlRequest::Events { last, follow: true },
                ..
            })) => match self.followers.serve(&mut stream, last).await {
                Ok(()) => return,
                Err(full) => (ControlAnswer::refused(full), None),
            },
            Ok(Ok(ReceivedRequest { request, .. })) if request.is_change() => {
                self.change(request, user).await
            }
            Ok(Ok(ReceivedRequest { request, .. })) => {
                let room = self.asking.acquire().await.ok();
                (self.ask(request).await, room)
            }
            Ok(Err(fault)) => (ControlAnswer::refused(fault), None),
            Err(_) => {
                let fault = "the request did not come in time; send it within 10 s";
                (ControlAnswer::refused(fault), None)
            }
        };
        if let ControlAnswer::HandOver(handover) = answer {
            return handover::give(handover, &mut stream, &self.commands).await;
        }
        if timeout(patience, send(&mut stream, &answer)).await.is_err() {
            debug!("control socket: a client does not read its answer");
        }
    }

    /// Has the loop change something for this user, who waits for that; with the room that this takes.
    async fn change(
        &self,
        request: ControlRequest,
        user: Option<u32>,
    ) -> (ControlAnswer, Option<SemaphorePermit<'_>>) {
        if !may_change(user) {
            let fault = "this user may only read; run the command as root or as the user that the server \
                         runs as";
            return (ControlAnswer::refused(fault), None);
        }
        match self.changing.try_acquire() {
            Ok(room) => (self.ask(request).await, Some(room)),
            Err(_) => {
                let fault = format!(
                    "{MAX_CHANGES} others wait for the end of such commands; see `dnsbld status`, and try \
                     again later"
                );
                (ControlAnswer::refused(fault), None)
            }
        }
    }

    /// Has the loop obey a request.
    async fn ask(&self, request: ControlRequest) -> ControlAnswer {
        let (sender, reply) = oneshot::channel();
        let asked = Command::Ask(Asked { request, reply: Reply(sender) });
        let answer = async {
            self.commands.send(asked).await.ok()?;
            reply.await.ok()
        };
        match timeout(LONGEST, answer).await {
            Ok(Some(answer)) => answer,
            Ok(None) => ControlAnswer::refused("the server is stopping"),
            Err(_) => ControlAnswer::refused("the server is still at it after an hour; it goes on"),
        }
    }
}

/// Tells a client that there is no room for it, unless it would have to wait for that.
fn refuse(stream: &UnixStream) {
    let fault = format!("{MAX_OPEN} others are connected; try again later");
    if let Ok(mut text) = serde_json::to_vec(&ControlAnswer::refused(fault)) {
        text.push(b'\n');
        let _ = stream.try_write(&text);
    }
}

/// Sends a line of JSON.
async fn send(stream: &mut UnixStream, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    stream.write_all(&text).await
}

/// True for root and the server's own user.
fn may_change(user: Option<u32>) -> bool {
    let own = rustix::process::geteuid().as_raw();
    user.is_some_and(|user| user == 0 || user == own)
}

/// What is wrong with a request.
#[derive(Debug, thiserror::Error)]
enum RequestFault {
    #[error("the request has no end; end it with a line feed")]
    NoEnd,
    #[error("the request is longer than {MAX_REQUEST} bytes")]
    TooLong,
    #[error(
        "the request is none that this server knows: {0}; ask with a dnsbld of the server's version"
    )]
    Unknown(#[from] serde_json::Error),
    #[error("the request cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads a request: one line of JSON. What comes after it is not read.
async fn read_request(
    from: &mut (impl AsyncRead + Unpin),
) -> Result<ReceivedRequest, RequestFault> {
    let mut text = Vec::new();
    loop {
        let start = text.len();
        let mut part = (&mut *from).take((MAX_REQUEST - start) as u64);
        if part.read_buf(&mut text).await? == 0 {
            return Err(if start < MAX_REQUEST {
                RequestFault::NoEnd
            } else {
                RequestFault::TooLong
            });
        }
        if let Some(end) = memchr::memchr(b'\n', &text[start..]) {
            return Ok(ReceivedRequest::read(&text[..start + end])?);
        }
    }
}

#[cfg(test)]
mod tests;
