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
use crate::common::{Daemon, Feed, Process, Setup, Stream, Style, send_signal_to_group};

/// Lines of a list: some 140 KB.
const FILLER: u32 = 10_000;

/// One list, in a folder of its own, and one way to change it.
struct Way {
    zone: &'static str,
    /// Where the configuration finds the file.
    file: &'static str,
    style: Style,
    /// What is put there before the server starts, if not just the file.
    prepare: fn(&Place),
    /// Brings version 2, or the last one it allows.
    change: fn(&Place),
    /// How often the list is loaded anew by that: at least, at most.
    loads: (usize, usize),
}

/// Where a way is gone.
struct Place<'a> {
    folder: &'a Path,
    feed: &'a Feed,
    server: Option<&'a Daemon>,
}

impl Place<'_> {
    fn write(&self, name: &str, version: u32) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(path, self.feed.text(version)).expect("it can be written");
    }

    fn sh(&self, script: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-euc", script]).current_dir(self.folder).stdin(Stdio::null());
        let output = shell.output().expect("sh is there");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {complaint}");
    }

    /// Starts a slow rsync from src to dst and ends it, sender and receiver, in the middle.
    fn killed_rsync(&self, options: &[&str], signal: Signal) {
        let mut rsync = Command::new("rsync");
        rsync.args(["-a", "--bwlimit=60"]).args(options).args(["src/", "dst"]);
        let log = self.folder.join("rsync.log");
        let mut rsync = Process::start(rsync.current_dir(self.folder).process_group(0), &log);
        sleep(Duration::from_millis(700));
        assert!(!rsync.has_ended(), "rsync was too quick");
        send_signal_to_group(rsync.id(), signal);
        while !rsync.has_ended() {
            sleep(Duration::from_millis(10));
        }
    }

    /// The modification time of a file, in seconds since 1970.
    fn mtime(&self, file: &str) -> i64 {
        fs::metadata(self.folder.join(file)).expect("the file is there").mtime()
    }

    fn says(&self, words: &[&str]) {
        let server = self.server.expect("it is running");
        let words: Vec<&str> = words.iter().copied().chain([self.feed.zone()]).collect();
        server.find_in_log(&words, Duration::from_secs(5)).expect("the log tells");
    }
}

const fn way(zone: &'static str, change: fn(&Place)) -> Way {
    let prepare = |place: &Place| place.write("dst/list", 1);
    let style = Style::Replaced;
    Way { zone, file: "dst/list", style, prepare, change, loads: (1, 1) }
}

/// rsync from src to dst; the new version is in src.
const fn by_rsync(zone: &'static str, change: fn(&Place)) -> Way {
    Way { prepare: prepare_rsync, ..way(zone, change) }
}

fn prepare_rsync(place: &Place) {
    place.write("dst/list", 1);
    place.write("src/list", 2);
    place.sh("mkdir tmp; echo other >src/other; touch -d 2021-01-01 dst/list");
}

fn pieces(text: &str, count: usize) -> impl Iterator<Item = &[u8]> {
    text.as_bytes().chunks(text.len().div_ceil(count))
}

