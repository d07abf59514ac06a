//! Every way in which a file changes.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant, SystemTime};

use flate2::{Compression, write::GzEncoder};
use hickory_proto::op::ResponseCode::{NXDomain, NoError};
use hickory_proto::rr::RecordType;
use rustix::process::Signal;

use super::{RATE, SOON};
use crate::common::{
    Daemon, Process, Setup, Stream, Style, VersionedFeed, event, send_signal_to_group, wait_until,
};

/// How long anything else may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Lines of a list: some 140 KB.
const FILLER: u32 = 10_000;

/// One list, in a folder of its own, and one way to change it.
struct Way {
    zone: &'static str,
    /// Where the configuration finds the file.
    file: &'static str,
    style: Style,
    /// What is put there before the server starts, if not just the file.
    prepare: fn(&Folder),
    /// Brings version 2, or the last one it allows.
    change: fn(&Folder),
    /// How often the list is loaded anew by that: at least, at most.
    loads: (usize, usize),
}

/// The folder of a way, and who reads in it.
struct Folder<'a> {
    path: &'a Path,
    feed: &'a VersionedFeed,
    server: Option<&'a Daemon>,
}

impl Folder<'_> {
    fn write(&self, name: &str, version: u32) {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(path, self.feed.text(version)).expect("it can be written");
    }

    fn sh(&self, script: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-euc", script]).current_dir(self.path).stdin(Stdio::null());
        let output = shell.output().expect("sh is there");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {complaint}");
    }

    /// Starts a slow rsync from src to dst and ends it, sender and receiver, in the middle.
    fn killed_rsync(&self, options: &[&str], signal: Signal) {
        let mut rsync = Command::new("rsync");
        rsync.args(["-a", "--bwlimit=60"]).args(options).args(["src/", "dst"]);
        let log = self.path.join("rsync.log");
        let mut rsync = Process::start(rsync.current_dir(self.path).process_group(0), &log);
        // It writes its part when it is told to end: there is nothing to see before.
        sleep(Duration::from_millis(700));
        assert!(!rsync.has_ended(), "rsync was too quick");
        send_signal_to_group(rsync.id(), signal);
        assert!(wait_until(LIMIT, || rsync.has_ended()), "rsync goes on");
    }

    /// The modification time of a file, in seconds since 1970.
    fn mtime(&self, file: &str) -> i64 {
        fs::metadata(self.path.join(file)).expect("the file is there").mtime()
    }

    fn says(&self, words: &[&str]) {
        let server = self.server.expect("it is running");
        let words: Vec<&str> = words.iter().copied().chain([self.feed.zone()]).collect();
        server.find_in_log(&words, Duration::from_secs(5)).expect("the log tells");
    }
}

const fn way(zone: &'static str, change: fn(&Folder)) -> Way {
    let prepare = |folder: &Folder| folder.write("dst/list", 1);
    let style = Style::Replaced;
    Way { zone, file: "dst/list", style, prepare, change, loads: (1, 1) }
}

/// rsync from src to dst; the new version is in src.
const fn by_rsync(zone: &'static str, change: fn(&Folder)) -> Way {
    Way { prepare: prepare_rsync, ..way(zone, change) }
}

fn prepare_rsync(folder: &Folder) {
    folder.write("dst/list", 1);
    folder.write("src/list", 2);
    folder.sh("mkdir tmp; echo other >src/other; touch -d 2021-01-01 dst/list");
}

/// The pause of a slow writer: longer than a file must rest to be read, if it were closed.
const PAUSE: Duration = Duration::from_millis(500);

fn pieces(text: &str, count: usize) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().chunks(text.len().div_ceil(count))
}

