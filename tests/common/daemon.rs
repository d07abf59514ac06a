//! dnsbld with a configuration file, signals, and a folder of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::{Client, Process, Reply, free_port, is_root, temp_dir, wait_until};

/// How long loading may take at the start.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A user who need not exist.
const ORDINARY: u32 = 54_321;

/// A folder with data files and a configuration, and the server that is to use them.
pub(crate) struct Setup {
    folder: TempDir,
    addr: SocketAddr,
    environment: Vec<(String, String)>,
    /// Whom the server is to be, by number, if that is another than we.
    user: Option<u32>,
}

impl Setup {
    /// An empty folder and a free port.
    pub(crate) fn new() -> Self {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        Self { folder: temp_dir(), addr, environment: Vec::new(), user: None }
    }

    /// Has the server be somebody who is not root, with a folder `state` of its own: root may read and
    /// write everything.
    pub(crate) fn as_ordinary_user(&mut self) {
        let state = self.path("state");
        fs::create_dir(&state).expect("there is none yet");
        if is_root() {
            chown(&state, Some(ORDINARY), Some(ORDINARY)).expect("root may");
            self.user = Some(ORDINARY);
        }
    }

    /// Where the server is to listen.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the folder in place, with the folders on its way.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("folders can be made");
        fs::write(path, content).expect("the file can be written");
    }

    /// Writes the configuration: more lines of its server table, then the rest.
    pub(crate) fn configure(&self, server: &str, rest: &str) {
        let text = format!("[server]\nlisten = [\"{}\"]\n{server}\n{rest}\n", self.addr);
        self.write("dnsbld.toml", text);
    }

    /// Writes a configuration in which each of these zones has a dataset of its name, of the type
    /// `ip4set`, in the file given.
    pub(crate) fn configure_lists(&self, server: &str, lists: &[(String, String)]) {
        let tables = lists.iter().map(|(zone, file)| {
            format!(
                "[[dataset]]\nname = \"{zone}\"\ntype = \"ip4set\"\nfiles = [\"{file}\"]\n\
                 [[zone]]\nname = \"{zone}\"\ndatasets = [\"{zone}\"]\n"
            )
        });
        self.configure(server, &tables.collect::<String>());
    }

    /// Sets a variable of the server's environment.
    pub(crate) fn environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The command that starts the server.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
        command.args(["serve", "--log-level", "debug", "--config"]).arg(self.path("dnsbld.toml"));
        command
            .current_dir(self.folder.path())
            .env_remove("DNSBLD_LOG")
            .env_remove("NOTIFY_SOCKET")
            .env("RUNTIME_DIRECTORY", self.folder.path());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the server and does not wait.
    pub(crate) fn launch(self) -> Daemon {
        let process = Process::start(&mut self.command(), &self.path("log"));
        Daemon { process, setup: self }
    }

    /// Starts the server and waits until it answers and watches.
    pub(crate) fn start(self) -> Daemon {
        let mut daemon = self.launch();
        daemon.process.wait(START_LIMIT, |process| {
            process.out().contains("ready after") && watches(process.id())
        });
        daemon
    }
}

/// A running server; ends when dropped.
pub(crate) struct Daemon {
    process: Process,
    setup: Setup,
}

impl std::ops::Deref for Daemon {
    type Target = Setup;

    fn deref(&self) -> &Setup {
        &self.setup
    }
}

