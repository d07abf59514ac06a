//! The resolvers between mail servers and the server under test, each with a configuration of its own. They
//! answer on port 53, as the system's resolver has no other: start them only when sealed.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Process, add_user, dig, hide, run, temp_dir};

/// Packages that are unpacked, because their installation would change this machine (`scripts/test`).
pub(crate) const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/debian");

/// A resolver program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Program {
    Unbound,
    Bind,
    Dnsmasq,
    KnotResolver,
    PdnsRecursor,
    SystemdResolved,
}

impl Program {
    /// Where it answers.
    pub(crate) fn addr(self) -> SocketAddr {
        let host = if self == Self::SystemdResolved { 53 } else { 1 };
        SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 53))
    }

    /// What a configuration needs besides the lines under test.
    fn usual(self, folder: &Path) -> String {
        let path = folder.display();
        match self {
            Self::Unbound => format!(
                "server:\n interface: 127.0.0.1\n username: \"\"\n chroot: \"\"\n directory: {path}\n \
                 pidfile: \"\"\n use-syslog: no\n num-threads: 1\n"
            ),
            Self::Bind => String::new(),
            Self::Dnsmasq => {
                "listen-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nuser=root\n\
                              pid-file=\nlog-facility=-\n"
                    .into()
            }
            // These modules want to reach the root of the DNS first.
            Self::KnotResolver => "modules.unload('priming')\nmodules.unload('ta_update')\n\
                 modules.unload('ta_signal_query')\nmodules.unload('detect_time_skew')\n\
                 net.listen('127.0.0.1', 53, { kind = 'dns' })\ncache.size = 10*MB\n"
                .into(),
            Self::PdnsRecursor => format!(
                "local-address=127.0.0.1\nsocket-dir={path}\ndaemon=no\ndisable-syslog=yes\nthreads=1\n"
            ),
            Self::SystemdResolved => String::new(),
        }
    }
}

/// A running resolver; ends when dropped.
pub(crate) struct RunningResolver {
    process: Process,
    _folder: TempDir,
}

impl RunningResolver {
    /// Starts it with these settings besides the usual.
    pub(crate) fn start(program: Program, settings: &str) -> Self {
        let folder = temp_dir();
        let file = |name: &str| folder.path().join(name);
        let text = program.usual(folder.path()) + settings;
        let mut command = match program {
            Program::Unbound => with_file("unbound", &["-d", "-c"], file("conf"), &text),
            Program::Bind => {
                hide(Path::new("/var/cache/bind"));
                with_file("named", &["-g", "-c"], file("conf"), &text)
            }
            Program::Dnsmasq => with_file("dnsmasq", &["-k", "-C"], file("conf"), &text),
            Program::KnotResolver => {
                let mut command = with_file("kresd", &["-n", "-c"], file("conf"), &text);
                command.arg(folder.path());
                command
            }
            Program::PdnsRecursor => {
                fs::write(file("recursor.conf"), &text).expect("the folder is ours");
                let mut command = Command::new("pdns_recursor");
                command.arg(format!("--config-dir={}", folder.path().display()));
                command
            }
            Program::SystemdResolved => resolved(&text),
        };
        let mut process = Process::start(&mut command, &file("log"));
        process.wait(Duration::from_secs(10), |_| {
            dig(program.addr(), "+time=1 version.bind CH TXT").0.contains("status: ")
        });
        Self { process, _folder: folder }
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        self.process.out()
    }
}

fn with_file(program: &str, options: &[&str], file: PathBuf, text: &str) -> Command {
    fs::write(&file, text).expect("the folder is ours");
    let mut command = Command::new(program);
    command.args(options).arg(file);
    command
}

/// It wants a user, a network besides the loopback interface, and its folders.
fn resolved(text: &str) -> Command {
    const USER: u32 = 54321;
    let folder = Path::new("/run/systemd/resolve");
    if !folder.exists() {
        add_user("systemd-resolve", USER);
        run(Command::new("ip").args("link add uplink type veth peer name downlink".split(' ')));
        run(Command::new("ip").args("addr add 192.0.2.254/24 dev uplink".split(' ')));
        for link in ["uplink", "downlink"] {
            run(Command::new("ip").args(["link", "set", link, "up"]));
        }
        hide(Path::new("/etc/systemd"));
        fs::create_dir_all(folder).expect("/run is ours");
        chown(folder, Some(USER), Some(USER)).expect("we are root");
    }
    fs::create_dir_all("/etc/systemd/resolved.conf.d").expect("/etc/systemd is ours");
    fs::write("/etc/systemd/resolved.conf.d/dnsbld.conf", text).expect("/etc/systemd is ours");
    let program = Path::new(UNPACKED).join("lib/systemd/systemd-resolved");
    assert!(program.exists(), "there is no {}: scripts/test unpacks it", program.display());
    Command::new(program)
}
