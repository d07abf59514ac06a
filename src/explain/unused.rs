//! Allow entries that let nobody in.

use super::check::{DatasetFacts, served_files, whole};
use super::covering::{ListFile, shown, shown_line};
use super::overrides::{Sender, listing_entries};
use crate::config::{self, Settings};
use crate::dataset::parse_options;
use crate::source::{Limits, read};
use crate::state::overrides::OverrideKey;
use crate::util::time::unix_time;
use crate::zonefile::{Parser, Sighting, Wanted};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// The entries of an allow list that let nobody in.
#[derive(Debug, Serialize)]
pub(crate) struct UnusedAllow {
    /// The allow list.
    pub(crate) allow: String,
    /// How many entries it has.
    pub(crate) entries: u64,
    /// Those that let nobody in, in the order of the files.
    pub(crate) unused: Vec<UnusedEntry>,
    /// Why the files could not be read to their end.
    pub(crate) problem: Option<String>,
}

/// An entry that let nobody in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct UnusedEntry {
    /// The file.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: u32,
    /// The line itself; a long one is cut.
    pub(crate) text: String,
    /// What it is about.
    pub(crate) entry: String,
}

/// What the entries of all allow lists are that let in none of these senders. `facts` says what is known of a
/// dataset.
pub(crate) fn unused(
    settings: &Settings,
    senders: &[OverrideKey],
    facts: impl Fn(&str) -> DatasetFacts,
) -> Vec<UnusedAllow> {
    let mut let_in: BTreeMap<&str, BTreeSet<Sender<'_>>> = BTreeMap::new();
    for key in senders {
        if let Some(set) = whole(settings, &key.allow) {
            let_in.entry(&set.name).or_default().insert((key.sort, &key.sender));
        }
    }
    let used = listing_entries(settings, &let_in, &facts);
    let allows = settings.datasets.iter().filter(|set| set.usage.allows);
    allows
        .map(|spec| {
            let of_set = used.iter().filter(|((name, _), _)| *name == spec.name);
            let lines: BTreeSet<_> =
                of_set.map(|(_, entry)| (entry.file.as_str(), entry.line)).collect();
            of_list(settings, spec, &facts(&spec.name), &lines)
        })
        .collect()
}

/// The entries of a list that stand in other lines than these.
fn of_list(
    settings: &Settings,
    spec: &config::Dataset,
    facts: &DatasetFacts,
    used: &BTreeSet<(&str, u32)>,
) -> UnusedAllow {
    let mut report =
        UnusedAllow { allow: spec.name.clone(), entries: 0, unused: Vec::new(), problem: None };
    let Some(files) = served_files(settings.server.state_dir.as_deref(), spec, &facts.files) else {
        report.problem = Some("the text of what is served is not at hand".to_owned());
        return report;
    };
    let found = Mutex::new(Vec::new());
    let find = |sighting: Sighting<'_>| {
        if !sighting.is_excluded {
            let place = (usize::from(sighting.place.file), sighting.place.line);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.push((place, shown(sighting.key)));
        }
    };
    let options = parse_options(spec, &settings.server, unix_time());
    let mut parser = Parser::searching(spec.kind, options, Wanted::all(), Box::new(find));
    let limits =
        Limits { decompress: settings.server.decompress, expansion: u64::MAX, ..Limits::default() };
    for file in &files {
        parser.start_file();
        let mut feed = |chunk: &[u8]| parser.feed(chunk).map_err(|fatal| fatal.to_string());
        let done = read(&file.text, &limits, &mut feed);
        let done = done.map_err(|problem| problem.cause.to_string());
        let ended = parser.end_file().map_err(|fatal| fatal.to_string());
        if let Err(cause) = done.map(drop).and(ended) {
            report.problem = Some(format!("{}: {cause}", file.path.display()));
            break;
        }
    }
    drop(parser);
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.entries = found.len() as u64;
    for ((number, line), entry) in found {
        let Some(file) = files.get(number) else { continue };
        let file = file.path.display().to_string();
        if !used.contains(&(file.as_str(), line)) {
            report.unused.push(UnusedEntry { file, line, text: String::new(), entry });
        }
    }
    for file in &files {
        add_texts(file, &limits, &mut report.unused);
    }
    report
}

/// Reads the lines of those entries that stand in this file.
fn add_texts(file: &ListFile, limits: &Limits, entries: &mut [UnusedEntry]) {
    let name = file.path.display().to_string();
    let mut texts: BTreeMap<u32, String> =
        entries.iter().filter(|it| it.file == name).map(|it| (it.line, String::new())).collect();
    let (mut number, mut line) = (1, Vec::new());
    let mut end_line = |line: &mut Vec<u8>| {
        if let Some(text) = texts.get_mut(&number) {
            *text = shown_line(line);
        }
        number += 1;
        line.clear();
    };
    let mut take = |chunk: &[u8]| {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                end_line(&mut line);
            }
        }
        Ok::<_, String>(())
    };
    // Why it cannot be read is told already.
    let _ = read(&file.text, limits, &mut take);
    end_line(&mut line);
    for entry in entries.iter_mut().filter(|entry| entry.file == name) {
        entry.text = texts.get(&entry.line).cloned().unwrap_or_default();
    }
}
