//! Metrics as a monitor reads them.

use super::client::Http;
use std::collections::{BTreeMap, BTreeSet};

/// The type and the labels of each metric, by name; without the bounds of histograms.
#[derive(Debug)]
pub(super) struct Families(pub(super) BTreeMap<String, (String, BTreeSet<String>)>);

impl Families {
    /// What a server says at `/metrics`.
    pub(super) fn of(http: &Http) -> Self {
        let text = http.get("/metrics").body;
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let mut families: BTreeMap<_, _> = types
            .map(|(name, kind)| (name.to_owned(), (kind.to_owned(), BTreeSet::new())))
            .collect();
        for (name, labels) in Samples::of(http).values.into_keys() {
            let labels = labels.iter().map(|label| label.split('=').next().unwrap_or_default());
            let labels = labels.filter(|label| *label != "le").map(str::to_owned);
            if let Some((_, all)) = families.get_mut(&name) {
                all.extend(labels);
            }
        }
        Self(families)
    }
}

/// The samples of all metrics, by name and labels.
#[derive(Debug)]
pub(super) struct Samples {
    values: BTreeMap<(String, BTreeSet<String>), f64>,
}

impl Samples {
    /// What a server says at `/metrics`.
    pub(super) fn of(http: &Http) -> Self {
        let reply = http.get("/metrics");
        assert_eq!(reply.status, 200, "{}", reply.body);
        let lines = reply.body.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (metric, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = match metric.split_once('{') {
                Some((name, labels)) => (name, labels.strip_suffix('}').expect("an end")),
                None => (metric, ""),
            };
            ((name.to_owned(), set(labels)), value.parse().expect("a number"))
        };
        Self { values: lines.map(sample).collect() }
    }

    /// The value of a metric with these labels, in any order.
    pub(super) fn value(&self, name: &str, labels: &str) -> Option<f64> {
        self.values.get(&(name.to_owned(), set(labels))).copied()
    }
}

/// The labels, each with its value in quotation marks.
fn set(labels: &str) -> BTreeSet<String> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let ends = |c: char| {
        let ends = c == ',' && !is_quoted;
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    };
    labels.split(ends).filter(|label| !label.is_empty()).map(str::to_owned).collect()
}
