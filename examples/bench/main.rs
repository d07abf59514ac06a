//! What `scripts/bench` runs: dnsbld, Debian's rbldnsd and an echo server side by side on the same
//! data and queries. docs/performance.md has the method and what the columns mean.
//!
//! Figures are given beside those of the others in the same round, and the medians of these ratios
//! are the figures to go by: times alone depend on the neighbours of the machine.

mod cores;
mod files;
mod load;
mod memory;
mod queries;
mod reload;
mod scaling;
mod server;
mod setup;
mod start;
mod steady;
mod tables;
mod xdp;

#[allow(dead_code, unreachable_pub)]
#[path = "../../benches/common/bounds.rs"]
mod bounds;
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
use clap::{Parser, ValueEnum};
use cores::Cores;
use files::DataFiles;
use reload::Marker;
use sets::{Asked, Set};
use setup::Programs;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tables::Table;

#[derive(Parser)]
#[command(args_override_self = true)]
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
    /// Only these tables.
    #[arg(value_enum)]
    tables: Vec<Section>,
    /// Only these data sets.
    #[arg(long, value_delimiter = ',', default_values = all_sets().map(|set| set.0))]
    sets: Vec<String>,
    /// The data sets to reload.
    #[arg(long, value_delimiter = ',', default_values = ["ip4-10M", "name-1M"])]
    reload_sets: Vec<String>,
    /// How often all servers are asked in turn.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Queries in a run.
    #[arg(long, default_value_t = 200_000)]
    count: usize,
    /// How often all servers are started in turn.
    #[arg(long, default_value_t = 5)]
    starts: usize,
    /// Seconds of queries at a steady rate, without reloads and with them.
    #[arg(long, default_value_t = 10)]
    reload_seconds: u64,
    /// How often that is done.
    #[arg(long, default_value_t = 3)]
    reload_passes: usize,
}

/// A table.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// CPU time of a query.
    Queries,
    /// Memory.
    Memory,
    /// The time until the first answer.
    Start,
    /// More workers, zones and datasets.
    Scaling,
    /// Latency while data is reloaded.
    Reload,
    /// CPU time of an answer past the kernel's stack: only when asked for, in namespaces of its own.
    Xdp,
}

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

/// Lists of which only the load is measured: their queries cost what those of the others do.
const LOADED: [Named; 6] = [
    ("two-lengths-480k", 480_000, Set::two_lengths),
    ("ip4-400-texts", 950_000, |count| Set::addresses_with(count, 30_000, 400)),
    ("ip4-own-texts", 950_000, |count| Set::addresses_with_own(count, 30_000)),
    ("ip4-own-shuffled", 950_000, |count| Set::addresses_with_own(count, 30_000).shuffled()),
    ("ip4-own-one-astray", 950_000, |count| Set::addresses_with_own(count, 30_000).one_astray()),
    ("name-own-texts", 1_000_000, Set::names_with_own),
];

fn all_sets() -> impl Iterator<Item = Named> {
    SETS.into_iter().chain(LOADED)
}

fn main() -> Result<()> {
    let args = Args::parse();
    let known = |name: &String| all_sets().any(|set| set.0 == name);
    let asked = || args.sets.iter().chain(&args.reload_sets);
    ensure!(asked().all(known), "no such set: {:?}", asked().find(|name| !known(name)));
    let folder = tempfile::tempdir()?;
    // rbldnsd gives up its privileges.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    // This program has the second core, and each server the first, but where a table says
    // something else.
    Cores::Second.hold(|| run(&args, folder.path()))
}

fn run(args: &Args, folder: &Path) -> Result<()> {
    let programs = Programs {
        dnsbld: args.dnsbld.clone(),
        rbldnsd: args.rbldnsd.clone(),
        echo: args.echo.clone(),
    };
    if args.tables.contains(&Section::Xdp) {
        let (name, entries, make) = SETS[0];
        let set = make(entries);
        let files = DataFiles::write(folder, name, &set)?;
        let table = xdp::run(&programs, &set, &files.data, args.count, args.rounds)?;
        println!("CPU time of an answer past the kernel's stack, and by sockets\n\n{table}");
        return Ok(());
    }
    let [mut asked, mut memory, mut started, mut reloaded] =
        [queries::table(), memory::table(), start::table(), reload::table()];
    for (name, entries, make) in all_sets() {
        let is_in = |sets: &[String]| sets.iter().any(|set| set == name);
        let compared = is_in(&args.sets);
        let is_reloaded = is_in(&args.reload_sets) && args.wants(Section::Reload);
        let is_asked = args.wants(Section::Queries) && SETS.iter().any(|set| set.0 == name);
        let is_loaded = args.wants(Section::Memory) || args.wants(Section::Start);
        if !(compared && (is_asked || is_loaded) || is_reloaded) {
            continue;
        }
        let set = make(entries);
        let files = DataFiles::write(folder, name, &set)?;
        let mix = queries::queries(&set, Asked::Mix, &[APEX]);
        let probe = mix.iter().find(|query| query.expect == load::Expect::Listed);
        let probe = probe.context("one in ten is listed")?;
        if compared && is_asked {
            let data = &files.data;
            queries::run(&mut asked, &programs, (name, &set), data, args.count, args.rounds)
                .with_context(|| name)?;
        }
        if compared && args.wants(Section::Memory) {
            memory::run(&mut memory, &programs, (name, entries, &set), &files, probe)
                .with_context(|| name)?;
        }
        let kind = set.kind;
        // What starts beside us has all the memory of the machine but our part.
        drop(set);
        if compared && args.wants(Section::Start) {
            start::run(&mut started, &programs, (name, kind), &files, probe, args.starts)
                .with_context(|| name)?;
        }
        if is_reloaded {
            let times = (args.reload_passes, Duration::from_secs(args.reload_seconds));
            reload::run(&mut reloaded, &programs, (name, kind), &files, &mix, times)
                .with_context(|| name)?;
        }
        eprintln!("{name}: done");
    }
    let scaling = args.wants(Section::Scaling).then(|| scaling::run(&programs, folder, args));
    print(args, Section::Queries, "CPU time of a query in microseconds", &asked);
    print(args, Section::Memory, "Memory", &memory);
    print(
        args,
        Section::Start,
        "From the start of the process to the first right answer",
        &started,
    );
    if let Some(scaling) = scaling {
        print(args, Section::Scaling, "More workers, zones and datasets", &scaling?);
    }
    print(args, Section::Reload, "Queries at a steady rate while the data is reloaded", &reloaded);
    Ok(())
}

fn print(args: &Args, section: Section, title: &str, table: &Table) {
    if args.wants(section) {
        println!("{title}\n\n{table}");
    }
}

impl Args {
    fn wants(&self, section: Section) -> bool {
        self.tables.is_empty() || self.tables.contains(&section)
    }
}
