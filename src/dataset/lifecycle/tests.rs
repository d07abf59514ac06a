use super::*;
use crate::config;
use crate::guard::{Candidate, Facts, Verdict, judge};
use crate::listing::records::RecordSet;
use crate::snapshot::Rules;
use crate::source::Cause;
use crate::source::{Identity, ReadReport, Stamp};
use crate::zone::{Dataset, Ns};
use crate::zonefile::{Diagnostics, Kind, Stated};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn source(path: &str, entries: u64, bad_lines: u64, content: u64) -> SourceFile {
    let stamp = Stamp { seconds: 1_600_000_000, nanoseconds: 5 };
    let identity = Identity { device: 1, inode: 1, size: content, modified: stamp, changed: stamp };
    let hash = u128::from(entries) << 64 | u128::from(bad_lines) << 32 | u128::from(content);
    SourceFile {
        path: path.into(),
        report: ReadReport { identity, settled: true, hash, content, compressed: false },
        entries,
        bad_lines,
        first_bad: (bad_lines > 0).then(|| "list:1:1: no address".to_owned()),
    }
}

fn interrupted(mut source: SourceFile) -> SourceFile {
    source.report.identity.modified = Stamp::default();
    source
}

fn list(entries: u64) -> Vec<SourceFile> {
    vec![source("list", entries, 0, entries * 8)]
}

fn feed() -> config::Dataset {
    config::Dataset::new("list".to_owned(), Kind::Ip4Set, Vec::new())
}

/// Data of these files.
fn of(sources: Vec<SourceFile>) -> Served {
    let facts = Facts::of(&feed(), &Dataset::default(), &sources, None, Stated::default());
    Served {
        dataset: Arc::default(),
        sources,
        since: at(0),
        spec: Arc::new(feed()),
        rules: Rules::default(),
        facts,
        content_id: 0,
        change: None,
        took: Duration::ZERO,
    }
}

impl Lifecycle {
    /// Data of these files and what is odd about it, if it may be served.
    fn judge_files(
        &self,
        files: Vec<SourceFile>,
        accept_empty: bool,
    ) -> Result<(Served, Option<Doubt>), Problem> {
        let new = of(files);
        let Served { sources, dataset, facts, .. } = &new;
        let spec = &config::Dataset { accept_empty, ..feed() };
        let diagnostics = &Diagnostics::default();
        let most_entries = None;
        let candidate =
            Candidate { spec, sources, dataset, facts, diagnostics, most_entries, now: 0 };
        match judge(&candidate, self.baseline(&new).as_ref(), &config::Policy::NATIVE) {
            Verdict::Accept => Ok((new, None)),
            Verdict::Warn(doubt) => Ok((new, Some(doubt))),
            Verdict::Quarantine(problem) => Err(problem),
        }
    }

    fn take(&mut self, now: SystemTime, (new, doubt): (Served, Option<Doubt>)) -> Load {
        self.accept(now, new, doubt)
    }
}

fn live(entries: u64) -> Lifecycle {
    let mut lifecycle = Lifecycle::default();
    let candidate = lifecycle.judge_files(list(entries), true).unwrap();
    let _ = lifecycle.take(at(0), candidate);
    lifecycle
}

fn gone(file: &str) -> Problem {
    Problem { file: file.into(), cause: Cause::Vanished }
}

