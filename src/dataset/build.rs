//! Reading the files of a dataset and building what can be served of them.

use super::acceptance::RefusedVersions;
use super::task::{BuildOutcome, Built, Cached, Task};
use super::unchanged::unchanged;
use super::{cached, content_id, convert, kept};
use crate::event::Event;
use crate::guard;
use crate::snapshot;
use crate::snapshot::intake::Intake;
use crate::source::{
    Cause, FileState, Problem, ReadReport, SourceFile, read, read_ahead, read_appended,
};
use crate::util::memory::LoadMemory;
use crate::util::threads::cores;
use crate::zone::Dataset;
use crate::zone::diff::Tally;
use crate::zonefile::{Batches, Diagnostic, Parser};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// Reads and builds, and gives the last good data that was kept of it, too, if nothing is served
/// yet and the files hold something else; what happened on the way is added to `events`. `now` is in
/// seconds since 1970.
pub(super) fn run(
    task: &Task,
    now: u64,
    events: &mut Vec<Event>,
) -> (BuildOutcome, Option<Box<Built>>) {
    if let Some(unstable) = task.files().find(|(path, readable)| !readable.is_seen(path)) {
        return (BuildOutcome::Unstable(unstable.0.to_owned()), None);
    }
    if let Some(served) = task.served() {
        return match unchanged(task, served, false) {
            Some(sources) => (BuildOutcome::Same(sources), None),
            None => (build_safely(task, now, true), None),
        };
    }
    let (mut outcome, former) = build_first(task, now, events);
    if let (BuildOutcome::Built(built), Some(former)) = (&mut outcome, &former)
        && built.change.is_none()
    {
        let entries = built.sources.iter().map(|source| source.entries).sum();
        built.change =
            change(&former.dataset, &Some(former.sources.clone()), &built.dataset, entries);
    }
    (outcome, former)
}

/// As [`run`], where nothing is served that was read by the rules of now.
fn build_first(
    task: &Task,
    now: u64,
    events: &mut Vec<Event>,
) -> (BuildOutcome, Option<Box<Built>>) {
    match cached::find(task, now, events) {
        Some(Cached::Current(cached)) => (BuildOutcome::Built(cached), None),
        // A snapshot of other files is of another list of that name, perhaps of another server.
        Some(Cached::Former(cached))
            if cached.is_of(&task.spec.files)
                || task.owns_snapshots && cached.is_of_any(&task.spec.files) =>
        {
            (build_when_stable(task, now), Some(cached))
        }
        _ if task.good.is_some() => (build_when_stable(task, now), None),
        Some(Cached::Former(_)) => (build_safely(task, now, false), None),
        found => {
            let read_otherwise = match found {
                Some(Cached::ReadOtherwise(cached)) => Some(cached),
                _ => None,
            };
            match kept::find(task, now).or(read_otherwise) {
                Some(former) => (build_when_stable(task, now), Some(former)),
                None => (build_safely(task, now, false), None),
            }
        }
    }
}

/// How data differs from that of before, unless counting that would make loading dear.
fn change(
    before: &Dataset,
    files: &Option<Vec<SourceFile>>,
    dataset: &Dataset,
    entries: u64,
) -> Option<Tally> {
    let entries_before = files.iter().flatten().map(|source| source.entries).sum();
    (entries.max(entries_before) <= MAX_COMPARED).then(|| Tally::of(before, dataset))
}

/// Builds from files of which some are not watched yet, once they stay unchanged: good data is served
/// meanwhile.
fn build_when_stable(task: &Task, now: u64) -> BuildOutcome {
    let quiet = task.server.quiet_period;
    let is_fresh = |path: &Path| match FileState::of(path) {
        FileState::File(identity) => identity.age(SystemTime::now()).is_some_and(|age| age < quiet),
        _ => false,
    };
    let deadline = Instant::now() + quiet.min(MAX_QUIET_PERIOD) * 5;
    while let Some((path, _)) =
        task.files().find(|(path, readable)| readable.0.is_none() && is_fresh(path))
    {
        if Instant::now() >= deadline || task.token.is_cancelled() {
            return BuildOutcome::Unstable(path.to_owned());
        }
        std::thread::sleep(quiet.min(MAX_QUIET_PERIOD) / 8);
    }
    build_safely(task, now, true)
}

