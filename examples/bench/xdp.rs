//! CPU time of an answer past the kernel's stack, beside that of sockets.
//!
//! Server and clients are joined by a pair of virtual devices, each in a network namespace of its own. Each device has
//! a kernel thread that receives (threaded NAPI): the server's has the first processor, as the server, the clients' the
//! second, as the generator. So what receiving costs is counted on the side that receives; without that, it would be
//! done by whoever sends. The figure is the time of the server's threads and of that thread, from the
//! scheduler, for each answer.
//!
//! The clients are a program in the kernel (`frames.py`): sockets would be too slow for a server without them, which would
//! be woken up for every few queries, and their frames would have to be copied before a program sees them.

use super::APEX;
use super::cores::Cores;
use super::load::{Expect, Query};
use super::queries;
use super::server::Server;
use super::setup::{Program, Programs, Setup};
use super::tables::{Runs, Table};
use crate::sets::{Asked, Set};
use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, setns};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

/// Offloads are off, as otherwise a frame of a socket is received by the one who sends it. The clients' device looks
/// for frames by itself for a while: otherwise, each answer would have the server wake it up.
const LINK: &str = "
    mount -t sysfs sysfs /sys
    mount -t tmpfs tmpfs /run
    ip netns add clients
    ip link add server numrxqueues 1 numtxqueues 1 type veth peer name client numrxqueues 1 numtxqueues 1
    ip link set client netns clients
    ethtool -K server tso off gro on
    ip netns exec clients ethtool -K client tso off gro on
    ip addr add 10.9.0.1/24 dev server
    ip -n clients addr add 10.9.0.2/24 dev client
    ip link set server up
    ip -n clients link set client up
    ip neigh replace 10.9.0.2 dev server lladdr $(ip netns exec clients cat /sys/class/net/client/address)
    echo 1 >/sys/class/net/server/threaded
    ip netns exec clients sh -ec '
        cd /sys/class/net/client
        echo 1 >threaded
        echo 200 >napi_defer_hard_irqs
        echo 20000 >gro_flush_timeout'
    for process in /proc/[0-9]*; do
        case $(cat $process/comm 2>/dev/null) in
            napi/server-*) taskset -p -c 0 ${process#/proc/} ;;
            napi/client-*) taskset -p -c 1 ${process#/proc/}; chrt -f -p 10 ${process#/proc/} ;;
        esac
    done
";

/// Queries under way.
const WINDOW: usize = 256;

/// Different queries: a power of two.
const QUERIES: usize = 1 << 15;

/// How queries come to the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By the stack.
    Sockets,
    /// By the stack, past a program that passes them on.
    Passed,
    /// Past the stack.
    Device,
}

impl Way {
    const ALL: [Self; 3] = [Self::Sockets, Self::Passed, Self::Device];

    /// In which order they are measured: in each round in another one.
    const ORDERS: [[usize; 3]; 6] =
        [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [2, 0, 1], [1, 0, 2]];

    fn name(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Passed => "sockets, beside the program",
            Self::Device => "AF_XDP",
        }
    }
}

/// The CPU time of an answer, in nanoseconds, by the server and by the kernel; the rate of answers, and the share of
/// queries without one.
struct Figures {
    server: f64,
    kernel: f64,
    rate: f64,
    lost: f64,
}

impl Figures {
    fn sum(&self) -> f64 {
        self.server + self.kernel
    }
}

/// Measures the three ways in turn, with one data set. To be run as root, in a network namespace and a mount
/// namespace of its own.
///
/// # Errors
///
/// What goes wrong with the devices or a server.
pub(crate) fn run(
    programs: &Programs,
    set: &Set,
    data: &Path,
    count: usize,
    rounds: usize,
) -> Result<Table> {
    let made = Command::new("sh").args(["-ec", LINK]).output()?;
    ensure!(made.status.success(), "no devices: {}", String::from_utf8_lossy(&made.stderr));
    let queries = of_one_length(queries::queries(set, Asked::Mix, &[APEX]))?;
    let mut figures: Vec<[Option<Figures>; 3]> = Vec::new();
    for round in 0..rounds {
        let mut of_round = [const { None }; 3];
        for at in Way::ORDERS[round % Way::ORDERS.len()] {
            let measured = measure(programs, set.kind, data, Way::ALL[at], &queries, count);
            of_round[at] = Some(measured.with_context(|| Way::ALL[at].name())?);
        }
        figures.push(of_round);
    }
    let mut table = Table::new(&[
        "way",
        "answers/s",
        "server ns",
        "receiving ns",
        "sum ns",
        "sockets / it (quartiles)",
        "least and most",
        "lost %",
    ]);
    for (at, way) in Way::ALL.into_iter().enumerate() {
        let runs = |figure: &dyn Fn(&Figures) -> f64| -> Runs {
            figures.iter().filter_map(|round| round[at].as_ref()).map(figure).collect()
        };
        let ratios: Runs = figures
            .iter()
            .filter_map(|round| Some(round[0].as_ref()?.sum() / round[at].as_ref()?.sum()))
            .collect();
        table.add([
            way.name().to_owned(),
            format!("{:.0}", runs(&|it| it.rate).median()),
            format!("{:.0}", runs(&|it| it.server).median()),
            format!("{:.0}", runs(&|it| it.kernel).median()),
            format!("{:.0}", runs(&Figures::sum).median()),
            ratios.spread(),
            ratios.range(2),
            format!("{:.3}", runs(&|it| it.lost).median()),
        ]);
    }
    Ok(table)
}

