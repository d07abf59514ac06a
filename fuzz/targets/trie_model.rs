//! Tries of any ranges against the ranges themselves.

use super::address_listing::{trie4, trie6};
use super::input::Input;
use dnsbld::listing::{AnswerId, Range};
use dnsbld::range::Int;

/// Places where ranges crowd: in units of this shift from this key.
const CROWDS4: [(u32, u32); 8] = [
    (0, 0),
    (0x0a00_0000, 0),
    (0x0a01_0200, 2),
    (0xc000_0000, 8),
    (0xc0a8_0000, 16),
    (0xffff_fe00, 0),
    (0, 24),
    (0x7fff_ff00, 1),
];
const CROWDS6: [(u128, u32); 8] = [
    (0, 0),
    (0x2001_0db8 << 96, 64),
    (0x2001_0db8 << 96, 0),
    (0x2a00 << 112, 96),
    (0x2a00 << 112, 68),
    (!0 << 9, 0),
    (0, 120),
    (0x2000 << 112, 56),
];
/// How many answers there are: numbers of one, two and four bytes.
const ANSWERS: [u32; 5] = [1, 2, 200, 60_000, 1 << 30];

pub(crate) const TOKENS: &[&[u8]] =
    &[b"\x00\x00\x00", b"\x00\x01\x00\x00\x01\x00", b"\xff", b"\x40"];

/// Runs of singles with equal steps, and ranges with steps that grow.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for head in 0..40_u8 {
        for step in [1_u8, 2, 3, 9] {
            let op = |n: u8| [head.wrapping_mul(n) & 0x3f, step.wrapping_add(n % 5), n, n % 3];
            all.push(std::iter::once(head).chain((0..head * 6).flat_map(op)).collect());
        }
    }
    all
}

macro_rules! models {
    ($run:ident, $key:ty, $trie_of:ident, $crowds:ident) => {
        pub(crate) fn $run(data: &[u8]) {
            let mut input = Input::new(data);
            let how = input.byte();
            let answers = ANSWERS[usize::from(how) % ANSWERS.len()];
            let mut ranges: Vec<Range<$key>> = Vec::new();
            let (mut base, mut shift) = $crowds[usize::from(how >> 5)];
            let mut next = base;
            while !input.is_empty() && ranges.len() < 1000 {
                // Bits 0-3 the length, 4-5 what the gap is counted in, 6 a repetition, 7 a jump.
                let op = input.byte();
                if op & 0x80 != 0 {
                    (base, shift) = $crowds[usize::from(op & 7)];
                    let offset =
                        (input.byte() as $key).checked_shl(shift + 4 * u32::from(op >> 4 & 7));
                    next = base.wrapping_add(offset.unwrap_or(0));
                    continue;
                }
                let times = if op & 0x40 == 0 { 1 } else { 1 | input.byte() };
                let step =
                    <$key>::from(input.byte()) << (8 * u32::from(op >> 4 & 3)).min(shift + 8);
                let length = match op & 15 {
                    0..8 => 0,
                    8 => <$key>::from(input.byte()),
                    9 => (<$key>::from(input.byte()) << 8) | 0xff,
                    power => <$key>::MAX >> (8 * u32::from(power - 8)).min(<$key>::BITS - 1),
                };
                let answer = input.byte();
                for n in 0..times {
                    let start = next.wrapping_add(step);
                    let end = start.saturating_add(length);
                    let id = u32::from(answer).wrapping_mul(0x0101_0107).wrapping_add(u32::from(n));
                    let id = if answer & 1 == 0 { u32::from(answer) } else { id };
                    let answer = AnswerId(1 + id % answers);
                    ranges.push(Range { start, end, answer });
                    next = end.wrapping_add(1);
                }
            }
            $trie_of(&canonical(ranges));
        }
    };
}

models!(run4, u32, trie4, CROWDS4);
models!(run6, u128, trie6, CROWDS6);

/// Sorts ranges, drops those that begin in another, joins neighbours with one answer.
fn canonical<K: Int>(mut ranges: Vec<Range<K>>) -> Vec<Range<K>> {
    ranges.sort_by_key(|range| range.start);
    let mut out: Vec<Range<K>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end => {}
            Some(last)
                if last.answer == range.answer && last.end.successor() == Some(range.start) =>
            {
                last.end = range.end;
            }
            _ => out.push(range),
        }
    }
    out
}
