//! A server that is killed at any moment of loading and of writing: the next one answers rightly, and has all
//! that was good.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::{Daemon, Random, Setup, Stream, Style, VersionedFeed, event, names_in};

const LIMIT: Duration = Duration::from_secs(20);

/// Lines of the list: loading it and writing its snapshot take some time.
const FILLER: u32 = 20_000;

/// How long after its start a server is killed at the latest.
const LATEST: usize = 60;

/// Checks all files in the folder of snapshots that have their names for good.
fn expect_whole_snapshots(setup: &Setup) {
    let folder = setup.path("state/snapshots");
    let names = if folder.exists() { names_in(&folder) } else { Vec::new() };
    for name in names.iter().filter(|name| name.ends_with(".snapshot") && !name.starts_with('.')) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dnsbld"));
        let output = command.arg("verify").arg(folder.join(name)).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
    }
}

/// Starts a server, and has it answer as `version` lists; the serial of its zone.
fn expect_version(setup: Setup, version: u32) -> (Daemon, u32) {
    let feed = VersionedFeed::new("bl", Style::Replaced, FILLER);
    feed.allow(version);
    let server = setup.start();
    let stream = Stream::start(server.addr(), &[Arc::clone(&feed)], 1000);
    let right = feed.wait_for(version, LIMIT).and_then(|_| feed.wait_for_all_answers(LIMIT));
    stream.finish();
    assert!(right.is_ok(), "{right:?}: {}", server.log());
    let serial = server.serial("bl");
    (server, serial)
}

/// Kills so many servers.
fn kill(times: u32, seed: u64) {
    let mut random = Random::new(seed);
    let mut setup = Setup::new();
    setup.configure_lists("state-dir = \"state\"", &[("bl".to_owned(), "list".to_owned())]);
    let feed = VersionedFeed::new("bl", Style::Replaced, FILLER);
    let texts: Vec<_> = (1..=9).map(|version| feed.text(version)).collect();
    let mut serial = 0;
    for time in 0..times {
        let version = time % 9;
        setup.write("list", &texts[version as usize]);
        if time % 20 == 19 {
            let (server, now) = expect_version(setup, version + 1);
            assert!(now >= serial, "the serial went back from {serial} to {now}");
            serial = now;
            setup = server.stop();
            expect_whole_snapshots(&setup);
            continue;
        }
        let mut server = setup.launch();
        let wait = Duration::from_micros(random.below(LATEST * 1000) as u64);
        // Any moment will do.
        thread::sleep(wait);
        assert!(!server.has_ended(), "{}", server.log());
        server.signal(Signal::KILL);
        setup = server.ended();
    }
    // Without its list, a server has what was accepted last.
    setup.write("list", &texts[8]);
    let server = setup.start();
    server.expect_log(&[&event("snapshot-written", "bl")], LIMIT);
    server.signal(Signal::KILL);
    let setup = server.ended();
    fs::remove_file(setup.path("list")).expect("it is there");
    let (server, now) = expect_version(setup, 9);
    assert!(now >= serial && !server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn killed_at_any_moment_of_loading_and_writing() {
    let start = Instant::now();
    kill(200, 1);
    println!("200 kills took {:.1?}", start.elapsed());
}

#[test]
#[ignore = "takes minutes: cargo test --test integration killed_a_thousand_times -- --ignored"]
fn killed_a_thousand_times() {
    kill(1000, 2);
}
