//! Tries of which some bytes were overwritten: lookups and iteration never panic and come to an
//! end, as must those of a trie that was read from a disk.

use super::input::Input;
use dnsbld::listing::names::{NamesBuilder, Scope};
use dnsbld::listing::{AnswerId, AnswersBuilder, Range};
use dnsbld::trie::names::NameTree;
use dnsbld::trie::{Trie4, Trie6};
use std::sync::LazyLock;

/// The most ranges that are looked at; a damaged trie may have any number.
const SOME: usize = 3000;

static TRIES: LazyLock<(Vec<Trie4>, Vec<Trie6>, NameTree)> =
    LazyLock::new(|| (tries4(), tries6(), names()));

pub(crate) const TOKENS: &[&[u8]] = &[b"\x00\x00\x00\x00\x00\x00\x00\x01", b"\xff\xff\xff\xff"];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seed = |n: u32| (0..100).map(move |i: u32| (n * 53 + i * i * (n + 1) + i / 5) as u8);
    (0..300).map(|n| std::iter::once(n as u8).chain(seed(n)).collect()).collect()
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (tries4, tries6, names) = &*TRIES;
    let which = input.byte();
    let probes: [u8; 4] = std::array::from_fn(|_| input.byte());
    let probe4 = u32::from_be_bytes(probes);
    let mut bits = || {
        let mut bytes = [0; 8];
        input.take(8).iter().zip(&mut bytes).for_each(|(byte, slot)| *slot = *byte);
        u64::from_le_bytes(bytes)
    };
    let times = 1 + usize::from(which >> 4);
    match which & 3 {
        0 | 1 => {
            let mut trie = tries4[usize::from(which >> 1) % tries4.len()].clone();
            (0..times).for_each(|_| trie.damage(&mut bits));
            for key in [probe4, 0, 0x0a00_0000 | probe4 >> 16, 0xc000_0000 | probe4 >> 12, !0] {
                trie.lookup(key);
                trie.any_in(key, key | 0xffff);
            }
            let ranges = trie.iter().take(SOME);
            assert!(ranges.map(|range| (range.start, range.end)).is_sorted());
        }
        2 => {
            let mut trie = tries6[usize::from(which >> 2) % tries6.len()].clone();
            (0..times).for_each(|_| trie.damage(&mut bits));
            let probe = u128::from(probe4);
            for key in [probe, 0x2001_0db8 << 96 | probe << 60, 0x2a00 << 112 | probe << 84, !0] {
                trie.lookup(key);
                trie.any_in(key, key | u128::from(u64::MAX));
            }
            let ranges = trie.iter().take(SOME);
            assert!(ranges.map(|range| (range.start, range.end)).is_sorted());
        }
        _ => {
            let mut tree = names.clone();
            (0..times).for_each(|_| tree.damage(&mut bits));
            for name in [
                &b"\0"[..],
                b"\x03com\0",
                b"\x01a\x07example\x03com\0",
                b"\x01b\x01a\x01b\0",
                b"\x04n100\x03net\0",
                b"\x02n7\x03net\0",
                b"\x01x\x01a\x01b\x01c\x01d\0",
            ] {
                let _ = tree.lookup(name);
            }
            // Every entry takes a byte at least.
            assert!(tree.iter().count() <= tree.memory());
        }
    }
}

fn tries4() -> Vec<Trie4> {
    let spread = |step: u32, length: u32, answers: u32| {
        let ranges = (0..400_u32).map(move |n| {
            let start = 0x0a00_0000 + n * step;
            Range { start, end: start + length, answer: AnswerId(1 + n % answers) }
        });
        let end = Range { start: 0xc000_0000, end: u32::MAX, answer: AnswerId(7) };
        Trie4::build(ranges.chain([end]))
    };
    vec![
        spread(2, 0, 1),
        spread(7, 3, 90_000),
        spread(0x101, 0, 3),
        spread(0x1_0000, 0x8000, 300),
        spread(0x4_0401, 1, 2),
        spread(0x1003, 0xffe, 1),
    ]
}

fn tries6() -> Vec<Trie6> {
    let spread = |base: u128, step: u128, length: u128, answers: u32| {
        Trie6::build((0..400_u128).map(move |n| {
            let start = base + n * step;
            Range { start, end: start + length, answer: AnswerId(1 + n as u32 % answers) }
        }))
    };
    vec![
        spread(0x2001_0db8 << 96, 1 << 64, (1 << 64) - 1, 300),
        spread(0x2001_0db8 << 96, (3 << 64) + 5, 0, 1),
        spread(0x2a00 << 112, 1 << 96, 1 << 80, 90_000),
        spread(0, 2, 0, 2),
    ]
}

fn names() -> NameTree {
    let mut answers = AnswersBuilder::default();
    let values: Vec<_> =
        (2..6).map(|n| answers.value([127, 0, 0, n].into(), b"").expect("room")).collect();
    let mut builder = NamesBuilder::default();
    let mut add = |text: &str, scope, value| {
        builder.add(super::catalog::name(text).as_wire(), scope, value).expect("room");
    };
    for n in 0..300_usize {
        add(&format!("n{n}.net"), Scope::Both, Some(values[n % 4]));
    }
    add("n7.net", Scope::Itself, None);
    add("a.b.c.d", Scope::Below, Some(values[0]));
    add("a.b", Scope::Itself, Some(values[1]));
    add("com", Scope::Below, Some(values[2]));
    add("example.com", Scope::Below, None);
    add("x.y.z.example.com", Scope::Both, Some(values[3]));
    builder.finish(answers, b"").0
}
