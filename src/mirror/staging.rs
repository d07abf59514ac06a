//! The files of a feed between their arrival and their publication (decision 018).
//!
//! They arrive in `incoming`. When all are there and are right, that folder is renamed to `ready`: from then
//! on they are published, each by a rename. A supervisor that ends in the middle of that leaves the rest in
//! `ready`, and the next one goes on. What is left in `incoming` is the beginning of the next transfer.

use super::exit::last_words;
use super::outcome::NotFetched;
use super::places::Places;
use crate::config::Feed;
use crate::state::feeds::create_folder;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// The most bytes of a file that is too short that are shown.
const SHOWN: u64 = 300;

/// The staging folders of a feed.
pub(super) struct Staging<'f> {
    feed: &'f Feed,
    places: &'f Places,
}

impl<'f> Staging<'f> {
    pub(super) fn new(feed: &'f Feed, places: &'f Places) -> Self {
        Self { feed, places }
    }

    /// Ends what another supervisor has begun, and makes the folder for new files.
    pub(super) fn prepare(&self) -> Result<(), NotFetched> {
        self.go_on()?;
        create_folder(&self.places.incoming).map_err(|error| self.trouble(&error))
    }

    /// Publishes what is ready, which a supervisor may have left.
    pub(super) fn go_on(&self) -> Result<(), NotFetched> {
        let Places { published, ready, .. } = self.places;
        if !ready.exists() {
            return Ok(());
        }
        let publish = || -> io::Result<()> {
            create_readable(published)?;
            for file in files(ready)? {
                let target = published.join(&file);
                if let Some(folder) = target.parent() {
                    create_readable(folder)?;
                }
                fs::rename(ready.join(&file), &target)?;
            }
            sync_folders(published)?;
            fs::remove_dir_all(ready)
        };
        publish().map_err(|error| self.trouble(&error))
    }

    /// Whether any file has arrived.
    pub(super) fn has_files(&self) -> Result<bool, NotFetched> {
        let files = files(&self.places.incoming).map_err(|error| self.trouble(&error))?;
        Ok(!files.is_empty())
    }

    /// Checks that each file that must be there is, and none is too short or too long. Removes those that the
    /// settings do not name.
    pub(super) fn check(&self) -> Result<(), NotFetched> {
        let Places { incoming, published, .. } = self.places;
        let known = self.feed.known_files();
        let is_complete = self.names_all();
        let found = files(incoming).map_err(|error| self.trouble(&error))?;
        for file in &found {
            let path = incoming.join(file);
            if is_complete && !known.iter().any(|name| Path::new(name) == file) {
                fs::remove_file(path).map_err(|error| self.trouble(&error))?;
                continue;
            }
            let size = fs::metadata(&path).map_err(|error| self.trouble(&error))?.len();
            self.check_size(&path, file, size)?;
        }
        for name in known {
            if !found.iter().any(|file| file == Path::new(name)) && !published.join(name).exists() {
                return Err(NotFetched::failed(
                    format!("{name} has not come, and nobody said why"),
                    "check source and files",
                ));
            }
        }
        Ok(())
    }

    /// Whether the settings name each file.
    fn names_all(&self) -> bool {
        let known = self.feed.known_files();
        !known.is_empty() && known.len() == self.feed.urls().len()
    }

    /// How many files are published that the source, which has `there`, has no more. A file that the settings
    /// name and that does not come is a failure.
    pub(super) fn orphans(&self, there: Option<u64>) -> Result<u64, NotFetched> {
        let Some(there) = there.filter(|_| !self.names_all() && self.feed.handed.is_empty()) else {
            return Ok(0);
        };
        let published =
            files_or_none(&self.places.published).map_err(|error| self.trouble(&error))?;
        Ok((published.len() as u64).saturating_sub(there))
    }

    fn check_size(&self, path: &Path, file: &Path, size: u64) -> Result<(), NotFetched> {
        let (limits, name) = (&self.feed.limits, file.display());
        if size > limits.max_size {
            return Err(NotFetched::failed(
                format!("{name} has {size} bytes, more than max-size allows ({})", limits.max_size),
                "set max-size higher if that is right",
            ));
        }
        if size >= limits.min_size {
            return Ok(());
        }
        let mut start = Vec::new();
        let read = File::open(path).and_then(|file| file.take(SHOWN).read_to_end(&mut start));
        read.map_err(|error| self.trouble(&error))?;
        Err(NotFetched::failed(
            format!(
                "{name} has {size} bytes, fewer than min-size ({}); it begins: {:?}",
                limits.min_size,
                last_words(&String::from_utf8_lossy(&start))
            ),
            "read what it says: publishers send such a note to those that they refuse; keep to their rules, \
             or set min-size lower",
        ))
    }

