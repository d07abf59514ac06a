//! What zones answer for a key.

use super::words::{count, link, percent};
use crate::explain::lookup::{Coverage, KeyVerdict, ZoneLookup};
use maud::{Markup, html};

/// What the zones say, in a few words.
pub(super) fn headline(key: &str, zones: &[ZoneLookup]) -> String {
    let of = |verdict: KeyVerdict| zones.iter().filter(|zone| zone.verdict == verdict).count();
    match (of(KeyVerdict::Listed), of(KeyVerdict::NoAnswer), of(KeyVerdict::Allowed)) {
        (0, 0, 0) => format!("{key} is not listed"),
        (0, 0, _) => format!("{key} is allowed"),
        (0, _, _) => format!("{key}: not all zones answer"),
        (1, ..) => format!("{key} is listed in 1 zone"),
        (listed, ..) => format!("{key} is listed in {listed} zones"),
    }
}

/// The zones that have something to tell.
pub(super) fn answers(zones: &[ZoneLookup]) -> Markup {
    let of = |verdict: KeyVerdict| zones.iter().filter(move |zone| zone.verdict == verdict);
    html! {
        @for zone in of(KeyVerdict::Listed) { (found(zone)) }
        @for zone in of(KeyVerdict::Allowed) { (found(zone)) }
        @for zone in of(KeyVerdict::NoAnswer) { (found(zone)) }
        @if zones.is_empty() { p { "No zone has such keys." } }
    }
}

/// The names of the others.
pub(super) fn quiet(zones: &[ZoneLookup]) -> Markup {
    let quiet = || zones.iter().filter(|zone| zone.verdict == KeyVerdict::NotListed);
    html! {
        @if quiet().next().is_some() {
            section.quiet aria-labelledby="quiet" {
                h2 #quiet { "Not listed in" }
                ul { @for zone in quiet() { li { (zone.zone) } } }
            }
        }
    }
}

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
                @if let Some(coverage) = &zone.coverage { (self::coverage(coverage)) }
                @if !zone.listed_by.is_empty() { dt { "Listed by" } dd { (zone.listed_by.join(", ")) } }
                @if !zone.allowed_by.is_empty() { dt { "Allowed by" } dd { (zone.allowed_by.join(", ")) } }
                @if zone.verdict == KeyVerdict::NoAnswer { dt { "Why" } dd { (why(zone)) } }
                @if !zone.name.is_empty() { dt { "Asked for" } dd.long { code { (zone.name) } } }
                @if let Some(rcode) = &zone.rcode { dt { "Answer" } dd { (rcode) } }
            }
        }
    }
}

/// How much of a prefix is listed.
fn coverage(coverage: &Coverage) -> Markup {
    let Coverage { listed, of, by, widest, ranges, before, after } = coverage;
    let neighbour = |key: &Option<String>| {
        html! { @match key { Some(key) => (link(key)), None => span.none { "none" } } }
    };
    html! {
        dt { "Listed" }
        dd {
            (count(*listed)) " of " (count(*of)) " addresses (" (percent(*listed as f64 / *of as f64)) "), in "
            (count((*ranges).into())) @if *ranges == 1 { " range" } @else { " ranges" }
        }
        @if by.len() > 1 {
            dt { "Of these" }
            dd { ul { @for part in by { li { (part.dataset) ": " (count(part.addresses)) } } } }
        }
        @if !widest.is_empty() {
            dt { "Widest" }
            dd { ul.row { @for range in widest { li { (link(range)) } } } }
        }
        dt { "Neighbours" }
        dd { "before it " (neighbour(before)) ", behind it " (neighbour(after)) }
    }
}

/// Why there is no answer.
fn why(zone: &ZoneLookup) -> &'static str {
    match zone.rcode.as_deref() {
        // Of a prefix nothing is asked.
        None if zone.name.is_empty() => "Data of the zone is missing, has expired or is too old.",
        None => "An access list says that you get no answer.",
        Some("REFUSED") => "An access list refuses your address.",
        Some("SERVFAIL") => "Data of the zone is missing, has expired or is too old.",
        Some(_) => "The server cannot answer this question.",
    }
}
