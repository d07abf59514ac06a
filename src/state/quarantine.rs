//! Refused files, kept aside for people to look at.
//!
//! ```text
//! quarantine/DATASET-ID/TIME-HASH.gz      the file, packed
//! quarantine/DATASET-ID/TIME-HASH.json    why it was refused
//! ```
//!
//! The newest few of each dataset are kept, as far as there is room. Nothing reads them but people and their
//! tools. Who writes here has the lock of the state folder.

use super::packed::{PACKED, entries, make_folder, pack, remove, write_json};
use crate::snapshot::folder::file_name;
use crate::source::{Problem, Version};
use crate::util::time::Utc;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The folder in the state folder.
const NAME: &str = "quarantine";

/// The end of the name of a note.
const NOTE: &str = ".json";

/// What the folder may hold beside the newest file. Sizes are those of packed files, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Of one file, of which only the beginning is kept if it has more.
    pub(super) file: u64,
    /// Of all files of a dataset.
    pub(super) dataset: u64,
    /// Of all datasets.
    pub(super) all: u64,
    /// The most files of a dataset.
    pub(super) files: usize,
}

impl Room {
    /// 32 MiB of a file, 64 MiB and four files of a dataset, 256 MiB of all.
    pub(super) const USUAL: Self =
        Self { file: 32 << 20, dataset: 64 << 20, all: 256 << 20, files: 4 };
}

/// Files of a dataset that were refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RefusedFiles {
    /// The dataset.
    pub(crate) dataset: String,
    /// The files that are not as they are served.
    pub(crate) versions: Vec<Version>,
    /// Why.
    pub(crate) problem: Problem,
    /// The command that has them served all the same, if anybody can ask the server.
    pub(crate) accept: Option<String>,
    /// When, in seconds since 1970.
    pub(crate) time: u64,
}

/// The note beside a refused file.
#[derive(Serialize)]
struct Note<'a> {
    schema: u32,
    dataset: &'a str,
    file: String,
    /// The rule of the guard that refuses it, if it is one.
    rule: Option<&'static str>,
    reason: String,
    /// The first lines or ranges that are wrong.
    shown: &'a [String],
    remedy: String,
    /// In seconds since 1970.
    refused: u64,
    /// In seconds since 1970.
    modified: i64,
    /// The XXH3 128-bit hash of the bytes.
    hash: String,
    bytes: u64,
    /// Fewer than `bytes` if only the beginning was kept.
    kept_bytes: u64,
}

/// The folder of refused files.
pub(super) struct Quarantine {
    state_dir: PathBuf,
    room: Room,
}

impl Quarantine {
    pub(super) fn of(state_dir: &Path, room: Room) -> Self {
        Self { state_dir: state_dir.to_owned(), room }
    }

    /// Where the files of a dataset are.
    pub(super) fn folder(&self, dataset: &str) -> PathBuf {
        self.state_dir.join(NAME).join(file_name(dataset))
    }

    /// Keeps files that are not kept already, and gives them. Those that have changed meanwhile are left out.
    ///
    /// # Errors
    ///
    /// When the system does not let it write there; what was there stays.
    pub(super) fn keep(&self, refused: &RefusedFiles) -> io::Result<Vec<PathBuf>> {
        let folder = self.folder(&refused.dataset);
        make_folder(&self.state_dir, NAME, &file_name(&refused.dataset))?;
        let mut kept = Vec::new();
        for version in &refused.versions {
            if let Some(hash) = version.hash
                && is_there(&folder, hash)?
            {
                continue;
            }
            let Some(packed) = pack(version, &folder, self.room.file)? else { continue };
            if is_there(&folder, packed.hash)? {
                continue;
            }
            let name = format!("{}-{:032x}", time_name(refused.time), packed.hash);
            let note = note(refused, version, packed.hash, packed.bytes);
            write_json(&folder.join(name.clone() + NOTE), &note)?;
            let path = folder.join(name + PACKED);
            packed.copy.finish(&path)?;
            kept.push(path);
        }
        self.make_room(&kept)?;
        Ok(kept)
    }

