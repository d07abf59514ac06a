//! The presets, for people.

use crate::config::{IntervalOrigin, PRESETS, Preset};
use crate::util::time::write_duration;
use std::fmt::Write as _;

/// All presets: what each fetches and serves, and where the facts come from.
pub fn presets() -> String {
    let mut text = String::new();
    for preset in PRESETS {
        let rows = [
            (
                "source",
                preset.source.unwrap_or("none is known: set source, as `needs` says").to_owned(),
            ),
            ("needs", preset.needs.unwrap_or("nothing").to_owned()),
            ("interval", interval(preset)),
            ("facts", preset.facts.join(" ")),
        ];
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}\n    {}", preset.name, preset.about);
        for list in preset.lists {
            let (zone, kind, file) = (list.zone, list.kind, list.file);
            let _ = writeln!(text, "    {:<9} {zone}: {}, {kind}, {file}", "zone", list.dataset);
        }
        for (name, value) in rows {
            let _ = writeln!(text, "    {name:<9} {value}");
        }
    }
    text
}

fn interval(preset: &Preset) -> String {
    let [usual, least] =
        [preset.interval, preset.min_interval].map(|time| write_duration(time.as_secs()));
    let origin = match preset.interval_origin {
        IntervalOrigin::Operator => "the publisher says so",
        IntervalOrigin::Example => "as in the publisher's examples of a crontab",
        IntervalOrigin::Choice => "our choice: the publisher says nothing",
    };
    format!("{usual}, at the least {least} ({origin})")
}
