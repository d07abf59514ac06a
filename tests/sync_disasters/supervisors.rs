//! Supervisors that meet each other, or are killed.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::mirror::{self, LIMIT, Served, fetch, launch, offer, published, sync, sync_when_free};
use super::source::Source;
use crate::common::{Fault, Random, in_parallel, names_in, wait_until};

#[test]
fn the_second_of_two_supervisors_does_nothing() {
    let source = Source::new();
    offer(&source, 1);
    let setup = mirror::configured(&source.module(), "timeout = \"1m\"");
    source.proxy.set(Fault::Hang(20_000));
    let mut first = launch(&setup, &["--force"]);
    assert!(wait_until(LIMIT, || source.proxy.passed() >= 20_000), "{}", first.out());

    let second = sync(&setup, &["--force"]);
    assert!(second.code == Some(2) && second.said.contains("another"), "{second:?}");
    assert_eq!(source.proxy.connections(), 1);
    assert_eq!(published(&setup, 1), [None; 2]);

    first.signal(Signal::TERM);
    assert!(wait_until(LIMIT, || first.has_ended()), "{}", first.out());
    source.proxy.set(Fault::None);
    fetch(&setup);
    assert_eq!(published(&setup, 1), [Some(1); 2]);
}

/// Kills that each version of the lists goes through before a supervisor may end.
const KILLS: u32 = 10;

/// Kills so many supervisors at random moments, and says how often the lists were published all the same.
fn kill(times: u32, seed: u64) -> u32 {
    let mut random = Random::new(seed);
    let source = Source::new();
    offer(&source, 1);
    let setup = mirror::configured(&source.module(), "");
    let start = Instant::now();
    fetch(&setup);
    // Some are killed after their end: the last moments count, too.
    let longest = start.elapsed().as_micros() as usize * 5 / 4;
    let served = Served::start(setup);
    let mut published_by_killed = 0;
    for version in 2..=times / KILLS + 1 {
        offer(&source, version);
        served.allow(version);
        let mut killed = 0;
        while killed < KILLS {
            let mut supervisor = launch(&served.server, &["--force"]);
            // Any moment will do.
            thread::sleep(Duration::from_micros(random.below(longest) as u64));
            killed += u32::from(!supervisor.has_ended());
            drop(supervisor);
            // Each list is whole at any time, and never goes back.
            let there = published(&served.server, version);
            assert!(there.iter().all(Option::is_some), "{there:?} of {version}");
        }
        published_by_killed += u32::from(published(&served.server, version) == [Some(version); 2]);
        let ran = sync_when_free(&served.server);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(published(&served.server, version), [Some(version); 2]);
        served.expect(version);
    }
    let left = names_in(&served.server.path("mirror/lists"));
    assert_eq!(left, mirror::LISTS, "nothing unfinished is left where datasets are");
    served.finish();
    published_by_killed
}

#[test]
fn killed_at_any_moment_of_a_sync() {
    let start = Instant::now();
    let seeds = [1, 2, 3, 4];
    let published: u32 = in_parallel(&seeds, |&seed| kill(50, seed)).into_iter().sum();
    println!(
        "200 supervisors killed in {:.1?}; {published} of 20 versions were published by then",
        start.elapsed()
    );
}