/// Like [`build`]; a panic of the parser or the builder is a fault of this dataset alone.
fn build_safely(task: &Task, now: u64, has_good: bool) -> BuildOutcome {
    let build = AssertUnwindSafe(|| build(task, now, has_good));
    catch_unwind(build).unwrap_or_else(|_| panicked(task))
}

/// The outcome of a build that panicked.
pub(super) fn panicked(task: &Task) -> BuildOutcome {
    let file = task.spec.files.first().cloned().unwrap_or_default();
    let cause = Cause::Refused("building it failed by a fault in dnsbld".to_owned());
    BuildOutcome::Failed(Problem { file, cause }, RefusedVersions(Vec::new()))
}

/// Reads and builds, whatever is served already: `has_good` data, the files are judged more strictly.
pub(super) fn build(task: &Task, now: u64, has_good: bool) -> BuildOutcome {
    let start = Instant::now();
    let mut parser = Parser::new(task.spec.kind, convert::options(&task.spec, &task.server, now));
    let mut sources: Vec<SourceFile> = Vec::with_capacity(task.spec.files.len());
    let (mut entries, mut bad_lines) = (0, 0);
    for (path, readable) in task.files() {
        let known = task.known(path, readable);
        let wanted = task.wanted(path);
        let (report, intake) = match read_into(task, &mut parser, path, known, has_good) {
            Ok((report, _)) if known.is_none() && !readable.is_version(&report.identity) => {
                return BuildOutcome::Unstable(path.to_owned());
            }
            // The rules for the beginning of a file were not asked for another version.
            Ok((report, _)) if wanted.is_some_and(|wanted| wanted != report.identity) => {
                return BuildOutcome::Unstable(path.to_owned());
            }
            Ok(read) => read,
            Err(problem) if known.is_some() && problem.cause == Cause::Torn => {
                return BuildOutcome::Rewritten(path.to_owned());
            }
            Err(_) if !readable.is_seen(path) => return BuildOutcome::Unstable(path.to_owned()),
            Err(problem) => return BuildOutcome::Failed(problem, RefusedVersions::unread(path)),
        };
        if let Some(intake) = intake {
            return match cached::take_in(task, intake, report, now) {
                Ok(taken) => {
                    BuildOutcome::Built(Box::new(Built { took: start.elapsed(), ..taken }))
                }
                Err(cause) => {
                    let problem = Problem { file: path.to_owned(), cause };
                    BuildOutcome::Failed(problem, RefusedVersions::unread(path))
                }
            };
        }
        let number = sources.len();
        let diagnostics = parser.diagnostics();
        let is_first_bad = |bad: &&Diagnostic| usize::from(bad.file) == number && !bad.is_used;
        let first_bad = diagnostics.kept.iter().find(is_first_bad);
        sources.push(SourceFile {
            path: path.to_owned(),
            report,
            entries: parser.entries() - entries,
            bad_lines: diagnostics.refused - bad_lines,
            first_bad: first_bad
                .map(|bad| format!("line {}, column {}: {}", bad.line, bad.column, bad.reason)),
        });
        (entries, bad_lines) = (parser.entries(), diagnostics.refused);
    }
    // Perhaps only the beginning of a line was appended.
    if task.served().is_some_and(|served| hashes(served).eq(hashes(&sources))) {
        return BuildOutcome::Same(sources);
    }
    let parsed = parser.finish();
    let (stamp, stated, counts) = (parsed.stamp, parsed.stated, parsed.counts);
    let threads = if task.all_cores { cores() } else { 1 };
    let (dataset, diagnostics) = convert::dataset(&task.spec, &task.server, parsed, threads);
    let facts = guard::Facts::of(&task.spec, &dataset, &sources, stamp, stated);
    let rules = cached::rules(&task.spec, &task.server);
    let content_id = content_id::of(&dataset, &task.spec, &rules, &sources);
    let change =
        task.before.as_ref().and_then(|before| change(before, &task.good, &dataset, entries));
    let took = start.elapsed();
    let (is_cached, since) = (false, None);
    BuildOutcome::Built(Box::new(Built {
        dataset,
        sources,
        rules,
        diagnostics,
        counts,
        facts,
        content_id,
        change,
        is_cached,
        since,
        took,
    }))
}

