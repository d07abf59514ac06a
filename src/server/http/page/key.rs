//! `/k/KEY`: what the server answers for a key, and since when: for everybody. Its address is short and stays, so that
//! it can stand in a TXT record. It names no file, and what an access list keeps from who asks.

use super::super::Observation;
use super::super::answer::{Answer, Asked};
use super::super::form;
use super::lookup::{SHOWN, busy};
use super::{Document, Mood, answers, past};
use crate::explain::AskedKey;
use crate::explain::check::Effort;
use crate::explain::lookup::{KeyLookup, KeyVerdict, LookupKey, look_up};
use crate::explain::past::KeyHistory;
use crate::history::Sought;
use crate::util::time::unix_time;
use hyper::StatusCode;
use maud::{Markup, html};

/// The page of a key; without one, the box alone.
pub(in super::super) fn key(
    observation: &Observation,
    asked: &Asked,
    effort: Option<Effort>,
) -> Answer {
    let typed = match &*asked.rest {
        "" => asked.field("key").unwrap_or_default(),
        key => key.to_owned(),
    };
    let typed: String = typed.chars().take(SHOWN).collect();
    let (status, title, rest) = match (LookupKey::read(&typed), &observation.catalog) {
        (Err(_), _) if typed.is_empty() => (
            StatusCode::OK,
            "Is it listed?".to_owned(),
            html! { p { "Type an address or a name." } },
        ),
        (Err(error), _) => (
            StatusCode::BAD_REQUEST,
            format!("There is no key {typed:?}"),
            html! { p { (error) "." } },
        ),
        (Ok(_), _) if matches!(AskedKey::read(&typed, []), Ok((AskedKey::Prefix(_), _))) => {
            let rest = html! { p { "It is a prefix; each address of it has a page." } };
            (StatusCode::BAD_REQUEST, format!("There is no key {typed:?}"), rest)
        }
        (Ok(key), None) => {
            let rest = html! { p { "The data is not loaded yet; look again in a moment." } };
            (StatusCode::SERVICE_UNAVAILABLE, key.to_string(), rest)
        }
        (Ok(key), Some(catalog)) => {
            let lookup = look_up(&catalog.load(), &key, asked.client, unix_time());
            let headline = answers::headline(&lookup.key, &lookup.zones);
            (StatusCode::OK, headline, told(observation, &lookup, asked, effort))
        }
    };
    let page = Document {
        title: &title,
        mood: Mood::Well,
        is_live: false,
        is_public: true,
        key: &typed,
        content: html! { h1 { (title) } (rest) },
    };
    Answer::page(status, page.markup())
}

fn told(
    observation: &Observation,
    lookup: &KeyLookup,
    asked: &Asked,
    effort: Option<Effort>,
) -> Markup {
    let history = effort.and_then(|effort| history(observation, lookup, effort));
    html! {
        @if effort.is_none() { (busy()) }
        (answers::answers(&lookup.zones))
        @if history.is_some() { (past::of_key(history.as_ref())) }
        (answers::quiet(&lookup.zones))
        p.foot {
            "Answered as " (asked.client) " is, now. "
            a href={ "/k/" (form::encoded(&lookup.key)) } { "Permanent link" } "."
        }
    }
}

/// The histories of the datasets that list in zones that answer.
fn history(observation: &Observation, lookup: &KeyLookup, effort: Effort) -> Option<KeyHistory> {
    let settings = &observation.settings;
    let sought: Sought = lookup.key.parse().ok()?;
    let answers = |zone: &str| {
        let mut of_zone = lookup.zones.iter().filter(|found| {
            let is_below = found.zone.strip_suffix(zone).is_some_and(|below| below.ends_with('.'));
            found.zone == zone || is_below
        });
        of_zone.any(|found| found.verdict != KeyVerdict::NoAnswer)
    };
    let zones: Vec<_> =
        settings.zones.iter().filter(|zone| answers(&zone.name.to_string())).collect();
    let lists = |name: &&str| zones.iter().any(|zone| zone.datasets.iter().any(|set| set == name));
    let datasets = settings.datasets.iter().map(|set| &*set.name).filter(lists);
    Some(KeyHistory::read(settings.server.state_dir.as_deref()?, datasets, &sought, effort))
}
