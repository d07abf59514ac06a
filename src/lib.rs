//! dnsbld: a server for DNS blocklists and allowlists.

pub mod answer;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod dataset;
pub mod dump;
pub mod engine;
pub mod event;
pub mod flat_array;
pub mod listing;
pub mod range;
pub mod rbldnsd;
pub mod server;
pub mod snapshot;
pub mod source;
pub mod state;
pub mod stats;
pub mod status;
pub mod trie;
pub mod util;
pub mod watch;
pub mod wire;
pub mod zone;
pub mod zonefile;

/// The models of the fuzzers name the crate so, and unit tests share them.
#[cfg(test)]
extern crate self as dnsbld;
