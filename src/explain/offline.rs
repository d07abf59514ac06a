//! The zones of a configuration without its server: what it would answer from.

use crate::config::{Settings, Zone as ZoneSettings};
use crate::dataset::{OfflineDataset, load};
use crate::wire::name::NameBuf;
use crate::zone::{Counters, Dataset, Ns, Soa, TransferAccess, Zone, ZoneState};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

/// A dataset that was loaded, or why not.
pub(crate) type Loaded<'a> = BTreeMap<&'a str, Result<OfflineDataset, String>>;

/// Loads all datasets that list or allow something, side by side.
pub(crate) fn load_all(settings: &Settings) -> Loaded<'_> {
    let used = settings.datasets.iter().filter(|set| set.usage.lists || set.usage.allows);
    thread::scope(|scope| {
        let loads: Vec<_> =
            used.map(|spec| (&*spec.name, scope.spawn(|| load(spec, &settings.server)))).collect();
        let failed = |_| Err("loading it failed by a fault in dnsbld".to_owned());
        loads.into_iter().map(|(name, load)| (name, load.join().unwrap_or_else(failed))).collect()
    })
}

/// The zones of these datasets at this time, in seconds since 1970.
pub(crate) fn zones(settings: &Settings, loaded: Loaded<'_>, now: u64) -> Vec<Zone> {
    let datasets: BTreeMap<&str, Arc<Dataset>> = loaded
        .into_iter()
        .filter_map(|(name, loaded)| Some((name, Arc::new(loaded.ok()?.dataset))))
        .collect();
    settings.zones.iter().map(|zone| build(zone, settings, &datasets, now)).collect()
}

fn build(
    settings: &ZoneSettings,
    all: &Settings,
    datasets: &BTreeMap<&str, Arc<Dataset>>,
    now: u64,
) -> Zone {
    let parts = |names: &[String]| -> Vec<Arc<Dataset>> {
        names.iter().filter_map(|name| datasets.get(&**name)).map(Arc::clone).collect()
    };
    let (mut lists, allow) = (parts(&settings.datasets), parts(&settings.allow));
    // What has expired is as good as not loaded; if all has, the zone has.
    let expires = lists.iter().map(|set| set.expires).collect::<Option<Vec<_>>>();
    let expires = expires.and_then(|times| times.into_iter().max());
    if expires.is_none_or(|expires| expires >= now) {
        lists.retain(|set| !set.is_expired(now));
    }
    let is_whole = lists.len() == settings.datasets.len() && allow.len() == settings.allow.len();
    let state = match (lists.is_empty(), is_whole) {
        (true, _) => ZoneState::Unloaded,
        (false, true) => ZoneState::Live,
        (false, false) => ZoneState::Partial(settings.partial),
    };
    let nobody = || NameBuf::from_text(b"nobody.invalid").unwrap_or(NameBuf::ROOT);
    let ttl = all.server.ttl;
    let scoring = settings.scoring.as_ref().map(|scoring| {
        let names = settings.datasets.iter().chain(&settings.allow);
        let found = names.filter_map(|name| Some((&**name, datasets.get(&**name)?)));
        let is_served = |(_, set): &(&str, &Arc<Dataset>)| {
            lists.iter().chain(&allow).any(|served| Arc::ptr_eq(served, set))
        };
        Arc::new(scoring.of(found.filter(is_served)))
    });
    Zone {
        apex: settings.name.clone(),
        // Negative answers have one, whatever is in it.
        soa: Soa {
            mname: nobody(),
            rname: nobody(),
            serial: 1,
            refresh: 3600,
            retry: 1200,
            expire: 604_800,
            minimum: ttl.negative,
            ttl: ttl.default,
        },
        ns: Ns { names: vec![nobody()], ttl: ttl.default, explicit: false },
        datasets: lists,
        allow,
        scoring,
        acl: Vec::new(),
        transfer: TransferAccess::default(),
        state,
        says_stale: false,
        expires,
        test_points: settings.test_points,
        minimal_answers: true,
        health: None,
        content_id: 0,
        quotas: Vec::new(),
        counters: Counters::default(),
    }
}
