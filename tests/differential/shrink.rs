//! Makes a failing case small: leaves out zones, files, lines and parts of the question as long
//! as it still fails.

use std::time::{Duration, Instant};

use super::scenario::Scenario;
use crate::common::query::Query;

/// The longest to try.
const PATIENCE: Duration = Duration::from_secs(60);

/// A case that fails.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    pub(crate) query: Query,
}

/// The smallest case found for which `fails` holds, as it does for `case`.
pub(crate) fn shrink(case: Case, fails: impl Fn(&Case) -> bool) -> Case {
    let start = Instant::now();
    let mut best = case;
    loop {
        let before = best.clone();
        for pass in [specs, files, lines, flags, options, question] {
            pass(&mut best, &mut |case| start.elapsed() < PATIENCE && fails(case));
        }
        if best == before {
            return best;
        }
    }
}

type Fails<'a> = dyn FnMut(&Case) -> bool + 'a;

fn try_one(best: &mut Case, fails: &mut Fails<'_>, change: impl FnOnce(&mut Case)) -> bool {
    let mut smaller = best.clone();
    change(&mut smaller);
    let better = smaller != *best && fails(&smaller);
    if better {
        *best = smaller;
    }
    better
}

fn specs(best: &mut Case, fails: &mut Fails<'_>) {
    for at in (0..best.scenario.specs.len()).rev() {
        if best.scenario.specs.len() > 1 {
            try_one(best, fails, |case| {
                case.scenario.specs.remove(at);
                drop_unused(&mut case.scenario);
            });
        }
    }
}

fn files(best: &mut Case, fails: &mut Fails<'_>) {
    for spec in 0..best.scenario.specs.len() {
        for at in (0..best.scenario.specs[spec].files.len()).rev() {
            if best.scenario.specs[spec].files.len() > 1 {
                try_one(best, fails, |case| {
                    case.scenario.specs[spec].files.remove(at);
                    drop_unused(&mut case.scenario);
                });
            }
        }
    }
}

fn drop_unused(scenario: &mut Scenario) {
    let Scenario { specs, files, .. } = scenario;
    files.retain(|file| specs.iter().any(|spec| spec.files.contains(&file.name)));
}

fn lines(best: &mut Case, fails: &mut Fails<'_>) {
    for file in 0..best.scenario.files.len() {
        let mut chunk = best.scenario.files[file].lines.len();
        while chunk > 0 {
            let mut end = best.scenario.files[file].lines.len();
            while end > 0 {
                let start = end.saturating_sub(chunk);
                try_one(best, fails, |case| {
                    case.scenario.files[file].lines.drain(start..end);
                });
                end = start;
            }
            chunk /= 2;
        }
    }
}

fn flags(best: &mut Case, fails: &mut Fails<'_>) {
    for file in 0..best.scenario.files.len() {
        try_one(best, fails, |case| case.scenario.files[file].gzip = false);
        try_one(best, fails, |case| case.scenario.files[file].open = false);
        try_one(best, fails, |case| case.scenario.files[file].crlf = false);
    }
}

fn options(best: &mut Case, fails: &mut Fails<'_>) {
    try_one(best, fails, |case| case.scenario.options = Scenario::default().options);
    if !best.scenario.has_own_options() {
        return;
    }
    for at in (0..best.scenario.options.len()).rev() {
        // An option's argument alone would be a zone.
        if best.scenario.options.get(at).is_some_and(|option| option.starts_with('-')) {
            try_one(best, fails, |case| {
                let rest = &case.scenario.options[at + 1..];
                let words = rest.iter().take_while(|word| !word.starts_with('-')).count();
                case.scenario.options.drain(at..=at + words);
            });
        }
    }
}

fn question(best: &mut Case, fails: &mut Fails<'_>) {
    try_one(best, fails, |case| case.query.from = None);
    try_one(best, fails, |case| case.query.damage = None);
    try_one(best, fails, |case| case.query.edns = None);
    try_one(best, fails, |case| case.query.bits = 0);
    try_one(best, fails, |case| case.query.opcode = 0);
    try_one(best, fails, |case| case.query.name = crate::common::name::lowercase(&case.query.name));
}

#[test]
fn a_case_shrinks_to_the_lines_that_make_it_fail() {
    let mut scenario = Scenario::default();
    let text = "serve a.test:ip4set:one,two\nserve b.test:dnset:three\nfile one gzip\n|1\n|2\n|3\n\
                |4\n|5\nfile two\n|6\nfile three crlf\n|7\n";
    for line in text.lines() {
        assert_eq!(scenario.read_line(line), Ok(true));
    }
    let query = Query::from_text("x.a.test A rd edns=512").expect("a question");
    let case = shrink(Case { scenario, query }, |case| {
        let text = case.scenario.to_string();
        text.contains("|2\n") && text.contains("|5\n") && text.contains("gzip")
    });
    assert_eq!(case.scenario.to_string(), "serve a.test:ip4set:one\nfile one gzip\n|2\n|5\n");
    assert_eq!(case.query.to_string(), "x.a.test A");
}
