//! `/overrides`: the senders that a list has and an allow list lets in.

use super::super::Observation;
use super::super::answer::{Answer, Asked};
use super::tables::{cell, figure, table};
use super::words::{ago, count, link, since};
use super::{Document, Mood};
use crate::status::{OverrideStatus, Time};
use hyper::StatusCode;
use maud::{Markup, html};

/// The page of overrides.
pub(in super::super) fn overrides(observation: &Observation, _: &Asked) -> Answer {
    let title = "Senders that allow lists let in";
    let content = html! {
        h1 { (title) }
        @match &observation.overrides {
            None => p.none { "Nothing is counted before queries are answered." },
            Some(told) => {
                p {
                    "Lists have these, and would block them; the commonest first, counted for "
                    (since(observation.status.time, told.since)) ". With the lines that list them, ready to be sent to "
                    "those who run the lists: " code { "dnsbld report overrides" } "."
                }
                @if told.overrides.is_empty() {
                    p.none { "There is none: no allow list has changed an answer." }
                } @else {
                    (senders(&told.overrides, observation.status.time))
                }
            },
        }
        p.foot { "For programs: " a href="/api/overrides" { "overrides" } "." }
    };
    let page = Document {
        title,
        mood: Mood::of(&observation.status),
        is_live: false,
        is_public: false,
        key: "",
        content,
    };
    Answer::page(StatusCode::OK, page.markup())
}

fn senders(overrides: &[OverrideStatus], now: Time) -> Markup {
    let rows = html! {
        @for told in overrides {
            tr role="row" {
                th role="rowheader" scope="row" { (link(&told.key.sender)) }
                (cell("List", html! { (told.key.list) }))
                (cell("Allowed by", html! { (told.key.allow) }))
                (figure("Answers", count(told.count.into())))
                (figure("First", ago(now, told.first)))
                (figure("Last", ago(now, told.last)))
            }
        }
    };
    let head = ["Sender", "List", "Allowed by", "Answers", "First", "Last"];
    table("senders", html! { "Senders" }, &head, 3..6, &rows, &Markup::default())
}
