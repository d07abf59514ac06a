//! What is fuzzed: one module for each target, a function of bytes that panics if anything is
//! wrong. `tests/fuzz.rs` runs them for seconds, `scripts/fuzz` for hours.

mod address_listing;
mod catalog;
mod certificate;
mod config_text;
mod defaults_file;
mod file;
mod frame;
mod gzip;
mod history;
mod input;
mod list_format;
mod mail_log;
pub(crate) mod message;
mod name_text;
mod names_model;
mod proxy_header;
mod query;
mod seeds;
mod snapshot;
#[cfg(fuzzing)]
mod trie_bytes;
mod trie_model;
mod tsig;
mod zone_model;
mod zone_text;

/// One thing to fuzz.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Tries an input.
    ///
    /// # Panics
    ///
    /// If it shows a fault.
    pub(crate) run: fn(&[u8]),
    /// Inputs to start from.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// Bytes worth putting into inputs.
    pub(crate) tokens: &'static [&'static [u8]],
    /// The size of inputs, in bytes, beyond which nothing new is to be expected.
    pub(crate) max_size: usize,
}

macro_rules! target {
    ($name:literal, $module:ident, $max_size:literal) => {
        target!($name, $module::run, $module, $max_size)
    };
    ($name:literal, $run:path, $module:ident, $max_size:literal) => {
        Target {
            name: $name,
            run: $run,
            seeds: $module::seeds,
            tokens: $module::TOKENS,
            max_size: $max_size,
        }
    };
}

pub(crate) const ALL: &[Target] = &[
    target!("query", query, 700),
    target!("zone_text", zone_text, 2000),
    target!("zone_model", zone_model, 800),
    target!("trie4_model", trie_model::run4, trie_model, 2000),
    target!("trie6_model", trie_model::run6, trie_model, 2000),
    target!("names_model", names_model, 1000),
    target!("name_text", name_text, 600),
    target!("list_format", list_format, 2000),
    target!("config_text", config_text, 4000),
    target!("gzip", gzip, 1000),
    target!("defaults_file", defaults_file, 2000),
    target!("snapshot", snapshot, 3000),
    target!("certificate", certificate, 1000),
    target!("history", history, 1500),
    target!("mail_log", mail_log, 400),
    target!("proxy_header", proxy_header, 300),
    target!("frame", frame, 400),
    target!("tsig", tsig, 400),
    #[cfg(fuzzing)]
    target!("trie_bytes", trie_bytes, 500),
];
