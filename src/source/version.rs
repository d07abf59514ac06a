//! One version of a file, read once more as it lies on disk: for whoever keeps a copy of it.

use super::identity::Identity;
use super::read::{CHUNK, fill, identity_of_open, open};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

/// A version of a file that was read, or was refused while it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// The file, as the configuration names it.
    pub path: PathBuf,
    /// Its identity. Of a file that is appended to, the size is that of the whole lines that were read.
    pub identity: Identity,
    /// The XXH3 128-bit hash of its bytes, if it was read to its end.
    pub hash: Option<u128>,
}

impl Version {
    /// Hands the bytes of this version to `sink`, and gives their hash; `None` if the file is another
    /// version now or cannot be read. What the sink got is then of no use. If the sink has enough, and the hash
    /// is not known, the rest is not read, and the hash is that of the beginning.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    pub fn read(
        &self,
        sink: &mut dyn FnMut(&[u8]) -> io::Result<ControlFlow<()>>,
    ) -> io::Result<Option<u128>> {
        let Ok(file) = open(&self.path) else { return Ok(None) };
        if !self.is_shown_by(&self.path) {
            return Ok(None);
        }
        let (mut from, mut chunk) = ((&file).take(self.identity.size), Vec::with_capacity(CHUNK));
        let (mut hash, mut size) = (Xxh3Default::new(), 0);
        loop {
            if fill(&mut from, &mut chunk).is_err() {
                return Ok(None);
            }
            if chunk.is_empty() && size == self.identity.size {
                break;
            }
            if chunk.is_empty() {
                return Ok(None);
            }
            hash.update(&chunk);
            size += chunk.len() as u64;
            if sink(&chunk)?.is_break() && self.hash.is_none() {
                break;
            }
        }
        let hash = hash.digest128();
        let is_same = match self.hash {
            Some(known) => known == hash,
            // Only its identity tells.
            None => identity_of_open(&file).is_ok_and(|now| now == self.identity),
        };
        Ok(is_same.then_some(hash))
    }

    /// True if the path may show this version still, by its size and place alone where the hash will tell.
    fn is_shown_by(&self, path: &Path) -> bool {
        let Ok(metadata) = std::fs::metadata(path) else { return false };
        let now = Identity::of(&metadata);
        match self.hash {
            Some(_) => now.size >= self.identity.size,
            None => now == self.identity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileState, Limits, read};
    use std::convert::Infallible;

    fn text(version: &Version) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        let mut take = |chunk: &[u8]| {
            text.extend_from_slice(chunk);
            Ok(ControlFlow::Continue(()))
        };
        version.read(&mut take).unwrap().map(|_| text)
    }

    #[test]
    fn only_the_version_itself_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, "10.0.0.1\n").unwrap();
        let report = read(&path, &Limits::default(), &mut |_| Ok::<(), Infallible>(())).unwrap();
        let hash = Some(report.hash);
        let read = Version { path: path.clone(), identity: report.identity, hash };
        let FileState::File(identity) = FileState::of(&path) else { panic!("no file") };
        let seen = Version { path: path.clone(), identity, hash: None };
        assert_eq!(text(&read), Some(b"10.0.0.1\n".to_vec()));
        assert_eq!(text(&seen), Some(b"10.0.0.1\n".to_vec()));
        // More lines at its end: the version is their beginning, as is known by the hash alone.
        std::fs::write(&path, "10.0.0.1\n10.0.0.2\n").unwrap();
        assert_eq!(text(&read), Some(b"10.0.0.1\n".to_vec()));
        assert_eq!(text(&seen), None);
        for other in ["10.0.0.2\n", "10.0", ""] {
            std::fs::write(&path, other).unwrap();
            assert_eq!((text(&read), text(&seen)), (None, None), "{other:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!((text(&read), text(&seen)), (None, None));
    }

    /// A file of a terabyte is refused at once, and must not be read to its end to be kept.
    #[test]
    fn what_is_too_long_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let FileState::File(identity) = FileState::of(&path) else { panic!("no file") };
        let version = Version { path, identity, hash: None };
        let mut chunks = 0;
        let mut take = |_: &[u8]| {
            chunks += 1;
            Ok(if chunks < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        };
        assert!(version.read(&mut take).unwrap().is_some());
        assert_eq!(chunks, 3);
    }

    #[test]
    fn the_error_of_the_sink_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, "10.0.0.1\n").unwrap();
        let FileState::File(identity) = FileState::of(&path) else { panic!("no file") };
        let version = Version { path, identity, hash: None };
        let full = version.read(&mut |_| Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
