//! Accepting what was refused: exactly those files, once.

use crate::source::{FileState, Identity, Problem, SourceFile, Version};
use crate::util::text::{counted, shell_word};
use std::fmt;
use std::path::{Path, PathBuf};

/// The files that were refused: all of a candidate, or the one that was refused while it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RefusedVersions(pub(super) Vec<Version>);

impl RefusedVersions {
    /// The files of a candidate that was read to its end.
    pub(super) fn of(sources: &[SourceFile]) -> Self {
        let version = |source: &SourceFile| Version {
            path: source.path.clone(),
            identity: source.report.identity,
            hash: Some(source.report.hash),
        };
        Self(sources.iter().map(version).collect())
    }

    /// A file as it is now, which was refused before its end.
    pub(super) fn unread(path: &Path) -> Self {
        let version = |identity| Version { path: path.to_owned(), identity, hash: None };
        match FileState::of(path) {
            FileState::File(identity) => Self(vec![version(identity)]),
            _ => Self(Vec::new()),
        }
    }

    /// True if a candidate was made of these files.
    pub(super) fn are(&self, sources: &[SourceFile]) -> bool {
        let is_there = |version: &Version| {
            let source = sources.iter().find(|source| source.path == version.path);
            source.is_some_and(|source| match version.hash {
                Some(hash) => hash == source.report.hash,
                None => version.identity == source.report.identity,
            })
        };
        !self.0.is_empty() && self.0.iter().all(is_there)
    }

    /// The identity of a file that was refused before its end.
    pub(super) fn unread_identity(&self, path: &Path) -> Option<Identity> {
        let is_unread = |version: &&Version| version.path == path && version.hash.is_none();
        self.0.iter().find(is_unread).map(|version| version.identity)
    }

    /// Those that are not among the files that are served.
    pub(super) fn beside(&self, served: &[SourceFile]) -> Vec<Version> {
        let is_served = |version: &&Version| {
            served.iter().any(|source| version.hash == Some(source.report.hash))
        };
        self.0.iter().filter(|version| !is_served(version)).cloned().collect()
    }
}

/// The command by which refused files are accepted, with the options that find the server; none if nobody can
/// ask it.
#[derive(Clone, Default, Debug)]
pub(crate) struct AcceptCommand(Option<String>);

impl AcceptCommand {
    /// Of a server that is found by these options, as a shell reads them.
    pub(crate) fn with_options(options: String) -> Self {
        Self(Some(options))
    }

    /// The command for this dataset.
    pub(crate) fn of(&self, dataset: &str) -> Option<String> {
        let options = self.0.as_ref()?;
        let blank = if options.is_empty() { "" } else { " " };
        Some(format!("dnsbld accept{blank}{options} {}", shell_word(dataset)))
    }
}

/// What came of the wish to accept what was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Acceptance {
    /// There is no such dataset.
    Unknown,
    /// Nothing of it was refused.
    NothingRefused,
    /// What was refused is served now.
    Served {
        /// The number of entries.
        entries: u64,
        /// The number of entries that were served before, if anything was.
        before: Option<u64>,
        /// What it was refused for.
        overruled: Problem,
    },
    /// The files are not those that were refused: they were judged as usual and are served now.
    Changed {
        /// The number of entries.
        entries: u64,
    },
    /// The files are not those that were refused: they were judged as usual, and refused.
    ChangedAndRefused(Problem),
    /// Nothing can be made of the files.
    Unfit(Problem),
    /// This file is being written.
    Unstable(PathBuf),
}

impl Acceptance {
    /// True if the files are served now.
    pub(crate) fn is_served(&self) -> bool {
        matches!(self, Self::Served { .. } | Self::Changed { .. })
    }
}

impl fmt::Display for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |entries: &u64| counted(*entries, "entry", "entries");
        match self {
            Self::Unknown => f.write_str(
                "the server has no such dataset; `dnsbld status` names those that it has",
            ),
            Self::NothingRefused => {
                f.write_str("nothing to accept: no file of it is refused at present")
            }
            Self::Served { entries, before, overruled } => {
                write!(f, "accepted: {} served now", number(entries))?;
                if let Some(before) = before {
                    write!(f, ", before {before}")?;
                }
                write!(f, "; it was refused: {overruled}")
            }
            Self::Changed { entries } => write!(
                f,
                "not accepted: its files have changed since they were refused; they pass the rules as they are \
                 now: {} served",
                number(entries)
            ),
            Self::ChangedAndRefused(problem) => write!(
                f,
                "not accepted: its files have changed since they were refused, and are refused as they are now: \
                 {problem}"
            ),
            Self::Unfit(problem) => write!(f, "cannot be accepted: {problem}"),
            Self::Unstable(file) => write!(
                f,
                "not accepted: {} is being written; try again when it is at rest",
                file.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Cause, ReadReport, Stamp};

    fn source(path: &str, hash: u128) -> SourceFile {
        let nothing = Stamp::default();
        let identity = Identity {
            device: 1,
            inode: hash as u64,
            size: 9,
            modified: nothing,
            changed: nothing,
        };
        let report = ReadReport { identity, settled: true, hash, content: 9, compressed: false };
        SourceFile { path: path.into(), report, entries: 1, bad_lines: 0, first_bad: None }
    }

    #[test]
    fn a_version_is_known_by_its_bytes_or_else_by_its_identity() {
        let (one, two) = (source("one", 1), source("two", 2));
        let refused = RefusedVersions::of(&[one.clone(), two.clone()]);
        assert!(refused.are(&[one.clone(), two.clone()]));
        assert!(!refused.are(&[one.clone(), source("two", 3)]));
        assert!(!refused.are(std::slice::from_ref(&one)));
        // What is served of the others is not kept aside once more.
        let beside: Vec<_> =
            refused.beside(std::slice::from_ref(&one)).into_iter().map(|it| it.path).collect();
        assert_eq!(beside, ["two"].map(PathBuf::from));
        let identity = two.report.identity;
        let version = Version { path: "two".into(), identity, hash: None };
        let refused = RefusedVersions(vec![version]);
        assert!(refused.are(&[one.clone(), two.clone()]));
        assert!(!refused.are(&[one, source("two", 3)]));
        assert_eq!(refused.unread_identity(Path::new("two")), Some(identity));
        assert_eq!(refused.unread_identity(Path::new("one")), None);
        assert!(!RefusedVersions(Vec::new()).are(&[two]), "nothing is known of it");
    }

    #[test]
    fn it_is_said_what_came_of_it() {
        let problem = || Problem { file: "/lists/one".into(), cause: Cause::Empty };
        let told = |acceptance: Acceptance| acceptance.to_string();
        let served = Acceptance::Served { entries: 1, before: Some(9), overruled: problem() };
        assert!(served.is_served());
        assert_eq!(
            told(served),
            "accepted: 1 entry served now, before 9; it was refused: /lists/one: guard empty: holds no bytes"
        );
        let changed = Acceptance::Changed { entries: 2 };
        assert!(changed.is_served());
        assert!(told(changed).ends_with("they pass the rules as they are now: 2 entries served"));
        let refused = Acceptance::ChangedAndRefused(problem());
        assert!(!refused.is_served());
        assert!(told(refused).contains("have changed since they were refused"));
        assert!(told(Acceptance::Unfit(problem())).starts_with("cannot be accepted: /lists/one"));
    }
}
