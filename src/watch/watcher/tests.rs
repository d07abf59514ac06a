//! Real files, real events, real rsync: every way a file changes is reported once, whole.

use super::*;
use crate::event::Log;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::SystemTime;

/// Whatever the fault, limits of the system were to be raised.
#[test]
fn each_reason_not_to_watch_is_told_apart() {
    let io = |code| fault(&notify::Error::io(io::Error::from_raw_os_error(code)));
    assert_eq!(io(libc::EACCES), WatchFault::Forbidden);
    assert_eq!(io(libc::EMFILE), WatchFault::Instances);
    assert_eq!(io(libc::ENOSPC), WatchFault::Watches);
    assert_eq!(io(libc::EIO), WatchFault::Other);
    assert_eq!(fault(&notify::Error::new(ErrorKind::MaxFilesWatch)), WatchFault::Watches);
    assert_eq!(fault(&notify::Error::path_not_found()), WatchFault::Absent);
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A watcher whose reports are all kept, one by one.
struct Received {
    watcher: Arc<Watcher>,
    received: Receiver<FileChange>,
}

impl Received {
    fn start(options: WatchOptions) -> Self {
        let watcher = Arc::new(Watcher::start(options, Arc::new(Log)).unwrap());
        let (sender, received) = channel();
        let taker = watcher.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                loop {
                    for change in taker.changes().await {
                        if sender.send(change).is_err() {
                            return;
                        }
                    }
                }
            });
        });
        Self { watcher, received }
    }

    fn of(options: WatchOptions, path: &Path) -> Self {
        let reports = Self::start(options);
        let loaded = match FileState::of(path) {
            FileState::File(identity) => Some(identity),
            _ => None,
        };
        reports.watcher.set_files(vec![Watched { path: path.to_owned(), loaded }]);
        if loaded.is_none() {
            assert_eq!(reports.next(), Some(FileState::of(path)));
        }
        reports
    }

    fn next(&self) -> Option<FileState> {
        self.received.recv_timeout(ms(5000)).ok().map(|change| change.state)
    }

    /// The next report, and all that follow until there has been none for a while.
    fn rest(&self) -> Vec<FileState> {
        let mut all: Vec<FileState> = self.next().into_iter().collect();
        all.extend(self.more());
        all
    }

    fn more(&self) -> impl Iterator<Item = FileState> {
        std::iter::from_fn(|| self.received.recv_timeout(ms(800)).ok().map(|change| change.state))
    }
}

fn options(events: bool) -> WatchOptions {
    WatchOptions { events, poll: if events { ms(1000) } else { ms(100) }, ..Default::default() }
}

/// Runs a shell script in a folder.
fn sh(folder: &Path, script: &str) {
    let mut command = Command::new("sh");
    let done = command.current_dir(folder).args(["-euc", script]).stdin(Stdio::null()).output();
    let done = done.unwrap();
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{script}: {complaint} (rsync must be installed)");
}

struct Scene {
    name: &'static str,
    /// The watched path.
    path: &'static str,
    prepare: &'static str,
    change: fn(&Path),
    /// Only events can tell that the writer has not finished.
    needs_events: bool,
}

const fn scene(name: &'static str, change: fn(&Path)) -> Scene {
    let prepare = "mkdir dst v1 v2; echo old >dst/list; echo one >v1/list; echo two >v2/list";
    Scene { name, path: "dst/list", prepare, change, needs_events: false }
}

const fn behind(name: &'static str, prepare: &'static str, change: fn(&Path)) -> Scene {
    Scene { prepare, ..scene(name, change) }
}

fn write_slowly(root: &Path, truncate: bool, pause: u64) {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .truncate(truncate)
        .append(!truncate)
        .open(root.join("dst/list"))
        .unwrap();
    for line in 0..4 {
        writeln!(file, "192.0.2.{line}").unwrap();
        sleep(ms(pause));
    }
}

const LINKED: &str =
    "mkdir dst v1 v2; echo one >v1/list; echo other >v2/list; ln -s ../v1/list dst/list";
const FEED: &str = "mkdir dst src tmp; seq 40000 >src/list; echo more >src/more; \
                    rsync -a src/ dst; sleep 0.02; seq 40001 80001 >src/list; echo m >src/more";

