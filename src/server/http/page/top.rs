//! What is answered, asked and who asks most.

use super::super::Observation;
use super::words::{count, link, percent, rate};
use crate::stats::top::TopKey;
use maud::{Markup, html};

/// How many of each are shown.
const SHOWN: usize = 10;

/// Three short tables side by side, where there is room.
pub(super) fn tops(observation: &Observation) -> Markup {
    html! {
        div.columns {
            (values(observation))
            (keys(observation))
            (clients(observation))
        }
    }
}

/// A table of shares.
fn table(
    id: &str,
    title: &str,
    about: &str,
    head: [&str; 2],
    rows: &[(Markup, String, f64)],
) -> Markup {
    html! {
        section aria-labelledby=(id) {
            h2 #(id) { (title) " " small { (about) } }
            div data-live=(id) {
                @if rows.is_empty() {
                    p.none { "None yet." }
                } @else {
                    table.top {
                        thead { tr {
                            th scope="col" { (head[0]) } th.figure scope="col" { (head[1]) }
                            th.figure scope="col" { "Share" }
                        } }
                        tbody { @for (name, figure, share) in rows {
                            tr {
                                th scope="row" { (name) (bar(*share)) }
                                td.figure { (figure) }
                                td.figure { (percent(*share)) }
                            }
                        } }
                    }
                }
            }
        }
    }
}

fn bar(share: f64) -> Markup {
    let width = format!("{:.1}", share.clamp(0.0, 1.0) * 100.0);
    html! {
        svg.bar viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true" {
            rect width=(width) height="2" {}
        }
    }
}

/// The A values of answers since the start.
fn values(observation: &Observation) -> Markup {
    let mut values: Vec<_> = observation.stats().all().values.into_iter().collect();
    values.sort_by(|(_, one), (_, other)| other.cmp(one));
    let all: u64 = values.iter().map(|(_, count)| count).sum();
    let row = |(value, number): (String, u64)| {
        (html! { (value) }, count(number.into()), number as f64 / all.max(1) as f64)
    };
    let rows: Vec<_> = values.into_iter().take(SHOWN).map(row).collect();
    table("values", "A values", "since the start", ["Value", "Answers"], &rows)
}

/// The listed keys that are asked for most.
fn keys(observation: &Observation) -> Markup {
    if !observation.top.is_on {
        return off("keys", "Listed keys");
    }
    let row = |key: &TopKey| {
        let zone = key.zone.as_deref().unwrap_or("no zone");
        let name = html! { (link(&key.key)) " " small { (zone) } };
        (name, rate(key.per_second), key.share)
    };
    let rows: Vec<_> = observation.top.listed.iter().take(SHOWN).map(row).collect();
    table("keys", "Listed keys", "last minutes", ["Key", "Per second"], &rows)
}

/// The clients that ask most.
fn clients(observation: &Observation) -> Markup {
    if !observation.top.is_on {
        return off("clients", "Clients");
    }
    let clients = observation.top.clients.iter().take(SHOWN);
    let rows: Vec<_> = clients
        .map(|client| (html! { (client.client) }, rate(client.per_second), client.share))
        .collect();
    table("clients", "Clients", "last minutes", ["Client", "Per second"], &rows)
}

fn off(id: &str, title: &str) -> Markup {
    html! {
        section aria-labelledby=(id) {
            h2 #(id) { (title) }
            p.none data-live=(id) { "Switched off by " code { "top = false" } " in the settings " code { "[stats]" } "." }
        }
    }
}
