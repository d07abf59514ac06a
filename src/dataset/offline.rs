//! Building without a server: what `dnsbld compile` and `dnsbld check` do.

use super::build::build;
use super::cached::origin;
use super::preview::accepted;
use super::task::{BuildOutcome, Built, Task};
use crate::config;
use crate::guard::{self, Candidate, Verdict};
use crate::snapshot::{self, Id, Origin};
use crate::source::{Problem, SourceFile};
use crate::util::allocator;
use crate::util::cancel::CancelSource;
use crate::util::time::unix_time;
use crate::zone::Dataset;
use crate::zonefile::Diagnostics;
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A snapshot that was made by `dnsbld compile`.
#[derive(Debug)]
pub struct Compiled {
    /// The file.
    pub path: PathBuf,
    /// What tells its data from any other.
    pub id: Id,
    /// What it was made from.
    pub origin: Origin,
    /// What is wrong with single lines.
    pub diagnostics: Diagnostics,
}

/// A dataset as a server would serve it.
pub(crate) struct OfflineDataset {
    /// The data.
    pub(crate) dataset: Dataset,
    /// The files it was made of.
    pub(crate) sources: Vec<SourceFile>,
    /// When a server accepted it; `None` if nothing is known of a server, and it was made of the files now.
    pub(crate) accepted: Option<SystemTime>,
    /// When it was made by its own account, in seconds since 1970.
    pub(crate) stamp: Option<u64>,
}

/// Loads what a server accepted last of a dataset, as the state folder has it, or else its files.
///
/// # Errors
///
/// Why nothing can be made of the files.
pub(crate) fn load(
    spec: &config::Dataset,
    server: &config::Server,
) -> Result<OfflineDataset, String> {
    let source = CancelSource::default();
    let task = Task::without_server(spec.clone(), server, source.token());
    let now = unix_time();
    let offline = |built: Built, accepted| OfflineDataset {
        stamp: built.facts.stamp,
        dataset: built.dataset,
        sources: built.sources,
        accepted,
    };
    if let Some(built) = accepted(&task, now) {
        let since = built.since;
        return Ok(offline(built, since));
    }
    match build(&task, now, false) {
        BuildOutcome::Built(built) => Ok(offline(*built, None)),
        BuildOutcome::Failed(problem, _) => Err(problem.to_string()),
        BuildOutcome::Unstable(file) | BuildOutcome::Rewritten(file) => {
            Err(format!("{}: is being written", file.display()))
        }
        BuildOutcome::Same(_) => Err("nothing was built".to_owned()),
    }
}

/// Reads the files of a dataset and writes its snapshot, to `path` or else into the state folder.
/// Judges them as at the first start of a server.
///
/// # Errors
///
/// When the files cannot be read, hold nothing that can be served, or the snapshot cannot be
/// written.
pub fn compile(
    spec: &config::Dataset,
    server: &config::Server,
    path: Option<&Path>,
) -> anyhow::Result<Compiled> {
    allocator::give_back_large_arrays();
    let source = CancelSource::default();
    let task = Task::without_server(spec.clone(), server, source.token());
    let now = unix_time();
    let refused = |problem: Problem| {
        let remedy = problem.cause.remedy(None);
        anyhow::anyhow!("{}: {problem}; {remedy}", spec.name)
    };
    let Built { dataset, sources, diagnostics, facts, .. } = match build(&task, now, false) {
        BuildOutcome::Built(built) => *built,
        BuildOutcome::Failed(problem, _) => return Err(refused(problem)),
        BuildOutcome::Unstable(file) | BuildOutcome::Rewritten(file) => {
            anyhow::bail!("{}: is being written", file.display())
        }
        BuildOutcome::Same(_) => anyhow::bail!("{}: nothing was built", spec.name),
    };
    let candidate = Candidate {
        spec,
        sources: &sources,
        dataset: &dataset,
        facts: &facts,
        diagnostics: &diagnostics,
        most_entries: None,
        now,
    };
    // As at the first start, by dnsbld's own rules.
    if let Verdict::Quarantine(problem) = guard::judge(&candidate, None, &config::Policy::NATIVE) {
        return Err(refused(problem));
    }
    let origin = origin(spec, server, facts.stamp, &sources);
    let (path, id) = match (path, task.folder()) {
        (Some(path), _) => (path.to_owned(), snapshot::write(path, &dataset, &origin, &|| true)),
        (None, Some(folder)) => {
            (folder.file(&spec.name), folder.write(&dataset, &origin, &|| true))
        }
        (None, None) => anyhow::bail!("there is no state folder: say with -o where to write"),
    };
    let id = id.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Compiled { path, id, origin, diagnostics })
}
