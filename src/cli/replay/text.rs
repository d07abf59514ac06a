//! The report of a replay as a text.

use super::{Overlap, Report};
use crate::replay::ClientTally;
use crate::util::text::{counted, table};
use std::fmt::Write as _;

/// The most lists between which the matrix tells what they have in common.
const MATRIX: usize = 12;

pub(super) fn of(report: &Report) -> String {
    let mut out = head(report);
    if report.addresses == 0 {
        return out;
    }
    lists(&mut out, report);
    matrix(&mut out, report);
    outcomes(&mut out, report);
    earlier(&mut out, report);
    out
}

fn head(report: &Report) -> String {
    let formats = report.formats.iter().map(|it| format!("{} {}", it.format, it.lines));
    let formats: Vec<_> = formats.collect();
    let with_client: u64 = report.formats.iter().map(|it| it.lines).sum();
    let mut out =
        format!("{}, {with_client} with a client", counted(report.lines, "line", "lines"));
    if !formats.is_empty() {
        let _ = write!(out, " ({})", formats.join(", "));
    }
    let _ = write!(
        out,
        "\n{}, {}",
        counted(report.addresses, "address", "addresses"),
        counted(report.connections, "connection", "connections")
    );
    if let (Some(first), Some(last)) = (report.first, report.last) {
        let _ = write!(out, ", from {first} to {last}");
    }
    out.push('\n');
    if report.is_cut {
        out.push_str("further addresses were not counted; split the log\n");
    }
    out
}

fn lists(out: &mut String, report: &Report) {
    let head = ["", "list", "addresses", "connections", "", "only there", "let in by allow lists"];
    let rows = (1..).zip(&report.lists).map(|(number, it)| {
        let mut name = it.list.clone();
        for (is, word) in [(it.is_allow_list, "allows"), (it.is_incomplete, "lacks data")] {
            if is {
                let _ = write!(name, " ({word})");
            }
        }
        [
            number.to_string(),
            name,
            it.listed.addresses.to_string(),
            it.listed.connections.to_string(),
            share(it.listed.connections, report.connections),
            it.only_there.addresses.to_string(),
            it.allowed.addresses.to_string(),
        ]
    });
    out.push('\n');
    table(out, head.map(str::to_owned), rows.collect(), 2);
}

/// How many addresses any two of the first lists have in common.
fn matrix(out: &mut String, report: &Report) {
    let shown = report.lists.iter().take(MATRIX).filter(|it| it.listed.addresses > 0).count();
    if shown < 2 {
        return;
    }
    let common = |one: usize, other: usize| {
        let names = [&report.lists[one].list, &report.lists[other].list];
        let is_it = |it: &&Overlap| it.lists.iter().eq(names);
        report.overlap.iter().find(is_it).map_or(0, |it| it.addresses)
    };
    let _ = writeln!(out, "\naddresses on both lists:");
    let width = report.addresses.to_string().len().max(4);
    let _ = write!(out, "{:>4}", "");
    for column in 1..=shown {
        let _ = write!(out, " {column:>width$}");
    }
    out.push('\n');
    for row in 0..shown {
        let _ = write!(out, "{:>4}", row + 1);
        for column in 0..shown {
            let count = match row.cmp(&column) {
                std::cmp::Ordering::Equal => report.lists[row].listed.addresses,
                _ => common(row.min(column), row.max(column)),
            };
            let _ = write!(out, " {count:>width$}");
        }
        out.push('\n');
    }
}

fn outcomes(out: &mut String, report: &Report) {
    let by = match report.rejecting.is_empty() {
        true => "no list".to_owned(),
        false => report.rejecting.join(", "),
    };
    let _ = writeln!(out, "\nrejected by any of {by}:\n  {}", tally(report.rejected, report));
    for it in &report.outcomes {
        let _ = writeln!(
            out,
            "{}:\n  {}\n  more: {}; no more: {}",
            it.by,
            tally(it.rejected, report),
            tally(it.new, report),
            tally(it.no_more, report)
        );
    }
}

/// When lists had the clients, beside the time at which each came first.
fn earlier(out: &mut String, report: &Report) {
    if report.earlier.is_empty() {
        return;
    }
    let head = ["list", "had before", "median", "had later", "median", "had first"];
    let hours = |addresses: u64, hours: f64| match addresses {
        0 => "-".to_owned(),
        _ => format!("{hours:.1} h"),
    };
    let rows = report.earlier.iter().map(|it| {
        let more = if it.or_earlier > 0 { " or more" } else { "" };
        [
            it.list.clone(),
            it.before.addresses.to_string(),
            hours(it.before.addresses, it.before.median_hours) + more,
            it.after.addresses.to_string(),
            hours(it.after.addresses, it.after.median_hours),
            it.first.to_string(),
        ]
    });
    out.push_str("\naddresses beside their first connection, by the history:\n");
    table(out, head.map(str::to_owned), rows.collect(), 1);
}

fn tally(tally: ClientTally, report: &Report) -> String {
    format!(
        "{}, {} ({})",
        counted(tally.addresses, "address", "addresses"),
        counted(tally.connections, "connection", "connections"),
        share(tally.connections, report.connections)
    )
}

fn share(part: u64, whole: u64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / whole.max(1) as f64)
}