const SCENES: [Scene; 36] = [
    scene("renamed over", |root| {
        sh(root, "echo new >dst/.list.x1y2z3; mv dst/.list.x1y2z3 dst/list")
    }),
    scene("written in place with short pauses", |root| write_slowly(root, true, 50)),
    Scene {
        needs_events: true,
        ..scene("written in place with long pauses", |root| write_slowly(root, true, 600))
    },
    Scene {
        needs_events: true,
        ..scene("appended to with long pauses", |root| write_slowly(root, false, 600))
    },
    scene("appended to", |root| sh(root, "echo more >>dst/list")),
    scene("truncated, then appended to", |root| {
        sh(root, ": >dst/list; sleep 0.5; echo new >>dst/list")
    }),
    scene("copied over", |root| sh(root, "cp v1/list dst/list")),
    scene("moved from elsewhere", |root| sh(root, "mv v1/list dst/list")),
    scene("saved by an editor", |root| {
        sh(root, "mv dst/list dst/list~; echo new >dst/list; rm dst/list~")
    }),
    scene("edited by sed", |root| sh(root, "sed -i s/old/new/ dst/list")),
    scene("hard link put over", |root| sh(root, "ln -f v1/list dst/list")),
    scene("replaced twenty times in a row", |root| {
        for number in 0..20 {
            fs::write(root.join("dst/.new"), number.to_string()).unwrap();
            fs::rename(root.join("dst/.new"), root.join("dst/list")).unwrap();
            sleep(ms(30));
        }
    }),
    scene("same size, same modification time", |root| {
        let path = root.join("dst/list");
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all(b"new\n").unwrap();
        file.set_modified(time).unwrap();
    }),
    scene("same size and time under a new inode", |root| {
        sh(root, "echo new >dst/.n; touch -r dst/list dst/.n; mv dst/.n dst/list")
    }),
    scene("modification time in the past", |root| {
        sh(root, "echo new >dst/.n; touch -d 2020-01-01 dst/.n; mv dst/.n dst/list")
    }),
    scene("touched", |root| sh(root, "touch dst/list")),
    scene("made unreadable", |root| {
        let none = fs::Permissions::from_mode(0o000);
        fs::set_permissions(root.join("dst/list"), none).unwrap();
    }),
    scene("removed", |root| sh(root, "rm dst/list")),
    scene("removed and soon back", |root| sh(root, "rm dst/list; sleep 0.4; echo new >dst/list")),
    scene("replaced by a folder", |root| sh(root, "rm dst/list; mkdir dst/list")),
    scene("folder replaced", |root| {
        sh(root, "cp -a dst new; echo new >new/list; mv dst gone; mv new dst")
    }),
    scene("folder removed and made again", |root| {
        sh(root, "rm -r dst; mkdir dst; sleep 0.3; echo new >dst/list")
    }),
    Scene {
        path: "a/b/c/list",
        ..behind("folder far above replaced", "mkdir -p a/b/c n/b/c; echo 1 >a/b/c/list", |root| {
            sh(root, "echo new >n/b/c/list; mv a gone; mv n a")
        })
    },
    Scene {
        path: "a/b/list",
        ..behind("appears, with its folders", "true", |root| {
            sh(root, "mkdir a; sleep 0.1; mkdir a/b; sleep 0.1; echo new >a/b/list")
        })
    },
    behind(
        "written to under another name",
        "mkdir dst far; echo 1 >far/x; ln far/x dst/list",
        |root| sh(root, "echo 2 >>far/x"),
    ),
    behind("symlink's target replaced", LINKED, |root| {
        sh(root, "echo new >v1/.n; mv v1/.n v1/list")
    }),
    behind("symlink renamed over", LINKED, |root| {
        sh(root, "ln -s ../v2/list dst/.n; mv -T dst/.n dst/list")
    }),
    behind("symlink set anew", LINKED, |root| sh(root, "ln -sfn ../v2/list dst/list")),
    Scene {
        path: "now/list",
        ..behind("folder's symlink swapped", "mkdir a b; echo 1 >a/list; ln -s a now", |root| {
            sh(root, "echo new >b/list; ln -s b .n; mv -T .n now")
        })
    },
    behind("rsync", FEED, |root| sh(root, "rsync -a src/ dst")),
    behind("rsync --delay-updates", FEED, |root| sh(root, "rsync -a --delay-updates src/ dst")),
    behind("rsync --temp-dir", FEED, |root| sh(root, "rsync -a --temp-dir=\"$PWD/tmp\" src/ dst")),
    behind("rsync --backup --no-times", FEED, |root| sh(root, "rsync -r -b --no-times src/ dst")),
    behind("rsync --inplace", FEED, |root| sh(root, "rsync -a --inplace src/ dst")),
    Scene {
        needs_events: true,
        ..behind("rsync --inplace over a slow line", FEED, |root| {
            sh(root, "rsync -a --inplace --bwlimit=100 src/ dst")
        })
    },
    behind("rsync killed, then run again", FEED, |root| {
        let mut slow = Command::new("rsync");
        slow.current_dir(root).args(["-a", "--bwlimit=50", "src/", "dst"]);
        let mut slow = slow.stderr(Stdio::null()).spawn().unwrap();
        sleep(ms(500));
        slow.kill().unwrap();
        slow.wait().unwrap();
        sh(root, "rsync -a src/ dst");
    }),
];

