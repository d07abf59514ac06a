//! The quick lookup in [usual](crate::trie::common_block) blocks with keys of up to eight bytes.

use crate::answer::AnswerId;
use crate::trie::common_block::Start;
use crate::trie::decode::{DENSE, join};

/// The bits of a header that no such block has: the second is that of longer keys.
pub(super) const UNUSUAL: u32 = DENSE | 1 << 19;

/// The answer of a unit of a block.
#[inline(never)]
pub(super) fn lookup(start: Start, block: &[u8], unit: u64) -> AnswerId {
    let size = start.count() * start.width();
    let Some((keys, ends)) = start.rest(block).split_at_checked(size) else {
        return AnswerId::NONE;
    };
    // A width that the compiler knows makes a step of the search short.
    let found = match start.width() {
        1 => last_not_above::<1>(keys, unit),
        2 => last_not_above::<2>(keys, unit),
        3 => last_not_above::<3>(keys, unit),
        4 => last_not_above::<4>(keys, unit),
        5 => last_not_above::<5>(keys, unit),
        6 => last_not_above::<6>(keys, unit),
        7 => last_not_above::<7>(keys, unit),
        _ => last_not_above::<8>(keys, unit),
    };
    let Some((run, first)) = found else { return AnswerId::NONE };
    start.answer_if(start.is_in_run(unit.wrapping_sub(first), run, ends))
}

/// The last of sorted numbers that is not above `unit`, and its index.
#[inline(always)]
fn last_not_above<const WIDTH: usize>(numbers: &[u8], unit: u64) -> Option<(usize, u64)> {
    let (numbers, _) = numbers.as_chunks::<WIDTH>();
    let number = |bytes: &[u8; WIDTH]| join(bytes) as u64;
    let index = numbers.partition_point(|bytes| number(bytes) <= unit).checked_sub(1)?;
    Some((index, number(numbers.get(index)?)))
}
