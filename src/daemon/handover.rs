//! A server that takes the place of another one without losing a query (`dnsbld serve --replace`).
//!
//! ```text
//! new: hand-over ->           old: its sockets, by SCM_RIGHTS; it goes on answering
//! new: loads all lists, answers from the same sockets
//! new: line feed ->           old: stops to read, answers what it has read, ends
//! ```
//!
//! The sockets stay the same, so that no query waits in one that nobody reads, and no connection is refused. If
//! the new server ends before it is ready, the old one goes on as if nothing had happened.

use super::command::Command;
use super::control_place;
use super::request::{ControlRefusal, ControlRequest, Handover, SentRequest};
use crate::config::{ConfigSource, ControlPath};
use crate::wire::name::NameBuf;
use crate::zone::{Catalog, Zone, ZoneState};
use anyhow::{Context as _, bail, ensure};
use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

/// Descriptors of one message; the system takes 253 at the most.
const AT_ONCE: usize = 64;

/// The most sockets that are taken from another server.
const MOST: usize = 4096;

/// The longest answer in bytes.
const MAX_ANSWER: usize = 16 << 20;

/// How long the server that is to be replaced may take to hand its sockets over.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the old server may take to end before the new one goes on without the state folder.
const END: Duration = Duration::from_secs(10);

/// The end of an answer, and the word that the new server is ready.
const LINE_FEED: u8 = b'\n';

/// Hands the sockets to a client, waits until that is ready to answer, and has the loop end then. Holds the
/// connection until the end of this process, which tells the client of it.
pub(super) async fn give(handover: Handover, stream: &mut UnixStream, commands: &Sender<Command>) {
    let mut word = [0];
    let is_ready = async {
        send(handover, stream).await?;
        stream.read_exact(&mut word).await
    };
    // However long that takes: were it given up while the other one lives, both would answer, and neither would end.
    let is_ready = is_ready.await.is_ok() && word[0] == LINE_FEED;
    let ended = commands.send(Command::EndHandover { is_ready }).await;
    if is_ready && ended.is_ok() {
        let _ = stream.read(&mut word).await;
    }
}

/// Sends an answer, before which come the descriptors, each message of them with a blank.
async fn send(handover: Handover, stream: &mut UnixStream) -> io::Result<()> {
    let descriptors: Vec<_> = handover.descriptors.iter().map(OwnedFd::as_fd).collect();
    for some in descriptors.chunks(AT_ONCE) {
        stream.async_io(Interest::WRITABLE, || send_descriptors(stream.as_fd(), some)).await?;
    }
    let mut text = serde_json::to_vec(&handover)?;
    text.push(LINE_FEED);
    stream.write_all(&text).await
}

