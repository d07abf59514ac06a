//! The two servers as processes, and one socket to each.

use std::cell::Cell;
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::query::{Query, TYPE_A};
use crate::scenario::Scenario;

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Program {
    Rbldnsd,
    Dnsbld,
}

/// Queries sent before their replies are awaited: rbldnsd's receive buffer takes about 100.
const BURST: usize = 32;
/// The longest to wait for a reply that must come.
const PATIENCE: Duration = Duration::from_secs(5);
/// The wait for a reply that may not come.
const SILENCE: Duration = Duration::from_millis(150);
/// IDs from here on are for the queries that end a burst, each another one.
const LAST: u16 = 0x8000;

/// A running server with its own folder of data files; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    socket: UdpSocket,
    folder: TempDir,
    bursts: Cell<u16>,
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
        let address = free_address();
        let mut command = program.command(&data, address);
        command.args(scenario.specs.iter().map(ToString::to_string));
        let log = File::create(folder.path().join("log")).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let child = child.map_err(|error| format!("cannot start {program:?}: {error}"))?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|socket| socket.connect(address).map(|()| socket))
            .map_err(|error| format!("no socket: {error}"))?;
        Ok(Self { child, socket, folder, bursts: Cell::new(0) })
    }

    /// Waits until the server answers.
    pub(crate) fn wait(&mut self) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the server ended with {status}: {}", self.log()));
            }
            if self.burst(&[], Duration::from_millis(20)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(format!("the server does not answer: {}", self.log()))
    }

    /// Asks all `queries` and gives their replies; none where the server stays silent.
    pub(crate) fn ask(&self, queries: &[Query]) -> Result<Vec<Option<Vec<u8>>>, String> {
        let mut replies = Vec::with_capacity(queries.len());
        for run in queries.chunk_by(|a, b| a.from.is_none() && b.from.is_none()) {
            if let [Query { from: Some(from), .. }] = run {
                replies.push(self.ask_from(*from, &run[0].packet())?);
                continue;
            }
            for burst in run.chunks(BURST) {
                let packets: Vec<Vec<u8>> = burst.iter().map(Query::packet).collect();
                replies.extend(self.burst(&packets, PATIENCE)?);
            }
        }
        Ok(replies)
    }

    /// Asks from another address, which may get no reply to anything.
    fn ask_from(&self, from: Ipv4Addr, packet: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let failed = |error: std::io::Error| format!("cannot ask from {from}: {error}");
        let socket = UdpSocket::bind((from, 0)).map_err(failed)?;
        let server = self.socket.peer_addr().map_err(failed)?;
        socket.connect(server).map_err(failed)?;
        socket.send(packet).map_err(failed)?;
        let mut buffer = [0; 65_535];
        // Once a later question has its reply, this one had its own or will have none.
        for last in [false, true] {
            socket.set_read_timeout(Some(SILENCE)).map_err(failed)?;
            match socket.recv(&mut buffer) {
                Ok(length) => return Ok(Some(buffer[..length].to_vec())),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(failed(error)),
            }
            if !last {
                self.burst(&[], PATIENCE)?;
            }
        }
        Ok(None)
    }

    /// Sends the packets and then a query that is always answered. Both servers answer one
    /// client in order, so when that reply is there, what has not been answered will not be.
    fn burst(
        &self,
        packets: &[Vec<u8>],
        patience: Duration,
    ) -> Result<Vec<Option<Vec<u8>>>, String> {
        let failed = |error| format!("no reply to a plain question: {error}; {}", self.log());
        let last = Query::new(Vec::new(), TYPE_A).packet();
        self.bursts.set((self.bursts.get() + 1) % LAST);
        let last_id = LAST + self.bursts.get();
        for (id, packet) in (0..).zip(packets).chain([(last_id, &last)]) {
            let mut packet = packet.clone();
            if let Some(bytes) = packet.get_mut(..2) {
                bytes.copy_from_slice(&u16::to_be_bytes(id));
            }
            self.socket.send(&packet).map_err(failed)?;
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

    /// What the server has printed.
    fn log(&self) -> String {
        let mut log = String::new();
        let read = File::open(self.folder.path().join("log"))
            .and_then(|mut file| file.read_to_string(&mut log));
        read.map_or_else(|error| format!("its log is unreadable: {error}"), |_| log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The child may have ended by itself, which a test has noticed by now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// The command that serves the files in `data` at `address`; zones are still to be added.
    fn command(self, data: &Path, address: SocketAddr) -> Command {
        match self {
            Self::Rbldnsd => {
                let path = std::env::var_os("RBLDNSD").unwrap_or("/usr/sbin/rbldnsd".into());
                assert!(
                    Path::new(&path).exists(),
                    "there is no rbldnsd at {path:?}: install Debian's package rbldnsd, or say \
                     where it is in the environment variable RBLDNSD"
                );
                let mut command = Command::new(path);
                // -q: a zone whose data cannot be loaded is SERVFAIL, else nothing would start.
                // -c 0: no reloads. -a and -t: see `wanted::MADE_EQUAL`.
                command.args(["-n", "-q", "-c", "0", "-a", "-t", "1800", "-w"]).arg(data);
                command.arg("-b").arg(format!("{}/{}", address.ip(), address.port()));
                if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
                    command.args(["-u", "rbldns"]);
                }
                command
            }
            Self::Dnsbld => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
                command.args(["serve", "--listen", &address.to_string()]).current_dir(data);
                command
            }
        }
    }
}

/// A port on loopback that is free for UDP and TCP.
fn free_address() -> SocketAddr {
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = udp.local_addr().expect("a bound socket has an address");
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
