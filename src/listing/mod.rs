//! The canonical form of a data file, see [`Range`] and [`Answers`].
//!
//! Loading decides every rule of a dataset type once: ranges, exclusions, the precedence of
//! overlapping entries, defaults, several values for one key. What remains is a *listing*: for
//! addresses, sorted disjoint ranges, each with the number of an interned answer; for names, a
//! suffix tree whose nodes carry the answer for the name itself and for everything below it.

pub mod actions;
pub mod addresses;
pub mod answers;
pub mod names;
pub mod records;

pub use actions::{Action, Actions, Keyword};
pub use answers::{
    Answer, Answers, AnswersBuilder, Asker, Gate, Hashed, Numbering, Value, ValueId,
};

/// The number of an interned [`Answer`] of a dataset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AnswerId(pub u32);

impl AnswerId {
    /// Zero: the key is not listed.
    pub const NONE: Self = Self(0);

    /// True if a key with this answer is listed.
    pub fn is_listed(self) -> bool {
        self != Self::NONE
    }
}

/// An inclusive range of keys, `u32` for IPv4 and `u128` for IPv6 addresses, with its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range<K> {
    /// The first key.
    pub start: K,
    /// The last key, not below `start`.
    pub end: K,
    /// The answer of every key in the range.
    pub answer: AnswerId,
}
