//! What is known of each feed over restarts: a small JSON file in the folder of the mirror. `dnsbld sync` writes
//! it; the server, which is another user, reads it for its status.

use crate::snapshot::Unfinished;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The longest record in bytes.
const MAX_SIZE: u64 = 64 << 10;

/// The folder of a mirror in which `dnsbld sync` keeps what is not published; no data file is looked for there.
pub const WORKSHOP: &str = ".sync";

/// The folder of a feed in the workshop of this mirror.
pub fn workshop(mirror: &Path, feed: &str) -> PathBuf {
    mirror.join(WORKSHOP).join(feed)
}

/// What is known of a feed. Times are in seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct FeedRecord {
    /// The name of the feed.
    pub name: String,
    /// The source, without a password.
    pub source: String,
    /// When the last try began.
    pub last_try: Option<u64>,
    /// When the last try ended that brought all files, changed or not.
    pub last_success: Option<u64>,
    /// When files with other bytes were last published.
    pub last_change: Option<u64>,
    /// Before this time there is no other try.
    pub next_try: u64,
    /// The bytes that came and went over the line at the last success.
    pub transferred: u64,
    /// The bytes of all files of the source at the last success.
    pub size: u64,
    /// The published files that the source had no more at the last success.
    pub orphans: u64,
    /// The tries that have failed since the last success.
    pub failures: u32,
    /// What went wrong at the last try.
    pub failure: Option<FeedFailure>,
}

/// Why a try has failed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct FeedFailure {
    /// What happened.
    pub cause: String,
    /// What to do about it.
    pub remedy: String,
}

impl FeedRecord {
    /// The record of a feed of which nothing is known.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// How many times fewer bytes were transferred than the files have, rounded; `None` if nothing was.
    pub fn speed_up(&self) -> Option<u64> {
        let half = self.transferred / 2;
        (self.size.saturating_add(half)).checked_div(self.transferred)
    }

    /// Reads the record of a feed; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is too long, is no record, or is one of another feed.
    pub fn read(mirror: &Path, feed: &str) -> io::Result<Option<Self>> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let opened = File::options().read(true).custom_flags(flags).open(path(mirror, feed));
        let file = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = Vec::new();
        file.take(MAX_SIZE + 1).read_to_end(&mut text)?;
        Self::parse(&text, feed).map(Some)
    }

    /// Reads the text of the record of a feed. Fields that it does not know are passed over.
    ///
    /// # Errors
    ///
    /// When it is too long, is no record, or is one of another feed.
    pub fn parse(text: &[u8], feed: &str) -> io::Result<Self> {
        if text.len() as u64 > MAX_SIZE {
            return Err(invalid("it is too long"));
        }
        let record: Self = serde_json::from_slice(text).map_err(invalid)?;
        if record.name != feed {
            return Err(invalid("it is of another feed"));
        }
        Ok(record)
    }

    /// Puts the record in its place, whole or not at all, readable for all.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn write(&self, mirror: &Path) -> io::Result<()> {
        let path = path(mirror, &self.name);
        create_folder(&workshop(mirror, &self.name))?;
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let mut new = Unfinished::create(&path)?;
        new.file.set_permissions(Permissions::from_mode(0o644))?;
        new.file.write_all(&text)?;
        new.file.sync_all()?;
        new.finish(&path)
    }
}

/// Creates a folder that all may look into, with the folders above it, unless it is there.
///
/// # Errors
///
/// Those of the system.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder)
}

fn path(mirror: &Path, feed: &str) -> PathBuf {
    workshop(mirror, feed).join("record.json")
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn record() -> FeedRecord {
        FeedRecord {
            source: "host::module/list".to_owned(),
            last_try: Some(100),
            last_success: Some(101),
            next_try: 200,
            transferred: 30,
            size: 100,
            failure: Some(FeedFailure { cause: "it broke".to_owned(), remedy: String::new() }),
            ..FeedRecord::new("list")
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mirror = tempfile::tempdir().unwrap();
        assert_eq!(FeedRecord::read(mirror.path(), "list").unwrap(), None);
        record().write(mirror.path()).unwrap();
        assert_eq!(FeedRecord::read(mirror.path(), "list").unwrap(), Some(record()));
        let path = mirror.path().join(".sync/list/record.json");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "the server is another user");
        let text = fs::read_to_string(&path).unwrap();
        let newer = text.replacen('{', "{\"colour\": [1, {}],", 1);
        fs::write(&path, newer).unwrap();
        assert_eq!(FeedRecord::read(mirror.path(), "list").unwrap(), Some(record()));
    }

    #[test]
    fn the_speed_up_is_rounded() {
        assert_eq!(record().speed_up(), Some(3));
        assert_eq!(FeedRecord { transferred: 0, ..record() }.speed_up(), None);
        assert_eq!(
            FeedRecord { size: u64::MAX, transferred: 3, ..record() }.speed_up(),
            Some(u64::MAX / 3)
        );
    }

    #[test]
    fn what_is_no_record_of_the_feed_is_an_error() {
        let told = |text: &[u8]| FeedRecord::parse(text, "list").unwrap_err().to_string();
        assert!(told(b"{").contains("EOF"));
        assert!(told(b"7").contains("invalid type"));
        assert!(told(br#"{"name":"list","failures":-1}"#).contains("invalid value"));
        assert_eq!(told(br#"{"name":"other"}"#), "it is of another feed");
        assert_eq!(told(&b" ".repeat(70_000)), "it is too long");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes: Vec<u8>, at: usize, length in 0usize..40) {
            let _ = FeedRecord::parse(&bytes, "list");
            // A good one with a part of it replaced.
            let mut text = serde_json::to_vec(&record()).unwrap();
            let start = at % text.len();
            let end = (start + length).min(text.len());
            text.splice(start..end, bytes);
            if let Ok(read) = FeedRecord::parse(&text, "list") {
                prop_assert_eq!(read.name, "list");
            }
        }
    }
}
