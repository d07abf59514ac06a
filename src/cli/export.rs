//! `dnsbld export`

use super::{config_source, zones};
use crate::export::{self, Earlier, ExportFormat, ExportOptions};
use crate::wire::name::NameBuf;
use crate::zone::Catalog;
use anyhow::{Context as _, bail};
use clap::Args;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write what a zone lists in the form that another program loads.
///
/// It is what the server answers to a client without a key: all datasets together, allow lists taken off,
/// the fewest prefixes. The test entry (127.0.0.2) is left out. `dnsbld dump` writes zones for name servers.
#[derive(Args, Debug)]
pub struct Export {
    /// The configuration file [default: /etc/dnsbld/dnsbld.toml, in a checkout zones/dnsbld.toml].
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Write what has changed since this export, which --save has written (nftables, ipset, jsonl).
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Also write the whole zone to this file, as jsonl, for the next --since.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// The name of the sets of nftables and ipset, without -v4 and -v6 [default: the name of the zone].
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    /// Write names where a file holds either addresses or names (exim, rspamd) [default: only if the zone
    /// lists no addresses].
    #[arg(long)]
    names: bool,
    /// Keep the test entries (127.0.0.2, test).
    #[arg(long)]
    test_points: bool,
    /// The format.
    #[arg(value_enum)]
    format: ExportFormat,
    /// The zone, or the subzone of one with a `combined` dataset.
    zone: String,
}

impl Export {
    /// Loads the zone and writes it to the standard output.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; an error if the zone is unknown or
    /// incomplete, or cannot be written so.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let settings = config_source(self.config.as_deref())?.load()?.settings;
        let (catalog, apex) = zones::load(settings, &self.zone)?;
        match self.write(&catalog, &apex) {
            // The reader closed the pipe, as `head` does.
            Err(error) if zones::is_broken_pipe(&error) => Ok(ExitCode::FAILURE),
            done => done.map(|()| ExitCode::SUCCESS),
        }
    }

    fn write(&self, catalog: &Catalog, apex: &NameBuf) -> anyhow::Result<()> {
        let (zone, section) = zones::section(catalog, apex, "exported")?;
        let mut earlier = self.since.as_deref().map(zones::open).transpose()?;
        let since = earlier.as_mut().map(|lines| Earlier { lines });
        let mut saved = self.save.as_deref().map(Saved::create).transpose()?;
        let written = export::export(
            (zone, &section),
            self.format,
            ExportOptions {
                set: self.set.as_deref(),
                names: self.names,
                test_points: self.test_points,
            },
            since,
            &mut BufWriter::with_capacity(1 << 16, io::stdout().lock()),
            saved.as_mut().map(|saved| &mut saved.out as _),
        );
        match written {
            Err(export::ExportError::Earlier(error)) => {
                let file = self.since.as_deref().unwrap_or(Path::new("")).display();
                bail!("{file}: {error}; nothing is exported; export the whole zone once more");
            }
            done => done?,
        }
        saved.map_or(Ok(()), Saved::keep)
    }
}

/// A file that takes its name once it is whole.
struct Saved {
    out: BufWriter<File>,
    unfinished: PathBuf,
    file: PathBuf,
}

impl Saved {
    fn create(file: &Path) -> anyhow::Result<Self> {
        let mut unfinished = file.as_os_str().to_owned();
        unfinished.push(".new");
        let unfinished = PathBuf::from(unfinished);
        let create = || File::create(&unfinished);
        let out = create().with_context(|| unfinished.display().to_string())?;
        Ok(Self { out: BufWriter::with_capacity(1 << 16, out), unfinished, file: file.to_owned() })
    }

    fn keep(self) -> anyhow::Result<()> {
        let Self { out, unfinished, file } = self;
        let keep = || -> io::Result<()> {
            out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            fs::rename(&unfinished, &file)
        };
        keep().with_context(|| format!("cannot save {}", file.display()))
    }
}
