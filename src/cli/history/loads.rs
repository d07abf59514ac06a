//! What the loads of a dataset did.

use super::time;
use crate::explain::past::rfc3339;
use crate::history::{History, LoadEntry, LoadHead, RefusedEntry};
use crate::util::text::counted;
use anyhow::Context as _;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// The loads and refusals of a dataset, the newest `limit` up to a time, and the exit code.
pub(super) fn tell(
    state_dir: &Path,
    dataset: &str,
    at: Option<u64>,
    limit: usize,
    as_json: bool,
) -> anyhow::Result<(String, u8)> {
    let history = History::read(state_dir, dataset)
        .with_context(|| format!("the history of dataset {dataset} cannot be read"))?;
    let mut loads = history.loads();
    loads.retain(|load| load_time(load) <= at.unwrap_or(u64::MAX));
    let limit = if limit == 0 { usize::MAX } else { limit };
    let older = loads.len().saturating_sub(limit);
    let newest = &loads[older..];
    let text = if as_json {
        let loads: Vec<_> = newest.iter().map(json_of).collect();
        let report = json!({"schema": 1, "dataset": dataset, "older": older, "loads": loads});
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        text_of(dataset, newest, older)
    };
    Ok((text, u8::from(newest.is_empty())))
}

fn load_time(load: &LoadEntry) -> u64 {
    match load {
        LoadEntry::Accepted(head) => head.time,
        LoadEntry::Refused(entry) => entry.time,
    }
}

fn text_of(dataset: &str, loads: &[LoadEntry], older: usize) -> String {
    let mut out = format!("dataset {dataset} (times in UTC)\n");
    if older > 0 {
        let older = counted(older as u64, "older load", "older loads");
        let _ = writeln!(out, "  ... {older}; --limit 0 prints all");
    }
    for load in loads {
        let line = match load {
            LoadEntry::Refused(RefusedEntry { time, file, cause }) => {
                format!("{}  refused   {file}: {cause}", super::time(*time))
            }
            LoadEntry::Accepted(head) => {
                let LoadHead { entries, size, tally, is_whole, .. } = head;
                let entries = counted(*entries, "entry", "entries");
                let change = match is_whole {
                    true => format!("{} keys, all that was listed", tally.added),
                    false => format!("+{} -{} ~{}", tally.added, tally.removed, tally.changed),
                };
                format!("{}  loaded    {entries}, {size} bytes: {change}", time(head.time))
            }
        };
        let _ = writeln!(out, "  {line}");
    }
    if loads.is_empty() {
        let _ = writeln!(out, "  no load is known");
    }
    out
}

fn json_of(load: &LoadEntry) -> Value {
    match load {
        LoadEntry::Refused(RefusedEntry { time, file, cause }) => {
            json!({"time": rfc3339(*time), "what": "refused", "file": file, "cause": cause})
        }
        LoadEntry::Accepted(head) => json!({
            "time": rfc3339(head.time),
            "what": "loaded",
            "entries": head.entries,
            "size": head.size,
            "whole": head.is_whole,
            "added": head.tally.added.to_string(),
            "removed": head.tally.removed.to_string(),
            "changed": head.tally.changed.to_string(),
        }),
    }
}
