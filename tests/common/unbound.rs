//! unbound, the resolver between mail servers and the server under test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Process, temp_dir};

/// A running unbound; ends when dropped.
pub(crate) struct Unbound {
    _process: Process,
    _folder: TempDir,
}

impl Unbound {
    /// Where it answers: the system's resolver has no other port. So start it only when sealed.
    pub(crate) const ADDR: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 53);

    /// Starts it with what `settings` say besides the usual.
    pub(crate) fn start(settings: &str) -> Self {
        let folder = temp_dir();
        let path = folder.path().display();
        let config = format!(
            "server:\n interface: 127.0.0.1\n username: \"\"\n chroot: \"\"\n directory: {path}\n \
             pidfile: \"\"\n use-syslog: no\n num-threads: 1\n{settings}"
        );
        let file = folder.path().join("unbound.conf");
        fs::write(&file, config).expect("the folder is ours");
        let mut command = Command::new("unbound");
        command.args(["-d", "-c"]).arg(&file);
        let mut process = Process::start(&mut command, &folder.path().join("log"));
        process.wait(Duration::from_secs(10), |_| TcpStream::connect(Self::ADDR).is_ok());
        Self { _process: process, _folder: folder }
    }
}
