//! The lines of the screen, for any size, and of a block where there is none.

use super::super::sample::{rate, scaled};
use super::view::{Section, Sort, View};
use crate::stats::report::ZoneStats;
use crate::stats::top::{TopClient, TopKey, TopMisconfigured};
use crate::status::{Severity, Status};
use crate::util::text::{age, counted, table};
use std::fmt::Write as _;
use std::time::Duration;

/// The rows of each section in a block.
const ROWS_OF_BLOCK: usize = 10;

/// The keys.
const KEYS: [&str; 9] = [
    "q, ctrl-c       quit",
    "tab, right      the next section alone; behind the last, all of them",
    "shift-tab, left the section before",
    "esc             all sections",
    "up, down, page up, page down, home   other rows of the section",
    "s               another order of the zones",
    "p               pause",
    "",
    "any key         back",
];

/// A line and how it looks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) look: Look,
}

/// How a line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Look {
    Plain,
    /// The head of a table.
    Head,
    /// Something is wrong.
    Alarm,
}

impl Line {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), look: Look::Plain }
    }

    fn alarm(text: impl Into<String>) -> Self {
        Self { text: text.into(), look: Look::Alarm }
    }
}

/// The screen: as many lines as it has, none longer than it is wide.
pub(super) fn screen(view: &View, width: usize, height: usize) -> Vec<Line> {
    let mut lines = header(view);
    let keys = format!(
        "q quit  tab section  s order ({})  p {}  ? keys",
        view.sort.word(),
        if view.is_paused { "go on" } else { "pause" }
    );
    let room = height.saturating_sub(lines.len() + 1);
    if view.shows_keys {
        lines.extend(KEYS.iter().map(|key| Line::plain(*key)));
    } else if let Some(section) = view.section {
        let rows = rows(view, section);
        let (head, rows) = rows.split_at(rows.len().min(1));
        // The last rows stay on the screen.
        let first = view.scroll.min(rows.len().saturating_sub(room.saturating_sub(head.len())));
        lines.extend(head.iter().chain(&rows[first..]).cloned());
    } else {
        let sections: Vec<_> = Section::ALL.iter().map(|section| rows(view, *section)).collect();
        let wanted: Vec<_> = sections.iter().map(Vec::len).collect();
        for (rows, share) in sections.into_iter().zip(shares(room, &wanted)) {
            lines.extend(rows.into_iter().take(share));
        }
    }
    lines.truncate(height.saturating_sub(1));
    lines.resize(height.saturating_sub(1), Line::plain(""));
    lines.push(Line::plain(keys));
    lines.truncate(height);
    for line in &mut lines {
        line.text = line.text.chars().take(width).map(shown).collect();
    }
    lines
}

/// The same as lines of text, with an empty one behind it.
pub(super) fn block(view: &View) -> String {
    let sections = Section::ALL.iter().map(|section| rows(view, *section));
    let rows = sections.flat_map(|rows| rows.into_iter().take(1 + ROWS_OF_BLOCK));
    let lines = header(view).into_iter().chain(rows);
    let text = |line: Line| line.text.chars().map(shown).chain(['\n']).collect::<String>();
    lines.map(text).chain(["\n".to_owned()]).collect()
}

/// What a terminal may be told: names and texts come from elsewhere.
fn shown(c: char) -> char {
    if c.is_control() { '?' } else { c }
}

/// Deals `room` out to those who want so much: all get the same, unless they want less. A head without a row is
/// of no use.
fn shares(room: usize, wanted: &[usize]) -> Vec<usize> {
    let mut shares = vec![0; wanted.len()];
    let mut left = room;
    loop {
        let hungry = (0..wanted.len()).filter(|&at| shares[at] < wanted[at]);
        let Some(next) = hungry.min_by_key(|&at| shares[at]) else { break };
        let step = if shares[next] == 0 { 2.min(wanted[next]) } else { 1 };
        if step > left {
            break;
        }
        shares[next] += step;
        left -= step;
    }
    shares
}