#[test]
fn what_may_be_served_first() {
    let garbage =
        Cause::NothingValid { bad_lines: 3, first: Some("list:1:1: no address".to_owned()) };
    let (ok, comments, zero) = (source("a", 5, 2, 90), source("b", 0, 0, 90), source("c", 0, 0, 0));
    let bad = source("d", 0, 3, 90);
    let cases: [(&str, Vec<&SourceFile>, Option<&Cause>); 8] = [
        ("entries", vec![&ok], None),
        ("entries in one of the files", vec![&zero, &bad, &ok, &comments], None),
        ("comments or specials only", vec![&comments], None),
        ("comments beside no bytes", vec![&comments, &zero], None),
        ("no bytes", vec![&zero], Some(&Cause::Empty)),
        ("garbage", vec![&bad], Some(&garbage)),
        ("garbage beside comments", vec![&comments, &bad], Some(&garbage)),
        ("no files at all", vec![], Some(&Cause::Empty)),
    ];
    for (name, sources, fault) in cases {
        let sources = sources.into_iter().cloned().collect();
        let problem = Lifecycle::default().judge_files(sources, false).err();
        assert_eq!(problem.as_ref().map(|problem| &problem.cause), fault, "{name}");
    }
    let cut = vec![interrupted(ok)];
    let candidate = Lifecycle::default().judge_files(cut, false).unwrap();
    let load = Lifecycle::default().take(at(0), candidate);
    assert_eq!(load.doubt, Some(Doubt::Interrupted("a".into())));
}

#[test]
fn what_may_replace_live_data() {
    let lifecycle = live(5);
    let fault =
        |sources, accept_empty| lifecycle.judge_files(sources, accept_empty).err().map(|p| p.cause);
    let comments = || vec![source("list", 0, 0, 90)];
    let garbage = || vec![source("list", 0, 3, 90)];
    let zero = || vec![source("list", 0, 0, 0)];
    assert_eq!(fault(list(1), false), None);
    assert_eq!(fault(comments(), false), Some(Cause::WouldDelistAll { entries: 5 }));
    assert_eq!(fault(comments(), true), None);
    assert_eq!(fault(zero(), false), Some(Cause::Empty));
    assert_eq!(fault(zero(), true), None);
    assert!(matches!(fault(garbage(), false), Some(Cause::NothingValid { .. })));
    assert!(matches!(fault(garbage(), true), Some(Cause::NothingValid { .. })));
    let cut = vec![interrupted(source("list", 4, 0, 32))];
    assert_eq!(fault(cut.clone(), true), Some(Cause::Interrupted));

    let mut always_1970 = Lifecycle::default();
    let candidate = always_1970.judge_files(cut, false).unwrap();
    let _ = always_1970.take(at(0), candidate);
    assert!(always_1970.judge_files(vec![interrupted(source("list", 5, 0, 40))], false).is_ok());
}

#[test]
fn a_file_that_turns_bad_is_not_made_up_for_by_the_others() {
    let mut lifecycle = Lifecycle::default();
    let files = |a: SourceFile, b: SourceFile| vec![a, b];
    let good = files(source("a", 5, 0, 40), source("b", 1, 0, 8));
    let candidate = lifecycle.judge_files(good, false).unwrap();
    let _ = lifecycle.take(at(0), candidate);
    let a = source("a", 5, 0, 40);
    let with = |b: SourceFile| lifecycle.judge_files(files(a.clone(), b), false).err();
    let empty = Problem { file: "b".into(), cause: Cause::Empty };
    assert_eq!(with(source("b", 0, 0, 0)), Some(empty));
    assert!(matches!(with(source("b", 0, 2, 9)).unwrap().cause, Cause::NothingValid { .. }));
    assert_eq!(with(source("b", 0, 0, 9)), None, "the last own entry was commented out");
    assert_eq!(with(source("new", 0, 0, 0)), None, "a file that never had entries");

    // Regression: a list with nothing left but a word from its publisher was taken.
    let good = files(source("a", 20, 0, 160), source("b", 1000, 0, 9000));
    let candidate = lifecycle.judge_files(good, false).unwrap();
    let _ = lifecycle.take(at(1), candidate);
    let moved = |accept_empty| {
        let sources = files(source("a", 0, 0, 40), source("b", 1000, 0, 9000));
        lifecycle.judge_files(sources, accept_empty).err()
    };
    let delists = Problem { file: "a".into(), cause: Cause::WouldDelistAll { entries: 20 } };
    assert_eq!(moved(false), Some(delists));
    assert_eq!(moved(true), None);
}

