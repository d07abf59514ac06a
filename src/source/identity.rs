//! What a path names at one moment, told by `stat` alone.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// File systems with coarse times keep whole seconds, FAT keeps every second one.
pub(crate) const COARSE_TICK: Duration = Duration::from_secs(2);

/// The others keep the time of the kernel's last tick, of which there are at least 100 in a second.
const TICK: Duration = Duration::from_millis(50);

/// The number of the null device on Linux (null(4)).
const NULL_DEVICE: u64 = libc::makedev(1, 3);

/// A time of a file as the file system keeps it; may lie before 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Stamp {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanoseconds: i64,
}

/// What tells one version of a file from another without reading it.
///
/// Two versions are compared for being *different*, never for being newer: `rsync --times` and
/// `mv` set modification times back. The change time cannot be set by hand, so an update of the
/// same size within the same second still shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Identity {
    /// The device the file lies on.
    pub device: u64,
    /// The number of the file on its device.
    pub inode: u64,
    /// The size in bytes.
    pub size: u64,
    /// When the content was last modified, as anybody may have set it.
    pub modified: Stamp,
    /// When the content or the attributes last changed, as the kernel saw it.
    pub changed: Stamp,
}

impl Identity {
    /// The identity in the metadata of an open file or of a path.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: Stamp { seconds: metadata.mtime(), nanoseconds: metadata.mtime_nsec() },
            changed: Stamp { seconds: metadata.ctime(), nanoseconds: metadata.ctime_nsec() },
        }
    }

    /// True if this may be a later version of the same file with more behind it, or nothing.
    pub(super) fn extends(&self, before: &Self) -> bool {
        (self.device, self.inode) == (before.device, before.inode) && self.size >= before.size
    }

    /// True if the modification time lies in the first second of 1970. `rsync --partial` sets the
    /// seconds to 0 of the incomplete file that it leaves under the final name when it is
    /// stopped, so that its next run does not take that file for whole.
    pub fn is_interrupted_transfer(&self) -> bool {
        self.modified.seconds == 0
    }

    /// True if a change after `now` is sure to give the file another identity: a kernel's clock
    /// stands still for some milliseconds between its ticks, and file systems with coarse times
    /// count seconds. A file from the future is never settled.
    pub fn is_settled(&self, now: SystemTime) -> bool {
        let tick = if self.has_coarse_times() { COARSE_TICK } else { TICK };
        self.age(now).is_some_and(|age| age > tick)
    }

    /// How long ago the file last changed; nothing if that lies in the future.
    pub fn age(&self, now: SystemTime) -> Option<Duration> {
        let seconds = u64::try_from(self.changed.seconds).ok()?;
        let changed = Duration::new(seconds, self.changed.nanoseconds.try_into().ok()?);
        now.duration_since(UNIX_EPOCH).ok()?.checked_sub(changed)
    }

    /// True if the file system seems to keep whole seconds only, so that two changes within one
    /// second, or two on FAT, can look like one.
    pub fn has_coarse_times(&self) -> bool {
        self.changed.nanoseconds == 0
    }
}

/// What a path shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileState {
    /// A regular file, symlinks followed.
    File(Identity),
    /// Nothing there, or a symlink to nothing.
    Vanished,
    /// Something that is no regular file, by name: "directory", "fifo" ...
    NotAFile(&'static str),
    /// The path cannot be looked at; the number is the operating system's error.
    Unreadable(i32),
}

impl FileState {
    /// Looks at a path with one `stat`.
    pub fn of(path: &Path) -> Self {
        match std::fs::metadata(path) {
            Ok(metadata) => match special_kind(&metadata) {
                None => Self::File(Identity::of(&metadata)),
                Some(kind) => Self::NotAFile(kind),
            },
            Err(error) if is_absence(&error) => Self::Vanished,
            Err(error) => Self::Unreadable(error.raw_os_error().unwrap_or(0)),
        }
    }

    /// True if this is the same file with something behind it.
    pub(crate) fn is_longer_than(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::File(now), Self::File(then)) => now.extends(then) && now.size > then.size,
            _ => false,
        }
    }

    /// True if both are the same file, in whatever version, or both are none.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(a), Self::File(b)) => (a.device, a.inode) == (b.device, b.inode),
            (a, b) => a == b,
        }
    }
}

/// A version of a file that may be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stable {
    /// What the path showed.
    pub state: FileState,
    /// The file is appended to all the time and never stable: any later version that begins like this one
    /// may be read too, see [`read_appended`](super::read_appended).
    pub appending: bool,
}

impl Stable {
    /// True if a file that shows this may be read.
    pub fn admits(&self, state: &FileState) -> bool {
        match (state, &self.state) {
            (FileState::File(now), FileState::File(then)) if self.appending => now.extends(then),
            (now, then) => now == then,
        }
    }
}

/// True if the error says that there is nothing under a path.
pub(super) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The name of what is not a regular file. The null device is as good as an empty file, and what
/// Debian's rbldnsd serves as long as it is not configured.
pub(super) fn special_kind(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_char_device() && metadata.rdev() == NULL_DEVICE {
        None
    } else if kind.is_dir() {
        Some("directory")
    } else if kind.is_fifo() {
        Some("fifo")
    } else if kind.is_socket() {
        Some("socket")
    } else {
        Some("device")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_as_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list");
        assert_eq!(FileState::of(&file), FileState::Vanished);
        assert_eq!(FileState::of(folder.path()), FileState::NotAFile("directory"));
        assert_eq!(FileState::of(Path::new("/dev/zero")), FileState::NotAFile("device"));
        let null = FileState::of(Path::new("/dev/null"));
        assert!(matches!(null, FileState::File(Identity { size: 0, .. })), "{null:?}");
        std::fs::write(&file, "1.2.3.4\n").unwrap();
        let FileState::File(identity) = FileState::of(&file) else { panic!("not seen as a file") };
        assert_eq!(identity.size, 8);
        assert_eq!(FileState::of(&file.join("below-a-file")), FileState::Vanished);
        let link = folder.path().join("loop");
        std::os::unix::fs::symlink(&link, &link).unwrap();
        assert_eq!(FileState::of(&link), FileState::Unreadable(libc::ELOOP));
    }

    #[test]
    fn a_file_is_settled_when_no_later_change_can_look_like_the_last() {
        let identity = |nanoseconds| Identity {
            device: 1,
            inode: 1,
            size: 1,
            modified: Stamp::default(),
            changed: Stamp { seconds: 1000, nanoseconds },
        };
        let at = |milliseconds| UNIX_EPOCH + Duration::from_millis(milliseconds);
        for (nanoseconds, milliseconds, settled) in [
            (1, 1_000_001, false),
            (1, 1_000_040, false),
            (1, 1_000_100, true),
            (0, 1_001_999, false),
            (0, 1_002_001, true),
            (1, 900_000, false),
        ] {
            assert_eq!(identity(nanoseconds).is_settled(at(milliseconds)), settled);
        }
    }

    #[test]
    fn only_the_first_second_of_1970_marks_an_interrupted_transfer() {
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(folder.path().join("list")).unwrap();
        for (milliseconds, interrupted) in [(0, true), (656, true), (1000, false)] {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(milliseconds);
            file.set_modified(time).unwrap();
            let identity = Identity::of(&file.metadata().unwrap());
            assert_eq!(identity.is_interrupted_transfer(), interrupted);
        }
    }
}
