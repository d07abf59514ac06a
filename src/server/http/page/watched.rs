//! What is listed of the networks and domains that are watched.

use super::pages::Part;
use super::tables::{cell, state, table};
use super::words::{ago, link};
use crate::status::{Status, Time, WatchedListing};
use crate::util::text::counted;
use maud::{Markup, html};

/// The networks and domains that are watched, those that are listed first; nothing if none is.
pub(super) fn watched(status: &Status, part: &Part) -> Markup {
    if status.watched.is_empty() {
        return Markup::default();
    }
    let mut all: Vec<_> = status.watched.iter().collect();
    all.sort_by_key(|watched| watched.listed.is_empty());
    let rows = html! {
        @for watched in all.get(part.rows()).unwrap_or_default() {
            tr role="row" {
                th role="rowheader" scope="row" { (link(&watched.watched)) " " small { (watched.label) } }
                (cell("State", match watched.listed.len() as u64 {
                    0 => state("not listed", "well"),
                    lists => state(&format!("listed in {}", counted(lists, "list", "lists")), "bad"),
                }))
                (cell("By", html! {
                    @if watched.listed.is_empty() { span.none { "-" } }
                    @else { ul { @for by in &watched.listed { li { (listing(by, status.time)) } } } }
                }))
            }
        }
    };
    let title = html! { "Watched " small { "are we listed ourselves?" } };
    table("watched", title, &["Watched", "State", "By"], 3..3, &rows, &part.ways())
}

/// What one dataset lists, the newest first, and the lines that do.
fn listing(listing: &WatchedListing, now: Time) -> Markup {
    let WatchedListing { dataset, zones, keys, more, .. } = listing;
    let zones = if zones.is_empty() { "no zone".to_owned() } else { zones.join(", ") };
    html! {
        strong { (dataset) } " " small { "in " (zones) }
        ul {
            @for key in keys {
                li {
                    (link(&key.key)) " " (ago(now, key.since))
                    @if let Some((place, line)) = key.place() { " " small.long { (place) } " " code { (line) } }
                }
            }
            @if *more > 0 { li { "And " (more) " more." } }
        }
    }
}
