//! Sorting many small items by 32 bits of them.

/// The bits looked at in one pass: 2048 counters fit into the first-level cache.
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 3;
/// Below this, the counters cost more than they save.
const MIN_RADIX: usize = 2048;

/// Sorts by `key`. Items with equal keys come in any order.
pub(super) fn sort_by_u32<T: Copy + Default + Ord>(items: &mut Vec<T>, key: impl Fn(T) -> u32) {
    if items.len() < MIN_RADIX {
        items.sort_unstable_by_key(|&item| key(item));
        return;
    }
    if items.is_sorted_by_key(|&item| key(item)) {
        return;
    }
    let digit = |item: T, pass: usize| {
        (key(item) >> (DIGIT_BITS * pass as u32)) as usize & ((1 << DIGIT_BITS) - 1)
    };
    let mut counts = vec![[0usize; 1 << DIGIT_BITS]; DIGITS];
    for &item in items.iter() {
        for (pass, counts) in counts.iter_mut().enumerate() {
            counts[digit(item, pass)] += 1;
        }
    }
    let mut other = vec![T::default(); items.len()];
    for (pass, counts) in counts.iter_mut().enumerate() {
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for &item in items.iter() {
            let slot = &mut counts[digit(item, pass)];
            other[*slot] = item;
            *slot += 1;
        }
        std::mem::swap(items, &mut other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_like_the_standard_library() {
        for len in [0u64, 1, 2, 100, 2047, 2048, 5000] {
            let mix = |n: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
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
