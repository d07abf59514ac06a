//! Writing a log: who does has the lock of the state folder.

use super::block::{self, Block, LoadHead, RefusedEntry};
use super::files::{
    BASE, LogBytes, MAGIC, NAME, Segment, base, blocks, folder, read_file, segments,
};
use super::{changes, fold};
use crate::snapshot::folder::create_folder;
use crate::snapshot::{MODE, Unfinished};
use crate::zone::Dataset;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const DAY: u64 = 86_400;

/// A segment longer than that is followed by another one of the same day.
const LONG: u64 = 8 << 20;

/// How much of the history of a dataset is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Days.
    pub days: u32,
    /// Bytes of the loads; what is listed is kept besides.
    pub size: u64,
}

/// The data before a load, or after it.
#[derive(Clone, Copy)]
pub struct LoadedVersion<'d> {
    /// The data.
    pub dataset: &'d Dataset,
    /// Its content id.
    pub content_id: u64,
}

/// The log of a dataset, to be continued.
pub struct HistoryLog {
    folder: PathBuf,
    /// The number of the newest load; 0 if there is none.
    number: u64,
    /// The content id of what the newest load has left, if the log knows all that is listed.
    content_id: Option<u64>,
    /// The last segment, and the bytes of it.
    last: Option<(Segment, u64)>,
}

