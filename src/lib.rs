//! dnsbld: a server for DNS blocklists and allowlists.

pub mod engine;
pub mod listing;
pub mod trie;
pub mod wire;
pub mod zonefile;
