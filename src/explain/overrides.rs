//! Why lists have the senders that allow lists let in: the lines that are the reason.

use super::check::{DatasetExplanation, DatasetFacts, of_dataset, whole};
use super::covering::{Covering, KeyForms};
use super::key::AskedKey;
use crate::config::Settings;
use crate::state::overrides::{OverrideKey, SenderSort};
use std::collections::{BTreeMap, BTreeSet};
use std::thread;

/// The entries that are the reason for an override. There is none if no line says so any more, or if the text of
/// what is served is not at hand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct OverrideEntries {
    /// The entry that lists the sender.
    pub(crate) listed_by: Option<Covering>,
    /// The entry that lets it in.
    pub(crate) allowed_by: Option<Covering>,
}

/// A sender, as a key of maps.
pub(super) type Sender<'k> = (SenderSort, &'k str);

/// Finds the entries for each of the keys. `facts` says what is known of a dataset.
pub(crate) fn entries_of(
    settings: &Settings,
    keys: &[OverrideKey],
    facts: impl Fn(&str) -> DatasetFacts,
) -> Vec<OverrideEntries> {
    let mut senders: BTreeMap<&str, BTreeSet<Sender<'_>>> = BTreeMap::new();
    for key in keys {
        for set in [&key.list, &key.allow].into_iter().filter_map(|name| whole(settings, name)) {
            senders.entry(&set.name).or_default().insert((key.sort, &key.sender));
        }
    }
    let found = listing_entries(settings, &senders, facts);
    let entry = |name: &str, key: &OverrideKey| {
        let set = whole(settings, name)?;
        found.get(&(set.name.as_str(), (key.sort, key.sender.as_str()))).cloned()
    };
    let of_key = |key: &OverrideKey| OverrideEntries {
        listed_by: entry(&key.list, key),
        allowed_by: entry(&key.allow, key),
    };
    keys.iter().map(of_key).collect()
}

/// The entries of datasets that list senders, by the name of the dataset and the sender.
pub(super) fn listing_entries<'a>(
    settings: &Settings,
    senders: &BTreeMap<&'a str, BTreeSet<Sender<'a>>>,
    facts: impl Fn(&str) -> DatasetFacts,
) -> BTreeMap<(&'a str, Sender<'a>), Covering> {
    let sets = senders.iter().filter_map(|(name, senders)| {
        let keys: Vec<_> = senders.iter().filter_map(|it| Some((*it, asked(*it)?))).collect();
        Some((*name, settings.dataset(name)?, facts(name), keys))
    });
    thread::scope(|scope| {
        let search = |(name, spec, facts, keys): (&'a str, _, DatasetFacts, Vec<(_, AskedKey)>)| {
            scope.spawn(move || {
                let forms: Vec<_> = keys.iter().map(|(_, key)| KeyForms::of(key)).collect();
                let found = keys.iter().zip(of_dataset(settings, spec, &facts, &forms, None));
                let entries = found
                    .filter_map(|((sender, _), set)| Some(((name, *sender), listing_entry(set)?)));
                entries.collect::<Vec<_>>()
            })
        };
        let searches: Vec<_> = sets.map(search).collect();
        searches.into_iter().filter_map(|search| search.join().ok()).flatten().collect()
    })
}

fn asked((sort, text): Sender<'_>) -> Option<AskedKey> {
    let sort = match sort {
        SenderSort::Address => "address",
        SenderSort::Name => "name",
    };
    AskedKey::again(sort, text)
}

/// The entry that lists the key of an explanation: of what is served, or else of the files.
fn listing_entry(set: DatasetExplanation) -> Option<Covering> {
    set.served.or(set.on_disk)?.entries.into_iter().find(Covering::lists)
}
