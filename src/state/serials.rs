//! The serials of zones whose files give none: remembered, so that they never go back.

use super::lock::StateLock;
use crate::event::{Event, EventSink};
use crate::snapshot::MODE;
use crate::snapshot::folder::create_folder;
use crate::wire::name::NameBuf;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The longest file of serials in bytes: of more zones than any server has.
const MAX_SIZE: u64 = 64 << 20;

/// The serial given last for each zone, and for what content.
#[derive(Debug, Default)]
pub struct Serials {
    file: Option<PathBuf>,
    known: BTreeMap<NameBuf, Known>,
    changed: bool,
    /// They could not be written when that was tried last.
    is_failing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    serial: u32,
    content: u64,
}

impl Serials {
    /// Reads what an earlier run left in the state folder; what it cannot read is told and left out.
    /// Without the lock of the folder, nothing is written.
    pub fn open(state_dir: Option<&Path>, lock: Option<&StateLock>, sink: &dyn EventSink) -> Self {
        let file = state_dir.map(file_in);
        let (known, damage) = file.as_deref().map(read).unwrap_or_default();
        if let Some(damage) = damage {
            sink.emit(&damage);
        }
        Self { file: file.filter(|_| lock.is_some()), known, changed: false, is_failing: false }
    }

    /// The serial of a zone: the time of its newest source in seconds since 1970, but never less
    /// than before, and more than before if the content is another, as serials are compared (RFC 1982
    /// section 3.2).
    ///
    /// A source from after `latest` is taken to be of then, and makes no difference while the content is
    /// the same.
    pub fn next(&mut self, zone: &NameBuf, newest: u64, latest: u64, content: u64) -> u32 {
        let is_early = newest > latest;
        let newest = u32::try_from(newest.min(latest)).unwrap_or(u32::MAX).max(1);
        let is_more = |serial: u32| newest.wrapping_sub(serial).cast_signed() > 0;
        let serial = match self.known.get(zone) {
            None => newest,
            Some(known) if is_early && known.content == content => known.serial,
            Some(known) if is_more(known.serial) => newest,
            Some(known) if known.content == content => known.serial,
            Some(known) => known.serial.wrapping_add(1).max(1),
        };
        let now = Known { serial, content };
        if self.known.insert(zone.clone(), now) != Some(now) {
            self.changed = true;
        }
        serial
    }

    /// From now on, they are remembered in the state folder.
    pub fn keep(&mut self, state_dir: &Path, _: &StateLock) {
        (self.file, self.changed) = (Some(file_in(state_dir)), true);
    }

    /// Writes nothing from now on.
    pub fn keep_no_more(&mut self) {
        self.file = None;
    }

    /// Writes the state file if something changed: to a new file that then takes its place.
    ///
    /// # Errors
    ///
    /// When the system does not let it write there; once until that has passed.
    pub fn save(&mut self) -> io::Result<()> {
        let saved = self.try_save();
        let was_failing = std::mem::replace(&mut self.is_failing, saved.is_err());
        if was_failing { Ok(()) } else { saved }
    }

    fn try_save(&mut self) -> io::Result<()> {
        let Some(file) = self.file.as_ref().filter(|_| self.changed) else { return Ok(()) };
        let folder = file.parent().unwrap_or(Path::new("."));
        create_folder(folder)?;
        let next = file.with_extension("new");
        if let Err(error) = self.write(&next) {
            // A disk that is full is not to stay so for this.
            let _ = fs::remove_file(next);
            return Err(error);
        }
        fs::rename(next, file)?;
        File::open(folder)?.sync_all()?;
        self.changed = false;
        Ok(())
    }

    /// Writes all of them to a new file.
    fn write(&self, next: &Path) -> io::Result<()> {
        let mut out = create(next)?;
        for (zone, Known { serial, content }) in &self.known {
            writeln!(out, "{zone} {serial} {content:016x}")?;
        }
        out.sync_all()
    }
}

fn file_in(state_dir: &Path) -> PathBuf {
    state_dir.join("serials")
}

