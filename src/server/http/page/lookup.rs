//! `/lookup?key=`: what the server answers for a key, why, since when, and what to do: for those who run it.

use super::super::Observation;
use super::super::answer::{Answer, Asked};
use super::super::form;
use super::{Document, Mood, answers, entries, past};
use crate::explain::check::{Effort, explain};
use crate::explain::past::{KeyHistory, PrefixHistory};
use crate::explain::{AskedKey, Lookup, Oracle};
use crate::util::time::unix_time;
use hyper::StatusCode;
use maud::{Markup, html};

/// What is typed is not shown beyond that.
pub(super) const SHOWN: usize = 255;

/// The page of a key.
pub(in super::super) fn lookup(
    observation: &Observation,
    asked: &Asked,
    effort: Option<Effort>,
) -> Answer {
    let typed: String = asked.field("key").unwrap_or_default().chars().take(SHOWN).collect();
    let (status, title, rest) = match observation.look_up(&typed, effort) {
        Ok(lookup) => {
            let headline = answers::headline(&lookup.key, &lookup.zones);
            (StatusCode::OK, headline, explained(observation, lookup, effort))
        }
        Err((status, error)) => {
            (status, format!("{typed:?} is not looked up"), html! { p { (error) "." } })
        }
    };
    let page = Document {
        title: &title,
        mood: Mood::of(&observation.status),
        is_live: false,
        is_public: false,
        key: &typed,
        content: html! { h1 { (title) } (rest) },
    };
    Answer::page(status, page.markup())
}

fn explained(observation: &Observation, lookup: Lookup, effort: Option<Effort>) -> Markup {
    let key = form::encoded(&lookup.key);
    let is_prefix = matches!(lookup.asked(), Some(AskedKey::Prefix(_)));
    let foot = html! {
        p.foot {
            "What the server answers to clients that no access list knows. "
            @if !is_prefix { a href={ "/k/" (key) } { "Page for everybody" } "; " }
            "for programs: " a href={ "/api/check?key=" (key) } { "entries" }
            @if !is_prefix { ", " a href={ "/api/timeline?key=" (key) } { "history" } }
            "."
        }
    };
    let Some(effort) = effort else {
        return html! {
            (busy())
            (answers::answers(&lookup.zones)) (answers::quiet(&lookup.zones)) (foot)
        };
    };
    let past = observation.past_of(&lookup, effort);
    let facts = |dataset: &str| observation.status.facts(dataset);
    let explained = explain(&observation.settings, "server", vec![lookup], effort, facts);
    html! {
        @for explanation in &explained {
            (answers::answers(&explanation.lookup.zones))
            (entries::remedy(explanation))
            (entries::entries(explanation))
            (past)
            (answers::quiet(&explanation.lookup.zones))
        }
        (foot)
    }
}

/// Why what is in files is not told.
pub(super) fn busy() -> Markup {
    html! {
        p.cut role="status" {
            "Too many look-ups read files at the moment, so that entries and history are not shown. Look again in a "
            "moment."
        }
    }
}

impl Observation {
    /// What all zones answer for a key, whoever asks; or the status and the reason why that is not told.
    pub(in super::super) fn look_up(
        &self,
        typed: &str,
        effort: Option<Effort>,
    ) -> Result<Lookup, (StatusCode, String)> {
        let catalog = self.catalog.as_ref().ok_or_else(|| {
            let error = "The data is not loaded yet; look again in a moment".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, error)
        })?;
        let bad = |error: &dyn std::fmt::Display| (StatusCode::BAD_REQUEST, error.to_string());
        if let Ok((AskedKey::Prefix(prefix), _)) = AskedKey::read(typed, []) {
            if prefix.prefix_len() < 8 {
                return Err(bad(
                    &"A prefix that wide takes a server too long; dnsbld check tells of it",
                ));
            }
            if effort.is_none() {
                let error =
                    "Too many look-ups are made at the moment; look again in a moment".to_owned();
                return Err((StatusCode::SERVICE_UNAVAILABLE, error));
            }
        }
        let catalog = catalog.load();
        let oracle = Oracle::new(self.settings.zones_of_lists(catalog.zones()), unix_time());
        oracle.lookup(typed).map_err(|error| bad(&error))
    }

    /// What the histories of all datasets tell of a key.
    fn past_of(&self, lookup: &Lookup, effort: Effort) -> Markup {
        let folder = self.settings.server.state_dir.as_deref();
        let datasets = self.settings.datasets.iter().map(|set| &*set.name);
        if let Some(AskedKey::Prefix(net)) = lookup.asked() {
            let read = |folder| PrefixHistory::read(folder, datasets, net, past::SHOWN, effort);
            return past::of_prefix(folder.map(read).as_ref());
        }
        let Some(sought) = lookup.sought() else { return Markup::default() };
        let read = |folder| KeyHistory::read(folder, datasets, &sought, effort);
        past::of_key(folder.map(read).as_ref())
    }
}
