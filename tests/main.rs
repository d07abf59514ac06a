//! All integration tests, one module per subject, in one program: `cargo test --test integration
//! snapshots::` runs those of one module.

mod acl;
mod check_config;
mod cli;
mod clients;
mod common;
mod control;
mod delayed;
mod deploy;
mod differential;
mod disasters;
mod dump;
mod feeds;
mod fuzz;
mod guards;
mod health;
mod init;
mod layers;
mod migrate;
mod mirror;
mod mirror_script;
mod postfix;
mod presets;
mod quarantine;
mod rbldnsd;
mod rbldnsd_answers;
mod rbldnsd_service;
mod readme;
mod reload;
mod reload_slow;
mod resolvers;
mod scenarios;
mod snapshots;
mod start;
mod stats;
mod worst_cases;