fn measure(
    programs: &Programs,
    kind: &str,
    data: &Path,
    way: Way,
    queries: &[Query],
    count: usize,
) -> Result<Figures> {
    let start = |port: u16, takes_device: bool| -> Result<Server> {
        let mut setup = Setup::new(Program::Dnsbld, Cores::First, kind, data);
        setup.workers = 1;
        setup.device = takes_device.then_some("server");
        let socket = at_clients(|| Ok(UdpSocket::bind("10.9.0.2:0")?))?;
        setup.start_at(programs, ([10, 9, 0, 1], port).into(), socket, &queries[0])
    };
    let _beside = (way == Way::Passed).then(|| start(5399, true)).transpose()?;
    let server = start(5300, way == Way::Device)?;
    let link = Command::new("ip").args(["link", "show", "server"]).output()?;
    let is_attached = String::from_utf8_lossy(&link.stdout).contains(" xdp ");
    ensure!(is_attached == (way != Way::Sockets), "the program is attached: {is_attached}");
    let mut clients = Clients::start(server.address, queries)?;
    clients.ask(count / 10)?;
    let before = (server.usage()?.cpu, kernel_time()?);
    let Outcome { answered, listed, lost, seconds } = clients.ask(count)?;
    let after = (server.usage()?.cpu, kernel_time()?);
    let expected = queries.iter().filter(|query| query.expect == Expect::Listed).count();
    let expected = expected as f64 / queries.len() as f64;
    let is_right = (listed / answered - expected).abs() < 0.02;
    ensure!(is_right, "{listed} of {answered} answers have records, and {expected} should");
    let each = |seconds: f64| seconds * 1e9 / answered;
    Ok(Figures {
        server: each(after.0 - before.0),
        kernel: each(after.1 - before.1),
        rate: answered / seconds,
        lost: lost * 100.0 / count as f64,
    })
}

/// The queries of the length that most have: the clients have room for one length.
fn of_one_length(queries: Vec<Query>) -> Result<Vec<Query>> {
    let mut lengths = BTreeMap::<usize, Vec<Query>>::new();
    for query in queries {
        lengths.entry(query.packet.len()).or_default().push(query);
    }
    let mut most = lengths.into_values().max_by_key(Vec::len).unwrap_or_default();
    ensure!(most.len() >= QUERIES, "{} queries of one length", most.len());
    most.truncate(QUERIES);
    Ok(most)
}

/// The clients, which end when this is dropped.
struct Clients {
    process: Child,
    orders: ChildStdin,
    reports: BufReader<ChildStdout>,
    _queries: tempfile::NamedTempFile,
}

/// The outcomes of some queries: answers with records, answers without, and losses.
struct Outcome {
    answered: f64,
    listed: f64,
    lost: f64,
    seconds: f64,
}

impl Clients {
    fn start(server: SocketAddr, queries: &[Query]) -> Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        for query in queries {
            file.write_all(&query.packet)?;
        }
        let length = queries[0].packet.len().to_string();
        let hardware = fs::read_to_string("/sys/class/net/server/address")?;
        let (address, port) = (server.ip().to_string(), server.port().to_string());
        let mut process = Command::new("ip")
            .args(["netns", "exec", "clients", "python3", "-c", include_str!("frames.py")])
            .args(["client", "10.9.0.2", "40000", hardware.trim(), &address, &port])
            .args([&WINDOW.to_string(), &length])
            .arg(file.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = process.stdin.take().context("it is piped")?;
        let reports = BufReader::new(process.stdout.take().context("it is piped")?);
        let mut clients = Self { process, orders, reports, _queries: file };
        clients.report()?;
        Ok(clients)
    }

    /// Asks so many queries.
    fn ask(&mut self, count: usize) -> Result<Outcome> {
        writeln!(self.orders, "{count}")?;
        match self.report()?[..] {
            [answered, listed, lost, seconds] => {
                ensure!(answered > 0.0, "the server does not answer");
                Ok(Outcome { answered, listed, lost, seconds })
            }
            _ => bail!("four figures are told"),
        }
    }

    fn report(&mut self) -> Result<Vec<f64>> {
        let mut line = String::new();
        ensure!(self.reports.read_line(&mut line)? > 0, "the clients have ended: see above");
        line.split_whitespace().map(|word| Ok(word.parse()?)).collect()
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Does this in the namespace of the clients.
fn at_clients<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let enter = || {
        setns(File::open("/run/netns/clients")?, CloneFlags::CLONE_NEWNET)?;
        work()
    };
    thread::scope(|scope| scope.spawn(enter).join().expect("it does not panic"))
}

/// The time, in seconds, of the kernel's threads that receive for the server.
fn kernel_time() -> Result<f64> {
    let (mut seconds, mut found) = (0.0, false);
    for process in fs::read_dir("/proc")? {
        let process = process?.path();
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        if !(name.starts_with("napi/server-") || name.trim() == "ksoftirqd/0") {
            continue;
        }
        found |= name.starts_with("napi/server-");
        let text = fs::read_to_string(process.join("schedstat"))?;
        let nanoseconds = text.split(' ').next().and_then(|word| word.parse::<f64>().ok());
        seconds += nanoseconds.context("schedstat")? / 1e9;
    }
    ensure!(found, "the kernel has no thread napi/server-...");
    Ok(seconds)
}
