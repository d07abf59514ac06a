//! `/load/DATASET/NUMBER`: what one load listed and delisted.

use super::super::Observation;
use super::super::answer::{Answer, Asked};
use super::super::form;
use super::pages::ways;
use super::words::{link, stamp};
use super::zone::figures;
use super::{Document, Mood, lookup};
use crate::explain::check::Effort;
use crate::explain::past::{LoadKeysPast, LoadedKeyPast};
use crate::history::Recent;
use hyper::StatusCode;
use maud::{Markup, html};

/// How many keys a part has.
const KEYS: usize = 200;

/// The page of a load.
pub(in super::super) fn load(
    observation: &Observation,
    asked: &Asked,
    effort: Option<Effort>,
) -> Answer {
    let from = from(asked);
    let (status, title, content) = match observation.load(asked, effort) {
        Ok((dataset, load)) => {
            let title = format!("Load of {dataset}");
            (StatusCode::OK, title, whole(observation, dataset, &load, from))
        }
        Err(StatusCode::SERVICE_UNAVAILABLE) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Look again".to_owned(),
            html! { h1 { "Look again" } (lookup::busy()) },
        ),
        Err(status) => {
            let title = "This load is not known".to_owned();
            let content = html! {
                h1 { (title) }
                p { "There was no such load, or it is so old that the history has no more of it." }
            };
            (status, title, content)
        }
    };
    let page = Document {
        title: &title,
        mood: Mood::of(&observation.status),
        is_live: false,
        is_public: false,
        key: "",
        content,
    };
    Answer::page(status, page.markup())
}

/// Behind how many keys those begin that are shown.
fn from(asked: &Asked) -> usize {
    asked.field("from").and_then(|from| from.parse().ok()).unwrap_or(0)
}

impl Observation {
    /// The load that the address names, and its dataset; or the status that says why it is not told.
    pub(in super::super) fn load<'a>(
        &self,
        asked: &'a Asked,
        effort: Option<Effort>,
    ) -> Result<(&'a str, LoadKeysPast), StatusCode> {
        let missing = StatusCode::NOT_FOUND;
        let (dataset, number) = asked.rest.rsplit_once('/').ok_or(missing)?;
        let number = number.parse().map_err(|_| missing)?;
        let set = self.settings.dataset(dataset).ok_or(missing)?;
        let folder = self.settings.server.state_dir.as_deref().ok_or(missing)?;
        effort.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        let recent = Recent::read_load(folder, &set.name, number).map_err(|_| missing)?;
        let loaded = recent.load(number, from(asked), KEYS).ok_or(missing)?;
        Ok((dataset, loaded.into()))
    }
}

fn whole(observation: &Observation, dataset: &str, told: &LoadKeysPast, from: usize) -> Markup {
    let LoadKeysPast { load, keys, more } = told;
    let part =
        |from: usize| format!("/load/{}/{}?from={from}", form::encoded(dataset), load.number);
    let has = |names: &[String]| names.iter().any(|name| name == dataset);
    let zones = observation.status.zones.iter();
    let zones = zones.filter(|zone| has(&zone.datasets) || has(&zone.allow));
    html! {
        h1 { "Load of " (dataset) }
        p { (stamp(&load.time)) " UTC " (figures(load)) }
        p { "In "
            @for (number, zone) in zones.enumerate() {
                @if number > 0 { ", " } a href={ "/zone/" (form::encoded(&zone.name)) } { (zone.name) }
            }
        }
        @if keys.is_empty() {
            p.none { "No key." }
        } @else {
            table.cards role="table" aria-label="Keys" {
                thead role="rowgroup" { tr role="row" {
                    th role="columnheader" scope="col" { "Key" }
                    th role="columnheader" scope="col" { "What became of it" }
                    th role="columnheader" scope="col" { "Values, with $ for the key" }
                } }
                tbody role="rowgroup" { @for key in keys { (self::key(key)) } }
            }
        }
        (ways(
            "the keys",
            &format!("{} to {}", from.saturating_add(1), from.saturating_add(keys.len())),
            (from > 0).then(|| part(from.saturating_sub(KEYS))),
            more.then(|| part(from.saturating_add(KEYS))),
        ))
    }
}

fn key(told: &LoadedKeyPast) -> Markup {
    let LoadedKeyPast { key, apex, what, values } = told;
    html! {
        tr role="row" {
            th role="rowheader" scope="row" { (link(key)) @if let Some(apex) = apex { " " small { "in " (apex) } } }
            td role="cell" data-name="What became of it" {
                @match *what {
                    "listed" => span.state.bad { "listed" },
                    "delisted" => span.state.well { "delisted" },
                    what => span.state.info { (what) },
                }
            }
            td role="cell" data-name="Values" {
                @for value in values { code { (value.a) } " " span.text { (value.text) } " " }
            }
        }
    }
}
