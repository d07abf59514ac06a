//! The data files, and their changes.

use super::sets::Set;
use anyhow::Result;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A data file, and two versions of it that take its place in turn. They differ in one entry, so
/// that an answer tells which of them is served.
pub(crate) struct DataFiles {
    /// The file that is served.
    pub(crate) data: PathBuf,
    /// A file of the same type with one entry.
    pub(crate) single: PathBuf,
    /// The name before the apex that the second version lists, and the first does not.
    pub(crate) marker: String,
    versions: [PathBuf; 2],
}

impl DataFiles {
    pub(crate) fn write(folder: &Path, name: &str, set: &Set) -> Result<Self> {
        let (entry, marker) = match set.kind {
            "dnset" => ("changed.bench.example", "changed.bench.example".to_owned()),
            "ip6trie" => ("ff00::/128", format!("{}f.f", "0.".repeat(30))),
            _ => ("240.0.0.77", "77.0.0.240".to_owned()),
        };
        let versions = [1, 2].map(|number| folder.join(format!("{name}.{number}")));
        for (version, is_marked) in versions.iter().zip([false, true]) {
            let mut out = BufWriter::new(File::create(version)?);
            set.write(&mut out)?;
            if is_marked {
                writeln!(out, "{entry}{}", if set.kind == "ip4trie" { "/32" } else { "" })?;
            }
            out.flush()?;
        }
        let single = folder.join(format!("{name}.single"));
        fs::write(&single, format!("{entry}\n"))?;
        let files = Self { data: folder.join(name), single, marker, versions };
        files.change(0)?;
        Ok(files)
    }

    /// Puts the first version in place in an even turn, the second one in an odd turn.
    pub(crate) fn change(&self, turn: usize) -> Result<()> {
        let link = self.data.with_extension("new");
        fs::hard_link(&self.versions[turn % 2], &link)?;
        // Where both names are one file already, rename leaves them as they are.
        fs::rename(&link, &self.data)?;
        let _ = fs::remove_file(&link);
        Ok(())
    }
}

impl Drop for DataFiles {
    fn drop(&mut self) {
        // They are large, and the next set needs the room; the folder goes in any case.
        for path in self.versions.iter().chain([&self.data, &self.single]) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Has the system forget what it holds in memory of the files of this folder. They must have been
/// synced, and nobody may have them mapped.
///
/// # Errors
///
/// What the system says.
pub(crate) fn forget(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let file = File::open(entry?.path())?;
        posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    }
    Ok(())
}