impl Daemon {
    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        self.process.out()
    }

    /// The lines of the log that contain all of these words.
    pub(crate) fn log_lines(&self, words: &[&str]) -> Vec<String> {
        let log = self.log();
        let lines = log.lines().filter(|line| words.iter().all(|word| line.contains(word)));
        lines.map(str::to_owned).collect()
    }

    /// Waits until a line of the log contains all of these words.
    pub(crate) fn find_in_log(&self, words: &[&str], limit: Duration) -> Result<(), String> {
        match wait_until(limit, || !self.log_lines(words).is_empty()) {
            true => Ok(()),
            false => Err(format!("no line says {words:?} after {limit:?}")),
        }
    }

    /// Fails if no line of the log contains all of these words in time.
    pub(crate) fn expect_log(&self, words: &[&str], limit: Duration) {
        let found = self.find_in_log(words, limit);
        assert!(found.is_ok(), "{found:?}:\n{}", self.log());
    }

    /// A client of the server.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.addr())
    }

    /// Asks one question.
    pub(crate) fn ask(&self, name: &str, qtype: RecordType) -> Reply {
        self.client().ask(name, qtype).unwrap_or_else(|e| panic!("{name}: {e}:\n{}", self.log()))
    }

    /// The serial of a zone.
    pub(crate) fn serial(&self, zone: &str) -> u32 {
        self.ask(zone, RecordType::SOA).serial().expect("the zone has a SOA")
    }

    /// Waits until a question gets this response code.
    pub(crate) fn expect_code(&self, name: &str, code: ResponseCode, limit: Duration) {
        let client = self.client();
        let right = wait_until(limit, || {
            client.ask(name, RecordType::TXT).is_ok_and(|reply| reply.rcode() == code)
        });
        assert!(right, "{name} is not {code} after {limit:?}:\n{}", self.log());
    }

    /// Sends SIGHUP, waits for what the log then says of it, and returns those new lines.
    pub(crate) fn reload(&self) -> String {
        let before = self.log().len();
        let since = || self.log()[before..].to_owned();
        self.signal(Signal::HUP);
        let done = wait_until(Duration::from_secs(20), || {
            let new = since();
            new.contains("event=\"settings-reloaded\"")
                || new.contains("event=\"settings-refused\"")
        });
        assert!(done, "no end of the reload:\n{}", self.log());
        since()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Sends SIGTERM and waits for the end: how, and after what time.
    pub(crate) fn terminate(mut self) -> (ExitStatus, Duration, String) {
        let start = Instant::now();
        self.signal(Signal::TERM);
        let ended = wait_until(Duration::from_secs(20), || self.process.has_ended());
        let took = start.elapsed();
        assert!(ended, "still there after {took:?}:\n{}", self.log());
        (self.process.status().expect("it has ended"), took, self.log())
    }

    /// The process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.has_ended()
    }

    /// Ends it and starts another on the same folder and port.
    pub(crate) fn restart(self) -> Self {
        self.stop().start()
    }

    /// Waits until it has ended, of a signal that it was sent; what is left is its folder and port.
    pub(crate) fn ended(mut self) -> Setup {
        assert!(wait_until(Duration::from_secs(20), || self.process.has_ended()), "it goes on");
        let Self { process, setup } = self;
        drop(process);
        fs::remove_file(setup.path("log")).expect("there is a log");
        setup
    }

    /// Ends it; what is left is its folder and port. What it has said is forgotten.
    pub(crate) fn stop(self) -> Setup {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// The resident memory in KiB, as soon as `is_enough` likes it: what is not used any more is
    /// given back in time, and nothing tells when. After ten seconds it is what it is.
    pub(crate) fn resident(&self, mut is_enough: impl FnMut(u64) -> bool) -> u64 {
        let mut resident = 0;
        wait_until(Duration::from_secs(10), || {
            resident = self.memory("VmRSS");
            is_enough(resident)
        });
        resident
    }

    /// The resident memory in KiB once it has not changed for half a second.
    pub(crate) fn resident_at_rest(&self) -> u64 {
        let (mut last, mut since) = (0, Instant::now());
        self.resident(|resident| {
            if resident != last {
                (last, since) = (resident, Instant::now());
            }
            since.elapsed() > Duration::from_millis(500)
        })
    }

    /// A figure of /proc/PID/status in KiB, such as `VmRSS` or `VmHWM`.
    pub(crate) fn memory(&self, figure: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process.id()))
            .expect("the process is there");
        let line = text.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(":"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        number.expect("a figure in kB")
    }
}

/// Writes a list that takes a second or more to read: a line of zeros, where the file has no blocks. Write
/// another in its place before that: it is no list.
pub(crate) fn slow_list(path: &Path) {
    fs::write(path, "#\n".repeat(1 << 17)).expect("it can be written");
    let file = fs::File::options().append(true).open(path).expect("it was made");
    file.set_len(4 << 30).expect("the file system has sparse files");
}

/// How a line of the log ends that tells of this event of a dataset.
pub(crate) fn event(name: &str, dataset: &str) -> String {
    format!("event=\"{name}\" dataset=\"{dataset}\"")
}

/// Whether the system tells a process of changes in some folder (proc_pid_fdinfo(5)). A writer that
/// was at work before cannot be told from one that has finished.
fn watches(process: u32) -> bool {
    let entries = fs::read_dir(format!("/proc/{process}/fdinfo")).into_iter().flatten().flatten();
    let mut texts = entries.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts.any(|text| text.contains("inotify wd:"))
}

/// Sends a signal to a process that the test has started, and to those that it has started; it
/// must have a process group of its own.
pub(crate) fn send_signal_to_group(process: u32, signal: Signal) {
    kill_process_group(id(process), signal).expect("the processes are ours");
}

fn id(process: u32) -> Pid {
    i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process id")
}
