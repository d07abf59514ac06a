//! How much earlier than the mail each list knew its sender, from the histories of the datasets.

use super::Seen;
use super::lists::List;
use crate::history::{History, Known};
use serde::Serialize;
use std::io;
use std::net::IpAddr;
use std::path::Path;

const HOUR: f64 = 3600.0;

/// When a list had the clients of a log, beside the time at which each came first.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct EarlierListing {
    pub(crate) list: String,
    /// Those that it had when they came first, and how long it had had them by then.
    pub(crate) before: Lead,
    /// Of those, how many it may have had for longer: they were there when the history began.
    pub(crate) or_earlier: u64,
    /// Those that it had later, and how much later.
    pub(crate) after: Lead,
    /// Those that it had before any other list that has a history.
    pub(crate) first: u64,
}

/// A number of addresses, and half of them by how many hours at least.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub(crate) struct Lead {
    pub(crate) addresses: u64,
    pub(crate) median_hours: f64,
}

impl Lead {
    fn of(mut seconds: Vec<u64>) -> Self {
        seconds.sort_unstable();
        let median = seconds.get(seconds.len() / 2).copied().unwrap_or(0);
        Self { addresses: seconds.len() as u64, median_hours: median as f64 / HOUR }
    }
}

/// What the histories in the state folder tell of the clients whose times are known, for each list that has one.
///
/// # Errors
///
/// If a history cannot be read.
pub(crate) fn earlier(
    state_dir: &Path,
    lists: &[List],
    clients: &[(IpAddr, Seen)],
) -> io::Result<Vec<EarlierListing>> {
    let moment =
        |(address, seen): &(IpAddr, Seen)| Some((*address, u64::try_from(seen.times?.0).ok()?));
    let asked: Vec<_> = clients.iter().filter_map(moment).collect();
    let mut told = Vec::new();
    for list in lists.iter().filter(|list| !list.is_allow_list) {
        let mut known: Option<Vec<Known>> = None;
        for dataset in list.histories() {
            let history = History::read(state_dir, dataset)?;
            if history.loads().is_empty() {
                continue;
            }
            let of_set = history.known(&asked);
            known = Some(match known {
                None => of_set,
                Some(known) => known.into_iter().zip(of_set).map(|(a, b)| both(a, b)).collect(),
            });
        }
        told.extend(known.map(|known| (list, known)));
    }
    let first = |known: &Known| known.since.or(known.later);
    let earliest: Vec<Option<u64>> = (0..asked.len())
        .map(|client| told.iter().filter_map(|(_, known)| first(&known[client])).min())
        .collect();
    // What several lists had at the same time, none of them had first.
    let is_first = |client: usize, time: u64| {
        let same = told.iter().filter(|(_, known)| first(&known[client]) == Some(time));
        earliest[client] == Some(time) && same.count() == 1
    };
    let of_list = |(list, known): &(&List, Vec<Known>)| {
        let pairs = || known.iter().zip(&asked);
        let before = pairs().filter_map(|(it, (_, moment))| Some(moment - it.since?));
        let after = pairs().filter_map(|(it, (_, moment))| Some(it.later? - moment));
        let firsts = known.iter().enumerate().filter(|(client, it)| {
            told.len() > 1 && first(it).is_some_and(|time| is_first(*client, time))
        });
        EarlierListing {
            list: list.name.clone(),
            before: Lead::of(before.collect()),
            or_earlier: known.iter().filter(|it| it.or_earlier).count() as u64,
            after: Lead::of(after.collect()),
            first: firsts.count() as u64,
        }
    };
    Ok(told.iter().map(of_list).collect())
}

/// What two datasets of a list know together.
fn both(one: Known, other: Known) -> Known {
    let min = |a: Option<u64>, b: Option<u64>| [a, b].into_iter().flatten().min();
    let since = min(one.since, other.since);
    let is_it = |it: Known| it.or_earlier && it.since == since;
    Known {
        since,
        or_earlier: is_it(one) || is_it(other),
        later: if since.is_some() { None } else { min(one.later, other.later) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_datasets_the_earlier_one_counts() {
        let known = |since, or_earlier, later| Known { since, or_earlier, later };
        let (early, late) = (known(Some(5), true, None), known(Some(7), false, None));
        let (later, never) = (known(None, false, Some(9)), Known::default());
        assert_eq!(both(early, late), early);
        assert_eq!(both(late, later), late);
        assert_eq!(both(later, never), later);
        assert_eq!(both(known(Some(5), false, None), late), known(Some(5), false, None));
    }

    #[test]
    fn half_of_a_lead_is_at_least_its_median() {
        let lead = Lead::of(vec![7200, 3600, 0, 36_000]);
        assert_eq!((lead.addresses, lead.median_hours), (4, 2.0));
        assert_eq!(Lead::of(Vec::new()), Lead::default());
    }
}
