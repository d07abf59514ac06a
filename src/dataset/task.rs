//! What to build, and what came of it: plain values.

use super::acceptance::RefusedVersions;
use super::lineage::Lineage;
use crate::config;
use crate::event::Event;
use crate::guard::Facts;
use crate::snapshot::Rules;
use crate::snapshot::folder::Folder;
use crate::source::{FileState, Identity, Limits, Problem, ReadReport, SourceFile, Stable};
use crate::util::cancel::CancelToken;
use crate::util::threads::cores;
use crate::zone::Dataset;
use crate::zone::diff::Tally;
use crate::zonefile::{Counts, Diagnostics};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A dataset that was read and built, but not yet judged.
pub(crate) struct Built {
    /// What would be served.
    pub(crate) dataset: Dataset,
    /// What was read, file by file.
    pub(crate) sources: Vec<SourceFile>,
    /// How it was read.
    pub(crate) rules: Rules,
    /// What is wrong with single lines; of a snapshot only what the sources tell.
    pub(crate) diagnostics: Diagnostics,
    /// What the entries are, by size or scope; of a snapshot nothing.
    pub(crate) counts: Counts,
    /// What the guards compare with other versions.
    pub(crate) facts: Facts,
    /// What tells it from any other data, on every machine.
    pub(crate) content_id: u64,
    /// How it differs from what is served, if that was counted.
    pub(crate) change: Option<Tally>,
    /// True if the state folder has a snapshot of exactly this data.
    pub(crate) is_cached: bool,
    /// When it was read, if that was before the server was started.
    pub(crate) since: Option<SystemTime>,
    /// How long reading and building took.
    pub(crate) took: Duration,
}

impl Built {
    /// True if it was read from these files.
    pub(crate) fn is_of(&self, files: &[PathBuf]) -> bool {
        self.sources.iter().map(|source| &source.path).eq(files)
    }

    /// What it is a version of.
    pub(super) fn lineage(&self) -> Lineage<'_> {
        Lineage { sources: &self.sources, rules: &self.rules }
    }

    /// True if it was read from any of them.
    pub(super) fn is_of_any(&self, files: &[PathBuf]) -> bool {
        self.sources.iter().any(|source| files.contains(&source.path))
    }
}

/// A snapshot of a dataset in the state folder.
pub(crate) enum Cached {
    /// It was made of the files as they are.
    Current(Box<Built>),
    /// It was made of earlier versions of the files.
    Former(Box<Built>),
    /// It was made of these files by other settings, in any version: it answers for keys of the same sort.
    ReadOtherwise(Box<Built>),
}

/// What came of reading and building a dataset.
pub(crate) enum BuildOutcome {
    /// Other data than is served.
    Built(Box<Built>),
    /// The files hold, byte by byte, what is served; nothing was built.
    Same(Vec<SourceFile>),
    /// This file is not, or no longer, its last stable version: its writer may be at work. What was read of
    /// it does not count.
    Unstable(PathBuf),
    /// Like `Unstable`, for a file that was taken to be appended to.
    Rewritten(PathBuf),
    /// The data cannot be had: the file it is for, as far as it is known which version that was.
    Failed(Problem, RefusedVersions),
}

/// What to read and build.
pub(crate) struct Task {
    /// The files, and how to read them.
    pub(crate) spec: Arc<config::Dataset>,
    /// Rules that hold for all datasets.
    pub(crate) server: Arc<config::Server>,
    /// The last stable version of each file, which is known to be whole; `None` for a file that is not
    /// watched (yet): it is taken as it is if no good data can be served meanwhile.
    pub(crate) last_stable: Vec<Option<Stable>>,
    /// The files of the good data that is served, if there is any.
    pub(crate) good: Option<Vec<SourceFile>>,
    /// The data that is served, if there is any.
    pub(crate) before: Option<Arc<Dataset>>,
    /// True if they were read by the rules that hold now.
    pub(crate) by_these_rules: bool,
    /// True if the snapshots in the state folder are this server's own.
    pub(crate) owns_snapshots: bool,
    /// These files are to be served, whatever the rules say.
    pub(crate) accepting: Option<RefusedVersions>,
    /// True if building may use more than one core.
    pub(crate) all_cores: bool,
    /// Tells when the outcome is no longer wanted.
    pub(crate) token: CancelToken,
}

