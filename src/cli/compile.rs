//! `dnsbld compile`

use super::{config_source, current_folder};
use crate::config::{self, Dataset, Server, Settings};
use crate::dataset;
use crate::event::{Event, EventSink as _, Log};
use crate::snapshot;
use crate::util::text::counted;
use anyhow::{Context, ensure};
use clap::Args;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write the snapshots of datasets.
///
/// A snapshot is the compiled form of a dataset, which a server maps instead of parsing text. `serve`
/// writes snapshots by itself if it has a state folder. You can send one that is made here to other
/// servers, and name it in place of the text in a dataset of the same type and options.
#[derive(Args, Debug)]
pub struct Compile {
    /// The configuration file [default: /etc/dnsbld/dnsbld.toml, in a checkout zones/dnsbld.toml;
    /// none is needed for TYPE:FILE,FILE...].
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The file to write, for one dataset [default: the snapshots of the state folder].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The datasets: names of the configuration, or a type and files relative to the current folder
    /// [default: all datasets of the configuration].
    #[arg(value_name = "DATASET|TYPE:FILE,FILE...")]
    datasets: Vec<String>,
}

impl Compile {
    /// Compiles the datasets and prints a line for each.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; else the first failure of a
    /// dataset.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let folder = current_folder()?;
        let (server, datasets) = self.find(&folder)?;
        if self.output.is_some() && datasets.len() != 1 {
            anyhow::bail!("--output takes one dataset, not {}", datasets.len());
        }
        if let Some(output) = &self.output {
            ensure!(
                output != Path::new("-"),
                "--output - would create a file of that name: name another file; snapshots are not \
                 written to standard output"
            );
            may_be_replaced(output)
                .with_context(|| format!("cannot write {}", output.display()))?;
        }
        for dataset in &datasets {
            let compiled = dataset::compile(dataset, &server, self.output.as_deref())?;
            print(dataset, &compiled)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The settings of the datasets to compile.
    fn find(&self, folder: &Path) -> anyhow::Result<(Server, Vec<Dataset>)> {
        let is_spec = |text: &String| text.contains(':');
        if self.config.is_none() && !self.datasets.is_empty() && self.datasets.iter().all(is_spec) {
            let datasets = self.datasets.iter().map(|text| spec(text, folder));
            return Ok((Server::default(), datasets.collect::<Result<_, _>>()?));
        }
        let source = config_source(self.config.as_deref())?;
        let Settings { server, datasets: known, .. } = source.load()?.settings;
        if self.datasets.is_empty() {
            return Ok((server, known));
        }
        let datasets = self.datasets.iter().map(|text| {
            match known.iter().find(|dataset| dataset.name == *text) {
                Some(dataset) => Ok(dataset.clone()),
                None if is_spec(text) => spec(text, folder),
                None => Err(anyhow::anyhow!("there is no dataset {text:?} in {source}")),
            }
        });
        let datasets = datasets.collect::<Result<_, _>>()?;
        Ok((server, datasets))
    }
}

/// Refuses to replace anything but a snapshot: not the list itself, not a device.
fn may_be_replaced(path: &Path) -> anyhow::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    ensure!(metadata.is_file(), "it exists and is not a regular file");
    let mut start = Vec::new();
    File::open(path)?.take(64).read_to_end(&mut start)?;
    ensure!(
        start.is_empty() || snapshot::is_snapshot(&start),
        "it exists and is not a snapshot; remove it first if you do not need it"
    );
    Ok(())
}

fn spec(text: &str, folder: &Path) -> anyhow::Result<Dataset> {
    config::dataset_spec(text, folder).map_err(|reason| anyhow::anyhow!("{text}: {reason}"))
}

fn print(dataset: &Dataset, compiled: &dataset::Compiled) -> anyhow::Result<()> {
    for bad in &compiled.diagnostics.kept {
        let file = dataset.files.get(usize::from(bad.file)).cloned();
        Log.emit(&Event::BadLine {
            dataset: dataset.name.clone(),
            file: file.unwrap_or_default(),
            line: bad.line,
            column: bad.column,
            reason: bad.reason,
            excerpt: bad.excerpt.clone(),
        });
    }
    let (name, path) = (&dataset.name, compiled.path.display());
    let entries = counted(compiled.origin.entries(), "entry", "entries");
    let line = format!("{path}: snapshot {} of {name}, {entries}\n", compiled.id);
    std::io::stdout().write_all(line.as_bytes()).context("cannot print the result")
}
