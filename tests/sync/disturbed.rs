//! Two supervisors, ends in the middle, leftovers, clocks that were set.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::{FAILED, Feeds, LOCKED, OK, daemon, feed, publish};
use crate::common::{Process, RsyncDaemon, names_in, wait_until};

const SOON: Duration = Duration::from_secs(20);

/// A daemon that takes connections and says nothing.
fn silent() -> (TcpListener, String) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let source = format!("rsync://{}/m/a", silent.local_addr().expect("it is bound"));
    (silent, source)
}

fn start(feeds: &Feeds, arguments: &[&str]) -> Process {
    let log = feeds.config().with_file_name("log");
    Process::start(feeds.command().args(arguments), &log)
}

#[test]
fn one_supervisor_at_a_time() {
    let (silent, source) = silent();
    let daemon = daemon();
    let feeds = Feeds::of(&source, "");
    let mut first = start(&feeds, &["--watch"]);
    let (connection, _) = silent.accept().expect("the first one connects");
    feeds.configure(&feed("two", &daemon.url("a"), ""));
    feeds.sync().expect(LOCKED, &["another `dnsbld sync`"]);
    // Even when it is killed: its rsync goes on.
    first.signal(Signal::KILL);
    assert!(wait_until(SOON, || first.has_ended()));
    feeds.sync().expect(LOCKED, &["another `dnsbld sync`"]);
    drop(connection);
    assert!(wait_until(SOON, || feeds.sync().code == OK));
}

#[test]
fn a_signal_ends_it_and_its_transfer() {
    let (silent, source) = silent();
    let daemon = daemon();
    let feeds = Feeds::of(&source, "");
    let mut watch = start(&feeds, &["--watch"]);
    let (connection, _) = silent.accept().expect("it connects");
    watch.signal(Signal::TERM);
    assert!(wait_until(SOON, || watch.has_ended()), "{}", watch.out());
    assert!(watch.status().expect("it has ended").success(), "{}", watch.out());
    assert!(watch.out().contains("one: stopped"), "{}", watch.out());
    feeds.configure(&feed("two", &daemon.url("a"), ""));
    feeds.sync().expect(OK, &["two: published 1 file"]);
    drop(connection);
}

#[test]
fn settings_are_read_again_on_sighup() {
    let daemon = daemon();
    let feeds = Feeds::of(&daemon.url("a"), "");
    let mut watch = start(&feeds, &["--watch"]);
    watch.wait(SOON, |watch| watch.out().contains("one: next try at "));
    feeds.configure("[[feed]]\n");
    watch.signal(Signal::HUP);
    watch.wait(SOON, |watch| watch.out().contains("settings not read again"));
    let both = feed("one", &daemon.url("a"), "") + &feed("two", "rsync://127.0.0.1:1/m/b", "");
    feeds.configure(&both);
    watch.signal(Signal::HUP);
    watch.wait(SOON, |watch| watch.out().contains("two: the connection failed"));
    assert!(watch.out().contains("settings read: 2 feeds"), "{}", watch.out());
    assert_eq!(daemon.sessions().len(), 1, "what is known of a feed is kept");
}

#[test]
fn a_transfer_that_hangs_ends() {
    let (silent, source) = silent();
    let feeds = Feeds::of(&source, "timeout = '1s'");
    feeds.sync().expect(FAILED, &["one: ", "rsync's code"]);
    let feeds = Feeds::of(&source, "time-limit = '1s'");
    feeds.sync().expect(FAILED, &["it took longer than time-limit (1 s)"]);
    let record = feeds.record("one");
    assert_eq!(record["failures"], 1);
    let wait = record["next-try"].as_u64().unwrap() - record["last-try"].as_u64().unwrap();
    assert!((900..900 + 225 + 130).contains(&wait), "{record}");
    drop(silent);
}

#[test]
fn what_was_ready_is_published_by_the_next_one() {
    let daemon = daemon();
    let feeds = Feeds::of(&daemon.url(""), "files = ['a', 'b']");
    feeds.sync().expect(OK, &[]);
    // It was killed between two renames, and another time in the middle of a transfer.
    let workshop = feeds.path(".sync/one");
    fs::create_dir_all(workshop.join("ready/.partial")).expect("our folder");
    fs::write(workshop.join("ready/b"), "127.0.0.9\n").expect("our folder");
    fs::create_dir_all(workshop.join("incoming")).expect("our folder");
    fs::write(workshop.join("incoming/a"), "127.0.").expect("our folder");
    fs::write(workshop.join("incoming/c"), "of other settings").expect("our folder");
    feeds.sync().expect(OK, &["next is one"]);
    assert_eq!(feeds.read("one/b"), "127.0.0.9\n");
    assert_eq!(feeds.read("one/a"), "127.0.0.2\n");
    feeds.force().expect(OK, &[]);
    assert_eq!(feeds.read("one/b"), "127.0.0.3\n", "the source has it so");
    assert_eq!(names_in(&feeds.path("one")), ["a", "b"]);
    assert_eq!(names_in(&workshop), ["record.json"]);
}

/// The whole set of a version or that of another, whenever it is killed.
#[test]
fn a_killed_supervisor_leaves_nothing_half_published() {
    let daemon = RsyncDaemon::start("");
    let text = |version: u32, file: &str| format!("# {version} {file}\n").repeat(30_000);
    let files = ["a", "b", "c"];
    let feeds = Feeds::of(&daemon.url(""), "files = ['a', 'b', 'c']");
    let mut next = 0_u64;
    for version in 0..12 {
        for file in files {
            publish(&daemon, file, &text(version, file));
        }
        let mut sync = start(&feeds, &["--force"]);
        next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(version) + 1);
        // Some of them end before that.
        std::thread::sleep(Duration::from_millis((next >> 33) % 150));
        if !sync.has_ended() {
            sync.signal(Signal::KILL);
        }
        for file in files.iter().filter(|file| feeds.path("one").join(file).exists()) {
            let there = feeds.read(&format!("one/{file}"));
            assert!((0..=version).any(|version| there == text(version, file)), "{file} is torn");
        }
        let healed = || feeds.force().code == OK;
        assert!(wait_until(SOON, healed), "{:?}", feeds.force());
        for file in files {
            assert_eq!(feeds.read(&format!("one/{file}")), text(version, file), "{version} {file}");
        }
        assert_eq!(names_in(&feeds.path("one")), files);
    }
}

#[test]
fn a_clock_that_was_set_back_delays_nothing() {
    let daemon = daemon();
    let feeds = Feeds::of(&daemon.url("a"), "");
    feeds.sync().expect(OK, &[]);
    let path = feeds.path(".sync/one/record.json");
    let mut record = feeds.record("one");
    record["next-try"] = json!(4_000_000_000_u64);
    record["colour"] = json!("of another version");
    fs::write(&path, record.to_string()).expect("our folder");
    feeds.sync().expect(OK, &["next is one: in "]);
    let told = feeds.sync();
    assert!(!told.out.contains("days"), "{told:?}");
    // A record that is damaged is forgotten.
    fs::write(&path, "{\"name\": \"one\", \"next-try\": ").expect("our folder");
    feeds.sync().expect(OK, &["what was known of it is lost", "one: nothing has changed"]);
}