/// Reads a file of text into the parser; copies a snapshot. A file that is `known` must only have been
/// appended to.
fn read_into(
    task: &Task,
    parser: &mut Parser,
    path: &Path,
    known: Option<&ReadReport>,
    has_good: bool,
) -> Result<(ReadReport, Option<Intake>), Problem> {
    parser.start_file();
    let is_wanted = task.wanted(path).is_some();
    let policy = task.spec.policy;
    let mut first = true;
    let (mut wrong, mut zeros) = (None, guard::Zeros::default());
    let mut intake: Option<Intake> = None;
    let memory = LoadMemory::begin(task.server.max_memory);
    let mut copied = 0;
    let mut take = |chunk: &[u8], prepared: Option<Batches>| {
        task.go_on()?;
        if let Err(shortage) = memory.check(copied) {
            wrong = Some(Cause::NoMemory(shortage));
            return Err("takes too much memory".to_owned());
        }
        if std::mem::take(&mut first) {
            if snapshot::is_snapshot(chunk) && !task.spec.accept_snapshot {
                wrong = Some(Cause::UnaskedSnapshot);
            } else if snapshot::is_snapshot(chunk) {
                intake = Some(Intake::new(task.folder().as_ref()).map_err(not_copied)?);
            } else if policy.foreign && !is_wanted {
                wrong = guard::foreign(chunk);
            }
            if policy.other_form && !is_wanted && intake.is_none() && wrong.is_none() {
                wrong = guard::other_form(task.spec.kind, task.spec.format, chunk);
            }
        }
        if let Some(intake) = &mut intake {
            // Without a folder, the copy is in memory.
            copied += if task.folder().is_none() { chunk.len() as u64 } else { 0 };
            return intake.add(chunk).map_err(not_copied);
        }
        if has_good && policy.zeros && !is_wanted && wrong.is_none() {
            wrong = zeros.take(chunk);
        }
        // The readable of it, perhaps many gigabytes, is not read.
        if wrong.is_some() {
            return Err("is no list".to_owned());
        }
        let fed = match prepared {
            Some(prepared) => parser.feed_batches(chunk, &prepared),
            None => parser.feed(chunk),
        };
        fed.map_err(|fatal| {
            wrong = Some(Cause::Rejected(fatal));
            "is rejected".to_owned()
        })
    };
    let read = if let Some(known) = known {
        read_appended(path, &task.limits(), known, &mut |chunk| take(chunk, None))
    } else if task.all_cores {
        let prepare = |chunk: &[u8]| Batches::new(task.spec.kind, chunk);
        read_ahead(path, &task.limits(), &prepare, &mut take)
    } else {
        read(path, &task.limits(), &mut |chunk| take(chunk, None))
    };
    let problem = |cause| Problem { file: path.to_owned(), cause };
    let report = match (read, wrong) {
        (Err(Problem { cause: Cause::Fatal(_), .. }), Some(cause)) => {
            return Err(problem(cause));
        }
        (read, _) => read?,
    };
    parser.end_file().map_err(|fatal| problem(Cause::Rejected(fatal)))?;
    Ok((report, intake))
}

fn not_copied(error: std::io::Error) -> String {
    format!("it is a snapshot that cannot be copied into the state folder: {error}")
}

/// The longest quiet period that a build waits for by itself, five times at most, until files that are not
/// watched yet stay unchanged. After that, the watcher waits.
const MAX_QUIET_PERIOD: Duration = Duration::from_millis(400);

/// The most entries of a dataset that is compared with what is served: more would make loading dear.
const MAX_COMPARED: u64 = 1_000_000;

/// The hashes of the files: equal hashes, equal bytes.
fn hashes(sources: &[SourceFile]) -> impl Iterator<Item = u128> {
    sources.iter().map(|source| source.report.hash)
}