#[test]
fn a_whole_lifecycle() {
    let mut lifecycle = Lifecycle::default();
    assert_eq!(lifecycle.state(), State::NeverLoaded);
    let refusal = lifecycle.refuse(at(0), gone("list")).refusal.unwrap();
    assert_eq!(refusal, Refusal { problem: gone("list"), told_for: None, served: None });
    assert_eq!(lifecycle.state(), State::NeverLoaded);

    let load = |entries, before, failed_for: Option<u64>| Load {
        entries,
        files: 1,
        before,
        failed_for: failed_for.map(Duration::from_secs),
        doubt: None,
    };
    let candidate = lifecycle.judge_files(list(12), false).unwrap();
    assert_eq!(lifecycle.take(at(60), candidate), load(12, None, Some(60)));
    assert_eq!(lifecycle.state(), State::Live);

    let candidate = lifecycle.judge_files(list(1), false).unwrap();
    assert_eq!(lifecycle.take(at(100), candidate), load(1, Some(12), None));

    let refusal = lifecycle.refuse(at(400), gone("list")).refusal.unwrap();
    assert_eq!(
        refusal.served,
        Some(event::LastGood { entries: 1, age: Duration::from_secs(400), is_overdue: false })
    );
    assert_eq!(lifecycle.state(), State::Stale);
    assert_eq!(lifecycle.refuse(at(410), gone("list")).refusal, None);

    let problem = lifecycle.judge_files(vec![source("list", 0, 0, 0)], false).unwrap_err();
    assert!(lifecycle.refuse(at(420), problem).refusal.is_some());
    assert_eq!(lifecycle.state(), State::Quarantined);

    assert_eq!(lifecycle.confirm(at(600), list(1)), Some(Duration::from_secs(180)));
    assert_eq!(lifecycle.state(), State::Live);
    assert_eq!(lifecycle.confirm(at(700), list(1)), None);
}

#[test]
fn a_problem_that_stays_is_told_again_each_hour() {
    let mut lifecycle = live(5);
    let told: Vec<u64> = (0..10_000)
        .step_by(100)
        .filter(|&second| lifecycle.refuse(at(second), gone("list")).refusal.is_some())
        .collect();
    assert_eq!(told, [0, 3600, 7200]);
    let refusal = lifecycle.refuse(at(11_000), gone("list")).refusal.unwrap();
    assert_eq!(refusal.told_for, Some(Duration::from_secs(11_000)));
}

#[test]
fn retries_back_off_and_a_new_problem_starts_over() {
    let mut lifecycle = live(5);
    let waits: Vec<u64> =
        (0..9).map(|_| lifecycle.refuse(at(0), gone("list")).retry.as_secs()).collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
    assert_eq!(lifecycle.refuse(at(0), gone("other")).retry, Duration::from_secs(5));
    let empty = Problem { file: "list".into(), cause: Cause::Empty };
    assert_eq!(lifecycle.refuse(at(0), empty).retry, Duration::from_secs(600));
    for _ in 0..100 {
        assert!(lifecycle.refuse(at(0), gone("list")).retry <= Duration::from_secs(600));
    }
}

/// True if these are the files that are served.
fn holds(lifecycle: &Lifecycle, sources: &[SourceFile]) -> bool {
    lifecycle.served().is_some_and(|served| served.sources == sources)
}

#[derive(Clone, Debug)]
enum Event {
    Loaded { sources: Vec<SourceFile>, accept_empty: bool },
    Failed(Problem),
}

fn any_source() -> impl Strategy<Value = SourceFile> {
    let path = prop::sample::select(vec!["a", "b"]);
    (path, 0u64..3, 0u64..3, prop::bool::weighted(0.2), prop::bool::weighted(0.1)).prop_map(
        |(path, entries, bad_lines, comments, cut)| {
            let content = (entries + bad_lines + u64::from(comments)) * 8;
            let source = source(path, entries, bad_lines, content);
            if cut { interrupted(source) } else { source }
        },
    )
}

