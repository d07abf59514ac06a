//! Zones, datasets, feeds and events, each in a table; on a narrow screen, each row is a card, whose figures say
//! themselves what they are.

use super::super::form;
use super::pages::Part;
use super::plot::sparkline;
use super::words::{ago, ago_or_none, bytes, count, percent, share, since};
use crate::status::{
    CertificateStatus, DatasetStatus, EventStatus, FeedStatus, Health, Severity, Status, Time,
    TrafficStatus, ZoneStatus,
};
use maud::{Markup, Render, html};
use std::ops::Range;

/// The addresses of IPv4.
const IP4: f64 = 4_294_967_296.0;

/// A table with a heading; of the columns, those in the middle are figures.
pub(super) fn table(
    id: &str,
    title: Markup,
    head: &[&str],
    figures: Range<usize>,
    rows: &Markup,
    ways: &Markup,
) -> Markup {
    html! {
        section aria-labelledby=(id) {
            h2 #(id) { (title) }
            // The roles stay where the style makes cards of the rows.
            table.cards role="table" aria-labelledby=(id) {
                thead role="rowgroup" { tr role="row" {
                    @for (column, name) in head.iter().enumerate() {
                        th.figure[figures.contains(&column)] role="columnheader" scope="col" { (name) }
                    }
                } }
                tbody role="rowgroup" data-live=(id) { (rows) }
            }
            (ways)
        }
    }
}

/// A cell that says itself what it is where there is no head.
pub(super) fn cell(name: &str, content: impl Render) -> Markup {
    html! { td role="cell" data-name=(name) { (content) } }
}

pub(super) fn figure(name: &str, content: impl Render) -> Markup {
    html! { td.figure role="cell" data-name=(name) { (content) } }
}

/// A word in the colour of its mood, with a sign for those who see no colours.
pub(super) fn state(word: &str, class: &str) -> Markup {
    html! { span.state.(class) { (word) } }
}

fn none() -> Markup {
    html! { span.none { "-" } }
}

fn known(value: Option<u128>) -> Markup {
    html! { @match value { Some(value) => (count(value)), None => (none()) } }
}

/// The zones.
pub(super) fn zones(status: &Status, history: &TrafficStatus, part: &Part) -> Markup {
    let rows = html! {
        @for zone in status.zones.get(part.rows()).unwrap_or_default() {
            tr role="row" {
                th role="rowheader" scope="row" { a href={ "/zone/" (form::encoded(&zone.name)) } { (zone.name) } }
                (cell("State", zone_state(zone)))
                (cell("Last hour", {
                    let minutes = history.zones.iter().find(|other| other.name == zone.name);
                    sparkline(minutes.map(|zone| &zone.minutes), &zone.name)
                }))
                (figure("Queries", count(zone.queries.into())))
                (figure("Listed", {
                    let share = share(zone.listed, zone.queries);
                    html! { (count(zone.listed.into())) @if let Some(share) = share { " " small { (percent(share)) } } }
                }))
                (figure("Entries", count(zone.entries.into())))
                (figure("Addresses", known(zone.addresses)))
                (cell("Data", lists(zone)))
            }
        }
    };
    let head = ["Zone", "State", "Last hour", "Queries", "Listed", "Entries", "Addresses", "Data"];
    let title = html! { "Zones " small { "queries since the start" } };
    table("zones", title, &head, 3..7, &rows, &part.ways())
}

pub(super) fn zone_state(zone: &ZoneStatus) -> Markup {
    let class = match zone.state {
        _ if !zone.ready => "bad",
        Health::Whole => "well",
        _ => "warned",
    };
    let word = if zone.ready {
        zone.state.word().to_owned()
    } else {
        format!("not ready: {}", zone.state.word())
    };
    state(&word, class)
}

fn lists(zone: &ZoneStatus) -> Markup {
    let words = |lists: &[String]| lists.join(", ");
    html! {
        (words(&zone.datasets))
        @if !zone.allow.is_empty() { " " small { "except " (words(&zone.allow)) } }
        @if !zone.acl.is_empty() { " " small { "for " (words(&zone.acl)) } }
    }
}

/// The datasets.
pub(super) fn datasets<'d>(
    now: Time,
    datasets: impl Iterator<Item = &'d DatasetStatus>,
    ways: &Markup,
) -> Markup {
    let rows = html! {
        @for dataset in datasets {
            tr role="row" {
                th role="rowheader" scope="row" { (dataset.name) " " small { (dataset.kind) } }
                (cell("State", dataset_state(dataset)))
                (figure("Entries", known(dataset.entries.map(u128::from))))
                (figure("Addresses", coverage(dataset)))
                (figure("Memory", html! { @match dataset.bytes { Some(size) => (bytes(size)), None => (none()) } }))
                (figure("Fetched", ago_or_none(now, dataset.fetched)))
                (figure("Changed", ago_or_none(now, dataset.changed)))
                (figure("Last change", change(dataset)))
            }
        }
    };
    let head =
        ["Dataset", "State", "Entries", "Addresses", "Memory", "Fetched", "Changed", "Last change"];
    table("datasets", html! { "Datasets" }, &head, 2..8, &rows, ways)
}

