//! The keys `sum` and `at` of a `[[zone]]`, which make it a verdict zone.

use super::super::error::Problem;
use super::super::scoring::Scoring;
use super::super::spec::{TypedMap, ZoneSpec};
use super::Resolver;
use super::zone::{Known, Lists};
use crate::zone::Threshold;
use crate::zonefile::Kind;
use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;
use std::ops::{Range, RangeInclusive};
use toml::Spanned;

/// The allowed weights: the sum of all that a zone can have is a number of 32 bits.
const WEIGHTS: RangeInclusive<i64> = -10_000..=10_000;

impl Resolver<'_> {
    /// The lists of a verdict zone, the strongest first.
    pub(super) fn summed(
        &mut self,
        spec: &ZoneSpec,
        sum: &Spanned<BTreeMap<Spanned<String>, Spanned<i64>>>,
        known: &Known<'_>,
        used: &mut HashSet<String>,
    ) -> Lists {
        if let Some(list) = &spec.datasets {
            let message = "a verdict zone has its datasets in sum";
            let help = "name them there with their weights, or remove sum and at";
            self.error("zone.datasets", list.span(), Problem::new(message, help));
        }
        if let Some(list) = &spec.allow {
            let message = "a verdict zone has its allow lists in sum";
            let help = "name them there with negative weights, such as -100";
            self.error("zone.allow", list.span(), Problem::new(message, help));
        }
        if sum.get_ref().is_empty() {
            let problem = Problem::new("the zone has no dataset", "name at least one");
            self.error("zone.sum", sum.span(), problem);
        }
        let names = Spanned::new(sum.span(), sum.get_ref().keys().cloned().collect());
        self.references("zone.sum", &names, known, false, used);
        let weights = self.weights(sum.get_ref(), known);
        let thresholds = self.thresholds(&spec.at, sum.span(), greatest_sum(&weights, known));
        let mut strongest: Vec<_> = weights.iter().map(|(name, weight)| (name, *weight)).collect();
        strongest.sort_by_key(|(_, weight)| -weight.abs());
        let named = |is_wanted: fn(i32) -> bool| {
            let names = strongest.iter().filter(|(_, weight)| is_wanted(*weight));
            names.map(|(name, _)| (*name).clone()).collect()
        };
        let (datasets, allow) = (named(|weight| weight > 0), named(|weight| weight < 0));
        Lists { datasets, allow, scoring: Some(Scoring { weights, thresholds }) }
    }

    fn weights(
        &mut self,
        sum: &BTreeMap<Spanned<String>, Spanned<i64>>,
        known: &Known<'_>,
    ) -> BTreeMap<String, i32> {
        let mut weights = BTreeMap::new();
        for (typed, weight) in sum {
            let (name, number) = (typed.get_ref(), *weight.get_ref());
            let unfit = match known.kind(name) {
                Some(Kind::Generic) => Some("has records, and lists no keys"),
                Some(Kind::Combined) => Some("has lists below names of their own"),
                _ => None,
            };
            if let Some(why) = unfit {
                let message = format!("{name:?} cannot be weighed: it {why}");
                let problem = Problem::new(message, "name lists of addresses or of names");
                self.error("zone.sum", typed.span(), problem);
            }
            match i32::try_from(number).ok().filter(|_| WEIGHTS.contains(&number)) {
                Some(weight) if weight != 0 => {
                    weights.insert(name.clone(), weight);
                    continue;
                }
                _ => {}
            }
            let message = match number {
                0 => "a dataset with the weight 0 changes no sum".to_owned(),
                _ => format!("{number} is out of range"),
            };
            let help = format!("allowed: {} to {}, but not 0", WEIGHTS.start(), WEIGHTS.end());
            self.error("zone.sum", weight.span(), Problem::new(message, help));
        }
        weights
    }

    /// The thresholds, the lowest first. `sum` is the place of the weights; `most` is the greatest sum that a key
    /// can have.
    fn thresholds(
        &mut self,
        at: &TypedMap<String>,
        sum: Range<usize>,
        most: i32,
    ) -> Vec<Threshold> {
        let span = at.as_ref().map_or(sum, Spanned::span);
        let at = at.as_ref().map(Spanned::get_ref);
        if at.is_none_or(BTreeMap::is_empty) {
            let help = "add one, as in at = { 5 = \"127.0.0.2\" }";
            self.error("zone.at", span, Problem::new("the zone has no threshold", help));
        }
        let mut thresholds = Vec::new();
        for (key, value) in at.into_iter().flatten() {
            let text = key.get_ref();
            let number = text.parse().ok().filter(|sum: &i32| sum.to_string() == *text);
            let Some(sum) = number.filter(|sum| *sum > 0) else {
                let message = format!("{text:?} is not a threshold");
                let help = "write a whole number from 1 on, without zeros in front";
                self.error("zone.at", key.span(), Problem::new(message, help));
                continue;
            };
            if sum > most {
                let message =
                    format!("no key can reach {sum}: the weights make {most} at the most");
                let help = "lower the threshold, or raise weights";
                self.error("zone.at", key.span(), Problem::new(message, help));
            }
            let Some(a) = value.get_ref().parse().ok().filter(Ipv4Addr::is_loopback) else {
                let message = format!("{:?} is not an address of 127.0.0.0/8", value.get_ref());
                let help = "write all four numbers, such as \"127.0.0.2\"";
                self.error("zone.at", value.span(), Problem::new(message, help));
                continue;
            };
            thresholds.push(Threshold { sum, a });
        }
        thresholds.sort_unstable();
        thresholds
    }
}

/// The greatest sum that a key can have. A key is an address or a name, and only mixed lists have both.
fn greatest_sum(weights: &BTreeMap<String, i32>, known: &Known<'_>) -> i32 {
    let of = |can_list: fn(Kind) -> bool| {
        let lists = weights.iter().filter(|(name, _)| known.kind(name).is_none_or(can_list));
        lists.map(|(_, weight)| (*weight).max(0)).sum::<i32>()
    };
    let names = of(|kind| matches!(kind, Kind::Dnset | Kind::Hashset | Kind::Mixed));
    of(|kind| !matches!(kind, Kind::Dnset | Kind::Hashset)).max(names)
}
