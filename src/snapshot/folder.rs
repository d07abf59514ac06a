//! The folder of a server's snapshots: for each dataset a snapshot and a record of earlier versions.

use super::write::{UNFINISHED, Unfinished};
use super::{Id, Origin, WriteError};
use crate::zone::Dataset;
use rustix::process::{Pid, test_kill_process};
use std::collections::HashSet;
use std::fs::{DirBuilder, remove_file};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// The name of the folder in the state folder.
const NAME: &str = "snapshots";
/// The end of the name of a snapshot.
const ENDING: &str = ".snapshot";
/// The end of the name of a record.
const RECORD: &str = ".record.json";
/// The mode of the folder: the server's user and group may look into it.
const FOLDER_MODE: u32 = 0o750;
/// The number of characters of a dataset's name that its file's name repeats, for people.
const SHOWN: usize = 48;
/// The age at which an unfinished file is removed.
const LEFT: Duration = Duration::from_secs(3600);
/// The age at which an unfinished file is removed if its writer seems to have ended.
const DOUBTFUL: Duration = Duration::from_secs(60);

/// The folder of snapshots. Files whose names are not of its own form are never touched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder in this state folder. The first snapshot that is written creates it.
    pub fn of(state_dir: &Path) -> Self {
        Self(state_dir.join(NAME))
    }

    /// The file of the dataset with this name.
    pub fn file(&self, dataset: &str) -> PathBuf {
        self.named(dataset, ENDING)
    }

    /// The file of the record of the dataset with this name.
    pub fn record(&self, dataset: &str) -> PathBuf {
        self.named(dataset, RECORD)
    }

    fn named(&self, dataset: &str, ending: &str) -> PathBuf {
        self.0.join(file_name(dataset) + ending)
    }

    /// Writes the snapshot of a dataset, see [`super::write()`].
    pub fn write(
        &self,
        dataset: &Dataset,
        origin: &Origin,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Id, WriteError> {
        self.create()?;
        super::write(&self.file(&origin.name), dataset, origin, is_wanted)
    }

    /// Writes a file in the folder, whole or not at all.
    ///
    /// # Errors
    ///
    /// The error of the system.
    pub fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.create()?;
        let mut new = Unfinished::create(path)?;
        new.file.write_all(bytes)?;
        new.file.sync_all()?;
        new.finish(path)
    }

    /// Creates the folder, unless it is there.
    pub(super) fn create(&self) -> io::Result<()> {
        create_folder(&self.0)
    }

    /// A path in the folder for a file that will not be finished.
    pub(super) fn scratch(&self) -> PathBuf {
        self.file("intake")
    }

    /// Removes the files of all datasets but these, and unfinished files; gives the paths of the
    /// removed files.
    ///
    /// # Errors
    ///
    /// The first error of the system; the other files are removed all the same. A missing folder is no error.
    pub fn retain<'a>(
        &self,
        datasets: impl IntoIterator<Item = &'a str>,
    ) -> io::Result<Vec<PathBuf>> {
        let kept: HashSet<PathBuf> =
            datasets.into_iter().flat_map(|name| [self.file(name), self.record(name)]).collect();
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut gone = Vec::new();
        let mut outcome = Ok(());
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let stale = is_ours(name) && !kept.contains(&entry.path())
                || writer(name).is_some_and(|writer| is_left(&entry, writer));
            if !stale || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue;
            }
            match remove_file(entry.path()) {
                Ok(()) => gone.push(entry.path()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome.map(|()| gone)
    }
}

/// The file name of the dataset with this name: the characters of it that a file name can have, and a hash.
pub(crate) fn file_name(dataset: &str) -> String {
    let shown: String = dataset.chars().take(SHOWN).map(shown).collect();
    format!("{shown}-{:016x}", xxh3_64(dataset.as_bytes()))
}

/// Creates a folder for the server's user and group, with the folders above it, unless it is there.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
}

/// A character as it stands in a file name.
fn shown(character: char) -> char {
    match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => character,
        _ => '_',
    }
}

