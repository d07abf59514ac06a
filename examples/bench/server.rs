//! A server that is measured: dnsbld, rbldnsd or the echo.

use super::load::{Expect, Load, Query};
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(180);

/// A running server; it ends when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The time from the start of the process to the first right answer.
    pub(crate) start: Duration,
}

/// The CPU time of a process.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// All of it in seconds, from the scheduler.
    pub(crate) cpu: f64,
    /// The part in user space, in clock ticks, and the other.
    user: f64,
    system: f64,
}

impl Server {
    /// Starts a program, on one core if one is given, and waits for the answer to a query.
    ///
    /// # Errors
    ///
    /// When it does not start, ends, or does not answer in time.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        core: Option<usize>,
        address: SocketAddr,
        probe: &Query,
    ) -> Result<Self> {
        let mut command = match core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.arg("--cpu-list").arg(core.to_string()).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let child = command.spawn().with_context(|| format!("{}", program.display()))?;
        let mut server = Self { child, address, start: Duration::ZERO };
        let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(Duration::from_millis(5)))?;
        loop {
            let mut answer = [0; 2048];
            // Errors are those of a server that does not listen yet.
            let _ = socket.send(&probe.packet);
            let len = socket.recv(&mut answer).unwrap_or(0);
            if len >= 12 && probe.expect.is_met_by(&answer[..len]) {
                server.start = start.elapsed();
                return Ok(server);
            }
            let ended = server.child.try_wait()?;
            ensure!(ended.is_none(), "{} has ended: {arguments:?}", program.display());
            ensure!(start.elapsed() < START_LIMIT, "{} does not answer", program.display());
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Has it read its files again.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub(crate) fn reload(&self) -> Result<()> {
        Ok(kill(Pid::from_raw(self.child.id() as i32), Signal::SIGHUP)?)
    }

    /// A figure of its memory in bytes: `VmRSS` or `VmHWM`.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub(crate) fn memory(&self, figure: &str) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        let kibibytes: u64 = number.context("no such figure")?;
        Ok(kibibytes * 1024)
    }

    /// The CPU time it has used, of all its threads.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let process = format!("/proc/{}", self.child.id());
        let stat = fs::read_to_string(format!("{process}/stat"))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse().ok());
        let (Some(user), Some(system)) = (ticks(11), ticks(12)) else { bail!("{process}/stat") };
        let mut cpu = 0.0;
        for task in fs::read_dir(format!("{process}/task"))? {
            // A thread may end meanwhile.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let nanoseconds = text.split(' ').next().and_then(|word| word.parse::<f64>().ok());
            cpu += nanoseconds.unwrap_or(0.0) / 1e9;
        }
        Ok(Usage { cpu, user, system })
    }

    /// What it does under a load that goes on for a while: the figures for one query.
    ///
    /// # Errors
    ///
    /// A wrong answer, or more than one in a thousand lost.
    pub(crate) fn measure(&self, queries: &[Query], count: usize) -> Result<Figures> {
        let load = |count| Load {
            server: self.address,
            queries,
            count,
            sockets: 4,
            window: 32,
            rate: None,
        };
        load(count / 10).run()?;
        let before = self.usage()?;
        let outcome = load(count).run()?;
        let after = self.usage()?;
        ensure!(outcome.lost * 1000 <= count, "{} of {count} lost", outcome.lost);
        let cpu = (after.cpu - before.cpu) * 1e6 / outcome.answered as f64;
        let (user, system) = (after.user - before.user, after.system - before.system);
        Ok(Figures {
            rate: outcome.answered as f64 / outcome.elapsed.as_secs_f64(),
            cpu,
            user: cpu * user / (user + system).max(1.0),
            size: outcome.bytes as f64 / outcome.answered as f64,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One run.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    /// Queries per second.
    pub(crate) rate: f64,
    /// CPU time of a query in microseconds, and the part of it in user space.
    pub(crate) cpu: f64,
    pub(crate) user: f64,
    /// The mean size of an answer in bytes.
    pub(crate) size: f64,
}

impl Expect {
    fn is_met_by(self, answer: &[u8]) -> bool {
        let (rcode, records) = (answer[3] & 15, answer[6] | answer[7]);
        match self {
            Self::Listed => rcode == 0 && records > 0,
            Self::NxDomain => rcode == 3,
            Self::Any => true,
        }
    }
}
