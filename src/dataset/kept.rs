//! The text that was accepted last, in place of files that hold something else: for datasets that have no
//! snapshot which could be used.

use super::cached;
use super::content_id;
use super::convert;
use super::task::{Built, Task};
use super::unchanged::unchanged;
use crate::config;
use crate::guard::Facts;
use crate::snapshot;
use crate::source::{Limits, SourceFile, read};
use crate::state::accepted::{self, Kept};
use crate::state::record::{self, DatasetRecord};
use crate::zonefile::{Diagnostics, Parser};
use std::path::Path;
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3Default;

/// The last good data of a dataset, built of the text that was kept of it; `None` if its files still hold that,
/// if there is none, or none by the rules of now.
pub(super) fn find(task: &Task, now: u64) -> Option<Box<Built>> {
    let (kept, spec) = kept(task)?;
    let sources: Vec<SourceFile> = kept.files.iter().map(|(source, _)| source.clone()).collect();
    let is_read_alike = spec.kind == task.spec.kind;
    let is_there = is_read_alike && unchanged(task, &sources, false).is_some();
    if is_there { None } else { build(task, kept, &spec, now) }
}

/// Like [`find`], whatever the files hold now.
pub(super) fn any(task: &Task, now: u64) -> Option<Box<Built>> {
    let (kept, spec) = kept(task)?;
    build(task, kept, &spec, now)
}

/// The text that was kept of these very files, and the settings with the type that it was accepted as. Nobody has
/// judged what comes of it in another form or type.
fn kept(task: &Task) -> Option<(Kept, config::Dataset)> {
    let kept = accepted::find(task.server.state_dir.as_deref()?, &task.spec.name)?;
    let kind = kept.kind.unwrap_or(task.spec.kind);
    let spec = config::Dataset { kind, ..(*task.spec).clone() };
    let record = DatasetRecord::read(&task.folder()?, &task.spec.name).ok().flatten();
    let is_of_now = record.is_none_or(|record| record.origin == record::origin(&spec))
        // A list is no access list.
        && kind.is_access_list() == task.spec.kind.is_access_list()
        && kept.files.iter().map(|(source, _)| &source.path).eq(&task.spec.files);
    is_of_now.then_some((kept, spec))
}

fn build(task: &Task, kept: Kept, spec: &config::Dataset, now: u64) -> Option<Box<Built>> {
    let start = Instant::now();
    let (sources, copies): (Vec<_>, Vec<_>) = kept.files.into_iter().unzip();
    let mut parser = Parser::new(spec.kind, convert::options(spec, &task.server, now));
    for (source, copy) in sources.iter().zip(&copies) {
        parser.start_file();
        parse(task, source, copy, &mut parser)?;
        parser.end_file().ok()?;
    }
    let parsed = parser.finish();
    let (stamp, stated, counts) = (parsed.stamp, parsed.stated, parsed.counts);
    let (dataset, _) = convert::dataset(spec, &task.server, parsed, 1);
    let rules = cached::rules(spec, &task.server);
    Some(Box::new(Built {
        facts: Facts::of(spec, &dataset, &sources, stamp, stated),
        content_id: content_id::of(&dataset, spec, &rules, &sources),
        dataset,
        sources,
        rules,
        diagnostics: Diagnostics::default(),
        counts,
        change: None,
        is_cached: false,
        since: Some(kept.since),
        took: start.elapsed(),
    }))
}

/// Parses the copy of a file, if its bytes are those that were accepted.
fn parse(task: &Task, source: &SourceFile, copy: &Path, parser: &mut Parser) -> Option<()> {
    let limits = Limits { expansion: u64::MAX, ..Limits::default() };
    let mut hash = Xxh3Default::new();
    let mut take = |chunk: &[u8]| {
        task.go_on()?;
        if snapshot::is_snapshot(chunk) {
            return Err("is a snapshot".to_owned());
        }
        hash.update(chunk);
        parser.feed(chunk).map_err(|_| "is rejected".to_owned())
    };
    let report = read(copy, &limits, &mut take).ok()?;
    // Packed files are copied as they are.
    let hash = if source.report.compressed { report.hash } else { hash.digest128() };
    (hash == source.report.hash).then_some(())
}