    /// Shows all files of the feed in one folder, those that have not changed, too.
    pub(super) fn view(&self) -> Result<View, NotFetched> {
        let Places { incoming, published, .. } = self.places;
        let show = || -> io::Result<View> {
            let mut view = View { folder: incoming.clone(), links: Vec::new() };
            let arrived = files(incoming)?;
            for file in files_or_none(published)? {
                if arrived.contains(&file) {
                    continue;
                }
                let link = incoming.join(&file);
                if let Some(folder) = link.parent() {
                    create_folder(folder)?;
                }
                let _ = fs::remove_file(&link);
                symlink(published.join(&file), &link)?;
                view.links.push(link);
            }
            Ok(view)
        };
        show().map_err(|error| self.trouble(&error))
    }

    /// Publishes all files that have arrived: how many they are, and how many of them have other bytes than
    /// those published before.
    pub(super) fn publish(&self) -> Result<(usize, usize), NotFetched> {
        let Places { workshop, incoming, ready, published, .. } = self.places;
        let arrive = || -> io::Result<(usize, usize)> {
            let (mut count, mut changed) = (0, 0);
            for file in files(incoming)? {
                let path = incoming.join(&file);
                count += 1;
                changed += usize::from(!are_equal(&path, &published.join(&file))?);
                let new = File::open(&path)?;
                new.set_permissions(Permissions::from_mode(0o644))?;
                new.sync_all()?;
            }
            if count > 0 {
                sync_folders(incoming)?;
                fs::rename(incoming, ready)?;
                File::open(workshop)?.sync_all()?;
            }
            Ok((count, changed))
        };
        let counts = arrive().map_err(|error| self.trouble(&error))?;
        self.go_on()?;
        Ok(counts)
    }

    fn trouble(&self, error: &io::Error) -> NotFetched {
        let remedy = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "make room on the disk of mirror.dir; the next try goes on"
            }
            ErrorKind::PermissionDenied => {
                "make mirror.dir writable for the user that runs `dnsbld sync`"
            }
            ErrorKind::CrossesDevices => "put all of mirror.dir on one file system",
            _ => "see to mirror.dir",
        };
        NotFetched::failed(
            format!("cannot write below {}: {error}", self.places.published.display()),
            remedy,
        )
    }
}

/// A folder with all files of a feed; those that are published already are links.
pub(super) struct View {
    folder: PathBuf,
    links: Vec<PathBuf>,
}

impl View {
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for View {
    fn drop(&mut self) {
        for link in &self.links {
            // A link that stays is not published, and another view replaces it.
            let _ = fs::remove_file(link);
        }
    }
}

/// The regular files below a folder that are not hidden, by their paths in it, in order.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let (kind, path) = (entry.file_type()?, inner.join(entry.file_name()));
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// As [`files`]; none if there is no such folder.
fn files_or_none(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match files(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        files => files,
    }
}

/// Waits until the names in a folder and in those below it are on the disk.
fn sync_folders(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.file_type()?.is_dir() && !is_hidden {
            sync_folders(&entry.path())?;
        }
    }
    Ok(())
}

/// Creates a folder that the server's user can look into, whatever the umask says, unless it is there.
fn create_readable(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    create_folder(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))
}

/// Whether two files have the same bytes; one that is not there has none like any other.
pub(super) fn are_equal(one: &Path, other: &Path) -> io::Result<bool> {
    let other = match File::open(other) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    let one = File::open(one)?;
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (io::BufReader::new(one), io::BufReader::new(other));
    loop {
        let (left, right) = (io::BufRead::fill_buf(&mut one)?, io::BufRead::fill_buf(&mut other)?);
        let length = left.len().min(right.len());
        if left[..length] != right[..length] {
            return Ok(false);
        }
        if length == 0 {
            return Ok(left.is_empty() && right.is_empty());
        }
        io::BufRead::consume(&mut one, length);
        io::BufRead::consume(&mut other, length);
    }
}
