//! The differential test: Debian's rbldnsd and dnsbld get the same data files and the same
//! questions, and must give the same answers, but for the wanted differences of `known_differences.rs`
//! (`docs/compat.md`).
//!
//! Everything random comes from a seed that is printed with a failure. In the environment:
//! `DIFF_SECONDS` sets how long to go on with seeds from the clock behind the fixed ones (without
//! it only these are tried, so that a run can be repeated), `DIFF_SEED` where to begin instead,
//! `DIFF_RIGHT=rbldnsd` compares rbldnsd with itself, `RBLDNSD` says where it is.
//!
//! dnsbld runs in two modes: by its own name, beside an rbldnsd with the options that come closest
//! to it; and through a link called rbldnsd, with the same random options as rbldnsd itself.

mod access;
mod as_meant;
mod cases;
mod compare;
mod facts;
pub(crate) mod files;
mod judge;
mod judge_tests;
mod keys;
mod known_differences;
pub(crate) mod questions;
pub(crate) mod scenario;
mod server;
mod shrink;
mod values;

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::common::query::Query;
use crate::common::{Random, in_parallel};
use compare::{Compared, Pair};
use judge::Verdict;
use scenario::Scenario;
use server::Program;

/// Questions per scenario.
const QUESTIONS: usize = 400;
/// Seeds that every run tries first: 1 to this one.
const FIXED_SEEDS: u64 = 100;
/// They wait for their servers most of the time.
const SEEDS_AT_A_TIME: usize = 4;

#[test]
fn random_files_and_questions_get_the_same_answers_but_for_the_wanted_differences() {
    try_seeds(Program::Dnsbld);
}

#[test]
fn random_files_options_and_questions_get_the_same_answers_under_rbldnsds_name() {
    try_seeds(Program::DropIn);
}

fn try_seeds(program: Program) {
    let program = right_program(program);
    let start = Instant::now();
    let seconds = variable("DIFF_SECONDS");
    let length = Duration::from_secs(seconds.unwrap_or(0));
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let in_time = move |_: &u64| start.elapsed() < length;
    let figures = match variable::<u64>("DIFF_SEED") {
        Some(seed) => try_all((seed..=seed).chain((seed + 1..).take_while(in_time)), program),
        None => try_all((1..=FIXED_SEEDS).chain((clock.as_secs()..).take_while(in_time)), program),
    };
    tell(&format!(
        "differential, {program:?}, seeds from the clock begin at {}:\n{figures}",
        clock.as_secs()
    ));
}

/// Tries some seeds at a time.
fn try_all(seeds: impl Iterator<Item = u64> + Send, program: Program) -> Figures {
    let seeds = Mutex::new(seeds);
    let draw = || seeds.lock().expect("nobody fails with it").next();
    let parts = in_parallel(&[(); SEEDS_AT_A_TIME], |()| {
        let mut figures = Figures::default();
        while let Some(seed) = draw() {
            try_seed(seed, program, &mut figures);
        }
        figures
    });
    let mut figures = Figures::default();
    parts.into_iter().for_each(|part| figures.merge(part));
    figures
}

#[test]
fn every_quirk_of_rbldnsd_is_kept_or_changed_as_documented() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/cases");
    let files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the cases are in the repository")
        .map(|entry| entry.expect("a folder that opens can be read").path())
        .collect();
    let complaints = in_parallel(&files, |path| {
        let mut complaints = Vec::new();
        let text = std::fs::read_to_string(path).expect("a case is a text");
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        for program in [Program::Dnsbld, Program::DropIn].map(right_program) {
            let checked = cases::Case::from_text(&text).and_then(|case| case.check(program));
            let found = checked.unwrap_or_else(|error| vec![error]);
            let found = found.into_iter().map(|found| format!("{file}, {program:?}: {found}"));
            complaints.extend(found);
        }
        complaints
    })
    .concat();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    tell(&format!("differential: {} hand-written cases", files.len()));
}

#[test]
fn rbldnsd_differs_from_itself_in_nothing_and_random_questions_reach_every_kind_of_answer() {
    let figures = try_all(1..=20, Program::Rbldnsd);
    assert_eq!(figures.equal, figures.questions);
    let answers = ["records", "no data", "NXDOMAIN", "REFUSED", "NOTIMP", "SERVFAIL", "silence"];
    for answer in answers {
        let count = figures.answers.get(answer).copied().unwrap_or_default();
        assert!(count * 200 > figures.questions || count > 20, "{count} x {answer}: {figures}");
    }
    assert!(figures.answers["records"] * 6 > figures.questions, "{figures}");
}

#[test]
fn a_line_that_only_one_server_has_is_found_and_made_small() {
    let seed = 7;
    let mut random = Random::new(seed);
    let (left, keyspace) = files::scenario(&mut random);
    let spoil = |scenario: &Scenario| {
        let mut right = scenario.clone();
        for file in &mut right.files {
            file.lines.retain(|line| !line.text.starts_with(b"1.2.3.4 "));
        }
        right
    };
    let mut left = left;
    left.specs.push(scenario::Spec {
        zone: "planted.example".to_owned(),
        kind: scenario::Kind::Ip4set,
        files: vec!["planted".to_owned()],
    });
    left.files.push(scenario::DataFile {
        name: "planted".to_owned(),
        lines: ["1.2.3.0/24", "1.2.3.4 :7:planted", "!1.2.3.5"].map(scenario::Line::new).to_vec(),
        ..scenario::DataFile::default()
    });
    let mut queries = questions::questions(&mut random, &left, &keyspace, QUESTIONS);
    queries.push(Query::from_text("4.3.2.1.planted.example TXT rd").expect("a question"));
    let differs = |scenario: &Scenario, queries: &[Query]| {
        let right = spoil(scenario);
        let pair = Pair { left: scenario, right: &right, program: Program::Rbldnsd };
        let compared = pair.compare(queries).expect("both servers run");
        compared.into_iter().find(|one| one.verdict != Verdict::Equal)
    };
    let found = differs(&left, &queries).expect("the planted difference is found");
    let case = shrink::shrink(shrink::Case { scenario: left, query: found.query }, |case| {
        differs(&case.scenario, std::slice::from_ref(&case.query)).is_some()
    });
    assert_eq!(
        case.scenario.to_string(),
        "serve planted.example:ip4set:planted\nfile planted\n|1.2.3.4 :7:planted\n"
    );
    assert!(case.query.to_string().contains("planted.example"), "{}", case.query);
}

