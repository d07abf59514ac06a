//! Reading a file that is appended to all the time, and so is never stable.

use super::error::{Cause, Problem};
use super::identity::Identity;
use super::read::{CHUNK, Limits, ReadReport, cause_of, fill, identity_of_open, open};
use std::fmt::Display;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use xxhash_rust::xxh3::Xxh3Default;

/// Reads the whole lines of a file, like [`read`](super::read()), if it still begins with what was read of it
/// before: then everything else was appended, even if a writer is still at work.
///
/// The report is that of a file which ends with the last whole line.
///
/// # Errors
///
/// [`Cause::Torn`] if it begins otherwise, or was gzip data; else those of `read`.
pub fn read_appended<E: Display>(
    path: &Path,
    limits: &Limits,
    known: &ReadReport,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<ReadReport, Problem> {
    let problem = |cause| Problem { file: path.to_owned(), cause };
    let file = open(path).map_err(problem)?;
    let before = identity_of_open(&file).map_err(problem)?;
    // An empty file proves nothing about an append.
    let is_known = known.identity.size > 0 && !known.compressed;
    if !is_known || !before.extends(&known.identity) {
        return Err(problem(Cause::Torn));
    }
    if before.size > limits.content {
        return Err(problem(Cause::TooBig(limits.content)));
    }
    let outcome = pass_on(&file, before.size, known, sink);
    // What was read behind the known beginning may have been written anew meanwhile.
    let is_moving = identity_of_open(&file).map_err(problem)? != before;
    let (content, hash) = match outcome {
        Err(Cause::Fatal(_)) if is_moving => return Err(problem(Cause::Torn)),
        outcome => outcome.map_err(problem)?,
    };
    if is_moving && hash_of(&file, content).map_err(problem)? != hash {
        return Err(problem(Cause::Torn));
    }
    let after = identity_of_open(&file).map_err(problem)?;
    let named = std::fs::metadata(path).map(|metadata| Identity::of(&metadata));
    if !after.extends(&before) || !named.is_ok_and(|named| named.extends(&before)) {
        return Err(problem(Cause::Torn));
    }
    let identity = Identity { size: content, ..before };
    Ok(ReadReport { identity, settled: false, hash, content, compressed: false })
}

/// The most bytes of a line. A longer one is space that was allocated and not written yet.
const LONGEST_LINE: usize = 4 * CHUNK;

/// The hash of the first `size` bytes.
fn hash_of(mut file: &File, size: u64) -> Result<u128, Cause> {
    file.rewind().map_err(cause_of)?;
    let (mut from, mut chunk, mut hash) = (file.take(size), Vec::new(), Xxh3Default::new());
    loop {
        fill(&mut from, &mut chunk).map_err(cause_of)?;
        if chunk.is_empty() {
            return Ok(hash.digest128());
        }
        hash.update(&chunk);
    }
}

/// Hands on the whole lines in the first `size` bytes; returns their length and their hash.
fn pass_on<E: Display>(
    file: &File,
    size: u64,
    known: &ReadReport,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(u64, u128), Cause> {
    let mut from = file.take(size);
    let (mut beginning, mut to_check) = (Xxh3Default::new(), known.identity.size);
    let (mut lines, mut content) = (Xxh3Default::new(), 0);
    let mut chunk = Vec::with_capacity(CHUNK);
    // The beginning of a line whose end has not come yet.
    let mut begun = Vec::new();
    loop {
        fill(&mut from, &mut chunk).map_err(cause_of)?;
        if chunk.is_empty() {
            break;
        }
        let checked = usize::try_from(to_check).unwrap_or(usize::MAX).min(chunk.len());
        if checked > 0 {
            beginning.update(&chunk[..checked]);
            to_check -= checked as u64;
            if to_check == 0 && beginning.digest128() != known.hash {
                return Err(Cause::Torn);
            }
        }
        let whole = memchr::memrchr(b'\n', &chunk).map_or(0, |end| end + 1);
        if whole > 0 {
            begun.extend_from_slice(&chunk[..whole]);
            lines.update(&begun);
            content += begun.len() as u64;
            // What is not known yet to be its beginning can be anything.
            sink(&begun).map_err(|error| match to_check {
                0 => Cause::Fatal(error.to_string()),
                _ => Cause::Torn,
            })?;
            begun.clear();
        }
        begun.extend_from_slice(&chunk[whole..]);
        if begun.len() > LONGEST_LINE {
            return Err(Cause::Torn);
        }
    }
    if to_check > 0 {
        return Err(Cause::Torn);
    }
    Ok((content, lines.digest128()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::read;
    use std::convert::Infallible;
    use std::fs::OpenOptions;
    use std::io::Write as _;
    use tempfile::TempDir;

    struct List {
        _folder: TempDir,
        path: std::path::PathBuf,
        known: ReadReport,
    }

    impl List {
        fn new(text: &[u8]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("list");
            std::fs::write(&path, text).unwrap();
            let known = read(&path, &Limits::default(), &mut |_| Ok::<(), Infallible>(())).unwrap();
            Self { _folder: folder, path, known }
        }

        fn append(&self, text: &[u8]) {
            OpenOptions::new().append(true).open(&self.path).unwrap().write_all(text).unwrap();
        }

        /// Reads it, and remembers what was read.
        fn grown(&mut self) -> Result<Vec<u8>, Cause> {
            let mut text = Vec::new();
            let report = read_appended(&self.path, &Limits::default(), &self.known, &mut |chunk| {
                text.extend_from_slice(chunk);
                Ok::<(), Infallible>(())
            });
            self.known = report.map_err(|problem| problem.cause)?;
            assert_eq!(self.known.content, text.len() as u64);
            assert_eq!(self.known.hash, xxhash_rust::xxh3::xxh3_128(&text));
            Ok(text)
        }
    }

    #[test]
    fn whole_lines_are_read_of_what_was_added() {
        for length in [1, 1000, CHUNK / 10, CHUNK / 2] {
            let mut list = List::new(&b"10.0.0.1\n".repeat(length));
            let mut wanted = b"10.0.0.1\n".repeat(length);
            for (added, whole) in [("10.0.0.2\n10", 9), (".0.0.3", 0), ("\n10.0.0.4\n", 18)] {
                list.append(added.as_bytes());
                if whole == 0 {
                    assert_eq!(list.grown().unwrap(), wanted, "{length}");
                    continue;
                }
                let text = std::fs::read(&list.path).unwrap();
                wanted = text[..wanted.len() + whole].to_vec();
                assert_eq!(list.grown().unwrap(), wanted, "{length}");
            }
        }
    }

    /// Regression: what stood in the place of the known beginning was judged before it was compared with
    /// it, and was refused for good instead of waited for.
    #[test]
    fn what_is_not_known_to_be_the_beginning_is_not_judged() {
        let list = List::new(&b"10.0.0.1\n".repeat(CHUNK / 4));
        let refuse = || {
            let sink = &mut |_: &[u8]| Err("is no list");
            read_appended(&list.path, &Limits::default(), &list.known, sink).unwrap_err().cause
        };
        std::fs::write(&list.path, b"10.0.0.9\n".repeat(CHUNK / 2)).unwrap();
        assert_eq!(refuse(), Cause::Torn);
    }

    #[test]
    fn what_was_written_anew_is_not_taken_for_grown() {
        let write: [fn(&List); 5] = [
            // Space set aside.
            |list| list.append(&vec![0; 2 * LONGEST_LINE]),
            |list| std::fs::write(&list.path, b"10.0.0.9\n".repeat(9)).unwrap(),
            |list| std::fs::write(&list.path, b"10.0.0.1\n").unwrap(),
            |list| {
                let new = list.path.with_extension("new");
                std::fs::write(&new, b"10.0.0.1\n".repeat(9)).unwrap();
                std::fs::rename(new, &list.path).unwrap();
            },
            |list| {
                let text = [b"10.0.0.1\n".repeat(4), b"10.0.0.2\n".repeat(4)].concat();
                std::fs::write(&list.path, text).unwrap();
            },
        ];
        for (number, write) in write.into_iter().enumerate() {
            let mut list = List::new(&b"10.0.0.1\n".repeat(5));
            write(&list);
            assert_eq!(list.grown(), Err(Cause::Torn), "{number}");
        }
    }
}
