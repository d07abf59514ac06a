//! The script that mirrors, `dnsbld sync`, and an rsync daemon to mirror from.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Process, free_port, is_root, temp_dir};

/// `scripts/mirror` with `folder` as the watched folder, and nothing of the caller's settings.
pub(crate) fn mirror(folder: &Path) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/mirror"));
    command.arg("--dir").arg(folder).env("DNSBLD", env!("CARGO_BIN_EXE_dnsbld"));
    without_settings(&mut command);
    command
}

/// `dnsbld sync` with this configuration, and nothing of the caller's settings.
pub(crate) fn sync(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(["sync", "--config"]).arg(config);
    without_settings(&mut command);
    command
}

fn without_settings(command: &mut Command) {
    for name in ["DNSBLD_LOG", "RSYNC_RSH", "RSYNC_PROXY", "http_proxy", "https_proxy"] {
        command.env_remove(name);
    }
}

/// An rsync daemon on a loopback port of its own with one module, `feeds`; ends when dropped.
pub(crate) struct RsyncDaemon {
    _process: Process,
    folder: TempDir,
    port: u16,
}

impl RsyncDaemon {
    /// Starts it with `settings` (lines of rsyncd.conf) for the module besides the usual ones.
    pub(crate) fn start(settings: &str) -> Self {
        Self::of_feeds("", settings)
    }

    /// Starts one that is not done with a file long before somebody has read it.
    pub(crate) fn with_small_buffers() -> Self {
        Self::of_feeds("socket options = SO_SNDBUF=4096\n", "")
    }

    /// Starts it with a configuration that is meant for a machine of its own: with another user, without a chroot.
    pub(crate) fn configured(config: &str) -> Self {
        let is_other =
            |line: &&str| !["uid", "gid", "use chroot"].iter().any(|key| line.starts_with(key));
        let lines: Vec<&str> = config.lines().filter(is_other).collect();
        Self::run(temp_dir(), "", &lines.join("\n"))
    }

    fn of_feeds(globals: &str, settings: &str) -> Self {
        let folder = temp_dir();
        let path = folder.path();
        fs::create_dir(path.join("feeds")).expect("the folder is empty");
        let module = format!(
            "[feeds]\npath = {path}/feeds\nread only = yes\n{settings}\n",
            path = path.display()
        );
        Self::run(folder, globals, &module)
    }

    fn run(folder: TempDir, globals: &str, modules: &str) -> Self {
        let port = free_port();
        let path = folder.path();
        // Without users of its own a daemon started by root would serve as nobody; nobody else may
        // change to any.
        let users = if is_root() { "uid = 0\ngid = 0\n" } else { "" };
        let config = format!(
            "address = 127.0.0.1\nport = {port}\nuse chroot = no\nreverse lookup = no\n\
             log file = {path}/log\n{globals}{users}{modules}\n",
            path = path.display(),
        );
        fs::write(path.join("rsyncd.conf"), config).expect("the configuration can be written");
        let mut command = Command::new("rsync");
        command.args(["--daemon", "--no-detach", "--config"]).arg(path.join("rsyncd.conf"));
        let mut process = Process::start(&mut command, &path.join("output"));
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        process.wait(Duration::from_secs(10), |_| listens());
        Self { _process: process, folder, port }
    }

    /// The folder that the module serves.
    pub(crate) fn feeds(&self) -> PathBuf {
        self.folder.path().join("feeds")
    }

    /// The source to give to rsync for a file of the module.
    pub(crate) fn url(&self, file: &str) -> String {
        format!("rsync://127.0.0.1:{}/feeds/{file}", self.port)
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The sessions so far: what each client asked for.
    pub(crate) fn sessions(&self) -> Vec<String> {
        let log = self.log();
        let asked = log.lines().filter_map(|line| line.split_once("rsync on "));
        asked.filter_map(|(_, rest)| Some(rest.split_once(" from ")?.0.to_owned())).collect()
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}
