//! What does it cost to build the tree of a name list, and to look a name up in it?
//!
//! The lists are those of `dn-1M` and its sisters: names of two to four labels, 17 bytes in wire
//! form in the mean, half of them with a leading dot, all with one value.

#[allow(dead_code, unreachable_pub)]
#[path = "common/bounds.rs"]
mod bounds;
#[allow(dead_code, unreachable_pub)]
mod common;
#[allow(dead_code, unreachable_pub)]
#[path = "common/sets.rs"]
mod sets;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use dnsbld::listing::names::{NamesBuilder, Scope};
use dnsbld::listing::{Answers, AnswersBuilder};
use dnsbld::trie::names::NameTree;
use dnsbld::wire::name::NameBuf;
use std::hint::black_box;

const QUERIES: usize = 200_000;
const SEED: u64 = 1;
const OTHER_SEED: u64 = 2;

fn names(seed: u64, count: usize) -> impl Iterator<Item = NameBuf> {
    sets::names(seed, count).map(|name| name.parse().expect("a valid name"))
}

fn collect(count: usize) -> (NamesBuilder, AnswersBuilder) {
    let mut answers = AnswersBuilder::default();
    let value = answers.value([127, 0, 0, 2].into(), b"See https://bl.example/").expect("a value");
    let mut builder = NamesBuilder::default();
    for (i, name) in names(SEED, count).enumerate() {
        let scope = if i % 2 == 0 { Scope::Itself } else { Scope::Both };
        builder.add(name.as_wire(), scope, Some(value)).expect("room for the name");
    }
    (builder, answers)
}

fn build(count: usize) -> (NameTree, Answers) {
    let (names, answers) = collect(count);
    names.finish(answers, b"")
}

/// A closure that looks up the next of these names, over and over. They lie close together, as
/// queries do in the receive buffer.
fn lookups(tree: &NameTree, names: impl Iterator<Item = NameBuf>) -> impl FnMut() {
    let mut wire = Vec::new();
    for name in names {
        wire.push(name.as_wire().len() as u8);
        wire.extend_from_slice(name.as_wire());
    }
    let mut at = 0;
    move || {
        let end = at + 1 + usize::from(wire[at]);
        black_box(tree.lookup(&wire[at + 1..end]));
        at = if end < wire.len() { end } else { 0 };
    }
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("names");
    for count in [1_000, 1_000_000, 5_000_000] {
        let (tree, _) = build(count);
        let bytes = tree.memory() as f64 / count as f64;
        println!("{count} names: {} distinct, {bytes:.2} bytes each", tree.entries());
        let step = count.div_ceil(QUERIES);
        let mut listed = lookups(&tree, names(SEED, count).step_by(step));
        group.bench_function(format!("lookup listed of {count}"), |b| b.iter(&mut listed));
        let mut random = lookups(&tree, names(OTHER_SEED, QUERIES));
        group.bench_function(format!("lookup not listed of {count}"), |b| b.iter(&mut random));
    }
    group.sample_size(10);
    group.bench_function("add 1000000", |b| {
        b.iter_batched(
            || names(SEED, 1_000_000).collect::<Vec<_>>(),
            |names| {
                let mut builder = NamesBuilder::default();
                for name in &names {
                    builder.add(name.as_wire(), Scope::Both, None).expect("room for the name");
                }
                builder
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("finish 1000000", |b| {
        b.iter_batched(
            || collect(1_000_000),
            |(names, answers)| names.finish(answers, b""),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
