//! What is fuzzed: one module for each target, a function of bytes that panics if anything is
//! wrong. `tests/fuzz.rs` runs them for seconds, `scripts/fuzz` for hours.

mod address_listing;
mod catalog;
mod config_text;
mod file;
mod gzip;
mod input;
mod message;
mod name_text;
mod names_model;
mod query;
mod seeds;


mod trie_model;
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

macro_rules! targets {
    ($($name:literal $module:ident $run:ident $max_size:literal)*) => {
        &[$(Target {
            name: $name,
            run: $module::$run,
            seeds: $module::seeds,
            tokens: $module::TOKENS,
            max_size: $max_size,
        }),*]
    };
}

pub(crate) const ALL: &[Target] = targets! {
    "query" query run 700
    "zone_text" zone_text run 2000
    "zone_model" zone_model run 800
    "trie4_model" trie_model run4 2000
    "trie6_model" trie_model run6 2000
    "names_model" names_model run 1000
    "name_text" name_text run 600
    "config_text" config_text run 4000
    "gzip" gzip run 1000
};
