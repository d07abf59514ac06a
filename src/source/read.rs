//! Reading one mirrored file: by `read`, never by `mmap`, and never half of a change.
//!
//! Mirrored text can be truncated under its reader (`rsync --inplace`), which would be a SIGBUS
//! for a mapped file and garbage for a read one. So the file is read, and what was read counts
//! only if the file is afterwards exactly the one that was opened.

use super::error::{Cause, Problem};
use super::gzip;
use super::identity::{Identity, is_absence, special_kind};
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;
use xxhash_rust::xxh3::Xxh3Default;

/// How many bytes are read, and handed on, at once.
pub(super) const CHUNK: usize = 128 * 1024;

/// What a file may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Unpack gzip data, told by its first bytes, not by the file's name. If false, such a file
    /// is an error (rbldnsd's `-C`).
    pub decompress: bool,
    /// The most bytes of content, after unpacking.
    pub content: u64,
    /// The most bytes of content for each byte of gzip data, beyond the first
    /// 16 MiB: lists pack to a tenth, a few hundred kilobytes can unpack to gigabytes.
    pub expansion: u64,
}

/// What gzip data may unpack to, in bytes, however small it is.
const UNPACKED_FREELY: u64 = 16 << 20;

impl Default for Limits {
    /// Unpacks; 4 GiB of content, and a hundredfold of what is packed.
    fn default() -> Self {
        Self { decompress: true, content: 4 << 30, expansion: 100 }
    }
}

/// What was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadReport {
    /// The file's identity when it was opened, and still after the last byte.
    pub identity: Identity,
    /// True if the file had not changed for so long before it was read that any later change gave
    /// it another identity.
    pub settled: bool,
    /// The XXH3 128-bit hash of the file's bytes as they lie on disk.
    pub hash: u128,
    /// The number of bytes handed to the sink, after unpacking.
    pub content: u64,
    /// True if the file was gzip data.
    pub compressed: bool,
}

/// Reads a whole file and hands its (unpacked) content to `sink`, chunk by chunk.
///
/// The caller must throw away what the sink got when this fails. An error of the sink ends the
/// reading and becomes [`Cause::Fatal`]; but if the file changed meanwhile, the problem is
/// [`Cause::Torn`] whatever else went wrong, because damage is what a torn read looks like.
///
/// Blocks for as long as the disk does, but never on a fifo or a device.
///
/// ```
/// use dnsbld::source::{Limits, read};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("list");
/// std::fs::write(&path, "1.2.3.4\n")?;
/// let mut text = Vec::new();
/// let report = read(&path, &Limits::default(), &mut |chunk| {
///     text.extend_from_slice(chunk);
///     Ok::<(), std::convert::Infallible>(())
/// })?;
/// assert_eq!(text, b"1.2.3.4\n");
/// assert_eq!(report.content, 8);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read<E: Display>(
    path: &Path,
    limits: &Limits,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<ReadReport, Problem> {
    read_buffers(path, limits, &mut |chunk| sink(&chunk).map(|()| chunk))
}

/// [`read`], but each chunk is given away; the buffer that comes back, with whatever is in it, is used for
/// a later one.
pub(super) fn read_buffers<E: Display>(
    path: &Path,
    limits: &Limits,
    sink: &mut dyn FnMut(Vec<u8>) -> Result<Vec<u8>, E>,
) -> Result<ReadReport, Problem> {
    let problem = |cause| Problem { file: path.to_owned(), cause };
    let file = open(path).map_err(problem)?;
    let before = identity_of_open(&file).map_err(problem)?;

    let mut raw = Raw::new(&file);
    let outcome = pass_on(&mut raw, before.size, limits, sink);

    let after = identity_of_open(&file).map_err(problem)?;
    let named = std::fs::metadata(path).map(|metadata| Identity::of(&metadata));
    if after != before || !named.is_ok_and(|named| named == before) {
        return Err(problem(Cause::Torn));
    }
    let (content, compressed) = outcome.map_err(problem)?;
    let hash = raw.hash.digest128();
    let settled = before.is_settled(SystemTime::now());
    Ok(ReadReport { identity: before, settled, hash, content, compressed })
}

