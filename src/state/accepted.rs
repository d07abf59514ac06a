//! The text that was accepted last of each dataset, beside its snapshot.
//!
//! ```text
//! accepted/DATASET-ID/HASH.gz          a file of the dataset, packed
//! accepted/DATASET-ID/manifest.json    which files, when they were accepted, and the content id
//! ```
//!
//! A snapshot has no lines: file and line of an entry can be told of this text, while the file itself
//! holds something else. It is also the last good data of types that have no snapshots, and of snapshots
//! that this version cannot use. Who writes here has the lock of the state folder.

use super::packed::{PACKED, entries, make_folder, pack, remove, write_json};
use crate::snapshot::folder::file_name;
use crate::source::{Identity, ReadReport, SourceFile, Stamp, Version};
use crate::zonefile::Kind;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The folder in the state folder.
const NAME: &str = "accepted";

/// The name of the list of files.
const MANIFEST: &str = "manifest.json";

/// The most bytes that the files of a dataset have together, as they lie on disk, for their text to be kept.
/// Packing them takes about 5 ns a byte, once for each change of a file: for a list of addresses longer than
/// loading it. So the time that packing takes for one dataset is bounded by 0.2 s.
pub(crate) const LARGEST: u64 = 32 << 20;

/// The most bytes of a manifest that is read.
const LONGEST_MANIFEST: u64 = 1 << 20;

/// Files that were accepted.
pub(crate) struct AcceptedFiles {
    /// The dataset.
    pub(crate) dataset: String,
    /// The files.
    pub(crate) sources: Vec<SourceFile>,
    /// When.
    pub(crate) since: SystemTime,
    /// The type of the dataset.
    pub(crate) kind: Kind,
    /// The content id of what is served of them.
    pub(crate) content_id: u64,
}

