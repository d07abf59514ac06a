//! `dnsbld diff`

use super::preview::{Place, UNKNOWN};
use super::print;
use crate::dataset::Preview;
use crate::status::count_or_none;
use crate::util::text::counted;
use crate::zone::diff::{Change, Difference, Key, diff};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Tell what a new version of a dataset would change, beside what the server accepted last.
///
/// Each line is a key or a range: + is listed then, - is not listed any more, ~ is listed with other
/// values. It reads what is served from the state folder of the configuration, and changes nothing. The
/// exit code is 0 if nothing would change, 1 if something would, 2 if that cannot be told.
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
    /// The dataset.
    dataset: String,
    /// The file to compare with what is served [default: the dataset's own files].
    file: Option<PathBuf>,
}

impl Diff {
    /// Compares, and prints the differences.
    ///
    /// # Errors
    ///
    /// [`crate::config::Errors`] if the configuration cannot be used; or if the result cannot be printed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let report = match self.place.preview(&self.dataset, self.file.as_deref()) {
            Err(error) if error.is::<crate::config::Errors>() => return Err(error),
            Err(error) => return Ok(unknown(&format!("{error:#}"))),
            Ok(Preview { old: None, .. }) => {
                return Ok(unknown(&format!(
                    "dataset {}: the state folder has nothing of it to compare with",
                    self.dataset
                )));
            }
            Ok(Preview { new: Err(problem), .. }) => return Ok(unknown(&problem.to_string())),
            Ok(Preview { old: Some(old), new: Ok(new), .. }) => {
                if new.dataset.acl.is_some() {
                    return Ok(unknown("an access list lists nothing; compare its files"));
                }
                let mut report = Report::new(self.dataset, self.limit);
                diff(&old.dataset, &new.dataset, &mut |difference| report.add(&difference));
                report
            }
        };
        print(&if self.json { report.to_json() } else { report.to_text() })?;
        Ok(ExitCode::from(u8::from(report.is_different())))
    }
}

fn unknown(reason: &str) -> ExitCode {
    eprintln!("dnsbld: cannot tell: {reason}");
    ExitCode::from(UNKNOWN)
}

/// The differences between two versions, as the command prints them.
#[derive(Serialize)]
struct Report {
    schema: u32,
    dataset: String,
    added: Count,
    removed: Count,
    changed: Count,
    /// The first differences, as many as were asked for.
    differences: Vec<Line>,
    #[serde(skip)]
    limit: usize,
}

/// How much is different in one way.
#[derive(Default, Serialize)]
struct Count {
    /// The ranges of addresses.
    ranges: u64,
    /// The addresses in them.
    #[serde(serialize_with = "count_or_none::serialize")]
    addresses: Option<u128>,
    /// The names, and wildcards of names.
    names: u64,
}

#[derive(Serialize)]
struct Line {
    change: &'static str,
    key: String,
    /// The subzone, of a combined dataset.
    #[serde(skip_serializing_if = "Option::is_none")]
    apex: Option<String>,
    #[serde(skip)]
    text: String,
}

impl Report {
    fn new(dataset: String, limit: usize) -> Self {
        let limit = if limit == 0 { usize::MAX } else { limit };
        let [added, removed, changed] = [(); 3].map(|()| Count::default());
        Self { schema: 1, dataset, added, removed, changed, differences: Vec::new(), limit }
    }

    fn add(&mut self, difference: &Difference) {
        let Difference { change, apex, key } = difference;
        let (count, word) = match change {
            Change::Added => (&mut self.added, "added"),
            Change::Removed => (&mut self.removed, "removed"),
            Change::Changed => (&mut self.changed, "changed"),
        };
        match key {
            Key::Ip4(..) | Key::Ip6(..) => {
                count.ranges += 1;
                let addresses = count.addresses.unwrap_or(0);
                count.addresses = Some(addresses.saturating_add(key.width()));
            }
            Key::Name(_) | Key::Below(_) | Key::Records(_) => count.names += 1,
        }
        if self.differences.len() < self.limit {
            let apex = (apex.labels().next().is_some()).then(|| apex.to_string());
            let (key, text) = (key.to_string(), difference.to_string());
            self.differences.push(Line { change: word, key, apex, text });
        }
    }

    fn counts(&self) -> [(&'static str, &Count); 3] {
        [("added", &self.added), ("removed", &self.removed), ("changed", &self.changed)]
    }

    fn is_different(&self) -> bool {
        !self.differences.is_empty()
    }

    fn to_text(&self) -> String {
        let mut out = String::new();
        for line in &self.differences {
            let _ = writeln!(out, "{}", line.text);
        }
        let all: u64 = self.counts().iter().map(|(_, count)| count.ranges + count.names).sum();
        let more = all - self.differences.len() as u64;
        if more > 0 {
            let more = counted(more, "more difference", "more differences");
            let _ = writeln!(out, "... {more}; --limit 0 prints all");
        }
        if all == 0 {
            let _ = writeln!(out, "dataset {}: nothing would change", self.dataset);
        }
        for (what, count) in self.counts() {
            if count.ranges + count.names > 0 {
                let _ = writeln!(out, "{what}: {count}");
            }
        }
        out
    }

    fn to_json(&self) -> String {
        serde_json::to_string_pretty(self)
            .map_or_else(|error| error.to_string(), |text| text + "\n")
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ranges, addresses, names } = self;
        if *ranges > 0 {
            let addresses = addresses.unwrap_or(0);
            let noun = if addresses == 1 { "address" } else { "addresses" };
            write!(f, "{addresses} {noun} in {}", counted(*ranges, "range", "ranges"))?;
        }
        if *ranges > 0 && *names > 0 {
            f.write_str(", ")?;
        }
        match names {
            0 => Ok(()),
            names => f.write_str(&counted(*names, "name", "names")),
        }
    }
}
