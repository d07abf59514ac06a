//! The server under test. It is dnsbld; with `RBL_UNDER_TEST=rbldnsd` in the environment it is
//! Debian's rbldnsd, which shows whether a test is sound.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use rustix::process::Signal;
use tempfile::TempDir;

use super::{Client, Process, free_port, temp_dir, wait_until};

/// How long loading may take at the start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running server on a loopback port of its own; ends when dropped.
pub(crate) struct Server {
    process: Process,
    folder: TempDir,
    addr: SocketAddr,
}

impl Server {
    /// Serves zones given as `apex:type:file,...` and waits until all of them are answered.
    pub(crate) fn start(zones: &[&str]) -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let apexes = zones.iter().map(|zone| zone.split(':').next().unwrap_or_default());
        Self::run(command(addr).args(zones), addr, apexes)
    }

    /// Serves the sample zones as a fresh checkout does, on port 5300. So start it only when
    /// sealed.
    pub(crate) fn samples() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
        command.arg("serve").current_dir(env!("CARGO_MANIFEST_DIR"));
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 5300));
        Self::run(&mut command, addr, ["l2.apews.org"].into_iter())
    }

    /// Serves what a configuration says, but at `addr`, and waits until `apexes` are answered.
    pub(crate) fn configured(config: &Path, addr: SocketAddr, apexes: &[&str]) -> Self {
        let mut command = dnsbld(addr);
        Self::run(command.arg("--config").arg(config), addr, apexes.iter().copied())
    }

    fn run<'a>(
        command: &mut Command,
        addr: SocketAddr,
        apexes: impl Iterator<Item = &'a str>,
    ) -> Self {
        let folder = temp_dir();
        let process = Process::start(command, &folder.path().join("log"));
        let mut server = Self { process, folder, addr };
        for apex in apexes {
            server.wait_for(apex);
        }
        server
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Where it listens, UDP and TCP.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_for(&mut self, apex: &str) {
        let client = Client::new(self.addr);
        let answered = wait_until(START_LIMIT, || {
            let reply = client.ask(apex, RecordType::SOA);
            reply.is_ok_and(|reply| reply.rcode() != ResponseCode::ServFail)
                || self.process.has_ended()
        });
        assert!(answered, "{apex} is not served after {START_LIMIT:?}:\n{}", self.log());
        assert!(!self.process.has_ended(), "the server has ended:\n{}", self.log());
    }
}

/// The command line but for the zones.
fn command(addr: SocketAddr) -> Command {
    match env::var("RBL_UNDER_TEST") {
        Err(_) => dnsbld(addr),
        Ok(program) => {
            let mut command = Command::new(program);
            let bind = format!("{}/{}", addr.ip(), addr.port());
            command.args(["-n", "-u", "rbldns", "-c", "1s", "-b", &bind]);
            command
        }
    }
}

fn dnsbld(addr: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(["serve", "--listen", &addr.to_string()]);
    command
}
