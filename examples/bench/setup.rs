//! What a server is to serve, and its command line for it.

use super::cores::Cores;
use super::load::Query;
use super::server::Server;
use anyhow::Result;
use std::fmt::Write;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

/// The programs that are measured.
pub(crate) struct Programs {
    pub(crate) dnsbld: PathBuf,
    pub(crate) rbldnsd: PathBuf,
    pub(crate) echo: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Dnsbld,
    Rbldnsd,
}

/// A data file and its type.
pub(crate) type Data = (String, PathBuf);

/// What a server is to serve, and how.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) program: Program,
    pub(crate) cores: Cores,
    /// Each zone, and the datasets stacked in it.
    pub(crate) zones: Vec<(String, Vec<Data>)>,
    /// Threads of dnsbld that answer; 0 for one per core.
    pub(crate) workers: usize,
    /// The folder in which dnsbld keeps snapshots, if it does.
    pub(crate) state: Option<PathBuf>,
    /// The network device whose queries dnsbld takes past the kernel's stack.
    pub(crate) device: Option<&'static str>,
    /// Whether rbldnsd answers from a copy of itself while it loads (`-f`).
    pub(crate) forks: bool,
}

impl Setup {
    /// One zone of one file.
    pub(crate) fn new(program: Program, cores: Cores, kind: &str, data: &Path) -> Self {
        let zones = vec![(super::APEX.to_owned(), vec![(kind.to_owned(), data.to_owned())])];
        Self { program, cores, zones, workers: 0, state: None, device: None, forks: false }
    }

    /// Starts it and waits for the answer to the query.
    ///
    /// # Errors
    ///
    /// Those of [`Server::start`].
    pub(crate) fn start(&self, programs: &Programs, probe: &Query) -> Result<Server> {
        self.start_at(programs, free_address()?, UdpSocket::bind("127.0.0.1:0")?, probe)
    }

    /// Starts it at this address, which the socket can reach.
    ///
    /// # Errors
    ///
    /// Those of [`Server::start`].
    pub(crate) fn start_at(
        &self,
        programs: &Programs,
        address: SocketAddr,
        socket: UdpSocket,
        probe: &Query,
    ) -> Result<Server> {
        let socket = (address, socket);
        match self.program {
            Program::Dnsbld => {
                let file = tempfile::Builder::new().suffix(".toml").tempfile()?;
                fs::write(&file, self.settings(address)?)?;
                let path = file.path().display().to_string();
                let arguments = ["serve".to_owned(), "--config".to_owned(), path];
                Server::start(&programs.dnsbld, &arguments, self.cores, socket, probe)
            }
            Program::Rbldnsd => {
                let bind = format!("{}/{}", address.ip(), address.port());
                let mut arguments: Vec<_> = ["-n", "-u", "rbldns", "-c", "0", "-b", &bind]
                    .map(str::to_owned)
                    .into_iter()
                    .collect();
                if self.forks {
                    arguments.push("-f".to_owned());
                }
                for (apex, stack) in &self.zones {
                    let spec = |(kind, file): &Data| format!("{apex}:{kind}:{}", file.display());
                    arguments.extend(stack.iter().map(spec));
                }
                Server::start(&programs.rbldnsd, &arguments, self.cores, socket, probe)
            }
        }
    }

    /// The settings of dnsbld. Zones that name the same file share a dataset, as in rbldnsd.
    fn settings(&self, address: SocketAddr) -> Result<String> {
        let mut text = format!("[server]\nlisten = [\"{address}\"]\nworkers = {}\n", self.workers);
        if let Some(device) = self.device {
            writeln!(text, "xdp = [{device:?}]")?;
        }
        if let Some(state) = &self.state {
            writeln!(text, "state-dir = {state:?}")?;
        }
        let mut files: Vec<&Data> = self.zones.iter().flat_map(|(_, stack)| stack).collect();
        files.sort();
        files.dedup();
        for (number, (kind, file)) in files.iter().enumerate() {
            writeln!(text, "[[dataset]]\nname = \"set-{number}\"\ntype = \"{kind}\"")?;
            writeln!(text, "files = [{file:?}]")?;
        }
        for (apex, stack) in &self.zones {
            let name = |data: &Data| files.binary_search(&data).map(|at| format!("set-{at}"));
            let names: Vec<_> = stack.iter().filter_map(|data| name(data).ok()).collect();
            writeln!(text, "[[zone]]\nname = \"{apex}\"\ndatasets = {names:?}")?;
        }
        Ok(text)
    }
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dnsbld => "dnsbld",
            Self::Rbldnsd => "rbldnsd",
        }
    }
}

impl Programs {
    /// Starts an echo with answers of this size and so many workers.
    ///
    /// # Errors
    ///
    /// Those of [`Server::start`].
    pub(crate) fn start_echo(
        &self,
        cores: Cores,
        size: f64,
        workers: usize,
        probe: &Query,
    ) -> Result<Server> {
        let address = free_address()?;
        let socket = (address, UdpSocket::bind("127.0.0.1:0")?);
        let (listen, size) = (address.to_string(), format!("{size:.0}"));
        let workers = workers.to_string();
        let arguments = ["--listen", &listen, "--size", &size, "--workers", &workers];
        Server::start(&self.echo, &arguments.map(str::to_owned), cores, socket, probe)
    }
}

fn free_address() -> Result<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    Ok(socket.local_addr()?)
}