fn play(scene: &Scene, events: bool) -> Result<Duration, String> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    sh(root, scene.prepare);
    let path = root.join(scene.path);
    let reports = Received::of(options(events), &path);
    sleep(ms(500));
    (scene.change)(root);
    let begun = Instant::now();
    let first = reports.next();
    let took = begun.elapsed();
    let all: Vec<FileState> = first.into_iter().chain(reports.more()).collect();
    let last = FileState::of(&path);
    if all == [last] && took <= ms(2000) {
        return Ok(took);
    }
    Err(format!("{} (events: {events}): {took:?}: {all:#?}, but there is {last:?}", scene.name))
}

#[test]
fn every_way_a_file_changes_is_reported_once_and_whole() {
    let results: Vec<(&str, bool, Result<Duration, String>)> = std::thread::scope(|scope| {
        let runs: Vec<_> = SCENES
            .iter()
            .flat_map(|scene| [(scene, true), (scene, false)])
            .filter(|(scene, events)| *events || !scene.needs_events)
            .map(|(scene, events)| (scene.name, events, scope.spawn(move || play(scene, events))))
            .collect();
        runs.into_iter().map(|(name, events, run)| (name, events, run.join().unwrap())).collect()
    });
    let mut failures = Vec::new();
    for (name, events, result) in results {
        match result {
            Ok(took) => println!("{:5} ms  events: {events:5}  {name}", took.as_millis()),
            Err(failure) => failures.push(failure),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn an_interrupted_partial_transfer_is_reported_and_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    sh(root, FEED);
    let path = root.join("dst/list");
    let reports = Received::of(options(true), &path);
    sh(
        root,
        "rsync -a --partial --bwlimit=50 src/ dst 2>err & sleep 0.7; kill -TERM $!; wait $! || true",
    );
    let [FileState::File(cut)] = reports.rest()[..] else { panic!("not one report") };
    assert!(cut.is_interrupted_transfer(), "{cut:?}");
    sh(root, "rsync -a src/ dst");
    let [FileState::File(whole)] = reports.rest()[..] else { panic!("not one report") };
    assert!(!whole.is_interrupted_transfer() && whole.size > cut.size);
}

#[test]
fn an_absence_and_the_return_are_reported_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    fs::write(&path, "1.2.3.4\n").unwrap();
    let reports = Received::of(options(true), &path);
    fs::remove_file(&path).unwrap();
    assert_eq!(reports.rest(), [FileState::Vanished]);
    fs::create_dir(&path).unwrap();
    assert_eq!(reports.rest(), [FileState::NotAFile("directory")]);
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "1.2.3.4\n").unwrap();
    assert_eq!(reports.rest(), [FileState::of(&path)]);
}

