//! What would become of files if a server found them now: what `dnsbld guard` and `dnsbld diff` tell.

use super::build::build;
use super::task::{BuildOutcome, Built, Cached, Task};
use super::{cached, kept};
use crate::config::{self, Policy, RULES};
use crate::event::{EventSink, Log};
use crate::guard::{self, Baseline, Candidate, Facts, Judgement};
use crate::snapshot::folder::Folder;
use crate::source::Problem;
use crate::state::record::DatasetRecord;
use crate::util::cancel::CancelSource;
use crate::util::time::unix_time;
use crate::zone::Dataset;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A dataset as the state folder has it, and as it would be.
#[derive(Debug)]
pub struct Preview {
    /// The rules of the guard that are turned off for it.
    pub off: Vec<&'static str>,
    /// What was accepted last; `None` if the state folder has nothing of it.
    pub old: Option<DatasetVersion>,
    /// What its files would make of it, whatever the guard says, or why nothing can be made of them.
    pub new: Result<DatasetVersion, Problem>,
    /// What the guard would say.
    pub judgement: Judgement,
}

/// A version of a dataset.
#[derive(Debug)]
pub struct DatasetVersion {
    /// The data.
    pub dataset: Dataset,
    /// What the guard compares.
    pub facts: Facts,
    /// When it was accepted, if it was.
    pub since: Option<SystemTime>,
}

/// Looks at what would become of a dataset, with another file in place of one of its own: its only one, or the
/// one with the same name.
///
/// # Errors
///
/// When it is not clear which file the other one is in place of, or a file is being written.
pub fn preview(
    spec: &config::Dataset,
    server: &config::Server,
    file: Option<&Path>,
) -> anyhow::Result<Preview> {
    let now = unix_time();
    let source = CancelSource::default();
    let task_of = |spec: config::Dataset| Task::without_server(spec, server, source.token());
    let old = accepted(&task_of(spec.clone()), now);
    let mut place = None;
    let mut wanted = spec.clone();
    if let Some(file) = file {
        let number = place_of(file, &spec.files)?;
        place = Some((file.to_owned(), spec.files[number].clone()));
        wanted.files[number] = file.to_owned();
    }
    // The rules compare files by their places.
    let in_place = |path: &mut PathBuf| {
        if let Some((file, place)) = &place
            && path == file
        {
            path.clone_from(place);
        }
    };
    let (outcome, refused) = build_anyway(task_of(wanted), now, old.is_some());
    let new = match outcome {
        BuildOutcome::Built(mut built) => {
            built.sources.iter_mut().for_each(|source| in_place(&mut source.path));
            Ok(*built)
        }
        BuildOutcome::Failed(problem, _) => Err(problem),
        BuildOutcome::Unstable(file) | BuildOutcome::Rewritten(file) => {
            anyhow::bail!("{}: is being written", file.display())
        }
        BuildOutcome::Same(_) => anyhow::bail!("{}: nothing was built", spec.name),
    };
    let mut judgement = match &new {
        Ok(new) => {
            let record = server.state_dir.as_deref().map(Folder::of);
            let record =
                record.and_then(|folder| DatasetRecord::read(&folder, &spec.name).ok().flatten());
            let mut judgement = judge(spec, old.as_ref(), record.as_ref(), new, now);
            // Who reads it gave another file.
            if let Some((file, place)) = &place {
                let broken = judgement.broken.iter_mut();
                let in_place = broken.filter(|problem| problem.file == *place);
                in_place.for_each(|problem| problem.file.clone_from(file));
            }
            judgement
        }
        Err(problem) => Judgement { broken: vec![problem.clone()], doubt: None },
    };
    if let Some(problem) = refused {
        judgement.broken.retain(|other| *other != problem);
        judgement.broken.insert(0, problem);
    }
    let is_off = |turn_off: fn(&mut Policy)| {
        let mut without = spec.policy;
        turn_off(&mut without);
        without == spec.policy
    };
    let off =
        RULES.iter().filter(|(_, turn_off)| is_off(*turn_off)).map(|(rule, _)| *rule).collect();
    Ok(Preview { off, old: old.map(version), new: new.map(version), judgement })
}

