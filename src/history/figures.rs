//! The size and the speed of a history: 90 days of hourly loads of a million addresses, of which each load drops 5,000
//! and adds as many.
//!
//! `cargo test --release --lib history::figures -- --ignored --nocapture`

use super::block::{ListPlace, LoadBuilder, LoadHead, Operation, Space};
use super::files::{BASE, folder, segments};
use super::{Bounds, History, HistoryLog, KEY, ListedValue, Sought};
use crate::wire::name::NameBuf;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

const DAY: u64 = 86_400;
const LISTED: usize = 1_000_000;
const CHURN: usize = 5_000;
const DAYS: u64 = 90;

/// A generator of numbers that look random (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) * end) >> 32
    }

    /// An address: 85 % of them are in 30,000 networks of 256.
    fn address(&mut self) -> u32 {
        match self.below(100) {
            0..85 => {
                (self.below(30_000) as u32).wrapping_mul(0x9e37_79b1) & !255
                    | self.below(256) as u32
            }
            _ => self.below(1 << 32) as u32,
        }
    }
}

/// What is listed, as a list to pick from, and where each is in it.
#[derive(Default)]
struct Listed {
    all: Vec<u32>,
    places: HashMap<u32, usize>,
}

impl Listed {
    fn add(&mut self, address: u32) -> bool {
        let is_new = !self.places.contains_key(&address);
        if is_new {
            self.places.insert(address, self.all.len());
            self.all.push(address);
        }
        is_new
    }

    fn remove(&mut self, place: usize) -> u32 {
        let address = self.all.swap_remove(place);
        self.places.remove(&address);
        if let Some(moved) = self.all.get(place) {
            self.places.insert(*moved, place);
        }
        address
    }
}

fn block(head: &LoadHead, removed: &mut [u32], added: &mut [u32]) -> Vec<u8> {
    removed.sort_unstable();
    added.sort_unstable();
    let mut block = LoadBuilder::default();
    let place = block.place(&ListPlace { apex: NameBuf::ROOT, number: 0, space: Space::Ip4 });
    let text = [b"see https://bl.example/" as &[u8], &[KEY]].concat();
    let answer = block.answer(vec![ListedValue { a: [127, 0, 0, 2].into(), text }]);
    for address in removed {
        block.add_range(place, Operation::Delist, ((*address).into(), (*address).into()));
    }
    for address in added {
        block.add_range(place, Operation::List(answer), ((*address).into(), (*address).into()));
    }
    block.finish(head).unwrap()
}

#[test]
#[ignore = "a measurement: cargo test --release --lib history::figures -- --ignored --nocapture"]
fn ninety_days_of_hourly_loads() {
    let state = tempfile::tempdir().unwrap();
    let mut log = HistoryLog::open(state.path(), "bl").unwrap();
    let mut random = Random(1);
    let mut listed = Listed::default();
    let mut gone: Vec<u32> = Vec::new();
    while listed.all.len() < LISTED {
        listed.add(random.address());
    }
    let mut time = 20_000 * DAY;
    let mut head = LoadHead { number: 1, time, is_whole: true, ..LoadHead::default() };
    log.append_block(&block(&head, &mut [], &mut listed.all.clone()), &head).unwrap();
    head.is_whole = false;
    let (mut slowest, mut all, mut folding) = (0.0f64, 0.0, 0.0f64);
    // A few days more, so that some are folded.
    for _ in 0..(DAYS + 5) * 24 {
        time += DAY / 24;
        (head.time, head.number) = (time, head.number + 1);
        let mut removed: Vec<u32> = (0..CHURN)
            .map(|_| listed.remove(random.below(listed.all.len() as u64) as usize))
            .collect();
        let mut added = Vec::new();
        while added.len() < CHURN {
            // Three of ten were listed before.
            let address = match random.below(10) {
                0..3 if gone.len() > CHURN => gone[random.below(gone.len() as u64) as usize],
                _ => random.address(),
            };
            if !removed.contains(&address) && listed.add(address) {
                added.push(address);
            }
        }
        gone.extend_from_slice(&removed);
        let start = Instant::now();
        log.append_block(&block(&head, &mut removed, &mut added), &head).unwrap();
        let took = start.elapsed().as_secs_f64();
        (slowest, all) = (slowest.max(took), all + took);
        let start = Instant::now();
        log.keep_within(Bounds { days: DAYS as u32, size: u64::MAX }, time).unwrap();
        folding = folding.max(start.elapsed().as_secs_f64());
    }
    let folder = folder(state.path(), "bl");
    let base = std::fs::metadata(folder.join(BASE)).unwrap().len();
    let loads: u64 = segments(&folder).unwrap().iter().map(|(_, size)| size).sum();
    println!("loads: {loads} bytes, base: {base} bytes");
    println!(
        "a load: mean {:.4} s, slowest {slowest:.4} s; pruning a day: {folding:.3} s",
        all / ((DAYS + 5) * 24) as f64
    );
    assert!(loads + base <= 80 << 20, "{loads} + {base}");
    let mut slowest = 0.0f64;
    for round in 0..20 {
        // The last addresses take longest.
        let address = if round == 0 { u32::MAX } else { random.address() };
        let start = Instant::now();
        let history = History::read(state.path(), "bl").unwrap();
        let sought = Sought::Address(IpAddr::V4(Ipv4Addr::from_bits(address)));
        let timeline = history.timeline(&sought, u64::MAX);
        slowest = slowest.max(start.elapsed().as_secs_f64());
        assert_eq!(timeline.is_listed(), listed.places.contains_key(&address));
    }
    println!("an answer: at most {slowest:.4} s");
    let start = Instant::now();
    let count = History::read(state.path(), "bl").unwrap().loads().len();
    println!("{count} loads listed in {:.4} s", start.elapsed().as_secs_f64());
}
