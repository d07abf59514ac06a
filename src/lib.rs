//! dnsbld: a server for DNS blocklists and allowlists.
//!
//! This page is the way into the code: the rooms in their order, and three journeys through them.
//! `docs/architecture.md` tells the same with threads, snapshots and measurements;
//! `scripts/check-layers` holds the order below against every import.
//!
//! # Rooms, the lowest first
//!
//! A room uses the rooms above it in this table, never those below it. (The table reads as a newcomer
//! reads: from what needs nothing to what needs everything.)
//!
//! | room | job |
//! |---|---|
//! | [`util`] | text, time, threads, signals, cancellation: for all rooms |
//! | [`flat_array`] | arrays that are owned or lie in shared memory |
//! | [`answer`] | AnswerId: the number of an interned answer |
//! | [`range`] | ranges of addresses, and the integers that addresses are |
//! | [`wire`] | messages: names, queries, responses; the decoder of reversed names |
//! | [`tsig`] | signed messages: keys, signatures of requests and answers |
//! | [`trie`] | the compressed radix trie of addresses, the suffix tree of names |
//! | [`listing`] | the rules of the dataset types -> canonical lists; interned answers; records |
//! | [`zonefile`] | text -> entries and diagnostics, for every dataset type |
//! | [`zone`] | zone, dataset, catalog; the one lookup, the one sweep |
//! | [`engine`] | what to answer: one function, no I/O, no allocation |
//! | [`lint`] | what is wrong with a file, and what could be shorter; what can be mended |
//! | [`dump`] | zones as master files, for other name servers |
//! | [`export`] | what a zone lists, in the forms that other programs load; as a picture |
//! | [`source`] | reading one file safely: whole or not at all |
//! | [`snapshot`] | compiled datasets on disk: format, write, open and map, verify |
//! | [`history`] | what each load listed and delisted: the log of a dataset, and what it tells |
//! | [`config`] | dnsbld.toml and zone specs: typed -> resolved -> what a reload changes; policies |
//! | [`guard`] | verdicts on what was read: one file per rule |
//! | [`event`] | what happened, as typed values; the log is a sink |
//! | [`watch`] | which files changed, and whether they are at rest |
//! | [`state`] | the state folder: lock, serials, records of datasets and feeds, the writer of snapshots |
//! | [`dataset`] | from task to candidate to what is served: build, lifecycle, manager |
//! | [`own`] | lists of one's own: the editor of their files, and which list takes a key |
//! | [`resolver`] | the resolvers in front: their lines, and how to recognise each |
//! | [`setup`] | a first installation: configuration, resolver and mail server that fit together |
//! | [`explain`] | why a server answers as it does for a key; why it is as it is: the doctor |
//! | [`replay`] | what lists would have done to the mail of a log: hits, other lists and weights |
//! | [`monitor`] | which of the networks and domains that are watched are listed, since when and by which line |
//! | [`status`] | one plain value that says how the server is; the start report |
//! | [`stats`] | counters of all zones, the statistics file, the query log |
//! | [`transfer`] | whole zones for secondaries: AXFR |
//! | [`server`] | UDP, TCP, TLS; the shared catalog |
//! | [`daemon`] | start order, the loop over commands, reload, the builder of the catalog |
//! | [`mirror`] | `dnsbld sync`: when, by rsync and curl, staging, publishing; a process of its own |
//! | [`rbldnsd`] | the personality: rbldnsd's command line, log and habits; migrate |
//! | [`cli`] | one file per verb |
//!
//! # A query
//!
//! 1. [`server::udp`] takes up to 64 datagrams with one system call and loads the catalog once for them.
//! 2. [`engine::answer`] is the one function that answers, for UDP, TCP, TLS, tests, fuzzers and
//!    benchmarks. It reads no clock and no file, and allocates nothing.
//! 3. [`wire`] reads the question. [`zone::Catalog`] finds the zone, `zone::lookup` the [`answer`] for
//!    the key in the zone's [`zone::Dataset`]s, by the tries of [`trie`].
//! 4. The engine writes the records. Before and after, two hooks stand around every way:
//!    `admit` (access lists) and `done` (counters, the query log).
//!
//! # A file
//!
//! 1. rsync puts a file in place. [`watch`] sees it and waits until it is at rest.
//! 2. [`dataset`] makes a task of it. [`source`] reads the file whole or not at all, [`zonefile`] parses
//!    it, [`listing`] decides every rule of the type once, [`trie`] makes it fit for lookups.
//! 3. [`guard`] judges the candidate beside what is served. What is refused leaves the old data in place.
//! 4. What is accepted becomes the dataset's `Served` value; `state` keeps a [`snapshot`] of it.
//! 5. [`daemon`] builds a catalog of all zones and publishes it to the workers of [`server`].
//!
//! # An event
//!
//! 1. Whatever happens to data, settings, sockets or snapshots is an [`event::Event`]: plain values, no
//!    prose.
//! 2. A sink makes words of it: the log of [`event`], or rbldnsd's log in [`rbldnsd`].
//! 3. [`status`] says how things are now; events say what changed.

pub mod answer;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod dataset;
pub mod dump;
pub mod engine;
pub mod event;
pub mod explain;
pub mod export;
pub mod flat_array;
pub mod guard;
pub mod history;
pub mod lint;
pub mod listing;
pub mod mirror;
pub mod monitor;
pub mod own;
pub mod range;
pub mod rbldnsd;
pub mod replay;
pub mod resolver;
pub mod server;
pub mod setup;
pub mod snapshot;
pub mod source;
pub mod state;
pub mod stats;
pub mod status;
pub mod transfer;
pub mod trie;
pub mod tsig;
pub mod util;
pub mod watch;
pub mod wire;
pub mod zone;
pub mod zonefile;

/// The models of the fuzzers name the crate so, and unit tests share them.
#[cfg(test)]
extern crate self as dnsbld;