impl HistoryLog {
    /// Opens the log of a dataset. What a crash has left unfinished is cut off.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn open(state_dir: &Path, dataset: &str) -> io::Result<Self> {
        let folder = folder(state_dir, dataset);
        create_folder(&folder)?;
        let mut log = Self { folder, number: 0, content_id: None, last: None };
        let segments = segments(&log.folder)?;
        let mut is_whole = true;
        for (segment, size) in segments.into_iter().rev() {
            let path = log.folder.join(segment.file_name());
            let Some(bytes) = read_file(&path)? else { continue };
            let mut end = 0;
            let mut newest = None;
            for (block, at) in blocks(&bytes) {
                end = at as u64;
                if let Block::Load(head, _) = block {
                    newest = Some(head);
                }
            }
            if log.last.is_none() {
                if end < size {
                    cut(&path, end)?;
                }
                log.last = (end > 0).then_some((segment, end));
            } else {
                is_whole &= end == size;
            }
            if let Some(head) = newest {
                log.number = head.number;
                log.content_id = is_whole.then_some(head.content_id);
                return Ok(log);
            }
        }
        if let Some(bytes) = read_file(&log.folder.join(BASE))?
            && let Some((head, _)) = base(&bytes)
        {
            log.number = head.number;
            log.content_id = is_whole.then_some(head.content_id);
        }
        Ok(log)
    }

    /// Appends a load: `before` is what was served before it. `head` says when it was and what of. Nothing is
    /// written of data that the log knows already to be served. True if something was.
    ///
    /// # Errors
    ///
    /// Those of the system: then nothing was appended.
    pub fn append_load(
        &mut self,
        before: Option<LoadedVersion<'_>>,
        now: &Dataset,
        mut head: LoadHead,
    ) -> io::Result<bool> {
        let before = before.filter(|before| self.content_id == Some(before.content_id));
        if before.is_none() && self.content_id == Some(head.content_id) {
            return Ok(false);
        }
        head.number = self.number + 1;
        let block = changes::block(before.map(|before| before.dataset), now, &mut head);
        let too_long = || io::Error::new(ErrorKind::FileTooLarge, "its changes are too many");
        self.append_block(&block.ok_or_else(too_long)?, &head)?;
        Ok(true)
    }

    /// Appends the block of a load.
    pub(super) fn append_block(&mut self, block: &[u8], head: &LoadHead) -> io::Result<()> {
        self.append(block, head.time)?;
        (self.number, self.content_id) = (head.number, Some(head.content_id));
        Ok(())
    }

    /// Appends a refusal.
    ///
    /// # Errors
    ///
    /// Those of the system: then nothing was appended.
    pub fn append_refusal(&mut self, entry: &RefusedEntry) -> io::Result<()> {
        self.append(&block::refusal(entry), entry.time)
    }

    fn append(&mut self, block: &[u8], time: u64) -> io::Result<()> {
        let day = time / DAY;
        let goes_on = |(segment, size): &(Segment, u64)| segment.day >= day && *size < LONG;
        let is_new = !self.last.as_ref().is_some_and(goes_on);
        let (segment, size) = match self.last.clone() {
            Some(last) if !is_new => last,
            // The clock may have been set back.
            last => {
                let day = last.map_or(day, |(segment, _)| segment.day.max(day));
                let segment = Segment { number: self.number + 1, day };
                // Refusals alone do not advance the number.
                match self.last.take() {
                    Some((last, size)) if last == segment => (last, size),
                    _ => (segment, 0),
                }
            }
        };
        let path = self.folder.join(segment.file_name());
        let mut file = File::options().create(true).append(true).mode(MODE).open(&path)?;
        // What a crash has left is none of the log.
        file.set_len(size)?;
        let written = (|| {
            if size == 0 {
                file.write_all(MAGIC)?;
            }
            file.write_all(block)?;
            file.sync_data()?;
            if size == 0 {
                File::open(&self.folder)?.sync_all()?;
            }
            file.metadata()
        })();
        match written {
            Ok(metadata) => {
                self.last = Some((segment, metadata.len()));
                Ok(())
            }
            Err(error) => {
                cut(&path, size)?;
                self.last = (size > 0).then_some((segment, size));
                Err(error)
            }
        }
    }

    /// Makes the oldest segments part of the base, as far as the bounds demand at this time, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn keep_within(&self, bounds: Bounds, now: u64) -> io::Result<()> {
        let segments = segments(&self.folder)?;
        let first_day = (now / DAY).saturating_sub(bounds.days.into());
        let mut size: u64 = segments.iter().map(|(_, size)| size).sum();
        let mut old = 0;
        // The last segment is still written to.
        for (segment, bytes) in segments.iter().take(segments.len().saturating_sub(1)) {
            if segment.day >= first_day && size <= bounds.size {
                break;
            }
            size -= bytes;
            old += 1;
        }
        if old == 0 {
            return Ok(());
        }
        let paths: Vec<_> = segments[..old]
            .iter()
            .map(|(segment, _)| self.folder.join(segment.file_name()))
            .collect();
        let path = self.folder.join(BASE);
        let mut log = LogBytes { base: read_file(&path)?, segments: Vec::new() };
        for segment in &paths {
            log.segments.extend(read_file(segment)?);
        }
        match fold::base(&log) {
            Some(bytes) => {
                let mut new = Unfinished::create(&path)?;
                new.file.write_all(&bytes)?;
                new.file.sync_all()?;
                new.finish(&path)?;
            }
            // What is listed is not known, and will not be before a load states all.
            None => remove(&path)?,
        }
        paths.iter().try_for_each(|path| remove(path))
    }
}

/// Removes the logs of all datasets but these that were not written to for so many days.
///
/// # Errors
///
/// Those of the system.
pub fn retain(state_dir: &Path, datasets: &[String], days: u32, now: u64) -> io::Result<()> {
    let kept: Vec<_> = datasets.iter().map(|dataset| folder(state_dir, dataset)).collect();
    let entries = match fs::read_dir(state_dir.join(NAME)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let folder = entry?.path();
        let segments = segments(&folder).unwrap_or_default();
        let Some((newest, _)) = segments.last() else { continue };
        if kept.contains(&folder) || newest.day + u64::from(days) >= now / DAY {
            continue;
        }
        for (segment, _) in &segments {
            remove(&folder.join(segment.file_name()))?;
        }
        remove(&folder.join(BASE))?;
        // Others may have put something there.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

/// Cuts a file off; removes it if nothing is left.
fn cut(path: &Path, size: u64) -> io::Result<()> {
    match size {
        0 => remove(path),
        _ => File::options().write(true).open(path)?.set_len(size),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
