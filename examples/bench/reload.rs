//! What clients see of reloads: latency, silence and loss at a steady rate, without reloads and
//! while the data is reloaded in a loop.

use super::cores::Cores;
use super::files::DataFiles;
use super::load::{Expect, Query};
use super::server::Server;
use super::setup::{Program, Programs, Setup};
use super::steady::{Steady, Times};
use super::tables::{Runs, Table, mebibytes, milliseconds};
use super::{APEX, serving};
use anyhow::{Result, anyhow, ensure};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Queries per second.
const RATE: f64 = 20_000.0;
/// Sockets that they come from: enough for each of two workers to get its part.
const SOCKETS: usize = 16;
/// Between two reloads.
const PAUSE: Duration = Duration::from_millis(250);
/// Between two looks at whether the new data is served.
const LOOK: Duration = Duration::from_millis(5);
/// How long a reload may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn table() -> Table {
    Table::new(&[
        "data",
        "server",
        "cores",
        "reloads",
        "ms each",
        "p50 ms",
        "while reloading",
        "p99.9 ms",
        "while reloading",
        "growth (range)",
        "silence ms",
        "while reloading",
        "lost",
        "while reloading",
        "peak MiB",
    ])
}

/// One pass: without reloads, then with them.
struct Pass {
    still: Times,
    busy: Times,
    /// How long each reload took, in milliseconds.
    reloads: Vec<f64>,
    peak: u64,
}

/// Measures dnsbld on one core and on two, and rbldnsd with and without `-f`, on two.
///
/// # Errors
///
/// What goes wrong with a server, or a reload that brings no new data.
pub(crate) fn run(
    table: &mut Table,
    programs: &Programs,
    (name, kind): (&str, &str),
    files: &DataFiles,
    queries: &[Query],
    (passes, time): (usize, Duration),
) -> Result<()> {
    let lines = [
        (Program::Dnsbld, Cores::First, false),
        (Program::Dnsbld, Cores::Both, false),
        (Program::Rbldnsd, Cores::Both, false),
        (Program::Rbldnsd, Cores::Both, true),
    ];
    for (program, cores, forks) in lines {
        files.change(0)?;
        let setup = Setup { forks, ..Setup::new(program, cores, kind, &files.data) };
        let server = setup.start(programs, &queries[0])?;
        let own_cores = if cores == Cores::Both { Cores::Both } else { Cores::Second };
        let passes: Result<Vec<Pass>> = own_cores.hold(|| {
            let pass = |_| pass(&server, &setup, files, queries, time);
            Ok((0..passes).map(pass).collect())
        })?;
        let passes = passes?;
        let all = |figure: &dyn Fn(&Pass) -> f64| passes.iter().map(figure).collect::<Runs>();
        let median = |figure: &dyn Fn(&Pass) -> f64| format!("{:.2}", all(figure).median());
        let at = |times: &Times, share| milliseconds(times.percentile(share));
        let most = |figure: &dyn Fn(&Pass) -> Duration| {
            let most = passes.iter().map(figure).max();
            format!("{:.1}", milliseconds(most.unwrap_or_default()))
        };
        let sum =
            |figure: &dyn Fn(&Pass) -> usize| passes.iter().map(figure).sum::<usize>().to_string();
        let reloads: Runs = passes.iter().flat_map(|pass| pass.reloads.iter().copied()).collect();
        table.add([
            name.to_owned(),
            format!("{}{}", program.name(), if forks { " -f" } else { "" }),
            if cores == Cores::Both { "2, shared" } else { "1" }.to_owned(),
            sum(&|pass| pass.reloads.len()),
            format!("{:.0}", reloads.median()),
            median(&|pass| at(&pass.still, 0.5)),
            median(&|pass| at(&pass.busy, 0.5)),
            median(&|pass| at(&pass.still, 0.999)),
            median(&|pass| at(&pass.busy, 0.999)),
            all(&|pass| at(&pass.busy, 0.999) - at(&pass.still, 0.999)).range(2),
            most(&|pass| pass.still.silence()),
            most(&|pass| pass.busy.silence()),
            sum(&|pass| pass.still.lost),
            sum(&|pass| pass.busy.lost),
            mebibytes(passes.iter().map(|pass| pass.peak).max().unwrap_or_default()),
        ]);
    }
    files.change(0)
}