/// Text that was kept.
pub(crate) struct Kept {
    /// The type of the dataset then, if that is known.
    pub(crate) kind: Option<Kind>,
    /// The files as they were read, and the packed copy of each.
    pub(crate) files: Vec<(SourceFile, PathBuf)>,
    /// When it was accepted.
    pub(crate) since: SystemTime,
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct Manifest {
    schema: u32,
    dataset: String,
    /// For those who look at what is handed out to siblings, like the content id.
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    content_id: String,
    /// In seconds since 1970.
    accepted: u64,
    files: Vec<ManifestFile>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct ManifestFile {
    path: PathBuf,
    hash: String,
    /// The bytes on disk.
    size: u64,
    /// The bytes after unpacking.
    content: u64,
    compressed: bool,
    /// In seconds since 1970, and the nanoseconds within the second.
    modified: (i64, i64),
    entries: u64,
    bad_lines: u64,
    first_bad: Option<String>,
}

/// Keeps the text of a dataset; that of earlier versions goes. Nothing changes if one of the files is another
/// version now. What is too large is not kept, and neither is its predecessor.
pub(super) fn keep(state_dir: &Path, accepted: &AcceptedFiles) -> io::Result<()> {
    let id = file_name(&accepted.dataset);
    let folder = folder(state_dir).join(&id);
    let size: u64 = accepted.sources.iter().map(|source| source.report.identity.size).sum();
    if size > LARGEST {
        return forget(&folder);
    }
    make_folder(state_dir, NAME, &id)?;
    let mut copies = Vec::new();
    for SourceFile { path, report, .. } in &accepted.sources {
        let place = folder.join(packed_name(report.hash));
        if fs::symlink_metadata(&place).is_ok_and(|there| there.is_file()) {
            continue;
        }
        let version =
            Version { path: path.clone(), identity: report.identity, hash: Some(report.hash) };
        let Some(packed) = pack(&version, &folder, u64::MAX)? else { return Ok(()) };
        copies.push((packed, place));
    }
    for (packed, place) in copies {
        packed.copy.finish(&place)?;
    }
    let manifest = Manifest::new(accepted);
    let file = folder.join(MANIFEST);
    if read_manifest(&file).as_ref() != Some(&manifest) {
        write_json(&file, &manifest)?;
    }
    for (name, _) in entries(&folder, false)? {
        let is_used = |file: &ManifestFile| format!("{}{PACKED}", file.hash) == name;
        if name.ends_with(PACKED) && !manifest.files.iter().any(is_used) {
            remove(&folder.join(name))?;
        }
    }
    Ok(())
}

/// Removes the text of all datasets but these.
pub(super) fn retain(state_dir: &Path, datasets: &[String]) -> io::Result<()> {
    let above = folder(state_dir);
    let kept: Vec<String> = datasets.iter().map(|name| file_name(name)).collect();
    for (name, _) in entries(&above, true)? {
        if !kept.contains(&name) {
            forget(&above.join(name))?;
        }
    }
    Ok(())
}

/// The text of a dataset that was kept, if there is any. Whoever reads it must compare it with the hash.
pub(crate) fn find(state_dir: &Path, dataset: &str) -> Option<Kept> {
    read_folder(&folder(state_dir).join(file_name(dataset)), dataset)
}

/// The text in a folder that was kept of a dataset, here or by another server.
pub(crate) fn read_folder(folder: &Path, dataset: &str) -> Option<Kept> {
    let manifest = read_manifest(&folder.join(MANIFEST))?;
    let is_ours = manifest.schema == 1 && manifest.dataset == dataset;
    let kind = manifest.kind.parse().ok();
    let files = manifest.files.into_iter().filter(|_| is_ours);
    let files: Option<Vec<_>> = files
        .map(|file| {
            let source = file.source()?;
            let place = folder.join(packed_name(source.report.hash));
            Some((source, place))
        })
        .collect();
    let since = UNIX_EPOCH.checked_add(Duration::from_secs(manifest.accepted))?;
    Some(Kept { kind, files: files.filter(|files| !files.is_empty())?, since })
}

/// Where the text of all datasets is.
pub(super) fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

/// Removes what is ours in a folder, and the folder if it is empty then.
fn forget(folder: &Path) -> io::Result<()> {
    for (name, _) in entries(folder, false)? {
        if name == MANIFEST || name.ends_with(PACKED) {
            remove(&folder.join(name))?;
        }
    }
    // Others may have put something there.
    let _ = fs::remove_dir(folder);
    Ok(())
}

fn packed_name(hash: u128) -> String {
    format!("{hash:032x}{PACKED}")
}

fn read_manifest(file: &Path) -> Option<Manifest> {
    let metadata = fs::symlink_metadata(file).ok()?;
    let is_usable = metadata.is_file() && metadata.len() <= LONGEST_MANIFEST;
    serde_json::from_slice(&is_usable.then(|| fs::read(file).ok())??).ok()
}

impl Manifest {
    fn new(files: &AcceptedFiles) -> Self {
        let AcceptedFiles { dataset, sources, since, kind, content_id } = files;
        Self {
            schema: 1,
            dataset: dataset.clone(),
            kind: kind.to_string(),
            content_id: format!("{content_id:016x}"),
            accepted: since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            files: sources.iter().map(ManifestFile::new).collect(),
        }
    }
}

impl ManifestFile {
    fn new(source: &SourceFile) -> Self {
        let SourceFile { path, report, entries, bad_lines, first_bad } = source;
        let ReadReport { identity, settled: _, hash, content, compressed } = report;
        Self {
            path: path.clone(),
            hash: format!("{hash:032x}"),
            size: identity.size,
            content: *content,
            compressed: *compressed,
            modified: (identity.modified.seconds, identity.modified.nanoseconds),
            entries: *entries,
            bad_lines: *bad_lines,
            first_bad: first_bad.clone(),
        }
    }

    /// The file as it was read. It is known by its hash alone.
    fn source(self) -> Option<SourceFile> {
        let (seconds, nanoseconds) = self.modified;
        let (modified, nothing) = (Stamp { seconds, nanoseconds }, Stamp::default());
        let identity =
            Identity { device: 0, inode: 0, size: self.size, modified, changed: nothing };
        Some(SourceFile {
            path: self.path,
            report: ReadReport {
                identity,
                settled: false,
                hash: u128::from_str_radix(&self.hash, 16).ok()?,
                content: self.content,
                compressed: self.compressed,
            },
            entries: self.entries,
            bad_lines: self.bad_lines,
            first_bad: self.first_bad,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Limits, read};
    use std::convert::Infallible;
    use std::io::Read;
    use tempfile::TempDir;

    struct Case(TempDir);

    impl Case {
        fn state(&self) -> PathBuf {
            self.0.path().join("state")
        }

        /// A file as it was read.
        fn source(&self, name: &str, text: &[u8]) -> SourceFile {
            let path = self.0.path().join(name);
            fs::write(&path, text).unwrap();
            let report =
                read(&path, &Limits::default(), &mut |_| Ok::<(), Infallible>(())).unwrap();
            SourceFile { path, report, entries: 1, bad_lines: 0, first_bad: None }
        }

        fn keep(&self, sources: Vec<SourceFile>) {
            let since = UNIX_EPOCH + Duration::from_secs(1000);
            let (dataset, kind) = ("bl".to_owned(), Kind::Ip4Set);
            let files = AcceptedFiles { dataset, sources, since, kind, content_id: 0xff };
            keep(&self.state(), &files).unwrap();
        }

        /// The text that was kept.
        fn text(&self) -> Option<Vec<String>> {
            let kept = find(&self.state(), "bl")?;
            assert_eq!(kept.since, UNIX_EPOCH + Duration::from_secs(1000));
            let text = |(source, packed): &(SourceFile, PathBuf)| {
                let mut text = String::new();
                let file = fs::File::open(packed).unwrap();
                flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
                assert_eq!(source.report.content, text.len() as u64);
                text
            };
            Some(kept.files.iter().map(text).collect())
        }
    }

    #[test]
    fn the_text_accepted_last_is_kept() {
        let case = Case(tempfile::tempdir().unwrap());
        assert!(case.text().is_none());
        let (one, two) = (case.source("one", b"10.0.0.1\n"), case.source("two", b"10.0.0.2\n"));
        case.keep(vec![one.clone(), two.clone()]);
        assert_eq!(case.text().unwrap(), ["10.0.0.1\n", "10.0.0.2\n"]);
        let two = case.source("two", b"10.0.0.3\n");
        case.keep(vec![one.clone(), two.clone()]);
        assert_eq!(case.text().unwrap(), ["10.0.0.1\n", "10.0.0.3\n"]);
        let folder = case.state().join("accepted").join(file_name("bl"));
        assert_eq!(entries(&folder, false).unwrap().len(), 3, "what is not used is gone");
        // The file has changed since it was read: what was kept stays.
        let next = case.source("two", b"10.0.0.4\n");
        fs::write(&next.path, b"10.0.0.5\n").unwrap();
        case.keep(vec![one.clone(), next]);
        assert_eq!(case.text().unwrap(), ["10.0.0.1\n", "10.0.0.3\n"]);
        retain(&case.state(), &["bl".to_owned()]).unwrap();
        assert!(case.text().is_some());
        retain(&case.state(), &["other".to_owned()]).unwrap();
        assert!(case.text().is_none() && !folder.exists());
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_its_predecessor_neither() {
        let case = Case(tempfile::tempdir().unwrap());
        case.keep(vec![case.source("one", b"10.0.0.1\n")]);
        assert!(case.text().is_some());
        let mut large = case.source("one", b"10.0.0.2\n");
        large.report.identity.size = LARGEST + 1;
        case.keep(vec![large]);
        assert!(case.text().is_none());
    }

    #[test]
    fn a_damaged_manifest_is_none() {
        let case = Case(tempfile::tempdir().unwrap());
        case.keep(vec![case.source("one", b"10.0.0.1\n")]);
        let file = case.state().join("accepted").join(file_name("bl")).join(MANIFEST);
        let good = fs::read_to_string(&file).unwrap();
        for bad in [&good[1..], "{}", "", &good.replace("\"bl\"", "\"other\"")] {
            fs::write(&file, bad).unwrap();
            assert!(case.text().is_none(), "{bad}");
        }
        fs::write(&file, good.replace("\"hash\": \"", "\"hash\": \"../")).unwrap();
        assert!(case.text().is_none());
        fs::write(&file, good).unwrap();
        assert!(case.text().is_some());
    }
}