    /// Removes the oldest files until what is left fits; those that have come just now are the newest, even if
    /// the clock was set back.
    fn make_room(&self, new: &[PathBuf]) -> io::Result<()> {
        let above = self.state_dir.join(NAME);
        let mut files = Vec::new();
        for (dataset, _) in entries(&above, true)? {
            let folder = above.join(&dataset);
            let names = entries(&folder, false)?;
            for (name, _) in &names {
                // A crash may have come between the note and the file.
                let file = name.strip_suffix(NOTE).filter(|stem| is_ours(stem));
                if file.is_some_and(|stem| {
                    !names.iter().any(|(it, _)| *it == format!("{stem}{PACKED}"))
                }) {
                    remove(&folder.join(name))?;
                }
            }
            files.extend(names.into_iter().filter_map(|(name, metadata)| {
                let stem = name.strip_suffix(PACKED).filter(|stem| is_ours(stem))?.to_owned();
                let written = metadata.modified().ok()?;
                // Several within a second are told apart by when they were written.
                let is_new = new.contains(&folder.join(&name));
                let age = (is_new, stem.split_once('-')?.0.to_owned(), written);
                Some((age, stem, dataset.clone(), metadata.len()))
            }));
        }
        files.sort_unstable_by(|a, b| b.cmp(a));
        let mut all = 0;
        let mut of_dataset: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
        for (place, (_, stem, dataset, size)) in files.iter().enumerate() {
            let (count, sum) = of_dataset.entry(dataset).or_default();
            (*count, *sum, all) = (*count + 1, *sum + size, all + size);
            let has_room = *count <= self.room.files && *sum <= self.room.dataset;
            if place > 0 && all > self.room.all || *count > 1 && !has_room {
                all -= size;
                let path = above.join(dataset).join(stem);
                for ending in [PACKED, NOTE] {
                    remove(&path.with_extension(&ending[1..]))?;
                }
            }
        }
        Ok(())
    }
}

fn note<'a>(refused: &'a RefusedFiles, version: &Version, hash: u128, kept_bytes: u64) -> Note<'a> {
    let RefusedFiles { dataset, problem, accept, time, .. } = refused;
    Note {
        schema: 1,
        dataset,
        file: version.path.display().to_string(),
        rule: problem.cause.rule(),
        reason: problem.cause.to_string(),
        shown: problem.cause.shown(),
        remedy: problem.cause.remedy(accept.as_deref()).into_owned(),
        refused: *time,
        modified: version.identity.modified.seconds,
        hash: format!("{hash:032x}"),
        bytes: version.identity.size,
        kept_bytes,
    }
}