fn dataset_state(dataset: &DatasetStatus) -> Markup {
    let class = match &*dataset.state {
        "live" => "well",
        "never-loaded" => "bad",
        _ => "warned",
    };
    state(&dataset.state, class)
}

/// The addresses; in a list of those of IPv4, also the share of all of these, if it is one to speak of.
fn coverage(dataset: &DatasetStatus) -> Markup {
    let Some(addresses) = dataset.addresses else { return none() };
    let share = addresses as f64 / IP4;
    html! {
        (count(addresses))
        // A trie of IPv4 can have IPv6, too.
        @if dataset.kind.starts_with("ip4") && (0.001..=1.0).contains(&share) {
            " " small { (percent(share)) " of IPv4" }
        }
    }
}

fn change(dataset: &DatasetStatus) -> Markup {
    let Some(change) = dataset.last_change else { return none() };
    html! {
        span.added { "+" (count(change.added)) } " "
        span.removed { "\u{2212}" (count(change.removed)) }
        @if change.changed > 0 { " ~" (count(change.changed)) }
    }
}

/// The feeds, if there are some.
pub(super) fn feeds(status: &Status, part: &Part) -> Markup {
    if status.feeds.is_empty() {
        return Markup::default();
    }
    let now = status.time;
    let rows = html! {
        @for feed in status.feeds.get(part.rows()).unwrap_or_default() {
            tr role="row" {
                th role="rowheader" scope="row" { (feed.name) }
                (cell("State", state(&feed.state, if feed.is_well() { "well" } else { "warned" })))
                (figure("Fetched", ago_or_none(now, feed.last_success)))
                (figure("Changed", ago_or_none(now, feed.last_change)))
                (figure("Next try", next_try(feed, now)))
                (figure("Size", html! { @match feed.size { Some(size) => (bytes(size)), None => (none()) } }))
                (figure("Failures", feed.failures))
                (cell("Source", html! { span.long { (feed.source) } }))
            }
        }
    };
    let head = ["Feed", "State", "Fetched", "Changed", "Next try", "Size", "Failures", "Source"];
    table("feeds", html! { "Feeds" }, &head, 2..7, &rows, &part.ways())
}

fn next_try(feed: &FeedStatus, now: Time) -> Markup {
    html! {
        @match feed.next_try {
            None => (none()),
            Some(next) if next <= now => "due",
            Some(next) => { "in " (since(next, now)) },
        }
    }
}

/// What has happened lately, the newest first.
pub(super) fn events(status: &Status) -> Markup {
    html! {
        section aria-labelledby="events" {
            h2 #events { "Events" }
            ol.events data-live="events" reversed {
                @for event in status.events.iter().rev() { (self::event(event, status.time)) }
                @if status.events.is_empty() { li { p { "Nothing has happened yet." } } }
            }
        }
    }
}

fn event(event: &EventStatus, now: Time) -> Markup {
    html! {
        li { p {
            (ago(now, event.time)) " "
            @match event.severity {
                Severity::Error => { (state("error", "bad")) " " }
                Severity::Warning => { (state("warning", "warned")) " " }
                Severity::Info => {}
            }
            (event.text)
        } }
    }
}

/// The sockets, the connections and the certificates.
pub(super) fn server(status: &Status) -> Markup {
    let server = &status.server;
    html! {
        section aria-labelledby="server" {
            h2 #server { "Server" }
            dl.server data-live="server" {
                dt { "Version" } dd { "dnsbld " (server.version) ", process " (server.pid) }
                dt { "Settings" } dd.long { (server.config) }
                dt { "Listens on" }
                dd { ul { @for listener in &server.listeners {
                    li { (listener.address) " "
                        small { (listener.protocols.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")) }
                    }
                } } }
                dt { "Connections" }
                dd { ul { @for connections in &server.connections {
                    li {
                        (connections.open) " of " (connections.limit) " "
                        small {
                            (connections.protocol)
                            @if connections.gave_way > 0 { ", " (connections.gave_way) " gave way to others" }
                        }
                    }
                } } }
                @if !server.certificates.is_empty() {
                    dt { "Certificates" }
                    dd { ul { @for certificate in &server.certificates {
                        li { (self::certificate(certificate, status.time)) }
                    } } }
                }
            }
        }
    }
}

fn certificate(certificate: &CertificateStatus, now: Time) -> Markup {
    let class = if certificate.is_well(now) { "well" } else { "warned" };
    html! { (certificate.names.join(", ")) " " (state(&certificate.left(now), class)) " " small.long { (certificate.file) } }
}
