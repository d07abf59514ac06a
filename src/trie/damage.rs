//! Damage to the arrays of a trie, for tests and fuzzers: whatever the bytes, a lookup neither
//! panics nor goes on for ever.

/// Overwrites an item or, rarely, drops it and those behind it.
pub(super) fn damage<T>(
    items: &mut Vec<T>,
    random: &mut dyn FnMut() -> u64,
    item: impl Fn(u64) -> T,
) {
    let bits = random();
    let Some(at) = (bits >> 32).checked_rem(items.len() as u64) else { return };
    match bits & 0xf {
        0 => items.truncate(at as usize),
        _ => items[at as usize] = item(random()),
    }
}