const WAYS: &[Way] = &[
    by_rsync("rsync", |place| place.sh("rsync -a src/ dst")),
    by_rsync("rsync-inplace", |place| place.sh("rsync -a --inplace src/ dst")),
    by_rsync("rsync-inplace-slow", |place| {
        place.sh("rsync -a --inplace --bwlimit=60 src/ dst");
    }),
    by_rsync("rsync-inplace-delta", |place| {
        place.sh("rsync -a --inplace --no-whole-file --bwlimit=60 src/ dst");
    }),
    by_rsync("rsync-delay-updates", |place| {
        place.sh("rsync -a --delay-updates --bwlimit=60 src/ dst");
    }),
    by_rsync("rsync-partial-term", |place| {
        // Which of rsync's processes dies first decides whether it keeps what it has.
        let is_left = |place: &Place| {
            place.killed_rsync(&["--partial"], Signal::TERM);
            place.mtime("dst/list") == 0
        };
        assert!((0..10).any(|_| is_left(place)), "rsync never leaves a part");
        place.says(&["not reloaded", "dst/list", "interrupted rsync --partial", "run the mirror"]);
        place.sh("rsync -a --partial src/ dst");
    }),
    by_rsync("rsync-partial-kill", |place| {
        place.killed_rsync(&["--partial"], Signal::KILL);
        sleep(Duration::from_secs(1));
        place.sh("ls -A dst | grep -q '^.list.'; rsync -a --partial src/ dst");
    }),
    by_rsync("rsync-older", |place| {
        place.sh("touch -d 2020-01-01 src/list; rsync -a src/ dst");
    }),
    by_rsync("rsync-temp-dir", |place| place.sh("rsync -a --temp-dir=\"$PWD/tmp\" src/ dst")),
    by_rsync("rsync-backup", |place| place.sh("rsync -r -b --no-times src/ dst")),
    way("mv", |place| {
        place.write("dst/.new", 2);
        place.sh("mv dst/.new dst/list");
    }),
    way("mv-older", |place| {
        place.write("new", 2);
        place.sh("touch -d 1999-12-31 new; mv new dst/list");
    }),
    way("cp", |place| {
        place.write("new", 2);
        place.sh("cp new dst/list");
    }),
    way("hard-link", |place| {
        place.write("new", 2);
        place.sh("ln -f new dst/list");
    }),
    // As vim does it: the old file is renamed away, the new one written under the name.
    way("editor", |place| {
        place.sh("mv dst/list dst/list~");
        sleep(Duration::from_millis(300));
        let text = place.feed.text(2);
        let mut file = File::create_new(place.folder.join("dst/list")).expect("it is away");
        for piece in pieces(&text, 4) {
            file.write_all(piece).expect("there is room");
            sleep(Duration::from_millis(100));
        }
        drop(file);
        place.sh("rm dst/list~");
    }),
    way("slow-writer", |place| {
        let text = place.feed.text(2);
        let mut file = File::create(place.folder.join("dst/list")).expect("it can be written");
        for piece in pieces(&text, 5) {
            sleep(Duration::from_millis(500));
            file.write_all(piece).expect("there is room");
        }
    }),
    Way {
        style: Style::Growing,
        ..way("slow-append", |place| {
            let (before, text) = (place.feed.text(1), place.feed.text(2));
            let new = text.strip_prefix(&before).expect("it grows");
            let path = place.folder.join("dst/list");
            let mut file = OpenOptions::new().append(true).open(path).expect("it is there");
            for piece in pieces(new, 5) {
                file.write_all(piece).expect("there is room");
                sleep(Duration::from_millis(500));
            }
        })
    },
    way("truncated-then-written", |place| {
        place.write("new", 2);
        place.sh(": >dst/list; sleep 0.5; cat new >>dst/list");
    }),
    Way {
        prepare: |place| {
            place.write("v/list", 1);
            place.sh("mkdir dst; ln -s ../v/list dst/list");
        },
        ..way("symlink-target-rewritten", |place| place.write("v/list", 2))
    },
    Way {
        prepare: |place| {
            place.write("v1", 1);
            place.write("v2", 2);
            place.sh("mkdir dst; ln -s ../v1 dst/list");
        },
        ..way("symlink-swapped", |place| place.sh("ln -s ../v2 dst/.n; mv -T dst/.n dst/list"))
    },
    Way {
        prepare: |place| {
            place.write("one/list", 1);
            place.write("two/list", 2);
            symlink("one", place.folder.join("dst")).expect("there is none");
        },
        ..way("folder-symlink-swapped", |place| place.sh("ln -s two .n; mv -T .n dst"))
    },
    way("folder-replaced", |place| {
        place.write("new/list", 2);
        place.sh("mv dst gone; mv new dst; rm -r gone");
    }),
    // Version 2 may or may not be seen on the way to 3.
    Way {
        loads: (1, 2),
        ..way("same-size-same-second", |place| {
            let path = place.folder.join("dst/list");
            let time = FileTimes::new().set_modified(SystemTime::now());
            for version in [2, 3] {
                place.feed.allow(version);
                place.write("dst/list", version);
                let file = OpenOptions::new().append(true).open(&path).expect("it is there");
                file.set_times(time).expect("it is ours");
                sleep(Duration::from_millis(if version == 2 { 250 } else { 0 }));
            }
        })
    },
    Way {
        loads: (1, 8),
        ..way("burst", |place| {
            for version in 2..=9 {
                place.feed.allow(version);
                place.write("dst/.new", version);
                place.sh("mv dst/.new dst/list");
                sleep(Duration::from_millis(60));
            }
        })
    },
    way("compressed", |place| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(place.feed.text(2).as_bytes()).expect("there is room");
        fs::write(place.folder.join("new"), packer.finish().expect("there is room")).expect("ours");
        place.sh("mv new dst/list");
    }),
    Way { loads: (0, 0), ..way("touched", |place| place.sh("touch dst/list")) },
    Way { loads: (0, 0), ..way("chmod", |place| place.sh("chmod 600 dst/list")) },
    Way { loads: (0, 0), ..way("written-again-as-it-was", |place| place.write("dst/list", 1)) },
    Way { loads: (0, 0), ..way("left-alone", |_| ()) },
];

