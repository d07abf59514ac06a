//! How few bits a data set could take: what it takes to tell it from all others that are as likely.
//! docs/performance.md explains each.

use crate::common::Entry;
use std::collections::HashMap;
use std::f64::consts::{LN_2, TAU};
use std::hash::Hash;

/// Distinct single addresses: which of all sets of as many.
pub fn addresses(keys: &[u32]) -> f64 {
    choices(32.0, keys.len() as f64)
}

/// Distinct single addresses, sorted, if it is known how many /24s have how many of them: which
/// /24s, which of them has how many, and which addresses of each.
pub fn addresses_by_networks(keys: &[u32]) -> f64 {
    let sizes: Vec<usize> = keys.chunk_by(|a, b| a >> 8 == b >> 8).map(<[u32]>::len).collect();
    let within: f64 = sizes.iter().map(|&size| choices(8.0, size as f64)).sum();
    choices(24.0, sizes.len() as f64) + entropy(sizes) + within
}

/// Prefixes of keys of `width` bits, the first `fixed` of which are the same everywhere: of each
/// length, which of all sets of as many; and which answer each has.
pub fn prefixes(entries: &[Entry], width: u32, fixed: u32) -> f64 {
    let mut distinct = entries.to_vec();
    distinct.sort_unstable();
    distinct.dedup_by_key(|entry| (entry.0, entry.1));
    let mut lengths: HashMap<u32, usize> = HashMap::new();
    for (start, end, _) in &distinct {
        let hosts = 128 - (end - start).leading_zeros();
        *lengths.entry(width - hosts).or_default() += 1;
    }
    let places: f64 = lengths
        .iter()
        .map(|(&length, &count)| choices(f64::from(length.saturating_sub(fixed)), count as f64))
        .sum();
    places + entropy(distinct.iter().map(|entry| entry.2))
}

/// The base-2 logarithm of the number of ways to choose `count` out of 2^`bits`.
fn choices(bits: f64, count: f64) -> f64 {
    let all = bits.exp2();
    if count >= all {
        return 0.0;
    }
    let rest = all - count;
    // Stirling's formula. The logarithm of all / rest is exact where almost all is left.
    let binary = count * (bits - count.log2()) - rest * (-count / all).ln_1p() / LN_2;
    binary + 0.5 * (bits - count.log2() - rest.log2() - TAU.log2())
}

/// The bits that it takes to tell which of them comes when, if it is known how often each does.
fn entropy<T: Eq + Hash>(items: impl IntoIterator<Item = T>) -> f64 {
    let mut counts: HashMap<T, usize> = HashMap::new();
    let mut all = 0.0;
    for item in items {
        *counts.entry(item).or_default() += 1;
        all += 1.0;
    }
    counts.values().map(|&count| count as f64 * (all / count as f64).log2()).sum()
}

/// The bits that put `count` things in an order, which a set of them does not have.
pub fn order(count: usize) -> f64 {
    let count = count as f64;
    count * (count.log2() - 1.0 / LN_2) + 0.5 * (TAU * count).log2()
}
