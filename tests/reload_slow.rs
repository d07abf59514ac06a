//! Slow: a million entries are loaded six times.
//!
//! A big list is loaded again and again under many queries: none is lost, and memory comes back.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::common::{Feed, Setup, Stream, Style};

const LINES: u32 = 1_000_000;
const RATE: u32 = 2000;

#[test]
fn a_million_entries_are_loaded_again_and_memory_comes_back() {
    let setup = Setup::new();
    let feed = Feed::new("big", Style::Replaced, LINES);
    setup.write("list", feed.text(1));
    setup.configure_lists("", &[("big".to_owned(), "list".to_owned())]);
    let server = setup.start();
    let stream = Stream::start(server.addr(), std::slice::from_ref(&feed), RATE);
    sleep(Duration::from_secs(2));
    let mut memory = vec![server.memory("VmRSS")];
    for version in 2..=6 {
        fs::write(server.path(".new"), feed.text(version)).expect("there is room");
        feed.allow(version);
        let start = Instant::now();
        fs::rename(server.path(".new"), server.path("list")).expect("both are there");
        feed.wait_for(version, Duration::from_secs(30)).expect("it is served");
        let took = start.elapsed();
        // Replaced data is freed within two seconds.
        sleep(Duration::from_secs(3));
        memory.push(server.memory("VmRSS"));
        println!("version {version}: {took:.1?}, {} KiB", server.memory("VmRSS"));
    }
    let seen = stream.finish();
    feed.check().expect("answers are right");
    println!("{seen:?}\nRSS in KiB: {memory:?}, peak {}", server.memory("VmHWM"));
    let (first, last) = (memory[1], memory[5]);
    assert!(last * 2 <= first * 3, "RSS after each load in KiB: {memory:?}");
}
