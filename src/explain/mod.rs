//! Answers to questions about a running server: what it says of a key, and why; why it is as it is, and what to do.

pub(crate) mod advise;
pub(crate) mod check;
mod check_text;
pub(crate) mod covering;
pub mod doctor;
mod key;
pub(crate) mod lines;
pub mod lookup;
mod mail_hash;
pub(crate) mod mail_log;
pub(crate) mod offline;
mod oracle;
pub(crate) mod overrides;
pub(crate) mod past;
pub(crate) mod unused;

pub(crate) use key::{AskedKey, NotAKey};
pub(crate) use mail_hash::HashScheme;
pub(crate) use oracle::{Lookup, Oracle, SCHEMA};
