//! The two servers as processes, and one socket to each.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::scenario::Scenario;
use crate::common::query::{Query, TYPE_A};
use crate::common::{Process, as_nobody, free_port, wait_until};

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Program {
    /// Debian's rbldnsd.
    Rbldnsd,
    /// dnsbld by its own name.
    Dnsbld,
    /// dnsbld through a link called rbldnsd, with rbldnsd's command line.
    DropIn,
}

/// Queries sent before their replies are awaited: rbldnsd's receive buffer takes about 100.
const BURST: usize = 32;
/// The longest to wait for a reply that must come.
const PATIENCE: Duration = Duration::from_secs(5);
/// The wait for replies that may not come, and how often they are asked for.
const SILENCE: Duration = Duration::from_millis(60);
const TRIES: usize = 3;
/// IDs from here on are for the queries that end a burst, each another one.
const LAST: u16 = 0x8000;

/// A running server with its own folder of data files; it ends when this is dropped.
pub(crate) struct Server {
    pub(crate) program: Program,
    process: Process,
    socket: UdpSocket,
    bursts: Cell<u16>,
    /// With its data and its log.
    _folder: TempDir,
}

impl Server {
    /// Writes the files of `scenario` and starts `program` on them, without waiting for it.
    pub(crate) fn start(program: Program, scenario: &Scenario) -> Result<Self, String> {
        let folder = TempDir::new().map_err(|error| format!("no folder for data: {error}"))?;
        let data = folder.path().join("data");
        let written = fs::set_permissions(folder.path(), Permissions::from_mode(0o755))
            .and_then(|()| fs::create_dir(&data))
            .and_then(|()| scenario.write(&data));
        written.map_err(|error| format!("cannot write data files: {error}"))?;
        let address = SocketAddr::from((loopback(), free_port()));
        if program == Program::DropIn {
            symlink(env!("CARGO_BIN_EXE_dnsbld"), folder.path().join(NAME))
                .map_err(|error| format!("no link to dnsbld: {error}"))?;
        }
        let mut command = program.command(folder.path(), address, &scenario.options);
        command.args(scenario.specs.iter().map(ToString::to_string));
        let process = Process::start(&mut command, &folder.path().join("log"));
        let socket = client(address).map_err(|error| format!("no socket: {error}"))?;
        Ok(Self { program, process, socket, bursts: Cell::new(0), _folder: folder })
    }

    /// Waits until the server answers.
    pub(crate) fn wait(&mut self) -> Result<(), String> {
        let mut ended = None;
        let answers = wait_until(PATIENCE, || {
            ended = self.process.status();
            // It answers for some zones while it still loads those of others.
            let loads =
                self.program == Program::Dnsbld && !self.process.out().contains("ready after");
            ended.is_some() || (!loads && self.burst(&[], Duration::from_millis(20)).is_ok())
        });
        match ended {
            Some(status) => Err(format!("the server ended with {status}: {}", self.process.out())),
            None if answers => Ok(()),
            None => Err(format!("the server does not answer: {}", self.process.out())),
        }
    }

    /// Asks all `queries` and gives their replies; none where the server stays silent.
    pub(crate) fn ask(&self, queries: &[Query]) -> Result<Vec<Option<Vec<u8>>>, String> {
        let mut replies = Vec::with_capacity(queries.len());
        for run in queries.chunk_by(|a, b| a.from.is_none() == b.from.is_none()) {
            for burst in run.chunks(BURST) {
                if burst[0].from.is_some() {
                    replies.extend(self.burst_from_others(burst)?);
                    continue;
                }
                let packets: Vec<Vec<u8>> = burst.iter().map(Query::packet).collect();
                replies.extend(self.burst(&packets, PATIENCE)?);
            }
        }
        Ok(replies)
    }

    /// Sends queries from other addresses, any of which may get no reply to anything.
    fn burst_from_others(&self, queries: &[Query]) -> Result<Vec<Option<Vec<u8>>>, String> {
        let failed = |error: std::io::Error| format!("cannot ask from another address: {error}");
        let mut sockets = BTreeMap::new();
        for from in queries.iter().filter_map(|query| query.from) {
            sockets.insert(from, self.socket_at(from).map_err(failed)?);
        }
        let mut replies = vec![None; queries.len()];
        // rbldnsd answers in order, whoever asks; the threads of dnsbld do not.
        let (tries, patience) = match self.program {
            Program::Rbldnsd => (1, Duration::ZERO),
            Program::Dnsbld | Program::DropIn => (TRIES, SILENCE),
        };
        for _ in 0..tries {
            for (id, query) in (0..).zip(queries) {
                let Some(from) = query.from.filter(|_| replies[usize::from(id)].is_none()) else {
                    continue;
                };
                sockets[&from].send(&with_id(query.packet(), id)).map_err(failed)?;
            }
            self.burst(&[], PATIENCE)?;
            let mut received = Ok(());
            wait_until(patience, || {
                received =
                    sockets.values().try_for_each(|socket| receive_all(socket, &mut replies));
                received.is_err() || replies.iter().all(Option::is_some)
            });
            received.map_err(failed)?;
        }
        Ok(replies)
    }

