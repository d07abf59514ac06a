//! `/`: how the server is, what is wrong first of all.

use super::super::Observation;
use super::super::answer::{Answer, Asked};
use super::pages::Part;
use super::plot::{DAY, HOUR, plot};
use super::watched::watched;
use super::words::{count, percent, rate, share, since};
use super::{Document, Mood, tables, top};
use crate::status::{Status, Trouble};
use crate::util::text::counted;
use hyper::StatusCode;
use maud::{Markup, html};

/// The overview.
pub(in super::super) fn overview(observation: &Observation, asked: &Asked) -> Answer {
    let status = &observation.status;
    let mood = Mood::of(status);
    let troubles = status.troubles();
    let verdict = verdict(status, mood, troubles.len());
    let history = &observation.history;
    let part = |table, total| Part::of(asked, table, total);
    let datasets = part("datasets", status.datasets.len());
    let shown = status.datasets.get(datasets.rows()).unwrap_or_default();
    let content = html! {
        div role="status" data-live="verdict" { h1.verdict.(mood.word()) { (verdict) } }
        div data-live="troubles" { (self::troubles(&troubles)) }
        (facts(observation))
        div.columns data-live="plots" {
            (plot(HOUR, &history.all, history.newest))
            (plot(DAY, &history.all, history.newest))
        }
        (watched(status, &part("watched", status.watched.len())))
        (tables::zones(status, history, &part("zones", status.zones.len())))
        (tables::datasets(status.time, shown.iter(), &datasets.ways()))
        (top::tops(observation))
        (tables::feeds(status, &part("feeds", status.feeds.len())))
        (tables::events(status))
        (tables::server(status))
        p.foot {
            a href="/overrides" { "Senders that allow lists let in" } ". As of " time datetime=(status.time) data-live="time" { (status.time) } ". For programs: "
            a href="/api/status" { "status" } ", " a href="/api/stats" { "figures" } ", "
            a href="/api/history" { "history" } ", " a href="/metrics" { "metrics" } "."
        }
    };
    let page =
        Document { title: &verdict, mood, is_live: true, is_public: false, key: "", content };
    Answer::page(StatusCode::OK, page.markup())
}

/// How all is, in a few words.
fn verdict(status: &Status, mood: Mood, troubles: usize) -> String {
    let zones = status.zones.len();
    let ready = status.zones.iter().filter(|zone| zone.ready).count();
    match mood {
        Mood::Well if status.server.loading => "All is well; files are being read".to_owned(),
        Mood::Well => "All is well".to_owned(),
        Mood::Warned => {
            let things = counted(troubles.max(1) as u64, "thing needs", "things need");
            format!("{things} attention; all zones are ready")
        }
        Mood::Bad if status.server.loading => {
            format!(
                "{ready} of {} ready; files are being read",
                counted(zones as u64, "zone is", "zones are")
            )
        }
        Mood::Bad => {
            let missing = zones - ready;
            let verb = if missing == 1 { "is" } else { "are" };
            format!("{missing} of {} {verb} not ready", counted(zones as u64, "zone", "zones"))
        }
    }
}

fn troubles(troubles: &[Trouble]) -> Markup {
    html! {
        @if !troubles.is_empty() {
            ul.troubles aria-label="What is wrong" {
                @for trouble in troubles {
                    li {
                        strong { (trouble.subject) } ": " (trouble.what)
                        @if let Some(remedy) = &trouble.remedy { p.remedy { "What to do: " (remedy) } }
                    }
                }
            }
        }
    }
}

/// The figures that tell whether a server lives.
fn facts(observation: &Observation) -> Markup {
    let Observation { status, history, .. } = observation;
    let last = history.all.queries.last().copied().unwrap_or(0);
    let (hour, listed) = HOUR.total(&history.all);
    let ready = status.zones.iter().filter(|zone| zone.ready).count();
    let live = status.datasets.iter().filter(|dataset| dataset.is_well()).count();
    let oldest = status.datasets.iter().filter_map(|dataset| dataset.fetched).min();
    let fact = |name: &str, value: String| html! { div { dt { (name) } dd { (value) } } };
    html! {
        dl.facts data-live="facts" {
            (fact("Queries a second", rate(last as f64 / 60.0)))
            (fact("Queries last hour", count(hour.into())))
            (fact("Of these listed", share(listed, hour).map_or_else(|| "-".to_owned(), percent)))
            (fact("Zones ready", format!("{ready} of {}", status.zones.len())))
            (fact("Datasets live", format!("{live} of {}", status.datasets.len())))
            (fact("Oldest data", match oldest {
                Some(oldest) => since(status.time, oldest),
                None => "-".to_owned(),
            }))
            (fact("Up", since(status.time, status.server.since)))
        }
    }
}
