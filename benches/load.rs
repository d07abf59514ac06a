//! How long does it take to make what is served from the text of a file, by type of dataset? Per
//! byte of text, on one core.

#[allow(dead_code, unreachable_pub)]
#[path = "common/bounds.rs"]
mod bounds;
#[allow(dead_code, unreachable_pub)]
mod common;
#[allow(dead_code, unreachable_pub)]
#[path = "common/serving.rs"]
mod serving;
#[allow(dead_code, unreachable_pub)]
#[path = "common/sets.rs"]
mod sets;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sets::Set;

fn load(criterion: &mut Criterion) {
    let sets = [
        ("ip4-1M", &["ip4tset", "ip4set", "ip4trie"][..], Set::addresses(1_000_000, 30_000)),
        ("cidr-400k", &["ip4set", "ip4trie"], Set::cidrs(400_000, 60_000)),
        ("name-1M", &["dnset"], Set::names(1_000_000)),
        ("ip6-200k", &["ip6trie"], Set::ip6(200_000)),
        ("hash-1M", &["hashset", "dnset"], Set::digests(1_000_000)),
        ("two-lengths-480k", &["ip4set", "ip4trie"], Set::two_lengths(480_000)),
        ("ip4-400-texts", &["ip4set"], Set::addresses_with(950_000, 30_000, 400)),
        ("ip4-own-texts", &["ip4set"], Set::addresses_with_own(950_000, 30_000)),
        ("name-own-texts", &["dnset"], Set::names_with_own(1_000_000)),
    ];
    for (name, kinds, set) in sets {
        let mut text = Vec::new();
        set.write(&mut text).expect("room for the text");
        time(criterion, name, kinds, &text);
    }
    time(criterion, "records-100k", &["generic"], sets::records(100_000).as_bytes());
    let (ip, name) = (Set::addresses(200_000, 6_000), Set::names(200_000));
    let text = sets::combined(&ip, &name).expect("room for the text");
    time(criterion, "two-200k", &["combined"], &text);
}

fn time(criterion: &mut Criterion, name: &str, kinds: &[&str], text: &[u8]) {
    let mut group = criterion.benchmark_group(format!("load {name}"));
    group.sample_size(10).throughput(Throughput::Bytes(text.len() as u64));
    for kind in kinds {
        group.bench_function(*kind, |bencher| bencher.iter(|| serving::dataset(kind, text)));
    }
    group.finish();
}

criterion_group!(benches, load);
criterion_main!(benches);
