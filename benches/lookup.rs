//! How long does a lookup take, per key space? A tenth of the keys asked is listed, half of the
//! others are neighbours of listed keys.
//!
//! The name of each benchmark has the size of the set, the bytes per entry are printed once.

#[allow(unreachable_pub)]
mod common;

use common::Random;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dnsbld::listing::{AnswerId, Range};
use dnsbld::snapshot::{self, Origin};
use dnsbld::trie::{Trie4, Trie6};
use dnsbld::zone::Dataset;
use std::hint::black_box;

const QUERIES: usize = 200_000;

fn addresses(criterion: &mut Criterion) {
    for (name, count, networks) in [("ip4-1M", 1_000_000, 30_000), ("ip4-10M", 10_000_000, 120_000)]
    {
        let keys = common::addresses(count, networks);
        let trie = Trie4::build(keys.iter().map(|&key| range(key, key, 1)));
        report(name, trie.memory(), count);
        let queries = mix(keys.len(), |n| keys[n], |key, near| key ^ near as u32, Random::ip4);
        time(criterion, name, &queries, |key| trie.lookup(key));
        let mapped = mapped(&trie);
        let mapped_name = format!("{name}-mapped");
        time(criterion, &mapped_name, &queries, |key| mapped.lookup(key));
        let build = format!("{name}/build");
        criterion.bench_function(&build, |bencher| {
            bencher.iter(|| Trie4::build(keys.iter().map(|&key| range(key, key, 1))));
        });
    }
}

fn prefixes(criterion: &mut Criterion) {
    let prefixes = common::flatten(common::cidrs(400_000, 60_000));
    let ranges: Vec<_> = prefixes.iter().map(|&(a, b, n)| range(a as u32, b as u32, n)).collect();
    let trie = Trie4::build(ranges.iter().copied());
    report("ip4-400k-cidrs", trie.memory(), 400_000);
    let queries = mix(ranges.len(), |n| ranges[n].end, |key, near| key ^ near as u32, Random::ip4);
    time(criterion, "ip4-400k-cidrs", &queries, |key| trie.lookup(key));
}

fn ip6(criterion: &mut Criterion) {
    for (name, clustered) in [("ip6-200k-anywhere", false), ("ip6-200k-clustered", true)] {
        let prefixes = common::flatten(common::prefixes(200_000, clustered));
        let trie = Trie6::build(prefixes.iter().map(|&(a, b, n)| range(a, b, n)));
        report(name, trie.memory(), 200_000);
        let anywhere = |random: &mut Random| {
            u128::from(random.bits() >> 3 | 1 << 61) << 64 | u128::from(random.bits())
        };
        let near = |key: u128, near: u64| key ^ u128::from(near) << 64;
        let queries = mix(prefixes.len(), |n| prefixes[n].1, near, anywhere);
        time(criterion, name, &queries, |key| trie.lookup(key));
    }
}

/// The same trie, in a snapshot.
fn mapped(trie: &Trie4) -> Trie4 {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("snapshot");
    let dataset = Dataset { ip4: Some(trie.clone()), ..Dataset::default() };
    snapshot::write(&path, &dataset, &Origin::default(), &|| true).expect("room");
    snapshot::open(&path).expect("just written").dataset.ip4.expect("just written")
}

fn range<K>(start: K, end: K, answer: u32) -> Range<K> {
    Range { start, end, answer: AnswerId(answer) }
}

fn report(name: &str, memory: usize, entries: usize) {
    println!("{name}: {memory} bytes, {:.2} for each entry", memory as f64 / entries as f64);
}

/// The keys to ask for: listed ones, neighbours of listed ones, and any.
fn mix<K: Copy>(
    listed: usize,
    nth: impl Fn(usize) -> K,
    neighbour: impl Fn(K, u64) -> K,
    anywhere: impl Fn(&mut Random) -> K,
) -> Vec<K> {
    let mut random = Random::new(5);
    let key = |random: &mut Random| nth(random.below(listed as u64) as usize);
    let queries = (0..QUERIES).map(|_| match random.below(20) {
        0..2 => key(&mut random),
        2..11 => neighbour(key(&mut random), 1 + random.below(255)),
        _ => anywhere(&mut random),
    });
    queries.collect()
}

fn time<K: Copy>(
    criterion: &mut Criterion,
    name: &str,
    queries: &[K],
    lookup: impl Fn(K) -> AnswerId,
) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(queries.len() as u64));
    group.bench_function("independent", |bencher| {
        bencher.iter(|| queries.iter().fold(0, |sum, &key| sum ^ lookup(black_box(key)).0));
    });
    // Each lookup waits for the one before, as in a server that answers one query at a time.
    group.bench_function("dependent", |bencher| {
        bencher.iter(|| {
            let mut at = 0;
            for step in 0..queries.len() {
                let answer = lookup(queries[at]).0 as usize;
                at = (step + black_box(answer & 1)) % queries.len();
            }
            at
        });
    });
    group.finish();
}

criterion_group!(lookup, addresses, prefixes, ip6);
criterion_main!(lookup);