fn pass(
    server: &Server,
    setup: &Setup,
    files: &DataFiles,
    queries: &[Query],
    time: Duration,
) -> Result<Pass> {
    let steady = Steady { server: server.address, queries, rate: RATE, sockets: SOCKETS };
    let ended = AtomicBool::new(false);
    let still = steady.run(time, &ended)?;
    server.forget_peak()?;
    thread::scope(|scope| {
        let asking = scope.spawn(|| steady.run(time, &ended));
        let reloading = || reload_until(&asking, server, setup, files);
        let reloaded = reloading();
        ended.store(true, Ordering::Relaxed);
        let busy = asking.join().map_err(|_| anyhow!("the load has panicked"))??;
        let (reloads, sampled) = reloaded?;
        ensure!(!reloads.is_empty(), "no reload in {time:?}");
        let peak = if setup.forks { sampled } else { server.memory("VmHWM")? };
        Ok(Pass { still, busy, reloads, peak })
    })
}

/// Changes the data over and over until the load has ended: how long each reload took, and the
/// most memory that was seen.
fn reload_until<T>(
    load: &thread::ScopedJoinHandle<'_, T>,
    server: &Server,
    setup: &Setup,
    files: &DataFiles,
) -> Result<(Vec<f64>, u64)> {
    let mut marker = Marker::new(files, server)?;
    let (mut times, mut peak) = (Vec::new(), 0);
    // The version in place is the first one, or what the last pass has left.
    let mut turn = usize::from(!marker.shows(1));
    while !load.is_finished() {
        files.change(turn)?;
        let start = Instant::now();
        if setup.program == Program::Rbldnsd {
            server.reload()?;
        }
        while !marker.shows(turn) {
            ensure!(start.elapsed() < LIMIT, "the data was not reloaded");
            if setup.forks {
                peak = peak.max(server.memory_of_all());
            }
            thread::sleep(LOOK);
        }
        if !load.is_finished() {
            times.push(milliseconds(start.elapsed()));
            thread::sleep(PAUSE);
        }
        turn += 1;
    }
    Ok((times, peak))
}

/// Asks which version of the data is served.
pub(crate) struct Marker {
    socket: UdpSocket,
    listed: Query,
    unlisted: Query,
}

impl Marker {
    pub(crate) fn new(files: &DataFiles, server: &Server) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server.address)?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let packet = serving::query(&format!("{}.{APEX}", files.marker), super::sets::A);
        let unlisted = Query { packet: packet.clone(), expect: Expect::NxDomain };
        Ok(Self { socket, listed: Query { packet, expect: Expect::Listed }, unlisted })
    }

    /// Whether it is the version of this turn.
    fn shows(&mut self, turn: usize) -> bool {
        // Each question has an id of its own: an answer may come too late.
        for query in [&mut self.listed, &mut self.unlisted] {
            let id = u16::from_be_bytes([query.packet[0], query.packet[1]]).wrapping_add(1);
            query.packet[..2].copy_from_slice(&id.to_be_bytes());
        }
        let query = if turn % 2 == 1 { &self.listed } else { &self.unlisted };
        query.is_answered(&self.socket)
    }

    /// Waits for the version of this turn.
    ///
    /// # Errors
    ///
    /// When it does not come.
    pub(crate) fn wait_for(mut self, turn: usize) -> Result<()> {
        let start = Instant::now();
        while !self.shows(turn) {
            ensure!(start.elapsed() < LIMIT, "the data was not reloaded");
            thread::sleep(LOOK);
        }
        Ok(())
    }
}
