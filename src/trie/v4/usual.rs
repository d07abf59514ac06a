//! The quick lookup in [usual](crate::trie::common_block) blocks with keys of one or two bytes. The parts are calls
//! at the end of one another: each has few things to keep in registers.

use crate::answer::AnswerId;
use crate::trie::common_block::Start;
use crate::trie::decode::{BITMAP_SIZE, DENSE};

/// The bits of a header that no such block has: those of longer keys.
pub(super) const UNUSUAL: u32 = 0xe << 16;

/// The answer of a key in a block.
#[inline(always)]
pub(super) fn lookup(start: Start, block: &[u8], key: u16) -> AnswerId {
    let rest = start.rest(block);
    match start.has(DENSE) {
        false => in_runs(start, rest, key),
        true => in_bitmaps(start, rest, key),
    }
}

/// The answer of a key; `rest` begins with the third octets of the bitmaps.
#[inline(never)]
fn in_bitmaps(start: Start, rest: &[u8], key: u16) -> AnswerId {
    let Some((&less_one, rest)) = rest.split_first() else { return AnswerId::NONE };
    let Some((octets, keys)) = rest.split_at_checked(usize::from(less_one) + 1) else {
        return AnswerId::NONE;
    };
    let octet = (key >> 8) as u8;
    let index = octets.partition_point(|&other| other < octet);
    if octets.get(index) != Some(&octet) {
        return in_runs(start, keys, key);
    }
    let bitmaps = start.count() * (start.width() + start.powers());
    let at = bitmaps + BITMAP_SIZE * index + usize::from(key as u8 / 8);
    let is_listed = keys.get(at).is_some_and(|byte| byte >> (key % 8) & 1 != 0);
    start.answer_if(is_listed)
}

/// The answer of a key outside of the bitmaps; `keys` begins with the first units of the runs.
#[inline(never)]
fn in_runs(start: Start, keys: &[u8], key: u16) -> AnswerId {
    let unit = key.checked_shr(start.shift()).unwrap_or(0);
    let Some((numbers, ends)) = keys.split_at_checked(start.count() * start.width()) else {
        return AnswerId::NONE;
    };
    let found = match start.width() {
        1 => last_not_above(numbers.as_chunks::<1>().0, unit),
        _ => last_not_above(numbers.as_chunks::<2>().0, unit),
    };
    let Some((run, first)) = found else { return AnswerId::NONE };
    start.answer_if(start.is_in_run(unit.wrapping_sub(first).into(), run, ends))
}

/// The last of sorted numbers that is not above `unit`, and its index.
#[inline(always)]
fn last_not_above<const WIDTH: usize>(numbers: &[[u8; WIDTH]], unit: u16) -> Option<(usize, u16)> {
    let number =
        |bytes: &[u8; WIDTH]| bytes.iter().rev().fold(0, |all, &byte| all << 8 | u16::from(byte));
    let index = numbers.partition_point(|bytes| number(bytes) <= unit).checked_sub(1)?;
    Some((index, number(numbers.get(index)?)))
}
