//! A Debian machine of its own, with systemd, to install the package on.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Ended, Process, ended, is_root, names_in, skip, temp_dir, wait_until};

/// `scripts/test` makes the roots of machines here, and the package there.
const ROOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/roots");
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/package");

/// How long it takes to boot at the most.
const LIMIT: Duration = Duration::from_secs(60);

/// A running machine, which has the network of the [`sealed`](super::sealed) test that boots it. What is written to
/// its root is gone when it ends, which it does when dropped.
pub(crate) struct Machine {
    process: Process,
    folder: TempDir,
    /// The process that is systemd in it.
    init: u32,
}

impl Machine {
    /// The package to install. `None` if it, the roots or the right to boot are missing, which is said.
    pub(crate) fn package() -> Option<PathBuf> {
        if !Self::can_boot() {
            return None;
        }
        let names = if Path::new(PACKAGE).exists() { names_in(Path::new(PACKAGE)) } else { vec![] };
        let package = names.into_iter().find(|name| name.ends_with(".deb"));
        match package {
            None => skip("there is no package; scripts/package makes it"),
            Some(name) => return Some(Path::new(PACKAGE).join(name)),
        }
        None
    }

    /// Whether one can be booted; what is missing is said.
    pub(crate) fn can_boot() -> bool {
        let why = match is_root() {
            false => "only root may boot a machine",
            true if !Path::new(ROOTS).exists() => "there are no roots of Debian machines",
            true => return true,
        };
        skip(why);
        false
    }

    /// The folder of Debian's own packages that are to be installed beside it.
    pub(crate) fn packages() -> PathBuf {
        Path::new(ROOTS).join("packages")
    }

    /// Boots one with this root, "clean" or "mail". Only in [`sealed`](super::sealed).
    pub(crate) fn boot(root: &str) -> Self {
        Self::boot_with(root, &[], "")
    }

    /// The same for one that has these capabilities and system calls, too.
    pub(crate) fn boot_with(root: &str, capabilities: &[&str], system_calls: &str) -> Self {
        let folder = temp_dir();
        let mut command = Command::new("systemd-nspawn");
        command.args(["--quiet", "--register=no", "--keep-unit", "--volatile=overlay", "--boot"]);
        command.args(["--hostname=mail", "--resolv-conf=off", "--console=pipe"]);
        // A machine has Landlock, which the filter of a container hides.
        command.arg(format!(
            "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self {system_calls}",
        ));
        command.arg(format!("--capability={}", capabilities.join(",")));
        command.arg(format!("--directory={ROOTS}/{root}"));
        command.arg(format!("--bind={}:/root", folder.path().display()));
        let process = Process::start(&mut command, &folder.path().join(".console"));
        let children = format!("/proc/{0}/task/{0}/children", process.id());
        let child = || fs::read_to_string(&children).ok()?.trim().parse().ok();
        let mut machine = Self { process, folder, init: 0 };
        let has_booted = wait_until(LIMIT, || {
            machine.init = child().unwrap_or(0);
            machine.init != 0
                && matches!(
                    machine.run("systemctl is-system-running").out.trim(),
                    "running" | "degraded"
                )
        });
        let failed = machine.run("systemctl --failed --no-legend");
        assert!(has_booted && failed.out.is_empty(), "{}{failed:?}", machine.process.out());
        machine
    }

    /// Runs a line of its shell as root, in root's home folder.
    pub(crate) fn run(&self, line: &str) -> Ended {
        let mut command = Command::new("nsenter");
        command.args(["--all", "--wdns=/root", "--target", &self.init.to_string()]);
        command.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"]);
        command.args(["LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "bash", "-c", line]);
        ended(command)
    }

    /// The same for a line that must succeed: what it has written.
    pub(crate) fn must(&self, line: &str) -> String {
        let said = self.run(line);
        assert_eq!(said.code, 0, "{line}: {said:?}");
        said.out
    }

    /// Puts a file into root's home folder.
    pub(crate) fn bring(&self, file: &Path) {
        let to = self.folder.path().join(file.file_name().unwrap_or(OsStr::new("file")));
        fs::copy(file, to).expect("both are ours");
    }
}
