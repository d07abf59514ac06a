//! The settings of verdict zones: weights and thresholds.

use crate::zone::{self, Threshold};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a verdict zone makes one answer of many lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scoring {
    /// The weight of each dataset by its name, never 0.
    pub weights: BTreeMap<String, i32>,
    /// The sums from which on it lists a key, the lowest first; at least one.
    pub thresholds: Vec<Threshold>,
}

impl Scoring {
    /// The same for these datasets, each with its name in the configuration.
    pub fn of<'d>(
        &self,
        datasets: impl Iterator<Item = (&'d str, &'d Arc<zone::Dataset>)>,
    ) -> zone::Scoring {
        let weighed = datasets
            .filter_map(|(name, dataset)| Some((Arc::clone(dataset), *self.weights.get(name)?)));
        zone::Scoring::new(weighed.collect(), self.thresholds.clone())
    }
}
