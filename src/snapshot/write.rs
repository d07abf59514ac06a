//! Writing a snapshot: to a new file, which then takes the place of the old one.

use super::format::{ALIGNMENT, HEADER, Header, Part, Section, TABLE_HEAD, table_size};
use super::{Id, Origin, facts};
use crate::flat_array::{ArrayWriter, Element};
use crate::zone::Dataset;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, remove_file, rename};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use xxhash_rust::xxh3::Xxh3Default;

/// The mode of a file of the state folder: the server's user and group may read it.
pub(crate) const MODE: u32 = 0o640;

/// The end of the name of a file that is being written.
pub(crate) const UNFINISHED: &str = ".new";

/// The number of bytes that are collected before they are hashed and written.
const CHUNK: usize = 1 << 16;

/// Why a dataset was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The operating system's error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The caller did not want it any more; nothing has changed.
    #[error("a newer one is wanted")]
    Unwanted,
    /// The format cannot hold it.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

/// The property of a dataset that the format cannot hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unfit {
    /// It has ordinary records.
    #[error("a snapshot holds lists only, no records")]
    Records,
    /// It has datasets below apexes of their own.
    #[error("a snapshot holds one list, no combined ones")]
    Combined,
    /// It is an access list.
    #[error("a snapshot holds no access lists")]
    AccessList,
    /// It has answers with conditions.
    #[error("a snapshot holds no entries with conditions")]
    Gates,
    /// It has entries that expire.
    #[error("a snapshot holds no entries that expire")]
    Expiry,
    /// This machine stores the highest byte of a number first.
    #[error("this machine has the bytes of a number in another order than a snapshot")]
    ByteOrder,
}

/// Writes the snapshot of a dataset to a new file, and renames it to `path`. At any time, also after a
/// crash, `path` is the whole old file or the whole new one. `is_wanted` is asked just before the rename.
pub fn write(
    path: &Path,
    dataset: &Dataset,
    origin: &Origin,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Id, WriteError> {
    fit(dataset)?;
    let new = Unfinished::create(path)?;
    let id = write_file(&new.file, dataset, origin)?;
    new.file.sync_all()?;
    if !is_wanted() {
        return Err(WriteError::Unwanted);
    }
    new.finish(path)?;
    Ok(id)
}

/// An error if the format cannot hold the whole dataset.
pub(super) fn fit(dataset: &Dataset) -> Result<(), Unfit> {
    if dataset.records.is_some() {
        return Err(Unfit::Records);
    }
    if dataset.subzones.is_some() {
        return Err(Unfit::Combined);
    }
    if dataset.acl.is_some() {
        return Err(Unfit::AccessList);
    }
    if dataset.answers.has_gates() {
        return Err(Unfit::Gates);
    }
    if dataset.next_expiry.is_some() {
        return Err(Unfit::Expiry);
    }
    if cfg!(target_endian = "big") {
        return Err(Unfit::ByteOrder);
    }
    Ok(())
}

/// A file that is removed on drop unless it is finished. The server's user and group may read it.
pub(crate) struct Unfinished {
    path: PathBuf,
    pub(crate) file: File,
}

impl Unfinished {
    /// A new file beside `path`.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let path = unfinished(path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(MODE);
        let file = match options.open(&path) {
            // A process of our number crashed and left the file.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove_file(&path)?;
                options.open(&path)?
            }
            opened => opened?,
        };
        Ok(Self { path, file })
    }

    /// Renames the file to `path`, and waits until the rename is on the disk.
    pub(crate) fn finish(self, path: &Path) -> io::Result<()> {
        rename(&self.path, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // A finished file has been renamed: then there is nothing to remove.
        let _ = remove_file(&self.path);
    }
}

/// A name beside `path` that no other process or thread uses.
pub(super) fn unfinished(path: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    name.push(format!(".{}-{number}{UNFINISHED}", std::process::id()));
    Ok(path.with_file_name(name))
}

/// Writes the bytes of a snapshot to an empty file.
fn write_file(file: &File, dataset: &Dataset, origin: &Origin) -> io::Result<Id> {
    let mut data = Output { file: Some(file), at: HEADER as u64, ..Output::default() };
    store(dataset, &mut data);
    let (data_size, id) = data.finish()?;
    let origin = origin.encode();
    file.write_all_at(&origin, HEADER as u64 + data_size)?;
    let header = Header { data_size, origin_size: origin.len() as u64, id };
    file.write_all_at(&header.seal(&origin), 0)?;
    Ok(Id(id))
}

