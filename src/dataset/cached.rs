//! Snapshots in place of the files that they were made of: when one may be used.

use super::content_id;
use super::task::{Built, Cached, Task};
use super::unchanged::unchanged;
use crate::config;
use crate::event::Event;
use crate::guard;
use crate::snapshot::intake::Intake;
use crate::snapshot::{self, Opened, Origin, RuleDifference, Rules};
use crate::source::{Cause, ReadReport, SourceFile};
use crate::zone::Dataset;
use crate::zonefile::{Counts, Diagnostics, Dialect, FatalCause, Format, HashForm, Stated};
use std::time::Instant;
use tracing::debug;

/// What a dataset was made from.
pub(super) fn origin(
    spec: &config::Dataset,
    server: &config::Server,
    stamp: Option<u64>,
    sources: &[SourceFile],
) -> Origin {
    let name = spec.name.clone();
    Origin { name, rules: rules(spec, server), stamp, sources: sources.to_vec() }
}

/// All settings that decide, beside the files, what comes of a dataset: a new one belongs here, or
/// to those that do not.
pub(super) fn rules(spec: &config::Dataset, server: &config::Server) -> Rules {
    let config::Dataset {
        name: _,
        kind,
        format,
        column,
        hash,
        files: _,
        soa,
        ns,
        ns_ttl,
        ttl,
        default_a,
        default_text,
        allow_any_a,
        accept_empty: _,
        accept_snapshot: _,
        freshness: _,
        hides_empty_non_terminals: _,
        policy,
        guard: _,
        own: _,
        usage: _,
        is_beside_ip4: _,
    } = spec;
    let config::TtlBounds { default, min, max, negative: _ } = &server.ttl;
    let mut rules = Rules::default();
    rules.add("type", kind);
    rules.add(
        "dialect",
        match policy.dialect {
            Dialect::Native => "native",
            Dialect::Rbldnsd => "rbldnsd",
        },
    );
    rules.add("default-ttl", default);
    rules.add("min-ttl", min);
    rules.add("max-ttl", max);
    rules.add("accept-host-bits", server.accept_host_bits);
    rules.add("allow-any-a", allow_any_a);
    if let Some(soa) = soa {
        let config::Soa { mname, rname, serial, refresh, retry, expire, minimum, ttl } = soa;
        let times = format!("{refresh} {retry} {expire} {minimum}");
        rules.add("soa", format!("{mname} {rname} {serial:?} {times} {ttl:?}"));
    }
    if !ns.is_empty() {
        rules.add("ns", ns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    }
    let mut add = |key, value: Option<String>| {
        if let Some(value) = value {
            rules.add(key, value);
        }
    };
    add("format", (*format != Format::Rbldnsd).then(|| format.to_string()));
    add("column", column.as_ref().map(|column| format!("{column:?}")));
    let HashForm { alphabet, digits } = hash;
    add("encoding", alphabet.map(|alphabet| alphabet.to_string()));
    add("length", digits.map(|digits| digits.to_string()));
    add("ns-ttl", ns_ttl.map(|ttl| ttl.to_string()));
    add("ttl", ttl.map(|ttl| ttl.to_string()));
    add("default-a", default_a.map(|a| a.to_string()));
    add("default-text", default_text.as_ref().map(|text| format!("{text:?}")));
    rules
}

/// Lets a snapshot stand for the files of a dataset. If it holds data from the future, it gives its time, in
/// seconds since 1970: the files are refused while that lies in the future, and so must their snapshot be.
fn admit(opened: Opened, task: &Task, now: u64) -> Result<(Dataset, Origin), u64> {
    let Opened { mut dataset, origin, .. } = opened;
    if let Some(stamp) = guard::future(origin.stamp, now) {
        return Err(stamp);
    }
    dataset.name.clone_from(&task.spec.name);
    dataset.hides_empty_non_terminals = task.spec.hides_empty_non_terminals;
    Ok((dataset, origin))
}

/// The snapshot of a dataset in the state folder, if it can stand for the files, and whether these are still
/// the same. What makes it unusable is added to `events`.
pub(super) fn find(task: &Task, now: u64, events: &mut Vec<Event>) -> Option<Cached> {
    let start = Instant::now();
    let dataset_name = || task.spec.name.clone();
    let path = task.folder()?.file(&task.spec.name);
    let opened = match snapshot::open(&path) {
        Ok(opened) => opened,
        Err(error) if error.is_absence() => return None,
        Err(error) => {
            let (dataset, reason) = (dataset_name(), error.to_string());
            events.push(Event::SnapshotUnusable { dataset, file: path, reason });
            return None;
        }
    };
    let id = opened.id;
    let difference = rules(&task.spec, &task.server).difference(&opened.origin.rules);
    if let Some(difference) = &difference {
        let (dataset, difference) = (dataset_name(), difference.clone());
        events.push(Event::SnapshotOfOtherRules { dataset, difference });
    }
    let Ok((dataset, origin)) = admit(opened, task, now) else {
        events.push(Event::SnapshotFromFuture { dataset: dataset_name() });
        return None;
    };
    let is_read_otherwise = difference.is_some();
    // A list is no access list.
    if is_read_otherwise && task.spec.kind.is_access_list() {
        return None;
    }
    // The files hold what they may: they are to be read.
    let now_there = if is_read_otherwise { None } else { unchanged(task, &origin.sources, true) };
    let is_current = now_there.is_some();
    let is_cached = now_there.as_ref() == Some(&origin.sources);
    let sources = now_there.unwrap_or(origin.sources);
    let built = Box::new(Built {
        facts: guard::Facts::of(&task.spec, &dataset, &sources, origin.stamp, Stated::default()),
        content_id: content_id::of_snapshot(id, &task.spec),
        dataset,
        change: None,
        is_cached,
        sources,
        rules: origin.rules,
        diagnostics: Diagnostics::default(),
        counts: Counts::Plain,
        since: std::fs::metadata(&path).and_then(|metadata| metadata.modified()).ok(),
        took: start.elapsed(),
    });
    if is_read_otherwise {
        return built.is_of(&task.spec.files).then_some(Cached::ReadOtherwise(built));
    }
    if !is_current {
        let files = built.sources.iter().map(|source| source.path.clone()).collect();
        events.push(Event::SnapshotOfOtherFiles { dataset: dataset_name(), files });
        return Some(Cached::Former(built));
    }
    events.push(Event::SnapshotMapped { dataset: dataset_name(), id });
    let bad = built.sources.iter().filter(|source| source.bad_lines > 0);
    events.extend(bad.map(|source| Event::SnapshotBadLines {
        dataset: dataset_name(),
        file: source.path.clone(),
        lines: source.bad_lines,
        first: source.first_bad.clone(),
    }));
    Some(Cached::Current(built))
}

/// A dataset whose file is a snapshot, of which a copy was made.
pub(super) fn take_in(
    task: &Task,
    intake: Intake,
    report: ReadReport,
    now: u64,
) -> Result<Built, Cause> {
    let start = Instant::now();
    let [path] = &task.spec.files[..] else {
        return Err(Cause::Snapshot("its dataset has other files beside it".to_owned()));
    };
    let opened = intake.open().map_err(|error| Cause::Snapshot(format!("it {error}")))?;
    let id = opened.id;
    let rules = rules(&task.spec, &task.server);
    if let Some(RuleDifference { rule, ours, theirs }) = rules.difference(&opened.origin.rules) {
        let fault = format!("it was made with {rule} {theirs}, and the dataset has {ours}");
        return Err(Cause::Snapshot(fault));
    }
    let (dataset, origin) = admit(opened, task, now)
        .map_err(|stamp| Cause::Fatal(FatalCause::FutureTimestamp(stamp).to_string()))?;
    debug!("dataset {}: {} is the snapshot {id}", task.spec.name, path.display());
    let source = SourceFile {
        path: path.clone(),
        report,
        entries: origin.entries(),
        bad_lines: origin.sources.iter().map(|source| source.bad_lines).sum(),
        first_bad: origin.sources.iter().find_map(|source| source.first_bad.clone()),
    };
    let sources = vec![source];
    Ok(Built {
        facts: guard::Facts::of(&task.spec, &dataset, &sources, origin.stamp, Stated::default()),
        content_id: content_id::of_snapshot(id, &task.spec),
        dataset,
        sources,
        rules,
        diagnostics: Diagnostics::default(),
        counts: Counts::Plain,
        change: None,
        is_cached: false,
        since: None,
        took: start.elapsed(),
    })
}
