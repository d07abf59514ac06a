//! `dnsbld diff`

mod own;
mod report;
mod side;

use super::preview::{Place, UNKNOWN};
use super::print;
use crate::config::Settings;
use crate::dataset::Preview;
use crate::history::comparable;
use crate::status::Time;
use crate::util::time::unix_time;
use crate::zone::diff::diff;
use anyhow::Context as _;
use clap::Args;
use own::Own;
use report::{HistoryVersion, Report, What};
use side::{Finder, Side, Version};
use std::path::Path;
use std::process::ExitCode;

/// Tell what is listed and delisted between two versions of a dataset.
///
/// Each line is a key or a range: + is listed now, - is not listed any more, ~ is listed with other
/// values; first what hits sentinels or allow lists, then the widest. It changes nothing. The exit code is 0 if
/// nothing is different, 1 if something is, 2 if that cannot be told.
///
/// A version is a list file, a snapshot, `live:DATASET` (what the server accepted last, by the state folder
/// of the configuration), `disk:DATASET` (its files as they are now), or `DATASET@TIME` (what it listed then, by the
/// history: `bl@24h`, "bl@Nov 12 07:41", bl@2026-11-12). `dnsbld diff DATASET [FILE]` tells what its own files, or this one in place of its own, would change beside what is served.
#[derive(Args, Debug)]
pub struct Diff {
    #[command(flatten)]
    place: Place,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// The most differences to print; 0 for all.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
    /// What list files are read as: a type, perhaps with the format of the lines, or as this dataset's
    /// [default: what the content looks like].
    #[arg(long = "as", value_name = "TYPE[:FORMAT]|DATASET")]
    read_as: Option<String>,
    /// The version of before, or the dataset.
    #[arg(value_name = "OLD|DATASET")]
    old: String,
    /// The version of now, or the file to compare with what is served [default: the dataset's own files].
    #[arg(value_name = "NEW|FILE")]
    new: Option<String>,
}

impl Diff {
    /// Compares, and prints the differences.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; or if the result cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.place.settings().map(|(_, settings)| settings);
        let found = match self.versions(settings.as_ref().ok()) {
            None => self.preview(),
            Some((old, new)) => {
                let finder =
                    Finder { settings: settings.as_ref(), read_as: self.read_as.as_deref() };
                finder.find(&old).and_then(|old| alike(old, finder.find(&new)?))
            }
        };
        let (old, new) = match found {
            Ok(found) => found,
            Err(error) if error.is::<crate::config::Errors>() => return Err(error),
            Err(error) => return Ok(unknown(&format!("{error:#}"))),
        };
        let sides = [(&self.old, &old.load), (self.new.as_ref().unwrap_or(&self.old), &new.load)];
        let loads = sides.into_iter().filter_map(|(side, load)| {
            let loaded = Time(i64::try_from(load.as_ref()?.time).ok()?);
            Some(HistoryVersion { version: side.clone(), loaded })
        });
        let loads = loads.collect();
        let (old, new) = (old.dataset, new.dataset);
        if old.acl.is_some() || new.acl.is_some() {
            return Ok(unknown("an access list lists nothing; compare its files"));
        }
        let what = match (&self.new, self.versions(settings.as_ref().ok())) {
            (Some(new), Some(_)) => What::Versions { old: self.old.clone(), new: new.clone() },
            _ => What::Dataset { dataset: self.old.clone() },
        };
        let mut report = Report::new(what, loads, Own::new(settings.as_ref().ok()), self.limit);
        diff(&old, &new, &mut |difference| report.add(&difference));
        report.sort();
        print(&if self.json { report.to_json() } else { report.to_text() })?;
        Ok(ExitCode::from(u8::from(report.is_different())))
    }

    /// The versions to compare; `None` if a dataset as it is served is compared with what it would be: the
    /// name of a dataset comes before that of a file.
    fn versions(&self, settings: Option<&Settings>) -> Option<(Side, Side)> {
        let now = unix_time();
        let (old, new) = (Side::of(&self.old, now), Side::of(self.new.as_ref()?, now));
        let is_dataset = |name: &str| {
            settings.is_some_and(|settings| settings.datasets.iter().any(|it| it.name == name))
        };
        let is_file = matches!(old, Side::File(_)) && matches!(new, Side::File(_));
        let is_preview = is_file && self.read_as.is_none() && is_dataset(&self.old);
        (!is_preview).then_some((old, new))
    }

    /// What is served of a dataset, and what its files or another one would make of it.
    fn preview(&self) -> anyhow::Result<(Version, Version)> {
        let file = self.new.as_deref().map(Path::new);
        let Preview { old, new, .. } = self.place.preview(&self.old, file)?;
        let old = old.ok_or_else(|| {
            anyhow::anyhow!(
                "dataset {}: the state folder has nothing of it to compare with",
                self.old
            )
        })?;
        let new = new.map_err(|problem| anyhow::anyhow!("{problem}"))?;
        Ok((old.dataset.into(), new.dataset.into()))
    }
}

/// Both versions in the form that the history has, if one is from there.
fn alike(old: Version, new: Version) -> anyhow::Result<(Version, Version)> {
    let is_one = old.load.is_some() != new.load.is_some();
    let alike = |version: Version| match version.load {
        None if is_one && version.dataset.acl.is_none() => comparable(&version.dataset)
            .map(Version::from)
            .context("it lists too much to be compared with the history"),
        _ => Ok(version),
    };
    Ok((alike(old)?, alike(new)?))
}

fn unknown(reason: &str) -> ExitCode {
    eprintln!("dnsbld: cannot tell: {reason}");
    ExitCode::from(UNKNOWN)
}
