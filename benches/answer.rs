//! How long does the engine take for an answer, from the query's bytes to the response's, by kind
//! of query? Per data set: one in ten listed and A asked, and all listed and TXT asked; with EDNS,
//! for names that no zone has, of ordinary records, of a combined dataset, with stacked datasets, and
//! with 1, 100 and 1,000 zones.

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
use dnsbld::engine::{Catalog, Request, Transport, WorkerState, answer};
use dnsbld::zone::Dataset;
use sets::{Asked, Question, Set};
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;

const QUERIES: usize = 100_000;

fn sets(criterion: &mut Criterion) {
    let sets = [
        ("ip4-1M", Set::addresses(1_000_000, 30_000)),
        ("cidr-400k", Set::cidrs(400_000, 60_000)),
        ("name-1M", Set::names(1_000_000)),
        ("ip6-200k", Set::ip6(200_000)),
    ];
    for (name, set) in &sets {
        let catalog = serving::catalog([("bl.test".to_owned(), vec![dataset(set)])]);
        for (mix, what) in [(Asked::Mix, "mix"), (Asked::Txt, "txt")] {
            let packets = packets(set, mix, |ask| serving::query(&full(ask), ask.qtype));
            time(criterion, &format!("{name}/{what}"), &catalog, &packets);
        }
    }
}

fn kinds(criterion: &mut Criterion) {
    let set = Set::addresses(1_000_000, 30_000);
    let catalog = serving::catalog([("bl.test".to_owned(), vec![dataset(&set)])]);
    let edns = packets(&set, Asked::Mix, |ask| serving::query_with_edns(&full(ask), ask.qtype));
    time(criterion, "ip4-1M/mix with EDNS", &catalog, &edns);
    let elsewhere = |ask: &Question| serving::query(&format!("{}.else.test", ask.name), ask.qtype);
    time(criterion, "refused", &catalog, &packets(&set, Asked::Mix, elsewhere));
}

/// Types of datasets that are no lists, or hold others.
fn types(criterion: &mut Criterion) {
    const COUNT: usize = 100_000;
    let generic = serving::dataset("generic", sets::records(COUNT).as_bytes());
    let catalog = serving::catalog([("bl.test".to_owned(), vec![Arc::new(generic)])]);
    for (what, seed) in [("listed", 1), ("unlisted", 2)] {
        let packet = |name| serving::query(&format!("{name}.bl.test"), sets::A);
        let packets: Vec<_> = sets::names(seed, COUNT).map(packet).collect();
        time(criterion, &format!("generic/{what}"), &catalog, &packets);
    }
    let (ip, name) = (Set::addresses(COUNT, 3_000), Set::names(COUNT));
    let text = sets::combined(&ip, &name).expect("room for the text");
    let combined = Arc::new(serving::dataset("combined", &text));
    let catalog = serving::catalog([("bl.test".to_owned(), vec![combined])]);
    for (subzone, set) in [("ip", &ip), ("name", &name)] {
        let full = |ask: &Question| format!("{}.{subzone}.bl.test", ask.name);
        let packets = packets(set, Asked::Mix, |ask| serving::query(&full(ask), ask.qtype));
        time(criterion, &format!("combined/{subzone}"), &catalog, &packets);
    }
}

/// Ever more datasets of the same content in one zone.
fn stacks(criterion: &mut Criterion) {
    let set = Set::addresses(1_000_000, 30_000);
    let packets = packets(&set, Asked::Mix, |ask| serving::query(&full(ask), ask.qtype));
    for count in [1, 2, 4] {
        let datasets = (0..count).map(|_| dataset(&set)).collect();
        let catalog = serving::catalog([("bl.test".to_owned(), datasets)]);
        time(criterion, &format!("stacked/{count}"), &catalog, &packets);
    }
}

/// The zones share a dataset, and the queries go to all zones in turn.
fn zones(criterion: &mut Criterion) {
    let set = Set::addresses(1_000_000, 30_000);
    let dataset = dataset(&set);
    for count in [1, 100, 1_000] {
        let apexes: Vec<_> = (0..count).map(|number| format!("zone{number}.test")).collect();
        let zones = apexes.iter().map(|apex| (apex.clone(), vec![Arc::clone(&dataset)]));
        let catalog = serving::catalog(zones);
        let mut apexes = apexes.iter().cycle();
        let packet = |ask: &Question| {
            let apex = apexes.next().expect("a cycle goes on");
            serving::query(&format!("{}.{apex}", ask.name), ask.qtype)
        };
        time(criterion, &format!("zones/{count}"), &catalog, &packets(&set, Asked::Mix, packet));
    }
}

fn dataset(set: &Set) -> Arc<Dataset> {
    let mut text = Vec::new();
    set.write(&mut text).expect("room for the text");
    Arc::new(serving::dataset(set.kind, &text))
}

fn full(question: &Question) -> String {
    format!("{}.bl.test", question.name)
}

fn packets(set: &Set, mix: Asked, packet: impl FnMut(&Question) -> Vec<u8>) -> Vec<Vec<u8>> {
    set.questions(mix, QUERIES).iter().map(packet).collect()
}

fn time(criterion: &mut Criterion, name: &str, catalog: &Catalog, packets: &[Vec<u8>]) {
    let mut group = criterion.benchmark_group("answer");
    group.throughput(Throughput::Elements(packets.len() as u64));
    let (mut state, mut out) = (WorkerState::default(), [0; 1280]);
    let client = Ipv4Addr::LOCALHOST.into();
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            for query in packets {
                let request = Request { query, client, transport: Transport::Udp, now: 1 };
                let _ = black_box(answer(catalog, &mut state, &request, &mut out));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, sets, kinds, types, stacks, zones);
criterion_main!(benches);
