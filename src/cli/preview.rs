//! What `dnsbld guard`, `dnsbld diff` and `dnsbld history` have in common: the configuration, and what would become of
//! a dataset of it.

use super::{config_source, current_folder};
use crate::config::{ConfigSource, Settings};
use crate::dataset;
use crate::util::text::shell_word;
use clap::Args;
use std::path::{Path, PathBuf};

/// The exit code if it cannot be told.
pub(super) const UNKNOWN: u8 = 2;

/// Where the dataset is configured.
#[derive(Args, Debug)]
pub(super) struct Place {
    /// The configuration file [default: as for `dnsbld serve`].
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    /// The command by which the server with this configuration accepts what it refuses of a dataset.
    pub(super) fn accept_command(&self, dataset: &str) -> String {
        let options = self.config.as_ref().map_or(String::new(), |file| {
            format!("--config {} ", shell_word(&file.display().to_string()))
        });
        format!("dnsbld accept {options}{}", shell_word(dataset))
    }

    /// The settings, and where they are from.
    pub(super) fn settings(&self) -> anyhow::Result<(ConfigSource, Settings)> {
        let source = config_source(self.config.as_deref())?;
        let settings = source.load()?.settings;
        Ok((source, settings))
    }

    /// What would become of a dataset, with this file in place of its own.
    pub(super) fn preview(
        &self,
        name: &str,
        file: Option<&Path>,
    ) -> anyhow::Result<dataset::Preview> {
        let folder = current_folder()?;
        let (source, Settings { server, datasets, .. }) = self.settings()?;
        let Some(spec) = datasets.iter().find(|dataset| dataset.name == name) else {
            let names: Vec<_> = datasets.iter().map(|dataset| dataset.name.as_str()).collect();
            anyhow::bail!("there is no dataset {name:?} in {source}; it has {}", names.join(", "));
        };
        if server.state_dir.is_none() {
            anyhow::bail!(
                "{source} sets no state-dir, so that nothing is known of what its server serves"
            );
        }
        dataset::preview(spec, &server, file.map(|file| folder.join(file)).as_deref())
    }
}
