//! The page for people: how the server is, what it answers for a key, and why. Without a script, a picture or a letter
//! from elsewhere; whatever comes from outside is escaped by maud.

mod answers;
mod entries;
mod key;
mod load;
mod lookup;
mod map;
mod overrides;
mod overview;
mod pages;
mod past;
mod plot;
mod tables;
mod top;
mod watched;
mod words;
mod zone;

pub(super) use key::key;
pub(super) use load::load;
pub(super) use lookup::lookup;
pub(super) use map::{map, picture};
pub(super) use overrides::overrides;
pub(super) use overview::overview;
pub(super) use zone::{ZonePast, zone};

use super::Observation;
use super::answer::{Answer, Asked};
use crate::status::Status;
use hyper::StatusCode;
use maud::{DOCTYPE, Markup, html};

/// The style of all pages.
pub(super) fn style(_: &Observation, _: &Asked) -> Answer {
    Answer::file("text/css; charset=utf-8", include_str!("page.css"))
}

/// The script that keeps the overview fresh; the page is whole without it.
pub(super) fn script(_: &Observation, _: &Asked) -> Answer {
    Answer::file("text/javascript; charset=utf-8", include_str!("page.js"))
}

/// The picture of the page among others: a dot in the colour of the state.
pub(super) fn icon(_: &Observation, asked: &Asked) -> Answer {
    let icon = match &*asked.rest {
        "well.svg" => include_str!("well.svg"),
        "warned.svg" => include_str!("warned.svg"),
        "bad.svg" => include_str!("bad.svg"),
        _ => return Answer::text(StatusCode::NOT_FOUND, "there is no such picture\n"),
    };
    Answer::file("image/svg+xml", icon)
}

/// How all is, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mood {
    /// There is nothing to do.
    Well,
    /// Something is to be looked at, and all zones are ready.
    Warned,
    /// A zone is not ready.
    Bad,
}

impl Mood {
    fn of(status: &Status) -> Self {
        match () {
            () if !status.zones.iter().all(|zone| zone.ready) => Self::Bad,
            () if !status.is_well() => Self::Warned,
            () => Self::Well,
        }
    }

    /// The word, as the style and the pictures have it.
    fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Warned => "warned",
            Self::Bad => "bad",
        }
    }
}

/// A whole page.
struct Document<'d> {
    title: &'d str,
    mood: Mood,
    /// What has changed comes by itself.
    is_live: bool,
    /// It is for everybody, and leads nowhere but to pages that are.
    is_public: bool,
    /// What was looked up.
    key: &'d str,
    content: Markup,
}

impl Document<'_> {
    fn markup(&self) -> Markup {
        let Self { title, mood, is_live, is_public, key, content } = self;
        let (home, lookup) = if *is_public { ("/k", "/k") } else { ("/", "/lookup") };
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { (title) " - dnsbld" }
                    link rel="icon" href={ "/icon/" (mood.word()) ".svg" };
                    link rel="stylesheet" href="/page.css";
                    @if *is_live { script src="/page.js" defer {} }
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    header {
                        a.home href=(home) { "dnsbld" }
                        form action=(lookup) method="get" role="search" {
                            label.hidden for="key" { "Address or name" }
                            input #key name="key" type="search" value=(key) required maxlength="255"
                                placeholder="Address or name" autocomplete="off" autocapitalize="none"
                                spellcheck="false";
                            button { "Look up" }
                        }
                    }
                    p.lost role="alert" { "The server does not answer; what is shown is old." }
                    main #content tabindex="-1" { (content) }
                }
            }
        }
    }
}
