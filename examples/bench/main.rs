//! What `scripts/bench` runs: dnsbld, Debian's rbldnsd and an echo server side by side on the same
//! data and queries. Each server has core 0 to itself in turn, this program core 1.
//!
//! CPU times are given beside those of the echo and of rbldnsd in the same round, and the medians
//! of these ratios are the figures to go by: times alone depend on the neighbours of the machine.

mod load;
mod server;

#[allow(dead_code, unreachable_pub)]
#[path = "../../benches/common/mod.rs"]
mod common;
#[allow(dead_code, unreachable_pub)]
#[path = "../../benches/common/serving.rs"]
mod serving;
#[allow(dead_code, unreachable_pub)]
#[path = "../../benches/common/sets.rs"]
mod sets;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use load::{Expect, Load, Query};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use server::{Figures, Server};
use sets::{Asked, Set};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(Parser)]
struct Args {
    /// The dnsbld to measure.
    #[arg(long)]
    dnsbld: PathBuf,
    /// The rbldnsd to compare it with.
    #[arg(long, default_value = "/usr/sbin/rbldnsd")]
    rbldnsd: PathBuf,
    /// The echo server (examples/echo.rs).
    #[arg(long)]
    echo: PathBuf,
    /// Only these data sets.
    #[arg(long, value_delimiter = ',')]
    sets: Vec<String>,
    /// How often all servers are measured in turn.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Queries in a run.
    #[arg(long, default_value_t = 200_000)]
    count: usize,
    /// Seconds of queries at a fixed rate, without reloads and with them.
    #[arg(long, default_value_t = 10)]
    reload_seconds: u32,
}

/// Different queries of each kind.
const QUERIES: usize = 200_000;
/// Queries per second while data is reloaded.
const RELOAD_RATE: f64 = 20_000.0;
/// How often data is reloaded.
const RELOAD_EVERY: Duration = Duration::from_millis(1500);
const SERVER_CORE: usize = 0;
const OUR_CORE: usize = 1;
const APEX: &str = "bl.test";

