//! How much of a prefix a zone lists.

use crate::util::json;
use crate::zone::diff::Key;
use crate::zone::sweep::{ListedRange, SweepSection};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The widest ranges that are told of a prefix in a zone.
const WIDEST: usize = 10;

/// How much of a prefix is listed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// The addresses of it that are listed.
    #[serde(with = "json::count")]
    pub listed: u128,
    /// The addresses of it; 2^128 - 1 in place of 2^128.
    #[serde(with = "json::count")]
    pub of: u128,
    /// How many of them each dataset lists.
    pub by: Vec<DatasetCoverage>,
    /// The widest listed ranges in it, the widest first.
    pub widest: Vec<String>,
    /// The number of listed ranges in it.
    pub ranges: u64,
    /// The last listed address before it.
    pub before: Option<String>,
    /// The first listed range behind it.
    pub after: Option<String>,
}

/// How much of a prefix one dataset lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DatasetCoverage {
    /// The dataset.
    pub dataset: String,
    /// The addresses.
    #[serde(with = "json::count")]
    pub addresses: u128,
}

impl Coverage {
    /// What a section lists of it.
    pub(in crate::explain) fn of(section: &SweepSection<'_>, net: IpNet) -> Self {
        match net {
            IpNet::V4(net) => {
                let (start, end) = (net.network().to_bits(), net.broadcast().to_bits());
                let ranges = section.ip4_from(start).map(wide);
                let before = section.last_ip4_before(start).map(|last| Key::Ip4(last, last));
                Self::of_ranges(
                    section,
                    ranges,
                    (start.into(), end.into()),
                    before,
                    |start, end| Key::Ip4(start as u32, end as u32),
                )
            }
            IpNet::V6(net) => {
                let (start, end) = (net.network().to_bits(), net.broadcast().to_bits());
                let before = section.last_ip6_before(start).map(|last| Key::Ip6(last, last));
                Self::of_ranges(section, section.ip6_from(start), (start, end), before, Key::Ip6)
            }
        }
    }

    /// `ranges` are those from the start of the prefix on.
    fn of_ranges(
        section: &SweepSection<'_>,
        ranges: impl Iterator<Item = ListedRange<u128>>,
        (start, end): (u128, u128),
        before: Option<Key>,
        key: impl Fn(u128, u128) -> Key,
    ) -> Self {
        let width = |start: u128, end: u128| (end - start).saturating_add(1);
        let mut coverage = Self {
            of: width(start, end),
            before: before.map(|key| key.to_string()),
            ..Self::default()
        };
        let mut by: BTreeMap<&str, u128> = BTreeMap::new();
        let mut widest: Vec<(u128, u128)> = Vec::new();
        for range in ranges {
            if range.start > end {
                coverage.after = Some(key(range.start, range.end).to_string());
                break;
            }
            let last = range.end.min(end);
            let count = width(range.start, last);
            coverage.listed = coverage.listed.saturating_add(count);
            let mut sets: Vec<_> = range
                .hits
                .iter()
                .filter_map(|hit| section.resolve(hit))
                .map(|(dataset, _)| dataset.name.as_str())
                .collect();
            sets.dedup();
            for dataset in sets {
                let sum = by.entry(dataset).or_default();
                *sum = sum.saturating_add(count);
            }
            // Ranges side by side that other datasets list are one to who is listed.
            match widest.last_mut() {
                Some((_, end)) if end.checked_add(1) == Some(range.start) => *end = last,
                _ => {
                    coverage.ranges += 1;
                    keep_widest(&mut widest);
                    widest.push((range.start, last));
                }
            }
        }
        keep_widest(&mut widest);
        widest.sort_by_key(|&(start, end)| (std::cmp::Reverse(end - start), start));
        widest.truncate(WIDEST);
        coverage.widest =
            widest.into_iter().map(|(start, end)| key(start, end).to_string()).collect();
        coverage.by = by
            .into_iter()
            .map(|(dataset, addresses)| DatasetCoverage { dataset: dataset.to_owned(), addresses })
            .collect();
        coverage
    }
}

/// Forgets narrow ranges before there are many. The last one may still grow, and stays.
fn keep_widest(ranges: &mut Vec<(u128, u128)>) {
    const MANY: usize = 1000;
    if ranges.len() >= MANY
        && let Some(last) = ranges.pop()
    {
        ranges.sort_by_key(|&(start, end)| (std::cmp::Reverse(end - start), start));
        ranges.truncate(WIDEST);
        ranges.push(last);
    }
}

fn wide(range: ListedRange<u32>) -> ListedRange<u128> {
    let ListedRange { start, end, hits } = range;
    ListedRange { start: start.into(), end: end.into(), hits: Rc::clone(&hits) }
}
