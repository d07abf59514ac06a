//! The compressed radix trie.

pub mod names;
