//! `/lookup?key=`: what the server answers for a key, in each zone. The address of the page can stand in a TXT record.

use super::super::Observation;
use super::super::answer::{Answer, Asked};
use super::super::form;
use super::{Mood, document};
use crate::explain::lookup::{KeyLookup, KeyVerdict, LookupKey, ZoneLookup, look_up};
use crate::util::time::unix_time;
use hyper::StatusCode;
use maud::{Markup, html};
use std::fmt::Display;
use std::net::IpAddr;

/// What is typed is not shown beyond that.
const SHOWN: usize = 255;

/// The page of a key.
pub(in super::super) fn lookup(observation: &Observation, asked: &Asked<'_>) -> Answer {
    let typed: String = asked.field("key").unwrap_or_default().chars().take(SHOWN).collect();
    let (status, headline, rest) = match (LookupKey::read(&typed), &observation.catalog) {
        (Err(error), _) => {
            (StatusCode::BAD_REQUEST, format!("There is no key {typed:?}"), sentence(&error))
        }
        (Ok(key), None) => {
            let error = "The data is not loaded yet; look again in a moment";
            (StatusCode::SERVICE_UNAVAILABLE, key.to_string(), sentence(&error))
        }
        (Ok(key), Some(catalog)) => {
            let lookup = look_up(&catalog.load(), &key, asked.client, unix_time());
            (StatusCode::OK, headline(&lookup), answers(&lookup, asked.client))
        }
    };
    let content = html! { h1 { (headline) } (rest) };
    let mood = Mood::of(&observation.status);
    let page = document(&format!("{headline} - dnsbld"), mood, false, &typed, &content);
    Answer::page(status, page)
}

fn sentence(text: &impl Display) -> Markup {
    html! { p { (text) "." } }
}

fn headline(lookup: &KeyLookup) -> String {
    let key = &lookup.key;
    let of =
        |verdict: KeyVerdict| lookup.zones.iter().filter(|zone| zone.verdict == verdict).count();
    match (of(KeyVerdict::Listed), of(KeyVerdict::NoAnswer), of(KeyVerdict::Allowed)) {
        (0, 0, 0) => format!("{key} is not listed"),
        (0, 0, _) => format!("{key} is allowed"),
        (0, _, _) => format!("{key}: not all zones answer"),
        (1, ..) => format!("{key} is listed in 1 zone"),
        (listed, ..) => format!("{key} is listed in {listed} zones"),
    }
}

fn answers(lookup: &KeyLookup, client: IpAddr) -> Markup {
    let of = |verdict: KeyVerdict| lookup.zones.iter().filter(move |zone| zone.verdict == verdict);
    let quiet: Vec<_> = of(KeyVerdict::NotListed).collect();
    let link = format!("/lookup?key={}", form::encoded(&lookup.key));
    html! {
        @for zone in of(KeyVerdict::Listed) { (found(zone)) }
        @for zone in of(KeyVerdict::Allowed) { (found(zone)) }
        @for zone in of(KeyVerdict::NoAnswer) { (found(zone)) }
        @if !quiet.is_empty() {
            section.quiet aria-labelledby="quiet" {
                h2 #quiet { "Not listed in" }
                ul { @for zone in quiet { li { (zone.zone) } } }
            }
        }
        @if lookup.zones.is_empty() { p { "No zone has such keys." } }
        p.foot {
            "Answered as " (client) " is, now. " a href=(link) { "Permanent link" } ", "
            a href={ "/api" (link) } { "for programs" } "."
        }
    }
}

/// A zone with something to tell.
fn found(zone: &ZoneLookup) -> Markup {
    let (class, word) = match zone.verdict {
        KeyVerdict::Listed => ("bad", "listed"),
        KeyVerdict::Allowed => ("well", "allowed"),
        KeyVerdict::NotListed => ("info", "not listed"),
        KeyVerdict::NoAnswer => ("warned", "no answer"),
    };
    html! {
        section.found {
            h2 { (zone.zone) " " span.state.(class) { (word) } }
            dl {
                @if !zone.addresses.is_empty() {
                    dt { "A" }
                    dd { ul { @for address in &zone.addresses { li { code { (address) } } } } }
                }
                @if !zone.texts.is_empty() {
                    dt { "TXT" }
                    dd { ul { @for text in &zone.texts { li.text { (text) } } } }
                }
                @if !zone.listed_by.is_empty() { dt { "Listed by" } dd { (zone.listed_by.join(", ")) } }
                @if !zone.allowed_by.is_empty() { dt { "Allowed by" } dd { (zone.allowed_by.join(", ")) } }
                @if zone.verdict == KeyVerdict::NoAnswer { dt { "Why" } dd { (why(zone)) } }
                dt { "Asked for" } dd.long { code { (zone.name) } }
                @if let Some(rcode) = &zone.rcode { dt { "Answer" } dd { (rcode) } }
            }
        }
    }
}

/// Why there is no answer.
fn why(zone: &ZoneLookup) -> &'static str {
    match zone.rcode.as_deref() {
        None => "An access list says that you get no answer.",
        Some("REFUSED") => "An access list refuses your address.",
        Some("SERVFAIL") => "Data of the zone is missing, has expired or is too old.",
        Some(_) => "The server cannot answer this question.",
    }
}
