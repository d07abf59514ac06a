//! `/zone/NAME`: how one zone is, what it is made of, and what its last loads did.

use super::super::Observation;
use super::super::answer::{Answer, Asked};
use super::super::form;
use super::plot::{DAY, HOUR, plot};
use super::words::{ago_or_none, bytes, count, link, percent, share, stamp};
use super::{Document, Mood, map, tables};
use crate::explain::check::Effort;
use crate::explain::past::{LoadFigures, LoadPast};
use crate::history::Recent;
use crate::status::{DatasetStatus, ZoneStatus};
use hyper::StatusCode;
use maud::{Markup, html};
use serde::Serialize;

/// How many of the last loads of a dataset are told.
const LOADS: usize = 5;

/// How many keys of a load are told.
const KEYS: usize = 5;

/// A zone, its datasets, and what their last loads did.
#[derive(Serialize)]
pub(in super::super) struct ZonePast<'o> {
    pub(in super::super) zone: &'o ZoneStatus,
    /// Those that are listed, those that are not, those that say who may ask.
    pub(in super::super) datasets: Vec<&'o DatasetStatus>,
    /// The newest loads first; of datasets whose history could be read in time.
    pub(in super::super) loads: Vec<DatasetLoads<'o>>,
}

/// The last loads of a dataset.
#[derive(Serialize)]
pub(in super::super) struct DatasetLoads<'o> {
    dataset: &'o str,
    loads: Vec<LoadPast>,
}

impl<'o> ZonePast<'o> {
    /// Reads it; `None` if there is no such zone.
    pub(in super::super) fn read(
        observation: &'o Observation,
        name: &str,
        effort: Option<Effort>,
    ) -> Option<Self> {
        let status = &observation.status;
        let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
        let zone = status.zones.iter().find(|zone| zone.name == name)?;
        let of = |names: &'o [String]| {
            names.iter().filter_map(|name| status.datasets.iter().find(|set| set.name == *name))
        };
        let lists = || of(&zone.datasets).chain(of(&zone.allow));
        let folder = observation.settings.server.state_dir.as_deref();
        let read = |set: &'o DatasetStatus| {
            let is_time = effort.is_some_and(|effort| !effort.is_over());
            let recent = Recent::read(folder.filter(|_| is_time)?, &set.name, LOADS).ok()?;
            let loads = recent.loads(LOADS, KEYS).into_iter().map(LoadPast::from).collect();
            Some(DatasetLoads { dataset: &set.name, loads })
        };
        Some(Self {
            zone,
            datasets: lists().chain(of(&zone.acl)).collect(),
            loads: lists().filter_map(read).collect(),
        })
    }
}

/// The page of a zone.
pub(in super::super) fn zone(
    observation: &Observation,
    asked: &Asked,
    effort: Option<Effort>,
) -> Answer {
    let told = ZonePast::read(observation, &asked.rest, effort);
    let (status, title, mood, content) = match &told {
        None => {
            let title = format!("There is no zone {:?}", asked.rest);
            let content = html! { h1 { (title) } p { a href="/" { "All zones" } } };
            (StatusCode::NOT_FOUND, title, Mood::of(&observation.status), content)
        }
        Some(told) => {
            let mood = match told.zone {
                zone if !zone.ready => Mood::Bad,
                zone if zone.reason.is_some() => Mood::Warned,
                _ => Mood::Well,
            };
            (StatusCode::OK, format!("Zone {}", told.zone.name), mood, whole(observation, told))
        }
    };
    let page = Document { title: &title, mood, is_live: false, is_public: false, key: "", content };
    Answer::page(status, page.markup())
}