#[test]
fn every_way_a_file_changes_is_followed_soon_and_whole() {
    let setup = Setup::new();
    let feeds: Vec<Arc<Feed>> =
        WAYS.iter().map(|way| Feed::new(way.zone, way.style, FILLER)).collect();
    for (way, feed) in WAYS.iter().zip(&feeds) {
        let folder = setup.path(way.zone);
        fs::create_dir(&folder).expect("it is new");
        (way.prepare)(&Place { folder: &folder, feed, server: None });
    }
    let files: Vec<_> = WAYS
        .iter()
        .map(|way| (way.zone.to_owned(), format!("{}/{}", way.zone, way.file)))
        .collect();
    setup.configure_lists("", &files);
    let server = setup.start();
    let stream = Stream::start(server.addr(), &feeds, RATE);
    sleep(Duration::from_millis(500));

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

fn walk(way: &Way, feed: &Feed, server: &Daemon) -> Result<Duration, String> {
    let folder = server.path(way.zone);
    let place = Place { folder: &folder, feed, server: Some(server) };
    let nothing_new = way.loads == (0, 0);
    if !nothing_new {
        feed.allow(2);
    }
    (way.change)(&place);
    let whole = Instant::now();
    if nothing_new {
        sleep(SOON);
    } else {
        feed.wait_for(feed.allowed(), SOON)?;
    }
    let took = whole.elapsed();
    // Nothing more comes of it.
    sleep(Duration::from_millis(1200));
    feed.check()?;
    let loads = server.log_lines(&[&format!("dataset {}: reloaded", way.zone)]).len()
        + server.log_lines(&[&format!("dataset {}: recovered", way.zone)]).len();
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
                    sleep(Duration::from_millis(20));
                }
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        sleep(Duration::from_secs(1));
        let code = |name: &str| server.ask(name, RecordType::A).rcode();
        assert_eq!(code("5.0.0.10.grows.test"), NXDomain, "nobody has asked for it");
        server.reload();
        server.expect_code("5.0.0.10.grows.test", NoError, SOON);
        assert_eq!(code("1.0.0.10.grows.test"), NoError);
        server.expect_log(&["dataset grows.test: reloaded"], SOON);
        assert!(server.log_lines(&["not an IPv4 address"]).is_empty(), "{}", server.log());
        stop.store(true, Ordering::Relaxed);
    });
    let lines = fs::read_to_string(&path).expect("it is there").lines().count();
    let last = format!("{lines}.0.0.10.grows.test");
    server.expect_code(&last, NoError, SOON);
}