/// The id that the snapshot of a dataset would have.
pub(super) fn id(dataset: &Dataset) -> io::Result<Id> {
    let mut data = Output { at: HEADER as u64, ..Output::default() };
    store(dataset, &mut data);
    Ok(Id(data.finish()?.1))
}

/// The id that the snapshot of a dataset would have; `None` if the format cannot hold it.
pub fn id_if_fit(dataset: &Dataset) -> Option<Id> {
    fit(dataset).ok()?;
    id(dataset).ok()
}

/// Writes the data part: the table, then the arrays.
fn store(dataset: &Dataset, out: &mut Output<'_>) {
    let facts = facts::encode(dataset);
    let mut table = Table::default();
    arrays(dataset, &facts, &mut table);
    table.write(out);
    arrays(dataset, &facts, out);
}

/// Gives all arrays of a dataset to `out`, part by part.
fn arrays(dataset: &Dataset, facts: &[u8], out: &mut impl Parts) {
    out.part(Part::Facts);
    out.array(facts);
    out.part(Part::Answers);
    dataset.answers.store(out);
    if let Some(trie) = &dataset.ip4 {
        out.part(Part::Ip4);
        trie.store(out);
    }
    if let Some(trie) = &dataset.ip6 {
        out.part(Part::Ip6);
        trie.store(out);
    }
    if let Some(tree) = &dataset.names {
        out.part(Part::Names);
        tree.store(out);
    }
    if let Some(digests) = &dataset.digests {
        out.part(Part::Digests);
        digests.store(out);
    }
}

trait Parts: ArrayWriter {
    /// Begins a part: the arrays that follow belong to it.
    fn part(&mut self, part: Part);
}

/// Collects where each array will be.
#[derive(Default)]
struct Table {
    sections: Vec<Section>,
    part: Option<Part>,
    number: u32,
}

impl Parts for Table {
    fn part(&mut self, part: Part) {
        (self.part, self.number) = (Some(part), 0);
    }
}

impl ArrayWriter for Table {
    fn array<T: Element>(&mut self, items: &[T]) {
        let Some(part) = self.part else { return };
        let (tag, item) = (part.tag(self.number), size_of::<T>() as u32);
        // The start is known once all sections are counted.
        self.sections.push(Section { tag, item, start: 0, items: items.len() as u64 });
        self.number += 1;
    }
}

impl Table {
    fn write(mut self, out: &mut Output<'_>) {
        let mut bytes = Vec::with_capacity(TABLE_HEAD);
        bytes.extend_from_slice(&(self.sections.len() as u32).to_le_bytes());
        bytes.resize(TABLE_HEAD, 0);
        let mut start = (HEADER + table_size(self.sections.len())) as u64;
        for section in &mut self.sections {
            section.start = start;
            section.write(&mut bytes);
            let size = section.items * u64::from(section.item);
            start = (start + size).next_multiple_of(ALIGNMENT as u64);
        }
        out.put(&bytes);
        out.pad();
    }
}

/// Hashes the data part, and writes it to the file if one is given.
#[derive(Default)]
struct Output<'a> {
    file: Option<&'a File>,
    /// The offset of the next bytes in the file.
    at: u64,
    hash: Xxh3Default,
    buffer: Vec<u8>,
    /// The first error; bytes after it are dropped.
    error: Option<io::Error>,
}

impl Output<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        if let (Some(file), None) = (self.file, &self.error) {
            self.error = file.write_all_at(bytes, self.at).err();
        }
        self.at += bytes.len() as u64;
    }

    /// Writes zeros up to the next place where an array can start.
    fn pad(&mut self) {
        let zeros = self.at.next_multiple_of(ALIGNMENT as u64) - self.at;
        self.put(&[0; ALIGNMENT][..zeros as usize]);
    }

    /// The size of the data part, and its hash.
    fn finish(self) -> io::Result<(u64, u128)> {
        match self.error {
            None => Ok((self.at - HEADER as u64, self.hash.digest128())),
            Some(error) => Err(error),
        }
    }
}

impl Parts for Output<'_> {
    fn part(&mut self, _: Part) {}
}

impl ArrayWriter for Output<'_> {
    fn array<T: Element>(&mut self, items: &[T]) {
        let mut buffer = std::mem::take(&mut self.buffer);
        for chunk in items.chunks(CHUNK / size_of::<T>()) {
            buffer.clear();
            T::put(chunk, &mut buffer);
            self.put(&buffer);
        }
        self.buffer = buffer;
        self.pad();
    }
}