fn whole(observation: &Observation, told: &ZonePast<'_>) -> Markup {
    let ZonePast { zone, datasets, loads } = told;
    let (now, history) = (observation.status.time, &observation.history);
    let minutes = history.zones.iter().find(|other| other.name == zone.name);
    html! {
        h1 { "Zone " (zone.name) " " (tables::zone_state(zone)) }
        @if let Some(reason) = &zone.reason { p { (reason) } }
        (facts(observation, told))
        @if let Some(minutes) = minutes {
            div.columns {
                (plot(HOUR, &minutes.minutes, history.newest))
                (plot(DAY, &minutes.minutes, history.newest))
            }
        }
        @if has_map(observation, &zone.name) {
            p { a href={ "/map/" (form::encoded(&zone.name)) } { "Map of the IPv4 addresses that it lists" } }
        }
        (tables::datasets(now, datasets.iter().copied(), &Markup::default()))
        section aria-labelledby="loads" {
            h2 #loads { "Last loads " small { "times in UTC" } }
            @if observation.settings.server.state_dir.is_none() {
                p.none { "No history is kept: that takes a state folder." }
            } @else if loads.is_empty() {
                p.cut { "The history is not read now: too many look-ups read files. Look again in a moment." }
            }
            @for loads in loads { (dataset(loads)) }
        }
        p.foot {
            "Ask it: " code { "dig " (zone.question) } ". For programs: "
            a href={ "/api/zone/" (form::encoded(&zone.name)) } { "zone" } "."
        }
    }
}

fn has_map(observation: &Observation, name: &str) -> bool {
    observation.catalog.as_ref().is_some_and(|catalog| {
        let catalog = catalog.load();
        catalog.zones().iter().any(|zone| map::is_there(zone) && zone.apex.to_string() == name)
    })
}

fn facts(observation: &Observation, told: &ZonePast<'_>) -> Markup {
    let zone = told.zone;
    let oldest = told.datasets.iter().filter_map(|dataset| dataset.fetched).min();
    let fact = |name: &str, value: Markup| html! { div { dt { (name) } dd { (value) } } };
    html! {
        dl.facts {
            (fact("Entries", html! { (count(zone.entries.into())) }))
            @if let Some(addresses) = zone.addresses { (fact("Addresses", html! { (count(addresses)) })) }
            (fact("Queries", html! { (count(zone.queries.into())) }))
            (fact("Of these listed", html! {
                @match share(zone.listed, zone.queries) { Some(share) => (percent(share)), None => "-" }
            }))
            (fact("Oldest data", ago_or_none(observation.status.time, oldest)))
            @if let Some(serial) = zone.serial { (fact("Serial", html! { (serial) })) }
            (fact("Memory", html! { (bytes(zone.bytes)) }))
        }
    }
}

fn dataset(loads: &DatasetLoads<'_>) -> Markup {
    html! {
        section.found {
            h3 { (loads.dataset) }
            @if loads.loads.is_empty() { p.none { "No load is known." } }
            ul.loads { @for load in &loads.loads { (self::load(loads.dataset, load)) } }
        }
    }
}

fn load(dataset: &str, load: &LoadPast) -> Markup {
    html! {
        li {
            @match load {
                LoadPast::Refused { time, file, cause } => {
                    (stamp(time)) " " span.state.warned { "refused" } " " span.long { (file) ": " (cause) }
                },
                LoadPast::Loaded { load, listed, delisted } => {
                    a href={ "/load/" (form::encoded(dataset)) "/" (load.number) } { (stamp(&load.time)) } " "
                    (figures(load))
                    (keys("Listed", listed, load.added.saturating_add(load.changed)))
                    (keys("Delisted", delisted, load.removed))
                },
            }
        }
    }
}

/// What a load did, in figures.
pub(super) fn figures(load: &LoadFigures) -> Markup {
    html! {
        @if load.whole {
            (count(load.added)) " keys, all that was listed "
        } @else {
            span.added { "+" (count(load.added)) } " " span.removed { "\u{2212}" (count(load.removed)) } " "
            @if load.changed > 0 { span { "~" (count(load.changed)) } " " }
        }
        small { (count(load.entries.into())) @if load.entries == 1 { " entry, " } @else { " entries, " } (bytes(load.size)) }
    }
}

fn keys(what: &str, keys: &[String], all: u128) -> Markup {
    html! {
        @if !keys.is_empty() {
            p {
                (what) ": "
                @for (number, key) in keys.iter().enumerate() { @if number > 0 { ", " } (link(key)) }
                @if all > keys.len() as u128 { " ..." }
            }
        }
    }
}
