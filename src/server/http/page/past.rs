//! What became of a key: when it was listed and delisted.

use super::words::{since, stamp};
use crate::explain::past::{DatasetPast, EntryPast, KeyHistory, MomentPast, ValuePast};
use crate::status::Time;
use crate::util::text::counted;
use maud::{Markup, html};

/// How many of the newest changes of an entry are shown.
const SHOWN: usize = 50;

/// The histories of a key; `None` if they could not be read.
pub(super) fn past(history: Option<&KeyHistory>) -> Markup {
    html! {
        section aria-labelledby="past" {
            h2 #past { "History " small { "times in UTC" } }
            @match history {
                None => p.none { "No history is kept: that takes a state folder." },
                Some(history) => (told(history)),
            }
        }
    }
}

fn told(history: &KeyHistory) -> Markup {
    let (listed, never): (Vec<_>, Vec<_>) =
        history.datasets.iter().partition(|past| !past.entries.is_empty());
    html! {
        @for past in &listed { (dataset(past)) }
        @if !never.is_empty() {
            p {
                "Never listed in " (never.iter().map(|past| &*past.dataset).collect::<Vec<_>>().join(", "))
                @if let Some(first) = never.iter().filter_map(|past| past.known_from.as_ref()).min() {
                    ", as far as is known: since " (stamp(first)) " at the earliest"
                }
                "."
            }
        }
        @if !history.unread.is_empty() {
            p.cut { "Not read: " (history.unread.join("; ")) "." }
        }
        @if history.datasets.is_empty() && history.unread.is_empty() { p.none { "No load is known." } }
    }
}

fn dataset(past: &DatasetPast) -> Markup {
    let (class, word) = match past.listed {
        Some(true) => ("bad", "listed"),
        Some(false) => ("well", "not listed"),
        None => ("warned", "not known: a load is missing"),
    };
    html! {
        section.found {
            h3 {
                (past.dataset) " " span.state.(class) { (word) } " "
                small { "listed " (counted(past.times as u64, "time", "times")) }
            }
            @for entry in &past.entries { (self::entry(entry)) }
            @if let (Some(from), Some(to)) = (&past.known_from, &past.known_to) {
                p { small { "Known from the loads from " (stamp(from)) " to " (stamp(to)) "." } }
            }
        }
    }
}

/// The newest first.
fn entry(entry: &EntryPast) -> Markup {
    let older = entry.moments.len().saturating_sub(SHOWN);
    html! {
        @if let Some(by) = &entry.by { h4 { "Listed " (by) } }
        ol.moments reversed {
            @for (number, moment) in entry.moments.iter().enumerate().skip(older).rev() {
                li { (stamp(&moment.time)) " " (self::moment(moment, &entry.moments[..number])) }
            }
        }
        @if older > 0 { p { "And " (counted(older as u64, "older change", "older changes")) "." } }
    }
}

fn moment(moment: &MomentPast, before: &[MomentPast]) -> Markup {
    html! {
        @match moment.what {
            "listed" => span.state.bad { "listed" },
            "delisted" => span.state.well { "delisted" },
            "unknown" => span.state.warned { "not known: a load is missing" },
            what => span.state.info { (what) },
        }
        @if moment.or_earlier { " " small { "or earlier: the history begins with it" } }
        @if moment.what == "delisted" && let Some(after) = after(moment, before) { " after " (after) }
        @if !moment.values.is_empty() { ul { @for value in &moment.values { (self::value(value)) } } }
    }
}

/// How long the key was listed.
fn after(moment: &MomentPast, before: &[MomentPast]) -> Option<String> {
    let listed = before.iter().rev().find(|moment| moment.what == "listed")?;
    let time = |moment: &MomentPast| moment.time.parse::<Time>().ok();
    Some(since(time(moment)?, time(listed)?))
}

fn value(value: &ValuePast) -> Markup {
    html! { li { code { (value.a) } " " span.text { (value.text) } } }
}
