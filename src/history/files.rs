//! The files of a log, and walking through them.
//!
//! ```text
//! history/DATASET-ID/NUMBER-DAY.log    a segment: the blocks of a day; NUMBER is that of its first load
//! history/DATASET-ID/base              what earlier loads have left: listings that no later load ended
//! ```

use super::block::{self, BaseHead, Block, Body, LoadHead, RefusedEntry};
use crate::snapshot::folder::file_name;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The folder in the state folder.
pub(super) const NAME: &str = "history";

/// The first bytes of each file.
pub(super) const MAGIC: &[u8] = b"dnsbld history 1\n";

/// The name of the base.
pub(super) const BASE: &str = "base";

/// The longest file that is read, in bytes.
const MAX_FILE: u64 = 4 << 30;

/// The folder of the log of a dataset.
pub(super) fn folder(state_dir: &Path, dataset: &str) -> PathBuf {
    state_dir.join(NAME).join(file_name(dataset))
}

/// A segment of a log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Segment {
    /// The number of the first load in it, or of the next load if it has none.
    pub(super) number: u64,
    /// The day of its first block, in days since 1970.
    pub(super) day: u64,
}

impl Segment {
    pub(super) fn file_name(&self) -> String {
        format!("{:012}-{:06}.log", self.number, self.day)
    }

    fn from_file_name(name: &str) -> Option<Self> {
        let (number, day) = name.strip_suffix(".log")?.split_once('-')?;
        let segment = Self { number: number.parse().ok()?, day: day.parse().ok()? };
        (segment.file_name() == name).then_some(segment)
    }
}

/// The segments in a folder, the oldest first, and the bytes of each; none if there is no such folder.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<(Segment, u64)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(segment) = entry.file_name().to_str().and_then(Segment::from_file_name) {
            match entry.metadata() {
                Ok(metadata) if metadata.is_file() => segments.push((segment, metadata.len())),
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// The bytes of a file; `None` if it is gone.
pub(super) fn read_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::with_capacity(file.metadata()?.len().min(MAX_FILE) as usize);
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The blocks at the start of a file that are whole and sound, each with the end of it in the file.
pub(super) fn blocks(bytes: &[u8]) -> impl Iterator<Item = (Block<'_>, usize)> {
    let mut at = if bytes.starts_with(MAGIC) { MAGIC.len() } else { bytes.len() };
    std::iter::from_fn(move || {
        let (block, length) = block::first(&bytes[at..])?;
        at += length;
        Some((block, at))
    })
}

/// The bytes of a log.
#[derive(Default)]
pub(super) struct LogBytes {
    pub(super) base: Option<Vec<u8>>,
    /// The oldest first.
    pub(super) segments: Vec<Vec<u8>>,
}

/// What a walk through a log comes to.
pub(super) enum Step<'b> {
    /// A load whose changes are those since the load before, or that states all.
    Load(LoadHead, Body<'b>),
    /// A load whose changes are of no use, because an earlier one is missing: what is listed is not known until a
    /// load states all.
    Unconnected(LoadHead),
    /// A refusal.
    Refusal(RefusedEntry),
}

impl LogBytes {
    /// Reads a log, which a server may go on with meanwhile; no further file once `until` is reached, which is an
    /// error then.
    pub(super) fn read(folder: &Path, until: Option<Instant>) -> io::Result<Self> {
        let read = |name: &str| match until.is_some_and(|until| Instant::now() >= until) {
            true => Err(io::Error::new(ErrorKind::TimedOut, "the time for it was over")),
            false => read_file(&folder.join(name)),
        };
        let mut bytes = Self::default();
        // The base last: what becomes part of it meanwhile is skipped, or missed without harm.
        for (segment, _) in segments(folder)? {
            bytes.segments.extend(read(&segment.file_name())?);
        }
        bytes.base = read(BASE)?;
        Ok(bytes)
    }

    /// Walks through a log, the oldest load first.
    pub(super) fn walk<'b>(&'b self, take: &mut dyn FnMut(Step<'b>)) {
        let _ = self.try_walk(&mut |step| {
            take(step);
            ControlFlow::Continue(())
        });
    }

    /// Walks through a log up to a time, in seconds since 1970: it ends in front of the first load after it.
    pub(super) fn walk_until<'b>(&'b self, until: u64, take: &mut dyn FnMut(Step<'b>)) {
        let _ = self.try_walk(&mut |step| {
            if let Step::Load(head, _) | Step::Unconnected(head) = &step
                && head.time > until
            {
                return ControlFlow::Break(());
            }
            take(step);
            ControlFlow::Continue(())
        });
    }

    fn try_walk<'b>(
        &'b self,
        take: &mut dyn FnMut(Step<'b>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut through = 0;
        let mut next = None;
        if let Some((head, loads)) = self.base.as_deref().and_then(base) {
            loads.into_iter().try_for_each(|(head, body)| take(Step::Load(head, body)))?;
            (through, next) = (head.number, Some(head.number + 1));
        }
        for segment in &self.segments {
            for (block, _) in blocks(segment) {
                match block {
                    Block::Load(head, _) if head.number <= through => {}
                    Block::Load(head, body) if head.is_whole || next == Some(head.number) => {
                        next = head.number.checked_add(1);
                        take(Step::Load(head, body))?;
                    }
                    Block::Load(head, _) => {
                        next = None;
                        take(Step::Unconnected(head))?;
                    }
                    Block::Refusal(refusal) => take(Step::Refusal(refusal))?,
                    Block::Base(_) => {}
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// What a base holds, if all of it is there.
pub(super) fn base(bytes: &[u8]) -> Option<(BaseHead, Vec<(LoadHead, Body<'_>)>)> {
    let mut blocks = blocks(bytes);
    let (Block::Base(head), _) = blocks.next()? else { return None };
    let loads: Vec<_> = blocks
        .map_while(|(block, _)| match block {
            Block::Load(head, body) => Some((head, body)),
            Block::Refusal(_) | Block::Base(_) => None,
        })
        .collect();
    (loads.len() as u64 == head.blocks && head.number < u64::MAX).then_some((head, loads))
}