/// Opens a regular file. It is looked at before, because opening a device can already do
/// something, and opened without blocking, because it can become a fifo in between.
pub(super) fn open(path: &Path) -> Result<File, Cause> {
    let metadata = std::fs::metadata(path).map_err(cause_of)?;
    if let Some(kind) = special_kind(&metadata) {
        return Err(Cause::NotAFile(kind));
    }
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(cause_of)
}

pub(super) fn identity_of_open(file: &File) -> Result<Identity, Cause> {
    let metadata = file.metadata().map_err(cause_of)?;
    match special_kind(&metadata) {
        None => Ok(Identity::of(&metadata)),
        Some(kind) => Err(Cause::NotAFile(kind)),
    }
}

pub(super) fn cause_of(error: io::Error) -> Cause {
    match error.raw_os_error() {
        _ if is_absence(&error) => Cause::Vanished,
        Some(libc::EMFILE | libc::ENFILE) => Cause::NoDescriptor,
        _ => Cause::unreadable(&error),
    }
}

/// Hands the content to the sink; returns its length and whether it was compressed.
fn pass_on<E: Display>(
    raw: &mut Raw<'_>,
    size: u64,
    limits: &Limits,
    sink: &mut dyn FnMut(Vec<u8>) -> Result<Vec<u8>, E>,
) -> Result<(u64, bool), Cause> {
    let mut first = Vec::new();
    fill(raw, &mut first).map_err(cause_of)?;
    let compressed = first.starts_with(&gzip::MAGIC);
    if !compressed {
        let too_big = Cause::TooBig(limits.content);
        if size > limits.content {
            return Err(too_big);
        }
        return Ok((copy(raw, first, limits.content, too_big, sink, cause_of)?, false));
    }
    if !limits.decompress {
        return Err(Cause::Compressed);
    }
    let packed = Cursor::new(first).chain(BufReader::with_capacity(CHUNK, raw));
    let mut unpacked = gzip::Members::new(packed);
    let cause = |error: io::Error| match error.kind() {
        ErrorKind::UnexpectedEof => Cause::CorruptGzip("it is cut off".to_owned()),
        ErrorKind::InvalidInput | ErrorKind::InvalidData => Cause::CorruptGzip(error.to_string()),
        _ => cause_of(error),
    };
    let expanded = size.saturating_mul(limits.expansion).max(UNPACKED_FREELY);
    let (limit, beyond) = match expanded < limits.content {
        true => (expanded, Cause::Bomb(limits.expansion)),
        false => (limits.content, Cause::TooBig(limits.content)),
    };
    let mut first = Vec::new();
    fill(&mut unpacked, &mut first).map_err(cause)?;
    Ok((copy(&mut unpacked, first, limit, beyond, sink, cause)?, true))
}

/// Hands on a chunk and those that follow.
fn copy<E: Display>(
    from: &mut impl Read,
    mut chunk: Vec<u8>,
    limit: u64,
    beyond: Cause,
    sink: &mut dyn FnMut(Vec<u8>) -> Result<Vec<u8>, E>,
    cause: impl Fn(io::Error) -> Cause,
) -> Result<u64, Cause> {
    let mut content = 0;
    while !chunk.is_empty() {
        content += chunk.len() as u64;
        if content > limit {
            return Err(beyond);
        }
        chunk = sink(chunk).map_err(|error| Cause::Fatal(error.to_string()))?;
        fill(from, &mut chunk).map_err(&cause)?;
    }
    Ok(content)
}

/// Replaces what is in a buffer by the next chunk, which is shorter only at the end: also the first two
/// bytes must come together for the content to be recognised.
pub(super) fn fill(from: &mut impl Read, chunk: &mut Vec<u8>) -> io::Result<()> {
    chunk.resize(CHUNK, 0);
    let mut filled = 0;
    while filled < CHUNK {
        match from.read(&mut chunk[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    chunk.truncate(filled);
    Ok(())
}

/// The file's own bytes, hashed as they pass.
struct Raw<'a> {
    file: &'a File,
    hash: Xxh3Default,
}

impl<'a> Raw<'a> {
    fn new(file: &'a File) -> Self {
        Self { file, hash: Xxh3Default::new() }
    }
}

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}