const WAYS: &[Way] = &[
    by_rsync("rsync", |folder| folder.sh("rsync -a src/ dst")),
    by_rsync("rsync-inplace", |folder| folder.sh("rsync -a --inplace src/ dst")),
    by_rsync("rsync-inplace-slow", |folder| {
        folder.sh("rsync -a --inplace --bwlimit=60 src/ dst");
    }),
    by_rsync("rsync-inplace-delta", |folder| {
        folder.sh("rsync -a --inplace --no-whole-file --bwlimit=60 src/ dst");
    }),
    by_rsync("rsync-delay-updates", |folder| {
        folder.sh("rsync -a --delay-updates --bwlimit=60 src/ dst");
    }),
    by_rsync("rsync-partial-term", |folder| {
        // Which of rsync's processes dies first decides whether it keeps what it has.
        let is_left = |folder: &Folder| {
            folder.killed_rsync(&["--partial"], Signal::TERM);
            folder.mtime("dst/list") == 0
        };
        assert!((0..10).any(|_| is_left(folder)), "rsync never leaves a part");
        folder.says(&[
            "event=\"dataset-refused\"",
            "dst/list",
            "interrupted rsync --partial",
            "run the mirror",
        ]);
        folder.sh("rsync -a --partial src/ dst");
    }),
    by_rsync("rsync-partial-kill", |folder| {
        folder.killed_rsync(&["--partial"], Signal::KILL);
        // The mirror job runs later: what is left is there to be taken for a list.
        sleep(Duration::from_secs(1));
        folder.sh("ls -A dst | grep -q '^.list.'; rsync -a --partial src/ dst");
    }),
    by_rsync("rsync-older", |folder| {
        folder.sh("touch -d 2020-01-01 src/list; rsync -a src/ dst");
    }),
    by_rsync("rsync-temp-dir", |folder| folder.sh("rsync -a --temp-dir=\"$PWD/tmp\" src/ dst")),
    by_rsync("rsync-backup", |folder| folder.sh("rsync -r -b --no-times src/ dst")),
    way("mv", |folder| {
        folder.write("dst/.new", 2);
        folder.sh("mv dst/.new dst/list");
    }),
    way("mv-older", |folder| {
        folder.write("new", 2);
        folder.sh("touch -d 1999-12-31 new; mv new dst/list");
    }),
    way("cp", |folder| {
        folder.write("new", 2);
        folder.sh("cp new dst/list");
    }),
    way("hard-link", |folder| {
        folder.write("new", 2);
        folder.sh("ln -f new dst/list");
    }),
    // As vim does it: the old file is renamed away, the new one written under the name, here by a
    // slow disk.
    way("editor", |folder| {
        folder.sh("mv dst/list dst/list~");
        sleep(Duration::from_millis(300));
        let text = folder.feed.text(2);
        let mut file = File::create_new(folder.path.join("dst/list")).expect("it is away");
        for piece in pieces(&text, 4) {
            file.write_all(piece).expect("there is room");
            sleep(Duration::from_millis(100));
        }
        drop(file);
        folder.sh("rm dst/list~");
    }),
    way("slow-writer", |folder| {
        let text = folder.feed.text(2);
        let mut file = File::create(folder.path.join("dst/list")).expect("it can be written");
        for piece in pieces(&text, 5) {
            sleep(PAUSE);
            file.write_all(piece).expect("there is room");
        }
    }),
    Way {
        style: Style::Growing,
        ..way("slow-append", |folder| {
            let (before, text) = (folder.feed.text(1), folder.feed.text(2));
            let new = text.strip_prefix(&before).expect("it grows");
            let path = folder.path.join("dst/list");
            let mut file = OpenOptions::new().append(true).open(path).expect("it is there");
            for piece in pieces(new, 5) {
                file.write_all(piece).expect("there is room");
                sleep(PAUSE);
            }
        })
    },
    way("truncated-then-written", |folder| {
        folder.write("new", 2);
        folder.sh(": >dst/list; sleep 0.5; cat new >>dst/list");
    }),
    Way {
        prepare: |folder| {
            folder.write("v/list", 1);
            folder.sh("mkdir dst; ln -s ../v/list dst/list");
        },
        ..way("symlink-target-rewritten", |folder| folder.write("v/list", 2))
    },
    Way {
        prepare: |folder| {
            folder.write("v1", 1);
            folder.write("v2", 2);
            folder.sh("mkdir dst; ln -s ../v1 dst/list");
        },
        ..way("symlink-swapped", |folder| folder.sh("ln -s ../v2 dst/.n; mv -T dst/.n dst/list"))
    },
    Way {
        prepare: |folder| {
            folder.write("one/list", 1);
            folder.write("two/list", 2);
            symlink("one", folder.path.join("dst")).expect("there is none");
        },
        ..way("folder-symlink-swapped", |folder| folder.sh("ln -s two .n; mv -T .n dst"))
    },
    way("folder-replaced", |folder| {
        folder.write("new/list", 2);
        folder.sh("mv dst gone; mv new dst; rm -r gone");
    }),
    // Version 2 may or may not be seen on the way to 3, in the same second but not at once.
    Way {
        loads: (1, 2),
        ..way("same-size-same-second", |folder| {
            let path = folder.path.join("dst/list");
            let time = FileTimes::new().set_modified(SystemTime::now());
            for version in [2, 3] {
                folder.feed.allow(version);
                folder.write("dst/list", version);
                let file = OpenOptions::new().append(true).open(&path).expect("it is there");
                file.set_times(time).expect("it is ours");
                sleep(Duration::from_millis(if version == 2 { 250 } else { 0 }));
            }
        })
    },
    Way {
        loads: (1, 8),
        ..way("burst", |folder| {
            for version in 2..=9 {
                folder.feed.allow(version);
                folder.write("dst/.new", version);
                folder.sh("mv dst/.new dst/list");
                // A burst is as quick as it is.
                sleep(Duration::from_millis(60));
            }
        })
    },
    way("compressed", |folder| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(folder.feed.text(2).as_bytes()).expect("there is room");
        fs::write(folder.path.join("new"), packer.finish().expect("there is room")).expect("ours");
        folder.sh("mv new dst/list");
    }),
    Way { loads: (0, 0), ..way("touched", |folder| folder.sh("touch dst/list")) },
    Way { loads: (0, 0), ..way("chmod", |folder| folder.sh("chmod 600 dst/list")) },
    Way { loads: (0, 0), ..way("written-again-as-it-was", |folder| folder.write("dst/list", 1)) },
    Way { loads: (0, 0), ..way("left-alone", |_| ()) },
];

