//! Building, snapshots and their writer together, on real files.

use super::build::{build, run};
use super::cached::{find, origin};
use super::offline::compile;
use super::task::{BuildOutcome, Built, Cached, Task};
use crate::config;
use crate::event::{Event, EventSink, Log};
use crate::snapshot::folder::Folder;
use crate::source::Cause;
use crate::state::record::DatasetRecord;
use crate::state::snapshot_writer::{SnapshotWriter, WriteJob};
use crate::util::cancel::CancelSource;
use crate::zonefile::Kind;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// 2020-01-01.
const MADE: u64 = 1_577_836_800;

struct Sandbox {
    folder: TempDir,
    spec: config::Dataset,
    server: config::Server,
    source: CancelSource,
}

impl Sandbox {
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
        let token = self.source.token();
        Task { all_cores: false, ..Task::without_server(self.spec.clone(), &self.server, token) }
    }

    fn is_found(&self) -> bool {
        matches!(find(&self.task(), MADE, &mut Vec::new()), Some(Cached::Current(_)))
    }
}

/// Regression: a snapshot that could not be written, of a full disk, was not tried again, and a start
/// without the files then served older data.
#[test]
fn what_could_not_be_written_is_tried_again() {
    let sandbox = Sandbox::new("10.0.0.1\n");
    let BuildOutcome::Built(built) = build(&sandbox.task(), MADE, false) else {
        panic!("it is good")
    };
    let Built { dataset, sources, facts, .. } = *built;
    let state_dir = sandbox.server.state_dir.clone().unwrap();
    fs::write(&state_dir, "no folder").unwrap();
    let writer =
        SnapshotWriter::start_with(&state_dir, Arc::new(Log), Duration::from_millis(20)).unwrap();
    writer.write(WriteJob {
        dataset: Arc::new(dataset),
        origin: origin(&sandbox.spec, &sandbox.server, facts.stamp, &sources),
        token: sandbox.source.token(),
    });
    thread::sleep(Duration::from_millis(100));
    assert!(!sandbox.is_found());
    fs::remove_file(&state_dir).unwrap();
    let limit = Instant::now() + Duration::from_secs(5);
    while !sandbox.is_found() {
        assert!(Instant::now() < limit, "it is not there");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Panics when it is told of the first snapshot.
#[derive(Default)]
struct Fragile(Mutex<Vec<&'static str>>);

impl EventSink for Fragile {
    fn emit(&self, event: &Event) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.push(event.name());
        assert_ne!(*told, ["snapshot-written"], "a test's panic");
    }
}

/// Regression: after a panic of the thread that writes snapshots, none was written any more.
#[test]
fn a_panic_of_the_writer_is_told_and_it_writes_on() {
    let sandbox = Sandbox::new("10.0.0.1\n");
    let BuildOutcome::Built(built) = build(&sandbox.task(), MADE, false) else {
        panic!("it is good")
    };
    let Built { dataset, sources, facts, .. } = *built;
    let dataset = Arc::new(dataset);
    let sink = Arc::new(Fragile::default());
    let state_dir = sandbox.server.state_dir.clone().unwrap();
    let writer = SnapshotWriter::start(&state_dir, Arc::clone(&sink) as _).unwrap();
    for _ in 0..2 {
        writer.write(WriteJob {
            dataset: Arc::clone(&dataset),
            origin: origin(&sandbox.spec, &sandbox.server, facts.stamp, &sources),
            token: sandbox.source.token(),
        });
    }
    let want = ["snapshot-written", "thread-panicked", "snapshot-written"];
    let limit = Instant::now() + Duration::from_secs(5);
    while *sink.0.lock().unwrap_or_else(PoisonError::into_inner) != want {
        assert!(Instant::now() < limit, "{:?}", sink.0);
        thread::sleep(Duration::from_millis(10));
    }
}

/// Regression: gigabytes of junk were read to their end, although it was told by their start.
#[test]
fn junk_is_not_read_to_its_end() {
    let sandbox = Sandbox::new("");
    let file = fs::File::options().append(true).open(&sandbox.spec.files[0]).unwrap();
    file.set_len(3 << 30).unwrap();
    let start = Instant::now();
    let BuildOutcome::Failed(problem, _) = build(&sandbox.task(), MADE, false) else {
        panic!("it is junk")
    };
    assert_eq!(problem.cause, Cause::Binary);
    let took = start.elapsed();
    assert!(took < Duration::from_millis(300), "{took:?}");
}

/// A file that is refused when it is read must not come in by its snapshot.
#[test]
fn data_from_the_future_is_refused_as_a_snapshot_too() {
    let mut sandbox = Sandbox::new("$TIMESTAMP 2020-01-01\n10.0.0.1\n");
    sandbox.spec.accept_snapshot = true;
    compile(&sandbox.spec, &sandbox.server, None).unwrap();
    let outcome = |now| match run(&sandbox.task(), now, &mut Vec::new()).0 {
        BuildOutcome::Built(built) => (built.dataset.mapped() > 0).to_string(),
        BuildOutcome::Failed(problem, _) => problem.to_string(),
        BuildOutcome::Same(_) | BuildOutcome::Unstable(_) | BuildOutcome::Rewritten(_) => {
            String::new()
        }
    };
    assert_eq!(outcome(MADE), "true");
    assert!(outcome(MADE - 1).contains("in the future"), "{}", outcome(MADE - 1));
    let fed = sandbox.folder.path().join("fed");
    compile(&sandbox.spec, &sandbox.server, Some(&fed)).unwrap();
    fs::rename(fed, &sandbox.spec.files[0]).unwrap();
    assert_eq!(outcome(MADE), "true");
    assert!(outcome(MADE - 1).contains("in the future"), "{}", outcome(MADE - 1));
}

#[test]
fn every_setting_that_decides_makes_another_snapshot() {
    let sandbox = Sandbox::new("10.0.0.1\n");
    compile(&sandbox.spec, &sandbox.server, None).unwrap();
    assert!(sandbox.is_found());
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
        let mut other = clone(&sandbox);
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
        let mut other = clone(&sandbox);
        change(&mut other.server);
        assert!(!other.is_found(), "{:?}", other.server);
    }
    let mut same = clone(&sandbox);
    same.spec.accept_empty = true;
    same.server.ttl.negative += 1;
    same.server.minimal_answers = false;
    assert!(same.is_found());
}

/// The same settings and state folder.
fn clone(sandbox: &Sandbox) -> Sandbox {
    let (spec, server) = (sandbox.spec.clone(), sandbox.server.clone());
    Sandbox { folder: tempfile::tempdir().unwrap(), spec, server, source: CancelSource::default() }
}

#[test]
fn any_change_of_the_files_is_seen() {
    let sandbox = Sandbox::new("10.0.0.1\n");
    let list = &sandbox.spec.files[0];
    let settle = || thread::sleep(std::time::Duration::from_millis(80));
    settle();
    compile(&sandbox.spec, &sandbox.server, None).unwrap();
    assert!(sandbox.is_found());
    // The same size, and the modification time that it had.
    let time = fs::metadata(list).unwrap().modified().unwrap();
    fs::write(list, "10.0.0.2\n").unwrap();
    fs::File::options().write(true).open(list).unwrap().set_modified(time).unwrap();
    assert!(!sandbox.is_found());
    compile(&sandbox.spec, &sandbox.server, None).unwrap();
    // Perhaps within one tick of the clock: the snapshot knows that it was made too soon.
    fs::write(list, "10.0.0.3\n").unwrap();
    assert!(!sandbox.is_found());
    settle();
    compile(&sandbox.spec, &sandbox.server, None).unwrap();
    assert!(sandbox.is_found());
    fs::remove_file(list).unwrap();
    assert!(!sandbox.is_found());
    // Another file with the same bytes will do.
    fs::write(list, "10.0.0.3\n").unwrap();
    assert!(sandbox.is_found());
    fs::write(sandbox.folder.path().join("more"), "").unwrap();
    let mut other = clone(&sandbox);
    other.spec.files.push(sandbox.folder.path().join("more"));
    assert!(!other.is_found());
}

/// A failure is told once, and what is remembered is the newest, once it can be written.
#[test]
fn a_record_that_could_not_be_written_is_tried_again() {
    let state = tempfile::tempdir().unwrap();
    let state_dir = state.path().join("state");
    fs::write(&state_dir, "no folder").unwrap();
    let writer =
        SnapshotWriter::start_with(&state_dir, Arc::new(Log), Duration::from_millis(20)).unwrap();
    let record =
        |accepted| DatasetRecord { name: "list".to_owned(), accepted, ..DatasetRecord::default() };
    writer.write_record(record(1));
    writer.write_record(record(2));
    thread::sleep(Duration::from_millis(100));
    fs::remove_file(&state_dir).unwrap();
    let limit = Instant::now() + Duration::from_secs(5);
    let folder = Folder::of(&state_dir);
    while DatasetRecord::read(&folder, "list").unwrap() != Some(record(2)) {
        assert!(Instant::now() < limit, "it is not there");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sites that serve the same have the same content id, however their files are named and written.
#[test]
fn the_content_id_is_that_of_what_is_served() {
    let id = |text: &str, change: fn(&mut config::Dataset)| {
        let mut sandbox = Sandbox::new(text);
        change(&mut sandbox.spec);
        let BuildOutcome::Built(built) = build(&sandbox.task(), MADE, false) else {
            panic!("{text}")
        };
        let Built { dataset, sources, facts, content_id, .. } = *built;
        let origin = origin(&sandbox.spec, &sandbox.server, facts.stamp, &sources);
        let folder = Folder::of(sandbox.server.state_dir.as_deref().unwrap());
        if folder.write(&dataset, &origin, &|| true).is_ok() {
            let found = find(&sandbox.task(), MADE, &mut Vec::new());
            let Some(Cached::Current(cached)) = found else { panic!("{text}") };
            assert_eq!(cached.content_id, content_id, "from the snapshot");
        }
        content_id
    };
    let same = |_: &mut config::Dataset| {};
    let text = "10.0.0.1 :2:a\n10.0.0.2 :3:b\n";
    let first = id(text, same);
    for written in ["# now\n10.0.0.2 :3:b\n10.0.0.1 :2:a\n", "10.0.0.1/32 :2:a\n10.0.0.2 :3:b"] {
        assert_eq!(id(written, |spec| spec.name = "other".to_owned()), first, "{written}");
    }
    for other in [
        "10.0.0.1 :2:a\n",
        "10.0.0.1 :2:a\n10.0.0.2 :3:c\n",
        "$TTL 60\n10.0.0.1 :2:a\n10.0.0.2 :3:b\n",
    ] {
        assert_ne!(id(other, same), first, "{other}");
    }
    assert_ne!(id(text, |spec| spec.ttl = Some(60)), first);
    assert_ne!(
        id("a.example\n", |spec| spec.kind = Kind::Dnset),
        id("a.example\n", |spec| {
            spec.kind = Kind::Dnset;
            spec.hides_empty_non_terminals = true;
        })
    );
    // What has no compiled form is told by its bytes and rules.
    let generic = |spec: &mut config::Dataset| spec.kind = Kind::Generic;
    let records = id("www A 192.0.2.1\n", generic);
    assert_eq!(id("www A 192.0.2.1\n", generic), records);
    assert_ne!(id("www A 192.0.2.2\n", generic), records);
    assert_ne!(
        id("www A 192.0.2.1\n", |spec| (spec.kind, spec.ttl) = (Kind::Generic, Some(60))),
        records
    );
}