fn header(view: &View) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(status) = &view.status {
        lines.push(Line::plain(title(view, status)));
        lines.push(Line::plain(rates(view, status)));
        lines.push(health(status));
    } else if view.fault.is_none() {
        lines.push(Line::plain("asking the server"));
    }
    if let Some(fault) = &view.fault {
        lines.push(Line::alarm(fault.as_str()));
    }
    lines.push(Line::plain(""));
    lines
}

fn title(view: &View, status: &Status) -> String {
    let up = u64::try_from(status.time.0 - status.server.since.0).unwrap_or(0);
    let loading = if status.server.loading { ", reading files" } else { "" };
    let paused = if view.is_paused { ", PAUSED" } else { "" };
    format!(
        "dnsbld {}, up {}, {}{loading}{paused}",
        status.server.version,
        age(Duration::from_secs(up)),
        status.time
    )
}

fn rates(view: &View, status: &Status) -> String {
    let zones = &view.sample.now.zones;
    let sum = |count: fn(&ZoneStats) -> u64| -> f64 {
        zones.iter().map(|zone| view.sample.rate(zone, count)).sum()
    };
    let mut out = format!(
        "{} queries/s, {} listed/s, {} unanswered/s, in {}/s, out {}/s",
        rate(sum(|zone| zone.queries)),
        rate(sum(|zone| zone.listed)),
        rate(sum(|zone| zone.dropped)),
        scaled(sum(|zone| zone.bytes_in)),
        scaled(sum(|zone| zone.bytes_out))
    );
    for connections in &status.server.connections {
        let _ =
            write!(out, ", {} {}/{}", connections.protocol, connections.open, connections.limit);
    }
    out
}

fn health(status: &Status) -> Line {
    let zones = status.zones.iter().filter(|zone| !zone.ready).count() as u64;
    let datasets = status.datasets.iter().filter(|set| !set.is_well()).count() as u64;
    let certificates = &status.server.certificates;
    let certificates = certificates.iter().filter(|it| !it.is_well(status.time)).count() as u64;
    let feeds = status.feeds.iter().filter(|feed| !feed.is_well()).count() as u64;
    let wrong: Vec<_> = [
        (zones, "zone is not ready", "zones are not ready"),
        (datasets, "dataset is not as it should be", "datasets are not as they should be"),
        (feeds, "feed is not fetched as it should be", "feeds are not fetched as they should be"),
        (certificates, "certificate expires soon", "certificates expire soon"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| counted(count, one, many))
    .collect();
    match &wrong[..] {
        [] => Line::plain("all zones are ready, and all datasets are as they should be"),
        wrong => Line::alarm(format!("{}: see `dnsbld status`", wrong.join(", "))),
    }
}

/// The head and the rows of a section; none if it has nothing to say.
fn rows(view: &View, section: Section) -> Vec<Line> {
    let top = &view.sample.now.top;
    let Some(status) = &view.status else { return Vec::new() };
    match section {
        Section::Zones => zones(view, status),
        Section::Listed => keys("listed", &top.listed),
        Section::Unlisted => keys("not listed", &top.unlisted),
        Section::Clients => clients(&top.clients),
        Section::Misconfigured => misconfigured(&top.misconfigured),
        Section::Datasets => datasets(status),
        Section::Events => events(status),
    }
}

/// A table as lines, of which some are alarms.
fn lines<const N: usize>(
    head: [&str; N],
    rows: Vec<[String; N]>,
    words: usize,
    is_alarm: impl Fn(usize) -> bool,
) -> Vec<Line> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut text = String::new();
    table(&mut text, head.map(str::to_owned), rows, words);
    let look = |row: usize| match row.checked_sub(1) {
        None => Look::Head,
        Some(row) if is_alarm(row) => Look::Alarm,
        Some(_) => Look::Plain,
    };
    let line = |(row, text): (usize, &str)| Line { text: text.to_owned(), look: look(row) };
    text.lines().enumerate().map(line).collect()
}