/// True for the name of a file of some dataset.
fn is_ours(name: &str) -> bool {
    let stem = [ENDING, RECORD].iter().find_map(|ending| name.strip_suffix(ending));
    let Some((start, hash)) = stem.and_then(|stem| stem.rsplit_once('-')) else { return false };
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    start.len() <= SHOWN
        && start.chars().all(|character| shown(character) == character)
        && hash.len() == 16
        && hash.bytes().all(is_hex)
}

/// The number of the process that writes the unfinished file of this name; `None` if the name is not of ours.
fn writer(name: &str) -> Option<i32> {
    let inside = name.strip_prefix('.')?.strip_suffix(UNFINISHED)?;
    let (name, writer) = inside.rsplit_once('.')?;
    let (process, number) = writer.split_once('-')?;
    let is_ours = is_ours(name) && number.bytes().all(|byte| byte.is_ascii_digit());
    process.parse().ok().filter(|_| is_ours)
}

/// True if nobody will finish a file that the process `writer` began.
fn is_left(entry: &std::fs::DirEntry, writer: i32) -> bool {
    // In a container, every server has the same number, and a process of another container seems to have ended.
    let is_us = std::process::id() == writer.cast_unsigned();
    let is_gone = Pid::from_raw(writer)
        .is_none_or(|writer| test_kill_process(writer) == Err(rustix::io::Errno::SRCH));
    let limit = if is_us || is_gone { DOUBTFUL } else { LEFT };
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::SystemTime;

    #[test]
    fn each_dataset_has_a_file_of_its_own_that_is_known_again() {
        let folder = Folder::of(Path::new("/state"));
        let long = "x".repeat(300);
        let names = ["zen", "ip4set:a,b", "ip4set:a/b", "../../etc/passwd", "", "a\nb", &long];
        let files: HashSet<_> = names.iter().map(|name| folder.file(name)).collect();
        assert_eq!(files.len(), names.len());
        for file in files {
            assert_eq!(file.parent(), Some(Path::new("/state/snapshots")));
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(is_ours(name) && name.len() < 100, "{name}");
            assert_eq!(writer(&format!(".{name}.17-3.new")), Some(17), "{name}");
        }
    }

    #[test]
    fn only_files_that_are_named_like_ours_are_removed() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::of(state.path());
        assert_eq!(folder.retain([]).unwrap(), [""; 0].map(PathBuf::from));
        folder.create().unwrap();
        let [kept, gone] = ["kept", "gone"].map(|name| folder.file(name));
        let name = gone.file_name().unwrap().to_str().unwrap().to_owned();
        let (us, another) =
            (std::process::id(), rustix::process::getppid().unwrap().as_raw_nonzero());
        // No process has the highest number that there can be (pid_max, proc_sys_kernel(5)).
        let writers = [format!("{us}-1"), "4194305-1".into(), format!("{another}-1")];
        let [own, orphaned, left] =
            writers.each_ref().map(|it| gone.with_file_name(format!(".{name}.{it}.new")));
        let at_work = [format!("{us}-2"), "4194305-2".into(), format!("{another}-2")]
            .map(|it| gone.with_file_name(format!(".{name}.{it}.new")));
        let foreign =
            ["notes.snapshot", "a-0123456789abcde.snapshot", "a-0123456789ABCDEF.snapshot"]
                .map(|name| gone.with_file_name(name));
        let ours = [&kept, &gone, &own, &orphaned, &left];
        for file in ours.into_iter().chain(&at_work).chain(&foreign) {
            fs::write(file, "").unwrap();
        }
        for (file, age) in
            [(&own, DOUBTFUL), (&orphaned, DOUBTFUL), (&at_work[2], DOUBTFUL), (&left, LEFT)]
        {
            let then = SystemTime::now() - 2 * age;
            fs::File::options().write(true).open(file).unwrap().set_modified(then).unwrap();
        }
        let mut removed = folder.retain(["kept"]).unwrap();
        removed.sort();
        let mut want = [own, orphaned, left, gone];
        want.sort();
        assert_eq!(removed, want);
        assert!([&kept].into_iter().chain(&at_work).chain(&foreign).all(|file| file.exists()));
    }
}