    fn socket_at(&self, from: Ipv4Addr) -> std::io::Result<UdpSocket> {
        let socket = UdpSocket::bind((from, 0))?;
        socket.connect(self.socket.peer_addr()?)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    /// Sends the packets and then a query that is always answered. Both servers answer one
    /// client in order, so when that reply is there, what has not been answered will not be.
    fn burst(
        &self,
        packets: &[Vec<u8>],
        patience: Duration,
    ) -> Result<Vec<Option<Vec<u8>>>, String> {
        let failed =
            |error| format!("no reply to a plain question: {error}; {}", self.process.out());
        let last = Query::new(Vec::new(), TYPE_A).packet();
        self.bursts.set((self.bursts.get() + 1) % LAST);
        let last_id = LAST + self.bursts.get();
        for (id, packet) in (0..).zip(packets).chain([(last_id, &last)]) {
            self.socket.send(&with_id(packet.clone(), id)).map_err(failed)?;
        }
        self.socket.set_read_timeout(Some(patience)).map_err(failed)?;
        let mut replies = vec![None; packets.len()];
        let mut buffer = [0; 65_535];
        loop {
            let length = match self.socket.recv(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                received => received.map_err(failed)?,
            };
            let reply = &buffer[..length];
            let id = reply.first_chunk().copied().map(u16::from_be_bytes);
            match id {
                Some(id) if id == last_id => return Ok(replies),
                // The end of a burst that was given up while the server started.
                Some(LAST..) => {}
                Some(id) if usize::from(id) < replies.len() => {
                    if replies[usize::from(id)].replace(reply.to_vec()).is_some() {
                        return Err(format!("two replies to {:02x?}", packets[usize::from(id)]));
                    }
                }
                _ => return Err(format!("a reply to no question: {reply:02x?}")),
            }
        }
    }
}

/// A loopback address of this process: the servers are many, and other runs have as many.
fn loopback() -> Ipv4Addr {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | a, b, c)
}

/// The message with this ID, if it is long enough to have one.
fn with_id(mut packet: Vec<u8>, id: u16) -> Vec<u8> {
    if let Some(bytes) = packet.get_mut(..2) {
        bytes.copy_from_slice(&id.to_be_bytes());
    }
    packet
}

/// Takes what has come, by ID.
fn receive_all(socket: &UdpSocket, replies: &mut [Option<Vec<u8>>]) -> std::io::Result<()> {
    let mut buffer = [0; 65_535];
    loop {
        let length = match socket.recv(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            received => received?,
        };
        let reply = &buffer[..length];
        let id = reply.first_chunk().copied().map(u16::from_be_bytes);
        let place = id.and_then(|id| replies.get_mut(usize::from(id)));
        *place.ok_or(ErrorKind::InvalidData)? = Some(reply.to_vec());
    }
}

/// A socket that takes replies from this address alone.
fn client(address: SocketAddr) -> std::io::Result<UdpSocket> {
    loop {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        // The port of a server that has not bound it yet is as free as any other, and a socket that
        // has it would talk to itself.
        if socket.local_addr()?.port() != address.port() {
            socket.connect(address)?;
            return Ok(socket);
        }
    }
}

/// The name of the link to dnsbld.
const NAME: &str = "rbldnsd";

impl Program {
    /// True if it takes rbldnsd's command line.
    pub(crate) fn has_options(self) -> bool {
        self != Self::Dnsbld
    }

    /// The command that serves the files in `folder`/data at `address`; zones are still to be
    /// added.
    fn command(self, folder: &Path, address: SocketAddr, options: &[String]) -> Command {
        let data = folder.join("data");
        let program = match self {
            Self::Dnsbld => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
                command.args(["serve", "--listen", &address.to_string()]).current_dir(data);
                // Its control socket is not to be found by clients of other tests.
                command.env("RUNTIME_DIRECTORY", folder);
                return command;
            }
            Self::DropIn => folder.join(NAME),
            Self::Rbldnsd => {
                let path = std::env::var_os("RBLDNSD").unwrap_or("/usr/sbin/rbldnsd".into());
                let path = PathBuf::from(path);
                assert!(
                    path.exists(),
                    "there is no rbldnsd at {path:?}: install Debian's package rbldnsd, or say \
                     where it is in the environment variable RBLDNSD"
                );
                path
            }
        };
        let mut command = Command::new(program);
        // -q: a zone whose data cannot be loaded is SERVFAIL, else nothing would start.
        // -c 0: no reloads.
        command.args(["-n", "-q", "-c", "0", "-w"]).arg(data);
        command.arg("-b").arg(format!("{}/{}", address.ip(), address.port())).args(options);
        command.args(as_nobody().split_whitespace());
        command
    }
}
