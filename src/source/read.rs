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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::read_ahead;
    use flate2::{Compression, write::GzEncoder};
    use std::convert::Infallible;
    use std::io::Write;
    use std::path::PathBuf;
    use tempfile::TempDir;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    type Sink<'a, E> = &'a mut dyn FnMut(&[u8]) -> Result<(), E>;
    type Read<E> = fn(&Path, &Limits, Sink<'_, E>) -> Result<ReadReport, Problem>;

    /// Both ways to read a file.
    fn ways<E: Display>() -> [Read<E>; 2] {
        [read, |path, limits, sink| {
            let prepare = |chunk: &[u8]| chunk.to_vec();
            read_ahead(path, limits, &prepare, &mut |chunk, prepared| {
                assert!(prepared.is_none_or(|prepared| prepared == chunk));
                sink(chunk)
            })
        }]
    }

    /// What both ways give.
    fn slurp(path: &Path, limits: &Limits) -> Result<(Vec<u8>, ReadReport), Cause> {
        let [one, other] = ways().map(|read| {
            let mut text = Vec::new();
            let report = read(path, limits, &mut |chunk| {
                assert!(chunk.len() <= CHUNK);
                text.extend_from_slice(chunk);
                Ok::<(), Infallible>(())
            });
            report.map(|report| (text, report)).map_err(|problem| {
                assert_eq!(problem.file, path);
                problem.cause
            })
        });
        let unsettled = |got: &Result<(_, ReadReport), _>| {
            got.clone().map(|(text, report)| (text, ReadReport { settled: false, ..report }))
        };
        assert!(unsettled(&one) == unsettled(&other));
        one
    }

    #[test]
    fn plain_and_gzip_files_of_all_sizes_come_out_whole() {
        for length in [0, 1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7] {
            let text: Vec<u8> = (0..length).map(|i| (i * 31 % 251) as u8).collect();
            let packed = gzip(&text);
            for (bytes, compressed) in [(&text, false), (&packed, true)] {
                let (_folder, path) = file(bytes);
                let (got, report) = slurp(&path, &Limits::default()).unwrap();
                assert!(got == text, "{length} bytes, compressed: {compressed}");
                assert_eq!(report.content, length as u64);
                assert_eq!(report.compressed, compressed);
                assert_eq!(report.identity.size, bytes.len() as u64);
                assert_eq!(report.hash, xxhash_rust::xxh3::xxh3_128(bytes));
            }
        }
    }

    #[test]
    fn gzip_files_put_one_after_the_other_are_one_text() {
        let (_folder, path) = file(&[gzip(b"1.2.3.4\n"), gzip(b""), gzip(b"5.6.7.8\n")].concat());
        assert_eq!(slurp(&path, &Limits::default()).unwrap().0, b"1.2.3.4\n5.6.7.8\n");
    }

    #[test]
    fn damaged_gzip_data_is_an_error_wherever_it_is_damaged() {
        let packed = gzip(&b"1.2.3.4 :2:text\n".repeat(500));
        for cut in 2..packed.len() {
            let (_folder, path) = file(&packed[..cut]);
            let cause = slurp(&path, &Limits::default()).unwrap_err();
            assert_eq!(cause, Cause::CorruptGzip("it is cut off".to_owned()), "cut at {cut}");
        }
        let mut wrong_sum = packed.clone();
        let end = wrong_sum.len();
        wrong_sum[end - 8] ^= 1;
        let (_folder, path) = file(&wrong_sum);
        let cause = slurp(&path, &Limits::default()).unwrap_err();
        assert!(matches!(cause, Cause::CorruptGzip(_)), "{cause:?}");
    }

    /// Regression: what is too long was said to be cut off, and zeros, which `gzip -t` lets pass, a fault.
    #[test]
    fn nothing_but_zeros_may_follow_gzip_data() {
        let packed = gzip(b"1.2.3.4\n");
        for zeros in [1, 512, 3 * CHUNK] {
            let (_folder, path) = file(&[&packed[..], &vec![0; zeros]].concat());
            assert_eq!(slurp(&path, &Limits::default()).unwrap().0, b"1.2.3.4\n");
        }
        for junk in [&b"junk"[..], b"\0\0j", b"j"] {
            let (_folder, path) = file(&[&packed[..], junk].concat());
            let cause = slurp(&path, &Limits::default()).unwrap_err();
            assert_eq!(cause, Cause::CorruptGzip("other bytes follow its end".to_owned()));
        }
    }

    /// Regression: gigabytes were read of what is too big by its size.
    #[test]
    fn of_a_file_that_is_too_big_nothing_is_handed_on() {
        let (_folder, path) = file(b"1.2.3.4\n");
        let limits = Limits { content: 7, ..Limits::default() };
        let problem = read(&path, &limits, &mut |_| -> Result<(), Infallible> { panic!("it is") });
        assert_eq!(problem.unwrap_err().cause, Cause::TooBig(7));
        assert!(slurp(&path, &Limits { content: 8, ..limits }).is_ok());
    }

    #[test]
    fn a_gzip_bomb_stops_at_the_limit() {
        let (_folder, path) = file(&gzip(&vec![b'#'; 8 << 20]));
        let limits = Limits { content: 1 << 20, ..Limits::default() };
        let mut most = 0;
        let problem = read(&path, &limits, &mut |chunk| {
            most += chunk.len();
            Ok::<(), Infallible>(())
        });
        assert_eq!(problem.unwrap_err().cause, Cause::TooBig(1 << 20));
        assert!(most <= 1 << 20);
        assert!(slurp(&path, &Limits { content: 8 << 20, ..limits }).is_ok());
    }

    #[test]
    fn what_no_list_packs_to_is_a_bomb() {
        let lines = b"1/8\n".repeat(5 << 20);
        let packed = gzip(&lines);
        let (_folder, path) = file(&packed);
        assert_eq!(slurp(&path, &Limits::default()).unwrap_err(), Cause::Bomb(100));
        let limits = Limits { expansion: 2000, ..Limits::default() };
        assert_eq!(slurp(&path, &limits).unwrap().0.len(), lines.len());
        // However well it packs, what is short is no danger.
        let (_folder, path) = file(&gzip(&lines[..16 << 20]));
        assert!(slurp(&path, &Limits::default()).is_ok());
    }

    #[test]
    fn a_compressed_file_is_an_error_if_so_wanted() {
        let (_folder, path) = file(&gzip(b"1.2.3.4\n"));
        let limits = Limits { decompress: false, ..Limits::default() };
        assert_eq!(slurp(&path, &limits).unwrap_err(), Cause::Compressed);
    }

    #[test]
    fn what_is_no_regular_file_is_an_error_and_never_blocks() {
        let (folder, _) = file(b"");
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let nothing = folder.path().join("dangling");
        std::os::unix::fs::symlink("nowhere", &nothing).unwrap();
        for (path, cause) in [
            (folder.path(), Cause::NotAFile("directory")),
            (&fifo, Cause::NotAFile("fifo")),
            (Path::new("/dev/zero"), Cause::NotAFile("device")),
            (&folder.path().join("absent"), Cause::Vanished),
            (&nothing, Cause::Vanished),
        ] {
            assert_eq!(slurp(path, &Limits::default()).unwrap_err(), cause);
        }
    }

    #[test]
    fn any_change_under_the_reader_makes_the_read_torn() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 7] = [
            ("written in place", |path| {
                let file = OpenOptions::new().write(true).open(path).unwrap();
                std::os::unix::fs::FileExt::write_all_at(&file, b"9", 0).unwrap();
            }),
            ("truncated", |path| {
                OpenOptions::new().write(true).open(path).unwrap().set_len(CHUNK as u64).unwrap();
            }),
            ("appended to", |path| {
                OpenOptions::new().append(true).open(path).unwrap().write_all(b"9").unwrap();
            }),
            ("time set back", |path| {
                File::open(path).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
            }),
            ("renamed over", |path| {
                let new = path.with_extension("new");
                std::fs::copy(path, &new).unwrap();
                std::fs::rename(new, path).unwrap();
            }),
            ("removed", |path| std::fs::remove_file(path).unwrap()),
            ("replaced by a folder", |path| {
                std::fs::remove_file(path).unwrap();
                std::fs::create_dir(path).unwrap();
            }),
        ];
        for ((name, change), read) in
            changes.into_iter().flat_map(|change| ways().map(|read| (change, read)))
        {
            // So long that nobody has read it all when the first chunk is taken.
            let (_folder, path) = file(&vec![b'1'; 8 * CHUNK + 1]);
            // Longer than the tick in which two changes get the same time.
            std::thread::sleep(std::time::Duration::from_millis(20));
            let mut done = false;
            let problem = read(&path, &Limits::default(), &mut |_| {
                if !std::mem::replace(&mut done, true) {
                    change(&path);
                }
                Ok::<(), Infallible>(())
            });
            assert_eq!(problem.map_err(|problem| problem.cause), Err(Cause::Torn), "{name}");
        }
    }

    #[test]
    fn an_error_of_the_sink_ends_the_reading_but_torn_comes_first() {
        for read in ways() {
            let (_folder, path) = file(&vec![b'1'; 8 * CHUNK]);
            let mut calls = 0;
            let problem = read(&path, &Limits::default(), &mut |_| {
                calls += 1;
                Err("line 1: $TIMESTAMP lies in the future")
            });
            let cause = Cause::Fatal("line 1: $TIMESTAMP lies in the future".to_owned());
            assert_eq!(problem.unwrap_err().cause, cause);
            assert_eq!(calls, 1);
            let problem = read(&path, &Limits::default(), &mut |_| {
                std::fs::remove_file(&path).unwrap();
                Err("garbage")
            });
            assert_eq!(problem.unwrap_err().cause, Cause::Torn);
        }
    }
}