/// A data set by its name: the entries that are counted, and what makes it.
type Named = (&'static str, usize, fn(usize) -> Set);

const SETS: [Named; 6] = [
    ("ip4-1M", 1_000_000, |count| Set::addresses(count, 30_000)),
    ("ip4-10M", 10_000_000, |count| Set::addresses(count, 120_000)),
    ("cidr-400k", 400_000, |count| Set::cidrs(count, 60_000)),
    ("name-1M", 1_000_000, Set::names),
    ("name-5M", 5_000_000, Set::names),
    ("ip6-200k", 200_000, Set::ip6),
];

fn main() -> Result<()> {
    let args = Args::parse();
    let known = |name: &String| SETS.iter().any(|set| set.0 == name);
    ensure!(args.sets.iter().all(known), "no such set: {:?}", args.sets);
    let mut own = CpuSet::new();
    own.set(OUR_CORE)?;
    sched_setaffinity(Pid::from_raw(0), &own).context("this takes two processors")?;
    let folder = tempfile::tempdir()?;
    // rbldnsd gives up its privileges.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let mut bench = Bench { args, folder: folder.path().to_owned(), loads: Vec::new() };
    println!(
        "CPU time of a query in microseconds (medians of {} rounds; x: the median of the ratios \
         to that server in the same round)\n",
        bench.args.rounds
    );
    println!(
        "| data | queries | server | queries/s | CPU us | user | system | x echo | x rbldnsd |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for set in SETS {
        if bench.args.sets.is_empty() || bench.args.sets.iter().any(|name| name == set.0) {
            bench.run(set).with_context(|| set.0)?;
        }
    }
    println!(
        "\n| data | server | load, 1 core s | 2 cores s | start again s | MiB | peak MiB | bytes \
         per entry | p99.9 ms | while reloading | lost of {} | while reloading |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|",
        RELOAD_RATE * f64::from(bench.args.reload_seconds)
    );
    bench.loads.iter().for_each(|line| println!("{line}"));
    Ok(())
}

struct Bench {
    args: Args,
    folder: PathBuf,
    /// The lines of the second table.
    loads: Vec<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Dnsbld,
    Rbldnsd,
}

impl Bench {
    fn run(&mut self, (name, entries, make): Named) -> Result<()> {
        let set = make(entries);
        let files = DataFiles::write(&self.folder, name, &set)?;
        let mixes = [("mix", Asked::Mix), ("txt", Asked::Txt)];
        let mixes = mixes.map(|(name, mix)| (name, queries(&set, mix)));
        let kind = set.kind;
        drop(set);
        let probe = &mixes[1].1[0];

        let servers = [Kind::Dnsbld, Kind::Rbldnsd];
        let mut running = Vec::new();
        for server in servers {
            let start = |core| self.start(server, kind, &files.data, core, probe);
            let two_cores = start(None)?.start;
            let again = start(None)?.start;
            running.push((server, start(Some(SERVER_CORE))?, two_cores, again));
        }
        for (mix, queries) in &mixes {
            self.rounds(name, mix, &running, queries)?;
        }
        let empty = files.empty(kind)?;
        for (server, process, two_cores, again) in &running {
            let none = Query { packet: serving::query(APEX, 6), expect: Expect::Any };
            let empty = self.start(*server, kind, &empty, Some(SERVER_CORE), &none)?;
            let (resident, peak) = (process.memory("VmRSS")?, process.memory("VmHWM")?);
            let own = resident.saturating_sub(empty.memory("VmRSS")?);
            let [still, reloading] = self.reloads(process, &mixes[0].1, &files)?;
            self.loads.push(format!(
                "| {name} | {} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {} | {} |",
                server.name(),
                process.start.as_secs_f64(),
                two_cores.as_secs_f64(),
                again.as_secs_f64(),
                mebibytes(resident),
                mebibytes(peak),
                own as f64 / entries as f64,
                milliseconds(still.percentile(0.999)),
                milliseconds(reloading.percentile(0.999)),
                still.lost,
                reloading.lost,
            ));
        }
        Ok(())
    }

    fn start(
        &self,
        server: Kind,
        kind: &str,
        data: &Path,
        core: Option<usize>,
        probe: &Query,
    ) -> Result<Server> {
        let address = free_address()?;
        let zone = format!("{APEX}:{kind}:{}", data.display());
        let program = match server {
            Kind::Dnsbld => &self.args.dnsbld,
            Kind::Rbldnsd => &self.args.rbldnsd,
        };
        let bind = format!("{}/{}", address.ip(), address.port());
        let arguments = match server {
            Kind::Dnsbld => vec!["serve".into(), "--listen".into(), address.to_string(), zone],
            Kind::Rbldnsd => {
                ["-n", "-u", "rbldns", "-c", "0", "-b", &bind, &zone].map(Into::into).into()
            }
        };
        Server::start(program, &arguments, core, address, probe)
    }

    /// Measures all servers and the echo in turn and prints the medians.
    fn rounds(
        &self,
        set: &str,
        mix: &str,
        running: &[(Kind, Server, Duration, Duration)],
        queries: &[Query],
    ) -> Result<()> {
        let size = running[0].1.measure(queries, self.args.count / 10)?.size;
        let echoed: Vec<_> = queries
            .iter()
            .map(|query| Query { packet: query.packet.clone(), expect: Expect::Any })
            .collect();
        let address = free_address()?;
        let arguments =
            ["--listen", &address.to_string(), "--size", &format!("{size:.0}")].map(Into::into);
        let echo =
            Server::start(&self.args.echo, &arguments, Some(SERVER_CORE), address, &echoed[0])?;
        let mut lines = vec![("echo", &echo, &echoed[..])];
        lines.extend(running.iter().map(|(kind, server, ..)| (kind.name(), server, queries)));
        let mut rounds: Vec<Vec<Figures>> = Vec::new();
        for round in 0..self.args.rounds {
            let mut figures = vec![None; lines.len()];
            for turn in 0..lines.len() {
                // Each server comes first, second and last equally often.
                let at = (turn + round) % lines.len();
                figures[at] = Some(lines[at].1.measure(lines[at].2, self.args.count)?);
            }
            rounds.push(figures.into_iter().flatten().collect());
        }
        let median_of = |figure: &dyn Fn(&[Figures]) -> f64| {
            median(rounds.iter().map(|round| figure(round)).collect())
        };
        for (at, (name, ..)) in lines.iter().enumerate() {
            println!(
                "| {set} | {mix} | {name} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
                median_of(&|round| round[at].rate),
                median_of(&|round| round[at].cpu),
                median_of(&|round| round[at].user),
                median_of(&|round| round[at].cpu - round[at].user),
                median_of(&|round| round[at].cpu / round[0].cpu),
                median_of(&|round| round[at].cpu / round[lines.len() - 1].cpu),
            );
        }
        Ok(())
    }

    /// Asks at a fixed rate: without reloads, and while the data is reloaded over and over.
    fn reloads(
        &self,
        server: &Server,
        queries: &[Query],
        files: &DataFiles,
    ) -> Result<[load::Outcome; 2]> {
        let count = (RELOAD_RATE * f64::from(self.args.reload_seconds)) as usize;
        let load = Load {
            server: server.address,
            queries,
            count,
            sockets: 4,
            window: 5_000,
            rate: Some(RELOAD_RATE),
        };
        let still = load.run()?;
        let reloading = std::thread::scope(|scope| {
            let asking = scope.spawn(|| load.run());
            let mut turn = 0;
            while !asking.is_finished() {
                files.change(turn)?;
                server.reload()?;
                turn += 1;
                let start = Instant::now();
                while start.elapsed() < RELOAD_EVERY && !asking.is_finished() {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            asking.join().map_err(|_| anyhow::anyhow!("the load has panicked"))?
        })?;
        Ok([still, reloading])
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Dnsbld => "dnsbld",
            Self::Rbldnsd => "rbldnsd",
        }
    }
}

/// A data file, and two versions of it that take its place in turn.
struct DataFiles {
    data: PathBuf,
    versions: [PathBuf; 2],
}

impl DataFiles {
    fn write(folder: &Path, name: &str, set: &Set) -> Result<Self> {
        let versions = [1, 2].map(|number| folder.join(format!("{name}.{number}")));
        for (version, comment) in versions.iter().zip(["one", "other"]) {
            let mut out = BufWriter::new(File::create(version)?);
            set.write(&mut out)?;
            writeln!(out, "# {comment}")?;
            out.flush()?;
        }
        let files = Self { data: folder.join(name), versions };
        files.change(0)?;
        Ok(files)
    }

    /// Puts one of the versions in place.
    fn change(&self, turn: usize) -> Result<()> {
        let link = self.data.with_extension("new");
        fs::hard_link(&self.versions[turn % 2], &link)?;
        // Where both names are one file already, rename leaves them as they are.
        fs::rename(&link, &self.data)?;
        let _ = fs::remove_file(&link);
        Ok(())
    }

    /// A file of the same type with one entry.
    fn empty(&self, kind: &str) -> Result<PathBuf> {
        let path = self.data.with_extension("empty");
        let entry = match kind {
            "dnset" => "example.com",
            "ip6trie" => "2001:db8::/64",
            _ => "192.0.2.1",
        };
        fs::write(&path, format!("{entry}\n"))?;
        Ok(path)
    }
}

fn queries(set: &Set, mix: Asked) -> Vec<Query> {
    let questions = set.questions(mix, QUERIES);
    let query = |ask: &sets::Question| Query {
        packet: serving::query(&format!("{}.{APEX}", ask.name), ask.qtype),
        expect: if ask.listed { Expect::Listed } else { Expect::NxDomain },
    };
    questions.iter().map(query).collect()
}

fn free_address() -> Result<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    Ok(socket.local_addr()?)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() % 2 {
        _ if figures.is_empty() => f64::NAN,
        0 => (figures[middle - 1] + figures[middle]) / 2.0,
        _ => figures[middle],
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
