//! Files that a sibling has accepted and hands out, packed, with a manifest (`state::accepted`): they are
//! unpacked as they were published there.

use super::outcome::NotFetched;
use super::places::Places;
use crate::config::{Feed, HandedList};
use crate::snapshot::folder::file_name;
use crate::source::{Limits, SourceFile, read};
use crate::state::accepted::{Kept, read_folder};
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use xxhash_rust::xxh3::Xxh3Default;

/// Unpacks the files that are not published already into the folder of new files. A feed from a publisher has
/// none.
///
/// # Errors
///
/// If what came is not what the manifest of each dataset says, or not what the settings want.
pub(super) fn unpack(feed: &Feed, places: &Places) -> Result<(), NotFetched> {
    for list in &feed.handed {
        let folder = places.packed.join(file_name(&list.dataset));
        let kept = read_folder(&folder, &list.dataset).ok_or_else(|| {
            NotFetched::failed(
                format!("{} has nothing to hand out of dataset {}", feed.source.host, list.dataset),
                "see `dnsbld status` there: it keeps the text of lists of up to 32 MiB; larger ones go as \
                 snapshots (docs/fan-out.md)",
            )
        })?;
        check(feed, list, &kept)?;
        for (source, copy) in &kept.files {
            let Some(name) = source.path.file_name() else { continue };
            if has_bytes(&places.published.join(name), source) {
                continue;
            }
            let target = places.incoming.join(name);
            let is_whole = unpack_file(source, copy, &target, feed.limits.max_size);
            let is_whole = is_whole.map_err(|error| {
                NotFetched::failed(
                    format!("cannot unpack a file of dataset {}: {error}", list.dataset),
                    "see to mirror.dir",
                )
            })?;
            if !is_whole {
                return Err(NotFetched::failed(
                    format!("a file of dataset {} is not the one in its manifest", list.dataset),
                    "nothing, if it is rare: the sibling accepted another version meanwhile",
                ));
            }
        }
    }
    Ok(())
}

/// Checks that the sibling has the files of the list that the settings want, which are all that is published.
fn check(feed: &Feed, list: &HandedList, kept: &Kept) -> Result<(), NotFetched> {
    let names = kept.files.iter().map(|(source, _)| source.path.file_name());
    let names: Option<Vec<_>> = names.map(|name| name?.to_str()).collect();
    let mut names = names.unwrap_or_default();
    let mut wanted: Vec<&str> = list.files.iter().map(String::as_str).collect();
    names.sort_unstable();
    wanted.sort_unstable();
    if names != wanted {
        return Err(NotFetched::failed(
            format!(
                "{} has the files {names:?} in dataset {}, not {wanted:?}",
                feed.source.host, list.dataset
            ),
            "set the files of the feed as they are there",
        ));
    }
    Ok(())
}

/// Whether a file has the bytes and the time of one that was accepted.
fn has_bytes(file: &Path, source: &SourceFile) -> bool {
    let there = read(file, &unbounded(u64::MAX), &mut |_| Ok::<(), Infallible>(()));
    there.is_ok_and(|there| {
        there.hash == source.report.hash
            && there.identity.modified.seconds == source.report.identity.modified.seconds
    })
}

/// Unpacks one file; false if it does not have the bytes that were accepted.
fn unpack_file(source: &SourceFile, copy: &Path, target: &PathBuf, most: u64) -> io::Result<bool> {
    let file = File::create(target)?;
    let mut out = io::BufWriter::new(&file);
    let mut hash = Xxh3Default::new();
    // Files that were packed when they were accepted are handed out as they are.
    let is_packed = source.report.compressed;
    let mut take = |chunk: &[u8]| {
        hash.update(chunk);
        if is_packed { Ok(()) } else { out.write_all(chunk) }
    };
    let Ok(report) = read(copy, &unbounded(most), &mut take) else { return Ok(false) };
    out.flush()?;
    let unpacked = hash.digest128();
    if is_packed {
        io::copy(&mut File::open(copy)?, &mut &file)?;
    }
    file.set_modified(modified(source))?;
    Ok(source.report.hash == if is_packed { report.hash } else { unpacked })
}

/// As it was there: the serial and the age of the data depend on it.
fn modified(source: &SourceFile) -> SystemTime {
    let time = source.report.identity.modified;
    let nanoseconds = u32::try_from(time.nanoseconds).unwrap_or(0);
    let since = u64::try_from(time.seconds).unwrap_or(0);
    UNIX_EPOCH + Duration::new(since, nanoseconds.min(999_999_999))
}

/// What a sibling has accepted may unpack to any size that the feed may have.
fn unbounded(most: u64) -> Limits {
    Limits { content: most, expansion: u64::MAX, ..Limits::default() }
}
