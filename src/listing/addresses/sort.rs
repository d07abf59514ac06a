//! Sorting many small items by 32 bits of them.

/// Below this, counting costs more than it saves.
const MIN_RADIX: usize = 2048;
/// Below this, so does counting one digit.
const MIN_SCATTER: usize = 128;
/// The bits looked at in one pass. As many places as these have are written to side by side, which
/// the translation of addresses still keeps up with.
const DIGIT_BITS: u32 = 8;

/// Sorts by `key`. Items with equal keys come in any order.
///
/// First by the highest digit, then the items of each digit by the others, so that all passes but
/// the first stay within the cache.
pub(super) fn sort_by_u32<T: Copy + Default>(items: &mut [T], key: impl Fn(T) -> u32) {
    if items.len() < MIN_RADIX {
        items.sort_unstable_by_key(|&item| key(item));
        return;
    }
    if items.is_sorted_by_key(|&item| key(item)) {
        return;
    }
    let digit = |item: T| digit(key(item), 3);
    let mut ends = [0; DIGITS];
    items.iter().for_each(|&item| ends[digit(item)] += 1);
    let mut other = vec![T::default(); items.len()];
    scatter(items, &mut other, &mut ends, digit);
    let mut start = 0;
    for end in ends {
        sort_lower(&mut other[start..end], &mut items[start..end], &key);
        start = end;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
