//! Sorting many small items by 32 bits of them.

/// Below this, counting costs more than it saves.
const MIN_RADIX: usize = 2048;
/// Below this, so does counting one digit.
const MIN_SCATTER: usize = 128;
/// The bits looked at in one pass. As many places as these have are written to side by side, which
/// the translation of addresses still keeps up with.
const DIGIT_BITS: u32 = 8;

/// Items of more bytes are put in the order of their highest digit in place, which takes no longer than
/// faulting in as much memory again.
const MAX_COPIED: usize = 8;
/// So many of them are sorted with as much memory again.
const MAX_OTHER: usize = 1 << 16;
/// One of so many items at the most may be out of order in a list that is otherwise sorted.
const MIN_IN_ORDER: usize = 64;
/// So many items side by side may be out of order because they are too great.
const MAX_GREATER: usize = 8;

/// Sorts by `key`. Items with equal keys come in any order.
///
/// First by the highest digit, then the items of each digit by the others, so that all passes but
/// the first stay within the cache. A list of which few items are out of order is sorted in place.
pub(super) fn sort_by_u32<T: Copy + Default>(items: &mut [T], key: impl Fn(T) -> u32) {
    if items.len() < MIN_RADIX {
        items.sort_unstable_by_key(|&item| key(item));
        return;
    }
    if items.is_sorted_by_key(|&item| key(item)) || sort_stragglers(items, &key) {
        return;
    }
    if size_of::<T>() > MAX_COPIED {
        let mut other = vec![T::default(); items.len().min(MAX_OTHER)];
        return sort_in_place(items, &mut other, 3, &key);
    }
    let digit = |item: T| digit(key(item), 3);
    let mut ends = [0; DIGITS];
    items.iter().for_each(|&item| ends[digit(item)] += 1);
    let mut start = 0;
    let mut other = vec![T::default(); items.len()];
    scatter(items, &mut other, &mut ends, digit);
    for end in ends {
        sort_lower(&mut other[start..end], &mut items[start..end], &key);
        start = end;
    }
}

/// Sorts items that have the digits above a number in common, with no more memory than `other`.
fn sort_in_place<T: Copy>(items: &mut [T], other: &mut [T], number: u32, key: &impl Fn(T) -> u32) {
    let digit = |item: T| digit(key(item), number);
    let mut ends = [0; DIGITS];
    items.iter().for_each(|&item| ends[digit(item)] += 1);
    permute(items, &mut ends, digit);
    let mut start = 0;
    for end in ends {
        let items = &mut items[start..end];
        if let Some(other) = other.get_mut(..items.len()) {
            other.copy_from_slice(items);
            sort_lower(other, items, key);
        } else if number > 0 {
            sort_in_place(items, other, number - 1, key);
        }
        start = end;
    }
}

/// Sorts items of which few are out of order: these are taken out, and merged into the others. Too many
/// are left in any order; the answer is `false` then.
fn sort_stragglers<T: Copy>(items: &mut [T], key: &impl Fn(T) -> u32) -> bool {
    let most = items.len() / MIN_IN_ORDER;
    let mut stragglers = Vec::new();
    // So many of the items so far are in order, at the front.
    let mut kept = 0;
    for at in 0..items.len() {
        let item = items[at];
        let is_behind = |other: T| key(other) <= key(item);
        if kept == 0 || is_behind(items[kept - 1]) {
            items[kept] = item;
            kept += 1;
            continue;
        }
        // A few greater ones before it are the stragglers if what is left goes on with this item.
        let few = kept.saturating_sub(MAX_GREATER);
        let greater = few + items[few..kept].partition_point(|&other| is_behind(other));
        let is_straggler = greater == few && few > 0;
        let taken = if is_straggler { 1 } else { kept - greater };
        if stragglers.len() + taken > most {
            items[kept..at].copy_from_slice(&stragglers);
            return false;
        }
        if is_straggler {
            stragglers.push(item);
        } else {
            stragglers.extend_from_slice(&items[greater..kept]);
            items[greater] = item;
            kept = greater + 1;
        }
    }
    stragglers.sort_unstable_by_key(|&item| key(item));
    let mut end = items.len();
    while let Some(&last) = stragglers.last() {
        end -= 1;
        if kept > 0 && key(items[kept - 1]) > key(last) {
            kept -= 1;
            items[end] = items[kept];
        } else {
            items[end] = last;
            stragglers.pop();
        }
    }
    true
}

const DIGITS: usize = 1 << DIGIT_BITS;

fn digit(key: u32, number: u32) -> usize {
    (key >> (DIGIT_BITS * number)) as usize & (DIGITS - 1)
}

