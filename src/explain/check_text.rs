//! The words of `dnsbld check`.

use super::check::{DatasetExplanation, Explanation};
use super::covering::{Covering, CoveringSet};
use super::lookup::{Coverage, KeyVerdict, ZoneLookup, ZoneScore};
use crate::util::text::counted;
use std::fmt::Write as _;

impl Explanation {
    /// For people.
    pub(crate) fn to_text(&self) -> String {
        let mut out = String::new();
        let (listed, others): (Vec<_>, Vec<_>) = self.lookup.zones.iter().partition(|zone| {
            let is_told = matches!(zone.verdict, KeyVerdict::Listed | KeyVerdict::Allowed);
            is_told || zone.verdict == KeyVerdict::NotListed && zone.score.is_some()
        });
        self.head(&mut out, listed.iter().filter(|zone| zone.is_listed()).count());
        for zone in &listed {
            of_zone(&mut out, zone);
        }
        let (silent, unlisted): (Vec<&ZoneLookup>, Vec<_>) =
            others.into_iter().partition(|zone| zone.is_unknown());
        for (what, zones) in [("cannot tell:", silent), ("not listed in:", unlisted)] {
            if !zones.is_empty() {
                let names: Vec<_> = zones.iter().map(|zone| &*zone.zone).collect();
                let _ = writeln!(out, "\n{what} {}", names.join(", "));
            }
        }
        for dataset in &self.datasets {
            of_dataset(&mut out, dataset);
        }
        if !self.remedy.is_empty() {
            out.push_str("\nto let it in now:\n");
            for (number, step) in (1..).zip(&self.remedy) {
                let _ = writeln!(out, "  {number}. {step}");
            }
        }
        out
    }

    fn head(&self, out: &mut String, listed: usize) {
        let all = counted(self.lookup.zones.len() as u64, "zone", "zones");
        let key = &self.lookup.key;
        let _ = match listed {
            0 => write!(out, "{key}: not listed in any of {all}"),
            _ => write!(out, "{key}: listed in {listed} of {all}"),
        };
        if let Some(apex) = &self.lookup.asked_in {
            let _ = write!(out, " (a query name of {apex})");
        }
        if self.from == "files" {
            out.push_str(" (told from the files, without a server)");
        }
        out.push('\n');
    }
}

fn of_zone(out: &mut String, zone: &ZoneLookup) {
    let what = match (zone.is_listed(), &zone.score) {
        (true, _) => "listed".to_owned(),
        (false, Some(_)) => "not listed".to_owned(),
        (false, None) => {
            format!("not listed, because the allow list {} has it", zone.allowed_by.join(", "))
        }
    };
    let by = match zone.listed_by.is_empty() {
        true if zone.score.is_some() => String::new(),
        true => " (no list has it: a test point of RFC 5782, or a record of the zone)".to_owned(),
        false => format!(" (in {})", zone.listed_by.join(", ")),
    };
    let _ = writeln!(out, "\n{}: {what}{by}", zone.zone);
    let a: Vec<_> = zone.addresses.iter().map(ToString::to_string).collect();
    if !a.is_empty() {
        let _ = writeln!(out, "  A    {}", a.join(" "));
    }
    for text in &zone.texts {
        let _ = writeln!(out, "  TXT  \"{}\"", printable(text));
    }
    if let Some(ZoneScore { sum, of, lowest }) = &zone.score {
        let of: Vec<_> = of.iter().map(|(list, weight)| format!("{list} {weight:+}")).collect();
        let _ = writeln!(out, "  sum  {sum}, listed from {lowest} on: {}", of.join(", "));
    }
    if let Some(coverage) = &zone.coverage {
        of_coverage(out, coverage);
    }
}

fn of_coverage(out: &mut String, coverage: &Coverage) {
    let Coverage { listed, of, by, widest, ranges, before, after } = coverage;
    let percent = *listed as f64 / *of as f64 * 100.0;
    let ranges = counted(*ranges, "range", "ranges");
    let _ = writeln!(out, "  {listed} of {of} addresses ({percent:.2} %), in {ranges}");
    if by.len() > 1 {
        for part in by {
            let _ = writeln!(out, "  {}: {} addresses", part.dataset, part.addresses);
        }
    }
    if !widest.is_empty() {
        let _ = writeln!(out, "  widest: {}", widest.join(", "));
    }
    let none = || "none".to_owned();
    let (before, after) = (before.clone().unwrap_or_else(none), after.clone().unwrap_or_else(none));
    let _ = writeln!(out, "  neighbours: before it {before}, behind it {after}");
}

fn of_dataset(out: &mut String, set: &DatasetExplanation) {
    let _ = write!(out, "\ndataset {} ({}): {}", set.dataset, set.kind, set.state);
    for (what, time) in [("made", &set.made), ("accepted", &set.accepted)] {
        if let Some(time) = time {
            let _ = write!(out, ", {what} {time}");
        }
    }
    out.push('\n');
    for (what, zones) in [("lists in", &set.lists_in), ("allows in", &set.allows_in)] {
        if !zones.is_empty() {
            let _ = writeln!(out, "  {what} {}", zones.join(", "));
        }
    }
    if let Some(problem) = &set.problem {
        let _ = writeln!(out, "  problem: {}", printable(problem));
    }
    match (&set.served, &set.on_disk) {
        (Some(served), None) => of_entries(out, served),
        (Some(served), Some(disk)) => {
            out.push_str("  what is served:\n");
            of_entries(out, served);
            out.push_str("  the files on disk, which differ from it:\n");
            of_entries(out, disk);
        }
        (None, disk) => {
            out.push_str(
                "  the text of what is served is not at hand: it is kept in the state folder, of up to 32 MiB, for \
                 the server's user and root\n",
            );
            if let Some(disk) = disk {
                out.push_str("  the files on disk, which differ from what is served:\n");
                of_entries(out, disk);
            }
        }
    }
}

fn of_entries(out: &mut String, set: &CoveringSet) {
    for entry in &set.entries {
        of_entry(out, entry);
    }
    let more = set.total.saturating_sub(set.entries.len() as u64);
    if more > 0 {
        let _ = writeln!(out, "  ... and {} about it", counted(more, "more entry", "more entries"));
    }
    if set.total == 0 {
        out.push_str("  no entry is about it\n");
    }
    if let Some(problem) = &set.problem {
        let _ = writeln!(out, "  not read to the end: {}", printable(problem));
    }
}

fn of_entry(out: &mut String, entry: &Covering) {
    let mark = if entry.decides { "=>" } else { "  " };
    let _ = write!(out, "  {mark} {}:{}: {}", entry.file, entry.line, printable(&entry.text));
    let mut notes = Vec::new();
    if entry.excluded {
        notes.push("an exclusion".to_owned());
    } else if entry.lists() {
        notes.push("it decides".to_owned());
    }
    if let Some(expired) = &entry.expired {
        notes.push(format!("expired on {expired}"));
    }
    if !entry.subzones.is_empty() {
        notes.push(format!("for {}", entry.subzones.join(", ")));
    }
    if let (Some(date), Some(of)) = (&entry.date, entry.date_of) {
        notes.push(match of {
            "ts" => format!("listed since {date}"),
            "timestamp" => format!("list of {date}"),
            _ => format!("file of {date}"),
        });
    }
    let _ = match notes.is_empty() {
        true => writeln!(out),
        false => writeln!(out, "   ({})", notes.join("; ")),
    };
}

/// A text that cannot do anything to a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect()
}
