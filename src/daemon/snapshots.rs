//! Snapshots of the datasets: taken instead of the files they were made of, where those are still
//! the same; written after every load that was accepted; and made by hand.

use super::compile::{Built, Kept, Outcome, Task};
use crate::config;
use crate::event::{Event, EventSink};
use crate::load::Life;
use crate::snapshot::folder::Folder;
use crate::snapshot::intake::Intake;
use crate::snapshot::{self, Id, Opened, Origin, Rules, WriteError};
use crate::source::{Cause, Problem, ReadReport, SourceFile};
use crate::util::cancel::{CancelSource, CancelToken};
use crate::util::threads::{cores, lower_priority};
use crate::util::time::unix_time;
use crate::zone::Dataset;
use crate::zonefile::Format;
use crate::zonefile::{Counts, Diagnostics, FatalCause};
use anyhow::Context;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
use tracing::debug;

/// What a dataset was made from.
pub(super) fn origin(
    spec: &config::Dataset,
    server: &config::Server,
    stamp: Option<u64>,
    sources: &[SourceFile],
) -> Origin {
    let name = spec.name.clone();
    Origin { name, rules: rules(spec, server), stamp, sources: sources.to_vec() }
}

/// All settings that decide, beside the files, what comes of a dataset: a new one belongs here, or
/// to those that do not.
fn rules(spec: &config::Dataset, server: &config::Server) -> Rules {
    let config::Dataset {
        name: _,
        kind,
        format,
        column,
        files: _,
        soa,
        ns,
        ns_ttl,
        ttl,
        default_a,
        default_text,
        allow_any_a,
        accept_empty: _,
        hides_empty_non_terminals: _,
        guarded: _,
    } = spec;
    let config::TtlBounds { default, min, max, negative: _ } = &server.ttl;
    let mut rules = Rules::default();
    rules.add("type", kind);
    rules.add("default-ttl", default);
    rules.add("min-ttl", min);
    rules.add("max-ttl", max);
    rules.add("accept-host-bits", server.accept_host_bits);
    rules.add("allow-any-a", allow_any_a);
    if let Some(soa) = soa {
        let config::Soa { mname, rname, serial, refresh, retry, expire, minimum, ttl } = soa;
        let times = format!("{refresh} {retry} {expire} {minimum}");
        rules.add("soa", format!("{mname} {rname} {serial:?} {times} {ttl:?}"));
    }
    if !ns.is_empty() {
        rules.add("ns", ns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    }
    let mut add = |key, value: Option<String>| {
        if let Some(value) = value {
            rules.add(key, value);
        }
    };
    add("format", (*format != Format::Rbldnsd).then(|| format.to_string()));
    add("column", column.as_ref().map(|column| format!("{column:?}")));
    add("ns-ttl", ns_ttl.map(|ttl| ttl.to_string()));
    add("ttl", ttl.map(|ttl| ttl.to_string()));
    add("default-a", default_a.map(|a| a.to_string()));
    add("default-text", default_text.as_ref().map(|text| format!("{text:?}")));
    rules
}

/// The snapshot that was kept of a dataset, if the rules are still the same, and whether the files
/// are. What is wrong with it otherwise is added to `events`.
pub(super) fn find(task: &Task, now: u64, events: &mut Vec<Event>) -> Option<Kept> {
    let start = Instant::now();
    let name = &task.spec.name;
    let path = task.folder()?.file(name);
    let Opened { mut dataset, origin, id, .. } = match snapshot::open(&path) {
        Ok(opened) => opened,
        Err(error) if error.is_absence() => return None,
        Err(error) => {
            let reason = error.to_string();
            events.push(Event::SnapshotUnusable { dataset: name.clone(), file: path, reason });
            return None;
        }
    };
    if let Some(difference) = rules(&task.spec, &task.server).difference(&origin.rules) {
        events.push(Event::SnapshotOfOtherRules { dataset: name.clone(), difference });
        return None;
    }
    // The file is refused while that lies in the future, and so must this be.
    if origin.stamp.is_some_and(|stamp| stamp > now) {
        events.push(Event::SnapshotFromFuture { dataset: name.clone() });
        return None;
    }
    dataset.name.clone_from(name);
    dataset.hides_empty_non_terminals = task.spec.hides_empty_non_terminals;
    let now_there = task.same(&origin.sources, true);
    let is_kept = now_there.as_ref() == Some(&origin.sources);
    let is_current = now_there.is_some();
    let sources = now_there.unwrap_or(origin.sources);
    let (diagnostics, stamp) = (Diagnostics::default(), origin.stamp);
    let (tally, took) = (Counts::Plain, start.elapsed());
    let since = std::fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
    let built = Built { dataset, sources, diagnostics, tally, stamp, is_kept, since, took };
    if !is_current {
        let files = built.sources.iter().map(|source| source.path.clone()).collect();
        events.push(Event::SnapshotOfOtherFiles { dataset: name.clone(), files });
        return Some(Kept::Former(Box::new(built)));
    }
    events.push(Event::SnapshotMapped { dataset: name.clone(), id });
    let bad = built.sources.iter().filter(|source| source.bad_lines > 0);
    events.extend(bad.map(|source| Event::SnapshotBadLines {
        dataset: name.clone(),
        file: source.path.clone(),
        lines: source.bad_lines,
        first: source.first_bad.clone(),
    }));
    Some(Kept::Current(Box::new(built)))
}

/// A dataset whose file is a snapshot, of which a copy was made.
pub(super) fn take_in(
    task: &Task,
    intake: Intake,
    report: ReadReport,
    now: u64,
) -> Result<Built, Cause> {
    let start = Instant::now();
    let unfit = |reason| Err(Cause::Snapshot(reason));
    let [path] = &task.spec.files[..] else {
        return unfit("its dataset has other files beside it".to_owned());
    };
    let opened = intake.open().map_err(|error| Cause::Snapshot(format!("it {error}")))?;
    let Opened { mut dataset, origin, id, .. } = opened;
    if let Some(other) = rules(&task.spec, &task.server).difference(&origin.rules) {
        let (rule, theirs, ours) = (other.rule, other.theirs, other.ours);
        return unfit(format!("it was made with {rule} {theirs}, and the dataset has {ours}"));
    }
    if let Some(stamp) = origin.stamp.filter(|&stamp| stamp > now) {
        return Err(Cause::Fatal(FatalCause::FutureTimestamp(stamp).to_string()));
    }
    debug!("dataset {}: {} is the snapshot {id}", task.spec.name, path.display());
    dataset.name.clone_from(&task.spec.name);
    dataset.hides_empty_non_terminals = task.spec.hides_empty_non_terminals;
    let source = SourceFile {
        path: path.clone(),
        report,
        entries: origin.entries(),
        bad_lines: origin.sources.iter().map(|source| source.bad_lines).sum(),
        first_bad: origin.sources.iter().find_map(|source| source.first_bad.clone()),
    };
    let (diagnostics, stamp) = (Diagnostics::default(), origin.stamp);
    let took = start.elapsed();
    let (sources, tally, is_kept, since) = (vec![source], Counts::Plain, false, None);
    Ok(Built { dataset, sources, diagnostics, tally, stamp, is_kept, since, took })
}

/// A dataset to be kept as a snapshot.
pub(super) struct Keep {
    pub(super) dataset: Arc<Dataset>,
    pub(super) origin: Origin,
    /// Tells when there is a newer one.
    pub(super) token: CancelToken,
}

enum Job {
    Keep(Keep),
    Retain(Vec<String>),
}

/// A thread that writes snapshots, one after the other, so that neither answering nor loading
/// waits for a disk. It ends, after what it is at, when this is dropped.
pub(super) struct Keeper(mpsc::Sender<Job>);

impl Keeper {
    /// Starts the thread.
    pub(super) fn start(state_dir: &Path, sink: Arc<dyn EventSink>) -> std::io::Result<Self> {
        Self::start_patient(state_dir, sink, TRY_AGAIN)
    }

    /// The same with another time until what could not be written is tried again.
    fn start_patient(
        state_dir: &Path,
        sink: Arc<dyn EventSink>,
        try_again: Duration,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let clerk = Clerk {
            folder: Folder::of(state_dir),
            sink,
            failed: BTreeMap::new(),
            told: BTreeSet::new(),
            names: None,
            due: None,
            try_again,
        };
        thread::Builder::new().name("keep".to_owned()).spawn(move || {
            lower_priority();
            clerk.run(&queue);
        })?;
        Ok(Self(jobs))
    }

    /// Has a snapshot written.
    pub(super) fn keep(&self, keep: Keep) {
        // The thread holds the other end for as long as this lives.
        let _ = self.0.send(Job::Keep(keep));
    }

    /// Has the snapshots of all other datasets removed.
    pub(super) fn retain(&self, names: Vec<String>) {
        let _ = self.0.send(Job::Retain(names));
    }
}

/// How long after it could not be written a snapshot is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// What the thread knows.
struct Clerk {
    folder: Folder,
    sink: Arc<dyn EventSink>,
    /// What could not be written, by the name of the dataset, until there is something newer.
    failed: BTreeMap<String, Keep>,
    /// The datasets of which that was told.
    told: BTreeSet<String>,
    /// The datasets whose snapshots are to stay, if others are to be removed.
    names: Option<Vec<String>>,
    /// When to try that again.
    due: Option<Instant>,
    try_again: Duration,
}

impl Clerk {
    fn run(mut self, queue: &mpsc::Receiver<Job>) {
        loop {
            let job = match self.due {
                None => queue.recv().map_err(RecvTimeoutError::from),
                Some(due) => queue.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match job {
                Ok(Job::Keep(keep)) => {
                    self.failed.remove(&keep.origin.name);
                    self.write(keep);
                }
                Ok(Job::Retain(names)) => {
                    self.failed.retain(|name, _| names.contains(name));
                    self.told.retain(|name| names.contains(name));
                    self.names = Some(names);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.due = None;
                    std::mem::take(&mut self.failed)
                        .into_values()
                        .for_each(|keep| self.write(keep));
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // What has another name now is kept under the old one until it is under the new one.
            if self.failed.is_empty()
                && let Some(names) = self.names.take()
            {
                self.remove_others(&names);
            }
        }
    }

    fn write(&mut self, keep: Keep) {
        let Keep { dataset, origin, token } = &keep;
        let name = &origin.name;
        if token.is_cancelled() {
            return;
        }
        let start = Instant::now();
        match self.folder.write(dataset, origin, &|| !token.is_cancelled()) {
            Ok(id) => self.sink.emit(&Event::SnapshotWritten {
                dataset: name.clone(),
                id,
                took: start.elapsed(),
                recovered: self.told.remove(name),
            }),
            Err(WriteError::Unwanted) => {}
            Err(WriteError::Unfit(reason)) => {
                let (dataset, reason) = (name.clone(), reason.to_string());
                self.sink.emit(&Event::SnapshotUnfit { dataset, reason });
            }
            Err(WriteError::Io(error)) => {
                if self.told.insert(name.clone()) {
                    let (dataset, file) = (name.clone(), self.folder.file(name));
                    self.sink.emit(&Event::SnapshotNotWritten { dataset, file, error });
                }
                self.due.get_or_insert_with(|| Instant::now() + self.try_again);
                self.failed.insert(name.clone(), keep);
            }
        }
    }

    /// Removes the snapshots of all datasets but these.
    fn remove_others(&self, names: &[String]) {
        match self.folder.retain(names.iter().map(String::as_str)) {
            Ok(gone) => {
                gone.into_iter().for_each(|file| self.sink.emit(&Event::SnapshotRemoved { file }))
            }
            Err(error) => self.sink.emit(&Event::SnapshotsNotRemoved { error }),
        }
    }
}

/// A snapshot that was made by hand.
#[derive(Debug)]
pub struct Compiled {
    /// The file.
    pub path: PathBuf,
    /// What tells its data from any other.
    pub id: Id,
    /// What it was made from.
    pub origin: Origin,
    /// What is wrong with single lines.
    pub diagnostics: Diagnostics,
}

/// Reads the files of a dataset and writes its snapshot, to `path` or else into the state folder.
/// Judges them as at the first start of a server.
///
/// # Errors
///
/// When the files cannot be read, hold nothing that can be served, or the snapshot cannot be
/// written.
pub fn compile(
    spec: &config::Dataset,
    server: &config::Server,
    path: Option<&Path>,
) -> anyhow::Result<Compiled> {
    super::allocator::give_back_large_arrays();
    let source = CancelSource::default();
    let task = Task {
        spec: Arc::new(spec.clone()),
        server: Arc::new(server.clone()),
        last_stable: Vec::new(),
        good: None,
        by_these_rules: false,
        keeps: true,
        in_haste: cores() > 1,
        token: source.token(),
    };
    let now = unix_time();
    let refused = |problem: Problem| anyhow::Error::new(problem).context(spec.name.clone());
    let Built { dataset, sources, diagnostics, stamp, .. } = match task.build(now, false) {
        Outcome::Built(built) => *built,
        Outcome::Failed(problem) => return Err(refused(problem)),
        Outcome::Unstable(file) | Outcome::Rewritten(file) => {
            anyhow::bail!("{}: is being written", file.display())
        }
        Outcome::Same(_) => anyhow::bail!("{}: nothing was built", spec.name),
    };
    let judged = Life::default().judge(sources.clone(), spec.accept_empty);
    let _candidate = judged.map_err(refused)?;
    let origin = origin(spec, server, stamp, &sources);
    let (path, id) = match (path, task.folder()) {
        (Some(path), _) => (path.to_owned(), snapshot::write(path, &dataset, &origin, &|| true)),
        (None, Some(folder)) => {
            (folder.file(&spec.name), folder.write(&dataset, &origin, &|| true))
        }
        (None, None) => anyhow::bail!("there is no state folder: say with -o where to write"),
    };
    let id = id.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Compiled { path, id, origin, diagnostics })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Log;
    use crate::zonefile::Kind;
    use std::fs;
    use tempfile::TempDir;

    /// 2020-01-01.
    const MADE: u64 = 1_577_836_800;

    struct Place {
        folder: TempDir,
        spec: config::Dataset,
        server: config::Server,
        source: CancelSource,
    }

    impl Place {
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("list");
            fs::write(&file, text).unwrap();
            let state_dir = Some(folder.path().join("state"));
            let server = config::Server { state_dir, ..config::Server::default() };
            let spec = config::Dataset::new("list".to_owned(), Kind::Ip4Set, vec![file]);
            Self { folder, spec, server, source: CancelSource::default() }
        }

        fn task(&self) -> Task {
            Task {
                spec: Arc::new(self.spec.clone()),
                server: Arc::new(self.server.clone()),
                last_stable: Vec::new(),
                good: None,
                by_these_rules: false,
                keeps: true,
                in_haste: false,
                token: self.source.token(),
            }
        }

        fn is_found(&self) -> bool {
            matches!(find(&self.task(), MADE, &mut Vec::new()), Some(Kept::Current(_)))
        }
    }

    /// Regression: a snapshot that could not be written, of a full disk, was not tried again, and a start
    /// without the files then served older data.
    #[test]
    fn what_could_not_be_written_is_tried_again() {
        let place = Place::new("10.0.0.1\n");
        let Outcome::Built(built) = place.task().build(MADE, false) else { panic!("it is good") };
        let Built { dataset, sources, stamp, .. } = *built;
        let state_dir = place.server.state_dir.clone().unwrap();
        fs::write(&state_dir, "no folder").unwrap();
        let keeper =
            Keeper::start_patient(&state_dir, Arc::new(Log), Duration::from_millis(20)).unwrap();
        keeper.keep(Keep {
            dataset: Arc::new(dataset),
            origin: origin(&place.spec, &place.server, stamp, &sources),
            token: place.source.token(),
        });
        thread::sleep(Duration::from_millis(100));
        assert!(!place.is_found());
        fs::remove_file(&state_dir).unwrap();
        let limit = Instant::now() + Duration::from_secs(5);
        while !place.is_found() {
            assert!(Instant::now() < limit, "it is not there");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Regression: gigabytes of junk were read to their end, although it was told by their start.
    #[test]
    fn junk_is_not_read_to_its_end() {
        let place = Place::new("");
        let file = fs::File::options().append(true).open(&place.spec.files[0]).unwrap();
        file.set_len(3 << 30).unwrap();
        let start = Instant::now();
        let Outcome::Failed(problem) = place.task().build(MADE, false) else {
            panic!("it is junk")
        };
        assert_eq!(problem.cause, Cause::Binary);
        let took = start.elapsed();
        assert!(took < Duration::from_millis(300), "{took:?}");
    }

    /// A file that is refused when it is read must not come in by its snapshot.
    #[test]
    fn data_from_the_future_is_refused_as_a_snapshot_too() {
        let place = Place::new("$TIMESTAMP 2020-01-01\n10.0.0.1\n");
        compile(&place.spec, &place.server, None).unwrap();
        let outcome = |now| match place.task().compile(now, &mut Vec::new()).0 {
            Outcome::Built(built) => (built.dataset.mapped() > 0).to_string(),
            Outcome::Failed(problem) => problem.to_string(),
            Outcome::Same(_) | Outcome::Unstable(_) | Outcome::Rewritten(_) => String::new(),
        };
        assert_eq!(outcome(MADE), "true");
        assert!(outcome(MADE - 1).contains("in the future"), "{}", outcome(MADE - 1));
        let fed = place.folder.path().join("fed");
        compile(&place.spec, &place.server, Some(&fed)).unwrap();
        fs::rename(fed, &place.spec.files[0]).unwrap();
        assert_eq!(outcome(MADE), "true");
        assert!(outcome(MADE - 1).contains("in the future"), "{}", outcome(MADE - 1));
    }

    #[test]
    fn every_setting_that_decides_makes_another_snapshot() {
        let place = Place::new("10.0.0.1\n");
        compile(&place.spec, &place.server, None).unwrap();
        assert!(place.is_found());
        let name = || "ns.example".parse().unwrap();
        let soa = config::Soa {
            mname: name(),
            rname: name(),
            serial: None,
            refresh: 1,
            retry: 1,
            expire: 1,
            minimum: 1,
            ttl: None,
        };
        let decides: [fn(&mut config::Dataset, config::Soa); 8] = [
            |spec, _| spec.kind = Kind::Ip4Trie,
            |spec, soa| spec.soa = Some(soa),
            |spec, soa| spec.ns = vec![soa.mname],
            |spec, _| spec.ns_ttl = Some(5),
            |spec, _| spec.ttl = Some(5),
            |spec, _| spec.default_a = Some([127, 0, 0, 3].into()),
            |spec, _| spec.default_text = Some(String::new()),
            |spec, _| spec.allow_any_a = true,
        ];
        for change in decides {
            let mut other = clone(&place);
            change(&mut other.spec, soa.clone());
            assert!(!other.is_found(), "{:?}", other.spec);
        }
        let decides: [fn(&mut config::Server); 4] = [
            |server| server.ttl.default += 1,
            |server| server.ttl.min += 1,
            |server| server.ttl.max -= 1,
            |server| server.accept_host_bits = true,
        ];
        for change in decides {
            let mut other = clone(&place);
            change(&mut other.server);
            assert!(!other.is_found(), "{:?}", other.server);
        }
        let mut same = clone(&place);
        same.spec.accept_empty = true;
        same.server.ttl.negative += 1;
        same.server.minimal_answers = false;
        assert!(same.is_found());
    }

    /// The same settings and state folder.
    fn clone(place: &Place) -> Place {
        let (spec, server) = (place.spec.clone(), place.server.clone());
        Place {
            folder: tempfile::tempdir().unwrap(),
            spec,
            server,
            source: CancelSource::default(),
        }
    }

    #[test]
    fn any_change_of_the_files_is_seen() {
        let place = Place::new("10.0.0.1\n");
        let list = &place.spec.files[0];
        let settle = || thread::sleep(std::time::Duration::from_millis(80));
        settle();
        compile(&place.spec, &place.server, None).unwrap();
        assert!(place.is_found());
        // The same size, and the modification time that it had.
        let time = fs::metadata(list).unwrap().modified().unwrap();
        fs::write(list, "10.0.0.2\n").unwrap();
        fs::File::options().write(true).open(list).unwrap().set_modified(time).unwrap();
        assert!(!place.is_found());
        compile(&place.spec, &place.server, None).unwrap();
        // Perhaps within one tick of the clock: the snapshot knows that it was made too soon.
        fs::write(list, "10.0.0.3\n").unwrap();
        assert!(!place.is_found());
        settle();
        compile(&place.spec, &place.server, None).unwrap();
        assert!(place.is_found());
        fs::remove_file(list).unwrap();
        assert!(!place.is_found());
        // Another file with the same bytes will do.
        fs::write(list, "10.0.0.3\n").unwrap();
        assert!(place.is_found());
        fs::write(place.folder.path().join("more"), "").unwrap();
        let mut other = clone(&place);
        other.spec.files.push(place.folder.path().join("more"));
        assert!(!other.is_found());
    }
}
