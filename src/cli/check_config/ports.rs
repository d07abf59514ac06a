//! Whether a server could listen on its addresses.

use super::super::client;
use super::report::{Listen, Problem, Report};
use crate::config::{self, ConfigSource};
use crate::server::listen::{self, ListenError};
use crate::status::Status;
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A server that answers at the control socket of a configuration.
pub(super) struct Running {
    status: Status,
    /// It has the same configuration file.
    is_of_this: bool,
}

impl Running {
    /// The server behind the control socket of the configuration, if there is one that may be asked.
    pub(super) fn find(source: &ConfigSource) -> Option<Self> {
        let status = client::status(&source.control())?;
        // The path may be relative to the folder of that process.
        let folder = format!("/proc/{}/cwd", status.server.pid);
        let theirs = fs::canonicalize(Path::new(&folder).join(&status.server.config));
        let ours = fs::canonicalize(PathBuf::from(source.to_string()));
        let is_of_this = matches!((theirs, ours), (Ok(theirs), Ok(ours)) if theirs == ours);
        Some(Self { status, is_of_this })
    }

    /// The process, if it is the server of this configuration.
    pub(super) fn process(&self) -> Option<u32> {
        self.is_of_this.then_some(self.status.server.pid)
    }
}

/// Binds each address for a moment. One that the running server of this configuration has is free for the next.
pub(super) fn check(report: &mut Report, server: &config::Server, running: Option<&Running>) {
    let plain = |address| {
        let bound = listen::udp(address, 1).map(drop);
        bound.and_then(|()| listen::tcp(address).map(drop))
    };
    let tcp = |address| listen::tcp(address).map(drop);
    let listening = running.map(|running| &running.status.server.listening);
    for &address in &server.listen {
        let theirs = listening.is_some_and(|listening| listening.plain.contains(&address));
        one(report, address, "UDP and TCP", plain(address), running.filter(|_| theirs));
    }
    for &address in server.tls.iter().flat_map(|tls| &tls.listen) {
        let theirs = listening.is_some_and(|listening| listening.tls.contains(&address));
        one(report, address, "TLS", tcp(address), running.filter(|_| theirs));
    }
    for &address in server.tls.iter().flat_map(|tls| &tls.https_listen) {
        let theirs = listening.is_some_and(|listening| listening.https.contains(&address));
        one(report, address, "HTTPS", tcp(address), running.filter(|_| theirs));
    }
    for &address in server.http.iter().flat_map(|http| &http.listen) {
        let theirs = listening.is_some_and(|listening| listening.http.contains(&address));
        one(report, address, "HTTP", tcp(address), running.filter(|_| theirs));
    }
}

fn one(
    report: &mut Report,
    address: SocketAddr,
    protocol: &'static str,
    bound: Result<(), ListenError>,
    holder: Option<&Running>,
) {
    let in_use = matches!(&bound, Err(error) if error.cause.kind() == ErrorKind::AddrInUse);
    let holder = holder.filter(|_| in_use);
    let served_by = holder.and_then(Running::process);
    report.listen.push(Listen { address, protocol, served_by });
    let Err(error) = bound else { return };
    if served_by.is_some() {
        return;
    }
    let mut message = error.to_string();
    if let Some(Running { status, .. }) = holder {
        let (process, config) = (status.server.pid, &status.server.config);
        message = format!(
            "cannot listen on {address}: process {process}, a dnsbld with the configuration {config}, has it"
        );
    }
    let help = match error.cause.kind() {
        ErrorKind::AddrInUse => {
            "stop what listens there (ss -lunpt shows it), or set another address as listen"
        }
        ErrorKind::AddrNotAvailable => "set an address of this machine (ip address) as listen",
        ErrorKind::PermissionDenied => {
            "start the server by a unit with AmbientCapabilities=CAP_NET_BIND_SERVICE, as \
             deploy/systemd/dnsbld.service has it, or set a port above 1023; to check it, run this as root with \
             --user"
        }
        _ => "",
    };
    report.tell(Problem::error(message, help));
}
