//! The time from the start of a process to its first right answer.

use super::cores::Cores;
use super::files::{DataFiles, forget};
use super::load::Query;
use super::server::Server;
use super::setup::{Program, Programs, Setup};
use super::tables::{Runs, Table, milliseconds, none};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a snapshot may take to be written.
const KEEP_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn table() -> Table {
    Table::new(&[
        "data",
        "server",
        "text, 1 core ms (range)",
        "CPU ms",
        "x rbldnsd",
        "text, 2 cores ms (range)",
        "x rbldnsd",
        "snapshot, warm ms (range)",
        "cold ms (range)",
    ])
}

/// One run of a server: the times are in milliseconds.
struct Run {
    one_core: f64,
    cpu: f64,
    two_cores: f64,
}

/// Starts dnsbld and rbldnsd in turn, over and over.
///
/// # Errors
///
/// What goes wrong with a server.
pub(crate) fn run(
    table: &mut Table,
    programs: &Programs,
    (name, kind): (&str, &str),
    files: &DataFiles,
    probe: &Query,
    runs: usize,
) -> Result<()> {
    let start = |program, cores| -> Result<Server> {
        Setup::new(program, cores, kind, &files.data).start(programs, probe)
    };
    let once = |program| -> Result<Run> {
        let on_one = start(program, Cores::First)?;
        let (one_core, cpu) = (milliseconds(on_one.start), on_one.usage()?.of_all() * 1e3);
        drop(on_one);
        let two_cores = milliseconds(start(program, Cores::Both)?.start);
        Ok(Run { one_core, cpu, two_cores })
    };
    let state = tempfile::tempdir()?;
    let mut setup = Setup::new(Program::Dnsbld, Cores::Both, kind, &files.data);
    setup.state = Some(state.path().to_owned());
    let snapshots = state.path().join("snapshots");
    let first = setup.start(programs, probe)?;
    wait_for_snapshot(&snapshots)?;
    first.stop()?;

    let mut lines: [Vec<Run>; 2] = Default::default();
    let (mut warm, mut cold) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        for (line, program) in lines.iter_mut().zip([Program::Dnsbld, Program::Rbldnsd]) {
            line.push(once(program)?);
        }
        warm.push(milliseconds(setup.start(programs, probe)?.start));
        forget(&snapshots)?;
        cold.push(milliseconds(setup.start(programs, probe)?.start));
    }
    let [warm, cold] = [warm, cold].map(|times| times.into_iter().collect::<Runs>().range(1));
    let of_snapshot = [[warm, cold], [none(), none()]];
    let names = [Program::Dnsbld, Program::Rbldnsd].map(Program::name);
    for ((line, server), [warm, cold]) in lines.iter().zip(names).zip(of_snapshot) {
        let all = |figure: fn(&Run) -> f64| line.iter().map(figure).collect::<Runs>();
        let beside = |figure: fn(&Run) -> f64| {
            let ratios = line.iter().zip(&lines[1]).map(|(own, other)| figure(own) / figure(other));
            format!("{:.2}", ratios.collect::<Runs>().median())
        };
        table.add([
            name.to_owned(),
            server.to_owned(),
            all(|run| run.one_core).range(0),
            format!("{:.0}", all(|run| run.cpu).median()),
            beside(|run| run.one_core),
            all(|run| run.two_cores).range(0),
            beside(|run| run.two_cores),
            warm,
            cold,
        ]);
    }
    Ok(())
}

/// Waits until there is a snapshot under its own name, which it gets when it is whole and synced.
fn wait_for_snapshot(folder: &Path) -> Result<()> {
    let start = Instant::now();
    let is_there = || {
        let files = fs::read_dir(folder).ok()?;
        let mut names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        names.find(|name| name.ends_with(".snapshot"))
    };
    while is_there().is_none() {
        ensure!(start.elapsed() < KEEP_LIMIT, "no snapshot in {}", folder.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    // The folder is synced after that.
    fs::File::open(folder)?.sync_all().context("cannot sync the folder of snapshots")
}
