//! The canonical form of a data file, see [`Range`] and [`Answers`].
//!
//! Loading decides every rule of a dataset type once: ranges, exclusions, the precedence of
//! overlapping entries, defaults, several values for one key. What remains is a *listing*: for
//! addresses, sorted disjoint ranges, each with the number of an interned answer; for names, a
//! suffix tree whose nodes carry the answer for the name itself and for everything below it; for hashes,
//! a sorted table of them.

pub mod actions;
pub mod addresses;
pub mod answers;
pub mod digests;
pub mod names;
pub mod records;

pub use crate::answer::AnswerId;
pub use crate::range::Range;
pub use actions::{Action, Actions, Keyword};
pub use answers::{
    Answer, Answers, AnswersBuilder, Asker, Gate, Hashed, HashedA, NewNumbers, Numbering, Overfull,
    Template, Value, ValueId,
};