/// What a state file says, and what is wrong with it. There may be none yet.
fn read(file: &Path) -> (BTreeMap<NameBuf, Known>, Option<Event>) {
    let bytes = match read_bytes(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Default::default(),
        Err(error) => {
            let file = file.to_owned();
            return (BTreeMap::new(), Some(Event::SerialsUnreadable { file, error }));
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().map(read_line).collect();
    let bad = lines.iter().filter(|line| line.is_none()).count() as u64;
    let damage = (bad > 0).then(|| Event::SerialsDamaged { file: file.to_owned(), lines: bad });
    (lines.into_iter().flatten().collect(), damage)
}

/// A new file in the place of one that a crash left, or that a link stands for.
fn create(file: &Path) -> io::Result<File> {
    let _ = fs::remove_file(file);
    File::options().write(true).create_new(true).mode(MODE).open(file)
}

/// Reads a regular file that nobody can make too long, and follows no link.
fn read_bytes(file: &Path) -> io::Result<Vec<u8>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = File::options().read(true).custom_flags(flags).open(file)?;
    let mut bytes = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_line(line: &str) -> Option<(NameBuf, Known)> {
    let mut words = line.split(' ');
    let zone = words.next()?.parse().ok()?;
    let serial = words.next()?.parse().ok()?;
    let content = u64::from_str_radix(words.next()?, 16).ok()?;
    Some((zone, Known { serial, content }))
}

#[cfg(test)]
mod tests {
    use super::super::lock::StateLock;
    use super::*;
    use crate::event::Log;

    #[test]
    fn a_serial_follows_the_newest_source_and_never_goes_back() {
        let zone: NameBuf = "bl.test".parse().unwrap();
        let mut serials = Serials::default();
        assert_eq!(serials.next(&zone, 1000, u64::MAX, 1), 1000);
        assert_eq!(serials.next(&zone, 1000, u64::MAX, 1), 1000, "nothing changed");
        assert_eq!(serials.next(&zone, 1000, u64::MAX, 2), 1001, "other content of the same time");
        assert_eq!(serials.next(&zone, 1000, u64::MAX, 2), 1001);
        assert_eq!(serials.next(&zone, 500, u64::MAX, 3), 1002, "other content of an earlier time");
        assert_eq!(
            serials.next(&zone, 2000, u64::MAX, 3),
            2000,
            "the same content of a later time"
        );
        assert_eq!(serials.next(&"other.test".parse().unwrap(), 7, u64::MAX, 1), 7);
        assert_eq!(serials.next(&zone, u64::MAX, u64::MAX, 4), 2001, "so much more is less");
    }

    /// A serial that a file dated 2106 had brought stayed as it was for ever.
    #[test]
    fn the_last_serial_is_followed_by_the_first() {
        let zone: NameBuf = "bl.test".parse().unwrap();
        let mut serials = Serials::default();
        assert_eq!(serials.next(&zone, u64::MAX, u64::MAX, 1), u32::MAX);
        assert_eq!(
            serials.next(&zone, 3_000_000_000, u64::MAX, 2),
            1,
            "other content of an earlier time"
        );
        assert_eq!(serials.next(&zone, u64::MAX, u64::MAX, 2), 1);
        assert_eq!(serials.next(&zone, u64::MAX, u64::MAX, 3), 2);
        assert_eq!(serials.next(&"other.test".parse().unwrap(), u64::MAX, u64::MAX, 1), u32::MAX);
        assert_eq!(
            serials.next(&"other.test".parse().unwrap(), 1_800_000_000, u64::MAX, 2),
            1_800_000_000
        );
    }

    #[test]
    fn a_source_from_the_future_is_of_now_and_raises_no_serial_by_itself() {
        let zone: NameBuf = "bl.test".parse().unwrap();
        let mut serials = Serials::default();
        let mut next = |now, content| serials.next(&zone, 5000, now, content);
        assert_eq!(
            [next(1000, 1), next(1060, 1), next(1120, 2), next(1120, 3)],
            [1000, 1000, 1120, 1121]
        );
        assert_eq!(next(6000, 3), 5000, "its time has come");
    }

    #[test]
    fn serials_are_remembered_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let zone: NameBuf = r"odd\032name.test".parse().unwrap();
        let lock = StateLock::take(&state);
        let open = || Serials::open(Some(&state), lock.as_ref(), &Log);
        let mut serials = open();
        assert_eq!(serials.next(&zone, 1000, u64::MAX, 0xdead_beef), 1000);
        serials.save().unwrap();
        let mut again = open();
        assert_eq!(again.next(&zone, 900, u64::MAX, 0xdead_beef), 1000);
        assert!(!again.changed);
        assert_eq!(again.next(&zone, 900, u64::MAX, 1), 1001);
        let mut guest = Serials::open(Some(&state), None, &Log);
        assert_eq!(guest.next(&zone, 900, u64::MAX, 1), 1001);
        guest.save().unwrap();
        assert_eq!(open().next(&zone, 900, u64::MAX, 0xdead_beef), 1000, "it has written nothing");
        std::fs::write(state.join("serials"), "garbage\n\nx y z\n").unwrap();
        assert_eq!(open().next(&zone, 900, u64::MAX, 1), 900);
    }

    /// A damaged file was forgotten without a word, and all of it for one byte that is no UTF-8.
    #[test]
    fn damage_is_told_and_costs_the_lines_that_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serials");
        let told = |content: &[u8]| {
            std::fs::write(&file, content).unwrap();
            let (known, damage) = read(&file);
            let bad = damage.map(|event| match event {
                Event::SerialsDamaged { lines, .. } => lines,
                other => panic!("{other:?}"),
            });
            (known.len(), bad)
        };
        let (known, damage) = read(&file.with_extension("none"));
        assert!(known.is_empty() && damage.is_none());
        assert_eq!(told(b""), (0, None));
        assert_eq!(told(b"a.test 1 2f\nb.test 2 30\n"), (2, None));
        assert_eq!(told(b"a.test 1 2f\nb.test 2"), (1, Some(1)));
        assert_eq!(told(b"a.test 1 2f\n\xff\0\n\0\0\nb.test 2 30\n"), (2, Some(2)));
        let (known, damage) = read(folder.path());
        assert!(known.is_empty() && matches!(damage, Some(Event::SerialsUnreadable { .. })));
    }

    /// Regression: serials were written over the file that a link led to, and a pipe was waited for.
    #[test]
    fn links_and_pipes_in_the_place_of_the_file_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (state, other) = (folder.path().join("state"), folder.path().join("other"));
        fs::write(&other, "other.test 7 1\n").unwrap();
        let lock = StateLock::take(&state);
        for name in ["serials", "serials.new"] {
            std::os::unix::fs::symlink(&other, state.join(name)).unwrap();
        }
        let mut serials = Serials::open(Some(&state), lock.as_ref(), &Log);
        assert!(serials.known.is_empty());
        serials.next(&"bl.test".parse().unwrap(), 1000, u64::MAX, 1);
        serials.save().unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "other.test 7 1\n");
        let file = state.join("serials");
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::symlink_metadata(&file).unwrap());
        assert_eq!(mode & 0o170_137, 0o100_000, "{mode:o}: a regular file, of the group at most");
        fs::remove_file(&file).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
        assert!(Serials::open(Some(&state), lock.as_ref(), &Log).known.is_empty());
    }
}