impl Task {
    /// Reads and builds where no server serves the dataset: the files are taken as they are.
    pub(super) fn without_server(
        spec: config::Dataset,
        server: &config::Server,
        token: CancelToken,
    ) -> Self {
        Self {
            spec: Arc::new(spec),
            server: Arc::new(server.clone()),
            last_stable: Vec::new(),
            good: None,
            before: None,
            by_these_rules: false,
            owns_snapshots: true,
            accepting: None,
            all_cores: cores() > 1,
            token,
        }
    }

    /// The files, and which version of each may be read.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Path, Readable)> {
        let stable = self.last_stable.iter().copied().chain(std::iter::repeat(None));
        self.spec.files.iter().map(PathBuf::as_path).zip(stable.map(Readable))
    }

    /// The files that are served, if they were read by the same rules.
    pub(super) fn served(&self) -> Option<&[SourceFile]> {
        self.good.as_deref().filter(|_| self.by_these_rules)
    }

    /// What was read before of a file that is appended to all the time.
    pub(super) fn known(&self, path: &Path, readable: Readable) -> Option<&ReadReport> {
        let is_appending = readable.0.is_some_and(|stable| stable.appending);
        let good = self.good.as_ref().filter(|_| is_appending)?;
        good.iter().find(|source| source.path == path).map(|source| &source.report)
    }

    /// The version of a file that is to be served although it was refused by its beginning, if this is still
    /// what the path shows.
    pub(super) fn wanted(&self, path: &Path) -> Option<Identity> {
        let identity = self.accepting.as_ref()?.unread_identity(path)?;
        (FileState::of(path) == FileState::File(identity)).then_some(identity)
    }

    /// Where snapshots are kept, if anywhere.
    pub(super) fn folder(&self) -> Option<Folder> {
        self.server.state_dir.as_deref().map(Folder::of)
    }

    /// What a file may be.
    pub(super) fn limits(&self) -> Limits {
        let limits = Limits { decompress: self.server.decompress, ..Limits::default() };
        if self.spec.policy.expansion { limits } else { Limits { expansion: u64::MAX, ..limits } }
    }

    /// An error when the outcome is no longer wanted.
    pub(super) fn go_on(&self) -> Result<(), String> {
        if self.token.is_cancelled() { Err("is not wanted".to_owned()) } else { Ok(()) }
    }
}

/// The version of a file that may be read; any, if the file is not watched.
#[derive(Clone, Copy)]
pub(super) struct Readable(pub(super) Option<Stable>);

impl Readable {
    /// True if this version may be read. Of a file that is appended to, only the very version that was
    /// seen: later ones are for those who know its beginning.
    pub(super) fn is_version(self, identity: &Identity) -> bool {
        self.0.is_none_or(|stable| stable.state == FileState::File(*identity))
    }

    /// True if the path shows a version that may be read.
    pub(super) fn is_seen(self, path: &Path) -> bool {
        self.0.is_none_or(|stable| stable.admits(&FileState::of(path)))
    }
}

/// A build that ended.
pub(crate) struct Finished {
    /// The dataset's name.
    pub(crate) name: String,
    /// Tells which build this is about.
    pub(crate) token: CancelToken,
    /// What came of it.
    pub(crate) outcome: BuildOutcome,
    /// The last good data of before the start, if the files hold something else now.
    pub(crate) former: Option<Box<Built>>,
    /// What happened on the way.
    pub(crate) events: Vec<Event>,
}
