//! Packed copies of files, in folders of the state folder.

use crate::snapshot::{UNFINISHED, Unfinished};
use crate::source::Version;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Seek, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Who may look into the folders: the server's user and group.
const MODE: u32 = 0o750;

/// The first bytes of gzip data (RFC 1952 section 2.3.1), which is copied as it is.
const GZIP: &[u8] = b"\x1f\x8b";

/// The end of the name of a packed copy.
pub(super) const PACKED: &str = ".gz";

/// The most bytes of a file that are packed: zeros take no space, but time.
const LONGEST: u64 = 1 << 30;

/// A packed copy of a version of a file, which is gone unless it is finished.
pub(super) struct Packed {
    pub(super) copy: Unfinished,
    /// The hash of the file's bytes.
    pub(super) hash: u128,
    /// The bytes of the file that are in the copy.
    pub(super) bytes: u64,
}

/// Copies a version of a file into a folder: its beginning, if the copy would have more than `most` bytes or
/// a little more. `None` if the file is another version now.
pub(super) fn pack(version: &Version, folder: &Path, most: u64) -> io::Result<Option<Packed>> {
    let copy = Unfinished::create(&folder.join("copy"))?;
    let mut packer = Packer { out: Out::Nothing, file: &copy.file, most, bytes: 0 };
    let Some(hash) = version.read(&mut |chunk| packer.add(chunk))? else { return Ok(None) };
    let bytes = packer.finish()?;
    copy.file.sync_all()?;
    Ok(Some(Packed { copy, hash, bytes }))
}

struct Packer<'f> {
    out: Out<'f>,
    file: &'f File,
    most: u64,
    bytes: u64,
}

enum Out<'f> {
    Nothing,
    AsItIs,
    Gzip(Box<GzEncoder<&'f File>>),
}

impl Packer<'_> {
    fn add(&mut self, chunk: &[u8]) -> io::Result<ControlFlow<()>> {
        if matches!(self.out, Out::Nothing) {
            self.out = match chunk.starts_with(GZIP) {
                true => Out::AsItIs,
                false => Out::Gzip(Box::new(GzEncoder::new(self.file, Compression::fast()))),
            };
        }
        if self.bytes >= LONGEST || self.file.stream_position()? >= self.most {
            return Ok(ControlFlow::Break(()));
        }
        match &mut self.out {
            Out::Nothing => {}
            Out::AsItIs => self.file.write_all(chunk)?,
            Out::Gzip(encoder) => encoder.write_all(chunk)?,
        }
        self.bytes += chunk.len() as u64;
        Ok(ControlFlow::Continue(()))
    }

    fn finish(self) -> io::Result<u64> {
        match self.out {
            Out::Gzip(encoder) => drop(encoder.finish()?),
            Out::AsItIs => {}
            Out::Nothing => {
                GzEncoder::new(self.file, Compression::fast()).finish()?;
            }
        }
        Ok(self.bytes)
    }
}

/// Makes a folder of the state folder, `KIND/NAME`, unless it is there; removes what a crash has left unfinished
/// in it. Whoever writes there has the lock of the state folder.
///
/// # Errors
///
/// Also when one of the two is a symlink, which may lead anywhere.
pub(super) fn make_folder(state_dir: &Path, kind: &str, name: &str) -> io::Result<()> {
    let above = state_dir.join(kind);
    let folder = above.join(name);
    DirBuilder::new().recursive(true).mode(MODE).create(&folder)?;
    for made in [&above, &folder] {
        if !fs::symlink_metadata(made)?.is_dir() {
            let text = format!("{} is a symlink", made.display());
            return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
        }
    }
    for entry in fs::read_dir(&folder)?.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(UNFINISHED)) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Writes a small file of JSON, whole or not at all.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    let new = Unfinished::create(path)?;
    (&new.file).write_all(&text)?;
    new.file.sync_all()?;
    new.finish(path)
}

/// Removes a file, unless it is gone.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The folders in a folder, and the regular files in a folder, by name; none if there is no such folder.
pub(super) fn entries(folder: &Path, folders: bool) -> io::Result<Vec<(String, fs::Metadata)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let known = entries.flatten().filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        let is_wanted = if folders { metadata.is_dir() } else { metadata.is_file() };
        is_wanted.then_some((entry.file_name().into_string().ok()?, metadata))
    });
    Ok(known.collect())
}
