//! The compressed radix trie.

mod block;
mod coalesce;
#[cfg(any(test, fuzzing))]
mod damage;
pub mod names;
mod pack;
mod v4;
mod v6;

pub use v4::Trie4;
pub use v6::Trie6;

#[cfg(test)]
mod oracle;
#[cfg(test)]
#[allow(unreachable_pub)]
#[path = "../../benches/common/mod.rs"]
mod testdata;