/// The time in the name of a file, in UTC: names are in the order of their times.
fn time_name(seconds: u64) -> String {
    let Utc { year, month, day, hour, minute, second } =
        Utc::from_unix(seconds.try_into().unwrap_or(i64::MAX / 2));
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// True if a name without its ending is that of a file of ours.
fn is_ours(stem: &str) -> bool {
    let Some((time, hash)) = stem.split_once('-') else { return false };
    time.ends_with('Z') && time.contains('T') && hash.len() == 32
}

/// True if a file with these bytes is kept.
fn is_there(folder: &Path, hash: u128) -> io::Result<bool> {
    let end = format!("-{hash:032x}{PACKED}");
    Ok(entries(folder, false)?.iter().any(|(name, _)| name.ends_with(&end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Cause, FileState};
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::{MetadataExt, symlink};
    use tempfile::TempDir;

    struct Case {
        folder: TempDir,
        quarantine: Quarantine,
    }

    impl Case {
        fn new(room: Room) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let quarantine = Quarantine::of(&folder.path().join("state"), room);
            Self { folder, quarantine }
        }

        fn refused(&self, dataset: &str, time: u64, text: &[u8]) -> RefusedFiles {
            let path = self.folder.path().join("list");
            fs::write(&path, text).unwrap();
            let FileState::File(identity) = FileState::of(&path) else { panic!("no file") };
            let versions = vec![Version { path: path.clone(), identity, hash: None }];
            let problem = Problem { file: path, cause: Cause::Markup };
            RefusedFiles { dataset: dataset.to_owned(), versions, problem, accept: None, time }
        }

        fn keep(&self, dataset: &str, time: u64, text: &[u8]) -> Vec<PathBuf> {
            self.quarantine.keep(&self.refused(dataset, time, text)).unwrap()
        }

        /// The names in the folder of a dataset.
        fn names(&self, dataset: &str) -> Vec<String> {
            let folder = self.quarantine.folder(dataset);
            let mut names: Vec<_> =
                entries(&folder, false).unwrap().into_iter().map(|(name, _)| name).collect();
            names.sort();
            names
        }
    }

    fn unpacked(path: &Path) -> Vec<u8> {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn a_refused_file_is_kept_once_with_a_note() {
        let case = Case::new(Room::USUAL);
        let kept = case.keep("bl: a/b", 1_795_297_662, b"<html>\n");
        let [file] = &kept[..] else { panic!("{kept:?}") };
        assert_eq!(unpacked(file), b"<html>\n");
        assert!(file.to_str().unwrap().contains("/state/quarantine/bl__a_b-"), "{file:?}");
        assert!(file.file_name().unwrap().to_str().unwrap().starts_with("20261121T"), "{file:?}");
        let note: serde_json::Value =
            serde_json::from_slice(&fs::read(file.with_extension("json")).unwrap()).unwrap();
        assert_eq!((&note["schema"], &note["dataset"]), (&1.into(), &"bl: a/b".into()));
        assert!(note["reason"].as_str().unwrap().contains("is an HTML or XML page"), "{note}");
        assert_eq!((&note["bytes"], &note["kept_bytes"]), (&7.into(), &7.into()));
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().mode() & 0o777, 0o750);
        assert_eq!(case.keep("bl: a/b", 1_795_297_700, b"<html>\n"), [""; 0].map(PathBuf::from));
        assert_eq!(case.names("bl: a/b").len(), 2);
    }

    #[test]
    fn what_is_packed_is_copied_as_it_is() {
        let case = Case::new(Room::USUAL);
        let gzip = b"\x1f\x8bnot gzip data after all";
        let kept = case.keep("bl", 1, gzip);
        assert_eq!(fs::read(&kept[0]).unwrap(), gzip);
        assert_eq!(unpacked(&case.keep("bl", 2, b"")[0]), b"");
    }

    #[test]
    fn the_newest_few_are_kept_within_their_room() {
        let room = Room { file: 10_000, dataset: 25_000, all: 40_000, files: 3 };
        let case = Case::new(room);
        for time in 0..20 {
            case.keep("small", time, format!("<html>{time}").as_bytes());
        }
        let names = case.names("small");
        assert_eq!(names.len(), 6, "{names:?}");
        assert!(names.iter().all(|name| name[..16] >= *"19700101T000017Z"), "{names:?}");
        // Regression: of those of one second, the newest was the first to go if its hash was small.
        for version in 0..10 {
            std::thread::sleep(std::time::Duration::from_millis(10));
            let kept = case.keep("small", 30, format!("<html>v{version}").as_bytes());
            assert!(kept[0].exists(), "{version}");
        }
        assert!(case.keep("small", 29, b"<html>the clock was set back")[0].exists());
        // What does not pack, a megabyte of it: the beginning.
        let mut random = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 56) as u8
        })
        .take(1 << 20)
        .collect();
        for (time, dataset) in [(100, "big"), (101, "big"), (102, "big"), (103, "other")] {
            let mut text = noise.clone();
            text[0] = time as u8;
            let kept = case.keep(dataset, time, &text);
            let beginning = unpacked(&kept[0]);
            assert!(!beginning.is_empty() && text.starts_with(&beginning), "{dataset}");
        }
        let total: u64 = ["small", "big", "other"]
            .iter()
            .flat_map(|dataset| entries(&case.quarantine.folder(dataset), false).unwrap())
            .filter(|(name, _)| name.ends_with(PACKED))
            .map(|(_, metadata)| metadata.len())
            .sum();
        assert!(!case.names("other").is_empty(), "the newest is there");
        assert!(total <= room.all.max(131_072 + 10_000), "{total}");
    }

    #[test]
    fn only_files_of_ours_are_removed_and_no_link_is_followed() {
        let case = Case::new(Room { files: 1, ..Room::USUAL });
        case.keep("bl", 1, b"<html>1");
        let folder = case.quarantine.folder("bl");
        let foreign = folder.join("notes.json");
        fs::write(&foreign, "").unwrap();
        fs::write(folder.join(".copy.7-1.new"), "").unwrap();
        fs::write(folder.join(format!("19700101T000000Z-{}.json", "0".repeat(32))), "").unwrap();
        case.keep("bl", 2, b"<html>2");
        let names = case.names("bl");
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(foreign.exists());
        let elsewhere = case.folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, case.quarantine.folder("linked")).unwrap();
        let error = case.quarantine.keep(&case.refused("linked", 3, b"<html>")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
    }
}
