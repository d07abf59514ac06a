//! Which lines of which files are about a key, and what lets a sender in.

use super::words::{count, stamp};
use crate::explain::check::{DatasetExplanation, Explanation};
use crate::explain::covering::{Covering, CoveringSet};
use maud::{Markup, html};

/// How many datasets are shown.
const SHOWN: usize = 50;

/// What lets a sender in now.
pub(super) fn remedy(explanation: &Explanation) -> Markup {
    html! {
        @if !explanation.remedy.is_empty() {
            section aria-labelledby="remedy" {
                h2 #remedy { "To let it in now" }
                ol.steps { @for step in &explanation.remedy {
                    li { @if step.starts_with("dnsbld ") { code { (step) } } @else { (step) } }
                } }
            }
        }
    }
}

/// The entries about a key.
pub(super) fn entries(explanation: &Explanation) -> Markup {
    let is_told = |set: &&DatasetExplanation| {
        let mut sets = set.served.iter().chain(&set.on_disk);
        set.served.is_none()
            || sets.any(|set| set.total > 0 || set.problem.is_some() && !set.is_cut)
    };
    let told: Vec<_> = explanation.datasets.iter().filter(is_told).collect();
    let cut = explanation.datasets.iter().filter(|set| set.is_cut());
    let cut: Vec<_> = cut.map(|set| &*set.dataset).collect();
    html! {
        section aria-labelledby="entries" {
            h2 #entries { "Entries about it" }
            @if !cut.is_empty() {
                p.cut {
                    "The time for a search was over before these were read to their end: " (cut.join(", "))
                    ". Look again, or ask " code { "dnsbld check" } ", which takes the time it needs."
                }
            }
            @if told.is_empty() && cut.is_empty() { p { "No list has an entry about it." } }
            @for set in told.iter().take(SHOWN) { (dataset(set)) }
            @if told.len() > SHOWN { p { "And in " (told.len() - SHOWN) " more datasets." } }
        }
    }
}

fn dataset(set: &DatasetExplanation) -> Markup {
    html! {
        section.found {
            h3 { (set.dataset) " " small { (set.kind) ", " (set.state) } }
            p.facts-line {
                @if !set.lists_in.is_empty() { span { "Lists in " (set.lists_in.join(", ")) } }
                @if !set.allows_in.is_empty() { span { "Allows in " (set.allows_in.join(", ")) } }
                @if let Some(made) = &set.made { span { "Made " (stamp(made)) } }
                @if let Some(accepted) = &set.accepted { span { "Accepted " (stamp(accepted)) } }
            }
            @if let Some(problem) = &set.problem { p { span.state.warned { "problem" } " " (problem) } }
            @match (&set.served, &set.on_disk) {
                (Some(served), None) => (of_files(served)),
                (Some(served), Some(disk)) => {
                    h4 { "What is served" } (of_files(served))
                    h4 { "The files on disk, which differ from it" } (of_files(disk))
                },
                (None, disk) => {
                    p {
                        "The text of what is served is not at hand: it is kept in the state folder, of up to 32 MiB."
                    }
                    @if let Some(disk) = disk {
                        h4 { "The files on disk, which differ from what is served" } (of_files(disk))
                    }
                },
            }
        }
    }
}

fn of_files(set: &CoveringSet) -> Markup {
    let more = set.total.saturating_sub(set.entries.len() as u64);
    html! {
        @if !set.entries.is_empty() {
            ul.entries { @for entry in &set.entries { (self::entry(entry)) } }
        }
        @if more > 0 { p { "And " (count(more.into())) " more about it." } }
        @if set.total == 0 && !set.is_cut { p.none { "No entry is about it." } }
        @if let Some(problem) = &set.problem { p { "Not read to the end: " (problem) "." } }
    }
}

fn entry(entry: &Covering) -> Markup {
    let decides = match (entry.decides, entry.excluded) {
        (true, false) => Some("lists"),
        (true, true) => Some("excludes"),
        (false, _) => None,
    };
    html! {
        li.(decides.unwrap_or("other")) {
            code.line { (entry.text) }
            p {
                span.long { (entry.file) ":" (entry.line) }
                @if decides.is_some() { strong { "It decides" } }
                @if entry.excluded { span { "An exclusion" } }
                @if !entry.subzones.is_empty() { span { "For " (entry.subzones.join(", ")) } }
                @if let (Some(date), Some(of)) = (&entry.date, entry.date_of) {
                    span { @match of { "ts" => "Listed since ", "timestamp" => "List of ", _ => "File of " } (stamp(date)) }
                }
            }
        }
    }
}
