//! The compressed radix trie: addresses in [`Trie4`] and [`Trie6`], names in [`names`]; and the
//! table of hashes, [`digests`].
//!
//! # Layout for addresses
//!
//! A trie is a few flat arrays of little-endian numbers, so that they can be mapped from a file;
//! reading them is safe whatever they hold. The upper part of an address leads to an offset in an
//! *arena* of bytes, where a *block* has the answers of one span of addresses:
//!
//! | | span of a block | found by |
//! |---|---|---|
//! | IPv4 | a /16, or a /24 below a split block | 65,536 offsets; below 8,192 blocks an index by first octet and a search |
//! | IPv6 | from its *head*, any address, to the next head | an index of cells, then a search among the heads of the cell |
//!
//! A block has a *background*, the answer of the most stretches of its span (most often "not
//! listed"), and *runs* of addresses with another answer. Runs count in units of 2^shift
//! addresses from the first of the block. So a listed /12 with holes is kept as its holes, and a
//! block of nothing but /24s or /64s as single units.
//!
//! ```text
//! header   4 bytes: bits 0-1 bytes of an answer number, less 1 (a)
//!                   bits 2-3 form: 0 all runs are one unit, 1 runs of 2^p units, 2 other runs,
//!                            3 split: what follows are 256 offsets of blocks, one per octet
//!                   bit 4 one answer for all runs     bit 5 the background is listed
//!                   bit 6 some /24s are bitmaps       bits 8-14 shift
//!                   bits 16-19 bytes of a key, less 1 (k)     bits 20-31 number of runs (n)
//! [answer] a        of the background, with bit 5
//! [answer] a        of all runs, with bit 4
//! [octets] 1 + d    with bit 6: number of bitmaps less 1, their third octets, sorted
//! keys     k * n    the first unit of each run, sorted
//! [ends]            form 1: p, a byte each; form 2: the last unit of each run, k bytes each
//! [answers] a * n   without bit 4: of each run, then of each bitmap (a * d)
//! [bitmaps] 32 * d  a bit for each address of the /24; a bit not set means the background
//! ```
//!
//! The writer counts the bytes of every form and takes the shortest: a single costs 2 bytes, a
//! /24 with more than 16 runs of one answer 33. A /16 with more than 512 runs is split. An IPv6
//! block has up to 64 runs, and ends where that gives the fewest bytes per run. Offset 0 is the
//! block in which nothing is listed, four zero bytes; 16 zero bytes close the arena. IPv4 blocks in which
//! all keys have one answer are shared, but only within a /8: so each /8 can be written for itself.
//!
//! So a lookup reads the offset, the header with the keys close behind, and perhaps a bitmap or
//! an answer: about three to five cache lines.
//!
//! ## Example
//!
//! 192.0.2.1 and 192.0.2.7 with answer 1, 198.51.100.0/24 with answer 2:
//!
//! ```text
//! root     /16 192.0 -> 4, /16 198.51 -> 13
//! arena
//!  0       00 00 00 00                nothing is listed
//!  4       10 00 21 00                one answer, 1 byte; 2-byte keys, 2 runs of one unit
//!  8       01                         the answer
//!  9       01 02  07 02               units 2.1 and 2.7
//! 13       10 08 10 00                one answer, 1 byte; shift 8; 1-byte keys, 1 run
//! 17       02  64                     the answer; unit 100, the third octet
//! 19       16 times 00
//! ```

mod addresses;
mod common_block;
#[cfg(any(test, fuzzing))]
mod damage;
mod decode;
pub mod digests;
mod encode;
pub mod names;
mod v4;
mod v6;

/// A trie of IPv4 addresses.
pub type Trie4 = Trie<v4::Root>;
/// A trie of IPv6 addresses.
pub type Trie6 = Trie<v6::Heads>;

pub use addresses::Trie;
pub(crate) use v4::free_apart;

#[cfg(test)]
mod oracle;
#[cfg(test)]
#[allow(unreachable_pub)]
#[path = "../../benches/common/mod.rs"]
mod testdata;