/// What was accepted last of a dataset, as the state folder has it; `None` if it has nothing.
pub fn accepted_version(spec: &config::Dataset, server: &config::Server) -> Option<DatasetVersion> {
    let source = CancelSource::default();
    let task = Task::without_server(spec.clone(), server, source.token());
    accepted(&task, unix_time()).map(version)
}

/// What the files of a dataset make of it, whatever the guard says.
///
/// # Errors
///
/// When nothing can be made of them, or a file is being written.
pub fn built_version(
    spec: &config::Dataset,
    server: &config::Server,
) -> anyhow::Result<DatasetVersion> {
    let source = CancelSource::default();
    let task = Task::without_server(spec.clone(), server, source.token());
    match build_anyway(task, unix_time(), false).0 {
        BuildOutcome::Built(built) => Ok(version(*built)),
        BuildOutcome::Failed(problem, _) => anyhow::bail!("{problem}"),
        BuildOutcome::Unstable(file) | BuildOutcome::Rewritten(file) => {
            anyhow::bail!("{}: is being written", file.display())
        }
        BuildOutcome::Same(_) => anyhow::bail!("{}: nothing was built", spec.name),
    }
}

/// Builds also what is refused, as `dnsbld accept` would have it; and why it is.
fn build_anyway(mut task: Task, now: u64, has_good: bool) -> (BuildOutcome, Option<Problem>) {
    let outcome = build(&task, now, has_good);
    match &outcome {
        BuildOutcome::Failed(problem, versions) if problem.cause.may_be_accepted() => {
            let refused = problem.clone();
            task.accepting = Some(versions.clone());
            (build(&task, now, has_good), Some(refused))
        }
        _ => (outcome, None),
    }
}

fn version(built: Built) -> DatasetVersion {
    DatasetVersion { dataset: built.dataset, facts: built.facts, since: built.since }
}

/// What was accepted last, as the state folder has it.
pub(super) fn accepted(task: &Task, now: u64) -> Option<Built> {
    let mut events = Vec::new();
    let found = match cached::find(task, now, &mut events) {
        Some(Cached::Current(built) | Cached::Former(built)) => Some(built),
        Some(Cached::ReadOtherwise(built)) => kept::any(task, now).or(Some(built)),
        None => kept::any(task, now),
    };
    if found.is_none() {
        events.iter().for_each(|event| Log.emit(event));
    }
    found.map(|built| *built)
}

fn judge(
    spec: &config::Dataset,
    old: Option<&Built>,
    record: Option<&DatasetRecord>,
    new: &Built,
    now: u64,
) -> Judgement {
    let candidate = Candidate {
        spec,
        sources: &new.sources,
        dataset: &new.dataset,
        facts: &new.facts,
        diagnostics: &new.diagnostics,
        most_entries: record.and_then(|record| record.most_entries(spec)),
        now,
    };
    let old = old.map(|old| {
        let mut facts = old.facts.clone();
        record.into_iter().for_each(|record| record.complete(&mut facts, &old.sources));
        (old, facts)
    });
    let old = old.as_ref().map(|(old, facts)| Baseline {
        sources: &old.sources,
        facts,
        dataset: Some(&old.dataset),
        is_predecessor: old.lineage().precedes(new.lineage()),
    });
    let old = old.or_else(|| Some(record?.baseline(spec)));
    guard::judge_by_all(&candidate, old.as_ref(), &spec.policy)
}

/// The number of the file that another one is in place of.
fn place_of(file: &Path, files: &[PathBuf]) -> anyhow::Result<usize> {
    let same_name = files.iter().position(|known| known.file_name() == file.file_name());
    let only = (files.len() == 1).then_some(0);
    only.or(same_name).ok_or_else(|| {
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        anyhow::anyhow!(
            "the dataset has several files: give {} the name of the one that it is in place of: {}",
            file.display(),
            names.join(", ")
        )
    })
}