/// Puts items of one highest digit into `to` by their other digits; `from` is used up.
fn sort_lower<T: Copy>(from: &mut [T], to: &mut [T], key: &impl Fn(T) -> u32) {
    if from.len() < MIN_SCATTER {
        to.copy_from_slice(from);
        to.sort_unstable_by_key(|&item| key(item));
        return;
    }
    if from.len() < MIN_RADIX {
        // The second digit leaves a few items together, and those are soon in order.
        let digit = |item: T| digit(key(item), 2);
        let mut ends = [0; DIGITS];
        from.iter().for_each(|&item| ends[digit(item)] += 1);
        scatter(from, to, &mut ends, digit);
        let mut start = 0;
        for end in ends {
            to[start..end].sort_unstable_by_key(|&item| key(item));
            start = end;
        }
        return;
    }
    let mut counts = [[0; DIGITS]; 3];
    for &item in from.iter() {
        for (counts, number) in counts.iter_mut().zip(0..) {
            counts[digit(key(item), number)] += 1;
        }
    }
    let [low, middle, high] = &mut counts;
    scatter(from, to, low, |item| digit(key(item), 0));
    scatter(to, from, middle, |item| digit(key(item), 1));
    scatter(from, to, high, |item| digit(key(item), 2));
}

/// Puts items in the order of a digit, of which there are so many each; the counts become the ends
/// of their places.
fn scatter<T: Copy>(
    from: &[T],
    to: &mut [T],
    counts: &mut [usize; DIGITS],
    digit: impl Fn(T) -> usize,
) {
    let mut start = 0;
    for count in counts.iter_mut() {
        start += std::mem::replace(count, start);
    }
    for &item in from {
        let slot = &mut counts[digit(item)];
        to[*slot] = item;
        *slot += 1;
    }
}

/// Puts items in the order of a digit in place, of which there are so many each; the counts become the
/// ends of their places.
fn permute<T: Copy>(items: &mut [T], counts: &mut [usize; DIGITS], digit: impl Fn(T) -> usize) {
    let (mut next, mut start) = ([0; DIGITS], 0);
    for (next, count) in next.iter_mut().zip(counts.iter_mut()) {
        *next = start;
        start += *count;
        *count = start;
    }
    for at in 0..DIGITS {
        while next[at] < counts[at] {
            // Each takes the place of another, until one comes that belongs where the first was.
            let place = next[at];
            let mut item = items[place];
            while digit(item) != at {
                let slot = &mut next[digit(item)];
                std::mem::swap(&mut item, &mut items[*slot]);
                *slot += 1;
            }
            items[place] = item;
            next[at] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_items_are_sorted_like_small_ones() {
        for (len, shift) in [(2048, 0), (50_000, 0), (200_000, 9), (200_000, 16), (200_000, 40)] {
            let mix = |n: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift;
            let mut items: Vec<[u64; 2]> = (0..len).map(|n| [mix(n), n]).collect();
            let mut want = items.clone();
            want.sort_unstable();
            sort_by_u32(&mut items, |[item, _]| (item >> 32) as u32);
            items.chunk_by_mut(|a, b| a[0] >> 32 == b[0] >> 32).for_each(<[_]>::sort_unstable);
            assert_eq!(items, want);
        }
    }

    /// One address out of order took as much memory again as all of them.
    #[test]
    fn a_few_out_of_order_are_sorted_in_place() {
        let sorted: Vec<u32> = (0..10_000).map(|n| n * 3).collect();
        for outliers in [
            vec![(0, u32::MAX)],
            vec![(0, 5), (1, 4)],
            vec![(9_999, 0)],
            vec![(5_000, u32::MAX), (5_001, u32::MAX), (7_000, 0), (7_001, 1)],
            (0..50).map(|n| (n * 199, u32::MAX - n as u32)).collect(),
        ] {
            let mut items = sorted.clone();
            outliers.iter().for_each(|&(at, item)| items.insert(at, item));
            let mut want = items.clone();
            want.sort_unstable();
            assert!(sort_stragglers(&mut items, &|item| item), "{outliers:?}");
            assert_eq!(items, want);
        }
        let mut many: Vec<u32> = sorted.iter().rev().copied().collect();
        assert!(!sort_stragglers(&mut many, &|item| item));
        many.sort_unstable();
        assert_eq!(many, sorted);
    }

    #[test]
    fn sorts_like_the_standard_library() {
        // Spread over all octets, and most of them in few.
        let cases =
            [0u64, 1, 2, 100, 2047, 2048, 5000, 100_000, 600_000].map(|len| [(len, 0), (len, 7)]);
        for (len, shift) in cases.into_iter().flatten() {
            let mix = |n: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift;
            let mut items: Vec<u64> = (0..len).map(mix).collect();
            let mut want = items.clone();
            want.sort_unstable();
            sort_by_u32(&mut items, |item| (item >> 32) as u32);
            items.chunk_by_mut(|a, b| a >> 32 == b >> 32).for_each(<[u64]>::sort_unstable);
            assert_eq!(items, want);
            sort_by_u32(&mut items, |item| (item >> 32) as u32);
            assert_eq!(items, want);
        }
    }
}
