//! Verdict zones: many lists, one question, answered by the sum of the weights of those that list the key.

use super::Dataset;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// How a verdict zone makes one answer of many lists.
#[derive(Debug, Default)]
pub struct Scoring {
    /// The lists, the strongest first: those with a positive weight, then those with a negative one.
    datasets: Box<[Arc<Dataset>]>,
    /// The weight of each.
    weights: Box<[i32]>,
    /// The highest first.
    thresholds: Box<[Threshold]>,
}

/// A sum from which on a verdict zone lists a key, and the value that it then has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Threshold {
    /// The least sum, at least 1.
    pub sum: i32,
    /// The A record.
    pub a: Ipv4Addr,
}

impl Scoring {
    /// One of these lists, each with its weight, and these thresholds, both in any order.
    pub fn new(mut lists: Vec<(Arc<Dataset>, i32)>, mut thresholds: Vec<Threshold>) -> Self {
        lists.sort_by_key(|(_, weight)| (*weight < 0, -weight.abs()));
        thresholds.sort_unstable_by_key(|threshold| -threshold.sum);
        let (datasets, weights): (Vec<_>, Vec<_>) = lists.into_iter().unzip();
        let (datasets, weights) = (datasets.into(), weights.into());
        Self { datasets, weights, thresholds: thresholds.into() }
    }

    /// The lists with their weights, the strongest first: those with a positive weight, then those with a
    /// negative one.
    pub fn lists(&self) -> impl Iterator<Item = (&Arc<Dataset>, i32)> {
        self.datasets.iter().zip(self.weights.iter().copied())
    }

    /// The lists, the strongest first.
    pub fn datasets(&self) -> &[Arc<Dataset>] {
        &self.datasets
    }

    /// The weight of each of them.
    pub fn weights(&self) -> &[i32] {
        &self.weights
    }

    /// The weight of one of the lists.
    pub fn weight(&self, dataset: &Dataset) -> Option<i32> {
        self.lists().find(|(list, _)| std::ptr::eq(&***list, dataset)).map(|(_, weight)| weight)
    }

    /// The sums from which on it has a value, the highest first.
    pub fn thresholds(&self) -> impl Iterator<Item = &Threshold> {
        self.thresholds.iter()
    }

    /// The sum from which on a key is listed.
    pub fn lowest(&self) -> i32 {
        self.thresholds.last().map_or(i32::MAX, |threshold| threshold.sum)
    }

    /// The value for a sum: that of the highest threshold it reaches; `None` below the lowest.
    pub fn value(&self, sum: i32) -> Option<Ipv4Addr> {
        self.thresholds.iter().find(|threshold| threshold.sum <= sum).map(|threshold| threshold.a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_threshold_that_is_reached_has_the_value() {
        let at = |sum, last| Threshold { sum, a: [127, 0, 0, last].into() };
        let scoring = Scoring::new(Vec::new(), vec![at(5, 5), at(10, 10)]);
        let last = |sum| scoring.value(sum).map(|a| a.octets()[3]);
        let sums = [i32::MIN, -1, 0, 4, 5, 9, 10, i32::MAX];
        assert_eq!(sums.map(last), [None, None, None, None, Some(5), Some(5), Some(10), Some(10)]);
    }

    #[test]
    fn the_strongest_list_stands_first() {
        let list = |name: &str, weight| {
            (Arc::new(Dataset { name: name.to_owned(), ..Dataset::default() }), weight)
        };
        let lists = vec![list("a", -1), list("b", 2), list("c", -10), list("d", 5), list("e", 2)];
        let scoring = Scoring::new(lists, Vec::new());
        let names: Vec<_> = scoring.lists().map(|(set, weight)| (&*set.name, weight)).collect();
        assert_eq!(names, [("d", 5), ("b", 2), ("e", 2), ("c", -10), ("a", -1)]);
        let (first, _) = scoring.lists().next().unwrap();
        assert_eq!(scoring.weight(first), Some(5));
        assert_eq!(scoring.weight(&Dataset::default()), None);
    }
}
