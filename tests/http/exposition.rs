//! Metrics as a monitor reads them.

use super::client::Http;
use std::collections::{BTreeMap, BTreeSet};

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

/// Labels whose values have no comma.
fn set(labels: &str) -> BTreeSet<String> {
    labels.split(',').filter(|label| !label.is_empty()).map(str::to_owned).collect()
}
