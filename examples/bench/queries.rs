//! CPU time per query: the first table.

use super::cores::Cores;
use super::load::{Expect, Query};
use super::server::{Figures, Server};
use super::setup::{Program, Programs, Setup};
use super::tables::{Runs, Table};
use super::{APEX, serving};
use crate::sets::{Asked, Question, Set};
use anyhow::Result;
use std::path::Path;

/// Different queries of each kind.
const QUERIES: usize = 200_000;
/// Sockets of the generator.
const SOCKETS: usize = 4;

/// A server in a comparison, and what it is asked.
pub(crate) type Contender<'a> = (&'a Server, &'a [Query]);

/// Measures all of them in turn, round after round; each comes first, second and last equally
/// often.
///
/// # Errors
///
/// Those of [`Server::measure`].
pub(crate) fn rounds(
    contenders: &[Contender<'_>],
    rounds: usize,
    count: usize,
    sockets: usize,
) -> Result<Vec<Vec<Figures>>> {
    let round = |round: usize| {
        let mut figures = Vec::with_capacity(contenders.len());
        for turn in 0..contenders.len() {
            let at = (turn + round) % contenders.len();
            let (server, queries) = contenders[at];
            figures.push((at, server.measure(queries, count, sockets)?));
        }
        figures.sort_by_key(|&(at, _)| at);
        Ok(figures.into_iter().map(|(_, figures)| figures).collect())
    };
    (0..rounds).map(round).collect()
}

/// The CPU time of one contender beside that of another in the same round.
pub(crate) fn ratio(rounds: &[Vec<Figures>], one: usize, other: usize) -> Runs {
    rounds.iter().map(|round| round[one].cpu / round[other].cpu).collect()
}

pub(crate) fn table() -> Table {
    Table::new(&[
        "data",
        "queries",
        "server",
        "queries/s",
        "CPU us",
        "user",
        "system",
        "x echo (quartiles)",
        "x rbldnsd (quartiles)",
    ])
}

/// Measures the echo, dnsbld and rbldnsd with one data set.
///
/// # Errors
///
/// What goes wrong with a server.
pub(crate) fn run(
    table: &mut Table,
    programs: &Programs,
    (name, set): (&str, &Set),
    data: &Path,
    count: usize,
    number_of_rounds: usize,
) -> Result<()> {
    for (mix, asked) in [("mix", Asked::Mix), ("txt", Asked::Txt)] {
        let queries = queries(set, asked, &[APEX]);
        let start = |program| {
            Setup::new(program, Cores::First, set.kind, data).start(programs, &queries[0])
        };
        let (dnsbld, rbldnsd) = (start(Program::Dnsbld)?, start(Program::Rbldnsd)?);
        let size = dnsbld.measure(&queries, count / 10, SOCKETS)?.size;
        let echoed = echoed(&queries);
        let echo = programs.start_echo(Cores::First, size, 1, &echoed[0])?;
        let contenders: [Contender<'_>; 3] =
            [(&echo, &echoed), (&dnsbld, &queries), (&rbldnsd, &queries)];
        let rounds = rounds(&contenders, number_of_rounds, count, SOCKETS)?;
        for (at, server) in ["echo", "dnsbld", "rbldnsd"].into_iter().enumerate() {
            let median = |figure: fn(&Figures) -> f64| {
                rounds.iter().map(|round| figure(&round[at])).collect::<Runs>().median()
            };
            table.add([
                name.to_owned(),
                mix.to_owned(),
                server.to_owned(),
                format!("{:.0}", median(|figures| figures.rate)),
                format!("{:.2}", median(|figures| figures.cpu)),
                format!("{:.2}", median(|figures| figures.user)),
                format!("{:.2}", median(|figures| figures.cpu - figures.user)),
                ratio(&rounds, at, 0).spread(),
                ratio(&rounds, at, 2).spread(),
            ]);
        }
    }
    Ok(())
}

/// Queries of a set, for these zones in turn.
pub(crate) fn queries(set: &Set, asked: Asked, apexes: &[impl AsRef<str>]) -> Vec<Query> {
    let questions = set.questions(asked, QUERIES);
    let query = |(ask, apex): (&Question, &_)| Query {
        packet: serving::query(&format!("{}.{}", ask.name, AsRef::as_ref(apex)), ask.qtype),
        expect: if ask.listed { Expect::Listed } else { Expect::NxDomain },
    };
    questions.iter().zip(apexes.iter().cycle()).map(query).collect()
}

/// The same for a server that knows no answers.
pub(crate) fn echoed(queries: &[Query]) -> Vec<Query> {
    let echoed = |query: &Query| Query { packet: query.packet.clone(), expect: Expect::Any };
    queries.iter().map(echoed).collect()
}