#[test]
fn the_set_of_files_changes_at_run_time() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
    for path in [&a, &b, &c] {
        fs::write(path, "old\n").unwrap();
    }
    let watched = |path: &PathBuf| {
        let FileState::File(identity) = FileState::of(path) else { panic!("no file") };
        Watched { path: path.clone(), loaded: Some(identity) }
    };
    let reports = Received::start(options(true));
    reports.watcher.set_files(vec![watched(&a), watched(&b)]);
    sleep(ms(300));
    let c_as_loaded = watched(&c);
    for path in [&a, &b, &c] {
        fs::write(path, "newer\n").unwrap();
    }
    reports.watcher.set_files(vec![watched(&b), c_as_loaded]);
    let mut seen: Vec<PathBuf> =
        (0..2).map(|_| reports.received.recv_timeout(ms(5000)).unwrap().path).collect();
    seen.sort();
    assert_eq!(seen, [b.clone(), c], "b kept its state; c changed since it was loaded");
    reports.watcher.recheck(&b);
    assert_eq!(reports.rest(), [FileState::of(&b)]);
    reports.watcher.set_files(Vec::new());
    sleep(ms(100));
    fs::write(&b, "newest\n").unwrap();
    assert!(reports.received.recv_timeout(ms(1500)).is_err());
}

#[test]
fn only_what_came_to_rest_counts_as_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    fs::write(&path, "old\n").unwrap();
    let reports = Received::start(options(true));
    let last_stable = || {
        let rest = reports.watcher.last_stable(&path)?;
        assert!(!rest.appending, "it does not grow");
        Some(rest.state)
    };
    assert_eq!(last_stable(), None, "not watched");
    reports.watcher.set_files(vec![Watched { path: path.clone(), loaded: None }]);
    assert_eq!(last_stable(), Some(FileState::Vanished), "not yet at rest");
    let old = reports.next().unwrap();
    assert_eq!(last_stable(), Some(old));
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(b"ha\n").unwrap();
    reports.watcher.look_now();
    sleep(ms(500));
    assert_eq!(last_stable(), Some(old), "its writer has not closed it");
    file.write_all(b"lf\n").unwrap();
    drop(file);
    let new = reports.next().unwrap();
    assert_eq!(last_stable(), Some(new));
    assert_eq!(FileState::of(&path), new);
    reports.watcher.set_files(Vec::new());
    assert_eq!(last_stable(), None);
}

#[test]
fn a_look_is_taken_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    fs::write(&path, "old\n").unwrap();
    let rare = WatchOptions { events: false, poll: ms(60_000), ..Default::default() };
    let reports = Received::of(rare, &path);
    sleep(ms(100));
    fs::write(&path, "newer\n").unwrap();
    assert_eq!(reports.more().next(), None, "no look is due");
    reports.watcher.look_now();
    assert_eq!(reports.rest(), [FileState::of(&path)]);
}

#[test]
fn a_drop_ends_the_thread() {
    let watcher = Watcher::start(options(true), Arc::new(Log)).unwrap();
    let commands = Arc::downgrade(&watcher.commands);
    drop(watcher);
    let limit = Instant::now() + ms(5000);
    while commands.strong_count() > 0 {
        assert!(Instant::now() < limit);
        sleep(ms(10));
    }
}

/// What the watcher costs when nothing happens: run by hand, alone, and read the output.
#[test]
#[ignore = "a measurement: cargo test --release --lib idle_cost -- --ignored --nocapture"]
fn idle_cost() {
    let folder = tempfile::tempdir().unwrap();
    for events in [true, false] {
        for files in [0u32, 10, 100] {
            let watcher =
                Watcher::start(WatchOptions { events, ..Default::default() }, Arc::new(Log))
                    .unwrap();
            let paths = (0..files).map(|file| folder.path().join(file.to_string()));
            let watched = paths.map(|path| {
                fs::write(&path, "1.2.3.4\n").unwrap();
                Watched { path, loaded: None }
            });
            watcher.set_files(watched.collect());
            sleep(ms(1500));
            let (before, start) = (cpu_time(), SystemTime::now());
            sleep(ms(20_000));
            let spent = cpu_time() - before;
            let share = spent / start.elapsed().unwrap().as_secs_f64();
            println!("{files:3} files, events {events:5}: {:.1} us CPU per second", share * 1e6);
        }
    }
}

/// The CPU time of all threads of this process in seconds (proc_pid_schedstat, nanoseconds).
fn cpu_time() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let spent = tasks.map(|task| {
        let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|spent| spent.parse::<f64>().ok()).unwrap_or(0.0)
    });
    spent.sum::<f64>() / 1e9
}
