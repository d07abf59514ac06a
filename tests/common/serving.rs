//! dnsbld as its users start it, on ports that the system chooses.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Process, wait_until};

/// How long the start may take.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running `dnsbld serve`, ended when dropped. Have it listen on port 0.
pub(crate) struct Serving {
    process: Process,
    log: PathBuf,
    /// The addresses for UDP and TCP.
    pub(crate) plain: Vec<SocketAddr>,
    /// The addresses for TLS.
    pub(crate) tls: Vec<SocketAddr>,
}

impl Serving {
    /// Runs `dnsbld serve` with these arguments in the folder `cwd`, and waits until it says that
    /// it is ready. What it says goes to the file `log`.
    pub(crate) fn start(arguments: &[&str], cwd: &Path, log: PathBuf) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
        command.arg("serve").args(arguments).current_dir(cwd);
        let mut serving =
            Self { process: Process::start(&mut command, &log), log, plain: vec![], tls: vec![] };
        let ready = wait_until(START_LIMIT, || {
            serving.process.has_ended()
                || serving.said().lines().any(|line| line.starts_with("try:"))
        });
        let said = serving.said();
        assert!(ready && !serving.process.has_ended(), "dnsbld did not get ready:\n{said}");
        for line in said.lines().filter_map(|line| line.strip_prefix("listening on ")) {
            let (list, what) = line.split_once(" (").expect("addresses (what they are for)");
            let addresses =
                list.split(", ").map(|address| address.parse::<SocketAddr>().expect("an address"));
            match what {
                "TLS)" => serving.tls.extend(addresses),
                _ => serving.plain.extend(addresses),
            }
        }
        serving
    }

    /// What it has said so far, report and log.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}
