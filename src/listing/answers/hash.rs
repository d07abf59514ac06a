//! Hashes of texts, values and answers.

use super::{Gate, ValueId};
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

/// All builders share one hasher, because one thread hashes texts for the builder of another. Its seed
/// differs between processes, so that nobody can write a file whose texts all have the same hash.
static HASHER: LazyLock<foldhash::fast::RandomState> = LazyLock::new(Default::default);

/// The hash of a text, the same in every builder.
#[inline]
pub(super) fn text_hash(text: &[u8]) -> u32 {
    let mut hasher = HASHER.build_hasher();
    hasher.write(text);
    hasher.finish() as u32
}

/// The hash of an A record. Nobody can predict it, not even its highest bits.
pub(super) fn a_hash(a: u32) -> u32 {
    HASHER.hash_one(a) as u32
}

/// The hash of a value.
#[inline]
pub(super) fn hash_value(text_hash: u32, a_hash: u32, gate: Option<Gate>) -> u32 {
    let plain = text_hash ^ a_hash;
    match gate {
        None => plain,
        Some(gate) => HASHER.hash_one((plain, gate)) as u32,
    }
}

/// The hash of an answer with several values.
pub(super) fn hash_members(values: &[ValueId]) -> u32 {
    HASHER.hash_one(values) as u32
}
