//! The server under test. It is dnsbld; with `RBL_UNDER_TEST=rbldnsd` in the environment it is
//! Debian's rbldnsd, which shows whether a test is sound.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use rustix::process::Signal;
use tempfile::TempDir;

use super::{Client, Process, as_nobody, free_port, temp_dir};

/// How long loading may take at the start.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server on a loopback port of its own; ends when dropped.
pub(crate) struct Server {
    process: Process,
    /// The addresses for UDP and TCP.
    pub(crate) plain: Vec<SocketAddr>,
    /// The addresses for TLS.
    tls: Vec<SocketAddr>,
    /// With its log; removed after the server has ended.
    _folder: TempDir,
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

    /// Runs `dnsbld serve` with these arguments in the folder `cwd` and waits for its report. Have
    /// it listen on port 0.
    pub(crate) fn reporting(arguments: &[&str], cwd: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
        let mut server = Self::launch(command.arg("serve").args(arguments).current_dir(cwd));
        server.process.wait(START_LIMIT, |process| {
            process.out().lines().any(|line| line.starts_with("try:"))
        });
        for line in server.log().lines().filter_map(|line| line.strip_prefix("listening on ")) {
            let (list, what) = line.split_once(" (").expect("addresses (what they are for)");
            let addresses =
                list.split(", ").map(|address| address.parse::<SocketAddr>().expect("an address"));
            let all = if what == "TLS)" { &mut server.tls } else { &mut server.plain };
            all.extend(addresses);
        }
        server
    }

    fn run<'a>(
        command: &mut Command,
        addr: SocketAddr,
        apexes: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut server = Self::launch(command);
        server.plain.push(addr);
        let client = Client::new(addr);
        for apex in apexes {
            server.process.wait(START_LIMIT, |_| {
                let reply = client.ask(apex, RecordType::SOA);
                reply.is_ok_and(|reply| reply.rcode() != ResponseCode::ServFail)
            });
        }
        server
    }

    fn launch(command: &mut Command) -> Self {
        let folder = temp_dir();
        command.env("RUNTIME_DIRECTORY", folder.path());
        let process = Process::start(command, &folder.path().join("log"));
        Self { process, plain: Vec::new(), tls: Vec::new(), _folder: folder }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Where it listens, UDP and TCP.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.plain[0]
    }

    /// Where it listens for TLS.
    pub(crate) fn tls(&self) -> SocketAddr {
        self.tls[0]
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        self.process.out()
    }
}

/// The command line but for the zones.
fn command(addr: SocketAddr) -> Command {
    match env::var("RBL_UNDER_TEST") {
        Err(_) => dnsbld(addr),
        Ok(program) => {
            let mut command = Command::new(program);
            let bind = format!("{}/{}", addr.ip(), addr.port());
            command.args(["-n", "-c", "1s", "-b", &bind]).args(as_nobody().split_whitespace());
            command
        }
    }
}

fn dnsbld(addr: SocketAddr) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(["serve", "--listen", &addr.to_string()]);
    command
}
