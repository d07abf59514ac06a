//! Does a query cost the same with more workers, zones and datasets?

use super::cores::Cores;
use super::load::Query;
use super::queries::{Contender, echoed, queries, ratio, rounds};
use super::server::{Figures, Server};
use super::setup::{Data, Program, Programs, Setup};
use super::tables::{Runs, Table, none};
use super::{APEX, Args};
use crate::sets::{Asked, Set};
use anyhow::Result;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Client sockets for two workers: the kernel deals them out by their ports.
const SOCKETS: usize = 64;
/// Client sockets for one worker.
const FEW_SOCKETS: usize = 4;
const KIND: &str = "ip4tset";
/// The entries of each dataset, and the /24s of most of them.
const SIZE: (usize, usize) = (1_000_000, 30_000);
const ZONES: [usize; 4] = [1, 10, 100, 1_000];
const STACKS: [usize; 3] = [1, 2, 4];

/// Measures and prints.
///
/// # Errors
///
/// What goes wrong with a server.
pub(crate) fn run(programs: &Programs, folder: &Path, args: &Args) -> Result<Table> {
    let mut table = Table::new(&[
        "server",
        "with",
        "queries/s",
        "CPU us",
        "user",
        "x the first (quartiles)",
        "x echo (quartiles)",
    ]);
    let set = Set::addresses(SIZE.0, SIZE.1);
    let files: Result<Vec<Data>> = (0..STACKS[STACKS.len() - 1])
        .map(|number| {
            let path = folder.join(format!("stacked-{number}"));
            let mut out = BufWriter::new(File::create(&path)?);
            set.write(&mut out)?;
            out.flush()?;
            Ok((KIND.to_owned(), path))
        })
        .collect();
    let files = files?;
    workers(&mut table, programs, &files[0], &set, args)?;
    for program in [Program::Dnsbld, Program::Rbldnsd] {
        zones(&mut table, programs, program, &files[0], &set, args)?;
    }
    for program in [Program::Dnsbld, Program::Rbldnsd] {
        stacks(&mut table, programs, program, &files, &set, args)?;
    }
    Ok(table)
}

/// One worker and two, each free to run on both processors, as the generator is.
fn workers(
    table: &mut Table,
    programs: &Programs,
    data: &Data,
    set: &Set,
    args: &Args,
) -> Result<()> {
    let asked = queries(set, Asked::Mix, &[APEX]);
    let echoed = echoed(&asked);
    let (mut servers, mut echoes) = (Vec::new(), Vec::new());
    for workers in [1, 2] {
        let setup = Setup::new(Program::Dnsbld, Cores::Both, &data.0, &data.1);
        let server = Setup { workers, ..setup }.start(programs, &asked[0])?;
        let size = server.measure(&asked, args.count / 10, SOCKETS)?.size;
        echoes.push(programs.start_echo(Cores::Both, size, workers, &echoed[0])?);
        servers.push(server);
    }
    let contenders: [Contender<'_>; 4] = [
        (&echoes[0], &echoed),
        (&echoes[1], &echoed),
        (&servers[0], &asked),
        (&servers[1], &asked),
    ];
    let rounds = Cores::Both.hold(|| rounds(&contenders, args.rounds, args.count, SOCKETS))?;
    for (at, (server, workers)) in
        [("echo", 1), ("echo", 2), ("dnsbld", 1), ("dnsbld", 2)].into_iter().enumerate()
    {
        let with = if workers == 1 { "1 worker" } else { "2 workers" };
        let beside_echo = ratio(&rounds, at, at % 2).spread();
        line(table, server, with.to_owned(), &rounds, at, at - at % 2, beside_echo);
    }
    Ok(())
}

/// Ever more zones with the same dataset, asked in turn.
fn zones(
    table: &mut Table,
    programs: &Programs,
    program: Program,
    data: &Data,
    set: &Set,
    args: &Args,
) -> Result<()> {
    let mut servers = Vec::new();
    for count in ZONES {
        let apexes: Vec<_> = (0..count).map(|number| format!("zone{number}.test")).collect();
        let asked = queries(set, Asked::Mix, &apexes);
        let zones = apexes.into_iter().map(|apex| (apex, vec![data.clone()])).collect();
        let setup = Setup { zones, ..Setup::new(program, Cores::First, &data.0, &data.1) };
        servers.push((setup.start(programs, &asked[0])?, asked));
    }
    let names = ZONES.map(|count| format!("{count} zone{}", if count == 1 { "" } else { "s" }));
    compare(table, program, &servers, names, args)
}

/// Ever more datasets in one zone.
fn stacks(
    table: &mut Table,
    programs: &Programs,
    program: Program,
    files: &[Data],
    set: &Set,
    args: &Args,
) -> Result<()> {
    let mut servers = Vec::new();
    for count in STACKS {
        let asked = queries(set, Asked::Mix, &[APEX]);
        let zones = vec![(APEX.to_owned(), files[..count].to_vec())];
        let setup = Setup { zones, ..Setup::new(program, Cores::First, KIND, &files[0].1) };
        servers.push((setup.start(programs, &asked[0])?, asked));
    }
    let names = STACKS.map(|count| format!("{count} dataset{}", if count == 1 { "" } else { "s" }));
    compare(table, program, &servers, names, args)
}

fn compare<const COUNT: usize>(
    table: &mut Table,
    program: Program,
    servers: &[(Server, Vec<Query>)],
    names: [String; COUNT],
    args: &Args,
) -> Result<()> {
    let contenders: Vec<Contender<'_>> =
        servers.iter().map(|(server, asked)| (server, &asked[..])).collect();
    let rounds = rounds(&contenders, args.rounds, args.count, FEW_SOCKETS)?;
    for (at, with) in names.into_iter().enumerate() {
        line(table, program.name(), with, &rounds, at, 0, none());
    }
    Ok(())
}

fn line(
    table: &mut Table,
    server: &str,
    with: String,
    rounds: &[Vec<Figures>],
    at: usize,
    first: usize,
    beside_echo: String,
) {
    let median = |figure: fn(&Figures) -> f64| {
        rounds.iter().map(|round| figure(&round[at])).collect::<Runs>().median()
    };
    table.add([
        server.to_owned(),
        with,
        format!("{:.0}", median(|figures| figures.rate)),
        format!("{:.2}", median(|figures| figures.cpu)),
        format!("{:.2}", median(|figures| figures.user)),
        ratio(rounds, at, first).spread(),
        beside_echo,
    ]);
}
