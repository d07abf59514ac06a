//! dnsbld under rbldnsd's name, beside Debian's rbldnsd.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hickory_proto::rr::RecordType;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Client, Process, free_port, is_root, temp_dir, wait_until};

/// How long anything may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Somebody who is not root, by number: such a user need not exist.
pub(crate) const NOBODY: &str = "54321:54322";

const LIST: &str = "$SOA 0 ns.example hostmaster.example 7 1h 1h 2d 1h\n$NS 1d ns.example\n\
                    1.2.3.4 :4:four\n1.2.4.0/24\n10.0.0.0-10.3.0.5\n!10.0.0.1\nnonsense\n1.2.3.4/8\n";

/// A folder with the program under rbldnsd's name and a data file.
pub(crate) struct Sandbox {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self::with_files(&[("list", LIST)])
    }

    /// With these files in `data`, each a name and a text.
    pub(crate) fn with_files(files: &[(&str, &str)]) -> Self {
        let sandbox = Self { folder: temp_dir(), port: free_port() };
        symlink(env!("CARGO_BIN_EXE_dnsbld"), sandbox.path("rbldnsd")).unwrap();
        fs::create_dir(sandbox.path("data")).unwrap();
        for (name, text) in files {
            fs::write(sandbox.path("data").join(name), text).unwrap();
        }
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1/{}", self.port)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
    }

    /// The words of a line; `@` stands for the address.
    pub(crate) fn words(&self, line: &str) -> Vec<String> {
        line.split_whitespace().map(|word| word.replace('@', &self.address())).collect()
    }

    /// The program with the words of a line as arguments.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new("./rbldnsd");
        prepare(&mut command, self, line);
        command
    }

    /// The same for Debian's rbldnsd.
    pub(crate) fn original(&self, line: &str) -> Command {
        let path = env::var_os("RBLDNSD").unwrap_or("/usr/sbin/rbldnsd".into());
        let mut command = Command::new(path);
        prepare(&mut command, self, line);
        command
    }

    /// Runs it to its end: the exit code and the two outputs.
    pub(crate) fn ended(&self, line: &str) -> Ended {
        ended(self.command(line))
    }

    /// Starts a daemon that is expected to serve. It ends when dropped.
    pub(crate) fn daemon(&self, line: &str) -> Background {
        let line = format!("{} -p pid -b @ {line}", as_nobody());
        self.background(self.ended(&line))
    }

    /// The daemon that was started with `-p pid` by a process that ended so.
    pub(crate) fn background(&self, said: Ended) -> Background {
        assert_eq!(said.code, 0, "{said:?}");
        let pid = fs::read_to_string(self.path("pid")).unwrap();
        assert!(pid.ends_with('\n'), "{pid:?}");
        Background { pid: pid.trim().parse().unwrap(), said }
    }

    /// Starts it in the foreground, and waits until it says that it has started.
    pub(crate) fn foreground(&self, line: &str) -> Foreground {
        let line = format!("{} -n -b @ {line}", as_nobody());
        Foreground::start(self.command(&line), &self.path("out"), &self.path("err"))
    }

    pub(crate) fn listed(&self, name: &str) -> bool {
        let reply = self.client().ask(name, RecordType::A);
        reply.is_ok_and(|reply| !reply.addresses().is_empty())
    }
}

fn prepare(command: &mut Command, sandbox: &Sandbox, line: &str) {
    command.args(sandbox.words(line)).current_dir(sandbox.folder.path()).stdin(Stdio::null());
    command.env_remove("NOTIFY_SOCKET").env_remove("LISTEN_FDS");
}

/// The option without which root would become rbldnsd's own user, who may not exist.
pub(crate) fn as_nobody() -> String {
    if is_root() { format!("-u {NOBODY}") } else { String::new() }
}

/// How a command has ended, and what it has said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// The code, and both outputs one after the other.
    pub(crate) fn code_and_text(self) -> (i32, String) {
        (self.code, self.out + &self.err)
    }
}

/// Runs a command of the program in a folder.
pub(crate) fn dnsbld(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
    command.args(arguments).current_dir(folder).env_remove("DNSBLD_LOG");
    ended(command)
}

pub(crate) fn ended(mut command: Command) -> Ended {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    Ended { code, out: text(&output.stdout), err: text(&output.stderr) }
}

pub(crate) struct Background {
    pub(crate) pid: i32,
    pub(crate) said: Ended,
}

impl Background {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid).unwrap(), signal).unwrap();
    }

    /// A line of its status in /proc.
    pub(crate) fn status(&self, name: &str) -> Vec<String> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    /// Nobody may have waited for it yet.
    pub(crate) fn has_ended(&self) -> bool {
        self.status("State").first().is_none_or(|state| state == "Z")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !self.has_ended() {
            self.signal(Signal::KILL);
        }
    }
}

/// A server in the foreground.
pub(crate) struct Foreground(Process);

impl Foreground {
    /// Starts it, and waits until it says that it has started.
    pub(crate) fn start(mut command: Command, out: &Path, err: &Path) -> Self {
        let mut process = Process::start_apart(&mut command, out, err);
        process.wait(LIMIT, |process| process.out().contains(" started ("));
        Self(process)
    }

    /// Ends it by a signal: the exit code.
    pub(crate) fn end(&mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        let soon = Duration::from_millis(900);
        assert!(wait_until(soon, || self.0.has_ended()), "init scripts wait for a second");
        self.0.status().expect("it has ended").code()
    }
}

impl Deref for Foreground {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.0
    }
}