fn any_event() -> impl Strategy<Value = Event> {
    let cause = prop::sample::select(vec![
        Cause::Vanished,
        Cause::Unreadable("Permission denied".to_owned()),
        Cause::NotAFile("directory"),
        Cause::Torn,
        Cause::Compressed,
        Cause::CorruptGzip("it is cut off".to_owned()),
        Cause::TooBig(1),
        Cause::Fatal("too new".to_owned()),
        Cause::Refused("shrank by half".to_owned()),
    ]);
    let loaded = (prop::collection::vec(any_source(), 0..3), prop::bool::weighted(0.1));
    prop_oneof![
        3 => loaded.prop_map(|(sources, accept_empty)| Event::Loaded { sources, accept_empty }),
        1 => cause.prop_map(|cause| Event::Failed(Problem { file: "a".into(), cause })),
    ]
}

proptest! {
    #[test]
    fn good_data_is_never_lost_and_no_change_is_silent(
        events in prop::collection::vec((any_event(), 0u64..2000), 1..40),
    ) {
        let mut lifecycle = Lifecycle::default();
        let mut now = 0;
        for (event, pause) in events {
            now += pause;
            let before = lifecycle.clone();
            let mut may_empty = false;
            // Whether something was told; of a failure, which.
            let (told, refusal) = match event {
                Event::Loaded { sources, .. } if holds(&lifecycle, &sources) => {
                    (lifecycle.confirm(at(now), sources).is_some(), None)
                }
                Event::Loaded { sources, accept_empty } => {
                    let paths = |sources: &[SourceFile]| -> Vec<_> {
                        sources.iter().map(|source| source.path.clone()).collect()
                    };
                    // Other files are judged on their own.
                    let old = before.served().map(|served| paths(&served.sources));
                    let are_others = old.is_some_and(|old| old != paths(&sources));
                    match lifecycle.judge_files(sources, accept_empty) {
                        Ok(candidate) => {
                            let _ = lifecycle.take(at(now), candidate);
                            may_empty = accept_empty || are_others;
                            (true, None)
                        }
                        Err(problem) => {
                            let refusal = lifecycle.refuse(at(now), problem).refusal;
                            (refusal.is_some(), refusal)
                        }
                    }
                }
                Event::Failed(problem) => {
                    let refusal = lifecycle.refuse(at(now), problem).refusal;
                    (refusal.is_some(), refusal)
                }
            };

            if let Some(old) = before.served() {
                let new = lifecycle.served().expect("good data was lost");
                prop_assert!(new.entries() > 0 || old.entries() == 0 || may_empty);
                if lifecycle.failure().is_some() {
                    prop_assert_eq!(&new.sources, &old.sources);
                }
            }
            if let Some(new) = lifecycle.served() {
                prop_assert!(new.entries() > 0 || new.sources.iter().all(|s| s.bad_lines == 0));
            }
            let changed = lifecycle.state() != before.state()
                || lifecycle.failure().map(|t| &t.problem) != before.failure().map(|t| &t.problem);
            prop_assert!(!changed || told);
            if let Some(refusal) = refusal {
                let failure = lifecycle.failure().map(|failure| &failure.problem);
                prop_assert_eq!(failure, Some(&refusal.problem));
            }
        }
    }
}

