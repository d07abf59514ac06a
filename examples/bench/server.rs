//! A server that is measured: dnsbld, rbldnsd or the echo.

use super::cores::Cores;
use super::load::{Expect, Load, Outcome, Query};
use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
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
    /// Of the threads that there are, in seconds, from the scheduler.
    pub(crate) cpu: f64,
    /// The part in user space of all there ever were, in clock ticks, and the other.
    user: f64,
    system: f64,
}

impl Usage {
    /// Of all threads there ever were, in seconds, exact to a clock tick.
    pub(crate) fn of_all(self) -> f64 {
        (self.user + self.system) / 100.0
    }
}

impl Server {
    /// Starts a program on these processors and waits for the answer to a query that is sent to its address by this
    /// socket.
    ///
    /// # Errors
    ///
    /// When it does not start, ends, or does not answer in time.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        cores: Cores,
        (address, socket): (SocketAddr, UdpSocket),
        probe: &Query,
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        socket.connect(address)?;
        socket.set_read_timeout(Some(Duration::from_millis(5)))?;
        let start = Instant::now();
        let child = cores.hold(|| Ok(command.spawn()?));
        let child = child.with_context(|| format!("{}", program.display()))?;
        let mut server = Self { child, address, start: Duration::ZERO };
        loop {
            if probe.is_answered(&socket) {
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
        self.signal(Signal::SIGHUP)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.child.id() as i32), signal)?)
    }

    /// Has it end by itself, so that it finishes what it writes.
    ///
    /// # Errors
    ///
    /// When it has ended before.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        self.child.wait()?;
        Ok(())
    }

    /// A figure of its memory in bytes: `VmRSS` or `VmHWM`.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub(crate) fn memory(&self, figure: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        kibibytes(&path, figure).with_context(|| format!("{figure} in {path}"))
    }

    /// Has `VmHWM` count from now on.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    /// The memory of it and of the processes that it has started, each page counted once.
    pub(crate) fn memory_of_all(&self) -> u64 {
        let own = self.child.id();
        let path = format!("/proc/{own}/task/{own}/children");
        let children = fs::read_to_string(path).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|word| word.parse().ok());
        // One that has ended meanwhile has none.
        let part = |id: u32| kibibytes(&format!("/proc/{id}/smaps_rollup"), "Pss").unwrap_or(0);
        children.chain([own]).map(part).sum()
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

    /// What it does under a load that goes on for a while, from this many sockets: the figures for
    /// one query. A run in which more than one query in a thousand is lost does not count.
    ///
    /// # Errors
    ///
    /// A wrong answer, or three runs that do not count.
    pub(crate) fn measure(
        &self,
        queries: &[Query],
        count: usize,
        sockets: usize,
    ) -> Result<Figures> {
        let window = UNDER_WAY / sockets;
        let load = |count| Load { server: self.address, queries, count, sockets, window };
        load(count / 10).run()?;
        for _ in 0..3 {
            let before = self.usage()?;
            let outcome = load(count).run()?;
            let after = self.usage()?;
            if outcome.lost * 1000 <= count {
                return Ok(Figures::new(&outcome, before, after));
            }
            eprintln!("{} of {count} queries were lost: asked again", outcome.lost);
        }
        bail!("too many queries are lost")
    }
}

/// Queries under way at a time: what the receive buffer of rbldnsd has room for.
const UNDER_WAY: usize = 128;

fn kibibytes(path: &str, figure: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'))?;
    let number: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(number * 1024)
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

impl Figures {
    fn new(outcome: &Outcome, before: Usage, after: Usage) -> Self {
        let cpu = (after.cpu - before.cpu) * 1e6 / outcome.answered as f64;
        let (user, system) = (after.user - before.user, after.system - before.system);
        Self {
            rate: outcome.answered as f64 / outcome.elapsed.as_secs_f64(),
            cpu,
            user: cpu * user / (user + system).max(1.0),
            size: outcome.bytes as f64 / outcome.answered as f64,
        }
    }
}

impl Query {
    /// Asks once; whether the right answer came in the time that the socket waits. Answers to
    /// earlier questions, which may come late, are passed over.
    pub(crate) fn is_answered(&self, socket: &UdpSocket) -> bool {
        let mut answer = [0; 2048];
        // Errors are those of a server that does not listen yet.
        let _ = socket.send(&self.packet);
        while let Ok(len @ 12..) = socket.recv(&mut answer) {
            if answer[..2] == self.packet[..2] {
                return self.expect.is_met_by(&answer[..len]);
            }
        }
        false
    }
}

impl Expect {
    /// Whether the answer, which has a header, is what is expected.
    pub(crate) fn is_met_by(self, answer: &[u8]) -> bool {
        let (rcode, records) = (answer[3] & 15, u16::from_be_bytes([answer[6], answer[7]]));
        match self {
            Self::Listed => rcode == 0 && records > 0,
            Self::NxDomain => rcode == 3 && records == 0,
            Self::Any => true,
        }
    }
}
