//! The differences between two versions of a dataset, as `dnsbld diff` prints them.

use super::own::Own;
use crate::status::{Time, count_or_none};
use crate::util::text::counted;
use crate::zone::diff::{Change, Difference, Key};
use serde::Serialize;
use std::cmp::Reverse;
use std::fmt::Write as _;

/// All differences, counted, and those that are told: what hits one's own first, then the widest.
#[derive(Serialize)]
pub(super) struct Report {
    schema: u32,
    #[serde(flatten)]
    what: What,
    /// The versions that are of the history.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    loads: Vec<HistoryVersion>,
    added: Count,
    removed: Count,
    changed: Count,
    /// The differences that are told, as many as were asked for.
    differences: Vec<Line>,
    #[serde(skip)]
    own: Own,
    #[serde(skip)]
    limit: usize,
}

/// What is compared.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum What {
    /// A dataset as it is served, with what it would be.
    Dataset { dataset: String },
    /// Two versions.
    Versions { old: String, new: String },
}

/// A version of the history.
#[derive(Serialize)]
pub(super) struct HistoryVersion {
    /// The version, as it was named.
    pub(super) version: String,
    /// When the load was accepted that left it.
    pub(super) loaded: Time,
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
    /// What of one's own it hits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hits: Vec<String>,
    #[serde(skip)]
    width: u128,
    #[serde(skip)]
    text: String,
}

impl Report {
    pub(super) fn new(what: What, loads: Vec<HistoryVersion>, own: Own, limit: usize) -> Self {
        let limit = if limit == 0 { usize::MAX } else { limit };
        let [added, removed, changed] = [(); 3].map(|()| Count::default());
        Self {
            schema: 1,
            what,
            loads,
            added,
            removed,
            changed,
            differences: Vec::new(),
            own,
            limit,
        }
    }

    pub(super) fn add(&mut self, difference: &Difference) {
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
        let apex = (apex.labels().next().is_some()).then(|| apex.to_string());
        let hits: Vec<_> = self.own.hits(key).into_iter().map(str::to_owned).collect();
        let (width, key, text) = (key.width(), key.to_string(), difference.to_string());
        self.differences.push(Line { change: word, key, apex, hits, width, text });
        if self.differences.len() >= self.limit.saturating_mul(2).saturating_add(1000) {
            self.sort();
        }
    }

    /// Puts the differences that are told into their order, and forgets the others.
    pub(super) fn sort(&mut self) {
        self.differences.sort_by_key(|line| (line.hits.is_empty(), Reverse(line.width)));
        self.differences.truncate(self.limit);
    }

    fn counts(&self) -> [(&'static str, &Count); 3] {
        [("added", &self.added), ("removed", &self.removed), ("changed", &self.changed)]
    }

    pub(super) fn is_different(&self) -> bool {
        !self.differences.is_empty()
    }

    pub(super) fn to_text(&self) -> String {
        let mut out = String::new();
        for HistoryVersion { version, loaded } in &self.loads {
            let _ = writeln!(out, "{version}: as the load of {loaded} left it");
        }
        for line in &self.differences {
            let _ = match &line.hits[..] {
                [] => writeln!(out, "{}", line.text),
                hits => writeln!(out, "{} hits {}", line.text, hits.join("; ")),
            };
        }
        let all: u64 = self.counts().iter().map(|(_, count)| count.ranges + count.names).sum();
        let more = all - self.differences.len() as u64;
        if more > 0 {
            let more = counted(more, "more difference", "more differences");
            let _ = writeln!(out, "... {more}; --limit 0 prints all");
        }
        if all == 0 {
            let _ = match &self.what {
                What::Dataset { dataset } => {
                    writeln!(out, "dataset {dataset}: nothing would change")
                }
                What::Versions { old, new } => writeln!(out, "{old} and {new} list the same"),
            };
        }
        for (what, count) in self.counts() {
            if count.ranges + count.names > 0 {
                let _ = writeln!(out, "{what}: {count}");
            }
        }
        out
    }

    pub(super) fn to_json(&self) -> String {
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
