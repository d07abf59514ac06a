//! What the integration tests share: processes that end with the test, free ports, folders, and
//! in the submodules DNS clients, the server under test, an rsync daemon, a resolver, and a place
//! of their own for tests that need one.

mod daemon;
mod dig;
mod dns;
mod place;
mod rsync;
mod sealed;
mod server;
mod serving;
mod stream;
mod unbound;

pub(crate) use daemon::{Daemon, Setup, send_signal_to_group};
pub(crate) use dig::{Shown, dig, kdig};
pub(crate) use dns::{Client, Reply, query, reversed};
pub(crate) use place::{Foreground, LIMIT, NOBODY, Place, as_nobody, ended};
pub(crate) use rsync::{RsyncDaemon, mirror};
pub(crate) use sealed::{add_address, hide, is_root, run, sealed};
pub(crate) use server::Server;
pub(crate) use serving::Serving;
pub(crate) use stream::{Feed, Stream, Style};
pub(crate) use unbound::Unbound;

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A folder of the test's own that other users may read, for servers that drop their privileges.
pub(crate) fn temp_dir() -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("its mode is ours");
    dir
}

/// A port of 127.0.0.1 that is free for UDP and TCP. It is below those that the system gives to
/// clients, and each call gives another one, so that tests do not take each other's.
pub(crate) fn free_port() -> u16 {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    loop {
        let offset = process::id() % 22_000 * 101 + CALLS.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_000 + offset % 22_000).expect("below 32,000");
        let addr = (Ipv4Addr::LOCALHOST, port);
        if UdpSocket::bind(addr).is_ok() && TcpListener::bind(addr).is_ok() {
            return port;
        }
    }
}

/// Asks again and again until `done` says yes; false if that took longer than `limit`.
pub(crate) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

/// The names in a folder, hidden ones too, sorted.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A program that runs beside the test and is killed when this is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it without input; what it says goes to the file `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::create(log).expect("the log can be written");
        let errors = log.try_clone().expect("a second handle of the log");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        Self(command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.0);
        kill_process(id, signal).expect("it is our child, and has not been waited for");
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.status().is_some()
    }

    /// How it has ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("it is our child")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