#[test]
fn the_documented_differences_are_those_of_this_test() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compat.md");
    if std::env::var_os("DIFF_LIST").is_some() {
        std::fs::write(&path, known_differences::page()).expect("docs can be written");
        tell(&known_differences::page());
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    let remedy = "docs/compat.md is out of date: run the test with DIFF_LIST=1";
    assert!(page == known_differences::page(), "{remedy}");
}

/// Compares the servers on the scenario of `seed`; panics with a small reproduction if they
/// differ.
fn try_seed(seed: u64, program: Program, figures: &mut Figures) {
    let mut random = Random::new(seed);
    let (mut scenario, keyspace) = files::scenario(&mut random);
    let queries = questions::questions(&mut random, &scenario, &keyspace, QUESTIONS);
    if program.has_options() {
        scenario.options = files::options(&mut random);
    }
    let pair = Pair { left: &scenario, right: &scenario, program };
    let compared = pair.compare(&queries);
    let compared = compared.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{scenario}"));
    figures.add(&scenario, &compared);
    let unwanted: Vec<&Compared> = compared.iter().filter(|one| !one.verdict.is_good()).collect();
    let Some(first) = unwanted.first() else { return };
    let unwanted_of = |case: &shrink::Case| {
        let pair = Pair { left: &case.scenario, right: &case.scenario, program };
        let mut compared = pair.compare(std::slice::from_ref(&case.query)).ok()?;
        compared.pop().filter(|one| !one.verdict.is_good())
    };
    let case = shrink::Case { scenario: scenario.clone(), query: first.query.clone() };
    let case = shrink::shrink(case, |case| unwanted_of(case).is_some());
    let small = unwanted_of(&case);
    let small = small.as_ref().unwrap_or(first);
    let Verdict::Unwanted(complaint) = &small.verdict else { unreachable!("it was filtered") };
    panic!(
        "seed {seed} (DIFF_SEED={seed} DIFF_SECONDS=0): {} unwanted differences; the first one, \
         made small:\n\n{}{}\n{complaint}\n\nall: {}",
        unwanted.len(),
        case.scenario,
        small.report(),
        unwanted.iter().map(|one| one.query.to_string()).collect::<Vec<_>>().join("\n     ")
    );
}

/// What was compared.
#[derive(Default)]
struct Figures {
    scenarios: usize,
    files: usize,
    lines: usize,
    questions: usize,
    equal: usize,
    unwanted: usize,
    wanted: BTreeMap<&'static str, usize>,
    /// What kinds of answers rbldnsd gave.
    answers: BTreeMap<String, usize>,
}

impl Figures {
    fn add(&mut self, scenario: &Scenario, compared: &[Compared]) {
        self.scenarios += 1;
        self.files += scenario.files.len();
        self.lines += scenario.files.iter().map(|file| file.lines.len()).sum::<usize>();
        self.questions += compared.len();
        for one in compared {
            match &one.verdict {
                Verdict::Equal => self.equal += 1,
                Verdict::Unwanted(_) => self.unwanted += 1,
                Verdict::Wanted(ids) => {
                    ids.iter().for_each(|id| *self.wanted.entry(id).or_default() += 1);
                }
            }
            let answer = match &one.left {
                None => "silence".to_owned(),
                Some(reply) if reply.rcode != 0 => reply.code(),
                Some(reply) if reply.answers.is_empty() => "no data".to_owned(),
                Some(_) => "records".to_owned(),
            };
            *self.answers.entry(answer).or_default() += 1;
        }
    }
}

impl Figures {
    fn merge(&mut self, other: Self) {
        self.scenarios += other.scenarios;
        self.files += other.files;
        self.lines += other.lines;
        self.questions += other.questions;
        self.equal += other.equal;
        self.unwanted += other.unwanted;
        other.wanted.into_iter().for_each(|(id, n)| *self.wanted.entry(id).or_default() += n);
        other.answers.into_iter().for_each(|(kind, n)| *self.answers.entry(kind).or_default() += n);
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenarios, files, lines, questions, equal, unwanted, wanted, answers } = self;
        writeln!(
            f,
            "{scenarios} scenarios, {files} files of {lines} lines, {questions} questions"
        )?;
        writeln!(f, "rbldnsd's answers: {answers:?}")?;
        writeln!(f, "{equal} equal, {unwanted} unwanted differences, wanted ones by name:")?;
        wanted.iter().try_for_each(|(id, count)| writeln!(f, "{count:>9} {id}"))
    }
}

/// Which server to compare rbldnsd with, if not `program`.
fn right_program(program: Program) -> Program {
    match std::env::var("DIFF_RIGHT").as_deref() {
        Ok("rbldnsd") => Program::Rbldnsd,
        Ok(other) if other != "dnsbld" => panic!("DIFF_RIGHT is rbldnsd or dnsbld, not {other}"),
        _ => program,
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

/// Prints past the test harness, which shows what tests print only when they fail.
fn tell(text: &str) {
    writeln!(std::io::stderr(), "{text}").expect("stderr can be written");
}
