//! What `dnsbld diff` compares: versions of datasets by where they are.

use super::super::history::at;
use super::super::lint::form;
use crate::config::{self, Settings};
use crate::dataset;
use crate::history::{History, LoadHead};
use crate::lint::{ListForm, guess};
use crate::snapshot;
use crate::source::{self, Limits};
use crate::util::time::read_duration;
use crate::zone::Dataset;
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};

/// A version of a dataset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Side {
    /// What the server accepted last of this dataset.
    Live(String),
    /// What its own files are now.
    Disk(String),
    /// What it was at this time, in seconds since 1970, as it is written.
    Earlier { dataset: String, time: u64, written: String },
    /// A list or a snapshot.
    File(PathBuf),
}

impl Side {
    /// The version that is meant by a text at `now`, in seconds since 1970.
    pub(super) fn of(text: &str, now: u64) -> Self {
        if let Some(name) = text.strip_prefix("live:") {
            return Self::Live(name.to_owned());
        }
        if let Some(name) = text.strip_prefix("disk:") {
            return Self::Disk(name.to_owned());
        }
        if let Some((name, when)) = text.rsplit_once('@')
            && let Some(time) = time_of(when, now)
            && !Path::new(text).exists()
        {
            let (dataset, written) = (name.to_owned(), text.to_owned());
            return Self::Earlier { dataset, time, written };
        }
        Self::File(text.into())
    }
}

/// A time in seconds since 1970: so long before now, or as people write it.
fn time_of(text: &str, now: u64) -> Option<u64> {
    match read_duration(text.as_bytes()) {
        Some((age, b"")) => Some(now.saturating_sub(age)),
        _ => at::read(text, now).ok(),
    }
}

/// A version that was found.
pub(super) struct Version {
    /// What it lists.
    pub(super) dataset: Dataset,
    /// The load that left it, if it is one of the history.
    pub(super) load: Option<LoadHead>,
}

impl From<Dataset> for Version {
    fn from(dataset: Dataset) -> Self {
        Self { dataset, load: None }
    }
}

/// How versions are found.
pub(super) struct Finder<'f> {
    /// The configuration, or why there is none.
    pub(super) settings: Result<&'f Settings, &'f anyhow::Error>,
    /// What files are read as.
    pub(super) read_as: Option<&'f str>,
}

impl Finder<'_> {
    /// Reads a version.
    ///
    /// # Errors
    ///
    /// When it cannot be found or read.
    pub(super) fn find(&self, side: &Side) -> anyhow::Result<Version> {
        let found = match side {
            Side::Live(name) => {
                let settings = self.settings()?;
                let server = &settings.server;
                if server.state_dir.is_none() {
                    bail!(
                        "live:{name}: the configuration sets no state-dir, so that nothing is known of what its server serves"
                    );
                }
                let version = dataset::accepted_version(self.dataset(name)?, server);
                let version = version.with_context(|| {
                    format!("live:{name}: the state folder has nothing of it to compare with")
                })?;
                anyhow::Ok(version.dataset)
            }
            Side::Disk(name) => self.built(self.dataset(name)?),
            Side::Earlier { dataset, time, written } => {
                return self.earlier(dataset, *time, written);
            }
            Side::File(path) => self.file(path),
        };
        Ok(found?.into())
    }

    /// What the history says was listed at a time.
    fn earlier(&self, name: &str, time: u64, written: &str) -> anyhow::Result<Version> {
        self.dataset(name)?;
        let state_dir = self.settings()?.server.state_dir.as_deref();
        let state_dir = state_dir.with_context(|| {
            format!("{written}: the configuration sets no state-dir, so that there is no history")
        })?;
        let history = History::read(state_dir, name)
            .with_context(|| format!("the history of dataset {name} cannot be read"))?;
        let (load, dataset) = history.as_of(time).with_context(|| {
            format!(
                "{written}: the history does not know what was listed then; `dnsbld history {name}` tells its loads"
            )
        })?;
        Ok(Version { dataset, load: Some(load) })
    }

    fn settings(&self) -> anyhow::Result<&Settings> {
        self.settings.map_err(|error| anyhow::anyhow!("{error:#}"))
    }

    fn dataset(&self, name: &str) -> anyhow::Result<&config::Dataset> {
        let datasets = &self.settings()?.datasets;
        datasets.iter().find(|dataset| dataset.name == name).with_context(|| {
            let names: Vec<_> = datasets.iter().map(|dataset| dataset.name.as_str()).collect();
            format!("there is no dataset {name:?}; there are {}", names.join(", "))
        })
    }

    fn built(&self, spec: &config::Dataset) -> anyhow::Result<Dataset> {
        let without = config::Server::default();
        let server = self.settings.map_or(&without, |settings| &settings.server);
        Ok(dataset::built_version(spec, server)?.dataset)
    }

    fn file(&self, path: &Path) -> anyhow::Result<Dataset> {
        let start = start(path)?;
        if snapshot::is_snapshot(&start) {
            let opened = snapshot::open(path);
            return Ok(opened.with_context(|| path.display().to_string())?.dataset);
        }
        let spec = match self.read_as {
            None => {
                let guessed = guess(&start);
                eprintln!("dnsbld: {}: read as {guessed}, by its content", path.display());
                spec(path, &guessed)
            }
            Some(text) => match form(text) {
                Ok(form) => spec(path, &form),
                Err(_) if !text.contains(':') => {
                    let known = self.dataset(text)?;
                    config::Dataset { files: vec![path.to_owned()], ..known.clone() }
                }
                Err(error) => bail!("--as {text}: {error}"),
            },
        };
        self.built(&spec)
    }
}

fn spec(path: &Path, form: &ListForm) -> config::Dataset {
    let name = path.display().to_string();
    config::Dataset {
        format: form.format,
        column: form.column.as_deref().map(Into::into),
        ..config::Dataset::new(name, form.kind, vec![path.to_owned()])
    }
}

/// The beginning of a file, unpacked.
fn start(path: &Path) -> anyhow::Result<Vec<u8>> {
    const ENOUGH: usize = 128 * 1024;
    let mut start = Vec::new();
    let read = source::read(path, &Limits::default(), &mut |chunk| {
        start.extend_from_slice(chunk);
        if start.len() < ENOUGH { Ok(()) } else { Err("is enough") }
    });
    match read {
        Err(problem) if start.len() < ENOUGH => bail!("{problem}"),
        _ => Ok(start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_told_by_how_they_are_written() {
        let earlier = |written: &str, time| {
            let (dataset, written) = ("a".to_owned(), written.to_owned());
            Side::Earlier { dataset, time, written }
        };
        for (text, want) in [
            ("live:a", Side::Live("a".to_owned())),
            ("disk:a@b", Side::Disk("a@b".to_owned())),
            ("a@24h", earlier("a@24h", 1_796_040_000 - 86_400)),
            ("a@2026-11-30 11:00", earlier("a@2026-11-30 11:00", 1_796_040_000 - 3600)),
            ("a@Nov 30 11:00", earlier("a@Nov 30 11:00", 1_796_040_000 - 3600)),
            ("a@b", Side::File("a@b".into())),
            ("./a", Side::File("./a".into())),
        ] {
            assert_eq!(Side::of(text, 1_796_040_000), want);
        }
    }
}