fn send_descriptors(to: BorrowedFd<'_>, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(AT_ONCE))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(descriptors));
    sendmsg(to, &[IoSlice::new(b" ")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The server whose place this one takes; it answers until [`release`](Self::release).
#[derive(Debug)]
pub(crate) struct Predecessor {
    stream: BlockingStream,
    process: u32,
    zones: Vec<String>,
    socket: PathBuf,
}

impl Predecessor {
    /// Asks the server of this configuration, which has its control socket there, for its sockets; `None` if no
    /// server answers there.
    ///
    /// # Errors
    ///
    /// The server does not hand them over, or cannot be asked.
    pub(super) fn find(
        control: &ControlPath,
        source: &ConfigSource,
    ) -> anyhow::Result<Option<(Self, Vec<OwnedFd>)>> {
        ensure!(
            *control != ControlPath::Off,
            "--replace asks the running server by its control socket, which the settings turn off (control = \
             \"off\"); give it one, and restart it once without --replace"
        );
        for socket in control_place::of_client(control) {
            let stream = match BlockingStream::connect(&socket) {
                Ok(stream) => stream,
                Err(error) if is_nobody(&error) => continue,
                Err(error) => return Err(error).with_context(|| cannot_take_over(&socket)),
            };
            let taken = Self::ask(stream, &socket, source);
            if let Some(taken) = taken.with_context(|| cannot_take_over(&socket))? {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    /// `None` if it is a server of another configuration.
    fn ask(
        mut stream: BlockingStream,
        socket: &Path,
        source: &ConfigSource,
    ) -> anyhow::Result<Option<(Self, Vec<OwnedFd>)>> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let request = &ControlRequest::HandOver { process: std::process::id() };
        let config = source.path().map(|file| file.display().to_string());
        let mut line = serde_json::to_vec(&SentRequest { request, config })?;
        line.push(LINE_FEED);
        stream.write_all(&line)?;
        let (text, descriptors) = receive(&stream)?;
        if let Ok(refusal) = serde_json::from_slice::<ControlRefusal>(&text) {
            ensure!(refusal.other_server, "it refuses: {}", refusal.error);
            return Ok(None);
        }
        let Handover { process, sockets, zones, .. } = serde_json::from_slice(&text)?;
        ensure!(
            sockets == descriptors.len(),
            "{} of its {sockets} sockets have come; raise the limit of open files (ulimit -n)",
            descriptors.len()
        );
        let socket = socket.to_owned();
        Ok(Some((Self { stream, process, zones, socket }, descriptors)))
    }

    /// Its process id.
    pub(super) fn process(&self) -> u32 {
        self.process
    }

    /// Its control socket.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Makes sure that nothing gets worse.
    ///
    /// # Errors
    ///
    /// It answers a zone for which this catalog has nothing.
    pub(super) fn ensure_answered(&self, catalog: &Catalog) -> anyhow::Result<()> {
        let answers = |zone: &Zone| {
            let is_name =
                |text: &String| text.parse::<NameBuf>().is_ok_and(|name| name == zone.apex);
            self.zones.iter().any(is_name)
        };
        let mut missing = catalog.zones().iter().filter(|zone| zone.state == ZoneState::Unloaded);
        if let Some(zone) = missing.find(|zone| answers(zone)) {
            bail!(
                "zone {} cannot be loaded, and process {} answers it; that one goes on, and this one ends; see above \
                 what is wrong with the lists of the zone",
                zone.apex,
                self.process
            );
        }
        Ok(())
    }

    /// Tells it that this server answers, and waits until it has ended, so that its state folder is free; not
    /// for ever.
    pub(super) async fn release(self) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        let mut stream = UnixStream::from_std(self.stream)?;
        stream.write_all(&[LINE_FEED]).await?;
        let mut word = [0];
        let _ = timeout(END, stream.read(&mut word)).await;
        Ok(())
    }
}

fn cannot_take_over(socket: &Path) -> String {
    format!(
        "the server at {} keeps its place, and goes on; this one cannot replace it",
        socket.display()
    )
}

/// Nobody listens there.
fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// Reads an answer without its end, and the descriptors that come with it.
fn receive(stream: &BlockingStream) -> anyhow::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let (mut text, mut descriptors) = (Vec::new(), Vec::new());
    while text.last() != Some(&LINE_FEED) {
        ensure!(
            text.len() < MAX_ANSWER && descriptors.len() <= MOST,
            "its answer is longer than any can be; use a dnsbld of the server's version"
        );
        let mut part = [0; 4096];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(AT_ONCE))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let into = &mut [IoSliceMut::new(&mut part)];
        let received = recvmsg(stream, into, &mut control, RecvFlags::CMSG_CLOEXEC)?.bytes;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(some) = message {
                descriptors.extend(some);
            }
        }
        ensure!(received > 0, "it has closed the connection; see its log");
        text.extend_from_slice(&part[..received]);
    }
    Ok((text, descriptors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::command::commands;
    use std::net::UdpSocket;

    fn handover(sockets: usize) -> (Handover, Vec<u16>) {
        let sockets = (0..sockets).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
        let sockets: Vec<_> = sockets.collect();
        let ports = sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        let descriptors = sockets.into_iter().map(OwnedFd::from).collect();
        (Handover::new(descriptors, &[]), ports)
    }

    fn pair() -> (BlockingStream, UnixStream) {
        let (new, old) = BlockingStream::pair().unwrap();
        old.set_nonblocking(true).unwrap();
        (new, UnixStream::from_std(old).unwrap())
    }

    #[tokio::test]
    async fn sockets_come_in_their_order_and_the_word_ends_the_old_server() {
        let (handover, ports) = handover(AT_ONCE + 3);
        let (new, mut old) = pair();
        let (sender, mut commands) = commands();
        let giving = tokio::spawn(async move { give(handover, &mut old, &sender).await });
        let (new, (text, descriptors)) = tokio::task::spawn_blocking(move || {
            let received = receive(&new).unwrap();
            (new, received)
        })
        .await
        .unwrap();
        let told: Handover = serde_json::from_slice(&text).unwrap();
        assert_eq!((told.process, told.sockets), (std::process::id(), ports.len()));
        let sockets = descriptors.into_iter().map(UdpSocket::from);
        let got: Vec<u16> = sockets.map(|socket| socket.local_addr().unwrap().port()).collect();
        assert_eq!(got, ports);
        (&new).write_all(b"\n").unwrap();
        let command = commands.recv().await;
        assert!(matches!(command, Some(Command::EndHandover { is_ready: true })));
        assert!(!giving.is_finished(), "the connection tells of the end of the process");
        drop(new);
        giving.await.unwrap();
    }

    #[tokio::test]
    async fn a_new_server_that_ends_before_it_is_ready_leaves_the_old_one_at_work() {
        let (handover, _) = handover(1);
        let (new, mut old) = pair();
        let (sender, mut commands) = commands();
        let giving = tokio::spawn(async move { give(handover, &mut old, &sender).await });
        tokio::task::spawn_blocking(move || receive(&new).map(drop)).await.unwrap().unwrap();
        let command = commands.recv().await;
        assert!(matches!(command, Some(Command::EndHandover { is_ready: false })));
        giving.await.unwrap();
    }
}