#[test]
fn other_files_are_judged_on_their_own_and_replace_what_is_served_only_if_good() {
    let mut lifecycle = live(5);
    let _ = lifecycle.refuse(at(1), gone("list"));
    lifecycle.forget_failure();
    assert_eq!((lifecycle.state(), lifecycle.served().unwrap().entries()), (State::Live, 5));
    let problem = lifecycle.judge_files(vec![source("other", 0, 3, 90)], false).unwrap_err();
    let refusal = lifecycle.refuse(at(2), problem).refusal.unwrap();
    assert_eq!(refusal.served.map(|served| served.entries), Some(5));
    assert_eq!(lifecycle.state(), State::Quarantined);
    let candidate = lifecycle.judge_files(vec![source("other", 0, 0, 90)], false).unwrap();
    let load = lifecycle.take(at(3), candidate);
    assert_eq!((load.entries, load.before, load.doubt), (0, Some(5), Some(Doubt::Empty)));
    assert_eq!(load.failed_for, Some(Duration::from_secs(1)));
}

/// It was told at each start.
#[test]
fn generic_data_of_soa_and_ns_alone_is_not_empty() {
    let ns = Ns { names: Vec::new(), ttl: 5, explicit: true };
    let records = Some(RecordSet::default());
    let dataset = &Dataset { records, ns: Some(ns), ..Dataset::default() };
    let sources = &[source("list", 0, 0, 90)];
    let (spec, facts, diagnostics) = (&feed(), &Facts::default(), &Diagnostics::default());
    let most_entries = None;
    let candidate = Candidate { spec, sources, dataset, facts, diagnostics, most_entries, now: 0 };
    assert_eq!(judge(&candidate, None, &config::Policy::NATIVE), Verdict::Accept);
}

/// It was told of the only file, or of one that had entries before.
#[test]
fn an_empty_file_beside_others_is_told_at_the_first_load() {
    let lifecycle = Lifecycle::default();
    let files = || vec![source("a", 5, 0, 50), source("b", 0, 0, 0)];
    let doubt = lifecycle.judge_files(files(), false).unwrap().1;
    assert_eq!(doubt, Some(Doubt::EmptyFile("b".into())));
    assert_eq!(lifecycle.judge_files(files(), true).unwrap().1, None);
    assert_eq!(live(5).judge_files(files(), false).unwrap().1, None);
}

/// A feed that was wrong in another way with each new version was never overdue.
#[test]
fn files_are_bad_since_the_first_of_them_until_good_ones_come() {
    let mut lifecycle = live(5);
    assert_eq!(lifecycle.bad_since(), None);
    for (time, file) in [(10, "one"), (20, "two"), (30, "one")] {
        let _ = lifecycle.refuse(at(time), gone(file));
        assert_eq!(lifecycle.failure().unwrap().since, at(time));
        assert_eq!(lifecycle.bad_since(), Some(at(10)));
    }
    let mut restarted = Lifecycle::default();
    restarted.recall(lifecycle.served().unwrap().clone(), Some(at(10)));
    assert_eq!(restarted.bad_since(), None, "nothing is known of the files");
    let _ = restarted.refuse(at(40), gone("two"));
    assert_eq!(restarted.bad_since(), Some(at(10)));
    let sources = restarted.served().unwrap().sources.clone();
    restarted.confirm(at(50), sources);
    let _ = restarted.refuse(at(60), gone("two"));
    assert_eq!(restarted.bad_since(), Some(at(60)));
}

/// Regression: a clock that was behind at the start made data overdue once it was set.
#[test]
fn what_is_wrong_stays_wrong_for_as_long_when_the_clock_is_set() {
    let mut lifecycle = live(5);
    let _ = lifecycle.refuse(at(10), gone("one"));
    lifecycle.clock_was_set(1000);
    assert_eq!(
        (lifecycle.bad_since(), lifecycle.failure().unwrap().since),
        (Some(at(1010)), at(1010))
    );
    lifecycle.clock_was_set(-1005);
    assert_eq!(lifecycle.bad_since(), Some(at(5)));
    lifecycle.recall(lifecycle.served().unwrap().clone(), Some(at(7)));
    lifecycle.clock_was_set(1000);
    assert_eq!(lifecycle.bad_since(), Some(at(7)), "a right clock gave it");
}
