//! A big list is loaded again and again under many queries: none is lost, and memory comes back.

use std::fs;
use std::time::{Duration, Instant};

use crate::common::{Setup, Stream, Style, VersionedFeed};

const LINES: u32 = 1_000_000;
const RATE: u32 = 2000;

#[test]
fn a_million_entries_are_loaded_again_and_memory_comes_back() {
    let setup = Setup::new();
    let feed = VersionedFeed::new("big", Style::Replaced, LINES);
    setup.write("list", feed.text(1));
    setup.configure_lists("", &[("big".to_owned(), "list".to_owned())]);
    let server = setup.start();
    let stream = Stream::start(server.addr(), std::slice::from_ref(&feed), RATE);
    let mut memory = vec![server.resident_at_rest()];
    for version in 2..=6 {
        fs::write(server.path(".new"), feed.text(version)).expect("there is room");
        feed.allow(version);
        let start = Instant::now();
        fs::rename(server.path(".new"), server.path("list")).expect("both are there");
        feed.wait_for(version, Duration::from_secs(30)).expect("it is served");
        let took = start.elapsed();
        // Replaced data is freed soon.
        let most = memory.get(1).map_or(u64::MAX, |first| first * 3 / 2);
        let resident = match version {
            2 => server.resident_at_rest(),
            _ => server.resident(|resident| resident <= most),
        };
        memory.push(resident);
        println!("version {version}: {took:.1?}, {resident} KiB");
    }
    let seen = stream.finish();
    feed.check().expect("answers are right");
    println!("{seen:?}\nRSS in KiB: {memory:?}, peak {}", server.memory("VmHWM"));
    let (first, last) = (memory[1], memory[5]);
    assert!(last * 2 <= first * 3, "RSS after each load in KiB: {memory:?}");
}