fn zones(view: &View, status: &Status) -> Vec<Line> {
    let state = |zone: &ZoneStats| {
        let named = status.zones.iter().find(|other| Some(&other.name) == zone.name.as_ref());
        named.map(|zone| (zone.ready, zone.state.word()))
    };
    let mut zones: Vec<_> = view.sample.now.zones.iter().collect();
    let (sample, order) = (&view.sample, |one: f64, other: f64| other.total_cmp(&one));
    zones.sort_by(|one, other| match view.sort {
        Sort::Queries => order(sample.rates(one).0, sample.rates(other).0),
        Sort::Listed => order(sample.rates(one).1, sample.rates(other).1),
        Sort::Total => other.queries.cmp(&one.queries),
        // What belongs to no zone comes last.
        Sort::Name => (one.name.is_none(), &one.name).cmp(&(other.name.is_none(), &other.name)),
    });
    let row = |zone: &&ZoneStats| {
        let (queries, listed) = sample.rates(zone);
        let share = zone.listed as f64 * 100.0 / zone.queries.max(1) as f64;
        [
            zone.name.clone().unwrap_or_else(|| "(no zone)".to_owned()),
            state(zone).map_or("-", |(_, word)| word).to_owned(),
            rate(queries),
            rate(listed),
            zone.queries.to_string(),
            format!("{share:.1} %"),
        ]
    };
    let head = ["zone", "state", "queries/s", "listed/s", "queries", "listed"];
    let rows = zones.iter().map(row).collect();
    lines(head, rows, 2, |row| zones.get(row).and_then(|zone| state(zone)).is_some_and(|it| !it.0))
}

fn keys(title: &str, keys: &[TopKey]) -> Vec<Line> {
    let row = |key: &TopKey| {
        let text = if key.key.is_empty() { "(the zone itself)" } else { &key.key };
        let zone = key.zone.as_deref().unwrap_or("(no zone)");
        [text.to_owned(), zone.to_owned(), rate(key.per_second), percent(key.share)]
    };
    lines([title, "zone", "queries/s", "share"], keys.iter().map(row).collect(), 2, |_| false)
}

fn clients(clients: &[TopClient]) -> Vec<Line> {
    let row = |it: &TopClient| [it.client.clone(), rate(it.per_second), percent(it.share)];
    lines(["client", "queries/s", "share"], clients.iter().map(row).collect(), 1, |_| false)
}

fn misconfigured(clients: &[TopMisconfigured]) -> Vec<Line> {
    let row = |it: &TopMisconfigured| {
        let (client, fault, example) = (it.client.clone(), it.fault.clone(), it.example.clone());
        [client, fault, example, rate(it.per_second), percent(it.share)]
    };
    let head = ["asks wrongly", "fault", "such as", "queries/s", "share"];
    lines(head, clients.iter().map(row).collect(), 3, |_| false)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn datasets(status: &Status) -> Vec<Line> {
    let row = |set: &crate::status::DatasetStatus| {
        let entries = set.entries.map_or_else(|| "-".to_owned(), |entries| entries.to_string());
        let accepted = set.accepted.map_or_else(
            || "-".to_owned(),
            |accepted| {
                let seconds = u64::try_from(status.time.0 - accepted.0).unwrap_or(0);
                format!("{} ago", age(Duration::from_secs(seconds)))
            },
        );
        [set.name.clone(), set.state.clone(), entries, accepted]
    };
    let head = ["dataset", "state", "entries", "accepted"];
    let rows = status.datasets.iter().map(row).collect();
    lines(head, rows, 2, |row| status.datasets.get(row).is_some_and(|set| !set.is_well()))
}

/// The newest first: there may be room for a few alone.
fn events(status: &Status) -> Vec<Line> {
    if status.events.is_empty() {
        return Vec::new();
    }
    let line = |event: &crate::status::EventStatus| match event.severity {
        Severity::Error => Line::alarm(event.to_string()),
        _ => Line::plain(event.to_string()),
    };
    let head = Line { text: "events, the newest first".to_owned(), look: Look::Head };
    std::iter::once(head).chain(status.events.iter().rev().map(line)).collect()
}

#[cfg(test)]
mod tests;