#[test]
fn every_way_a_file_changes_is_followed_soon_and_whole() {
    let setup = Setup::new();
    let feeds: Vec<Arc<VersionedFeed>> =
        WAYS.iter().map(|way| VersionedFeed::new(way.zone, way.style, FILLER)).collect();
    for (way, feed) in WAYS.iter().zip(&feeds) {
        let folder = setup.path(way.zone);
        fs::create_dir(&folder).expect("it is new");
        (way.prepare)(&Folder { path: &folder, feed, server: None });
    }
    let files: Vec<_> = WAYS
        .iter()
        .map(|way| (way.zone.to_owned(), format!("{}/{}", way.zone, way.file)))
        .collect();
    setup.configure_lists("", &files);
    let server = setup.start();
    let stream = Stream::start(server.addr(), &feeds, RATE);
    for feed in &feeds {
        feed.wait_for_all_answers(LIMIT).expect("version 1 is served");
    }

    let results: Vec<_> = thread::scope(|scope| {
        let walks: Vec<_> = WAYS
            .iter()
            .zip(&feeds)
            .map(|(way, feed)| scope.spawn(|| walk(way, feed, &server)))
            .collect();
        walks.into_iter().map(|walk| walk.join().expect("a walk ends well")).collect()
    });
    let seen = stream.finish();
    println!("{seen:?}");
    let mut failures = Vec::new();
    for (way, result) in WAYS.iter().zip(results) {
        match result {
            Ok(took) => println!("{:5} ms  {}", took.as_millis(), way.zone),
            Err(failure) => failures.push(failure),
        }
    }
    assert!(failures.is_empty(), "{}\n{}", failures.join("\n"), server.log());
}

fn walk(way: &Way, feed: &VersionedFeed, server: &Daemon) -> Result<Duration, String> {
    let path = server.path(way.zone);
    let folder = Folder { path: &path, feed, server: Some(server) };
    let nothing_new = way.loads == (0, 0);
    if !nothing_new {
        feed.allow(2);
    }
    (way.change)(&folder);
    let whole = Instant::now();
    if nothing_new {
        // Nothing tells of what does not happen: as long as a change may take.
        sleep(SOON);
    } else {
        feed.wait_for(feed.allowed(), SOON)?;
    }
    let took = whole.elapsed();
    // Nothing more comes of it, for which there is no sign either: twice the quiet period.
    sleep(Duration::from_millis(1200));
    feed.check()?;
    let loads = server.log_lines(&[&event("dataset-reloaded", way.zone)]).len()
        + server.log_lines(&[&event("dataset-recovered", way.zone)]).len();
    let (least, most) = way.loads;
    if loads < least || loads > most {
        return Err(format!("{}: loaded {loads} times, not {least} to {most}", way.zone));
    }
    Ok(took)
}

/// Regression: a list that a program appends to all the time was never read again, not even on SIGHUP.
#[test]
fn a_list_that_grows_all_the_time_is_read_when_asked_for() {
    let setup = Setup::new();
    setup.write("list", "10.0.0.1\n");
    setup.configure_lists("", &[("grows.test".to_owned(), "list".to_owned())]);
    let server = setup.start();
    let path = server.path("list");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut list = OpenOptions::new().append(true).open(&path).expect("it is there");
            for number in 2..=250 {
                // In two writes: half a line must not count.
                let line = format!("10.0.0.{number}\n");
                for half in [&line[..7], &line[7..]] {
                    list.write_all(half.as_bytes()).expect("it can be written");
                    // It must go on for all of the test.
                    sleep(Duration::from_millis(20));
                }
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let lines = || fs::read_to_string(&path).expect("it is there").lines().count();
        assert!(wait_until(LIMIT, || lines() > 25), "it does not grow");
        let code = |name: &str| server.ask(name, RecordType::A).rcode();
        assert_eq!(code("5.0.0.10.grows.test"), NXDomain, "nobody has asked for it");
        server.reload();
        server.expect_code("5.0.0.10.grows.test", NoError, SOON);
        assert_eq!(code("1.0.0.10.grows.test"), NoError);
        server.expect_log(&[&event("dataset-reloaded", "grows.test")], SOON);
        assert!(server.log_lines(&["event=\"bad-line\""]).is_empty(), "{}", server.log());
        stop.store(true, Ordering::Relaxed);
    });
    let lines = fs::read_to_string(&path).expect("it is there").lines().count();
    let last = format!("{lines}.0.0.10.grows.test");
    server.expect_code(&last, NoError, SOON);
}
