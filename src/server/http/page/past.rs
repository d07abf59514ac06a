//! What became of a key: when it was listed and delisted.

use super::words::{count, link, since, stamp};
use crate::explain::past::{
    DatasetPast, EntryPast, KeyHistory, MomentPast, PrefixHistory, ValuePast, rfc3339,
};
use crate::history::PrefixTimeline;
use crate::status::Time;
use crate::util::text::counted;
use crate::wire::name::NameBuf;
use maud::{Markup, html};

/// How many of the newest changes of an entry, or in a dataset of the addresses of a prefix, are shown.
pub(super) const SHOWN: usize = 50;

/// The histories of a key; `None` if none are kept.
pub(super) fn of_key(history: Option<&KeyHistory>) -> Markup {
    past(history.map(told))
}

/// The histories of a prefix; `None` if none are kept.
pub(super) fn of_prefix(history: Option<&PrefixHistory<'_>>) -> Markup {
    past(history.map(told_of_prefix))
}

fn past(told: Option<Markup>) -> Markup {
    html! {
        section aria-labelledby="past" {
            h2 #past { "History " small { "times in UTC" } }
            @match told {
                None => p.none { "No history is kept: that takes a state folder." },
                Some(told) => (told),
            }
        }
    }
}

fn told_of_prefix(history: &PrefixHistory<'_>) -> Markup {
    let is_empty = |timeline: &PrefixTimeline| timeline.moments.is_empty();
    let (never, some): (Vec<_>, Vec<_>) =
        history.timelines.iter().partition(|(_, timeline)| is_empty(timeline));
    html! {
        @for (dataset, timeline) in some { (addresses(dataset, timeline)) }
        @if !never.is_empty() {
            p {
                "None of it was ever listed in "
                (never.iter().map(|(dataset, _)| *dataset).collect::<Vec<_>>().join(", "))
                ", as far as is known."
            }
        }
        @if !history.unread.is_empty() {
            p.cut { "Not read: " (history.unread.join("; ")) "." }
        }
        @if history.timelines.is_empty() && history.unread.is_empty() { p.none { "No load is known." } }
    }
}

/// What became of the addresses of a prefix in a dataset, the newest first.
fn addresses(dataset: &str, timeline: &PrefixTimeline) -> Markup {
    let (class, words) = match timeline.listed {
        _ if timeline.is_cut => ("warned", "not known: a load is missing".to_owned()),
        0 => ("well", "none of it is listed".to_owned()),
        1 => ("bad", "1 address of it is listed".to_owned()),
        many => ("bad", format!("{} addresses of it are listed", count(many))),
    };
    html! {
        section.found {
            h3 { (dataset) " " span.state.(class) { (words) } }
            ol.moments reversed {
                @for told in timeline.moments.iter().rev() {
                    li {
                        (stamp(&rfc3339(told.time))) " " (link(&told.key.to_string()))
                        @if told.place.apex != NameBuf::ROOT { " in " (told.place.apex) } " "
                        (moment(&told.into(), &[]))
                    }
                }
            }
            @if timeline.older > 0 { p { "And " (counted(timeline.older, "older change", "older changes")) "." } }
            @if let Some((from, to)) = timeline.known {
                p { small { "Known from the loads from " (stamp(&rfc3339(from))) " to " (stamp(&rfc3339(to))) "." } }
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
